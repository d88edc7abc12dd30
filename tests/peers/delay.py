#!/usr/bin/env python3
"""Parts of the row `alerts`, each a process of its own so that none waits for another's interpreter.

    delay.py publish PORT SECONDS   10,000 measurements a second, ten each millisecond; tells when each crossing was sent
    delay.py hear PORT              subscribes to alerts until its stdin ends; tells when each was received
    delay.py sync FILE              appends blocks of the size that the journal writes at this rate and syncs each, until its stdin ends
    delay.py trip PORT              sends a message to itself through the server, again and again, until its stdin ends

Clocks are the machine's monotonic one, which all processes share.
"""

import json
import os
import select
import sys
import threading
import time

KPIS = 1_000
THRESHOLD = 1_000_000
RATE = 10_000
AT_ONCE = 10
# Every so manyth KPI crosses the threshold, once a second there and once back: 200 alerts a second, evenly.
CROSSING = 10
# A block of the measurements of two milliseconds takes about so much in the journal.
BLOCK_BYTES = 512
PROBE_EVERY = 0.005
# Alerts may still come after the last measurement; who listens waits until none does.
QUIET_SECONDS = 2


def publish(port, seconds):
    from wire import Nats, published

    nats = Nats(port)
    crossings, sent = [], 0
    started = time.monotonic()
    while sent < seconds * RATE:
        due = started + sent / RATE
        wait = due - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        parts, crossing = [], []
        observed = int(time.time() * 1_000)
        for number in range(sent, sent + AT_ONCE):
            kpi, turn = number % KPIS, number // KPIS
            value, crosses = told_value(kpi, turn)
            if crosses:
                crossing.append(number)
            parts.append(published("kpi.v1.measurement", f'{{"kpi":"a.k{kpi}","observed_at":{observed},"value":{value}}}'.encode()))
        now = time.monotonic()
        nats.socket.sendall(b"".join(parts))
        crossings += [(number, now) for number in crossing]
        sent += AT_ONCE
    took = time.monotonic() - started
    nats.request("$JS.API.INFO")  # everything before it has reached the server
    return {"crossings": crossings, "rate": sent / took}


def told_value(kpi, turn):
    """A KPI is measured ten times a second. Those that cross stand five turns above the threshold and five below. The value says
    which KPI and turn it is of, because an alert tells the latest value of a block, and that may be a later one than the first."""
    own = turn * KPIS + kpi
    if kpi % CROSSING != 0:
        return own / 1e3 % 100, False
    place = turn + kpi // CROSSING
    return (THRESHOLD + 1 + own if place % 10 < 5 else own / 1e6), place % 5 == 0 and turn > 0


def crossing_of(value):
    """The number of the measurement that crossed, by any value of the five that follow each other on one side."""
    own = round(value - THRESHOLD - 1) if value > THRESHOLD else round(value * 1e6)
    kpi, turn = own % KPIS, own // KPIS
    return (turn - (turn + kpi // CROSSING) % 5) * KPIS + kpi


def until_stdin_ends(stop):
    sys.stdin.read()
    stop.set()


def stopper():
    stop = threading.Event()
    threading.Thread(target=until_stdin_ends, args=(stop,), daemon=True).start()
    return stop


def hear(port):
    from wire import Nats

    nats = Nats(port)
    nats.subscribe("kpi.v1.alert.>")
    nats.socket.sendall(b"PING\r\n")
    nats.line()
    print("ready", flush=True)
    stop, alerts, quiet_since = stopper(), [], time.monotonic()
    while not stop.is_set() or time.monotonic() - quiet_since < QUIET_SECONDS:
        if not nats.got and not select.select([nats.socket], [], [], 0.1)[0]:
            continue
        _, _, payload = nats.next_message()
        quiet_since = time.monotonic()
        body = json.loads(payload)
        alerts.append((crossing_of(body.get("data", body)["value"]), quiet_since))
    return {"alerts": alerts}


def sync(path):
    print("ready", flush=True)
    stop, waits = stopper(), []
    file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600)
    # As the journal does: room is reserved before it is written.
    os.posix_fallocate(file, 0, 64 << 20)
    block, place = os.urandom(BLOCK_BYTES), 0
    while not stop.is_set() and place < (64 << 20) - BLOCK_BYTES:
        started = time.monotonic()
        os.pwrite(file, block, place)
        os.fdatasync(file)
        waits.append(time.monotonic() - started)
        place += BLOCK_BYTES
        time.sleep(PROBE_EVERY)
    os.close(file)
    os.unlink(path)
    return percentiles(waits)


def trip(port):
    from wire import Nats, published

    sender, receiver = Nats(port), Nats(port)
    receiver.subscribe("probe")
    receiver.socket.sendall(b"PING\r\n")
    receiver.line()
    print("ready", flush=True)
    stop, waits = stopper(), []
    while not stop.is_set():
        started = time.monotonic()
        sender.socket.sendall(published("probe", b"x" * 100))
        receiver.next_message()
        waits.append(time.monotonic() - started)
        time.sleep(PROBE_EVERY)
    return percentiles(waits)


def percentiles(waits):
    waits.sort()
    return {"p50": waits[len(waits) // 2] * 1e3, "p99": waits[int(len(waits) * 0.99)] * 1e3, "count": len(waits)}


def main():
    what, rest = sys.argv[1], sys.argv[2:]
    works = {"publish": lambda: publish(int(rest[0]), float(rest[1])), "hear": lambda: hear(int(rest[0])), "sync": lambda: sync(rest[0]), "trip": lambda: trip(int(rest[0]))}
    print(json.dumps(works[what]()))


if __name__ == "__main__":
    main()
