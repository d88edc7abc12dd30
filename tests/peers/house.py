"""Programs that are measured: started on free loopback ports with folders of their own, asked, stopped by what started them.

What is started here is stopped here, whatever happens; folders are on the disk of target/, so that a sync costs what it costs.
"""

import atexit
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOME = ROOT / "target" / "peers"
HERE = pathlib.Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
START_SECONDS_MAX = 60

_running = []


class NotRun(Exception):
    """A row that cannot be measured here, with the reason."""


def say(*words):
    print(time.strftime("%H:%M:%S"), *words, file=sys.stderr, flush=True)


def kpid_program():
    return os.path.abspath(os.environ["KPID_BIN"])


def found(path, remedy):
    """A program that somebody else made, or the reason why its row is not run."""
    if not pathlib.Path(path).exists():
        raise NotRun(f"{path} is not there: {remedy}")
    return str(path)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextlib.contextmanager
def folder(name):
    """A folder that is gone afterwards."""
    parent = HOME / "tmp"
    parent.mkdir(parents=True, exist_ok=True)
    made = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def bytes_in(path):
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in pathlib.Path(path).rglob("*") if file.is_file())


def clean_environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KPID_")}
    return {**kept, **more}


class Program:
    """A process that serves. Everything it says goes into a file beside its folder."""

    def __init__(self, command, cwd, log, env=None, says_first_line=False):
        self.log = pathlib.Path(log)
        self.started = time.monotonic()
        with open(self.log, "ab") as errors:
            out = subprocess.PIPE if says_first_line else errors
            self.process = subprocess.Popen(
                [str(part) for part in command], cwd=cwd, env=env or clean_environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=errors
            )
        _running.append(self)
        self.first_line = self.process.stdout.readline().decode().strip() if says_first_line else ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        """Asks it to end, and insists after a while."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        if self in _running:
            _running.remove(self)

    def kill(self):
        self.process.kill()
        self.stop()

    def cpu(self):
        """Processor seconds so far, of all its threads."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident(self):
        return int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * PAGE

    def wait_port(self, port):
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self.alive():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.005)
        raise NotRun(f"{self.process.args[0]} did not open its port: {self.log.read_text()[-500:]}")


@atexit.register
def stop_all():
    for program in list(_running):
        program.kill()


def get(port, path):
    """Status and body of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Kpid(Program):
    """`kpid serve` that has said that it listens."""

    def __init__(self, home, catalog, nats="", **settings):
        # Workload W has fixed instants: however old they are by now, none is beyond the history.
        settings = {"KPID_PROJECTION__HISTORY": "4000d", **settings}
        command = [kpid_program(), "serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--nats", nats]
        command += ["--catalog", catalog, "--data-dir", home / "data"]
        super().__init__(command, home, home / "kpid.log", clean_environment(**settings), says_first_line=True)
        if "http://" not in self.first_line:
            raise NotRun(f"kpid did not start: {self.log.read_text()[-500:]}")
        self.port = int(self.first_line.rpartition(":")[2])

    def journal(self):
        return json.loads(get(self.port, "/api/v1/journal")[1])

    def wait_ready(self, every=0.001):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        while True:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                connection.close()
                return time.monotonic()
            time.sleep(every)

    def wait_applied(self, measurements, seconds=1_800):
        """When so many measurements were applied; the fact before them names the catalog. Asking takes some of the processors from
        kpid, so that it is not asked all the time: after half of what is left at the rate so far, and every 2 ms at the end."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        begun = time.monotonic()
        while time.monotonic() < begun + seconds:
            connection.request("GET", "/api/v1/journal")
            left = measurements + 1 - json.loads(connection.getresponse().read())["applied"]
            now = time.monotonic()
            if left <= 0:
                connection.close()
                return now
            rate = max(measurements - left, 1) / (now - begun)
            time.sleep(min(max(left / rate / 2, 0.002), 0.05))
        raise RuntimeError(f"kpid has not applied {measurements} measurements in {seconds} s: {self.journal()}")


class VictoriaMetrics(Program):
    def __init__(self, home, *more):
        program = found(HOME / "debian/usr/bin/victoria-metrics", "Debian's package victoria-metrics could not be downloaded by apt-get")
        self.port = free_port()
        self.data = home / "vm"
        command = [program, f"-storageDataPath={self.data}", f"-httpListenAddr=127.0.0.1:{self.port}", "-retentionPeriod=100y", *more]
        super().__init__(command, home, home / "vm.log")
        self.wait_port(self.port)

    def rows(self):
        lines = get(self.port, "/metrics")[1].decode().splitlines()
        added = [line for line in lines if line.startswith("vm_rows_added_to_storage_total ")]
        return int(float(added[0].split()[1])) if added else 0

    def asked(self, query):
        """The one number that a query answers at the end of workload W."""
        status, body = get(self.port, "/api/v1/query?time=1780358400&nocache=1&query=" + query)
        result = json.loads(body).get("data", {}).get("result", [])
        if status != 200 or not result:
            raise RuntimeError(f"VictoriaMetrics answers {status}: {body[:300]!r}")
        return float(result[0]["value"][1])


@contextlib.contextmanager
def peak_of(pid):
    """The most memory that a process held, in the first place of a list. What `wait4` says of it begins with the memory of whoever
    started it; so it is asked itself, again and again: its own account only grows."""
    peak, ended = [0], threading.Event()

    def ask():
        while not ended.wait(0.02):
            with contextlib.suppress(OSError):
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                peak[0] = max([peak[0], *(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))])

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield peak
    finally:
        ended.set()
        asker.join()


def finished(command, cwd, env=None):
    """Runs a command to its end: wall seconds, processor seconds, peak of its memory, what it said."""
    with tempfile.TemporaryFile(dir=cwd) as out, tempfile.TemporaryFile(dir=cwd) as errors:
        started = time.monotonic()
        process = subprocess.Popen([str(part) for part in command], cwd=cwd, env=env or clean_environment(), stdout=out, stderr=errors)
        with peak_of(process.pid) as peak:
            _, code, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(code)
        out.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            raise RuntimeError(f"{command[0]} ended with {process.returncode}: {errors.read()[-800:].decode(errors='replace')}")
        return {
            "wall": wall,
            "cpu": usage.ru_utime + usage.ru_stime,
            "peak": peak[0],
            "out": out.read().decode(),
            "errors": errors.read().decode(errors="replace"),
        }
