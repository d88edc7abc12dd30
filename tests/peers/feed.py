#!/usr/bin/env python3
"""Sends a file of lines over HTTP in bodies of whole lines, over connections that stay open, as cheaply as can be.

    feed.py FILE PORT PATH [--type T] [--connections 4] [--body 1000000] [--applied N]

The file is in the page cache and goes from there to the socket without a copy (sendfile); the client only reads answers. Prints
one line of JSON: seconds from the first byte to the last answer, with --applied also until kpid has applied so many measurements,
the client's own processor seconds, and how often it was told to come back.
"""

import argparse
import http.client
import json
import mmap
import os
import socket
import threading
import time


def bodies(path, length):
    """(offset, length) of whole lines, at most so long; every page is read once, so that none comes from the disk later."""
    spans = []
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as lines:
        start = 0
        while start < len(lines):
            end = len(lines) if start + length >= len(lines) else lines.rfind(b"\n", start, start + length) + 1
            spans.append((start, end - start))
            start = end
        file.seek(0)
        while file.read(1 << 22):
            pass
    return spans


class Sender(threading.Thread):
    """One connection. Takes the next body when the one before was answered."""

    def __init__(self, arguments, shared):
        super().__init__()
        self.arguments, self.shared = arguments, shared
        self.file = os.open(arguments.file, os.O_RDONLY)
        self.socket = socket.create_connection(("127.0.0.1", arguments.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.failure = None

    def run(self):
        try:
            for offset, length in iter(self.shared.next_body, None):
                while not self.sent(offset, length):
                    self.shared.told_to_wait += 1
                    time.sleep(0.05)
        except Exception as failure:  # told by the main thread
            self.failure = failure

    def sent(self, offset, length):
        head = f"POST {self.arguments.path} HTTP/1.1\r\nhost: 127.0.0.1:{self.arguments.port}\r\n"
        head += f"content-type: {self.arguments.type}\r\ncontent-length: {length}\r\n\r\n"
        self.socket.sendall(head.encode(), socket.MSG_MORE)
        while length > 0:
            done = os.sendfile(self.socket.fileno(), self.file, offset, length)
            offset, length = offset + done, length - done
        status, answer = self.answer()
        if status == 503:
            return False
        if status not in (200, 204) or b'"rejected":[]' not in answer + (b'"rejected":[]' if status == 204 else b""):
            raise RuntimeError(f"{status}: {answer[:300]!r}")
        return True

    def answer(self):
        got = b""
        while b"\r\n\r\n" not in got:
            part = self.socket.recv(65_536)
            if not part:
                raise RuntimeError("the connection was closed")
            got += part
        head, _, body = got.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n")[1:]:
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        while len(body) < length:
            body += self.socket.recv(65_536)
        return int(head.split(b" ", 2)[1]), body


class Shared:
    def __init__(self, spans):
        self.spans, self.lock, self.taken, self.told_to_wait = spans, threading.Lock(), 0, 0

    def next_body(self):
        with self.lock:
            self.taken += 1
            return self.spans[self.taken - 1] if self.taken <= len(self.spans) else None


def wait_applied(port, measurements):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    while True:
        connection.request("GET", "/api/v1/journal")
        if json.loads(connection.getresponse().read())["applied"] >= measurements + 1:
            return
        time.sleep(0.005)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("--type", default="application/x-ndjson")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--body", type=int, default=1_000_000)
    parser.add_argument("--applied", type=int)
    arguments = parser.parse_args()
    shared = Shared(bodies(arguments.file, arguments.body))
    senders = [Sender(arguments, shared) for _ in range(arguments.connections)]
    cpu, started = time.process_time(), time.monotonic()
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    answered = time.monotonic() - started
    for sender in senders:
        if sender.failure:
            raise sender.failure
    cpu = time.process_time() - cpu
    if arguments.applied:
        wait_applied(arguments.port, arguments.applied)
    applied = time.monotonic() - started
    told = {"answered": answered, "applied": applied, "client_cpu": cpu, "bodies": len(shared.spans), "told_to_wait": shared.told_to_wait}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
