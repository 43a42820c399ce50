"""The search for the most similar patch, in plain torch."""

import torch
import torch.nn.functional as F
from torch import Tensor


def box_sum(x: Tensor, size: int, dim: int) -> Tensor:
    """Sums of ``size`` neighbors along ``dim``, which loses size - 1; by doubling, without cancellation."""
    length = x.shape[dim] - size + 1
    total, start, width = None, 0, 1
    while width <= size:  # x holds sums of `width` neighbors; those of the binary digits of `size` add up
        if size & width:
            part = x.narrow(dim, start, length)
            total = part if total is None else total + part
            start += width
        shorter = x.shape[dim] - width
        if 2 * width <= size:
            x = x.narrow(dim, 0, shorter) + x.narrow(dim, width, shorter)
        width *= 2
    return total


@torch.no_grad()
def most_similar(here: Tensor, there: Tensor, *, patch: int, search: int) -> Tensor:
    """Where in ``there`` the patch is that is most like the one around each pixel of ``here``.

    The distance is the sum of squares over patch x patch pixels; what lies outside of a frame is black. The
    ``search`` x ``search`` patches around the same place whose centers are inside of the frame are compared;
    the first in order of rows wins a draw. Memory: a few planes of the size of ``here``.

    Args:
        here, there: one plane of each pair of frames, float32 [N,H,W].
        patch: pixels, odd.
        search: pixels.

    Returns:
        Centers as y * W + x, int64 [N,H,W].
    """
    height, width = here.shape[-2:]
    margin = patch // 2
    here, there = (F.pad(x, (margin,) * 4) for x in (here, there))
    best = torch.full((len(here), height, width), torch.inf, device=here.device)
    first = (search + 1) // 2 - search
    # The displacement's number. It starts at no displacement, where a patch that is like none (NaN) stays.
    found = torch.full_like(best, -first * (search + 1), dtype=torch.int32)
    for number in range(search * search):
        dy, dx = number // search + first, number % search + first
        top, bottom, left, right = max(0, -dy), min(height, height - dy), max(0, -dx), min(width, width - dx)
        if top >= bottom or left >= right:
            continue
        rows, columns = slice(top, bottom + 2 * margin), slice(left, right + 2 * margin)
        moved = there[:, top + dy : bottom + dy + 2 * margin, left + dx : right + dx + 2 * margin]
        distance = box_sum(box_sum((here[:, rows, columns] - moved).square_(), patch, -2), patch, -1)
        place = (slice(None), slice(top, bottom), slice(left, right))
        found[place].masked_fill_(distance < best[place], number)
        torch.minimum(best[place], distance, out=best[place])
    y = torch.arange(height, device=here.device)[:, None] + found // search + first
    x = torch.arange(width, device=here.device) + found % search + first
    return y * width + x
