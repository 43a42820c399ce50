"""A look inside the network, against what its own modules give when they are called by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ncfl.data.store import ClipStore
from ncfl.evaluate.examples import write_arrays
from ncfl.evaluate.intermediates import can_look_inside, look_inside, of_example
from ncfl.models.ncfl import NCFL
from ncfl.models.variants import m_d, m_f, ncfl_adapq

SIZES = {
    "unet_widths": (4, 4, 4, 4, 4),
    "feature_width": 6,
    "latent_width": 5,
    "mv_width": 4,
    "flow_width": 0.1,
    "attention_widths": (4, 4, 4),
    "attention_blocks": 1,
    "attention_extra_blocks": 1,
}


@pytest.fixture(scope="module")
def network() -> NCFL:
    torch.manual_seed(0)
    return m_f(**SIZES).eval()


def clip(count: int, height: int = 18, width: int = 21) -> list[torch.Tensor]:
    return [torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(t)) for t in range(count)]


@torch.no_grad()
def test_the_arrays_are_what_the_modules_give(network: NCFL):
    frames = clip(3, 32, 48)  # of a size that needs no padding
    found = look_inside(network, frames)
    state = network(frames[1], network(frames[0]).state).state
    motion = network.motion(frames[2], state.x_t)
    c_hat = network.align(frames[2], state)
    attention = network.attention(frames[2], c_hat)
    c_check = attention * c_hat
    e, (mu, sigma, q) = network.compression.encoder(c_check), network.compression.estimate_prior(c_check)
    r = torch.round(e / q - mu)
    # The Laplace prior in its closed form, in float64.
    r, sigma = r.double(), sigma.double()

    def below(x: torch.Tensor) -> torch.Tensor:
        return torch.where(x < 0, x.clamp(max=0).exp() / 2, 1 - (-x.clamp(min=0)).exp() / 2)

    bits = -torch.log2((below((r + 0.5) / sigma) - below((r - 0.5) / sigma)).clamp(min=1e-9))
    expected = {
        "mv": motion[0],
        "mv_refined": network.mv_refinement(motion)[0],
        "attention": attention[0].mean(0),
        "c_check": c_check[0].square().sum(0).sqrt(),
        "c_tilde": network.compression(c_check).c_tilde[0].square().sum(0).sqrt(),
        "step": q[0].mean(0),
        "bits": bits[0].sum(0),
    }
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value.numpy(), rtol=1e-4, atol=1e-5, err_msg=key)


def test_padding_is_cut_off(network: NCFL):
    found = look_inside(network, clip(2))
    shapes = {key: array.shape for key, array in found.items()}
    plain, latent = (18, 21), (5, 6)
    assert shapes == {
        "attention": plain,
        "bits": latent,
        "c_check": plain,
        "c_tilde": plain,
        "mv": (2, *plain),
        "mv_refined": (2, *plain),
        "step": latent,
    }


def test_nothing_stays_behind(network: NCFL):
    look_inside(network, clip(2))
    assert not any(module._forward_hooks for module in network.modules())


def test_only_what_has_all_parts_is_looked_into(network: NCFL):
    assert can_look_inside(network)
    assert not any(map(can_look_inside, (m_d(**SIZES), ncfl_adapq(**SIZES), None)))
    with pytest.raises(ValueError, match="frames: expected at least 2 to look inside, got 1"):
        look_inside(network, clip(1))


def test_the_example_is_the_one_that_is_kept(network: NCFL, store: ClipStore, tmp_path: Path):
    name = store.split("test")[0].name
    given = {"store": store, "dataset": "set8", "split": "test", "seed": 7}
    keep = {"sequence": 0, "frame": 2, "sigma": 50}
    found = of_example(network, sigmas=[10, 50], keep=keep, **given)
    assert list(found) == [f"{name}_2_sigma50_inside.npz"]
    assert of_example(network, sigmas=[10], keep=keep, **given) == {}
    assert of_example(network, sigmas=[50], keep=keep | {"frame": 0}, **given) == {}
    for path in (tmp_path / "a.npz", tmp_path / "b.npz"):
        write_arrays(path, found[f"{name}_2_sigma50_inside.npz"])
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
