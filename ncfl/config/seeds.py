"""Experiments with several seeds: each seed is a training and an evaluation of its own, under a name of its own.

The first seed keeps the experiment's name and the next are called ``<name>-seed<seed>``, so every rule of both engines
treats them as ordinary experiments. Only the tables know that they belong together: they print the mean and the spread.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field

Seed = Annotated[int, Field(ge=0, lt=2**32)]


def _different(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"expected seeds that differ, got {seeds}")
    return seeds


Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(_different)]


class Repetition(NamedTuple):
    """One training of an entry of ``params.yaml``, or what stands for it where nothing is trained.

    Attributes:
        group: the block in which the entry stands.
        entry: its name there.
        place: which of the entry's seeds this is, from 0; None where it names none.
    """

    group: str
    entry: str
    place: int | None = None

    @property
    def seed_key(self) -> str:
        """The key of ``params.yaml`` that holds the seed."""
        return "seed" if self.place is None else f"{self.group}.{self.entry}.seeds.{self.place}"


def names(entry: str, seeds: Sequence[int] | None) -> list[str]:
    """The names of an entry's trainings, in the order of its seeds."""
    return [entry, *(f"{entry}-seed{seed}" for seed in (seeds or ())[1:])]


def repetitions(group: str, entries: Mapping[str, object]) -> Iterator[tuple[str, Repetition]]:
    """The name of each training of a block of experiments, and whose training it is."""
    for entry, experiment in entries.items():
        seeds = getattr(experiment, "seeds", None)
        for place, name in enumerate(names(entry, seeds)):
            yield name, Repetition(group, entry, None if seeds is None else place)
