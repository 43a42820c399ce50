"""The method of this project, from a trained model: M_a ... M_f, the W-Net, the codec of section 4.3."""

from typing import Any

from torch import Tensor

from ncfl.methods.learned import LearnedRecurrent
from ncfl.methods.precision import in_bfloat16
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

    def compute_in(self, precision: str) -> None:
        """Compute in ``float32``, or with weights in ``bfloat16`` but for the layers that would lose much by it.

        These are the motion's refinement, in units of 16 pixels, and a U-Net's at the finest scale, by which the frame
        goes. With them in bfloat16 too, a clip of sigma 2 lost 0.05 dB, and took as long.
        """
        if precision == "bfloat16" and isinstance(self.model, NCFL):
            self.precision = precision  # known to who keeps what is done of a film
            finest = [
                part
                for unet in self.model.restoration.unets
                for part in (unet.head, unet.encoder[0], unet.skip[0], unet.up[0], unet.decoder[0], unet.to_frame)
            ]
            self.running = in_bfloat16(self.model, keep=(self.model.mv_refinement, *finest))

    def run(self, frame: Tensor, state: Any, sigma: Tensor | None) -> tuple[Tensor, Any]:
        """See :meth:`ncfl.methods.learned.LearnedRecurrent.run`."""
        return self._run(frame, state, spend=False)

    def step_on(self, frame: Tensor, state: Any, sigma: Tensor | None) -> tuple[Tensor, Any]:
        """See :class:`ncfl.methods.interface.Spending`."""
        restored, state = self._run(frame.to(self.device, memory_format=self.memory_format), state, spend=True)
        return restored.to(frame.device), state

    def _run(self, frame: Tensor, state: Any, *, spend: bool) -> tuple[Tensor, Any]:
        if self.in_bands(frame):
            step = forward_in_bands(self.running, frame, state, spend=spend)
        else:
            step = self.running(frame, state)
        return step.y_tilde, step.state

    def in_bands(self, frame: Tensor) -> bool:
        """Whether ``frame`` [B,C,H,W] is run in bands of rows."""
        large = frame[0, 0].numel() > LARGE and self.device.type == "cpu"
        return isinstance(self.model, NCFL) and (self.bands == "on" or (self.bands == "auto" and large))
