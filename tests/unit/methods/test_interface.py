"""The adapter that drives recurrent, window and chunk methods over a stream."""

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


class Marked:
    """Chunk stand-in: each output holds its frame's number, and the first and last frame that were seen with it."""

    name, channels = "marked", None

    def __init__(self, chunk: int, overlap: int, blind: bool = True) -> None:
        self.chunk, self.overlap, self.blind = chunk, overlap, blind

    def restore(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        seen = 100 * frames[:, :1] + frames[:, -1:]
        return 10_000 * frames + seen + (0 if sigma is None else sigma.view(-1, 1, 1, 1, 1) / 1000)


def marks(outputs: Iterator[Tensor]) -> list[tuple[int, int, int]]:
    return [(v // 10_000, v // 100 % 100, v % 100) for v in (int(y[0, 0, 0, 0]) for y in outputs)]


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


def test_chunks_by_hand():
    assert marks(stream(Marked(3, 2), numbered(8))) == [
        (0, 0, 4),
        (1, 0, 4),
        (2, 0, 4),
        (3, 1, 7),
        (4, 1, 7),
        (5, 1, 7),
        (6, 4, 7),
        (7, 4, 7),
    ]


@pytest.mark.parametrize("overlap", [0, 1, 2, 7])
@pytest.mark.parametrize("chunk", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 9, 12])
def test_chunk_sees_its_context_as_far_as_the_clip_has_it(count: int, chunk: int, overlap: int):
    expected = []
    for t in range(count):
        first, end = t // chunk * chunk, t // chunk * chunk + chunk
        expected.append((t, max(first - overlap, 0), min(end + overlap, count) - 1))
    assert marks(stream(Marked(chunk, overlap), numbered(count))) == expected


def test_empty_stream_gives_nothing():
    assert list(stream(Marked(2, 1), numbered(0))) == []
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
    read.clear()
    outputs = stream(Marked(2, 1), frames())
    for seen in (3, 3, 5, 5, 7):
        next(outputs)
        assert len(read) == seen


@pytest.mark.parametrize(("method", "held"), [(RunningSum(), 2), (Digits(2), 6), (Marked(3, 2), 8)])
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
    assert next(stream(Marked(1, 0), frames, [10, 50])).flatten().tolist() == pytest.approx([0.01, 0.05])


def test_no_gradients_are_kept_and_the_caller_keeps_its_own_mode():
    method = RunningSum()
    method.step = lambda frame, state, sigma: (frame * torch.ones(1, requires_grad=True), state)
    for output in stream(method, numbered(3)):
        assert not output.requires_grad
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()


def test_refuses_a_method_that_must_be_told_sigma():
    with pytest.raises(ValueError, match="method digits: expected sigma, got none"):
        stream(Digits(1, blind=False), numbered(3))
    assert len(list(stream(Digits(1, blind=False), numbered(3), 25))) == 3
    with pytest.raises(ValueError, match="method marked: expected sigma, got none"):
        stream(Marked(2, 1, blind=False), numbered(3))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_refuses_to_pass_on_what_is_not_finite(bad: float):
    frames = [*numbered(2), torch.tensor([[[[1.0, bad]]]], dtype=torch.float64)]
    outputs = stream(RunningSum(), (frame[..., :1, :2] for frame in frames))
    assert len([next(outputs), next(outputs)]) == 2
    with pytest.raises(FloatingPointError, match="running sum: restored frame 2 has values that are not finite"):
        next(outputs)


def test_refuses_what_is_no_method():
    with pytest.raises(TypeError, match="method: expected a Recurrent, a Window or a Chunk method, got object"):
        stream(object(), numbered(3))


@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 4, 4, 4), (1, 1, 3, 4, 4)])
def test_refuses_frames_of_another_shape(shape: tuple[int, ...]):
    method = RunningSum()
    method.channels = 3
    with pytest.raises(ValueError, match=r"expected frames \[B,3,H,W\], got \["):
        next(stream(method, [torch.zeros(shape)]))
