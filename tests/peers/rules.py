"""Row `rules`: how long until somebody is told that a value crossed a threshold: kpid beside those who evaluate rules every so
often, Prometheus by itself and vmalert on VictoriaMetrics, both every second, which is more often than people set (their
defaults are a minute). One value crosses at a time, at any moment of that second; nothing else is going on."""

import contextlib
import http.client
import http.server
import json
import random
import threading
import time

import house
from house import HOME, Kpid, Program, VictoriaMetrics, found, say
from messages import delay_catalog, wait_for_stream
from told import Row, column, median, spread, taking_turns
from wire import Nats, NatsServer, published

EVERY_SECONDS = 1
CROSSINGS = 20
THRESHOLD = 1_000_000
PATIENCE_SECONDS = 30
RULES = f"groups:\n- name: a\n  rules:\n  - alert: high\n    expr: k > {THRESHOLD}\n"


def rows(setting):
    works = {"kpid": lambda: kpid_round(setting)}
    missing = []
    peers = {"vmalert": ("victoria-metrics", vmalert_round), "Prometheus": ("prometheus", prometheus_round)}
    for name, (package, work) in peers.items():
        try:
            house.found(debian("vmalert" if name == "vmalert" else "prometheus"), f"Debian's package {package} could not be downloaded")
            works[name] = lambda work=work: work(setting)
        except house.NotRun as reason:
            missing.append(f"NOT RUN: {name}: {reason}")
    results = taking_turns(setting.rounds, works, say)
    kpid = column(results["kpid"], "p50")
    others = {name: column(results[name], "p50") for name in peers if name in results}
    best = min(others.values(), key=median, default=None)
    told = [f"{name}: slowest {spread(column(results[name], 'slowest'), unit=' ms')}" for name in results]
    return [
        Row(
            name="rules",
            what="a value crosses, somebody is told, p50; others evaluate every second",
            kpid=spread(kpid, unit=" ms"),
            peer="; ".join(f"{name}: {spread(waits, unit=' ms')}" for name, waits in others.items()) or "-",
            ratio=median(kpid) / median(best) if best else None,
            rounds=len(kpid),
            notes=["; ".join(told) + f"; {crossings(setting)} crossings a round", *missing],
            figures=results,
        )
    ]


def crossings(setting):
    return 5 if setting.quick else CROSSINGS


def debian(program):
    return HOME / "debian/usr/bin" / program


def waits_of(setting, cross, told):
    """Lets one series after the other cross and waits until that is told. Both ends are seen by this process's clock."""
    waits, chance = [], random.Random(7)
    for number in range(crossings(setting)):
        time.sleep(chance.random() * EVERY_SECONDS)
        begun = time.monotonic()
        cross(number)
        waits.append((told(number, begun + PATIENCE_SECONDS) - begun) * 1_000)
    waits.sort()
    return {"p50": median(waits), "slowest": waits[-1]}


def kpid_round(setting):
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(house.folder("rules-kpid"))
        server = stack.enter_context(NatsServer(home))
        kpid = stack.enter_context(Kpid(home, delay_catalog(home / "scorecards"), server.url))
        kpid.wait_ready()
        wait_for_stream(server.port)
        sender, hearer = Nats(server.port), Nats(server.port)
        hearer.subscribe("kpi.v1.alert.>")
        hearer.socket.sendall(b"PING\r\n")
        hearer.line()

        def cross(number):
            sender.socket.sendall(published("kpi.v1.measurement", f'{{"kpi":"a.k{number}","value":{THRESHOLD + 1}}}'.encode()))

        def told(number, until):
            hearer.socket.settimeout(max(until - time.monotonic(), 0.001))
            while f"/a.k{number}" not in hearer.next_message()[2].decode():
                pass
            return time.monotonic()

        return waits_of(setting, cross, told)


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """Whoever asks may be stopped in the middle of it."""


