#!/usr/bin/env python3
"""Hourly 7-day means of every KPI of workload W from its Parquet file, and the changes of status, by somebody else's engine.

    engines.py ENGINE w.parquet [--means FILE.npy]

Every advantage is the engine's: two threads, in process, imports and a first query of nothing before the clock starts, the file
in the page cache. The engine reads the file and groups ten million rows by KPI and hour, as fast as it can be asked to; the rolling
means and the changes are then taken from a dense array by numpy, which is several times faster than the engine's own window
functions. Engines "alone" use these, over the hours in which a KPI was measured, in the quickest form that was found. No roll-up,
no alert and no reading is made. Prints {"wall", "cpu", "changes"}; the clock includes reading Parquet. `--means` keeps the means,
KPI by hour, outside of the measured time; engines alone have none to keep.
"""

import argparse
import json
import os
import resource
import time

os.environ["POLARS_MAX_THREADS"] = "2"

import numpy as np

from w import DAYS, KPIS, START_MS

HOUR_MS = 3_600_000
HOURS = DAYS * 24
SLICES = 168
RED, TARGET = 90, 95


def duckdb_engine(path):
    import duckdb

    connection = duckdb.connect(config={"threads": 2})
    connection.execute("select 1").fetchall()
    key = f"cast(substr(kpi, 4) as integer) * {HOURS} + (epoch_ms(observed_at) - {START_MS}) // {HOUR_MS}"
    query = f"select {key} as cell, sum(value) as total, count(*) as rows from '{path}' group by 1"

    def work():
        columns = connection.execute(query).fetchnumpy()
        return columns["cell"], columns["total"], columns["rows"]

    return work


def duckdb_by_name(path):
    import duckdb

    connection = duckdb.connect(config={"threads": 2})
    connection.execute("select 1").fetchall()
    hour = f"((epoch_ms(observed_at) - {START_MS}) // {HOUR_MS})::smallint"
    query = f"select kpi, {hour} as hour, sum(value) as total, count(*) as rows from '{path}' group by 1, 2"
    query = f"select cast(substr(kpi, 4) as integer) * {HOURS} + hour as cell, total, rows from ({query})"

    def work():
        columns = connection.execute(query).fetchnumpy()
        return columns["cell"], columns["total"], columns["rows"]

    return work


