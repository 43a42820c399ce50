"""A film as its shots: a method remembers what it saw of a scene, and begins anew with the next."""

from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ncfl.media.notes import note
from ncfl.methods.interface import Method, Recurrent, stream
from ncfl.methods.learned import Learned
from ncfl.restoring.cuts import CutFinder
from ncfl.restoring.gray import GrayFrames
from ncfl.restoring.limits import PEAKS
from ncfl.restoring.memory import Memory, frames_before

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
        first: the number of the frame that :meth:`restore` is to begin with; above 0 after :meth:`go_on`.
    """

    def __init__(self, method: Method, sigma: float | None, *, device: str | torch.device, cuts: bool = True) -> None:
        self._method, self._sigma, self._device = method, sigma, device
        self._memory: Memory | None = None
        self._finder = CutFinder() if cuts else None
        # Methods for any number of channels treat each by itself, or are told by what they are named for.
        self._gray = None
        if method.channels == 3:
            gray_from = method.gray_from if isinstance(method, Learned) else None
            self._gray = GrayFrames(None if method.blind else sigma, gray_from)
        self.cuts: list[int] = []
        self.first = 0
        self._read = 0  # frames, of which is known whether a scene begins with them
        self._given = 0  # frames, before :meth:`go_on`

    def restore(self, frames: Iterable[np.ndarray]) -> Iterator[Tensor]:
        """Restore frames, uint8, uint16 or 0..1, [H,W,3]: float32 [1,3,H,W], one for each, in order, not clipped.

        After :meth:`go_on` the frames are those from ``first`` on, and the answers those that were not given before.
        """
        yield from islice(self._restore(frames), self._given - self.first, None)

    def keep(self, given: int) -> dict[str, Any]:
        """What a later :meth:`go_on` goes on from after ``given`` answers, 1 and more: plain data and tensors."""
        return {
            "given": given,
            "read": self._read,
            "cuts": self.cuts,
            "finder": None if self._finder is None else self._finder.keep(),
            "gray": None if self._gray is None else self._gray.keep(),
            "memory": None if self._memory is None else self._memory.keep(),
        }

    def go_on(self, kept: Mapping[str, Any] | None) -> None:
        """Begin so that :meth:`keep` can keep all; with what it kept, :meth:`restore` gives what was not given yet."""
        if isinstance(self._method, Recurrent):
            self._method = self._memory = Memory(self._method)
        if kept is None:
            return
        self.cuts, self._read, self._given = list(kept["cuts"]), kept["read"], kept["given"]
        begin = 0 if (number := bisect(self.cuts, self._given)) == 0 else self.cuts[number - 1]
        self.first = max(begin, self._given - frames_before(self._method, self._given - begin))
        if self._finder is not None:
            self._finder.resume(kept["finder"])
        if self._gray is not None:
            self._gray.resume(kept["gray"], self.first)
        if self._memory is not None:
            self._memory.resume(kept["memory"])

    def _restore(self, frames: Iterable[np.ndarray]) -> Iterator[Tensor]:
        before = bisect(self.cuts, self._given - 1) if self._given else None
        for number, shot in groupby(self._numbered(frames), key=itemgetter(0)):
            yield from self._shot((_to_tensor(frame, self._device) for _, frame in shot), goes_on=number == before)

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
        for count, frame in enumerate(frames, start=self.first):
            if count >= self._read:
                self._read = count + 1
                if self._finder is not None and self._finder.is_cut(frame):
                    self.cuts.append(count)
            yield bisect(self.cuts, count), frame

    def _shot(self, frames: Iterator[Tensor], goes_on: bool) -> Iterator[Tensor]:
        """``goes_on``: whether the shot had begun before :meth:`go_on`."""
        if self._memory is not None and not goes_on:
            self._memory.forget()
        if self._gray is None:
            yield from stream(self._method, frames, self._sigma)
            return
        first = next(frames)
        sigma = self._gray.told() if goes_on else self._gray.begin(first)
        prepared = map(self._gray.prepare, chain([first], frames))
        yield from map(self._gray.finish, stream(self._method, prepared, self._sigma if sigma is None else sigma))


def _to_tensor(frame: np.ndarray, device: str | torch.device) -> Tensor:
    planes = np.empty((1, 3, *frame.shape[:2]), np.float32)
    np.copyto(planes[0], frame.transpose(2, 0, 1))
    return torch.from_numpy(planes).to(device).div_(PEAKS.get(frame.dtype, 1))
