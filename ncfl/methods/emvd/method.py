"""What drives EMVD over a clip."""

from typing import Any

from torch import Tensor

from ncfl.methods.emvd.model import EMVD, EMVDState
from ncfl.methods.emvd.on_processor import ProcessorEMVD
from ncfl.methods.learned import LearnedRecurrent


class EMVDMethod(LearnedRecurrent):
    """Drives an :class:`EMVD` frame by frame.

    On a processor, and with features in the order of memory that it has them in, by a :class:`ProcessorEMVD`: layers of
    EMVD-S are so small that what lies between them took a third of the time. An accelerator may round the products that
    it folds transforms into.
    """

    blind = False

    def __init__(self, model: EMVD, *, fold: bool = True, **settings: Any) -> None:
        super().__init__(model, fold=fold, **settings)
        if self.for_processor:
            self.running = ProcessorEMVD(self.model)

    def run(self, frame: Tensor, state: EMVDState | None, sigma: Tensor | None) -> tuple[Tensor, EMVDState]:
        """See :meth:`ncfl.methods.learned.LearnedRecurrent.run`."""
        return self.running(frame, sigma, state)
