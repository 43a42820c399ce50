"""A table of the report: tidy records for machines, a view of them for people, and its caption."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ncfl.report.results import STAND_IN, other_data

Record = dict[str, str]
MOST_EDITED = 6  # keys that a caption names
OF_SEEDS = ("spread_psnr_db", "spread_ssim", "seeds")  # columns that a table has where an experiment has several seeds


@dataclass(frozen=True)
class Column:
    """One column of the view.

    Attributes:
        head: what stands over it.
        group: a heading shared with the neighbors that have the same one; may be empty.
        number: whether it holds figures (aligned right) or text.
        kind: ``"paper"``, ``"measured"`` or ``""``: readers must be able to tell them apart at a glance.
        ranked: whether its best and second best figures are marked; the higher is the better.
    """

    head: str
    group: str = ""
    number: bool = True
    kind: str = ""
    ranked: bool = False

    @property
    def flat(self) -> str:
        """The heading on one line, for formats with a single header row."""
        return f"{self.group}, {self.head}" if self.group else self.head


@dataclass(frozen=True)
class Table:
    """One table, complete: nothing in it has to be looked up elsewhere to be printed.

    Attributes:
        name: its file name without suffix.
        number: where the paper prints it, e.g. ``"Table 1"``, or what it is called here.
        title: what it shows, without a final stop.
        preset: the preset of the parameters that made it, as :func:`named` calls it.
        records: tidy rows with equal keys; figures are formatted text, empty where there is none.
        columns, rows: the view; a first cell equal to the one above continues it.
        runs: for each cell of ``rows`` the experiment whose run gave it, or ``"complexity"``; ``""`` for others.
        notes: what a reader has to know of it.
        own: whether it has no counterpart in the paper.
    """

    name: str
    number: str
    title: str
    preset: str
    records: Sequence[Record]
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    runs: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()
    own: bool = False

    @property
    def header(self) -> list[str]:
        """The names of the tidy columns."""
        return [key for key in self.records[0] if key not in OF_SEEDS or any(r[key] for r in self.records)]

    @property
    def caption(self) -> str:
        """The title, the preset, and in plain words what the measured figures were measured on."""
        return f"{self.number}. {self.title}. {self.origin}{warning(labels(self.records))}"

    @property
    def origin(self) -> str:
        """The part of the caption that says where the measured figures come from."""
        return f"Preset: {self.preset}. {measured_on(labels(self.records))}{over_seeds(self.records)}"

    def run(self, row: int, column: int) -> str:
        """The experiment whose run gave a cell; ``""`` where it is none."""
        return self.runs[row][column] if self.runs else ""


def named(preset: str, edited: Sequence[str], most: int = MOST_EDITED) -> str:
    """What a preset is called where figures stand: one that was edited never passes as itself.

    Args:
        preset: its name.
        edited: the keys in which the parameters differ from it.
        most: so many of them are named; 0 for pictures, which have no room.
    """
    if not edited or not most:
        return f"{preset}, edited" if edited else preset
    more = f" and {len(edited) - most} more" if len(edited) > most else ""
    return f"{preset}, edited in {', '.join(edited[:most])}{more}"


def labels(records: Iterable[Record]) -> list[str]:
    """The distinct data labels of the records that have a measured figure, in order."""
    return list(dict.fromkeys(record["data"] for record in records if record["data"]))


def measured_head(records: Iterable[Record], what: str = "measured") -> str:
    """The heading of a measured column; it names the data wherever it is not the paper's."""
    found = labels(records)
    return f"{what} ({'; '.join(found)})" if any(other_data(label) for label in found) else what


def measured_on(found: Sequence[str]) -> str:
    """A sentence that says what the measured figures were measured on."""
    return f"Measured on: {'; '.join(found)}." if found else "Nothing is measured here yet."


def shown_cell(record: Record, key: str) -> str:
    """A figure as people read it: with its spread, where it is a mean over seeds."""
    spread = record.get(key.replace("measured_", "spread_")) if key.startswith("measured_") else ""
    return f"{record[key]} ± {spread}" if spread else record[key]


def over_seeds(records: Iterable[Record]) -> str:
    """A sentence on what stands behind ±, to stand behind another one; empty where every figure is of one seed."""
    records = list(records)
    counts = sorted({int(record["seeds"]) for record in records if record.get("seeds")})
    if not counts:
        return ""
    single = any(record["data"] and not record.get("seeds") for record in records)
    others = " Figures without ± are of one seed." if single else ""
    return f" Mean ± standard deviation over {' or '.join(map(str, counts))} seeds.{others}"


def warning(found: Sequence[str]) -> str:
    """What a file that is read alone has to say of stand-ins, behind another sentence; empty where there is none."""
    if not any(other_data(label) for label in found):
        return ""
    what = "stand-in" if any(STAND_IN in label for label in found) else "part of a dataset"
    return f" A {what} is not the paper's data: never compare its figures with the paper's."
