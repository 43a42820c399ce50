"""A look inside the network at one frame: motion, attention, quantization steps, bits, features."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ncfl.evaluate.examples import find_example, stem
from ncfl.evaluate.protocol import DegradedSource
from ncfl.models.compression import adaptive_quantization, symbol_bits
from ncfl.models.ncfl import NCFL

if TYPE_CHECKING:
    from ncfl.data.store import ClipStore


def can_look_inside(network: Any) -> bool:
    """Whether a network has all that is shown: refined motion, attention, quantized compression (M_f, the W-Net)."""
    return (
        isinstance(network, NCFL)
        and network.attention is not None
        and getattr(network.compression, "prior_model", None) is not None
    )


def of_example(
    network: NCFL,
    *,
    store: "ClipStore",
    dataset: str,
    split: str,
    sigmas: Sequence[float],
    keep: Mapping[str, Any],
    seed: int,
    device: str | torch.device = "cpu",
) -> dict[str, dict[str, np.ndarray]]:
    """What the network meets at the example that :func:`ncfl.evaluate.protocol.evaluate` keeps with these arguments.

    Args:
        network: one of which :func:`can_look_inside` is true, on the device.
        keep: fields of the :class:`~ncfl.evaluate.examples.Example`; the others as for ``evaluate``.

    Returns:
        ``<sequence>_<frame>_sigma<sigma>_inside.npz`` -> the arrays of :func:`look_inside`. Nothing where the example's
        sigma is not among ``sigmas``, or where its frame is a clip's first and has no past.
    """
    example = find_example(keep, store.split(split), dataset, None)
    if example is None or example.sigma not in [float(sigma) for sigma in sigmas] or example.frame == 0:
        return {}
    clip = next(clip for clip in store.split(split) if clip.name == example.sequence)
    frames = DegradedSource(dataset, seed).degraded_frames(clip, example.frame + 1, [example.sigma])
    tensors = (torch.from_numpy(frame).permute(0, 3, 1, 2).contiguous().to(device) for frame in frames)
    return {f"{stem(example)}_inside.npz": look_inside(network, tensors)}


@torch.no_grad()
def look_inside(network: NCFL, frames: Iterable[Tensor]) -> dict[str, np.ndarray]:
    """Restore a clip, and keep what its last frame met on its way.

    Args:
        network: one of which :func:`can_look_inside` is true.
        frames: float32 [1,C,H,W] each, at least two, or the last one has no past.

    Returns:
        float32 arrays: ``mv`` and ``mv_refined`` [2,H,W], SPyNet's motion and the refined one in pixels (x, y);
        ``attention`` [H,W], the map's mean over channels; ``c_check`` and ``c_tilde`` [H,W], the length of the
        features before and after compression; ``step`` and ``bits`` [H/4,W/4], the mean quantization step over the
        latents, and the bits of all latents at a position.

    Raises:
        ValueError: fewer than two frames.
    """
    training, state, count, height, width = network.training, None, 0, 0, 0
    network.eval()
    with _watched(network) as seen:
        for frame in frames:
            state = network(frame, state).state
            height, width = frame.shape[-2:]
            count += 1
    network.train(training)
    if count < 2:
        raise ValueError(f"frames: expected at least 2 to look inside, got {count}")
    found = _of_compression(network, seen["c_check"])
    found |= {"c_tilde": seen["c_tilde"].norm(dim=1)[0], "attention": seen["attention"].mean(1)[0]}
    found |= {key: seen[key][0] for key in ("mv", "mv_refined")}
    # What was padded for the network's scales is cut off again; latents lie four pixels apart.
    size = {key: (-(-height // 4), -(-width // 4)) if key in ("step", "bits") else (height, width) for key in found}
    return {
        key: value[..., : size[key][0], : size[key][1]].float().cpu().numpy() for key, value in sorted(found.items())
    }


def _of_compression(network: NCFL, c_check: Tensor) -> dict[str, Tensor]:
    """The step and the bits of each position, computed again from what the compression read."""
    compression = network.compression
    mu, sigma, q = compression.estimate_prior(c_check)
    _, r = adaptive_quantization(compression.encoder(c_check).float(), mu, q)
    bits = symbol_bits(r, sigma, compression.prior)
    return {"step": q.mean(1)[0], "bits": bits.sum(1)[0], "c_check": c_check.norm(dim=1)[0]}


@contextmanager
def _watched(network: NCFL) -> Iterator[dict[str, Tensor]]:
    """What its modules read and gave in the latest call."""
    seen: dict[str, Tensor] = {}

    def refinement(_module: Any, given: tuple[Tensor, ...], result: Tensor) -> None:
        seen.update(mv=given[0], mv_refined=result)

    def attention(_module: Any, _given: tuple[Tensor, ...], result: Tensor) -> None:
        seen["attention"] = result

    def compression(_module: Any, given: tuple[Tensor, ...], result: Any) -> None:
        seen.update(c_check=given[0], c_tilde=result.c_tilde)

    hooks = [
        network.mv_refinement.register_forward_hook(refinement),
        network.attention.register_forward_hook(attention),
        network.compression.register_forward_hook(compression),
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
