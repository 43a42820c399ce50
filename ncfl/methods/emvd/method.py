"""What drives EMVD over a clip."""

from typing import Any

from torch import Tensor

from ncfl.methods.emvd.lean import LeanEMVD
from ncfl.methods.emvd.model import EMVD, State
from ncfl.methods.learned import LearnedRecurrent


class EMVDMethod(LearnedRecurrent):
    """Drives an :class:`EMVD` frame by frame.

    On a processor, and with features in the order of memory that it has them in, by a :class:`LeanEMVD`: the layers of
    EMVD-S are so small that what lies between them took a third of the time. An accelerator may round the products that
    it folds transforms into.
    """

    blind = False

    def __init__(self, model: EMVD, *, fold: bool = True, **settings: Any) -> None:
        super().__init__(model, fold=fold, **settings)
        if self.lean:
            self.running = LeanEMVD(self.model)

    def run(self, frame: Tensor, state: State | None, sigma: Tensor | None) -> tuple[Tensor, State]:
        """See :meth:`ncfl.methods.learned.LearnedRecurrent.run`."""
        return self.running(frame, sigma, state)
