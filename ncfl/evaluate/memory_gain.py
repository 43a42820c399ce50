"""The gain of a recurrent method's memory (what it is worth, in dB), and what it costs.

Frames differ in difficulty, so a PSNR that rises over a clip proves nothing. The same method with its memory emptied
before every frame sees the same frames; the gain over it, once the memory had time to fill, is what the past is worth.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ncfl.evaluate.protocol import DegradedSource
from ncfl.evaluate.speed import range_of, ranges
from ncfl.methods.interface import Method, Recurrent
from ncfl.models.compression import NeuralCompression, adaptive_quantization

if TYPE_CHECKING:
    from ncfl.data.store import Clip, ClipStore

Motion = Callable[[int, int], np.ndarray]
FIRST = 5  # frame, from 0; of a shorter clip the last


@torch.no_grad()
def memory_gain(
    *,
    method: Method,
    store: "ClipStore",
    dataset: str,
    split: str,
    sigmas: Sequence[float],
    max_frames: int | None,
    seed: int,
    device: str | torch.device = "cpu",
    motion: Motion | None = None,
) -> dict[str, dict[str, Any]] | None:
    """Measure on the frames that :func:`ncfl.evaluate.protocol.evaluate` feeds; other arguments as there.

    Args:
        motion: (number of a clip, frame) -> the exact backward motion there, [H,W,2], pixels, where it is known.

    Returns:
        Noise level -> ``worth`` (dB: PSNR with the memory less PSNR with it emptied, means over frames and then
        sequences); where latents are quantized also ``bits_per_pixel`` and ``nonzero``, the share of symbols that are
        not zero, of frames with a past; where motion is known also ``by_motion``: range of motion -> dB, the squared
        error of all its pixels with the memory emptied over that with it. None for a method that is not recurrent, or
        that keeps nothing.
    """
    if not isinstance(method, Recurrent):
        return None
    source, clips, moving = DegradedSource(dataset, seed), [], None if motion is None else _ByMotion(len(sigmas))
    with _watched(method) as codes:
        for number, clip in enumerate(store.split(split)):
            count = clip.shape[0] if max_frames is None else min(clip.shape[0], max_frames)
            if motion is not None and moving is not None:
                moving.find = functools.partial(motion, number)
            found = _of_clip(method, source, clip, count, [float(sigma) for sigma in sigmas], device, codes, moving)
            if found is None:
                return None
            clips.append(found)
    means = {
        f"{sigma:g}": {key: round(float(np.mean([clip[key][i] for clip in clips])), 4) for key in clips[0]}
        for i, sigma in enumerate(sigmas)
    }
    if moving is not None:
        for row, by_motion in zip(means.values(), moving.worth(), strict=True):
            row["by_motion"] = by_motion
    return means


def _of_clip(
    method: Recurrent,
    source: DegradedSource,
    clip: "Clip",
    count: int,
    sigmas: Sequence[float],
    device: str | torch.device,
    codes: list[Mapping[str, Tensor]],
    moving: "_ByMotion | None",
) -> dict[str, np.ndarray] | None:
    """Means over the frames from :data:`FIRST` on, one value per noise level."""
    state, rows, levels = None, [], torch.tensor(sigmas, device=device)
    told = None if method.blind else levels
    for t, frames in enumerate(source.degraded_frames(clip, count, sigmas)):
        x_t = torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous().to(device)
        codes.clear()
        restored, state = method.step(x_t, state, told)
        if state is None:
            return None
        of_frame = {key: value.cpu().numpy() for key, value in codes[0].items()} if codes else {}
        if t >= min(FIRST, count - 1):
            alone, _ = method.step(x_t, None, told)
            clean = torch.from_numpy(clip.unit(clip.frames[t])).permute(2, 0, 1).to(device)
            kept, emptied = _squares(restored, clean), _squares(alone, clean)
            rows.append({"worth": _psnr(kept) - _psnr(emptied), **of_frame})
            if moving is not None and t:
                moving.add(t, kept, emptied)
    return {key: np.mean([row[key] for row in rows], axis=0) for key in rows[0]}


class _ByMotion:
    """Squared errors with the memory and with it emptied, summed up by range of motion, for each noise level."""

    find: Callable[[int], np.ndarray]  # the motion in a frame of the clip that is under way

    def __init__(self, levels: int) -> None:
        self.kept, self.emptied = (np.zeros((levels, len(ranges()))) for _ in range(2))

    def add(self, t: int, kept: np.ndarray, emptied: np.ndarray) -> None:
        """Squared errors of frame ``t``, [levels,H,W] each."""
        where = range_of(self.find(t)).ravel()
        for sums, squares in ((self.kept, kept), (self.emptied, emptied)):
            for level, of_level in enumerate(squares):
                sums[level] += np.bincount(where, of_level.ravel(), sums.shape[1])

    def worth(self) -> list[dict[str, float]]:
        """For each level: range -> dB, without those that no pixel is in."""
        return [
            {name: round(10 * float(np.log10(alone / own)), 4) for name, own, alone in rows if own > 0 and alone > 0}
            for rows in (zip(ranges(), *both, strict=True) for both in zip(self.kept, self.emptied, strict=True))
        ]


def _squares(restored: Tensor, clean: Tensor) -> np.ndarray:
    """[levels,C,H,W] and [C,H,W] in [0,1] -> the squared error of each pixel, [levels,H,W]."""
    return (restored.float().clamp(0, 1) - clean).square().mean(1).cpu().numpy()


def _psnr(squares: np.ndarray) -> np.ndarray:
    return -10 * np.log10(np.maximum(squares.mean((1, 2)), 1e-10))


@contextmanager
def _watched(method: Any) -> Iterator[list[Mapping[str, Tensor]]]:
    """A list that gets what the latents of each frame cost, per clip of the batch, while the block lasts."""
    codes: list[Mapping[str, Tensor]] = []
    compression = getattr(getattr(method, "model", None), "compression", None)
    if not isinstance(compression, NeuralCompression) or compression.prior_model is None:
        yield codes
        return

    def note(module: NeuralCompression, inputs: tuple[Tensor], compressed: Any) -> None:
        (c_check,) = inputs
        prior = module.estimate_prior(c_check)
        _, r = adaptive_quantization(module.encoder(c_check).float(), prior.mu, prior.q)
        bits = compressed.bits / c_check[0, 0].numel()
        codes.append({"bits_per_pixel": bits, "nonzero": (r.round() != 0).float().mean((1, 2, 3))})

    hook = compression.register_forward_hook(note)
    try:
        yield codes
    finally:
        hook.remove()
