"""Row `replay`: workload W from the journal under the event clock, beside engines that only compute its hourly means."""

import json
import sys

import numpy as np

import house
import truth
from engines import ALONE, ENGINES, status_changes
from house import HERE, NotRun, finished, kpid_program, say
from told import Goal, Row, column, median, number, spread, taking_turns

RELATIVE_MAX = 1e-9
CLOCKS = {"wall": "wall", "cpu": "cpu", "whole command": "command"}
VARIANTS = {"": [], "alerts": ["--alerts"], "readings": ["--readings"]}


def rows(setting):
    with house.folder("replay") as home:
        results = taking_turns(setting.rounds, works(setting, home), say)
        peers = {name: result for name, result in results.items() if name in ENGINES or name in ALONE}
        missing = [f"NOT RUN: {name}: {result[0]['reason']}" for name, result in peers.items() if "reason" in result[0]]
        peers = {name: result for name, result in peers.items() if "reason" not in result[0]}
        helped, alone = ({name: peers[name] for name in group if name in peers} for group in (ENGINES, ALONE))
        if not helped or not alone:
            raise NotRun("; ".join(missing))
        checked = check(setting, home, results, helped, alone)
        shown = [row(setting, variant, results, best_of(helped)) for variant in VARIANTS]
        shown[0].notes += told_of(helped) + missing + checked
        shown.insert(1, row(setting, "", results, best_of(alone)))
        shown[1].name, shown[1].what = "replay-alone", "the same beside engines that compute the means and changes by themselves"
        shown[0].notes.append(told_of_commands(results["kpid"], helped))
        shown[1].notes += [*told_of(alone), told_of_commands(results["kpid"], alone)]
        return shown


def best_of(engines):
    """The quickest, and the one that takes the least processor time."""
    return tuple(min(engines, key=lambda name: median(column(engines[name], what))) for what in ("wall", "cpu"))


def told_of(engines):
    def clocks(results):
        return ", ".join(f"{what} {spread(column(results, key), unit=' s')}" for what, key in CLOCKS.items())

    return [f"{name}: {clocks(results)}" for name, results in engines.items()]


def told_of_commands(kpid, engines):
    """kpid's clock is that of its whole command anyway; here the engines' are, too."""
    best = min(engines, key=lambda name: median(column(engines[name], "command")))
    theirs = column(engines[best], "command")
    return f"both as whole commands, from start to exit: {best} {spread(theirs, unit=' s')}, ratio {number(median(theirs) / median(column(kpid, 'wall')))}"


def works(setting, home):
    """Each variant of kpid's replay with an engine after it, so that both see the same neighbours."""
    kpid = {f"kpid {variant}".strip(): lambda variant=variant: replayed(setting, home, variant) for variant in VARIANTS}
    engines = {name: lambda name=name: computed(setting, home, name) for name in [*ENGINES, *ALONE]}
    turns = {}
    for n in range(max(len(kpid), len(engines))):
        turns.update(list(kpid.items())[n : n + 1] + list(engines.items())[n : n + 1])
    return turns


def replayed(setting, home, variant):
    command = [kpid_program(), "replay", "--journal", setting.fed_journal() / "data/journal", "--catalog", setting.catalog]
    command += ["--clock", "event", "--every", "1h"]
    for flag in VARIANTS[variant]:
        command += [flag, home / f"{flag.strip('-')}.ndjson"]
    done = finished(command, home)
    return {"wall": done["wall"], "cpu": done["cpu"], "peak": done["peak"]}


def computed(setting, home, engine, *more):
    try:
        done = finished([sys.executable, HERE / "engines.py", engine, setting.parquet, *more], home)
    except RuntimeError as failure:
        if "No module named" in str(failure):
            return {"reason": f"pip could not install it ({str(failure).strip().splitlines()[-1]})"}
        raise
    # Its own clock starts behind its imports and a first query, kpid's with the process: the whole command is told beside it.
    return {**json.loads(done["out"]), "command": done["wall"]}


def check(setting, home, results, engines, alone):
    """Everybody computed the same, or the row has failed."""
    final, by_arrival = truth.means(setting.parquet)
    told = []
    for name in engines:
        kept = home / "means.npy"
        computed(setting, home, name, "--means", kept)
        agree(name, np.load(kept), {result["changes"] for result in results[name]}, final, told)
    exact, near = truth.changes_where_measured(setting.parquet, final), truth.near_a_threshold(final)
    for name, counted in alone.items():
        counts = {result["changes"] for result in counted}
        if any(abs(count - exact) > 2 * near for count in counts):
            raise RuntimeError(f"{name} does not agree: {counts} changes of status, not {exact} ({near} means on a threshold)")
        told.append(f"checked: {name}: {', '.join(map(str, sorted(counts)))} changes of status from one measured hour to the next (exact: {exact})")
    means, changes = truth.of_readings(home / "readings.ndjson")
    agree("kpid", means, {changes}, by_arrival, told)
    differing = int((np.abs(final - by_arrival) > RELATIVE_MAX * np.abs(final)).sum())
    told.append(f"kpid goes by arrival, so that late measurements make {differing} of {final.size} means differ from those of the engines for an hour")
    return told


def agree(name, means, counts, true_means, told):
    apart = truth.difference(means, true_means)
    true_count, near = status_changes(true_means), truth.near_a_threshold(true_means)
    if apart > RELATIVE_MAX or any(abs(count - true_count) > 2 * near for count in counts):
        raise RuntimeError(f"{name} does not agree: {counts} changes of status, not {true_count} ({near} means on a threshold), means differ by {apart:.1e}")
    counted = ", ".join(str(count) for count in sorted(counts))
    told.append(f"checked: {name}: {counted} changes of status (exact: {true_count}, {near} means on a threshold), all means within {apart:.1e}")


def row(setting, variant, results, peers):
    best, frugal = peers
    own, peer = results[f"kpid {variant}".strip()], results[best]
    ratio = median(column(peer, "wall")) / median(column(own, "wall"))
    cpu = median(column(results[frugal], "cpu")) / median(column(own, "cpu"))
    rate = setting.count / median(column(own, "wall"))
    extra = f", writing every {variant[:-1]}" if variant else ""
    return Row(
        name="replay" + (f"-{variant}" if variant else ""),
        what=f"replay of W from the journal{extra}",
        kpid=spread(column(own, "wall"), unit=" s"),
        peer=f"{best}, hourly means only: {spread(column(peer, 'wall'), unit=' s')}",
        ratio=ratio,
        cpu_ratio=cpu,
        goal=None if variant else Goal(5, 10),
        judged=ratio,
        rounds=len(own),
        notes=[
            f"{number(rate)} measurements/s; kpid's processor time {spread(column(own, 'cpu'), unit=' s')}, its ratio is to {frugal}; "
            f"peak memory {number(max(column(own, 'peak')) / 1e6)} MB"
        ],
        figures={name: results[name] for name in (f"kpid {variant}".strip(), best)},
    )
