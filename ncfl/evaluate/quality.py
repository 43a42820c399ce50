"""What shipped weights do on clips that no training saw, beside classical filters; resumable figure by figure."""

import hashlib
import itertools
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.common.files import read_json, write_json
from ncfl.data.camera import Camera
from ncfl.data.degradations import awgn, noise_rng
from ncfl.data.variety import as_file
from ncfl.evaluate import conventions, nlm
from ncfl.evaluate.metrics import Reference
from ncfl.evaluate.speed import motion_of_each_frame, range_of, ranges
from ncfl.evaluate.steadiness import Steadiness
from ncfl.media.video import open_frames
from ncfl.methods.interface import Method, Recurrent, stream
from ncfl.methods.median.method import Median
from ncfl.methods.networks import method_of
from ncfl.methods.noisy import Noisy
from ncfl.weights.shipped import Weights

WITHOUT_MEMORY = "without memory"
NLM = "non-local means"
SETTLED = 5  # the frame from which on a recurrent network's memory counts as filled
NOISE = "pretrained"  # the dataset's name in the noise's seed
CACHE_FORMAT = 3  # another one wherever the meaning of a cached figure changes


UNCLIPPED, CLIPPED, GRAY, CAMERA, COMPRESSED = "unclipped", "clipped", "gray", "camera", "compressed"
_RATE_FACTOR = 23  # of H.264, libx264's own choice
KINDS = {
    UNCLIPPED: "the noise as it is, floating point",
    CLIPPED: "the noise clipped and rounded to 8 bits, as in a file",
    GRAY: "the clip's luma in three channels with one noise in all of them, clipped and rounded",
    CAMERA: "shot and read noise of a mosaic's light, of that sigma in the middle of green's range, developed by a "
    f"plain ISP, then H.264 with rate factor {_RATE_FACTOR}",
    COMPRESSED: f"clipped white noise, then H.264 with rate factor {_RATE_FACTOR}",
}


class CleanClip(NamedTuple):
    """A clip to measure on: its name, its frames (uint8 RGB [H,W,3]) and the SHA-256 of these."""

    name: str
    frames: list[np.ndarray]
    sha256: str


class WithoutMemory:
    """A recurrent method that forgets everything before each frame: what its memory is worth is the difference."""

    blind: bool
    channels: int | None

    def __init__(self, method: Recurrent) -> None:
        self._method = method
        self.name, self.blind, self.channels = WITHOUT_MEMORY, method.blind, method.channels

    def step(self, frame: Tensor, state: Any, sigma: Tensor | None) -> tuple[Tensor, Any]:
        """Restore ``frame`` as a clip's first; see :meth:`ncfl.methods.interface.Recurrent.step`."""
        return self._method.step(frame, None, sigma)[0], None


def read_clip(path: Path, frames: int) -> CleanClip:
    """The first ``frames`` frames of a video or of a folder of pictures, at its own resolution.

    Raises:
        InputError: as :func:`ncfl.media.video.open_frames`.
    """
    path = Path(path)
    with open_frames(path) as reader:
        found = list(itertools.islice(reader, frames))
    digest = hashlib.sha256()
    for frame in found:
        digest.update(f"{frame.shape}{frame.dtype}".encode() + np.ascontiguousarray(frame).tobytes())
    return CleanClip(path.name if path.is_dir() else path.stem, found, digest.hexdigest())


def noisy_frames(footage: CleanClip, sigma: float, seed: int, kind: str = UNCLIPPED) -> Iterator[np.ndarray]:
    """The clip with noise of one of :data:`KINDS`, float32 [H,W,3] each."""
    rng = noise_rng(seed, NOISE, footage.name, sigma)
    if kind in (CAMERA, COMPRESSED):
        camera = Camera(sigma, mosaic=kind == CAMERA, codec="h264", quality=_RATE_FACTOR)
        clean = np.stack([_unit(frame) for frame in footage.frames]).transpose(0, 3, 1, 2)
        yield from camera.film(clean, rng).transpose(0, 2, 3, 1)
        return
    for frame in footage.frames:
        clean = _unit(frame)
        noisy = awgn(clean[..., :1] if kind == GRAY else clean, sigma, rng)
        yield np.broadcast_to(noisy if kind == UNCLIPPED else as_file(noisy), clean.shape)


def in_kind(footage: CleanClip, kind: str) -> CleanClip:
    """What noise of that kind is added to: the clip, or its luma in three channels."""
    if kind != GRAY:
        return footage
    luma = (cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in footage.frames)
    return footage._replace(frames=[cv2.cvtColor(one, cv2.COLOR_GRAY2RGB) for one in luma])


