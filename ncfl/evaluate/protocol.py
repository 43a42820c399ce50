"""The evaluation protocol: what is fed to a method, what comes out, and what it is compared with.

Clips stream frame by frame: only a method's own state and a few frames are in memory at any time, so a
sequence may be as long as it likes. The noise levels run side by side as the batch of one pass, as far as
memory allows. How frames are compared is the dataset's convention; see :mod:`ncfl.evaluate.conventions`.
"""

import io
import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.common.progress import Progress
from ncfl.data.degradations import awgn, noise_rng
from ncfl.data.isp import ISP
from ncfl.evaluate import conventions
from ncfl.evaluate.conventions import Convention
from ncfl.evaluate.examples import KeptFrame, find_example, pictures
from ncfl.evaluate.measurements import EvaluationFiles, FrameRow, means_by_space, sequence_rows
from ncfl.evaluate.measurements import write as write  # callers evaluate and write: both are found here
from ncfl.evaluate.metrics import Reference
from ncfl.methods.interface import Method, stream

if TYPE_CHECKING:
    from ncfl.data.store import Clip, ClipStore


@dataclass(frozen=True)
class DegradedSource:
    """Where a dataset's degraded frames come from: all that decides the numbers a method is fed."""

    dataset: str
    seed: int

    def degraded_frames(self, clip: "Clip", count: int, sigmas: Sequence[float]) -> Iterator[np.ndarray]:
        """Yield the first ``count`` frames with noise, float32 [len(sigmas),H,W,C]: a generator per sigma."""
        generators = [noise_rng(self.seed, self.dataset, clip.name, sigma) for sigma in sigmas]
        # A paired dataset brings its degradation along; of several shots the first is measured.
        footage = clip.frames if clip.degraded is None else clip.degraded[0]
        for t in range(count):
            frame = clip.unit(footage[t])
            yield np.stack(
                [awgn(frame, sigma, rng) if sigma else frame for sigma, rng in zip(sigmas, generators, strict=True)]
            )


class _Restored(NamedTuple):
    """One restored frame, and what to compare it with; frames in model units, float32 [H,W,C], not clipped."""

    frame: int
    sigma: float
    restored: np.ndarray
    degraded: np.ndarray
    clean: np.ndarray
    references: Mapping[str, Reference]  # by space


def evaluate(
    *,
    method: Method,
    store: "ClipStore",
    dataset: str,
    split: str = "test",
    sigmas: Sequence[float],
    max_frames: int | None = None,
    seed: int,
    device: str | torch.device = "cpu",
    keep: Mapping[str, Mapping[str, Any]] | None = None,
    isp: ISP | None = None,
    pixels_per_pass: int = 1 << 20,
    progress: bool = True,
) -> EvaluationFiles:
    """Evaluate ``method`` on one split of a clip store, at each noise level.

    Args:
        method: what restores; see :mod:`ncfl.methods`.
        store: prepared clips; their manifest names the convention by which frames are compared.
        dataset: the name under which figures are reported; the noise's seed depends on it too.
        split: which clips of the store.
        sigmas: noise levels in 0..255; 0 adds none: a paired dataset's degraded frames as they are, or clean frames
            (section 4.3 of the paper).
        max_frames: at most so many frames of a sequence, from its first; None: all.
        seed: seed of the noise.
        device: where the frames are put.
        keep: dataset -> fields of the :class:`~ncfl.evaluate.examples.KeptFrame` to keep as PNG. Where its sigma is not
            among ``sigmas``, nothing is kept, so that experiments with few noise levels can share one setting.
        isp: develops packed raw frames, see :mod:`ncfl.data.isp`; needed where frames are raw.
        pixels_per_pass: noise levels share a pass up to so many pixels (one always runs), which bounds memory and
            changes figures by no more than the rounding of float32.
        progress: whether to show how far it is.

    Raises:
        InputError: no such split, no sigmas or one out of range, channels that the method or the convention doesn't
            take, an unknown convention, frames too small, an example that is not there.
    """
    clips, sigmas = store.split(split), [float(sigma) for sigma in sigmas]
    name = store.manifest.get("convention", "rgb")
    compared = [conventions.named(name, levels=clip.peak - clip.black, isp=isp) for clip in clips]
    _check(method, clips, compared[0], dataset, sigmas, max_frames)
    source = DegradedSource(dataset, seed)
    wanted = find_example((keep or {}).get(dataset), clips, dataset, max_frames)
    frames: list[FrameRow] = []
    examples: dict[str, np.ndarray] = {}
    counts = [clip.shape[0] if max_frames is None else min(clip.shape[0], max_frames) for clip in clips]
    label, shown_on = f"evaluate {method.name} on {dataset}", None if progress else io.StringIO()
    with Progress(sum(counts) * len(sigmas), label, unit="frame", stream=shown_on) as bar:
        for clip, convention, count in zip(clips, compared, counts, strict=True):
            groups = _groups(sigmas, clip, pixels_per_pass)
            restored = _restored(method, source, clip, convention, count, groups, device)
            rows, kept = _measured(restored, dataset, clip.name, convention, wanted, bar)
            frames += sorted(rows, key=lambda row: (row.frame, row.sigma))
            examples |= kept
    sequences = sequence_rows(frames)
    summary = {key: store.manifest[key] for key in ("source", "stand_in", "part") if key in store.manifest}
    summary |= {"convention": name, "split": split, "sequences": len(clips), "frames": sum(counts)}
    summary |= {"max_frames": max_frames, "seed": seed, **means_by_space(sequences, list(compared[0].spaces))}
    return EvaluationFiles(method.name, dataset, frames, sequences, summary, examples)


