"""The loss: values against NumPy in double precision, gradients against derivatives taken by hand."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from ncfl.train.losses import clip_loss, psnr, restored_loss


class Step(NamedTuple):
    y_tilde: torch.Tensor
    state: torch.Tensor
    bits: torch.Tensor | None


class Recursive(nn.Module):
    """y_t = a (x_t + y_{t-1}), bits = b mean|y_t|: simple enough to differentiate on paper."""

    def __init__(self, a: float, b: float | None) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))
        self.b = None if b is None else nn.Parameter(torch.tensor(b))

    def forward(self, x_t, state):
        y = self.a * (x_t if state is None else x_t + state)
        return Step(y, y, None if self.b is None else self.b * y.abs().mean((1, 2, 3)))


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    noisy, clean = rng.random((2, 3, 2, 3, 4, 5))  # T = 3, B = 2
    return noisy, clean


def as_tensors(frames):
    return [torch.from_numpy(frame).float() for frame in frames]


def test_value_over_all_frames(frames):
    noisy, clean = frames
    outputs = [0.5 * noisy[0]]
    for x_t in noisy[1:]:
        outputs.append(0.5 * (x_t + outputs[-1]))
    l2 = np.mean((np.stack(outputs) - clean) ** 2)
    bits = np.mean([2.0 * np.abs(y).mean((1, 2, 3)) for y in outputs])

    found = clip_loss(Recursive(0.5, 2.0), as_tensors(noisy), as_tensors(clean), rate_weight=1 / 2048)
    assert found.l2.item() == pytest.approx(l2, rel=1e-6)
    assert found.bits_per_pixel.item() == pytest.approx(bits, rel=1e-6)
    assert found.loss.item() == pytest.approx(l2 + bits / 2048, rel=1e-6)


def test_without_rate_term_the_bits_are_told_but_not_paid_for(frames):
    model = Recursive(0.5, 2.0)
    found = clip_loss(model, *map(as_tensors, frames), rate_weight=0.0)
    assert found.loss.item() == found.l2.item()
    assert found.bits_per_pixel.item() > 0
    assert not found.bits_per_pixel.requires_grad
    found.loss.backward()
    assert model.b.grad is None


def test_without_compression_there_are_no_bits(frames):
    found = clip_loss(Recursive(0.5, None), *map(as_tensors, frames), rate_weight=1.0)
    assert found.bits_per_pixel is None
    assert found.loss.item() == found.l2.item()


def test_gradient_reaches_through_time():
    # y_1 = a x_1, y_2 = a x_2 + a^2 x_1, constant frames:
    # dL/da = mean over t of 2 (y_t - c_t) dy_t/da with dy_1/da = x_1, dy_2/da = x_2 + 2 a x_1.
    a, x, c = 0.7, (0.3, 0.9), (0.5, 0.2)
    y = (a * x[0], a * x[1] + a * a * x[0])
    expected = ((y[0] - c[0]) * x[0] + (y[1] - c[1]) * (x[1] + 2 * a * x[0])) * 2 / 2
    model = Recursive(a, None)
    noisy, clean = ([torch.full((1, 3, 4, 4), value) for value in values] for values in (x, c))
    clip_loss(model, noisy, clean, rate_weight=0.0).loss.backward()
    assert model.a.grad.item() == pytest.approx(expected, rel=1e-5)


def test_gradient_of_the_rate_term():
    # bits = b a |x|, so dL/db = lambda a |x| and the rate's part of dL/da is lambda b |x|.
    model = Recursive(0.5, 3.0)
    frame = [torch.full((2, 3, 4, 4), 0.8)]
    target = [torch.full((2, 3, 4, 4), 0.4)]  # y = x a = target: the L2 term has no gradient
    clip_loss(model, frame, target, rate_weight=0.25).loss.backward()
    assert model.b.grad.item() == pytest.approx(0.25 * 0.5 * 0.8, rel=1e-6)
    assert model.a.grad.item() == pytest.approx(0.25 * 3.0 * 0.8, rel=1e-6)


def test_motion_that_is_known_is_handed_to_the_model(frames):
    noisy, clean = map(as_tensors, frames)
    given = []

    class Moved(Recursive):
        def forward(self, x_t, state=None, mv=None):
            given.append(mv)
            return super().forward(x_t, state)

    motions = [None, *(torch.full((1,), float(t)) for t in range(1, len(noisy)))]
    found = clip_loss(Moved(0.5, None), noisy, clean, rate_weight=0.0, motions=lambda clip: motions[: len(clip)])
    assert [None if mv is None else mv.item() for mv in given] == [None, *range(1, len(noisy))]
    assert found.loss.item() == clip_loss(Recursive(0.5, None), noisy, clean, rate_weight=0.0).loss.item()


def test_refuses_clips_of_different_length(frames):
    noisy, clean = map(as_tensors, frames)
    with pytest.raises(ValueError, match="shorter"):
        clip_loss(Recursive(0.5, None), noisy, clean[:-1], rate_weight=0.0)


class Window(nn.Module):
    """Restores what has a neighbor on both sides: a (x_{t-1} + x_t + x_{t+1}) - sigma / 255."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))

    def supervised(self, length):
        return range(1, length - 1)

    def restore_clip(self, noisy, sigma):
        return self.a * (noisy[:, :-2] + noisy[:, 1:-1] + noisy[:, 2:]) - sigma.view(-1, 1, 1, 1, 1) / 255


def test_a_compared_method_is_scored_on_the_frames_that_it_restores_and_told_the_noise_level():
    rng = np.random.default_rng(3)
    noisy, clean = rng.random((2, 5, 2, 3, 4, 5))  # T = 5, B = 2
    sigma = np.array([10.0, 50.0])
    sums = noisy[:-2] + noisy[1:-1] + noisy[2:]
    error = 0.3 * sums - sigma[:, None, None, None] / 255 - clean[1:-1]
    model = Window(0.3)
    found = restored_loss(model, as_tensors(noisy), as_tensors(clean), sigma=torch.tensor(sigma).float())
    assert found.loss.item() == found.l2.item() == pytest.approx(np.mean(error**2), rel=1e-5)
    assert found.bits_per_pixel is None
    found.loss.backward()
    assert model.a.grad.item() == pytest.approx(np.mean(2 * error * sums), rel=1e-5)


@pytest.mark.parametrize(("error", "decibel"), [(1.0, 0.0), (0.01, 20.0), (1e-10, 100.0), (0.0, 100.0)])
def test_psnr(error, decibel):
    assert psnr(error) == pytest.approx(decibel, abs=1e-12)
