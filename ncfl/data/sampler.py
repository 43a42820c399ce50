"""Training batches as a pure function of (seed, iteration): a resumed training needs no generator's state."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.data import bayer, camera
from ncfl.data.degradations import awgn
from ncfl.data.store import Clip, ClipStore
from ncfl.data.variety import PLAIN, Drawn, Variety, as_file, draw, grayed


class Batch(NamedTuple):
    """One training batch, on the CPU.

    Attributes:
        clean: float32 [B,T,C,h,w] in [0,1].
        noisy: the same shape; not clipped, but where a clip is drawn to be. A paired dataset's degraded frames, or
            clean ones with noise; ``clean`` itself where there is none.
        sigma: float32 [B], 0..255 scale.
        clips: B names.
    """

    clean: Tensor
    noisy: Tensor
    sigma: Tensor
    clips: list[str]


class TrainingSampler:
    """Draws clips, windows, patches, flips, transpositions and noise.

    A clip is drawn uniformly, then its window of ``frames`` consecutive frames, then a patch; all of a window
    shares one patch, one flip and one noise level. With a paired dataset the stored degraded frames take the
    place of noise; where it has several shots, each frame's is drawn by itself, as their noise is independent.
    Raw frames are flipped and transposed such that they keep their Bayer pattern (:mod:`ncfl.data.bayer`).

    Args:
        store: prepared clips.
        split: which of them.
        patch: height and width, pixels (packed ones for raw frames).
        frames: consecutive frames per clip.
        batch: clips per batch.
        seed: of all that is drawn.
        sigma: noise level in 0..255: a (low, high) range to draw from per clip, one number, or None for
            clean frames.
        variety: clipped noise, gray clips, cuts and speeds; none of it where it is not given. What it draws comes from
            a generator of its own, so that all else is the same with it and without.

    Raises:
        InputError: a clip that is shorter than the window or smaller than the patch, named; a variety of frames that
            are raw or degraded already.
    """

    def __init__(
        self,
        store: ClipStore,
        *,
        split: str = "train",
        patch: int,
        frames: int,
        batch: int,
        seed: int,
        sigma: tuple[float, float] | float | None = (0.0, 55.0),
        variety: Variety = PLAIN,
    ) -> None:
        self.clips = store.split(split)
        self.variety = variety.checked("training")
        self.patch, self.frames, self.batch_size, self.seed = patch, frames, batch, seed
        low_high = (0.0, 0.0) if sigma is None else (sigma, sigma) if isinstance(sigma, int | float) else sigma
        self.sigma = (float(low_high[0]), float(low_high[1]))
        for clip in self.clips:
            self._check(clip)
        if self.sigma[1] > 0 and any(clip.degraded_paths for clip in self.clips):
            raise InputError(
                f"{store.root}: training.sigma: expected null, since its frames are degraded already, got {sigma}"
            )
        if variety != PLAIN and any(clip.degraded_paths or clip.bayer for clip in self.clips):
            raise InputError(
                f"{store.root}: training.clipped, gray, cuts, speeds and camera: expected 0, 0, 0, [1] and 0, since "
                f"its frames are raw or degraded already, got {variety.clipped:g}, {variety.gray:g}, {variety.cuts:g}, "
                f"{list(variety.speeds)} and {variety.camera:g}"
            )

    def batch(self, iteration: int) -> Batch:
        """The batch of one iteration, the same whenever and wherever it is asked for."""
        rng = np.random.default_rng((self.seed, iteration))
        clips = [self.clips[i] for i in rng.integers(len(self.clips), size=self.batch_size)]
        sigma = rng.uniform(*self.sigma, size=self.batch_size).astype(np.float32)
        if self.variety != PLAIN:
            return self._varied(clips, sigma, rng, iteration)
        pairs = [self._window(clip, rng) for clip in clips]
        clean = torch.from_numpy(np.stack([clean for clean, _ in pairs]))
        if pairs[0][1] is not None:
            noisy = torch.from_numpy(np.stack([degraded for _, degraded in pairs]))
        elif self.sigma[1] > 0:
            noisy = torch.from_numpy(awgn(clean.numpy(), sigma[:, None, None, None, None], rng))
        else:
            noisy = clean
        return Batch(clean, noisy, torch.from_numpy(sigma), [clip.name for clip in clips])

    def _varied(self, clips: list[Clip], sigma: np.ndarray, rng: np.random.Generator, iteration: int) -> Batch:
        own, cameras = (np.random.default_rng((self.seed, iteration, number)) for number in (1, 2))
        clean, noisy, names = [], [], []
        for number, (clip, level) in enumerate(zip(clips, sigma, strict=True)):
            drawn = draw(self.variety, own, self.frames)
            shown = [clip] if drawn.cut == self.frames else [clip, self.clips[own.integers(len(self.clips))]]
            frames = np.concatenate(
                [
                    self._window(clip, rng, drawn.speed)[0][part]
                    for clip, part in zip(shown, _parts(drawn), strict=False)
                ]
            )
            frames = grayed(frames) if drawn.gray else frames
            degraded = awgn(frames[:, :1] if drawn.gray else frames, level, rng)
            degraded = np.broadcast_to(degraded, frames.shape)
            clean.append(frames)
            if cameras.random() < self.variety.camera:
                filming = camera.drawn(cameras)
                sigma[number], degraded = filming.sigma, filming.film(frames, cameras)
                degraded = grayed(degraded) if drawn.gray else degraded
            noisy.append(as_file(degraded) if drawn.clipped else degraded)
            names.append(" then ".join(clip.name for clip in shown))
        return Batch(*(torch.from_numpy(np.stack(side)) for side in (clean, noisy)), torch.from_numpy(sigma), names)

    def _check(self, clip: Clip) -> None:
        frames, height, width, _ = clip.shape
        if frames < self.frames:
            raise InputError(
                f"{clip.path}: clip {clip.name}: expected at least {self.frames} frames in a row, for "
                f"training, got {frames}; use longer clips or fewer frames"
            )
        needed = self._read(clip)
        if min(height, width) < needed:
            margin = f" and {needed - self.patch} more for flips that keep the Bayer pattern" if clip.bayer else ""
            raise InputError(
                f"{clip.path}: clip {clip.name}: expected at least the {self.patch} x {self.patch} pixels of a patch"
                f"{margin}, got {height} x {width}; use larger clips or a smaller patch"
            )
        if clip.shape[3] != self.clips[0].shape[3]:
            raise InputError(
                f"{clip.path}: clip {clip.name}: expected {self.clips[0].shape[3]} channels, as clip "
                f"{self.clips[0].name} has, got {clip.shape[3]}"
            )

    def _read(self, clip: Clip) -> int:
        """Height and width of what is read for a patch: flips that keep a Bayer pattern need a margin."""
        return self.patch + (1 if clip.bayer else 0)

    def _window(self, clip: Clip, rng: np.random.Generator, speed: int = 1) -> tuple[np.ndarray, np.ndarray | None]:
        """One window as float32 [T,C,h,w], and the same of its degraded frames where they are stored."""
        frames, height, width, _ = clip.shape
        size = self._read(clip)
        speed = min(speed, (frames - 1) // max(self.frames - 1, 1)) if speed > 1 else 1
        last = (self.frames - 1) * speed
        first = int(rng.integers(frames - last))
        top = int(rng.integers(height - size + 1))
        left = int(rng.integers(width - size + 1))
        flips = rng.integers(2, size=3)
        part = np.s_[top : top + size, left : left + size]

        def patch(stored: np.ndarray) -> np.ndarray:
            if clip.bayer:
                stored = bayer.augment(stored, tuple(flips.astype(bool)), clip.bayer)
                return clip.unit(np.ascontiguousarray(stored.transpose(0, 3, 1, 2)))
            return clip.unit(_augment(stored, flips))

        clean = patch(np.asarray(clip.frames[first : first + last + 1 : speed][:, *part]))
        shots = clip.degraded
        if shots is None:
            return clean, None
        drawn = rng.integers(len(shots), size=self.frames)
        return clean, patch(np.stack([shots[shot][first + t][part] for t, shot in enumerate(drawn)]))


def _parts(drawn: Drawn) -> tuple[slice, slice]:
    """The frames of a window before a cut, and those from it on."""
    return slice(drawn.cut), slice(drawn.cut, None)


def _augment(frames: np.ndarray, flips: np.ndarray) -> np.ndarray:
    """[T,h,w,C] -> contiguous [T,C,h,w], flipped in x, in y, and transposed where ``flips`` (3) says so."""
    horizontal, vertical, transpose = flips
    frames = frames.transpose(0, 3, 2, 1) if transpose else frames.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(frames[:, :, :: -1 if vertical else 1, :: -1 if horizontal else 1])
