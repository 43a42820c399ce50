"""How fast a method runs, beside its bare layers: the same ones in a row, with nothing between them."""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import torch
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.methods.interface import Method, Recurrent, Window
from ncfl.profile.recorded_layers import Layers, bare

SMALLEST = 32  # pixels along an edge
CHUNK = 3  # frames that a chunk method is given at once: what its frames share is then in the figure
SIGMA = 30.0


@dataclass(frozen=True)
class Measured:
    """One method on one machine, a frame of the steady state.

    Attributes:
        gflops: 1e9 operations a frame, 2 per multiply-accumulate, of the layers that ran.
        layers: how many calls of them a frame takes.
        seconds: a frame; None where nothing was timed.
        bare_seconds: its layers alone, see :class:`ncfl.profile.recorded_layers.Layers`.
        convolution_seconds: its convolutions and matrix products alone.
        peak_gb: 1e9 bytes that the network, the frames and the run take at most.
    """

    gflops: float
    layers: float
    seconds: float | None
    bare_seconds: float | None
    convolution_seconds: float | None
    peak_gb: float

    @property
    def ratio(self) -> float | None:
        """How many times the time of its bare layers it takes."""
        return self.seconds / self.bare_seconds if self.seconds and self.bare_seconds else None

    @property
    def convolution_ratio(self) -> float | None:
        """How many times the time of its convolutions and matrix products it takes."""
        return self.seconds / self.convolution_seconds if self.seconds and self.convolution_seconds else None


def measure(
    build: Callable[[], Method],
    *,
    published: Callable[[], Method] | None = None,
    height: int = 540,
    width: int = 960,
    channels: int = 3,
    threads: int | None = None,
    repeats: int = 3,
    device: str | torch.device = "cpu",
) -> Measured:
    """Run a method on frames of noise in a steady state, and its bare layers in turns with it.

    Peak memory is that of this process since the call (on a GPU: of PyTorch), so a process measures one method only.
    Times are the least of the repeats. With one thread on the processor they are the time that this process had it
    for, which others on the machine change little; else the clock's.

    Args:
        build: makes the method.
        published: makes it with the layers as they were published, where ``build`` changes them for speed, say by
            folding a normalization into a convolution: its bare layers are those that count.
        height, width: of a frame, at least 32.
        channels: of a frame.
        threads: of PyTorch and OpenCV; None for PyTorch's own choice.
        repeats: 0 for memory and operations alone.
        device: where the method runs.

    Raises:
        InputError: a number out of its range.
    """
    _check(height, width, threads, repeats)
    device = torch.device(device)
    if threads:
        torch.set_num_threads(threads)
    cv2.setNumThreads(torch.get_num_threads())
    torch.manual_seed(0)
    before = _peak(device)
    method = build()
    frames, run = _steady(method, (channels, height, width), device)
    layers = Layers(method.model)
    layers.record(run)
    peak = _peak(device) - before
    if published:
        unchanged = published()
        layers = Layers(unchanged.model)
        layers.record(_steady(unchanged, (channels, height, width), device)[1])
    seconds: list[float | None] = [None] * 3
    if repeats:
        channels_last = method.memory_format == torch.channels_last
        alone = [bare(x, device, channels_last=channels_last) for x in (layers.calls, layers.convolutions)]
        seconds = [time / frames for time in _times([run, *alone], repeats, device)]
    return Measured(layers.flops / frames / 1e9, len(layers.calls) / frames, *seconds, peak / 1e9)


def _check(height: int, width: int, threads: int | None, repeats: int) -> None:
    found = {"height": (height, SMALLEST), "width": (width, SMALLEST), "threads": (threads, 1), "repeats": (repeats, 0)}
    for name, (value, least) in found.items():
        if value is not None and value < least:
            raise InputError(f"{name}: expected {least} or more, got {value}")


def _steady(method: Method, size: tuple[int, ...], device: torch.device) -> tuple[int, Callable[[], Any]]:
    """How many frames a call gives, and a call that can be repeated; what only a clip's start costs was paid here."""
    sigma = torch.full((1,), SIGMA, device=device)
    if isinstance(method, Recurrent):
        frame = torch.rand(1, *size, device=device)
        with torch.no_grad():
            state = method.step(frame, None, sigma)[1]
        return 1, lambda: method.step(frame, state, sigma)
    if isinstance(method, Window):
        clip = torch.rand(1, 2 * method.radius + 2, *size, device=device)
        with torch.no_grad():
            method.apply(clip[:, :-1], sigma)
        return 1, _Sliding(method, clip, sigma)
    clip = torch.rand(1, CHUNK, *size, device=device)
    return CHUNK, lambda: method.restore(clip, sigma)


class _Sliding:
    """Windows that move on by a frame each time, so that what the last one knew is taken over; the clip is a ring."""

    def __init__(self, method: Window, clip: Tensor, sigma: Tensor) -> None:
        self.method, self.clip, self.sigma = method, clip, sigma

    def __call__(self) -> Tensor:
        self.clip = self.clip.roll(-1, dims=1)
        return self.method.apply(self.clip[:, :-1], self.sigma)


def _times(runs: list[Callable[[], Any]], repeats: int, device: torch.device) -> list[float]:
    """Seconds of each run, the least of the repeats; the runs take turns, of which the first warms up."""
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    turns = []
    with torch.inference_mode():
        for _ in range(repeats + 1):
            turns.append([_timed(run, clock, device) for run in runs])
    return [min(times) for times in zip(*turns[1:], strict=True)]


def _timed(run: Callable[[], Any], clock: Callable[[], float], device: torch.device) -> float:
    wait(device)
    began = clock()
    run()
    wait(device)
    return clock() - began


def wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak(device: torch.device) -> int:
    """Bytes, the most until now."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most  # bytes there, KiB on Linux
