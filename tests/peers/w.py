#!/usr/bin/env python3
"""Workload W: measurements of 1,000 KPIs over 90 days in the order of their arrival, and its catalog.

    w.py FOLDER [--count N] [--catalog-only]

writes `w.parquet` (what columnar engines read), `w.ndjson` (what kpid takes), `w.lp` (the same as InfluxDB line protocol,
what VictoriaMetrics takes), and `scorecards/w.toml`. The same bytes in every run. Needs numpy and pyarrow.

Arrival is evenly random over the 90 days, 1 % were observed up to an hour before they arrived. Values have two decimals:
noise of 5 around a KPI's own slow wave of 12 around 100, so that its weekly mean crosses the target (95) and sometimes the
red line (90) every few weeks.
"""

import argparse
import pathlib

KPIS = 1_000
OBJECTIVES = 40
PERSPECTIVES = 4
DAYS = 90
DAY_MS = 86_400_000
START_MS = 1_772_323_200_000  # 2026-03-01T00:00:00Z
LATE_SHARE = 0.01
LATE_MS_MAX = 3_600_000
LINES_AT_ONCE = 500_000


def kpi_name(number):
    return f"w.k{number:04}"


def catalog():
    lines = ['[scorecard]\nid = "w"\ntitle = "W"\nowner = "w@example.com"\n']
    for n in range(PERSPECTIVES):
        lines.append(f'[[perspective]]\nid = "p{n}"\ntitle = "P{n}"\n')
    for n in range(OBJECTIVES):
        lines.append(f'[[objective]]\nid = "o{n}"\nperspective = "p{n % PERSPECTIVES}"\ntitle = "O{n}"\n')
    for n in range(KPIS):
        lines.append(
            f'[[kpi]]\nid = "{kpi_name(n)}"\nobjective = "o{n % OBJECTIVES}"\ntitle = "K{n}"\nunit = "1"\n'
            'kind = "lagging"\naggregate = "mean"\nwindow = { rolling = "7d", slice = "1h" }\n'
            'direction = "up"\nred = 90\ntarget = 95\n'
        )
    lines.append(
        '[[alert]]\nid = "red"\non = "w/**"\nmetric = "status"\nat_worst = "red"\nseverity = "warning"\n'
    )
    return "\n".join(lines)


def events(count):
    """Columns: epoch ms of observation, number of the KPI, value in hundredths."""
    import numpy as np

    random = np.random.default_rng(20260301)
    arrived = np.sort(random.integers(0, DAYS * DAY_MS, count))
    late = np.where(random.random(count) < LATE_SHARE, random.integers(1, LATE_MS_MAX, count), 0)
    observed = np.maximum(arrived - late, 0)
    kpi = random.integers(0, KPIS, count)
    period = random.uniform(20, 40, KPIS) * DAY_MS
    phase = random.uniform(0, 2 * np.pi, KPIS)
    wave = 12 * np.sin(2 * np.pi * observed / period[kpi] + phase[kpi])
    hundredths = np.rint(100 * (100 + wave + random.normal(0, 5, count))).astype(np.int64)
    return START_MS + observed, kpi, hundredths


def write_parquet(folder, observed, kpi, hundredths):
    import pyarrow
    import pyarrow.parquet

    names = pyarrow.array([kpi_name(n) for n in range(KPIS)])
    table = pyarrow.table(
        {
            "observed_at": pyarrow.array(observed, pyarrow.timestamp("ms", "UTC")),
            "kpi": pyarrow.DictionaryArray.from_arrays(pyarrow.array(kpi, pyarrow.int32()), names),
            "value": pyarrow.array(hundredths / 100.0, pyarrow.float64()),
        }
    )
    pyarrow.parquet.write_table(table, folder / "w.parquet", compression="zstd")


def write_lines(folder, observed, kpi, hundredths):
    import numpy as np

    instants = np.datetime_as_string(observed.astype("datetime64[ms]"), unit="ms")
    with open(folder / "w.ndjson", "w") as ndjson, open(folder / "w.lp", "w") as protocol:
        for start in range(0, len(observed), LINES_AT_ONCE):
            part = slice(start, start + LINES_AT_ONCE)
            rows = list(zip(kpi[part].tolist(), instants[part].tolist(), observed[part].tolist(), hundredths[part].tolist()))
            ndjson.writelines(
                f'{{"kpi":"w.k{k:04}","observed_at":"{instant}Z","value":{value / 100}}}\n'
                for k, instant, _, value in rows
            )
            protocol.writelines(f"w,kpi=w.k{k:04} value={value / 100} {at}\n" for k, _, at, value in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=10_000_000)
    parser.add_argument("--catalog-only", action="store_true")
    arguments = parser.parse_args()
    scorecards = arguments.folder / "scorecards"
    scorecards.mkdir(parents=True, exist_ok=True)
    (scorecards / "w.toml").write_text(catalog())
    if arguments.catalog_only:
        return
    columns = events(arguments.count)
    write_parquet(arguments.folder, *columns)
    write_lines(arguments.folder, *columns)


if __name__ == "__main__":
    main()
