"""MV refinement and M-Conv."""

import pytest
import torch

from ncfl.models.layers import GDN
from ncfl.models.mv_refinement import MConv, MVRefinement


def _smooth_motion(height: int = 24, width: int = 32) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    return torch.stack((4 * columns - 2 * rows, 1.5 - 3 * rows))[None].float()


def test_structure_is_the_papers():
    kinds = [type(layer).__name__ for layer in (*MVRefinement().encoder, *MVRefinement().decoder)]
    assert kinds == ["Conv2d", "GDN", "Conv2d", "ConvTranspose2d", "GDN", "ConvTranspose2d"]
    assert [layer.inverse for layer in MVRefinement().modules() if isinstance(layer, GDN)] == [False, True]
    assert MVRefinement().encoder(torch.zeros(1, 2, 16, 24)).shape == (1, 64, 4, 6)


@pytest.mark.parametrize("width", [8, 64])
def test_mvr_starts_close_to_the_identity(width):
    mv = _smooth_motion()
    got = MVRefinement(width)(mv)
    assert got.shape == mv.shape
    assert (got - mv)[..., 4:-4, 4:-4].abs().max() < 0.05  # pixels; the border sees zero padding


def test_mvr_starts_as_a_low_pass():
    noise = torch.randn(1, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    assert MVRefinement(8)(noise).std() < 0.4 * noise.std()


@pytest.mark.parametrize("width", [4, 48])
def test_mconv_starts_as_the_identity(width):
    mv = _smooth_motion()
    torch.testing.assert_close(MConv(width)(mv), mv, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("build", [MVRefinement, MConv])
def test_every_weight_is_reached_within_two_steps(build):
    torch.manual_seed(0)
    module = build(8)
    mv, target = _smooth_motion(), torch.randn(1, 2, 24, 32)
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-2)
    for _ in range(2):  # the silent channels get a gradient once their outputs are non-zero
        optimizer.zero_grad()
        (module(mv) - target).square().mean().backward()
        optimizer.step()
    for name, parameter in module.named_parameters():
        assert parameter.grad.abs().max() > 0, name
