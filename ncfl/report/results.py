"""What the pipeline measured, read once and checked: evaluation summaries and complexity.

Every figure keeps the name of the data it comes from. A dataset may be replaced by a stand-in of the same
name (the ``demo`` source always is one); :func:`data_label` is the one place that says so in words.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ncfl.common.errors import InputError
from ncfl.common.files import read_json

TITLES = {
    "davis": "DAVIS",
    "set8": "Set8",
    "crvd": "CRVD",
    "rainsynlight25": "RainSynLight25",
    "rainsyncomplex25": "RainSynComplex25",
    "rainsynall100": "RainSynAll100",
    "ntu-rain": "NTU-Rain",
    "revide": "REVIDE",
}
SPACES = {"rgb": "RGB", "y": "Y", "raw": "raw", "srgb": "sRGB"}  # as ncfl.evaluate.conventions calls them
FIGURES = ("psnr", "ssim", "input_psnr", "input_ssim")
STAND_IN = "stand-in"
PART = "part of "
_NAMED = 3  # sequences of a part


def data_label(dataset: str, source: str, stand_in: bool, part: Sequence[str] | None = None) -> str:
    """Name the data behind a figure: the dataset's title, ``"<source> stand-in"`` in its place, or which part of it.

    The ``demo`` source makes its own videos, so it is a stand-in whatever its flag says.
    """
    title = TITLES.get(dataset, dataset)
    if stand_in or source == "demo":
        return f"{source} {STAND_IN}"
    return f"{PART}{title} ({part_words(part)})" if part else title


def part_words(part: Sequence[str]) -> str:
    """The sequences of a part, in few words."""
    return ", ".join(part[:_NAMED]) + (f" and {len(part) - _NAMED} more" if len(part) > _NAMED else "")


def other_data(label: str) -> bool:
    """Whether data so labelled are not the paper's: a stand-in, or a part of a dataset."""
    return STAND_IN in label or PART in label


@dataclass(frozen=True)
class MeasuredExperiment:
    """What the report has to know of one experiment or baseline.

    Attributes:
        evaluate: dataset -> the noise levels (sigma in 0..255; 0 = no noise added) evaluated on it.
        training_data: the :func:`data_label` of what it was trained on; empty where nothing was learned.
        variant: the module variant that was trained (``"m_a"`` ... ``"m_f"``), where that matters to a table.
        lambda_: the weight of the cross-entropy, where that matters to a table.
        obtained: how the method came to its weights: ``own training`` and from which values, ``official weights`` or
            ``no training``.
        seed: that of its training, where it has several; else None.
        repeats: the experiment whose figures it is averaged with, as it differs from that by the seed alone; or empty.
    """

    evaluate: Mapping[str, Sequence[float]]
    training_data: str = ""
    variant: str | None = None
    lambda_: float | None = None
    obtained: str = ""
    seed: int | None = None
    repeats: str = ""


class MeasuredFigure(NamedTuple):
    """One measured figure: PSNR in dB, SSIM, those of the degraded input, and where they come from.

    Of several seeds it is the mean, with the standard deviation (of a sample: n - 1) as spread; of one, that is None.
    """

    experiment: str
    psnr: float
    ssim: float
    input_psnr: float
    input_ssim: float
    space: str
    data: str
    sequences: int
    frames: int
    obtained: str
    seeds: int = 1
    spread_psnr: float | None = None
    spread_ssim: float | None = None


class Evaluated(NamedTuple):
    """One dataset as it was evaluated; ``spaces`` names what was compared, the first being what tables print."""

    dataset: str
    title: str
    split: str
    data: str
    spaces: tuple[str, ...]
    sequences: int
    frames: int

    @property
    def compared_in(self) -> str:
        """The spaces as people call them."""
        return ", ".join(SPACES[space] for space in self.spaces)