def methods(weights: Weights, *, with_nlm: bool, channels_last: bool = True) -> dict[str, Method | None]:
    """What is measured, by name; None stands for non-local means, which takes a whole clip and the noise level.

    Raises:
        InputError: weights that are damaged, or of a network that restores nothing by itself.
    """
    network = method_of(weights.load(), name=weights.name, channels_last=channels_last)
    found: dict[str, Method | None] = {"noisy": Noisy(), "median 3x3": Median(3), "median 5x5": Median(5)}
    if with_nlm:
        found[NLM] = None
    if isinstance(network, Recurrent):
        found[WITHOUT_MEMORY] = WithoutMemory(network)
    return found | {weights.name: network}


def measure(
    *,
    weights: Weights,
    clips: Sequence[Path],
    sigmas: Sequence[float],
    frames: int,
    seed: int,
    cache: Path,
    with_nlm: bool = True,
    kinds: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """PSNR and SSIM of every frame, by clip, noise level and method.

    Args:
        weights: what is measured; see :func:`ncfl.weights.shipped.find`.
        clips: videos or folders of pictures, RGB of 8 bits.
        sigmas: noise levels, 0..255.
        frames: at most so many of each clip, from its first.
        seed: of the noise.
        cache: a JSON file; what it holds of the same file, clip and settings is not measured again.
        with_nlm: whether to run non-local means, the slowest of the filters.
        kinds: further :data:`KINDS` of noise, on which the network is measured beside its input and without memory.
        say: told what is going on.

    Returns:
        ``clips``: name -> ``frames``, ``height``, ``width``, ``sha256`` and ``levels``: sigma as text -> method -> the
        lists ``psnr`` (dB) and ``ssim``, a number per frame, and ``by_motion``, see :func:`quality`. ``kinds``: kind ->
        such levels of the network, its input and the network without memory.

    Raises:
        InputError: no such clip, two of one name, a number out of range, damaged weights.
    """
    _check(sigmas, frames, kinds)
    compared = methods(weights, with_nlm=with_nlm)
    asked = _Asked(weights, compared, sigmas, seed, _Cache(cache), say)
    networks = [name for name in ("noisy", WITHOUT_MEMORY, weights.name) if name in compared]
    found: dict[str, Any] = {"clips": {}}
    for path in clips:
        footage = read_clip(path, frames)
        if footage.name in found["clips"]:
            raise InputError(f"{path}: expected clips of different names, got a second {footage.name!r}; rename one")
        motions = motion_of_each_frame(footage.frames, SETTLED) if len(footage.frames) > SETTLED else []
        of_kinds = {
            kind: asked.levels(in_kind(footage, kind), motions, kind, names)
            for kind, names in {UNCLIPPED: list(compared), **dict.fromkeys(kinds, networks)}.items()
        }
        height, width = footage.frames[0].shape[:2]
        found["clips"][footage.name] = {
            "frames": len(footage.frames),
            "height": height,
            "width": width,
            "sha256": footage.sha256,
            "levels": of_kinds.pop(UNCLIPPED),
            "kinds": of_kinds,
        }
    return found


class _Asked(NamedTuple):
    """What :func:`measure` was asked for, and what is known of it."""

    weights: Weights
    compared: Mapping[str, Method | None]
    sigmas: Sequence[float]
    seed: int
    known: "_Cache"
    say: Callable[[str], None]

    def levels(
        self, footage: CleanClip, motions: list[np.ndarray], kind: str, names: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """sigma -> method -> :func:`quality`, measured where it is not known."""
        return {
            f"{sigma:g}": {name: self._one(footage, motions, kind, sigma, name) for name in names}
            for sigma in self.sigmas
        }

    def _one(self, footage: CleanClip, motions: list[np.ndarray], kind: str, sigma: float, name: str) -> dict[str, Any]:
        learned = self.weights.sha256 if name in (self.weights.name, WITHOUT_MEMORY) else ""
        key = [name, learned, footage.name, footage.sha256, f"{sigma:g}", self.seed, kind]
        self.say(f"{footage.name}, sigma {sigma:g}, {kind}: {name}")
        method = self.compared[name]
        return self.known.get(key, lambda: quality(method, footage, sigma, self.seed, kind, motions))


def temporal_gain(levels: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, dict[str, float]]:
    """What memory is worth: differences in dB at frame 0, and as the mean from frame :data:`SETTLED` on.

    The frames of a clip differ in difficulty, so a rise of PSNR over them says nothing by itself: the network is held
    against itself without memory, and against a median, on the same frames.

    Args:
        levels: sigma -> method -> ``psnr`` per frame, as :func:`measure` gives.
        name: the network's.

    Returns:
        sigma -> ``first``, ``settled`` (PSNR of the network, dB), and for each of ``without memory`` and ``median 5x5``
        that was measured ``over ... first`` and ``over ... settled``. Empty for clips of fewer frames.
    """
    found = {}
    for sigma, by_method in levels.items():
        own = by_method[name]["psnr"]
        if len(own) <= SETTLED:
            continue
        found[sigma] = {"first": own[0], "settled": statistics.fmean(own[SETTLED:])}
        for other in (WITHOUT_MEMORY, "median 5x5"):
            if other in by_method:
                gains = [a - b for a, b in zip(own, by_method[other]["psnr"], strict=True)]
                found[sigma][f"over {other} first"] = gains[0]
                found[sigma][f"over {other} settled"] = statistics.fmean(gains[SETTLED:])
    return found


def worth_by_motion(levels: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, dict[str, float]]:
    """What memory is worth where things move so fast: from frame :data:`SETTLED` on.

    Args:
        levels: sigma -> method -> ``by_motion``, as :func:`measure` gives.
        name: the network's.

    Returns:
        sigma -> range of motion -> dB: the mean squared error without memory over that with it. Empty without figures
        of the network without memory, and for clips that are too short.
    """
    return {
        sigma: {
            moved: 10 * float(np.log10(alone / max(own, 1e-12)))
            for moved, (own, _) in by_method[name]["by_motion"].items()
            for alone in (by_method[WITHOUT_MEMORY]["by_motion"][moved][0],)
        }
        for sigma, by_method in levels.items()
        if WITHOUT_MEMORY in by_method and by_method[name]["by_motion"]
    }


def quality(
    method: Method | None,
    footage: CleanClip,
    sigma: float,
    seed: int,
    kind: str = UNCLIPPED,
    motions: Sequence[np.ndarray] = (),
) -> dict[str, Any]:
    """How near a restoration comes.

    Args:
        method: None stands for non-local means.
        footage: the clip, of ``kind``; sigma, seed, kind: the noise that is added.
        motions: of the clean frames from :data:`SETTLED` on, as :func:`ncfl.evaluate.speed.motion_of_each_frame` gives.

    Returns:
        ``psnr`` (dB) and ``ssim`` of every frame; ``by_motion``: range -> mean squared error of frames in [0,1], and
        the pixels that it is the mean of; ranges that no pixel is in are left out. ``steadiness``: the correlation of
        errors with those of the frame before (:mod:`ncfl.evaluate.steadiness`); None without motions.
    """
    image = conventions.rgb().spaces["rgb"]
    noisy = noisy_frames(footage, sigma, seed, kind)
    if method is None:
        restored: Iterator[np.ndarray] = iter(nlm.denoise(list(noisy), nlm.strength(sigma)))
    else:
        given = (torch.from_numpy(frame.transpose(2, 0, 1)[None].copy()) for frame in noisy)
        restored = (out[0].permute(1, 2, 0).contiguous().numpy() for out in stream(method, given, sigma))
    names, found, steady = ranges(), [], Steadiness()
    squares, pixels = np.zeros(len(names)), np.zeros(len(names), np.int64)
    for t, (clean, frame) in enumerate(zip(footage.frames, restored, strict=True)):
        target, shown = image(_unit(clean)), image(frame)
        found.append(Reference(target).compare(shown))
        if motions and t >= SETTLED - 1:
            steady.add(shown - target, motions[t - SETTLED] if t >= SETTLED else None)
        if motions and t >= SETTLED:
            where = range_of(motions[t - SETTLED]).ravel()
            pixels += np.bincount(where, minlength=len(names))
            squares += np.bincount(where, np.square(target - shown).mean(2).ravel(), len(names))
    correlation = steady.correlation()
    return {
        "psnr": [round(one.psnr, 4) for one in found],
        "ssim": [round(one.ssim, 6) for one in found],
        "by_motion": {
            name: [float(f"{square / count:.6g}"), int(count)]
            for name, square, count in zip(names, squares, pixels, strict=True)
            if count
        },
        "steadiness": None if correlation is None else round(correlation, 4),
    }


class _Cache:
    """Figures by what they were measured of, written after each."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        content = read_json(self.path) if self.path.exists() else {}
        fits = isinstance(content, dict) and content.get("format") == CACHE_FORMAT
        self._known: dict[str, Any] = content["figures"] if fits else {}

    def get(self, key: list[Any], measured: Callable[[], Any]) -> Any:
        text = " | ".join(str(part) for part in key)
        if text not in self._known:
            self._known[text] = measured()
            write_json(self.path, {"format": CACHE_FORMAT, "figures": self._known})
        return self._known[text]


def _unit(frame: np.ndarray) -> np.ndarray:
    return frame.astype(np.float32) / np.float32(255)


def _check(sigmas: Sequence[float], frames: int, kinds: Sequence[str]) -> None:
    further = [kind for kind in KINDS if kind != UNCLIPPED]
    if len(set(kinds)) != len(kinds) or not set(kinds) <= set(further):
        raise InputError(f"kinds: expected distinct ones of {', '.join(further)}, got {list(kinds)}")
    if not sigmas or len(set(sigmas)) != len(sigmas) or not all(0 <= sigma <= 255 for sigma in sigmas):
        raise InputError(f"sigmas: expected distinct numbers in 0..255, got {list(sigmas)}")
    if frames < 1:
        raise InputError(f"frames: expected 1 or more, got {frames}")
