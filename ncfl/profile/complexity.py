"""Parameters and GFLOPs, counted the way the paper's tables are."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

SMALL = (64, 96)  # height and width where pixels must be computed
LONGEST = 100  # frames; no window is as long
STEADY = (7, 6)  # frames: what a clip grows by is the same from there on in every method


@dataclass(frozen=True)
class Complexity:
    """parameters: how many values are trained; gflops: 1e9 operations a frame, 2 per multiply-accumulate."""

    parameters: int
    gflops: float


def complexity(model: nn.Module, *, height: int = 544, width: int = 960, channels: int = 3) -> Complexity:
    """Counts one frame of the steady state (a frame that follows another) without computing it.

    Convolutions, transposed convolutions and matrix products count; bias, normalization, activations,
    resizing and warping do not. The default size is 960x540 padded to a multiple of 32, which explains the
    paper's figures. The model itself stays as it is: a copy on the meta device is run.
    """
    model = copy.deepcopy(model).to("meta").eval()
    frame = torch.empty(1, channels, height, width, device="meta")
    with torch.no_grad():
        state = model(frame).state
        with _Counter() as counter:
            model(frame, state)
    return Complexity(_parameters(model), counter.flops / 1e9)


def clip_complexity(
    model: nn.Module, *, height: int = 544, width: int = 960, channels: int = 3, computed: bool = False
) -> Complexity:
    """Counts one restored frame of a compared method, as :func:`complexity` counts.

    A method with a window is counted on one window, which gives one frame, though a clip's windows may share work; that
    is what the paper's figures count. Any other on the frame by which a clip grows from 6 to 7. Deformable
    convolutions, searches for similar patches and optical flow by OpenCV do not count.

    Args:
        model: with ``restore_clip`` and ``supervised``; a copy of it is run.
        height, width, channels: of a frame.
        computed: for networks that look at pixel values on the way. They are run on frames of 64x96, and what is
            counted there is scaled by the number of pixels: exact for convolutions, as all sizes are multiples of 32.
    """
    device, size = ("cpu", SMALL) if computed else ("meta", (height, width))
    model = copy.deepcopy(model).to(device).eval()
    scale = height * width / (size[0] * size[1]) / 1e9
    window = next(length for length in range(1, LONGEST) if model.supervised(length))
    if window > 1:
        counted = _clip_flops(model, (1, window, channels, *size), device) / len(model.supervised(window))
    else:
        longer, shorter = (_clip_flops(model, (1, length, channels, *size), device) for length in STEADY)
        counted = longer - shorter
    return Complexity(_parameters(model), counted * scale)


def _clip_flops(model: nn.Module, shape: tuple[int, ...], device: str) -> int:
    clip = torch.full(shape, 0.5, device=device)
    with torch.no_grad(), _Counter() as counter:
        model.restore_clip(clip, torch.full((1,), 20.0, device=device))
    return counter.flops


class _Counter(TorchDispatchMode):
    """The sum of PyTorch's counts of each operation: its own FlopCounterMode sorts them by module, and takes longer."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.grid_sampler_2d.default and args[0].is_meta:
            # Warping does not count, so its size is enough; PyTorch derives it from what it would compute, slowly.
            x, grid = args[:2]
            return x.new_empty((*x.shape[:2], *grid.shape[1:3]))
        result = func(*args, **(kwargs or {}))
        if count := flop_registry.get(func.overloadpacket):
            self.flops += count(*args, **(kwargs or {}), out_val=result)
        return result


def _parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
