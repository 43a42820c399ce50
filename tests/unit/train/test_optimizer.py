"""The optimizer: AdamW's step by hand, groups, freezing, clipping, and what is handed on."""

import math
import sys

import pytest
import torch
from helpers.train_samples import tiny
from torch import nn

from ncfl.common.device import pick_device
from ncfl.common.errors import InputError
from ncfl.train import optimizer as op


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.motion = nn.Linear(1, 1, bias=False)
        self.other = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.motion.weight, 2.0)
        nn.init.constant_(self.other.weight, 3.0)

    def loss(self):
        return 5 * self.motion.weight.sum() + 7 * self.other.weight.sum()


def scaler():
    return op.grad_scaler(torch.device("cpu"), "float32")


def step(model, optimizer, rates, grad_clip=None):
    op.set_rates(optimizer, rates)
    model.loss().backward()
    norm = op.gradient_norm(model)
    op.descend(model, optimizer, scaler(), norm=norm, grad_clip=grad_clip)
    return norm.item()


def test_groups_are_disjoint_and_complete():
    model = tiny()
    groups = {
        group["name"]: group["params"] for group in op.adamw(model, weight_decay=0.1, betas=(0.9, 0.99)).param_groups
    }
    assert {id(p) for p in groups["motion"]} == {id(p) for p in model.motion.parameters()}
    together = [id(p) for group in groups.values() for p in group]
    assert sorted(together) == sorted(id(p) for p in model.parameters())


def test_a_model_without_motion_has_one_group():
    optimizer = op.adamw(tiny(recurrent=False), weight_decay=0.1, betas=(0.9, 0.99))
    assert [group["name"] for group in optimizer.param_groups] == ["rest"]


def test_first_step_by_hand():
    # Bias correction makes AdamW's first step rate * sign(g), after the weight has shrunk by rate * decay.
    model = Pair()
    optimizer = op.adamw(model, weight_decay=0.5, betas=(0.9, 0.999))
    norm = step(model, optimizer, {"rest": 0.1, "motion": 0.01})
    assert norm == pytest.approx(math.hypot(5, 7), rel=1e-6)
    assert model.other.weight.item() == pytest.approx(3.0 * (1 - 0.1 * 0.5) - 0.1, rel=1e-6)
    assert model.motion.weight.item() == pytest.approx(2.0 * (1 - 0.01 * 0.5) - 0.01, rel=1e-6)
    assert model.other.weight.grad is None


def test_frozen_weights_stay_bit_for_bit():
    model = Pair()
    optimizer = op.adamw(model, weight_decay=0.5, betas=(0.9, 0.999))
    step(model, optimizer, {"rest": 0.1, "motion": None})
    assert model.motion.weight.item() == 2.0
    assert model.motion.weight not in optimizer.state
    step(model, optimizer, {"rest": 0.1, "motion": 0.1})
    moved = model.motion.weight.item()
    assert moved != 2.0
    step(model, optimizer, {"rest": 0.1, "motion": None})  # now there is momentum that could move it
    assert model.motion.weight.item() == moved


def test_frozen_weights_ask_for_no_gradient():
    model = Pair()
    op.set_rates(op.adamw(model, weight_decay=0.0, betas=(0.9, 0.99)), {"rest": 0.1, "motion": None})
    assert not model.motion.weight.requires_grad
    assert model.other.weight.requires_grad


def test_clipping_scales_to_the_given_norm():
    model = Pair()
    model.loss().backward()
    norm = op.gradient_norm(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    op.descend(model, optimizer, scaler(), norm=norm, grad_clip=0.5)
    length = math.hypot(5, 7)
    assert 2.0 - model.motion.weight.item() == pytest.approx(0.5 * 5 / length, rel=1e-4)
    assert 3.0 - model.other.weight.item() == pytest.approx(0.5 * 7 / length, rel=1e-4)


def test_small_gradients_are_not_clipped():
    model = Pair()
    model.loss().backward()
    op.descend(
        model,
        torch.optim.SGD(model.parameters(), lr=1.0),
        scaler(),
        norm=op.gradient_norm(model),
        grad_clip=50.0,
    )
    assert model.motion.weight.item() == pytest.approx(2.0 - 5.0, rel=1e-6)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_moments_handed_on_in_any_layout(layout):
    def one():
        torch.manual_seed(0)
        return nn.Conv2d(3, 4, 3).to(memory_format=layout)

    def go(model, optimizer, steps):
        for i in steps:
            op.set_rates(optimizer, {"rest": 0.01})
            generator = torch.Generator().manual_seed(i)
            model(torch.rand(2, 3, 8, 8, generator=generator)).square().mean().backward()
            op.descend(model, optimizer, scaler(), norm=op.gradient_norm(model), grad_clip=None)

    def optimizer_of(model):
        return op.adamw(model, weight_decay=0.01, betas=(0.9, 0.99))

    straight = one()
    go(straight, optimizer_of(straight), range(4))

    first, second = one(), one()
    before = optimizer_of(first)
    go(first, before, range(2))
    # What a file hands on is contiguous, whatever the layout of the weights.
    saved = {
        i: {k: v.clone(memory_format=torch.contiguous_format) for k, v in s.items()}
        for i, s in op.moments(before).items()
    }
    second.load_state_dict(first.state_dict())
    after = optimizer_of(second)
    op.restore_moments(after, saved)
    go(second, after, range(2, 4))
    assert torch.equal(second.weight, straight.weight)
    assert torch.equal(second.bias, straight.bias)


def test_steps_agree_with_pytorchs_own_class():
    def go(make):
        torch.manual_seed(0)
        model = nn.Conv2d(3, 4, 3)
        optimizer = make(model)
        for i in range(3):
            generator = torch.Generator().manual_seed(i)
            optimizer.param_groups[0]["lr"] = 0.01 / (i + 1)
            model(torch.rand(2, 3, 8, 8, generator=generator)).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        return model.weight

    ours = go(lambda model: op.adamw(model, weight_decay=0.1, betas=(0.8, 0.9)))
    plain = go(lambda model: torch.optim.AdamW(model.parameters(), weight_decay=0.1, betas=(0.8, 0.9), foreach=False))
    torch.testing.assert_close(ours, plain, rtol=1e-6, atol=1e-8)


def test_does_not_load_the_compiler(monkeypatch):
    # It takes seconds, and a demo run trains in some twenty processes.
    monkeypatch.setitem(sys.modules, "torch._dynamo", None)  # an import of it would fail now
    model = Pair()
    step(model, op.adamw(model, weight_decay=0.1, betas=(0.9, 0.99)), {"rest": 0.1, "motion": 0.1}, grad_clip=1.0)
    assert model.motion.weight.item() != 2.0


def test_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    with pytest.raises(InputError, match="device: expected auto or cpu, since PyTorch sees no GPU here, got cuda"):
        pick_device("cuda")
