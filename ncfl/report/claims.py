"""The paper's claims, each with what was measured and a verdict by stated rules.

A claim is *seen*, *not seen*, or *not decidable* with what was run: figures of small networks on stand-in data neither
confirm the paper nor contradict it, whatever they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ncfl.report.results import other_data
from ncfl.report.table import Record, labels

SEEN, NOT_SEEN, OPEN = "seen", "not seen", "not decidable"
COUNT_PERCENT = 1.0  # two ways of counting the same network differ in what they leave out
SHARE = 0.5  # of the paper's difference: a repetition with another seed never gives all of it exactly
NEAR_DB = 0.2  # the span of Table 2: what a change of one setting makes
CLEAR_DB = 1.0
PRESET = "paper"
HARMLESS = ("machine", "seed")

RULES = (
    f"Complexity, which needs no data: seen where every count is within {COUNT_PERCENT:g} % of the paper's.",
    f"A difference between two methods or settings: seen where it has the paper's sign and at least {SHARE:.0%} of its "
    "size.",
    f"A figure: seen where it is within {NEAR_DB:g} dB of the paper's. The best of a table: seen where it is the best.",
    f"NCFL against median filtering, which learns nothing: seen on any data where it is at least {CLEAR_DB:g} dB above "
    "the better median at every noise level.",
    f"All but the first and the last are decidable only on the paper's own data, with the preset {PRESET} as it ships.",
)


@dataclass(frozen=True)
class Claim:
    """One line of the verdict.

    Attributes:
        text: what the paper says, in a sentence without a final stop.
        table: the name of the table that has the figures.
        paper, measured: the figures, as text; measured is empty where nothing was measured.
        verdict: :data:`SEEN`, :data:`NOT_SEEN` or :data:`OPEN`.
        why: what led to it, in whole sentences.
        experiments: whose runs gave the measured figures.
    """

    text: str
    table: str
    paper: str
    measured: str
    verdict: str
    why: str
    experiments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Setting:
    """What was run: the preset's name, and the keys in which its parameters differ from the preset."""

    preset: str
    edited: Sequence[str] = field(default_factory=tuple)

    @property
    def differs(self) -> bool:
        """Whether networks or schedules are not the paper's."""
        return self.preset != PRESET or any(key.split(".")[0] not in HARMLESS for key in self.edited)

    def obstacle(self, records: Sequence[Record]) -> str:
        """Where figures of these records were measured, if they cannot be held against the paper's; else empty."""
        found = labels(records)
        if not self.differs and not any(other_data(label) for label in found):
            return ""
        edits = ", edited" if self.edited else ""
        return f"on {' and '.join(found)} data, preset {self.preset}{edits}"
