"""The search for the most similar patch, in plain torch.

Its planes are written one after the other as flat memory, rows continued by the next: a displacement is then one
offset, and each sum of neighbors one pass. What a row's end makes of that lies outside of the frame and is not
looked at. All passes write to memory that was set aside before: new memory costs more than the arithmetic.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Addition = tuple[Tensor, Tensor, Tensor]  # two terms, and where their sum goes


class Rectangle(NamedTuple):
    """A rectangle of pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, planes: Tensor) -> Tensor:
        """[N,H,W] -> [N,height,width], a view."""
        return planes.narrow(1, self.top, self.height).narrow(2, self.left, self.width)


def box_sum(x: Tensor, size: int, dim: int) -> Tensor:
    """Sums of ``size`` neighbors along ``dim``, which loses size - 1; by doubling, without cancellation."""
    additions, total = doubling(x, size, dim, work=[torch.empty_like(x) for _ in range(3)])
    _add_up(additions)
    return total


def doubling(x: Tensor, size: int, dim: int, *, work: Sequence[Tensor], step: int = 1) -> tuple[list[Addition], Tensor]:
    """The additions that give :func:`box_sum` of neighbors ``step`` apart, and its result once they are done.

    They can be done again whenever ``x`` has changed. work: three tensors like ``x``, the last one for the result.
    """
    *rooms, last = work
    length = x.shape[dim] - step * (size - 1)
    room = last.narrow(dim, 0, length)
    additions: list[Addition] = []
    total, start, width = None, 0, 1
    while width <= size:  # x holds sums of `width` neighbors; those of the binary digits of `size` add up
        if size & width:
            part = x.narrow(dim, start * step, length)
            if total is None and width == 1:
                total = part
            else:  # a first part that is a sum is copied, as wider ones will be written in its place
                additions.append((part, x.new_zeros(()) if total is None else total, room))
                total = room
            start += width
        shorter = x.shape[dim] - width * step
        if 2 * width <= size:
            wider = rooms[0].narrow(dim, 0, shorter)
            additions.append((x.narrow(dim, 0, shorter), x.narrow(dim, width * step, shorter), wider))
            x = wider
            rooms.reverse()
        width *= 2
    return additions, total


def _add_up(additions: list[Addition]) -> None:
    for a, b, room in additions:
        torch.add(a, b, out=room)


class _Best:
    """The best displacement of each pixel until now.

    Displacements are numbered in the order in which they are tried, so that the larger of two numbers is the later
    one's; as float32, exact up to 2^24, since processors compare those many at a time.
    """

    def __init__(self, plane: Tensor) -> None:
        # Not infinity: a distance that overflows is no match.
        self.distance = torch.full_like(plane, torch.finfo(plane.dtype).max)
        self.found = torch.zeros_like(plane, dtype=torch.float32)  # 1 + its number; 0 for none yet
        self._closer = torch.empty_like(self.found)

    def compare(self, distance: Tensor, place: Rectangle, number: int, beats: Callable[..., Tensor]) -> None:
        """Try a displacement for the pixels at ``place``; beats: torch.lt, or torch.le for the last of equals."""
        best, found = place.of(self.distance), place.of(self.found)
        closer = beats(distance, best, out=place.of(self._closer))
        torch.maximum(found, closer.mul_(number + 1), out=found)
        torch.minimum(best, distance, out=best)

    def centers(self, search: int, *, backward: bool = False) -> Tensor:
        """As y * W + x; backward: the displacements that were tried are the opposite ones, in the opposite order."""
        height, width = self.found.shape[-2:]
        first = (search + 1) // 2 - search
        number = self.found.long() - 1
        # Where nothing was found (NaN) it is no displacement.
        number = torch.where(number < 0, -first * (search + 1), search**2 - 1 - number if backward else number)
        y = torch.arange(height, device=number.device)[:, None] + number // search + first
        x = torch.arange(width, device=number.device) + number % search + first
        return y * width + x


@torch.no_grad()
def most_similar(here: Tensor, there: Tensor, *, patch: int, search: int) -> Tensor:
    """Where in ``there`` the patch is that is most like the one around each pixel of ``here``.

    The distance is the sum of squares over patch x patch pixels; what lies outside of a frame is black. The
    ``search`` x ``search`` patches around the same place whose centers are inside of the frame are compared;
    the first in order of rows wins a draw. Memory: some ten planes of the size of ``here``.

    Args:
        here, there: one plane of each pair of frames, float32 [N,H,W].
        patch: pixels, odd.
        search: pixels.

    Returns:
        Centers as y * W + x, int64 [N,H,W].
    """
    best = _Best(here)
    for number, place, _, distance in _distances(here, there, patch, search):
        best.compare(distance, place, number, torch.lt)
    return best.centers(search)


@torch.no_grad()
def most_similar_to_each_other(here: Tensor, there: Tensor, *, patch: int, search: int) -> tuple[Tensor, Tensor]:
    """:func:`most_similar` for ``here`` in ``there``, and for ``there`` in ``here``, in little more time than one.

    Two patches are as far from each other as they are the other way round. Where ``search`` is even, the displacements
    tried are not, and both are computed.
    """
    if search % 2 == 0:
        sizes = {"patch": patch, "search": search}
        return most_similar(here, there, **sizes), most_similar(there, here, **sizes)
    forward, backward = _Best(here), _Best(there)
    for number, place, moved, distance in _distances(here, there, patch, search):
        forward.compare(distance, place, number, torch.lt)
        backward.compare(distance, moved, number, torch.le)
    return forward.centers(search), backward.centers(search, backward=True)


def _distances(
    here: Tensor, there: Tensor, patch: int, search: int
) -> Iterator[tuple[int, Rectangle, Rectangle, Tensor]]:
    """Each displacement's number, the pixels of ``here`` that have it, where they meet, and how far off they are."""
    count, height, width = here.shape
    margin, first = patch // 2, (search + 1) // 2 - search
    rows, columns = height + 2 * margin, width + 2 * margin
    here, there = (F.pad(x, (margin,) * 4).flatten() for x in (here, there))
    slack = -first * (columns + 1)  # the farthest displacement, of pixels at the first or last place
    there = F.pad(there, (slack, slack))
    first_room, second_room, squares, sums = (torch.empty_like(here) for _ in range(4))
    down, total = doubling(squares, patch, 0, step=columns, work=(first_room, second_room, sums))
    across, total = doubling(total, patch, 0, work=(first_room, second_room, squares))
    additions = down + across
    distances = total.as_strided((count, height, width), (rows * columns, columns, 1))
    for number in range(search * search):
        dy, dx = number // search + first, number % search + first
        top, bottom, left, right = max(0, -dy), min(height, height - dy), max(0, -dx), min(width, width - dx)
        if top >= bottom or left >= right:
            continue
        torch.sub(here, there.narrow(0, slack + dy * columns + dx, len(here)), out=squares)
        torch.mul(squares, squares, out=squares)
        _add_up(additions)
        place = Rectangle(top, left, bottom - top, right - left)
        # The distances hold until the next ones take their memory.
        yield number, place, place._replace(top=top + dy, left=left + dx), place.of(distances)
