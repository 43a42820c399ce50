"""A network that restores single frames is given a memory: what it then carries, and what stays as it was."""

import numpy as np
import pytest
import torch
from helpers.tiny_networks import SIZES

from ncfl.common.errors import InputError
from ncfl.models import variants
from ncfl.train.memory_start import YUV, start_memory


@pytest.fixture
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    found = variants.m_f(**SIZES).eval()
    start_memory(found, [torch.rand(2, 3, 32, 32) for _ in range(4)])
    return found


@torch.no_grad()
def test_features_carry_the_frame_as_luma_and_colour(model):
    frame = torch.rand(1, 3, 32, 48)
    c_t = model(frame).state.c_t
    yuv = torch.einsum("oc,bchw->bohw", torch.tensor(YUV), frame)
    # Up to a constant, and to what gates that act channel by channel let through to directions across channels.
    difference = c_t[:, :3] - yuv
    assert (difference.std((0, 2, 3)) < 0.02 * yuv.std((0, 2, 3))).all()


@torch.no_grad()
def test_luma_passes_the_compression_pixel_by_pixel(model):
    c = torch.zeros(1, 8, 32, 32)
    c[:, 0] = torch.from_numpy(np.random.default_rng(0).uniform(0, 1, (1, 32, 32)).astype(np.float32))
    c_tilde = model.compression(c).c_tilde
    # A step of 0.1 on latents of 8 units per unit of luma: at most 0.05 / 8 beside the exact value.
    assert (c_tilde[:, 0] - c[:, 0]).std() < 0.02


@torch.no_grad()
def test_the_past_is_heard(model):
    first, second = torch.rand(2, 1, 3, 32, 32)
    c_tilde = model.compression(model.attention(second, model(first).state.c_t) * model(first).state.c_t).c_tilde
    assert (
        np.corrcoef(c_tilde[0, 0].flatten(), torch.einsum("c,chw->hw", torch.tensor(YUV)[0], first[0]).flatten())[0, 1]
        > 0.9
    )


@torch.no_grad()
def test_without_a_compression_the_features_themselves_carry_it():
    torch.manual_seed(0)
    plain = variants.m_b(**SIZES).eval()
    start_memory(plain, [torch.rand(2, 3, 32, 32) for _ in range(4)])
    frame = torch.rand(1, 3, 32, 48)
    luma = torch.einsum("c,chw->hw", torch.tensor(YUV)[0], frame[0])
    assert (plain(frame).state.c_t[0, 0] - luma).std() < 0.02 * luma.std()


def test_other_structures_are_refused():
    with pytest.raises(InputError, match="24 latents"):
        start_memory(variants.m_f(**SIZES | {"latent_width": 8}), [torch.rand(1, 3, 32, 32)])
    with pytest.raises(InputError, match="structure"):
        start_memory(variants.m_e(**SIZES), [torch.rand(1, 3, 32, 32)])
