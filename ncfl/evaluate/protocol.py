"""The evaluation protocol: what is fed to a method, what comes out, and how the figures are averaged.

Clips stream frame by frame: only a method's own state and a few frames are in memory at any time, so a
sequence may be as long as it likes. The noise levels run side by side as the batch of one pass, as far as
memory allows.
"""

import io
import math
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
import torch

from ncfl.data.degradations import awgn, noise_rng
from ncfl.errors import InputError
from ncfl.evaluate.metrics import PSNR_CEILING, Reference
from ncfl.files import atomic_path, write_csv, write_json
from ncfl.methods.interface import Method, stream
from ncfl.progress import Progress

if TYPE_CHECKING:
    from ncfl.data.store import Clip, ClipStore

CONVENTIONS = {
    "noise": "AWGN of sigma/255 on RGB in [0,1], not clipped, seeded per sequence and sigma; none at sigma 0",
    "output": "clamped to [0,1], not rounded",
    "psnr": f"dB, float RGB, per frame, at most {PSNR_CEILING:g}",
    "ssim": "RGB, Gaussian window 11, sigma 1.5, K1 0.01, K2 0.03, data range 1, valid region",
    "mean": "over the frames of a sequence, then over sequences",
}
PSNR_DECIMALS, SSIM_DECIMALS = 4, 6


class FrameRow(NamedTuple):
    """The figures of one restored frame."""

    dataset: str
    sequence: str
    frame: int
    sigma: float
    psnr: float
    ssim: float


class SequenceRow(NamedTuple):
    """The mean over the frames of one sequence."""

    dataset: str
    sequence: str
    frames: int
    sigma: float
    psnr: float
    ssim: float


@dataclass(frozen=True)
class Example:
    """A frame to keep as an image: a sequence (name, or place in the split), a frame and a noise level."""

    sequence: str | int
    frame: int
    sigma: float


@dataclass(frozen=True)
class Evaluation:
    """One method on one dataset: rows per frame and per sequence, and the summary that tables read.

    ``examples`` maps file names to uint8 RGB images [H,W,3].
    """

    method: str
    dataset: str
    frames: list[FrameRow]
    sequences: list[SequenceRow]
    summary: dict[str, Any]
    examples: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class _Source:
    """Where a dataset's degraded frames come from: all that decides the numbers a method is fed."""

    dataset: str
    seed: int

    def noisy_frames(self, clip: "Clip", count: int, sigmas: Sequence[float]) -> Iterator[np.ndarray]:
        """Yield the first ``count`` frames with noise, float32 [len(sigmas),H,W,C]: a generator per sigma."""
        generators = [noise_rng(self.seed, self.dataset, clip.name, sigma) for sigma in sigmas]
        # A paired dataset brings its degradation along.
        footage = clip.frames if clip.degraded is None else clip.degraded
        for t in range(count):
            frame = _unit(footage[t], clip.peak)
            yield np.stack(
                [awgn(frame, sigma, rng) if sigma else frame for sigma, rng in zip(sigmas, generators, strict=True)]
            )


