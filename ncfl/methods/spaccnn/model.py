"""SPAC-CNN, "SpacCNN" in the tables (Chen, Tan, Hou, Chau and Li, CVPR 2018, arXiv:1803.10433).

What was released (hotndy/SPAC-SupplementaryMaterials, "SPAC-CNN_code") is an encrypted MATLAB program for
MatConvNet: neither its network nor its weights can be read. From it are the window of five frames (it leaves the
first and last two of a clip empty) and 288 superpixels for a frame of 640x480. From the paper's abstract:
superpixels are matched in time; the best match of each frame and the sorted matches of all of them show where rain is
and what it hides, and give an intermediate result; a network adds the detail that its misalignments blurred. The
rest is chosen here: SLIC in RGB, matching on luma by every ninth pixel, within 15 pixels; rain as what outshines
the matches in three of the four neighbors, and a second matching without it; ten matches; which maps the network
sees, its kernels and widths; reflection of a clip at its ends.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.methods.common import check_clip, check_window, he_normal
from ncfl.methods.frequency import with_spectra
from ncfl.methods.learned import LearnedWindow
from ncfl.methods.spaccnn.alignment import Search, align
from ncfl.models.arguments import keeps_arguments
from ncfl.models.layers import zero_

RADIUS = 2  # frames on either side
WINDOW = 2 * RADIUS + 1


class SpacCNN(nn.Module):
    """The network behind the alignment, which is NumPy and passes no gradient.

    window -> superpixels, matching, rain r, matching -> T_0 (best match in each neighbor), mean of T_1
    mean, (1 - r) (x_t - mean), T_0 - mean, r -> convolutions -> + mean -> y_t

    channels: of a frame; kernels, widths: of the convolutions, the last one's width being that of a frame;
    radius, matches, threshold: see :class:`ncfl.methods.spaccnn.alignment.Search`.
    """

    kind = "spaccnn"

    @keeps_arguments
    def __init__(
        self,
        *,
        channels: int = 3,
        kernels: Sequence[int] = (11, 5, 3, 1),
        widths: Sequence[int] = (64, 32, 16),
        radius: int = 15,
        matches: int = 10,
        threshold: float = 0.012,
    ) -> None:
        super().__init__()
        if len(kernels) != len(widths) + 1 or any(kernel % 2 == 0 for kernel in kernels):
            raise InputError(f"{self.kind}: kernels: expected {len(widths) + 1} odd sizes, got {list(kernels)}")
        candidates = (WINDOW - 1) * (2 * radius + 1) ** 2
        if radius < 0 or not 1 <= matches <= candidates:
            raise InputError(f"{self.kind}: matches: expected 1 to {candidates}, radius being {radius}, got {matches}")
        self.channels = channels
        self.search = Search(radius=radius, matches=matches, threshold=threshold)
        sizes = [(WINDOW + 1) * channels + 1, *widths, channels]
        layers: list[nn.Module] = []
        for kernel, inputs, outputs in zip(kernels, sizes[:-1], sizes[1:], strict=True):
            layers += [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
        self.convs = nn.Sequential(*layers[:-1])
        he_normal(self)
        zero_(self.convs[-1])  # starts as the intermediate result

    def forward(self, frame: Tensor, temporal: Tensor, average: Tensor, rain: Tensor) -> Tensor:
        """frame, average [B,C,H,W], temporal [B,4,C,H,W], rain [B,1,H,W] -> the frame restored, [B,C,H,W]."""
        detail = (1 - rain) * (frame - average)
        differences = (temporal - average[:, None]).flatten(1, 2)
        return average + self.convs(torch.cat((average, detail, differences, rain), dim=1))

    def restore(self, frames: Tensor) -> Tensor:
        """[B,5,C,H,W] nominally in [0,1], any size from 16x16 on -> the middle frame [B,C,H,W], not clipped.

        InputError: no clip, another number of channels or frames, a smaller frame.
        """
        check_window(frames, self.kind, self.channels, WINDOW)
        found = [align(window, self.search) for window in frames.detach().cpu().numpy()]
        temporal, average, rain = (
            torch.from_numpy(np.stack(part)).to(frames)
            for part in zip(*((a.temporal, a.average, a.rain[None]) for a in found), strict=True)
        )
        return self(frames[:, RADIUS], temporal, average, rain)

    @staticmethod
    def supervised(length: int) -> range:
        """Which frames of a clip :meth:`restore_clip` gives: those with two neighbors on either side."""
        return range(RADIUS, length - RADIUS)

    def restore_clip(self, noisy: Tensor, sigma: Tensor | None = None) -> Tensor:
        """[B,T>=5,C,H,W] -> [B,T-4,C,H,W], the frames that :meth:`supervised` names; sigma is not used."""
        check_clip(noisy, self.kind, self.channels, WINDOW)
        middles = self.supervised(noisy.shape[1])
        return torch.stack([self.restore(noisy[:, t - RADIUS : t + RADIUS + 1]) for t in middles], dim=1)


class SpacCNNMethod(LearnedWindow):
    """Drives a :class:`SpacCNN`, blind; the alignment runs on the processor, whatever the device.

    On a processor, and with features in the order of memory that it has them in, the first convolution, which has three
    quarters of the products, is one of spectra.
    """

    radius = RADIUS

    def __init__(self, model: SpacCNN, *, fold: bool = True, **settings: Any) -> None:
        super().__init__(model, fold=fold, **settings)
        if self.for_processor:
            self.running = with_spectra(self.model)

    def run(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """See :meth:`ncfl.methods.learned.LearnedWindow.run`."""
        return self.running.restore(frames)
