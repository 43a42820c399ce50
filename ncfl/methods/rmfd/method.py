"""What drives RMFD over a clip."""

from typing import Any

from torch import Tensor, nn

from ncfl.methods.learned import LearnedChunk
from ncfl.methods.rmfd.model import RMFD
from ncfl.methods.rmfd.on_processor import pairwise


class RMFDMethod(LearnedChunk):
    """Drives an :class:`RMFD` over pieces of a clip; each starts its memories anew, ``overlap`` frames early; blind.

    On a processor, and with features in the order of memory that it has them in, neighbors are merged by 2D
    convolutions: of the 3D ones' time more than half goes, and of all time a quarter.
    """

    chunk = 32
    overlap = 6

    def __init__(self, model: RMFD, *, fold: bool = True, **settings: Any) -> None:
        super().__init__(model, fold=fold, **settings)
        if self.for_processor:
            self.running = self.placed(pairwise(self.model))

    def placed(self, model: RMFD) -> RMFD:
        """See :meth:`ncfl.methods.learned.Learned.placed`; 3D convolutions do not know the other memory order."""
        model = model.to(self.device)
        for module in model.modules():
            if not isinstance(module, nn.Conv3d) and not any(module.children()):
                module.to(memory_format=self.memory_format)
        return model

    def run(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """See :meth:`ncfl.methods.learned.LearnedChunk.run`."""
        return self.running.restore_clip(frames)