def _restored(
    method: Method,
    source: DegradedSource,
    clip: "Clip",
    convention: Convention,
    count: int,
    groups: Sequence[Sequence[float]],
    device: str | torch.device,
) -> Iterator[_Restored]:
    """Yield every restored frame, noise level by noise level within a group."""
    for group in groups:
        waiting: deque[np.ndarray] = deque()  # fed, and not yet given back: a window method looks ahead
        inputs = _fed(source.degraded_frames(clip, count, group), waiting, device)
        for t, batch in enumerate(stream(method, inputs, group)):
            clean = clip.unit(clip.frames[t])
            references = {space: Reference(image(clean)) for space, image in convention.spaces.items()}
            images = batch.permute(0, 2, 3, 1).contiguous().cpu().numpy()
            for sigma, restored, degraded in zip(group, images, waiting.popleft(), strict=True):
                yield _Restored(t, sigma, restored, degraded, clean, references)


def _measured(
    restored: Iterator[_Restored],
    dataset: str,
    sequence: str,
    convention: Convention,
    wanted: KeptFrame | None,
    bar: Progress,
) -> tuple[list[FrameRow], dict[str, np.ndarray]]:
    """The rows of a clip, and its pictures where it is the one of the ``wanted`` frame."""
    rows: list[FrameRow] = []
    kept: dict[str, np.ndarray] = {}
    for found in restored:
        of_frame = _rows(dataset, sequence, convention, found)
        rows += of_frame
        bar.update(bar.step + 1, {"psnr": of_frame[0].psnr, "ssim": of_frame[0].ssim})
        if wanted == KeptFrame(sequence, found.frame, found.sigma):
            shown = {key: getattr(found, key) for key in ("clean", "degraded", "restored")}
            kept |= pictures(wanted, convention.picture, **shown)
    return rows, kept


def _fed(batches: Iterator[np.ndarray], waiting: deque[np.ndarray], device: str | torch.device) -> Iterator[Tensor]:
    for batch in batches:
        waiting.append(batch)
        yield torch.from_numpy(batch).permute(0, 3, 1, 2).contiguous().to(device)


def _rows(dataset: str, sequence: str, convention: Convention, found: _Restored) -> list[FrameRow]:
    """One row per space: the quality of the restored frame, and of the degraded one."""
    rows = []
    for space, image in convention.spaces.items():
        reference, restored, degraded = found.references[space], image(found.restored), image(found.degraded)
        before = reference.compare(degraded)
        # The noisy input is a method too, and SSIM costs a hundred times this comparison.
        after = before if np.array_equal(restored, degraded) else reference.compare(restored)
        rows.append(FrameRow(dataset, sequence, found.frame, found.sigma, space, *after, *before))
    return rows


def _groups(sigmas: Sequence[float], clip: "Clip", pixels_per_pass: int) -> list[Sequence[float]]:
    size = max(1, pixels_per_pass // math.prod(clip.shape[1:3]))
    return [sigmas[i : i + size] for i in range(0, len(sigmas), size)]


def _check(
    method: Method,
    clips: "Sequence[Clip]",
    convention: Convention,
    dataset: str,
    sigmas: Sequence[float],
    max_frames: int | None,
) -> None:
    if not sigmas or len(set(sigmas)) != len(sigmas) or not all(0 <= sigma <= 255 for sigma in sigmas):
        raise InputError(f"dataset {dataset}: expected distinct sigmas in 0..255, got {list(sigmas)}")
    if max_frames is not None and max_frames < 1:
        raise InputError(f"dataset {dataset}: max_frames: expected 1 or more, got {max_frames}")
    for clip in clips:
        channels = clip.shape[-1]
        allowed = ((convention, convention.channels, "compares"), (method, method.channels or channels, "takes"))
        for what, wanted, does in allowed:
            if channels != wanted:
                where = f"dataset {dataset}: clip {clip.name}"
                raise InputError(f"{where}: expected {wanted} channels, which {what.name} {does}, got {channels}")
