"""Modulated deformable convolution against its definition, and against plain convolution."""

import itertools
import math
import sys
import types

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ncfl.methods import deform
from ncfl.methods.deform import DeformConv, GuidedDeformConv, deform_conv

Arguments = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def drawn(
    *,
    batch: int = 2,
    channels: int = 4,
    outputs: int = 3,
    groups: int = 2,
    size: tuple[int, int] = (5, 6),
    reach: float = 1.5,
) -> Arguments:
    generator = torch.Generator().manual_seed(4)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return (
        normal(batch, channels, *size),
        normal(batch, 18 * groups, *size) * reach,
        normal(batch, 9 * groups, *size).sigmoid(),
        normal(outputs, channels, 3, 3),
        normal(outputs),
    )


def by_definition(
    x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor, stride: int = 1, padding: int = 1
):
    """Sum over channels and taps of weight * mask * x at its place, one number at a time."""
    x, offset, mask, weight, bias = (t.detach().numpy() for t in (x, offset, mask, weight, bias))
    groups = mask.shape[1] // 9

    def pixel(b: int, c: int, row: int, column: int) -> float:
        inside = 0 <= row < x.shape[2] and 0 <= column < x.shape[3]
        return x[b, c, row, column] if inside else 0.0

    out = np.empty((len(x), len(weight), *offset.shape[2:]))
    for b, d, i, j in itertools.product(*map(range, out.shape)):
        total = bias[d]
        for c, tap in itertools.product(range(x.shape[1]), range(9)):
            group = c // (x.shape[1] // groups)
            first = 2 * (9 * group + tap)
            row = i * stride - padding + tap // 3 + offset[b, first, i, j]
            column = j * stride - padding + tap % 3 + offset[b, first + 1, i, j]
            top, left = math.floor(row), math.floor(column)
            value = sum(
                (1 - abs(row - r)) * (1 - abs(column - k)) * pixel(b, c, r, k)
                for r in (top, top + 1)
                for k in (left, left + 1)
            )
            total += weight[d, c, tap // 3, tap % 3] * mask[b, 9 * group + tap, i, j] * value
        out[b, d, i, j] = total
    return out


@pytest.mark.parametrize("reach", [0.4, 1.5, 50.0])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_equals_its_definition(groups: int, reach: float):
    arguments = drawn(groups=groups, reach=reach)
    np.testing.assert_allclose(deform_conv(*arguments).numpy(), by_definition(*arguments), atol=1e-12)


def test_equals_its_definition_with_strides():
    x, offset, mask, weight, bias = drawn(size=(7, 6))
    arguments = (x, offset[..., :3, :2], mask[..., :3, :2], weight, bias)
    expected = by_definition(*arguments, stride=2, padding=0)
    np.testing.assert_allclose(deform_conv(*arguments, stride=2, padding=0).numpy(), expected, atol=1e-12)


def test_places_on_pixels_and_on_the_edge_are_exact():
    x, offset, mask, weight, bias = drawn(reach=2)
    arguments = (x, offset.round(), mask, weight, bias)
    np.testing.assert_allclose(deform_conv(*arguments).numpy(), by_definition(*arguments), atol=1e-12)


def test_without_offsets_it_is_a_convolution():
    x, offset, mask, weight, bias = drawn(batch=1, size=(9, 8))
    result = deform_conv(x, 0 * offset, 0 * mask + 0.5, weight, bias)
    torch.testing.assert_close(result, 0.5 * F.conv2d(x, weight, padding=1) + bias.view(-1, 1, 1))


def test_gradients_of_all_inputs():
    arguments = drawn(batch=1, size=(3, 4), channels=2, outputs=2)
    for tensor in arguments:
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(deform_conv, arguments, fast_mode=True)


def test_places_on_a_wide_image_are_exact_in_float32():
    x, offset, mask, weight, bias = drawn(batch=1, size=(3, 1000), reach=3)
    # Quarters of a pixel need no rounding; a place that goes through [-1,1] would be off by 1e-4 pixels here.
    arguments = (x, (4 * offset).round() / 4, mask, weight, bias)
    single = deform_conv(*(t.float() for t in arguments))
    assert single.dtype == torch.float32
    assert (single - deform_conv(*arguments)).abs().max() < 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype):
    arguments = [t.to(dtype) for t in drawn()]
    result = deform_conv(*arguments)
    assert result.dtype == dtype
    torch.testing.assert_close(result, deform_conv(*(t.float() for t in arguments)).to(dtype), rtol=0, atol=0)


