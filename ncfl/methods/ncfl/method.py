"""The method of this project, from a trained model: M_a ... M_f, the W-Net, the codec of section 4.3."""

from typing import Any

from torch import Tensor

from ncfl.methods.learned import LearnedRecurrent


class NCFLMethod(LearnedRecurrent):
    """Drives a trained model of :mod:`ncfl.models`, as ``ncfl.weights.checkpoint.load_model`` rebuilds it.

    Blind, since the network was never told the noise level.
    """

    def run(self, frame: Tensor, state: Any, sigma: Tensor | None) -> tuple[Tensor, Any]:
        """See :meth:`ncfl.methods.learned.LearnedRecurrent.run`."""
        step = self.model(frame, state)
        return step.y_tilde, step.state
