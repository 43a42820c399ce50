"""Restoring frames that are arrays: clips in memory, or streams of any length."""

import warnings
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np

from ncfl.common.errors import InputError
from ncfl.restoring.limits import MIN_SIZE, PEAKS

if TYPE_CHECKING:
    from torch import Tensor

    from ncfl.methods.interface import Method

LOOKED_AT = 5  # frames, for the noise level of a method that must be told it
_FLOATS = (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64))


def load_method(name: str | Path, *, device: str = "auto") -> "Method":
    """A method of video restoration, ready for :func:`restore`.

    Args:
        name: weights that ship (``ncfl weights`` lists them); a compared method (``ncfl methods`` lists them), with its
            imported official weights or with those of its own training in this project; or a file: ``.safetensors``
            with its index beside it, the ``checkpoint.pt`` of a training, ``.onnx`` of ``ncfl export``.
        device: auto, cpu or cuda.

    Returns:
        An object with ``name``, ``blind`` (whether it needs no noise level) and ``channels``; its shapes are those of
        :mod:`ncfl.methods.interface`.

    Raises:
        InputError: an unknown name, a file that is missing, damaged or of another program, weights that are not here.
    """
    from ncfl.common.device import pick_device
    from ncfl.export.onnx_method import OnnxMethod
    from ncfl.steps.restoring import choose
    from ncfl.weights.shipped import shipped

    place, text = pick_device(device), str(name)
    suffix = Path(text).suffix.lower()
    if suffix == ".onnx":
        return OnnxMethod(Path(text))
    kind = "checkpoint" if suffix == ".pt" else "weights" if suffix == ".safetensors" or text in shipped() else "method"
    return choose(**{kind: Path(text) if kind == "checkpoint" else text}, place=place)


@overload
def restore(
    frames: np.ndarray,
    sigma: float | None = None,
    weights: str | Path | None = None,
    *,
    method: "str | Method | None" = None,
    device: str = "auto",
    cuts: bool = True,
) -> np.ndarray: ...
@overload
def restore(
    frames: Iterable[np.ndarray],
    sigma: float | None = None,
    weights: str | Path | None = None,
    *,
    method: "str | Method | None" = None,
    device: str = "auto",
    cuts: bool = True,
) -> Iterator[np.ndarray]: ...
def restore(
    frames: np.ndarray | Iterable[np.ndarray],
    sigma: float | None = None,
    weights: str | Path | None = None,
    *,
    method: "str | Method | None" = None,
    device: str = "auto",
    cuts: bool = True,
) -> np.ndarray | Iterator[np.ndarray]:
    """Restore the frames of one clip, in order.

    Args:
        frames: RGB. An array [T,H,W,3], or one frame [H,W,3]; or an iterable of frames [H,W,3] of one size, of any
            length. Height and width are at least 16 pixels. uint8 is 0..255, uint16 is 0..65535, floating point is
            0..1 (noise may leave it).
        sigma: standard deviation of the noise on the scale 0..255, for methods that must be told it. Where it is None,
            it is estimated from the first five frames. The weights that ship find the noise by themselves.
        weights: the name of weights that ship, or a file, as :func:`load_method` takes it. Where both this and
            ``method`` are None, those that suit the noise of the first five frames are taken, white or a camera's.
        method: the name of a compared method, or what :func:`load_method` gave, which spares loading it again.
        device: auto, cpu or cuda; where ``method`` comes from :func:`load_method`, the one that was given there.
        cuts: whether what the method remembers ends where the scene changes.

    Returns:
        An array of the same shape and type for an array. For an iterable an iterator, a frame for each frame; it
        holds no more of them than the method looks at, so memory does not grow with the length. Floating point is
        clipped to 0..1.

    Raises:
        InputError: no such weights or method, both of them, frames of another kind, size or type, a noise level out of
            0..255. What is wrong with a frame of an iterable is raised when its turn comes.
    """
    if weights is not None and method is not None:
        raise InputError("restore: expected weights or method, got both")
    if sigma is not None and not 0 <= sigma <= 255:
        raise InputError(f"sigma: expected 0..255, got {sigma}")
    given = weights if method is None else method
    if isinstance(given, str | Path):
        given = load_method(given, device=device)
    if sigma is not None and given is not None and given.blind:
        _warn_of_unused(given, sigma)
    restored = partial(_restored, given, sigma=sigma, device=device, cuts=cuts)
    if not isinstance(frames, np.ndarray):
        return restored(iter(frames))
    clip = frames if frames.ndim == 4 else frames[None]
    found = np.empty_like(clip)
    for place, frame in zip(found, restored(iter(clip)), strict=True):
        place[...] = frame
    return found.reshape(frames.shape)


