"""What was measured, as people read it: rounds enter, medians with their ranges and one table leave."""

import dataclasses
import json
import statistics

HEAD = ["row", "what", "kpid", "peer or floor", "ratio", "ratio of cpu", "must", "aim", "verdict", "rounds"]


@dataclasses.dataclass
class Goal:
    """What a figure is held against: at least, or at most."""

    must: float
    aim: float
    unit: str = "x"
    at_least: bool = True

    def shown(self, bound):
        space = "" if self.unit == "x" else " "
        return f"{'>=' if self.at_least else '<='} {bound:g}{space}{self.unit}"

    def verdict(self, figure):
        def holds(bound):
            return figure >= bound if self.at_least else figure <= bound

        return "aim met" if holds(self.aim) else "must met" if holds(self.must) else "MISSED"


@dataclasses.dataclass
class Row:
    """One line of the table. `figures` holds every round, `notes` what else there is to say.

    The ratio of processor times is the better of two witnesses where other work keeps the machine busy; goals are of wall time."""

    name: str
    what: str
    kpid: str = "-"
    peer: str = "-"
    ratio: float | None = None
    cpu_ratio: float | None = None
    goal: Goal | None = None
    judged: float | None = None
    verdict: str = ""
    rounds: int = 0
    notes: list = dataclasses.field(default_factory=list)
    figures: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.goal and self.judged is not None and not self.verdict:
            self.verdict = self.goal.verdict(self.judged)

    def cells(self):
        must, aim = (self.goal.shown(self.goal.must), self.goal.shown(self.goal.aim)) if self.goal else ("-", "-")
        return [self.name, self.what, self.kpid, self.peer, shown(self.ratio), shown(self.cpu_ratio), must, aim, self.verdict or "-", str(self.rounds)]


def shown(ratio):
    return "-" if ratio is None else f"{ratio:.3f}" if ratio < 0.1 else f"{ratio:.2f}"


def median(figures):
    return statistics.median(figures)


def spread(figures, scale=1.0, unit="", digits=3):
    """Median and, of several rounds, the least and the greatest."""
    scaled = [figure * scale for figure in figures]
    middle = f"{number(median(scaled), digits)}{unit}"
    if len(scaled) == 1:
        return middle
    return f"{middle} ({number(min(scaled), digits)}..{number(max(scaled), digits)})"


def number(figure, digits=3):
    """So many digits that say something, never as a power of ten."""
    if figure == 0:
        return "0"
    if abs(figure) >= 10 ** (digits - 1):
        return f"{figure:,.0f}"
    return f"{figure:.{digits}g}"


def taking_turns(rounds, works, told):
    """Every work once a round, one after the other: {name: [what it returned, round by round]}."""
    done = {name: [] for name in works}
    for turn in range(1, rounds + 1):
        for name, work in works.items():
            done[name].append(work())
            told(f"round {turn} of {rounds}, {name}: {summary(done[name][-1])}")
    return done


def summary(result):
    if not isinstance(result, dict):
        return str(result)
    shown = {name: value for name, value in result.items() if isinstance(value, (int, float))}
    return ", ".join(f"{name} {number(value)}" for name, value in shown.items())


def column(results, name):
    return [result[name] for result in results]


def table(rows):
    lines = [HEAD, ["---"] * len(HEAD), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def notes(rows):
    return "\n".join(f"- {row.name}: {note}" for row in rows for note in row.notes)


def write(rows, about, home):
    """The same as Markdown and as JSON."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "table.md").write_text(f"{about}\n\n{table(rows)}\n\n{notes(rows)}\n")
    everything = {"about": about, "rows": [dataclasses.asdict(row) for row in rows]}
    (home / "table.json").write_text(json.dumps(everything, indent=1, default=str) + "\n")
