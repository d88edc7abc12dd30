"""Rows `mixed` and `instances`: replays that no goal names. A catalog of ratios, percentiles and periods, and one of 100,000
instances, each on measurements of its own, so that nobody can say that workload W is a special case."""

import house
from house import Kpid, finished, kpid_program, say
from ingest import MEASUREMENTS, feed
from told import Row, column, number, spread

KPIS = 1_000
HOUR_MS = 3_600_000
# Eighteen days of W.
MIXED_MAX = 2_000_000
KINDS = {
    "ratio": 'aggregate = "ratio"\nscale_by = 100\nwindow = { rolling = "7d", slice = "1h" }\n',
    "p95": 'aggregate = "p95"\nwindow = { rolling = "7d", slice = "1h" }\n',
    "day": 'aggregate = "mean"\nwindow = { period = "day" }\n',
    "month": 'aggregate = "sum"\nwindow = { period = "month" }\n',
}


def mixed_catalog(folder):
    lines = ['[scorecard]\nid = "x"\ntitle = "X"\ntime_zone = "Europe/Berlin"\n']
    lines += [f'[[perspective]]\nid = "p{n}"\n' for n in range(4)]
    lines += [f'[[objective]]\nid = "o{n}"\nperspective = "p{n % 4}"\n' for n in range(40)]
    for n in range(KPIS):
        text = list(KINDS.values())[n % 4]
        lines.append(f'[[kpi]]\nid = "x.k{n}"\nobjective = "o{n // 4 % 40}"\n{text}direction = "up"\nred = 90\ntarget = 95\n')
    lines.append('[[alert]]\nid = "red"\non = "x/**"\nmetric = "status"\nat_worst = "red"\nseverity = "warning"\n')
    folder.mkdir(parents=True)
    (folder / "x.toml").write_text("\n".join(lines))
    return folder


def mixed_lines(file, source, count):
    """The first events of W under other names, a quarter of the KPIs as numerator and denominator."""
    with open(source) as events, open(file, "w") as lines:
        for _, event in zip(range(count), events):
            number = int(event[11:15])
            if number % 4 == 0:
                head, _, value = event.rpartition('"value":')
                event = f'{head}"numerator":{value.rstrip()[:-1]},"denominator":100}}\n'
            lines.write(f'{{"kpi":"x.k{number}"{event[16:]}')


def mixed_rows(setting):
    with house.folder("mixed") as home:
        count = min(setting.count, MIXED_MAX)
        mixed_lines(home / "x.ndjson", setting.lines, count)
        catalog = mixed_catalog(home / "scorecards")
        return replays(setting, home, catalog, home / "x.ndjson", count, "mixed", "replay of W's events as ratios, p95s, means of days, sums of months")


def instances_rows(setting):
    """Every site measures twelve KPIs again and again; 100,000 sites, 2 million measurements."""
    sites = setting.series // 10
    count = 20 * sites
    with house.folder("instances") as home:
        catalog = sites_catalog(home / "scorecards")
        sites_lines(home / "s.ndjson", sites, count)
        return replays(setting, home, catalog, home / "s.ndjson", count, "instances", f"replay of {sites:,} instances of 12 KPIs")


def sites_catalog(folder):
    lines = ['[scorecard]\nid = "s"\ntitle = "S"\neach = "site"\n']
    lines += [f'[[perspective]]\nid = "p{n}"\n[[objective]]\nid = "o{n}"\nperspective = "p{n}"\n' for n in range(4)]
    for n in range(12):
        lines.append(
            f'[[kpi]]\nid = "s.k{n}"\nobjective = "o{n % 4}"\naggregate = "mean"\nwindow = {{ rolling = "28d", slice = "1d" }}\ndirection = "up"\nred = 90\ntarget = 95\n'
        )
    lines.append('[[alert]]\nid = "low"\non = "s@*/**"\nkinds = ["perspective"]\nmetric = "score"\nbelow = 1\nseverity = "warning"\n')
    folder.mkdir(parents=True)
    (folder / "s.toml").write_text("\n".join(lines))
    return folder


def sites_lines(file, sites, count):
    import datetime

    start = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)
    with open(file, "w") as lines:
        for n in range(count):
            mixed = n * 0x9E3779B97F4A7C15 >> 20
            at = start + datetime.timedelta(milliseconds=n * 30 * 24 * HOUR_MS // count)
            value = 80 + mixed % 3_000 / 100
            lines.write(
                f'{{"kpi":"s.k{mixed % 12}","observed_at":"{at:%Y-%m-%dT%H:%M:%S}Z","value":{value},"labels":{{"site":"site-{mixed // 12 % sites:06}"}}}}\n'
            )


def replays(setting, home, catalog, lines, count, name, what):
    with Kpid(home, catalog, KPID_INGEST__SERIES_MAX="10000000") as kpid:
        kpid.wait_ready()
        told = feed(lines, kpid.port, MEASUREMENTS, "--connections", "1", "--applied", count)
        ingested = count / told["applied"]
    results = []
    for turn in range(1, setting.rounds + 1):
        command = [kpid_program(), "replay", "--journal", home / "data/journal", "--catalog", catalog, "--clock", "event", "--every", "1h"]
        done = finished(command, home)
        results.append({"wall": done["wall"], "cpu": done["cpu"], "peak": done["peak"]})
        say(f"round {turn} of {setting.rounds}, {name}: {done['wall']:.2f} s, cpu {done['cpu']:.2f} s")
    rates = [count / result["wall"] for result in results]
    note = (
        f"{count:,} measurements; processor time {spread(column(results, 'cpu'), unit=' s')}, {number(count / min(column(results, 'cpu')) / 1e3)} k a second of it; peak "
        f"{number(max(column(results, 'peak')) / 1e6)} MB; taken in over one connection at {number(ingested / 1e3)} k/s"
    )
    return [Row(name, what, spread(rates, 1e-3, " k/s"), "none", rounds=len(rates), notes=[note], figures={"kpid": results})]
