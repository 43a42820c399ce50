"""What drives CG-IDN over a clip, and its cost volumes as a processor computes them fastest."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ncfl.methods.cg_idn.model import CGIDN
from ncfl.methods.folding import sharing_copy
from ncfl.methods.learned import Sliding

BLOCK = (4, 8)  # pixels of a cost volume, down and right, that are computed as one matrix product


def blockwise_cost_volume(middle: Tensor, neighbor: Tensor, radius: int) -> Tensor:
    """:func:`ncfl.methods.cg_idn.model.cost_volume` by matrix products: more products than needed, but in less time."""
    side, (channels, height, width) = 2 * radius + 1, middle.shape[1:]
    (down, right), bottom, rest = BLOCK, -height % BLOCK[0], -width % BLOCK[1]
    ours = F.pad(middle.permute(0, 2, 3, 1), (0, 0, 0, rest, 0, bottom))
    theirs = F.pad(neighbor.permute(0, 2, 3, 1), (0, 0, radius, radius + rest, radius, radius + bottom))
    # All pixels of a block by all that any of them can meet, as one matrix product: [blocks, pixels, places].
    ours = ours.unfold(1, down, down).unfold(2, right, right).permute(0, 1, 2, 4, 5, 3)
    reach = theirs.unfold(1, down + side - 1, down).unfold(2, right + side - 1, right).permute(0, 1, 2, 4, 5, 3)
    products = ours.flatten(0, 2).flatten(1, 2) @ reach.flatten(0, 2).flatten(1, 2).transpose(1, 2)
    # Of these, each pixel's own: a place further on for each pixel further on.
    rows, columns = reach.shape[3:5]
    step = rows * columns
    strides = (down * right * step, right * step + columns, step + 1, columns, 1)
    own = products.as_strided((len(products), down, right, side, side), strides).div(channels)
    own = own.view(*ours.shape[:5], side**2).transpose(2, 3).flatten(1, 2).flatten(2, 3)
    return own[:, :height, :width].permute(0, 3, 1, 2)


class CGIDNMethod(Sliding):
    """Drives a :class:`CGIDN` over a clip whose ends are reflected in time; blind.

    Of a window's frames all but one are those of the window before: what is found in them alone is taken over, unless
    ``fold`` is false, which runs every layer as it is published.
    """

    def __init__(self, model: CGIDN, *, fold: bool = True, **settings: Any) -> None:
        super().__init__(model, fold=fold, **settings)
        self.radius, self._slides = model.frames // 2, fold
        if self.for_processor:
            self.running = sharing_copy(self.model)
            self.running.alignment.volume = blockwise_cost_volume

    def slide(self, frames: Tensor, sigma: Tensor | None, known: list[Any]) -> tuple[Tensor, list[Any]]:
        """See :meth:`ncfl.methods.learned.Sliding.slide`."""
        return self.running.restore_sliding(frames, known if self._slides else [])
