"""Rows `nats-1`, `nats-100` and `alerts`: measurements that wait in a JetStream stream, and how soon an alert is heard."""

import json
import subprocess
import sys
import time

import house
from house import HERE, Kpid, NotRun, clean_environment, finished, kpid_program, say
from state import speed_program
from told import Goal, Row, column, median, number, spread, taking_turns
from wire import Nats, NatsServer, published

SUBJECT = "kpi.v1.measurement"
STREAM = "KPI_MEASUREMENTS"
# Messages sent before the last of them is known to be stored: the server keeps no more than ten thousand that wait.
UNSTORED_MAX = 2_000


def lines_of(setting, count):
    """The first lines of W, again and again if there are too few."""
    with open(setting.lines, "rb") as file:
        lines = [line for line, _ in zip(file, range(count))]
    return (lines * (count // len(lines) + 1))[:count]


def fill(port, payloads):
    """Publishes everything; the stream has it all when this returns."""
    nats = Nats(port)
    nats.subscribe(f"{nats.inbox}.*")
    waiting = 0
    for start in range(0, len(payloads), UNSTORED_MAX):
        part = payloads[start : start + UNSTORED_MAX]
        parts = [published(SUBJECT, payload) for payload in part[:-1]]
        parts.append(published(SUBJECT, part[-1], f"{nats.inbox}.1"))
        nats.socket.sendall(b"".join(parts))
        waiting += 1
        while waiting > 1:
            waiting -= stored(nats)
    while waiting > 0:
        waiting -= stored(nats)
    info = nats.request(f"$JS.API.STREAM.INFO.{STREAM}")
    if info["state"]["messages"] != len(payloads):
        raise RuntimeError(f"the stream has {info['state']} and not {len(payloads)} messages")
    nats.close()


def stored(nats):
    answer = json.loads(nats.next_message()[2])
    if "error" in answer:
        raise RuntimeError(f"JetStream refuses a message: {answer}")
    return 1


def forget_consumer(port):
    """The next kpid begins at the first message of the stream."""
    nats = Nats(port)
    nats.request(f"$JS.API.CONSUMER.DELETE.{STREAM}.kpid")
    nats.close()


def rows(setting, each):
    count = setting.messages * (1 if each == 1 else 5)
    messages = count // each
    payloads = [b"".join(chunk) for chunk in chunks(lines_of(setting, count), each)]
    with house.folder("nats") as home, NatsServer(home) as server:
        with house.folder("first") as first, Kpid(first, setting.catalog, server.url) as kpid:
            kpid.wait_ready()  # and the streams are there
            wait_for_stream(server.port)
        forget_consumer(server.port)
        say(f"filling the stream with {messages:,} messages of {each}")
        fill(server.port, payloads)
        works = {"kpid": lambda: drained_by_kpid(setting, server, count), "bare": lambda: drained(setting, server, home, messages)}
        results = taking_turns(setting.rounds, works, say)
    own = [count / result["wall"] for result in results["kpid"]]
    bare = [count / result["wall"] for result in results["bare"]]
    ratio = median(own) / median(bare)
    cpu = median(column(results["bare"], "cpu")) / median(column(results["kpid"], "cpu"))
    return [
        Row(
            name=f"nats-{each}",
            what=f"NATS JetStream ingest, {each} a message, until applied",
            kpid=spread(own, 1e-6, " M/s"),
            peer=f"bare pull consumer, ack-all, throws away: {spread(bare, 1e-6, ' M/s')}",
            ratio=ratio,
            cpu_ratio=cpu,
            goal=Goal(0.8, 0.95) if each == 1 else Goal(0.4, 0.7),
            judged=ratio,
            rounds=len(own),
            notes=[
                f"{messages:,} messages; both clocks start when the program is connected, kpid's when it listens; processor time kpid "
                f"{spread(column(results['kpid'], 'cpu'), unit=' s')} and the server {spread(column(results['kpid'], 'server_cpu'), unit=' s')} beside it; bare consumer "
                f"{spread(column(results['bare'], 'cpu'), unit=' s')} and {spread(column(results['bare'], 'server_cpu'), unit=' s')}; kpid's "
                f"start until it listens, before that: {spread(column(results['kpid'], 'start'), unit=' s')}"
            ],
            figures=results,
        )
    ]


def chunks(lines, each):
    return [lines[start : start + each] for start in range(0, len(lines), each)]


def wait_for_stream(port):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        nats = Nats(port)
        found = "config" in nats.request(f"$JS.API.CONSUMER.INFO.{STREAM}.kpid")
        nats.close()
        if found:
            return
        time.sleep(0.05)
    raise NotRun("kpid did not make its stream and consumer within 30 s")


def drained_by_kpid(setting, server, count):
    server_before = server.cpu()
    with house.folder("drain") as home, Kpid(home, setting.catalog, server.url) as kpid:
        listens = time.monotonic()
        applied = kpid.wait_applied(count)
        # It is connected before it listens, and pulls after that: from there on, as with the bare consumer.
        told = {"wall": applied - listens, "start": listens - kpid.started, "cpu": kpid.cpu(), "server_cpu": server.cpu() - server_before}
    forget_consumer(server.port)
    return told


def drained(setting, server, home, messages):
    server_before = server.cpu()
    done = finished([speed_program(setting)], home, clean_environment(KPID_BENCH_DRAIN_ALONE=f"{server.url} {messages}"))
    return {"wall": float(done["out"]), "cpu": done["cpu"], "server_cpu": server.cpu() - server_before}


# ---------------------------------------------------------------- alerts


def delay_rows(setting):
    results = {"kpid": [], "floor": []}
    with house.folder("delay") as home, NatsServer(home) as server:
        catalog = delay_catalog(home / "scorecards")
        with Kpid(home, catalog, server.url) as kpid:
            kpid.wait_ready()
            wait_for_stream(server.port)
        for turn in range(1, setting.rounds + 1):
            # The floor has the same load on server and disk, only that kpid is not there: what it publishes is dropped at the end.
            floor = delayed(home, server, setting.seconds, "floor")
            purge(server.port)
            with Kpid(home, catalog, server.url) as kpid:
                kpid.wait_ready()
                own = delayed(home, server, setting.seconds, "alerts")
                own["cpu"] = kpid.cpu() / setting.seconds
            results["floor"].append(floor)
            results["kpid"].append(own)
            say(f"round {turn} of {setting.rounds}: {own} beside {floor}")
        stat = finished([kpid_program(), "journal", "stat", "--journal", home / "data/journal"], home)["out"]
    p99, floor = column(results["kpid"], "p99"), [result["sync_p99"] + result["trip_p99"] for result in results["floor"]]
    ratio = median(p99) / median(floor)
    return [
        Row(
            name="alerts",
            what="alert delay at 10,000 measurements/s, publish to receipt, p99",
            kpid=spread(p99, unit=" ms"),
            peer=f"p99 fdatasync + p99 NATS round trip: {spread(floor, unit=' ms')}",
            ratio=ratio,
            goal=Goal(4, 2, at_least=False),
            judged=ratio,
            rounds=len(p99),
            notes=[
                f"p50 {spread(column(results['kpid'], 'p50'), unit=' ms')} over {min(column(results['kpid'], 'alerts'))} alerts a round at least, {sum(column(results['kpid'], 'missing'))} of all not heard; floor under the same load without "
                f"kpid: fdatasync p99 {spread(column(results['floor'], 'sync_p99'), unit=' ms')}, p50 {spread(column(results['floor'], 'sync_p50'), unit=' ms')}; publish to subscriber p99 "
                f"{spread(column(results['floor'], 'trip_p99'), unit=' ms')}, p50 {spread(column(results['floor'], 'trip_p50'), unit=' ms')}; kpid used {spread(column(results['kpid'], 'cpu'))} cores",
                f"its journal: {journal_form(stat)}",
            ],
            figures=results,
        )
    ]


def journal_form(stat):
    """How many facts and bytes a block of it has."""
    told = {line.split()[0]: line for line in stat.splitlines() if line.strip()}
    facts, blocks = int(told["facts"].split()[1].rstrip(",")), int(told["blocks"].split()[1])
    a_fact = float(told["size"].rpartition(",")[2].split()[0])
    return f"{number(facts / blocks)} facts and {number(facts * a_fact / blocks)} bytes a block"


def delay_catalog(folder):
    """1,000 KPIs that show their last value, and an alert on each."""
    from delay import KPIS, THRESHOLD

    lines = ['[scorecard]\nid = "a"\ntitle = "A"\n[[perspective]]\nid = "p"\n']
    lines += [f'[[objective]]\nid = "o{n}"\nperspective = "p"\n' for n in range(40)]
    for n in range(KPIS):
        lines.append(
            f'[[kpi]]\nid = "a.k{n}"\nobjective = "o{n % 40}"\naggregate = "last"\nwindow = {{ rolling = "1h" }}\n'
            f'direction = "down"\nred = {THRESHOLD}\ntarget = 0\n'
        )
    lines.append(f'[[alert]]\nid = "high"\non = "a/**"\nkinds = ["kpi"]\nmetric = "value"\nabove = {THRESHOLD}\nseverity = "critical"\n')
    folder.mkdir(parents=True)
    (folder / "a.toml").write_text("\n".join(lines))
    return folder


def delayed(home, server, seconds, what):
    """Runs the publisher, and beside it who listens to alerts, or who syncs and who sends messages around."""
    helper = [sys.executable, str(HERE / "delay.py")]
    place = str(home / "syncs")
    beside = [["hear", str(server.port)]] if what == "alerts" else [["sync", place], ["trip", str(server.port)]]
    others = [subprocess.Popen([*helper, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for words in beside]
    try:
        for other in others:
            if other.stdout.readline().strip() != b"ready":
                raise RuntimeError(f"{other.args} did not begin")
        sent = json.loads(finished([*helper, "publish", str(server.port), str(seconds)], home)["out"])
        told = [json.loads(other.communicate(b"")[0]) for other in others]
    finally:
        for other in others:
            other.kill()
            other.wait()
    return matched(sent, told[0]) if what == "alerts" else {"sync_p50": told[0]["p50"], "sync_p99": told[0]["p99"], "trip_p50": told[1]["p50"], "trip_p99": told[1]["p99"]}


def matched(sent, heard):
    """Waits from a crossing's publication to its alert. One that was not heard waited for ever: it may have been taken back within
    a block, if kpid stood still for half a second."""
    times = {}
    for number, at in heard["alerts"]:
        times.setdefault(number, at)
    waits = sorted((times.get(number, float("inf")) - at) * 1_000 for number, at in sent["crossings"])
    missing = sum(number not in times for number, _ in sent["crossings"])
    if missing > len(waits) // 100:
        raise RuntimeError(f"{missing} of {len(waits)} alerts were not heard")
    return {"p50": waits[len(waits) // 2], "p99": waits[int(len(waits) * 0.99)], "alerts": len(waits), "missing": missing, "rate": sent["rate"]}


def purge(port):
    nats = Nats(port)
    nats.request(f"$JS.API.STREAM.PURGE.{STREAM}")
    nats.close()
