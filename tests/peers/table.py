#!/usr/bin/env python3
"""kpid beside its peers and floors: measures the rows that are asked for and prints one table. Started by `tests/peers/run`."""

import argparse
import os
import pathlib
import platform
import subprocess
import sys
import time
import traceback

import house
import told
from house import HOME, Kpid, NotRun, say


class Setting:
    """How much is measured, and what rows share."""

    def __init__(self, arguments):
        self.quick = arguments.quick
        self.count = arguments.count or (200_000 if self.quick else 10_000_000)
        self.rounds = arguments.rounds or (1 if self.quick else 3)
        self.messages = 20_000 if self.quick else 1_000_000
        self.series = 12_000 if self.quick else 1_000_000
        self.seconds = 3 if self.quick else 20
        self.home = HOME / "w" / str(self.count)
        self.kept = {}
        self.open_folders = []

    lines = property(lambda self: self.home / "w.ndjson")
    protocol = property(lambda self: self.home / "w.lp")
    parquet = property(lambda self: self.home / "w.parquet")
    catalog = property(lambda self: self.home / "scorecards")

    def make_workload(self):
        if not self.protocol.exists():
            say(f"workload W of {self.count:,} measurements into {self.home}")
            part = self.home.with_suffix(".part")
            subprocess.run([sys.executable, house.HERE / "w.py", part, "--count", str(self.count)], check=True)
            part.rename(self.home)

    def fed_journal(self):
        """A folder with `data` in which kpid took W over one connection, so that the journal has the order of arrival."""
        if "fed" not in self.kept:
            from ingest import into_kpid

            say("feeding W into a journal over one connection")
            made = house.folder("fed")
            self.open_folders.append(made)
            self.kept["fed"] = made.__enter__()
            into_kpid(self, self.kept["fed"], "--connections", "1")
        return self.kept["fed"]

    def close(self):
        for made in self.open_folders:
            made.__exit__(None, None, None)


def row_makers():
    import extra
    import ingest
    import messages
    import replay
    import rules
    import state

    return {
        "replay": replay.rows,
        "ingest": ingest.rows,
        "nats-1": lambda setting: messages.rows(setting, 1),
        "nats-100": lambda setting: messages.rows(setting, 100),
        "alerts": messages.delay_rows,
        "rules": rules.rows,
        "bytes": ingest.bytes_rows,
        "memory": state.memory_rows,
        "update": state.update_rows,
        "reads": ingest.reads_rows,
        "start": state.start_rows,
        "mixed": extra.mixed_rows,
        "instances": extra.instances_rows,
    }


def measured(name, make, setting):
    """The rows of one name; one that says why there is none, loudly."""
    started = time.monotonic()
    say(f"---- {name}")
    try:
        rows = make(setting)
    except NotRun as reason:
        rows = [told.Row(name, "-", verdict="NOT RUN", notes=[f"NOT RUN: {reason}"])]
    except Exception as failure:
        traceback.print_exc()
        rows = [told.Row(name, "-", verdict="FAILED", notes=[f"FAILED: {failure}"])]
    for row in rows:
        say(" | ".join(row.cells()))
        for note in row.notes:
            say(f"    {note}")
    say(f"---- {name} took {time.monotonic() - started:.0f} s")
    return rows


def about(setting):
    processor = next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    version = subprocess.run([house.kpid_program(), "--version"], capture_output=True, text=True, check=True).stdout.strip()
    load = "/".join(f"{load:.1f}" for load in os.getloadavg())
    small = " QUICK: these figures say nothing." if setting.quick else ""
    return (
        f"{version}, {time.strftime('%Y-%m-%d %H:%M')} UTC, {os.cpu_count()} cores of {processor}, W of {setting.count:,} measurements; "
        f"medians of the rounds, least and greatest in brackets; load at the end {load}.{small}"
    )


def main():
    parser = argparse.ArgumentParser(prog="tests/peers/run", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--quick", action="store_true", help="little of everything: shows that it works, its figures say nothing")
    parser.add_argument("--count", type=int, help="measurements of W (10,000,000)")
    parser.add_argument("--rounds", type=int, help="rounds of each row (3)")
    parser.add_argument("--list", action="store_true", help="name the rows")
    arguments = parser.parse_args()
    makers = row_makers()
    if arguments.list:
        print("\n".join(makers))
        return 0
    strangers = [name for name in arguments.rows if name not in makers]
    if strangers:
        parser.error(f"no row is named {', '.join(strangers)}; rows: {', '.join(makers)}")
    setting = Setting(arguments)
    setting.make_workload()
    rows = []
    try:
        for name in arguments.rows or makers:
            rows += measured(name, makers[name], setting)
            told.write(rows, about(setting), HOME)
    finally:
        setting.close()
        house.stop_all()
    print(f"\n{about(setting)}\n\n{told.table(rows)}\n\n{told.notes(rows)}\n")
    lost = [f"{row.name}: {note}" for row in rows for note in row.notes if note.startswith(("NOT RUN", "FAILED"))]
    for words in lost:
        print(f"!! {words}")
    print(f"also in {pathlib.Path(os.path.relpath(HOME / 'table.md'))} and .json")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
