"""The networks that RMFD has three of, and their layers; :mod:`ncfl.methods.rmfd.model` says where they are from."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.models.layers import conv3

SLOPE = 0.2  # of every LeakyReLU

Memory = tuple[Tensor, Tensor]  # hidden state and cell of a ConvLSTM


def leaky(x: Tensor) -> Tensor:
    """The authors' LeakyReLU, in place: for what a convolution gave, which needs it no more for its gradient."""
    return F.leaky_relu(x, SLOPE, inplace=True)


class Conv(nn.Module):
    """A convolution of stride 1 that keeps the size, under the name that the authors' code gives it."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, *, groups: int = 1) -> None:
        super().__init__()
        self.conv2d = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """[B,inputs,H,W] -> [B,outputs,H,W]."""
        return self.conv2d(x)


class Up(nn.Module):
    """Nearest neighbors twice as large, then a 3x3 convolution with reflected borders."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv2d = nn.Conv2d(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        """[B,inputs,H,W] -> [B,outputs,2H,2W]."""
        return self.conv2d(F.pad(F.interpolate(x, scale_factor=2), (1, 1, 1, 1), mode="reflect"))


class Residual(nn.Module):
    """x + conv(leaky(conv(x)))."""

    def __init__(self, width: int, *, groups: int = 1) -> None:
        super().__init__()
        self.conv1, self.conv2 = (Conv(width, width, groups=groups) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """[B,width,H,W] -> the same shape."""
        return self.conv2(leaky(self.conv1(x))).add_(x)


class ConvLSTM(nn.Module):
    """A convolutional long short-term memory; gates in the order input, remember, output, cell."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.Gates = conv3(2 * width, 4 * width)

    def forward(self, x: Tensor, memory: Memory | None) -> Memory:
        """x [B,width,H,W] and the memory of the frame before, None at a clip's start -> the new memory."""
        hidden, cell = (torch.zeros_like(x), torch.zeros_like(x)) if memory is None else memory
        accept, remember, emit, candidate = self.Gates(torch.cat((x, hidden), dim=1)).chunk(4, dim=1)
        cell = remember.sigmoid() * cell + accept.sigmoid() * candidate.tanh()
        return emit.sigmoid() * cell.tanh(), cell


class NetworkOutput(NamedTuple):
    """A network's two maps, [B,C,H,W] each, and the memories behind them; alpha is None where it is not asked for."""

    main: Tensor
    alpha: Tensor | None
    memory: Memory
    alpha_memory: Memory | None


def _frames(x: Tensor, count: int) -> Tensor:
    """[B,count*C,H,W] -> [B,C,count,H,W]."""
    return x.unflatten(1, (count, -1)).transpose(1, 2)


def _channels(x: Tensor) -> Tensor:
    """The inverse of :func:`_frames`."""
    return x.transpose(1, 2).flatten(1, 2)