def evaluate(
    *,
    method: Method,
    store: "ClipStore",
    dataset: str,
    split: str = "test",
    sigmas: Sequence[float],
    max_frames: int = 85,
    seed: int,
    device: str | torch.device = "cpu",
    keep: Mapping[str, Mapping[str, Any]] | None = None,
    pixels_per_pass: int = 1 << 20,
    progress: bool = True,
) -> Evaluation:
    """Evaluate ``method`` on one split of a clip store, at each noise level.

    Args:
        method: what restores; see :mod:`ncfl.methods`.
        store: prepared clips, RGB.
        dataset: the name under which figures are reported; the noise's seed depends on it too.
        split: which clips of the store.
        sigmas: noise levels in 0..255; 0 feeds clean frames (section 4.3 of the paper).
        max_frames: at most so many frames of a sequence, from its first.
        seed: seed of the noise.
        device: where the frames are put.
        keep: dataset -> fields of the :class:`Example` to keep as PNG. Where its sigma is not among
            ``sigmas``, nothing is kept, so that experiments with few noise levels can share one setting.
        pixels_per_pass: noise levels share a pass up to so many pixels (one always runs), which bounds
            memory. It changes figures by no more than the rounding of float32.
        progress: whether to show how far it is.

    Raises:
        InputError: no such split, no sigmas or one out of range, channels that the method doesn't take,
            frames too small, an example that is not there.
    """
    clips = store.split(split)
    sigmas = [float(sigma) for sigma in sigmas]
    _check(method, clips, dataset, sigmas, max_frames)
    source = _Source(dataset, seed)
    wanted = _find_example((keep or {}).get(dataset), clips, dataset, max_frames)
    frames: list[FrameRow] = []
    examples: dict[str, np.ndarray] = {}
    counts = [min(clip.shape[0], max_frames) for clip in clips]
    label = f"evaluate {method.name} on {dataset}"
    stream_to = None if progress else io.StringIO()
    with Progress(sum(counts) * len(sigmas), label, unit="frame", stream=stream_to) as bar:
        for clip, count in zip(clips, counts, strict=True):
            rows = []
            groups = _groups(sigmas, clip, pixels_per_pass)
            for t, sigma, restored, reference in _restored(method, source, clip, count, groups, device):
                quality = reference.compare(restored)
                rows.append(FrameRow(dataset, clip.name, t, sigma, *quality))
                bar.update(len(frames) + len(rows), quality._asdict())
                if wanted == Example(clip.name, t, sigma):
                    examples.update(_images(wanted, source, clip, restored))
            frames += sorted(rows, key=lambda row: (row.frame, row.sigma))
    sequences = _sequence_rows(frames)
    summary = {
        "source": store.manifest["source"],
        "stand_in": store.manifest["stand_in"],
        "split": split,
        "sequences": len(clips),
        "frames": sum(counts),
        "max_frames": max_frames,
        "seed": seed,
        "sigma": _means(sequences),
    }
    return Evaluation(method.name, dataset, frames, sequences, summary, examples)


def write(evaluations: Sequence[Evaluation], output: Path, *, experiment: str) -> dict[str, Any]:
    """Write ``frames.csv``, ``sequences.csv``, example images and, last, ``summary.json``; return the last.

    The same figures give the same bytes: nothing that changes between runs, such as a date, is written.

    Args:
        evaluations: one method on one or more datasets.
        output: the folder; its ``examples`` are replaced as a whole.
        experiment: the experiment's name, for the summary.
    """
    methods = {evaluation.method for evaluation in evaluations}
    if len(methods) != 1:
        raise ValueError(f"evaluations of one method are written together; found {sorted(methods)}")
    output = Path(output)
    for name, kind in (("frames", FrameRow), ("sequences", SequenceRow)):
        rows = [_printed(row) for evaluation in evaluations for row in getattr(evaluation, name)]
        write_csv(output / f"{name}.csv", kind._fields, rows)
    shutil.rmtree(output / "examples", ignore_errors=True)
    (output / "examples").mkdir()  # also where nothing is kept: workflows expect it
    for evaluation in evaluations:
        for name, image in evaluation.examples.items():
            _write_png(output / "examples" / evaluation.dataset / name, image)
    summary = {
        "experiment": experiment,
        "method": methods.pop(),
        "conventions": CONVENTIONS,
        "datasets": {evaluation.dataset: evaluation.summary for evaluation in evaluations},
    }
    write_json(output / "summary.json", summary)
    return summary


def _restored(
    method: Method,
    source: _Source,
    clip: "Clip",
    count: int,
    groups: Sequence[Sequence[float]],
    device: str | torch.device,
) -> Iterator[tuple[int, float, np.ndarray, Reference]]:
    """Yield frame number, sigma, restored frame (float32 [H,W,C], clamped) and what to compare it with."""
    for group in groups:
        noisy = source.noisy_frames(clip, count, group)
        inputs = (torch.from_numpy(batch).permute(0, 3, 1, 2).contiguous().to(device) for batch in noisy)
        for t, batch in enumerate(stream(method, inputs, group)):
            reference = Reference(_unit(clip.frames[t], clip.peak))
            images = batch.clamp(0, 1).permute(0, 2, 3, 1).contiguous().cpu().numpy()
            for sigma, image in zip(group, images, strict=True):
                yield t, sigma, image, reference


def _unit(frame: np.ndarray, peak: int) -> np.ndarray:
    return frame.astype(np.float32) / np.float32(peak)