def _warn_of_unused(method: "Method", sigma: float) -> None:
    from ncfl.methods.learned import unused

    warnings.warn(f"sigma is not used: {unused(method, sigma)}", stacklevel=3)


def _suited(frames: list[np.ndarray], device: str) -> "Method":
    """The weights that ship for such noise."""
    from ncfl.restoring.whiteness import whiteness_of_frames
    from ncfl.weights.shipped import suited

    return load_method(suited(whiteness_of_frames(_as_levels(frames))).name, device=device)


def _restored(
    method: "Method | None", frames: Iterator[np.ndarray], *, sigma: float | None, device: str, cuts: bool
) -> Iterator[np.ndarray]:
    from ncfl.common.device import pick_device
    from ncfl.restoring.shots import Shots

    first = next(frames, None)
    if first is None:
        return
    _check_first(first)
    checked = (_alike(first, frame, t) for t, frame in enumerate(chain([first], frames)))
    if method is None or (sigma is None and not method.blind):
        looked_at = list(islice(checked, LOOKED_AT))
        checked = chain(looked_at, checked)
        if method is None:
            method = _suited(looked_at, device)
            if sigma is not None:
                _warn_of_unused(method, sigma)
        elif sigma is None:
            sigma = _noise(looked_at)
    shots = Shots(method, sigma, device=pick_device(device), cuts=cuts)
    for frame in shots.restore(checked):
        yield _to_array(frame, first.dtype)


def _noise(frames: list[np.ndarray]) -> float:
    from ncfl.restoring.noise import estimate_frame

    return min(255.0, float(np.median([estimate_frame(frame) for frame in _as_levels(frames)])))


def _as_levels(frames: list[np.ndarray]) -> Iterator[np.ndarray]:
    """As :func:`ncfl.restoring.noise.estimate_frame` takes them."""
    return (frame if frame.dtype in PEAKS else frame.astype(np.float32) * 255 for frame in frames)


def _check_first(frame: np.ndarray) -> None:
    shape, kind = getattr(frame, "shape", None), getattr(frame, "dtype", None)
    if shape is None or len(shape) != 3 or shape[2] != 3 or min(shape[:2]) < MIN_SIZE:
        found = list(shape) if shape is not None else type(frame).__name__
        raise InputError(f"frames: expected [H,W,3] with height and width of at least {MIN_SIZE}, got {found}")
    if kind not in (*PEAKS, *_FLOATS):
        raise InputError(f"frames: expected uint8, uint16, or floating point in 0..1, got {kind}")
    if kind in _FLOATS and not -0.5 <= float(np.mean(frame, dtype=np.float64)) <= 1.5:
        raise InputError(
            f"frames: expected floating point in 0..1 (divide by the peak), got a mean of {np.mean(frame):.3g}"
        )


def _alike(first: np.ndarray, frame: np.ndarray, t: int) -> np.ndarray:
    if frame.shape != first.shape or frame.dtype != first.dtype:
        found, allowed = (f"{each.dtype} {list(each.shape)}" for each in (frame, first))
        raise InputError(f"frame {t}: expected {allowed} as in frame 0, got {found}")
    if frame.dtype in _FLOATS and not np.isfinite(frame).all():
        raise InputError(f"frame {t}: expected finite values, got others")
    return frame


def _to_array(frame: "Tensor", kind: np.dtype) -> np.ndarray:
    values = frame[0].clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    if kind in PEAKS:
        return (values.astype(np.float64) * PEAKS[kind]).round().astype(kind)
    return values.astype(kind)
