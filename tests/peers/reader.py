#!/usr/bin/env python3
"""Reads one path over one connection every few milliseconds until its stdin ends; prints every wait in milliseconds as JSON.

    reader.py PORT PATH [EVERY_MS]
"""

import http.client
import json
import select
import sys
import time


def main():
    port, path = int(sys.argv[1]), sys.argv[2]
    every = float(sys.argv[3] if len(sys.argv) > 3 else 5) / 1_000
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    waits, length, due = [], 0, time.monotonic()
    while not select.select([sys.stdin], [], [], max(0, due - time.monotonic()))[0]:
        started = time.monotonic()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {body[:200]!r}")
        waits.append((time.monotonic() - started) * 1_000)
        # A reader that is late does not make up for it by reading faster.
        length, due = len(body), max(due + every, time.monotonic())
    print(json.dumps({"waits": waits, "bytes": length}))


if __name__ == "__main__":
    main()