def test_autocast_does_not_reach_it():
    arguments = [t.float() for t in drawn()]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = deform_conv(*arguments)
    torch.testing.assert_close(result, deform_conv(*arguments), rtol=0, atol=0)


def test_memory_layout_does_not_matter():
    arguments = [t.float() for t in drawn()]
    last = [t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t for t in arguments]
    torch.testing.assert_close(deform_conv(*last), deform_conv(*arguments))


def test_an_offset_that_is_no_number_shows_and_does_no_harm():
    x, offset, mask, weight, bias = drawn()
    offset[0, 0, 2, 3] = float("nan")
    offset[1, 0, 2, 3] = float("inf")
    result = deform_conv(x, offset, mask, weight, bias)
    assert result[0, :, 2, 3].isnan().all()
    assert result.isnan().sum() <= 3 * 2


def test_counts_nothing_on_the_meta_device():
    arguments = [t.to("meta") for t in drawn()]
    with FlopCounterMode(display=False) as counter:
        assert deform_conv(*arguments).shape == (2, 3, 5, 6)
    assert counter.get_total_flops() == 0


def test_a_broken_torchvision_is_passed_over(monkeypatch: pytest.MonkeyPatch):
    class Broken(types.ModuleType):
        def __getattr__(self, name: str) -> None:
            raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setitem(sys.modules, "torchvision", Broken("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.ops", Broken("torchvision.ops"))
    assert deform._torchvision.__wrapped__("cpu") is None


def test_a_torchvision_without_its_compiled_part_is_passed_over(monkeypatch: pytest.MonkeyPatch):
    module = types.ModuleType("torchvision.ops")

    def deform_conv2d(*args: object, **kwargs: object) -> None:
        raise RuntimeError("Couldn't load custom C++ ops")

    module.deform_conv2d = deform_conv2d
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.ops", module)
    assert deform._torchvision.__wrapped__("cpu") is None


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x, o, m, w: (x, o[:, :-1], m, w),
        lambda x, o, m, w: (x, o, m[:, :-1], w),
        lambda x, o, m, w: (x, o[..., :-1], m[..., :-1], w),
        lambda x, o, m, w: (x, o, m, w[:, :-1]),
        lambda x, o, m, w: (x[:, :3], o, m, w[:, :3]),
    ],
)
def test_refuses_shapes_that_do_not_fit(wrong):
    *four, bias = drawn()
    with pytest.raises(ValueError, match="expected x, offset, mask and weight that fit together, got "):
        deform_conv(*wrong(*four), bias)


def test_the_guided_layer_starts_as_half_a_convolution():
    layer = GuidedDeformConv(8, 6, 4)
    x, guide = torch.rand(2, 2, 8, 7, 9).unbind()
    torch.testing.assert_close(layer(x, guide), 0.5 * F.conv2d(x, layer.weight, padding=1))
    assert list(layer.state_dict()) == ["weight", "bias", "conv_offset.weight", "conv_offset.bias"]


def test_the_guided_layer_splits_what_it_finds():
    layer = GuidedDeformConv(4, 3, 2)
    torch.nn.init.normal_(layer.conv_offset.weight, std=0.3)
    x, guide = torch.rand(2, 1, 4, 5, 6).unbind()
    found = layer.conv_offset(guide)
    expected = deform_conv(x, found[:, :36], found[:, 36:].sigmoid(), layer.weight, layer.bias)
    torch.testing.assert_close(layer(x, guide), expected)


def test_refuses_groups_that_do_not_divide():
    with pytest.raises(ValueError, match="channels: expected a multiple of 4, the deformable groups, got 6"):
        DeformConv(6, 6, 4)


@pytest.mark.parametrize("strip", [1, 7, 64])
def test_strips_of_pixels_do_not_matter(strip: int, monkeypatch: pytest.MonkeyPatch):
    arguments = drawn()
    whole = deform_conv(*arguments)
    monkeypatch.setattr(deform, "STRIP", strip)
    torch.testing.assert_close(deform_conv(*arguments), whole)
