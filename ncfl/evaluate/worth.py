"""What a recurrent method's memory is worth, and what it costs.

Frames differ in difficulty, so a PSNR that rises over a clip proves nothing. The same method with its memory emptied
before every frame sees the same frames; the gain over it, once the memory had time to fill, is what the past is worth.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ncfl.evaluate.protocol import Source
from ncfl.methods.interface import Method, Recurrent
from ncfl.models.compression import NeuralCompression, adaptive_quantization

if TYPE_CHECKING:
    from ncfl.data.store import Clip, ClipStore

FIRST = 5  # frame, from 0; of a shorter clip the last


@torch.no_grad()
def worth_of_memory(
    *,
    method: Method,
    store: "ClipStore",
    dataset: str,
    split: str,
    sigmas: Sequence[float],
    max_frames: int | None,
    seed: int,
    device: str | torch.device = "cpu",
) -> dict[str, dict[str, float]] | None:
    """Measure on the frames that :func:`ncfl.evaluate.protocol.evaluate` feeds; arguments as there.

    Returns:
        Noise level -> ``worth`` (dB: PSNR with the memory less PSNR with it emptied, means over frames and then
        sequences); where latents are quantized also ``bits_per_pixel`` and ``nonzero``, the share of symbols that are
        not zero, of frames with a past. None for a method that is not recurrent, or that keeps nothing.
    """
    if not isinstance(method, Recurrent):
        return None
    source, clips = Source(dataset, seed), []
    with _watched(method) as codes:
        for clip in store.split(split):
            count = clip.shape[0] if max_frames is None else min(clip.shape[0], max_frames)
            found = _of_clip(method, source, clip, count, [float(sigma) for sigma in sigmas], device, codes)
            if found is None:
                return None
            clips.append(found)
    return {
        f"{sigma:g}": {key: round(float(np.mean([clip[key][i] for clip in clips])), 4) for key in clips[0]}
        for i, sigma in enumerate(sigmas)
    }


def _of_clip(
    method: Recurrent,
    source: Source,
    clip: "Clip",
    count: int,
    sigmas: Sequence[float],
    device: str | torch.device,
    codes: list[Mapping[str, Tensor]],
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
            rows.append({"worth": _psnr(restored, clean) - _psnr(alone, clean), **of_frame})
    return {key: np.mean([row[key] for row in rows], axis=0) for key in rows[0]}


def _psnr(restored: Tensor, clean: Tensor) -> np.ndarray:
    errors = (restored.float().clamp(0, 1) - clean).square().mean((1, 2, 3))
    return -10 * np.log10(np.maximum(errors.cpu().numpy(), 1e-10))


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