def _groups(sigmas: Sequence[float], clip: "Clip", pixels_per_pass: int) -> list[Sequence[float]]:
    size = max(1, pixels_per_pass // math.prod(clip.shape[1:3]))
    return [sigmas[i : i + size] for i in range(0, len(sigmas), size)]


def _check(method: Method, clips: "Sequence[Clip]", dataset: str, sigmas: Sequence[float], max_frames: int) -> None:
    if not sigmas or len(set(sigmas)) != len(sigmas) or not all(0 <= sigma <= 255 for sigma in sigmas):
        raise InputError(f"dataset {dataset}: sigmas {list(sigmas)}, allowed are distinct numbers in 0..255")
    if max_frames < 1:
        raise InputError(f"dataset {dataset}: max_frames {max_frames}, allowed is 1 or more")
    for clip in clips:
        channels = clip.shape[-1]
        if method.channels not in (None, channels):
            raise InputError(
                f"dataset {dataset}: clip {clip.name} has {channels} channels, "
                f"method {method.name} takes {method.channels}"
            )


def _find_example(
    fields: Mapping[str, Any] | None, clips: "Sequence[Clip]", dataset: str, max_frames: int
) -> Example | None:
    """The example with its sequence by name, once it is sure that it exists."""
    if fields is None:
        return None
    example = Example(**fields)
    named = {clip.name: clip for clip in clips}
    sequence = example.sequence
    if isinstance(sequence, int) and 0 <= sequence < len(clips):
        sequence = clips[sequence].name
    if sequence not in named:
        raise InputError(
            f"example of dataset {dataset}: sequence {example.sequence!r}, "
            f"allowed are 0..{len(clips) - 1} or {', '.join(named)}"
        )
    count = min(named[sequence].shape[0], max_frames)
    if not 0 <= example.frame < count:
        raise InputError(
            f"example of dataset {dataset}: frame {example.frame} of {sequence}, allowed are 0..{count - 1}"
        )
    return Example(sequence, example.frame, example.sigma)


def _images(example: Example, source: _Source, clip: "Clip", restored: np.ndarray) -> dict[str, np.ndarray]:
    """Clean, noisy and restored frame as 8-bit images by file name; the noise is drawn a second time."""
    inputs = source.noisy_frames(clip, example.frame + 1, [example.sigma])
    (noisy,) = next(islice(inputs, example.frame, None))
    stem = f"{re.sub(r'[^A-Za-z0-9._-]+', '-', clip.name)}_{example.frame}"
    return {
        f"{stem}_clean.png": to_bytes(_unit(clip.frames[example.frame], clip.peak)),
        f"{stem}_sigma{example.sigma:g}_noisy.png": to_bytes(noisy),
        f"{stem}_sigma{example.sigma:g}.png": to_bytes(restored),
    }


def to_bytes(image: np.ndarray) -> np.ndarray:
    """Float in [0,1] (clipped to it) to uint8, rounded to the nearest level."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _write_png(path: Path, image: np.ndarray) -> None:
    _, encoded = cv2.imencode(".png", image[..., ::-1])
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def _sequence_rows(frames: Sequence[FrameRow]) -> list[SequenceRow]:
    grouped: dict[tuple[str, str, float], list[FrameRow]] = {}
    for row in frames:
        grouped.setdefault((row.dataset, row.sequence, row.sigma), []).append(row)
    return [
        SequenceRow(dataset, sequence, len(rows), sigma, *_mean(rows))
        for (dataset, sequence, sigma), rows in grouped.items()
    ]


def _means(sequences: Sequence[SequenceRow]) -> dict[str, dict[str, float]]:
    """Mean over sequences, rounded, by noise level."""
    means = {}
    for sigma in sorted({row.sigma for row in sequences}):
        psnr, ssim = _mean([row for row in sequences if row.sigma == sigma])
        means[f"{sigma:g}"] = {"psnr": round(psnr, PSNR_DECIMALS), "ssim": round(ssim, SSIM_DECIMALS)}
    return means


def _mean(rows: Sequence[FrameRow] | Sequence[SequenceRow]) -> tuple[float, float]:
    return (
        math.fsum(row.psnr for row in rows) / len(rows),
        math.fsum(row.ssim for row in rows) / len(rows),
    )


def _printed(row: FrameRow | SequenceRow) -> tuple[Any, ...]:
    return row._replace(
        sigma=f"{row.sigma:g}", psnr=f"{row.psnr:.{PSNR_DECIMALS}f}", ssim=f"{row.ssim:.{SSIM_DECIMALS}f}"
    )
