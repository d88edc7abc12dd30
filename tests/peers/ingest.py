"""Rows `ingest`, `bytes` and `reads`: workload W over HTTP into kpid (durable) and VictoriaMetrics (not), what both then hold on
the disk, and what a reader waits meanwhile."""

import json
import statistics
import subprocess
import sys

import house
from house import HERE, Kpid, NotRun, VictoriaMetrics, bytes_in, clean_environment, finished, get, kpid_program, say
from told import Goal, Row, column, median, number, spread, taking_turns

MEASUREMENTS = "/api/v1/measurements"


def feed(file, port, path, *more):
    """Sends a file; what the client tells, with its whole processor time by the kernel's account."""
    done = finished([sys.executable, HERE / "feed.py", file, port, path, *more], file.parent)
    return json.loads(done["out"])


def into_kpid(setting, home, *more):
    with Kpid(home, setting.catalog) as kpid:
        kpid.wait_ready()
        told = feed(setting.lines, kpid.port, MEASUREMENTS, "--applied", setting.count, *more)
        told.update(server_cpu=kpid.cpu(), resident=kpid.resident())
        if kpid.journal()["end"] != setting.count + 1:
            raise RuntimeError(f"kpid does not have all of {setting.count} measurements: {kpid.journal()}")
    return told


def journal_bytes(home):
    """Of blocks only: room that is reserved behind them is given back first."""
    finished([kpid_program(), "journal", "compact", "--journal", home / "data/journal"], home)
    return bytes_in(home / "data/journal")


def kpid_round(setting):
    with house.folder("ingest") as home:
        told = into_kpid(setting, home)
        told["bytes"] = journal_bytes(home)
        return told


def vm_round(setting):
    with house.folder("vm") as home, VictoriaMetrics(home) as vm:
        told = feed(setting.protocol, vm.port, "/write?precision=ms", "--type", "text/plain")
        if vm.rows() != setting.count:
            raise RuntimeError(f"VictoriaMetrics counts {vm.rows()} rows, not {setting.count}")
        told.update(server_cpu=vm.cpu(), resident=vm.resident())
        get(vm.port, "/internal/force_flush")
        found = vm.asked("sum(count_over_time(w_value[100d]))")
        if found != setting.count:
            raise RuntimeError(f"VictoriaMetrics finds {found:.0f} rows, not {setting.count}")
        get(vm.port, "/internal/force_merge")
        told["bytes"] = settled(vm)
        return told


def settled(vm):
    """The bytes of its folder when merges have come to rest: the same three times, a second apart."""
    import time

    sizes = []
    while len(sizes) < 60 and (len(sizes) < 4 or len(set(sizes[-3:])) > 1):
        time.sleep(1)
        sizes.append(bytes_in(vm.data))
    return sizes[-1]


def measured(setting):
    """Rounds of both, made once for all rows that look at them."""
    if "ingest" not in setting.kept:
        works = {"kpid": lambda: kpid_round(setting)}
        try:
            house.found(house.HOME / "debian/usr/bin/victoria-metrics", "Debian's package victoria-metrics could not be downloaded")
            works["VictoriaMetrics"] = lambda: vm_round(setting)
        except NotRun as missing:
            setting.kept["ingest missing"] = str(missing)
        setting.kept["ingest"] = taking_turns(setting.rounds, works, say)
    return setting.kept["ingest"]


def rates(setting, results, until):
    return [setting.count / result[until] for result in results]


