"""The adapter that drives recurrent and window methods over a stream."""

import weakref
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from ncfl.methods.interface import border_index, stream


class RunningSum:
    """Recurrent stand-in: the sum of all frames so far, plus sigma."""

    name, blind, channels = "running sum", True, None

    def step(self, frame: Tensor, state: Tensor | None, sigma: Tensor | None) -> tuple[Tensor, Tensor]:
        total = frame if state is None else state + frame
        return total if sigma is None else total + sigma[:, None, None, None], total


class Digits:
    """Window stand-in: frames hold their own number; the output spells the window in base 100."""

    name, channels = "digits", None

    def __init__(self, radius: int, border: str = "reflect", blind: bool = True) -> None:
        self.radius, self.border, self.blind = radius, border, blind

    def apply(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        weights = 100.0 ** torch.arange(frames.shape[1] - 1, -1, -1, dtype=torch.float64)
        return torch.einsum("btchw,t->bchw", frames, weights)


def numbered(count: int) -> Iterator[Tensor]:
    return (torch.full((1, 1, 2, 2), float(t), dtype=torch.float64) for t in range(count))


def spelled(outputs: Iterator[Tensor], length: int) -> list[list[int]]:
    return [[int(y[0, 0, 0, 0]) // 100**k % 100 for k in range(length - 1, -1, -1)] for y in outputs]


def test_recurrent_passes_the_state_on_and_gives_one_output_per_input():
    outputs = list(stream(RunningSum(), numbered(5)))
    assert [y[0, 0, 0, 0].item() for y in outputs] == [0, 1, 3, 6, 10]
    assert all(y.shape == (1, 1, 2, 2) for y in outputs)


def test_window_at_the_borders_by_hand():
    assert spelled(stream(Digits(2), numbered(6)), 5) == [
        [2, 1, 0, 1, 2],
        [1, 0, 1, 2, 3],
        [0, 1, 2, 3, 4],
        [1, 2, 3, 4, 5],
        [2, 3, 4, 5, 4],
        [3, 4, 5, 4, 3],
    ]


@pytest.mark.parametrize(("border", "mode"), [("reflect", "reflect"), ("replicate", "edge")])
@pytest.mark.parametrize("radius", [0, 1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_window_sees_what_numpy_pads(count: int, radius: int, border: str, mode: str):
    # numpy's padding is the independent statement of both borders, clips shorter than the window included.
    padded = np.pad(np.arange(count), radius, mode=mode)
    expected = [padded[t : t + 2 * radius + 1].tolist() for t in range(count)]
    assert spelled(stream(Digits(radius, border), numbered(count)), 2 * radius + 1) == expected


def test_border_index_far_outside():
    assert [border_index(i, 3) for i in range(-4, 7)] == [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]
    assert [border_index(i, 3, "replicate") for i in range(-2, 5)] == [0, 0, 0, 1, 2, 2, 2]
    assert [border_index(i, 1) for i in range(-2, 3)] == [0] * 5


def test_empty_stream_gives_nothing():
    assert list(stream(Digits(2), numbered(0))) == []
    assert list(stream(RunningSum(), numbered(0))) == []


def test_output_follows_input_at_once_or_after_radius_frames():
    read = []

    def frames() -> Iterator[Tensor]:
        for t, frame in enumerate(numbered(10)):
            read.append(t)
            yield frame

    next(stream(RunningSum(), frames()))
    assert read == [0]
    read.clear()
    outputs = stream(Digits(3), frames())
    next(outputs)
    assert read == [0, 1, 2, 3]
    next(outputs)
    assert read == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("method", "held"), [(RunningSum(), 2), (Digits(2), 6)])
def test_frames_are_let_go(method: object, held: int):
    alive: list[weakref.ref] = []
    most = 0

    def frames() -> Iterator[Tensor]:
        nonlocal most
        for frame in numbered(40):
            most = max(most, sum(ref() is not None for ref in alive))
            alive.append(weakref.ref(frame))
            yield frame

    for _ in stream(method, frames()):
        pass
    assert len(alive) == 40
    assert most <= held


def test_sigma_is_one_number_or_one_per_clip_of_the_batch():
    frames = [torch.zeros(2, 1, 1, 1)]
    assert next(stream(RunningSum(), frames, 7.0)).flatten().tolist() == [7, 7]
    assert next(stream(RunningSum(), frames, [10, 50])).flatten().tolist() == [10, 50]
    assert next(stream(RunningSum(), frames, None)).flatten().tolist() == [0, 0]


def test_no_gradients_are_kept_and_the_caller_keeps_its_own_mode():
    method = RunningSum()
    method.step = lambda frame, state, sigma: (frame * torch.ones(1, requires_grad=True), state)
    for output in stream(method, numbered(3)):
        assert not output.requires_grad
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()


def test_refuses_a_method_that_must_be_told_sigma():
    with pytest.raises(ValueError, match="digits must be told sigma"):
        stream(Digits(1, blind=False), numbered(3))
    assert len(list(stream(Digits(1, blind=False), numbered(3), 25))) == 3


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_refuses_to_pass_on_what_is_not_finite(bad: float):
    frames = [*numbered(2), torch.tensor([[[[1.0, bad]]]], dtype=torch.float64)]
    outputs = stream(RunningSum(), (frame[..., :1, :2] for frame in frames))
    assert len([next(outputs), next(outputs)]) == 2
    with pytest.raises(FloatingPointError, match="running sum: restored frame 2 has values that are not finite"):
        next(outputs)


def test_refuses_what_is_no_method():
    with pytest.raises(TypeError, match="object is neither"):
        stream(object(), numbered(3))


@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 4, 4, 4), (1, 1, 3, 4, 4)])
def test_refuses_frames_of_another_shape(shape: tuple[int, ...]):
    method = RunningSum()
    method.channels = 3
    with pytest.raises(ValueError, match=r"takes frames \[B,3,H,W\]"):
        next(stream(method, [torch.zeros(shape)]))
