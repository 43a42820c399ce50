"""A film as its shots: a method remembers what it saw of a scene, and begins anew with the next."""

from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from operator import itemgetter

import numpy as np
import torch
from torch import Tensor

from ncfl.media.notes import note
from ncfl.methods.interface import Method, stream
from ncfl.restoring.cuts import CutFinder
from ncfl.restoring.gray import GrayFrames
from ncfl.restoring.limits import PEAKS

_NAMED = 8  # cuts whose frames a note names


class Shots:
    """Drives a method over a film.

    Args:
        method: what restores RGB frames.
        sigma: the noise level in 0..255, or None where it is unknown, which a blind method allows.
        device: where the frames are put.
        cuts: whether what is remembered ends where the scene changes.

    Attributes:
        cuts: the numbers, from 0, of the frames with which a new scene began so far.
    """

    def __init__(self, method: Method, sigma: float | None, *, device: str | torch.device, cuts: bool = True) -> None:
        self._method, self._sigma, self._device = method, sigma, device
        self._finder = CutFinder() if cuts else None
        # Methods for any number of channels treat each by itself, or are told by what they are named for.
        self._gray = GrayFrames(None if method.blind else sigma) if method.channels == 3 else None
        self.cuts: list[int] = []

    def restore(self, frames: Iterable[np.ndarray]) -> Iterator[Tensor]:
        """Restore frames, uint8, uint16 or 0..1, [H,W,3]: float32 [1,3,H,W], one for each, in order, not clipped."""
        for _, shot in groupby(self._numbered(frames), key=itemgetter(0)):
            yield from self._shot(_to_tensor(frame, self._device) for _, frame in shot)

    def notes(self) -> list[str]:
        """What was done beside restoring, a line each."""
        notes = []
        if self.cuts:
            named = ", ".join(map(str, self.cuts[:_NAMED])) + (", ..." if len(self.cuts) > _NAMED else "")
            count = "1 new scene" if len(self.cuts) == 1 else f"{len(self.cuts)} new scenes"
            notes.append(note("scenes", scenes=count, frames=named))
        if self._gray is not None and self._gray.count:
            notes.append(note("gray"))
        return notes

    def _numbered(self, frames: Iterable[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
        for count, frame in enumerate(frames):
            if self._finder is not None and self._finder.is_cut(frame):
                self.cuts.append(count)
            yield len(self.cuts), frame

    def _shot(self, frames: Iterator[Tensor]) -> Iterator[Tensor]:
        if self._gray is None:
            yield from stream(self._method, frames, self._sigma)
            return
        first = next(frames)
        sigma = self._gray.begin(first)
        prepared = map(self._gray.prepare, chain([first], frames))
        yield from map(self._gray.finish, stream(self._method, prepared, self._sigma if sigma is None else sigma))


def _to_tensor(frame: np.ndarray, device: str | torch.device) -> Tensor:
    deep = frame.dtype == np.uint16
    # PyTorch does little with uint16.
    numbers = torch.from_numpy(frame.astype(np.int32) if deep else frame)
    return numbers.to(device).permute(2, 0, 1)[None].contiguous().float() / PEAKS.get(frame.dtype, 1)
