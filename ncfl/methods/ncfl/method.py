"""The method of this project, from a trained model: M_a ... M_f, the W-Net, the codec of section 4.3."""

from typing import Any

from torch import Tensor

from ncfl.methods.learned import LearnedRecurrent
from ncfl.models.bands import forward_in_bands
from ncfl.models.ncfl import NCFL

LARGE = 2**21  # pixels, a little more than 1920x1080: at half width the network then takes 2 GB as a whole

BANDS = ("auto", "on", "off")


class NCFLMethod(LearnedRecurrent):
    """Drives a trained model of :mod:`ncfl.models`, as ``ncfl.weights.checkpoint.load_model`` rebuilds it.

    Blind, since the network was never told the noise level.

    Attributes:
        bands: whether frames are run in bands of rows, for less memory: "on", "off", or "auto" for large frames on a
            processor.
    """

    bands = "auto"

    def run(self, frame: Tensor, state: Any, sigma: Tensor | None) -> tuple[Tensor, Any]:
        """See :meth:`ncfl.methods.learned.LearnedRecurrent.run`."""
        return self._run(frame, state, spend=False)

    def step_on(self, frame: Tensor, state: Any, sigma: Tensor | None) -> tuple[Tensor, Any]:
        """See :func:`ncfl.methods.interface.stream`."""
        restored, state = self._run(frame.to(self.device, memory_format=self.memory_format), state, spend=True)
        return restored.to(frame.device), state

    def _run(self, frame: Tensor, state: Any, *, spend: bool) -> tuple[Tensor, Any]:
        if self.in_bands(frame):
            step = forward_in_bands(self.model, frame, state, spend=spend)
        else:
            step = self.model(frame, state)
        return step.y_tilde, step.state

    def in_bands(self, frame: Tensor) -> bool:
        """Whether ``frame`` [B,C,H,W] is run in bands of rows."""
        large = frame[0, 0].numel() > LARGE and self.device.type == "cpu"
        return isinstance(self.model, NCFL) and (self.bands == "on" or (self.bands == "auto" and large))
