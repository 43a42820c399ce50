"""What was found between pairs of a clip's frames."""

from collections.abc import Callable

import torch
from torch import Tensor

from ncfl.methods.vnlnet.search import most_similar, most_similar_to_each_other


class MatchedPairs:
    """Searches each pair of frames once, for both of its directions, when the first one is asked for.

    Args:
        plane: the one of a frame, by its number, in which patches are compared, float32 [B,H,W].
        patch, search: see :func:`ncfl.methods.vnlnet.search.most_similar`.
    """

    def __init__(self, plane: Callable[[int], Tensor], *, patch: int, search: int) -> None:
        self._plane, self._sizes = plane, {"patch": patch, "search": search}
        self._found: dict[tuple[int, int], Tensor] = {}
        self._done = -1

    def centers(self, frame: int, other: int) -> Tensor:
        """Where in frame ``other`` the patches most like those of ``frame`` are, y * W + x, int32 [B,H,W]."""
        if (frame, other) not in self._found:
            self._look(frame, other)
        return self._found[frame, other]

    def forget(self, frame: int) -> None:
        """Nothing is going to be asked about this frame or those before it any more, but where they are the other."""
        self._done = frame
        for pair in [pair for pair in self._found if pair[0] <= frame]:
            del self._found[pair]

    def _look(self, frame: int, other: int) -> None:
        here, there = self._plane(frame), self._plane(other)
        # On a processor one plane at a time stays in its cache; an accelerator wants all of them at once.
        group = 1 if here.device.type == "cpu" else len(here)
        parts = list(zip(here.split(group), there.split(group), strict=True))
        if other == frame or other <= self._done:
            found = [[most_similar(a, b, **self._sizes) for a, b in parts]]
        else:
            found = zip(*(most_similar_to_each_other(a, b, **self._sizes) for a, b in parts), strict=True)
        for pair, centers in zip(((frame, other), (other, frame)), found, strict=False):
            self._found[pair] = torch.cat(list(centers)).int()
