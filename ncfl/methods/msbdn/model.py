"""MSBDN (Dong et al., CVPR 2020): single-image dehazing by a U-Net that boosts and back-projects, frame by frame.

Layer order, tensor names and resizing are those of the authors' BookerDeWitt/MSBDN-DFF, network
``MSBDN-DFF-v1-1``, the one of the paper. Their ``model.pkl`` holds the pickled network itself, not its tensors:
the record names the classes that a reader must be ready to find there. The authors' code takes
multiples of 16 pixels only; other sizes are mirrored at the bottom and right and cropped back here.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.methods.common import all_frames, check_clip
from ncfl.methods.interface import border_index
from ncfl.methods.learned import LearnedRecurrent
from ncfl.models.arguments import keeps_arguments
from ncfl.models.padding import check_frame

SCALES = 4  # times that the frame is halved
SMALLEST = 2 * 2**SCALES  # pixels: a mirrored border needs two pixels at the coarsest scale


class Mirrored(nn.Module):
    """A convolution whose input is mirrored at its borders, which keeps the size or halves it rounding up."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv2d = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        """[B,inputs,H,W], larger than half the kernel -> [B,outputs,H,W], or halves of it, rounded up."""
        return self.conv2d(x)


class Upsampling(nn.Module):
    """A transposed convolution, 3x3, stride 2, that gives one row and column more than twice as many."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv2d = nn.ConvTranspose2d(inputs, outputs, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """[B,inputs,H,W] -> [B,outputs,2H+1,2W+1]."""
        return self.conv2d(x)


class ScaledResidual(nn.Module):
    """x + 0.1 conv(PReLU(conv(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = Mirrored(width, width), Mirrored(width, width)
        self.relu = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[B,width,H,W] -> the same shape."""
        return torch.add(x, self.conv2(self.relu(self.conv1(x))), alpha=0.1)


class Projection(nn.Module):
    """One step of a back-projection: 4x4, stride 2, down or (transposed) up, and a PReLU."""

    def __init__(self, inputs: int, outputs: int, *, up: bool) -> None:
        super().__init__()
        layer = (nn.ConvTranspose2d if up else nn.Conv2d)(inputs, outputs, 4, stride=2, padding=1)
        self.add_module("deconv" if up else "conv", layer)
        self.act = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[B,inputs,H,W] -> [B,outputs,H/2,W/2], or 2H and 2W: up."""
        layer = self.deconv if hasattr(self, "deconv") else self.conv
        return self.act(layer(x))


class DenseFusion(nn.Module):
    """Dense feature fusion: each earlier scale corrects the features by back-projection, the farthest one first.

    x <- x + back(there(x) - earlier);  ``there`` goes to the size of ``earlier`` in steps of two, ``back`` returns.
    Toward coarser features in the decoder (up = False), toward finer ones in the encoder (up = True).
    """

    def __init__(self, width: int, steps: int, *, up: bool) -> None:
        super().__init__()
        widths = [width // 2**i if up else width * 2**i for i in range(steps + 1)]
        there = [Projection(widths[i], widths[i + 1], up=up) for i in range(steps)]
        back = [Projection(widths[i + 1], widths[i], up=not up) for i in range(steps)]
        self.up = up
        self.up_convs = nn.ModuleList(there if up else back)
        self.down_convs = nn.ModuleList(back if up else there)

    def forward(self, x: Tensor, earlier: list[Tensor]) -> Tensor:
        """x [B,width,h,w]; earlier: features of every earlier scale, the farthest first -> the shape of x."""
        there, back = (self.up_convs, self.down_convs) if self.up else (self.down_convs, self.up_convs)
        for distance, features in zip(range(len(earlier), 0, -1), earlier, strict=True):
            residual = x
            for step in there[:distance]:
                residual = step(residual)
            residual = residual.sub_(features)  # in place: no step keeps what it gave for its gradient
            for step in reversed(back[:distance]):
                residual = step(residual)
            x = residual.add_(x)
        return x


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(ScaledResidual(width) for _ in range(count)))


class MSBDN(nn.Module):
    """The multi-scale boosted dehazing network with dense feature fusion; 31,353,061 parameters by default.

    encoder, s = 1 ... 4:  x_s = fusion_s(conv_s(x'_{s-1}), x_0 ... x_{s-1});  x'_s = x_s + blocks(x_s)
    bottleneck:            j_4 = x_4 + blocks(2 x_4)
    decoder, s = 4 ... 1:  u = up(j_s);  b = x'_{s-1} + u;  j_{s-1} = fusion_s(b + blocks(b) - u, j_4 ... j_s)

    The decoder is the paper's "strengthen, operate, subtract" boosting. width: channels at full size, doubled at
    each scale; blocks: residual blocks of each scale; bottleneck: those of the coarsest one. Blind: no noise level.
    """

    kind = "msbdn"

    @keeps_arguments
    def __init__(self, *, channels: int = 3, width: int = 16, blocks: int = 3, bottleneck: int = 18) -> None:
        super().__init__()
        self.channels = channels
        self.conv_input = Mirrored(channels, width, kernel=11)
        self.dense0 = _blocks(width, blocks)
        for s in range(1, SCALES + 1):
            inputs, outputs = width * 2 ** (s - 1), width * 2**s
            self.add_module(f"conv{2**s}x", Mirrored(inputs, outputs, stride=2))
            self.add_module(f"fusion{s}", DenseFusion(outputs, s, up=True))
            if s < SCALES:
                self.add_module(f"dense{s}", _blocks(outputs, blocks))
        deepest = _blocks(width * 2**SCALES, bottleneck)
        self.dehaze = nn.Sequential()
        for i, block in enumerate(deepest):
            self.dehaze.add_module(f"res{i}", block)
        for s in range(SCALES, 0, -1):
            inputs, outputs = width * 2**s, width * 2 ** (s - 1)
            self.add_module(f"convd{2**s}x", Upsampling(inputs, outputs))
            self.add_module(f"dense_{s}", _blocks(outputs, blocks))
            self.add_module(f"fusion_{s}", DenseFusion(outputs, SCALES + 1 - s, up=False))
        self.conv_output = Mirrored(width, channels)

    def forward(self, hazy: Tensor) -> Tensor:
        """[B,C,H,W] nominally in [0,1], H and W multiples of 16 from 32 on -> the frame without haze, not clipped."""
        first = self.conv_input(hazy)
        fused, skips = [first], [first + self.dense0(first)]
        for s in range(1, SCALES + 1):
            x = self._part(f"fusion{s}")(self._part(f"conv{2**s}x")(skips[-1]), fused)
            fused.append(x)
            if s < SCALES:
                skips.append(x + self._part(f"dense{s}")(x))
        boosted = [self.dehaze(2 * x) + x]
        for s in range(SCALES, 0, -1):
            skip = skips.pop()
            raised = self._part(f"convd{2**s}x")(boosted[-1])
            raised = F.interpolate(raised, skip.shape[-2:], mode="bilinear", align_corners=False)
            strengthened = raised + skip
            x = self._part(f"dense_{s}")(strengthened) + strengthened - raised
            boosted.append(self._part(f"fusion_{s}")(x, boosted))
        return self.conv_output(boosted[-1])

    def _part(self, name: str) -> nn.Module:
        return getattr(self, name)

    def restore(self, frame: Tensor) -> Tensor:
        """[B,C,H,W] of any size from 16x16 on -> the same shape; InputError: other channels, a smaller frame."""
        check_frame(frame, self.channels)
        height, width = frame.shape[-2:]
        return self(mirrored(frame))[..., :height, :width]

    supervised = staticmethod(all_frames)

    def restore_clip(self, noisy: Tensor, sigma: Tensor | None = None) -> Tensor:
        """[B,T,C,H,W] -> [B,T,C,H,W], each frame for itself; sigma is not looked at."""
        check_clip(noisy, self.kind, self.channels, 1)
        return self.restore(noisy.flatten(0, 1)).unflatten(0, noisy.shape[:2])


def mirrored(frame: Tensor) -> Tensor:
    """Continue a frame [B,C,H,W] at its bottom and right to multiples of 16, 32 at least, by mirroring it there."""
    for dimension in (-2, -1):
        length = frame.shape[dimension]
        wanted = max(length + -length % 2**SCALES, SMALLEST)
        if wanted != length:
            places = torch.tensor([border_index(i, length) for i in range(wanted)], device=frame.device)
            frame = frame.index_select(dimension, places)
    return frame


class MSBDNMethod(LearnedRecurrent):
    """Drives an :class:`MSBDN` frame by frame, without a state; blind."""

    def run(self, frame: Tensor, state: None, sigma: Tensor | None) -> tuple[Tensor, None]:
        """See :meth:`ncfl.methods.learned.LearnedRecurrent.run`."""
        return self.model.restore(frame), None