class MultiFrameNet(nn.Module):
    """Two windows of five frames -> a map and, decoded apart, a second one.

    window 1 -> encoder ------.
                              + -> [blocks -> ConvLSTM -> +] -> decoder with skips from window 1 -> main
    window 2 -> du_ encoder --'  -> [alpha_ blocks, ConvLSTM, decoder without skips]             -> alpha

    The encoders keep the frames apart (groups) and merge two neighbors at a time by 3D convolutions: 5 frames,
    then 4, 3, 2, 1, at sizes 1, 1/2, 1/2, 1/4, 1/4.
    """

    def __init__(self, channels: int, width: int, blocks: int, *, haze: bool) -> None:
        super().__init__()
        widths = (width, 2 * width, 2 * width, 4 * width, 4 * width)
        for prefix in ("", "du_"):
            self.add_module(f"{prefix}conv1", Conv(5 * channels, 5 * width, groups=5))
            for i in range(2, 6):
                stride = (1, 1, 1) if i % 2 else (1, 2, 2)
                merge = nn.Conv3d(widths[i - 2], widths[i - 1], (2, 3, 3), stride=stride, padding=(0, 1, 1))
                self.add_module(f"{prefix}conv{i}", merge)
            for i in range(1, 6):
                self.add_module(f"{prefix}res{i}", Residual((6 - i) * widths[i - 1], groups=6 - i))
        for prefix in ("", "alpha_"):
            self.add_module(f"{prefix}ResBlocks", nn.ModuleList(Residual(4 * width) for _ in range(blocks)))
            self.add_module(f"{prefix}convlstm", ConvLSTM(4 * width))
            self.add_module(f"{prefix}deconv3", Up(4 * width, 2 * width))
            self.add_module(f"{prefix}dres2", Residual(2 * width))
            self.add_module(f"{prefix}deconv2", Up(2 * width, width))
            self.add_module(f"{prefix}dres1", Residual(width))
            self.add_module(f"{prefix}deconv1", Conv(width, width))
            self.add_module(f"{prefix}output1", Conv(width, width))
            self.add_module(f"{prefix}output2", Conv(width, channels, 1))
        self._initialize(haze)

    def _initialize(self, haze: bool) -> None:
        """As the authors do; the haze network starts with transmission 1/2 and air light 1 everywhere."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                kernel = module.kernel_size[0] * module.kernel_size[1]
                nn.init.normal_(module.weight, std=(kernel * module.out_channels) ** -0.5)
                nn.init.zeros_(module.bias)
        if haze:
            for layer, value in ((self.output2.conv2d, 0.5), (self.alpha_output2.conv2d, 1.0)):
                nn.init.zeros_(layer.weight)
                nn.init.constant_(layer.bias, value)

    def forward(
        self,
        one: Tensor,
        two: Tensor,
        memory: Memory | None,
        alpha_memory: Memory | None = None,
        *,
        alpha: bool = False,
    ) -> NetworkOutput:
        """Windows [B,5*C,H,W], H and W multiples of 4.

        memory, alpha_memory: what the frame before left, None at a clip's start; alpha: whether the second map
        is asked for.
        """
        first, _, third, _, fifth = self._encode("", one)
        together = fifth + self._encode("du_", two)[-1]
        x, memory = self._recur("", together, memory)
        width = first.shape[1] // 5
        skips = (fifth, third[:, 2 * width : 4 * width], first[:, 2 * width : 3 * width])  # the middle frames'
        main = self._decode("", x, skips)
        if not alpha:
            return NetworkOutput(main, None, memory, None)
        x, alpha_memory = self._recur("alpha_", together, alpha_memory)
        return NetworkOutput(main, self._decode("alpha_", x, (0, 0, 0)), memory, alpha_memory)

    def _encode(self, prefix: str, window: Tensor) -> list[Tensor]:
        layer = self.get_submodule
        found = [layer(f"{prefix}res1")(leaky(layer(f"{prefix}conv1")(window)))]
        for i in range(2, 6):
            merged = _channels(layer(f"{prefix}conv{i}")(_frames(found[-1], 7 - i)))
            found.append(layer(f"{prefix}res{i}")(leaky(merged)))
        return found

    def _recur(self, prefix: str, x: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        for block in self.get_submodule(f"{prefix}ResBlocks"):
            x = block(x)
        memory = self.get_submodule(f"{prefix}convlstm")(x, memory)
        return x + memory[0], memory

    def _decode(self, prefix: str, x: Tensor, skips: tuple[Tensor | int, Tensor | int, Tensor | int]) -> Tensor:
        layer = self.get_submodule
        x = layer(f"{prefix}dres2")(leaky(layer(f"{prefix}deconv3")(x + skips[0])))
        x = layer(f"{prefix}dres1")(leaky(layer(f"{prefix}deconv2")(x + skips[1])))
        x = leaky(layer(f"{prefix}deconv1")(x + skips[2]))
        return layer(f"{prefix}output2")(leaky(layer(f"{prefix}output1")(x)))