class Results:
    """All figures under ``results/`` that the experiments named in the parameters promise.

    Args:
        root: the results folder.
        experiments: the experiments and baselines of the parameters, by name. Others on disk are left alone.

    Raises:
        InputError: a summary or the complexity file is missing, malformed, or lacks a promised figure.
    """

    def __init__(self, root: Path, experiments: Mapping[str, MeasuredExperiment]) -> None:
        self.root = Path(root)
        self.experiments = dict(experiments)
        self._measured: dict[tuple[str, str, float, str], MeasuredFigure] = {}
        self._evaluated: dict[tuple[str, str], Evaluated] = {}
        self._memory: dict[tuple[str, str], Mapping[str, Any]] = {}
        for name, experiment in self.experiments.items():
            if experiment.evaluate:
                self._read(name, experiment)
        for name in self.experiments:
            repeats = [other for other, known in self.experiments.items() if known.repeats == name]
            if repeats:
                self._average(name, repeats)
        self.gflops = _complexity(self.root / "complexity" / "complexity.json")

    def folder(self, name: str) -> Path:
        """Where one experiment's files lie."""
        return self.root / "experiments" / name

    def measured(
        self, names: Sequence[str], dataset: str, sigma: float, space: str | None = None
    ) -> MeasuredFigure | None:
        """The figure of the first of these experiments that was evaluated on the dataset at this sigma.

        It is the mean over its seeds where the experiment has several.

        Args:
            names: experiments, the preferred first.
            dataset: its name.
            sigma: noise level in 0..255; 0 where the dataset brings its degradation along.
            space: what is compared, a key of :data:`SPACES`; None for the first of the dataset's convention.
        """
        for name in names:
            entry = self._evaluated.get((name, dataset))
            key = (name, dataset, float(sigma), space or entry.spaces[0]) if entry else None
            if key in self._measured:
                return self._measured[key]
        return None

    def memory(self, name: str, dataset: str, sigma: float) -> Mapping[str, float] | None:
        """Gain and cost of the memory of an experiment there (:mod:`ncfl.evaluate.memory_gain`), where it has one."""
        return self._memory.get((name, dataset), {}).get(f"{sigma:g}")

    def evaluated(self) -> list[Evaluated]:
        """Every distinct evaluated dataset, in order of first use."""
        return list(dict.fromkeys(self._evaluated.values()))

    def labels(self) -> list[str]:
        """The distinct data labels of all measured figures, in order of first use."""
        return list(dict.fromkeys(figure.data for figure in self._measured.values()))

    def label(self, name: str, dataset: str) -> str:
        """The data label of one experiment on one dataset; empty where it was not evaluated there."""
        entry = self._evaluated.get((name, dataset))
        return entry.data if entry else ""

    def _read(self, name: str, experiment: MeasuredExperiment) -> None:
        path = self.folder(name) / "evaluation" / "summary.json"
        found = _mapping(_mapping(read_json(path), path, "the file").get("datasets"), path, "'datasets'")
        for dataset, sigmas in experiment.evaluate.items():
            where = f"'datasets.{dataset}'"
            if dataset not in found:
                raise InputError(f"{path}: expected '{dataset}', which {name} evaluates, got {_list(found)}")
            entry = _mapping(found[dataset], path, where)
            head = _head(entry, path, where, dataset)
            levels = {space: dict(_levels(entry, space, path, where)) for space in head.spaces}
            for space, found_levels in levels.items():
                missing = [f"{sigma:g}" for sigma in sigmas if float(sigma) not in found_levels]
                if missing:
                    raise InputError(
                        f"{path}: {where}: expected sigma {', '.join(missing)} in {space}, which {name} evaluates, "
                        f"got {_list(f'{level:g}' for level in found_levels)}"
                    )
            self._evaluated[name, dataset] = head
            self._memory[name, dataset] = _mapping(entry.get("memory") or {}, path, f"{where[:-1]}.memory'")
            data = _with_training(head.data, experiment.training_data)
            for space in head.spaces:
                for sigma, figures in levels[space].items():
                    figure = MeasuredFigure(
                        name, *figures, space, data, head.sequences, head.frames, experiment.obtained
                    )
                    self._measured[name, dataset, sigma, space] = figure

    def _average(self, name: str, repeats: Sequence[str]) -> None:
        """Put the means over all seeds in the place of the first one's figures."""
        for key in [key for key in self._measured if key[0] == name]:
            self._measured[key] = _mean_figure([self._measured[other, *key[1:]] for other in (name, *repeats)])
        for key in [key for key in self._memory if key[0] == name]:
            self._memory[key] = _mean([self._memory[other, *key[1:]] for other in (name, *repeats)])


