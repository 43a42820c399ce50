"""A trained model behind the interface of methods."""

import pytest
import torch
from torch import nn

from ncfl.methods.interface import stream
from ncfl.methods.ncfl.method import NCFLMethod
from ncfl.models.variants import m_f, ncfl_adapq

SIZES = {"feature_width": 8, "latent_width": 8}


def perturbed(model: nn.Module) -> nn.Module:
    """Away from its initial zeros, where every output would be the input."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return perturbed(m_f(unet_widths=(8, 8, 8, 8, 8), flow_width=0.125, mv_width=8, **SIZES))


@pytest.fixture(scope="module")
def frames() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [torch.rand(1, 3, 37, 50, generator=generator) * 1.4 - 0.2 for _ in range(3)]


def test_frames_and_state_go_through_the_model(model: nn.Module, frames: list[torch.Tensor]):
    outputs = list(stream(NCFLMethod(model), frames))
    state = None
    with torch.no_grad():
        for frame, output in zip(frames, outputs, strict=True):
            step = model.eval()(frame, state)
            state = step.state
            torch.testing.assert_close(output, step.y_tilde, rtol=0, atol=0)
    alone = next(stream(NCFLMethod(model), frames[2:]))
    assert (outputs[2] - alone).abs().max() > 1e-4


def test_a_training_model_is_set_to_evaluation(model: nn.Module, frames: list[torch.Tensor]):
    evaluated = list(stream(NCFLMethod(model.eval()), frames))
    from_training = list(stream(NCFLMethod(model.train()), frames))
    assert not model.training
    torch.testing.assert_close(from_training, evaluated, rtol=0, atol=0)


def test_memory_order_changes_only_rounding(model: nn.Module, frames: list[torch.Tensor]):
    plain = list(stream(NCFLMethod(model), frames))
    last = list(stream(NCFLMethod(model, channels_last=True), frames))
    NCFLMethod(model)
    # In the mean: rounding may take a latent to its other neighbor, here or there.
    assert (torch.stack(last) - torch.stack(plain)).abs().mean() < 1e-5


def test_the_codec_has_no_state_and_each_frame_stands_alone(frames: list[torch.Tensor]):
    method = NCFLMethod(perturbed(ncfl_adapq(**SIZES)), name="clean-adapq")
    outputs = list(stream(method, frames))
    torch.testing.assert_close(outputs[2], next(stream(method, frames[2:])), rtol=0, atol=0)
    assert method.name == "clean-adapq"


def test_it_is_blind_and_knows_its_channels(model: nn.Module, frames: list[torch.Tensor]):
    method = NCFLMethod(model)
    assert (method.name, method.blind, method.channels) == ("ncfl", True, 3)
    told, untold = next(stream(method, frames, 25.0)), next(stream(method, frames))
    torch.testing.assert_close(told, untold, rtol=0, atol=0)
    raw = NCFLMethod(m_f(channels=4, unet_widths=(8, 8, 8, 8, 8), flow_width=0.125, mv_width=8, **SIZES))
    assert raw.channels == 4
    with pytest.raises(ValueError, match=r"\[B,4,H,W\]"):
        next(stream(raw, frames))
