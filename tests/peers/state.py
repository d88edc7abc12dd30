"""Rows `memory`, `update` and `start`: what many series take and cost, and how soon kpid is ready behind a checkpoint."""

import json
import subprocess
import time

import house
from house import ROOT, Kpid, clean_environment, finished, say
from ingest import MEASUREMENTS, feed
from told import Goal, Row, column, median, number, spread

KPIS = 10


def instances_catalog(folder, kpis):
    """Each site is an instance of a scorecard of so many KPIs under two perspectives."""
    lines = ['[scorecard]\nid = "m"\ntitle = "M"\neach = "site"\n']
    for n in range(2):
        lines.append(f'[[perspective]]\nid = "p{n}"\n[[objective]]\nid = "o{n}"\nperspective = "p{n}"\n')
    for n in range(kpis):
        lines.append(
            f'[[kpi]]\nid = "m.k{n}"\nobjective = "o{n % 2}"\naggregate = "mean"\nwindow = {{ rolling = "28d", slice = "1d" }}\n'
            'direction = "up"\nred = 90\ntarget = 95\n'
        )
    folder.mkdir(parents=True)
    (folder / "m.toml").write_text("\n".join(lines))
    return folder


def instances_lines(file, instances, at):
    with open(file, "w") as lines:
        for site in range(instances):
            lines.writelines(
                f'{{"kpi":"m.k{n}","observed_at":"{at}","value":{80 + (site * 7 + n) % 40},"labels":{{"site":"site-{site:06}"}}}}\n' for n in range(KPIS)
            )


def memory_rows(setting):
    series = setting.series
    results = [memory_round(series) for _ in range(setting.rounds)]
    a_series = [(result["after"] - result["before"]) / series for result in results]
    return [
        Row(
            name="memory",
            what=f"memory of `kpid serve`, {series:,} series with one slice each, a series",
            kpid=spread(a_series, unit=" B"),
            peer="none",
            goal=Goal(400, 200, "B", at_least=False),
            judged=median(a_series),
            rounds=len(a_series),
            notes=[
                f"resident from {number(results[0]['before'] / 1e6)} MB to {spread(column(results, 'after'), 1e-6, ' MB')}, names in journal, instances and dedup included; "
                f"at the most {spread(column(results, 'peak'), 1e-6, ' MB')}; after a restart from the checkpoint {spread(column(results, 'again'), 1e-6, ' MB')}; "
                f"{KPIS} KPIs an instance",
            ],
            figures={"kpid": results},
        )
    ]


def memory_round(series):
    with house.folder("memory") as home:
        catalog = instances_catalog(home / "scorecards", KPIS)
        lines = home / "m.ndjson"
        instances_lines(lines, series // KPIS, time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(time.time() - 600)))
        with Kpid(home, catalog) as kpid:
            kpid.wait_ready()
            before = kpid.resident()
            feed(lines, kpid.port, MEASUREMENTS, "--applied", series)
            if kpid.journal()["series"] != series:
                raise RuntimeError(f"kpid knows {kpid.journal()['series']} series, not {series}")
            time.sleep(5)
            told = {"before": before, "after": kpid.resident(), "peak": peak(kpid)}
        with Kpid(home, catalog) as kpid:
            kpid.wait_ready()
            told["again"] = kpid.resident()
    say(f"memory: {(told['after'] - told['before']) / series:.0f} B a series")
    return told


def peak(kpid):
    with open(f"/proc/{kpid.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1_024 for line in status if line.startswith("VmHWM"))


def speed_program(setting):
    """The program of `cargo bench`, built once."""
    if "speed" not in setting.kept:
        say("cargo bench --no-run (the helpers of rows `update` and `nats`)")
        command = ["cargo", "bench", "--locked", "--bench", "speed", "--no-run", "--message-format=json"]
        done = subprocess.run(command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, check=True)
        said = [json.loads(line) for line in done.stdout.splitlines()]
        setting.kept["speed"] = next(line["executable"] for line in said if line.get("executable") and line["target"]["name"] == "speed")
    return setting.kept["speed"]


def update_rows(setting):
    few, many = 84, setting.series // 12 + 1
    asked = f"{few} {many} {max(setting.rounds * 3, 3)}"
    with house.folder("update") as home:
        done = finished([speed_program(setting)], home, clean_environment(KPID_BENCH_SIZES_ALONE=asked))
    costs = [tuple(map(float, line.split())) for line in done["out"].splitlines()]
    small, large = zip(*costs)
    ratio = median([b / a for a, b in costs])
    return [
        Row(
            name="update",
            what=f"one update and evaluation with {many * 12:,} series",
            kpid=spread(large, unit=" us"),
            peer=f"the same with {few * 12:,}: {spread(small, unit=' us')}",
            ratio=ratio,
            goal=Goal(3, 1.5, "x", at_least=False),
            judged=ratio,
            rounds=len(costs),
            notes=["ratio of the costs, median over rounds; 12 KPIs an instance, each update changes what seven nodes tell"],
            figures={"few": small, "many": large},
        )
    ]


def start_rows(setting):
    fed = setting.fed_journal()
    results = []
    for _ in range(setting.rounds):
        # The ingest before, and each round, end with a stop.
        after_stop = started(fed, setting, lambda kpid: kpid.kill())
        after_kill = started(fed, setting, lambda kpid: kpid.stop())
        results.append({"stop": after_stop[0], "kill": after_kill[0], "cpu": after_stop[1]})
        say(f"start: {after_stop[0]:.3f} s after a stop (cpu {after_stop[1]:.2f} s), {after_kill[0]:.3f} s after a kill")
    return [
        Row(
            name="start",
            what="start with a checkpoint after W, from process to `/readyz` 200",
            kpid=spread(column(results, "stop"), unit=" s"),
            peer="none",
            goal=Goal(2, 0.3, "s", at_least=False),
            judged=median(column(results, "stop")),
            rounds=len(results),
            notes=[f"after a kill {spread(column(results, 'kill'), unit=' s')}; processor time until ready {spread(column(results, 'cpu'), unit=' s')}"],
            figures={"kpid": results},
        )
    ]


def started(fed, setting, end):
    kpid = Kpid(fed, setting.catalog)
    ready = kpid.wait_ready() - kpid.started
    cpu = kpid.cpu()
    end(kpid)
    return ready, cpu