@contextlib.contextmanager
def serving(answer):
    """An HTTP server whose every answer is the text that `answer` makes of a request's body; gives its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            text = answer(self.rfile.read(int(self.headers.get("content-length") or 0))).encode()
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class Heard:
    """Listens as an Alertmanager does, and remembers when each alert came first."""

    def __init__(self):
        self.at, self.news = {}, threading.Condition()

    def listen(self, body):
        now = time.monotonic()
        with self.news:
            for alert in json.loads(body):
                self.at.setdefault(alert["labels"].get("number"), now)
            self.news.notify_all()
        return ""

    def told(self, number, until):
        with self.news:
            if not self.news.wait_for(lambda: str(number) in self.at, until - time.monotonic()):
                raise RuntimeError(f"alert {number} did not come in {PATIENCE_SECONDS} s")
            return self.at[str(number)]


def vmalert_round(setting):
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(house.folder("rules-vm"))
        heard = Heard()
        hears = stack.enter_context(serving(heard.listen))
        # Without this it answers nothing of the last 30 seconds.
        vm = stack.enter_context(VictoriaMetrics(home, "-search.latencyOffset=0s"))
        (home / "rules.yml").write_text(RULES)
        port = house.free_port()
        command = [debian("vmalert"), f"-rule={home / 'rules.yml'}", f"-datasource.url=http://127.0.0.1:{vm.port}", f"-evaluationInterval={EVERY_SECONDS}s"]
        command += [f"-notifier.url=http://127.0.0.1:{hears}", f"-httpListenAddr=127.0.0.1:{port}"]
        vmalert = stack.enter_context(Program(command, home, home / "vmalert.log"))
        vmalert.wait_port(port)

        def put(number, value):
            connection = http.client.HTTPConnection("127.0.0.1", vm.port, timeout=PATIENCE_SECONDS)
            connection.request("POST", "/api/v1/import/prometheus", f'k{{number="{number}"}} {value}\n')
            if connection.getresponse().status >= 300:
                raise RuntimeError("VictoriaMetrics took no sample")
            connection.close()

        # A series that it has never seen is found only after some ten seconds.
        for number in range(crossings(setting)):
            put(number, 0)
        wait_for_series(vm.port, crossings(setting))
        return waits_of(setting, lambda number: put(number, THRESHOLD + 1), heard.told)


def wait_for_series(port, count):
    deadline = time.monotonic() + 2 * PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = json.loads(house.get(port, "/api/v1/query?query=count(k)&nocache=1")[1])["data"]["result"]
        if found and int(found[0]["value"][1]) == count:
            return
        time.sleep(0.2)
    raise RuntimeError(f"VictoriaMetrics does not find {count} series")


def prometheus_round(setting):
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(house.folder("rules-prometheus"))
        heard, values = Heard(), [0] * crossings(setting)
        hears = stack.enter_context(serving(heard.listen))
        scraped = stack.enter_context(serving(lambda _: "".join(f'k{{number="{number}"}} {value}\n' for number, value in enumerate(values))))
        (home / "rules.yml").write_text(RULES)
        (home / "prometheus.yml").write_text(
            f"global: {{scrape_interval: {EVERY_SECONDS}s, evaluation_interval: {EVERY_SECONDS}s}}\n"
            f"rule_files: ['{home / 'rules.yml'}']\n"
            f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{hears}']}}]}}]}}\n"
            f"scrape_configs: [{{job_name: a, static_configs: [{{targets: ['127.0.0.1:{scraped}']}}]}}]\n"
        )
        port = house.free_port()
        program = found(debian("prometheus"), "Debian's package prometheus could not be downloaded by apt-get")
        command = [program, f"--config.file={home / 'prometheus.yml'}", f"--storage.tsdb.path={home / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}"]
        prometheus = stack.enter_context(Program(command, home, home / "prometheus.log"))
        prometheus.wait_port(port)
        while house.get(port, "/-/ready")[0] != 200:
            time.sleep(0.1)
        time.sleep(3 * EVERY_SECONDS)

        def cross(number):
            values[number] = THRESHOLD + 1

        return waits_of(setting, cross, heard.told)
