"""How long the paper's DAVIS schedule would take on this machine, and how much of its arithmetic is used.

The time of one iteration is measured in both stages, its operations are counted as PyTorch's FlopCounterMode does
(convolutions and matrix products, forward and backward), and the machine's rate is that of large products in the
precision of the training: what its arithmetic gives to a program that does nothing else.
"""

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ncfl.common.device import pick_device
from ncfl.data.footage import Phase
from ncfl.profile.time_budget import seconds_each, timed_step
from ncfl.train.config import TrainConfig
from ncfl.train.recipes import Recipe, precision_of

MATRIX = {"cuda": 8192, "cpu": 2048}  # rows and columns: large enough that a larger one is no faster


def bench(
    recipe: Recipe,
    *,
    device: str = "auto",
    threads: int = 1,
    seconds: float = 10.0,
    window: tuple[int, int, int] | None = None,
) -> dict[str, Any]:
    """Measure a recipe's network at the paper's window, and project the paper's schedule.

    Args:
        recipe: its sizes.
        device: auto, cpu or cuda.
        threads: of PyTorch on the CPU; 0: its own choice.
        seconds: of timing for each figure.
        window: clips, frames of each, pixels to measure with, where the paper's (16, 5, 128) is too much for the
            machine. Hours are those of the paper's: scaled by the number of pixels.

    Returns:
        What was measured, as plain data. ``stage1``, ``stage2``: iterations of the paper's schedule, measured seconds
        each, and projected hours in all; ``gflops``: 1e9 operations per measured iteration, 2 per multiply-accumulate;
        ``matrix_gflops_per_second``; ``share``: of that rate, in stage 2; ``hours``: of both stages (motion estimation
        is taken as training all along); ``peak_gb``: of a GPU's memory, None on a CPU.

    Raises:
        InputError: a GPU that is not there, a window out of range.
    """
    paper = TrainConfig()
    batch, frames, patch = window or (paper.batch, paper.frames, paper.patch)
    # Checks them, and says what is allowed.
    TrainConfig(batch=batch, frames=frames, patch=patch, threads=threads)
    place, phase = pick_device(device), Phase(1.0, batch, frames, patch)
    if threads:
        torch.set_num_threads(threads)
    found: dict[str, Any] = {"recipe": recipe.name, "window": [batch, frames, patch], **_machine(place)}
    scale = paper.batch * paper.frames * paper.patch**2 / (batch * frames * patch**2)
    gflops = each = 0.0  # of the last stage
    for stage in paper.stages:
        step = timed_step(recipe, phase, place, rate_weight=paper.lambda_ if stage.rate_term else 0.0)
        with FlopCounterMode(display=False) as counter:
            step()
        gflops = counter.get_total_flops() / 1e9
        each = seconds_each(step, place, seconds)
        hours = each * stage.iterations / 3600 * scale
        found[stage.name] = {"iterations": stage.iterations, "seconds_per_iteration": each, "hours": hours}
    rate = matrix_rate(place, seconds)
    return {
        **found,
        "gflops": gflops,
        "matrix_gflops_per_second": rate,
        "share": gflops / each / rate,
        "hours": sum(found[stage.name]["hours"] for stage in paper.stages),
        "peak_gb": torch.cuda.max_memory_allocated(place) / 1e9 if place.type == "cuda" else None,
    }


def matrix_rate(device: torch.device, seconds: float) -> float:
    """1e9 operations per second, 2 per multiply-accumulate, of large products in a training's precision.

    The larger of two: a square matrix product, and a 3x3 convolution. On a processor they come from different
    libraries, and one of them may not use all that it has.
    """
    settings = {"device": device, "dtype": getattr(torch, precision_of(device))}
    n = MATRIX[device.type]
    a, b = (torch.rand(n, n, **settings) for _ in range(2))
    room = torch.empty_like(a)
    product = 2 * n**3 / seconds_each(lambda: torch.mm(a, b, out=room), device, seconds)
    channels, side = n // 8, 64
    x = torch.rand(1, channels, side, side, **settings).contiguous(memory_format=torch.channels_last)
    layer = nn.Conv2d(channels, channels, 3, padding=1, **settings).to(memory_format=torch.channels_last)
    with torch.no_grad():
        convolution = 2 * 9 * channels**2 * side**2 / seconds_each(lambda: layer(x), device, seconds)
    return max(product, convolution) / 1e9


def _machine(device: torch.device) -> dict[str, Any]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return {"device": name, "precision": precision_of(device), "torch": torch.__version__}