def _mean_figure(figures: Sequence[MeasuredFigure]) -> MeasuredFigure:
    means = {key: statistics.fmean(getattr(figure, key) for figure in figures) for key in FIGURES}
    spreads = {f"spread_{key}": statistics.stdev(getattr(figure, key) for figure in figures) for key in FIGURES[:2]}
    return figures[0]._replace(seeds=len(figures), **means, **spreads)


def _mean(found: Sequence[Any]) -> Any:
    """The mean of numbers, or of objects of numbers key by key; keys that not all of them have are left out."""
    if not isinstance(found[0], Mapping):
        return statistics.fmean(found)
    return {key: _mean([one[key] for one in found]) for key in found[0] if all(key in one for one in found)}


def _with_training(data: str, training_data: str) -> str:
    # Weights trained on other data are not the paper's experiment, even where they are tested on its data.
    if other_data(training_data) and not other_data(data):
        return f"{data}, trained on {training_data}"
    return data


def _head(entry: Mapping[str, Any], path: Path, where: str, dataset: str) -> Evaluated:
    source, stand_in = entry.get("source"), entry.get("stand_in")
    if not isinstance(source, str) or not isinstance(stand_in, bool):
        got = f"{source!r:.80} and {stand_in!r:.80}"
        raise InputError(f"{path}: {where}: expected 'source' (text) and 'stand_in' (true or false), got {got}")
    part = entry.get("part")
    if part is not None and not (isinstance(part, list) and part and all(isinstance(name, str) for name in part)):
        raise InputError(f"{path}: {where}: 'part': expected a list of sequences, got {part!r:.80}")
    counts = [entry.get("sequences"), entry.get("frames")]
    if not all(isinstance(count, int) and not isinstance(count, bool) and count > 0 for count in counts):
        raise InputError(f"{path}: {where}: expected whole 'sequences' and 'frames' above 0, got {counts}")
    first = entry.get("space")
    others = _mapping(entry.get("spaces", {}), path, f"{where}.spaces")
    if not isinstance(first, str) or not {first, *others} <= set(SPACES):
        raise InputError(
            f"{path}: {where}: expected comparisons in {_list(SPACES)}, got {_list(map(str, (first, *others)))}; "
            "evaluate it again"
        )
    title, split = TITLES.get(dataset, dataset), str(entry.get("split", "test"))
    return Evaluated(dataset, title, split, data_label(dataset, source, stand_in, part), (first, *others), *counts)


def _levels(
    entry: Mapping[str, Any], space: str, path: Path, where: str
) -> Iterator[tuple[float, tuple[float, float, float, float]]]:
    """Sigma, and the four figures that a :class:`MeasuredFigure` begins with."""
    place, found = f"{where}.sigma", entry.get("sigma")
    if space != entry["space"]:
        place, found = f"{where}.spaces.{space}", entry["spaces"][space]
    for key, values in _mapping(found, path, place).items():
        figures = _mapping(values, path, f"{place}.{key}")
        try:
            sigma = float(key)
        except ValueError:
            raise InputError(f"{path}: {place}: expected a number, got '{key}'") from None
        psnr, ssim, input_psnr, input_ssim = (_number(figures, name, path, where) for name in FIGURES)
        yield sigma, (psnr, ssim, input_psnr, input_ssim)


def _complexity(path: Path) -> dict[str, float]:
    entries = read_json(path)
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected a list of methods, got {type(entries).__name__}")
    found = {}
    for entry in entries:
        method = _mapping(entry, path, "an entry").get("method")
        if not isinstance(method, str):
            raise InputError(f"{path}: 'method' of an entry: expected text, got {method!r:.80}")
        # The paper counts its published sizes; another preset's widths would say nothing about its figure.
        if entry.get("preset", "published") == "published":
            found[method] = _number(entry, "gflops", path, method)
    return found


def _mapping(value: Any, path: Path, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{path}: {where}: expected a JSON object, got {type(value).__name__}")
    return value


def _number(values: Mapping[str, Any], key: str, path: Path, where: str) -> float:
    value = values.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise InputError(f"{path}: {where}: '{key}': expected a finite number, got {value!r}")
    return float(value)


def _list(names: Any) -> str:
    return ", ".join(names) or "none"
