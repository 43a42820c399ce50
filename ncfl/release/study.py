"""The study's trainings, kept one by one as they end, and what the kept ones say of the paper's claims.

A study takes a night and more, on machines that may not come back: of each finished experiment a small folder is kept
(:func:`keep`), from which the tables are written whatever else is finished (:mod:`ncfl.release.study_tables`).
"""

import csv
import shutil
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ncfl.common.errors import InputError
from ncfl.common.files import read_json, write_csv, write_json

EVERY = 50  # iterations between two kept points of a curve
RECORD, SUMMARY, CURVE = "record.json", "summary.json", "history.csv"
STAGES = ("stage1", "stage2")
STEPS = ("train-stage1", "train-stage2", "evaluate")


def keep(results: Path, folder: Path) -> list[str]:
    """Copy of each experiment that is evaluated what the tables need; returns the names of those.

    Args:
        results: a folder of results of the preset ``study``.
        folder: where the kept ones lie; made where it is missing.

    Raises:
        InputError: a record of a step is missing or unreadable.
    """
    kept = []
    for summary in sorted(Path(results).glob("experiments/*/evaluation/summary.json")):
        source, name = summary.parents[1], summary.parents[1].name
        target = Path(folder) / name
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(summary, target / SUMMARY)
        shutil.copyfile(summary.with_name("sequences.csv"), target / "sequences.csv")
        write_json(target / RECORD, _record(Path(results) / "records", name))
        rows = list(_curve(source))
        if rows:
            write_csv(target / CURVE, list(rows[0]), [list(row.values()) for row in rows])
        kept.append(name)
    return kept


def _record(records: Path, name: str) -> dict[str, Any]:
    """Seed, commit, seconds and machine of an experiment's steps, and the checksums of its checkpoints."""
    found = {path.stem.removeprefix(f"{name}-"): read_json(path) for path in sorted(records.glob(f"{name}-*.json"))}
    steps = {step: found[step] for step in STEPS if step in found}
    if "evaluate" not in steps:
        raise InputError(f"{records}: expected a record of the evaluation of {name}, got none")
    trainings = [record for step, record in steps.items() if step != "evaluate"]
    return {
        "seed": (trainings or [steps["evaluate"]])[0]["seed"],
        "commits": sorted({record["code"]["commit"] for record in steps.values()}),
        "machine": steps["evaluate"]["machine"],
        "seconds": {step: record["seconds"] for step, record in steps.items()},
        "checkpoints": {
            path: checksum
            for record in trainings
            for path, checksum in record["outputs"].items()
            if path.endswith("checkpoint.pt")
        },
    }


def _curve(experiment: Path) -> Iterator[dict[str, Any]]:
    """Points of both stages, whose iterations count on."""
    for stage in STAGES:
        path = experiment / stage / CURVE
        if not path.exists():
            return
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            if int(row["iteration"]) % EVERY == 0:
                yield {"iteration": int(row["iteration"]), "stage": stage, "psnr": row["psnr"]}


@dataclass(frozen=True)
class Kept:
    """A training that was kept.

    Attributes:
        name: as in the preset, without its seed.
        seed: of its training.
        record, summary: the files' content.
        folder: where it lies.
    """

    name: str
    seed: int
    record: Mapping[str, Any]
    summary: Mapping[str, Any]
    folder: Path

    def psnr(self, dataset: str, sigma: float) -> float | None:
        """In dB; None where it was not measured there."""
        levels = self.summary["datasets"].get(dataset, {}).get("sigma", {})
        return levels.get(f"{sigma:g}", {}).get("psnr")

    def memory(self, dataset: str, sigma: float) -> Mapping[str, Any]:
        """What its memory is worth there and costs; empty where it has none."""
        return self.summary["datasets"].get(dataset, {}).get("memory", {}).get(f"{sigma:g}", {})


def read(folder: Path) -> dict[str, list[Kept]]:
    """What was kept, by the preset's names, each with its seeds in order."""
    found: dict[str, list[Kept]] = {}
    for path in sorted(Path(folder).glob(f"*/{RECORD}")):
        record, summary = read_json(path), read_json(path.with_name(SUMMARY))
        name = path.parent.name.removesuffix(f"-seed{record['seed']}")
        found.setdefault(name, []).append(Kept(name, record["seed"], record, summary, path.parent))
    return found


@dataclass(frozen=True)
class Claim:
    """The paper says that one experiment is better than another.

    Attributes:
        text: in words.
        better, worse: names of experiments.
        paper: by how much, dB; None where it only says so.
        dataset, sigma: where.
    """

    text: str
    better: str
    worse: str
    paper: float | None = None
    dataset: str = "set8"
    sigma: float = 50.0

    def differences(self, kept: Mapping[str, Sequence[Kept]]) -> list[float]:
        """In dB, for each seed that both have; what nobody trained is the same for each."""
        better, worse = (self._by_seed(kept.get(name, ())) for name in (self.better, self.worse))
        if None in worse:
            worse = dict.fromkeys(better, worse[None])
        return [better[seed] - worse[seed] for seed in better if seed in worse]

    def _by_seed(self, ones: Sequence[Kept]) -> dict[int | None, float]:
        """PSNR by seed, None being that of what nobody trained."""
        found = {one.seed if one.record["checkpoints"] else None: one.psnr(self.dataset, self.sigma) for one in ones}
        return {seed: psnr for seed, psnr in found.items() if psnr is not None}


def verdict(differences: Sequence[float]) -> str:
    """What differences over seeds say: a claim is seen where all seeds agree and their mean exceeds their spread.

    The spread is the standard deviation of a sample. One seed decides nothing.
    """
    if len(differences) < 2:
        return "open: fewer than two seeds"
    mean, spread = statistics.fmean(differences), statistics.stdev(differences)
    if min(differences) > 0 and mean > spread:
        return "seen"
    if max(differences) < 0 and -mean > spread:
        return "not seen: the other way round"
    return "not decidable at this size"
