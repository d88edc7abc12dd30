"""What workload W's 7-day means and changes of status are, computed here from the Parquet file with whole numbers.

Two of them. `final` knows every measurement at every hour, as an engine that reads the file does. `by_arrival` is what kpid's event
clock shows: at the boundary b everything observed before b that arrived before the first measurement observed at b or later; one
that comes later counts from the next boundary on. They differ only where a late measurement crossed a boundary.
"""

import numpy as np
import pyarrow.parquet as parquet

from engines import HOUR_MS, HOURS, RED, SLICES, TARGET
from w import KPIS, START_MS

# A mean this near to a threshold may be on either side of it in floating point; the count of changes may differ by two for each.
NEAR = 1e-9


def columns(path):
    table = parquet.read_table(path)
    kpi = table["kpi"].combine_chunks()
    if hasattr(kpi, "indices"):
        numbers = np.array([int(name[3:]) for name in kpi.dictionary.to_pylist()])
        kpi = numbers[kpi.indices.to_numpy()]
    observed = table["observed_at"].cast("int64").to_numpy() - START_MS
    hundredths = np.rint(table["value"].to_numpy() * 100).astype(np.int64)
    return kpi, observed, hundredths


def means(path):
    """(final, by_arrival): KPI by hour, the mean at the end of each hour; NaN where nothing was measured."""
    kpi, observed, hundredths = columns(path)
    slices = observed // HOUR_MS
    seen = np.maximum.accumulate(observed) // HOUR_MS
    return windows(kpi, slices, slices, hundredths), windows(kpi, slices, seen, hundredths)


def changes_where_measured(path, means):
    """Changes of status from one hour in which a KPI was measured to its next one: what engines alone count."""
    kpi, observed, _ = columns(path)
    measured = np.bincount(kpi * HOURS + observed // HOUR_MS, minlength=KPIS * HOURS).reshape(KPIS, HOURS) > 0
    band = np.where(means >= TARGET, 2.0, np.where(means >= RED, 1.0, 0.0))
    place = np.where(measured, np.arange(HOURS), 0)
    held = np.take_along_axis(band, np.maximum.accumulate(place, axis=1), axis=1)
    return changes(np.where(np.maximum.accumulate(measured, axis=1), held, -1.0))


def windows(kpi, slices, seen, hundredths):
    """A measurement of slice s that is seen in hour e counts at the ends of the hours e to s + 167."""
    width = HOURS + SLICES + 1
    total = np.zeros(KPIS * width)
    rows = np.zeros(KPIS * width)
    for column, weights in ((total, hundredths.astype(np.float64)), (rows, np.ones(len(kpi)))):
        column += np.bincount(kpi * width + seen, weights, KPIS * width)
        column -= np.bincount(kpi * width + slices + SLICES, weights, KPIS * width)
    total, rows = (np.cumsum(column.reshape(KPIS, width), axis=1)[:, :HOURS] for column in (total, rows))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(rows > 0, total / 100 / rows, np.nan)


def near_a_threshold(means):
    return int(sum((np.abs(means - threshold) < NEAR * threshold).sum() for threshold in (RED, TARGET)))


def difference(means, true_means):
    """The greatest relative difference, infinite where only one has a mean."""
    if (np.isnan(means) != np.isnan(true_means)).any():
        return float("inf")
    return float(np.nanmax(np.abs(means - true_means) / np.abs(true_means)))


def of_readings(path):
    """(means, changes) as kpid told them in the lines of `--readings`: KPI by hour, and changes from one status to another."""
    import polars as pl

    lines = pl.scan_ndjson(path, schema={"at": pl.String, "path": pl.String, "value": pl.Float64, "status": pl.String})
    lines = lines.filter(pl.col("path").str.contains(r"/w\.k\d+$"))
    at = pl.col("at").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ms").dt.epoch("ms")
    hour = ((at - START_MS) // HOUR_MS - 1).alias("hour")
    kpi = pl.col("path").str.slice(-4).cast(pl.Int32).alias("kpi")
    told = lines.select(kpi, hour, "value", "status").collect()
    words = pl.Series(["red", "amber", "green"])
    band = told["status"].replace_strict(words, pl.Series([0, 1, 2]), default=-1, return_dtype=pl.Int8)
    return filled(told, told["value"].to_numpy()), changes(filled(told, band.to_numpy().astype(float)))


def filled(told, values):
    """What was told holds until something else is told."""
    grid = np.full((KPIS, HOURS), np.nan)
    place = np.zeros((KPIS, HOURS), np.int64)
    kpi, hour = told["kpi"].to_numpy(), told["hour"].to_numpy()
    grid[kpi, hour] = values
    place[kpi, hour] = hour
    last = np.maximum.accumulate(place, axis=1)
    return np.take_along_axis(grid, last, axis=1)


def changes(bands):
    known = bands >= 0
    return int(((bands[:, 1:] != bands[:, :-1]) & known[:, 1:] & known[:, :-1]).sum())
