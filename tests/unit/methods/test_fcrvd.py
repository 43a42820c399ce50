"""FCRVD: its rain model, its alignment, its recurrence and its refusals."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.methods.fcrvd.model import FCRVD, RainModel

SMALL = {"width": 4, "blocks": 1, "flow_levels": 2, "flow_width": 0.1}


def network() -> FCRVD:
    """With results that depend on everything it is given."""
    torch.manual_seed(0)
    model = FCRVD(**SMALL).eval()
    for layer in (model.last, model.rain_model.streaks[-1], model.rain_model.transmission[-1]):
        nn.init.normal_(layer.weight, std=0.1)
    return model


def clip(length: int, height: int = 18, width: int = 21, batch: int = 1, channels: int = 3) -> Tensor:
    return torch.rand(batch, length, channels, height, width, generator=torch.Generator().manual_seed(length))


def test_it_starts_as_the_identity():
    frames = clip(3)
    torch.testing.assert_close(FCRVD(**SMALL).restore_clip(frames), frames)


def test_the_rain_model_is_undone():
    """With known s, beta, a and u, what they were added to comes back."""
    rain = RainModel(3, 4, 1)
    y = clip(1, 16, 16)[:, 0]
    s, beta, a, u = 0.2, 0.6, 0.9, 0.05
    for layer, value in ((rain.streaks, s), (rain.transmission, beta), (rain.light, a), (rain.fluctuation, u)):
        nn.init.constant_(layer[-1].bias, value)
    torch.testing.assert_close(rain(beta * (y + s) + (1 - beta) * a + u), y)


def test_a_vanishing_transmission_is_held_off_zero():
    rain = RainModel(3, 4, 1)
    nn.init.constant_(rain.transmission[-1].bias, -3.0)
    nn.init.constant_(rain.light[-1].bias, 0.0)
    y = clip(1, 16, 16)[:, 0]
    torch.testing.assert_close(rain(y), y / 0.05)


def test_what_was_restored_before_is_aligned_by_the_estimated_motion(monkeypatch: pytest.MonkeyPatch):
    model, given = network(), []
    model.encoder.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    mv = torch.tensor([1.0, 2.0])[None, :, None, None]
    monkeypatch.setattr(model.motion, "forward", lambda current, previous: mv.expand(-1, -1, *current.shape[-2:]))
    frames = clip(2, 16, 20)
    with torch.no_grad():
        one, state = model(frames[:, 0])
        two, _ = model(frames[:, 1], state)
    x, first, aligned, difference = given[1].split(3, dim=1)
    inside = (..., slice(0, 14), slice(0, 19))
    moved = (..., slice(2, 16), slice(1, 20))
    torch.testing.assert_close(x, frames[:, 1])
    torch.testing.assert_close(first, two.first)
    torch.testing.assert_close(aligned[inside], one.second[moved], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(difference[inside], two.first[inside] - one.first[moved], rtol=1e-5, atol=1e-5)
    # The clip's first frame: its own estimate in place of an earlier result, and no difference.
    x, first, aligned, difference = given[0].split(3, dim=1)
    torch.testing.assert_close(aligned, first)
    assert (difference == 0).all()


def test_it_is_causal_and_remembers():
    model, frames = network(), clip(4)
    with torch.no_grad():
        before = model.restore_clip(frames)
        frames[:, 1] = 0
        changed = (model.restore_clip(frames) - before).abs().amax((0, 2, 3, 4)) > 0
    assert changed.tolist() == [False, True, True, True]


def test_one_loss_reaches_every_layer():
    model, frames = network(), clip(3, 16, 16)
    for layer in (model.rain_model.light, model.rain_model.fluctuation):
        nn.init.normal_(layer[-1].weight, std=0.1)
    for level in model.motion.levels:
        nn.init.normal_(level[-1].weight, std=0.1)
    F.mse_loss(model.restore_clip(frames, torch.tensor([5.0])), 0.5 * frames).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []


def test_a_state_of_another_size_is_refused():
    model = FCRVD(**SMALL)
    _, state = model(clip(1)[:, 0])
    with pytest.raises(InputError, match=r"frames: expected \[1, 3, 20, 24\], as the state has, got \[1, 3, 16, 16\]"):
        model(clip(1, 16, 16)[:, 0], state)