def rows(setting):
    results = measured(setting)
    kpid, vm = results["kpid"], results.get("VictoriaMetrics")
    if vm is None:
        raise NotRun(setting.kept["ingest missing"])
    own, peer = rates(setting, kpid, "applied"), rates(setting, vm, "answered")
    ratio = median(own) / median(peer)
    cpu = median(column(vm, "server_cpu")) / median(column(kpid, "server_cpu"))
    return [
        Row(
            name="ingest",
            what="durable HTTP ingest of W, 1 MB bodies, 4 connections, until applied",
            kpid=spread(own, 1e-6, " M/s"),
            peer=f"VictoriaMetrics, line protocol, not durable: {spread(peer, 1e-6, ' M/s')}",
            ratio=ratio,
            cpu_ratio=cpu,
            goal=Goal(1, 2),
            judged=ratio,
            rounds=len(own),
            notes=[
                f"until the last answer kpid {spread(rates(setting, kpid, 'answered'), 1e-6, ' M/s')}",
                f"processor time of the server: kpid {spread(column(kpid, 'server_cpu'), unit=' s')}, VictoriaMetrics "
                f"{spread(column(vm, 'server_cpu'), unit=' s')}; of the client: {spread(column(kpid, 'client_cpu'), unit=' s')} and "
                f"{spread(column(vm, 'client_cpu'), unit=' s')}; kpid told the client to wait {max(column(kpid, 'told_to_wait'))} times",
                f"VictoriaMetrics counted and found all {setting.count} rows in every round",
                f"resident at the end: kpid {number(max(column(kpid, 'resident')) / 1e6)} MB, VictoriaMetrics {number(max(column(vm, 'resident')) / 1e6)} MB",
            ],
            figures=results,
        )
    ]


def bytes_rows(setting):
    results = measured(setting)
    own = [result["bytes"] / setting.count for result in results["kpid"]]
    columns = setting.parquet.stat().st_size / setting.count
    peers, ratio, notes = [f"Parquet zstd: {number(columns)} B"], None, []
    if "VictoriaMetrics" in results:
        vm = [result["bytes"] / setting.count for result in results["VictoriaMetrics"]]
        peers.insert(0, f"VictoriaMetrics: {spread(vm, unit=' B')}")
        ratio = median(vm) / median(own)
    else:
        notes.append("NOT RUN: VictoriaMetrics: " + setting.kept["ingest missing"])
    notes.append(f"Parquet as `w.py` writes it, in one file: kpid's bytes are {number(median(own) / columns)} of it")
    goal = Goal(6, 4.5, "B", at_least=False)
    what = "journal bytes per measurement of W, as ingested"
    return [Row("bytes", what, spread(own, unit=" B"), "; ".join(peers), ratio, goal, median(own), rounds=len(own), notes=notes, figures={"kpid": own})]


def reads_rows(setting):
    rounds = [reading_round(setting) for _ in range(setting.rounds)]
    for n, result in enumerate(rounds, 1):
        say(f"round {n} of {setting.rounds}: p50 {number(result['p50'])} ms, p99 {number(result['p99'])} ms, most {number(result['most'])} ms of {result['reads']} reads")
    p99 = column(rounds, "p99")
    return [
        Row(
            name="reads",
            what="p99 of `GET /api/v1/scorecards/w` during full ingest of W",
            kpid=spread(p99, unit=" ms"),
            peer="none",
            goal=Goal(50, 10, "ms", at_least=False),
            judged=median(p99),
            rounds=len(p99),
            notes=[
                f"p50 {spread(column(rounds, 'p50'), unit=' ms')}, greatest {spread(column(rounds, 'most'), unit=' ms')}, {min(column(rounds, 'reads'))} reads a round at least, "
                f"a read every 5 ms, {number(rounds[0]['answer_bytes'] / 1e3)} kB each; ingest meanwhile {spread(rates(setting, rounds, 'applied'), 1e-6, ' M/s')}",
            ],
            figures={"kpid": rounds},
        )
    ]


def reading_round(setting):
    with house.folder("reads") as home, Kpid(home, setting.catalog) as kpid:
        kpid.wait_ready()
        command = [sys.executable, HERE / "reader.py", str(kpid.port), "/api/v1/scorecards/w"]
        reader = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_environment())
        try:
            told = feed(setting.lines, kpid.port, MEASUREMENTS, "--applied", setting.count)
            read = json.loads(reader.communicate(b"")[0])
        finally:
            reader.kill()
            reader.wait()
    waits = sorted(read["waits"])
    told.update(p50=statistics.median(waits), p99=waits[int(len(waits) * 0.99)], most=waits[-1], reads=len(waits), answer_bytes=read["bytes"])
    return told