def polars_engine(path):
    import polars as pl

    pl.DataFrame({"a": [1]}).lazy().select("a").collect()
    hour = ((pl.col("observed_at").dt.epoch("ms") - START_MS) // HOUR_MS).cast(pl.Int16).alias("hour")
    query = pl.scan_parquet(path).select("kpi", hour, "value").group_by("kpi", "hour")
    query = query.agg(pl.col("value").sum().alias("total"), pl.len().alias("rows"))

    def work():
        frame = query.collect()
        # Categories are as many as KPIs: their names are read once each, and not once a row.
        names = frame["kpi"].unique()
        codes = names.to_physical().to_numpy()
        numbers = np.zeros(int(codes.max()) + 1, np.int64)
        numbers[codes] = [int(name[3:]) for name in names.cast(pl.String)]
        cells = numbers[frame["kpi"].to_physical().to_numpy()] * HOURS + frame["hour"].to_numpy()
        return cells, frame["total"].to_numpy(), frame["rows"].to_numpy()

    return work


def chdb_engine(path):
    import pyarrow
    from chdb import session

    asked = session.Session()
    asked.query("select 1")
    key = f"toUInt32(substring(kpi, 4)) * {HOURS} + intDiv(toUnixTimestamp64Milli(observed_at) - {START_MS}, {HOUR_MS})"
    query = f"select toUInt32({key}) as cell, sum(value) as total, count() as rows from file('{path}') group by cell settings max_threads = 2"

    def work():
        table = pyarrow.ipc.open_file(pyarrow.py_buffer(asked.query(query, "Arrow").bytes())).read_all()
        return tuple(table[name].to_numpy() for name in ("cell", "total", "rows"))

    return work


def duckdb_alone(path):
    import duckdb

    connection = duckdb.connect(config={"threads": 2})
    connection.execute("select 1").fetchall()
    hour = f"((epoch_ms(observed_at) - {START_MS}) // {HOUR_MS})::smallint"
    query = f"""
        with cells as (select kpi, {hour} as hour, sum(value) as total, count(*) as rows from '{path}' group by 1, 2),
        rolled as (select kpi, hour, sum(total) over seen / sum(rows) over seen as mean from cells
            window seen as (partition by kpi order by hour range between {SLICES - 1} preceding and current row)),
        bands as (select kpi, hour, case when mean >= {TARGET} then 2 when mean >= {RED} then 1 else 0 end as band from rolled),
        pairs as (select band, lag(band) over (partition by kpi order by hour) as before from bands)
        select count(*) from pairs where band <> before
    """
    return lambda: connection.execute(query).fetchall()[0][0]


def polars_alone(path):
    import polars as pl

    pl.DataFrame({"a": [1]}).lazy().select("a").collect()
    hour = ((pl.col("observed_at").dt.epoch("ms") - START_MS) // HOUR_MS).cast(pl.Int32).alias("hour")
    cells = pl.scan_parquet(path).select("kpi", hour, "value").group_by("kpi", "hour")
    cells = cells.agg(pl.col("value").sum().alias("total"), pl.len().cast(pl.Float64).alias("rows")).sort("kpi", "hour")
    means = cells.rolling("hour", period=f"{SLICES}i", group_by="kpi").agg((pl.col("total").sum() / pl.col("rows").sum()).alias("mean"))
    band = (pl.col("mean") >= RED).cast(pl.Int8) + (pl.col("mean") >= TARGET).cast(pl.Int8)
    bands = means.select("kpi", band.alias("band"))
    query = bands.select((pl.col("band") != pl.col("band").shift(1).over("kpi")).sum())
    return lambda: query.collect().item()


def chdb_alone(path):
    from chdb import session

    asked = session.Session()
    asked.query("select 1")
    hour = f"toInt32(intDiv(toUnixTimestamp64Milli(observed_at) - {START_MS}, {HOUR_MS}))"
    query = f"""
        with cells as (select kpi, {hour} as hour, sum(value) as total, count() as rows from file('{path}') group by kpi, hour),
        rolled as (select kpi, hour, sum(total) over seen / sum(rows) over seen as mean from cells
            window seen as (partition by kpi order by hour range between {SLICES - 1} preceding and current row)),
        bands as (select kpi, hour, multiIf(mean >= {TARGET}, 2, mean >= {RED}, 1, 0) as band from rolled),
        pairs as (select band, lagInFrame(band, 1, band) over
            (partition by kpi order by hour rows between unbounded preceding and unbounded following) as before from bands)
        select count() from pairs where band <> before settings max_threads = 2
    """
    return lambda: int(str(asked.query(query)))


ENGINES = {"DuckDB": duckdb_engine, "DuckDB by name": duckdb_by_name, "Polars": polars_engine, "chDB": chdb_engine}
ALONE = {"DuckDB alone": duckdb_alone, "Polars alone": polars_alone, "chDB alone": chdb_alone}


def rolling_means(cells, total, rows):
    """Means over the 168 hours that end with each hour; NaN where nothing was measured."""
    sums, counts = np.zeros(KPIS * HOURS), np.zeros(KPIS * HOURS)
    sums[cells], counts[cells] = total, rows
    for column in (sums, counts):
        grid = column.reshape(KPIS, HOURS)
        np.cumsum(grid, axis=1, out=grid)
        grid[:, SLICES:] -= grid[:, :-SLICES].copy()
    with np.errstate(invalid="ignore"):
        return (sums / counts).reshape(KPIS, HOURS)


def status_changes(means):
    """From one of red, amber and green to another, without a gap between."""
    known = ~np.isnan(means)
    band = (means >= RED).astype(np.int8) + (means >= TARGET)
    return int(((band[:, 1:] != band[:, :-1]) & known[:, 1:] & known[:, :-1]).sum())


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices={**ENGINES, **ALONE})
    parser.add_argument("parquet")
    parser.add_argument("--means")
    arguments = parser.parse_args()
    work = {**ENGINES, **ALONE}[arguments.engine](arguments.parquet)
    cpu_before, started = cpu(), time.monotonic()
    if arguments.engine in ALONE:
        means, changes = None, work()
    else:
        means = rolling_means(*work())
        changes = status_changes(means)
    print(json.dumps({"wall": time.monotonic() - started, "cpu": cpu() - cpu_before, "changes": changes}))
    if arguments.means and means is not None:
        np.save(arguments.means, means)


if __name__ == "__main__":
    main()
