"""The baselines: the noisy input and the medians."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from ncfl.methods import BASELINES
from ncfl.methods.interface import stream
from ncfl.methods.median.method import Median
from ncfl.methods.noisy import Noisy


def unclipped_noise(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).normal(0.5, 0.6, shape).astype(np.float32))


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("size", [(17, 23), (16, 16), (2, 31), (1, 1)])
def test_median_equals_scipy_with_replicated_borders(kernel: int, size: tuple[int, int]):
    frames = unclipped_noise(2, 3, *size)
    assert frames.min() < 0 or size == (1, 1)
    restored = next(stream(Median(kernel), [frames]))
    expected = ndimage.median_filter(frames.numpy(), size=(1, 1, kernel, kernel), mode="nearest")
    assert restored.dtype == torch.float32
    np.testing.assert_array_equal(restored.numpy(), expected)


def test_median_by_hand():
    frame = torch.tensor([[5.0, 1.0, 9.0], [2.0, -3.0, 7.0], [8.0, 6.0, 4.0]])[None, None]
    restored, state = Median(3).step(frame, None, None)
    assert state is None
    assert restored[0, 0, 1, 1] == 5  # of -3 1 2 4 5 6 7 8 9
    assert restored[0, 0, 0, 0] == 2  # of 5 5 1, 5 5 1, 2 2 -3


def test_median_takes_any_number_of_channels_and_keeps_its_input():
    frames = unclipped_noise(1, 4, 9, 9)
    before = frames.clone()
    restored, _ = Median(5).step(frames.transpose(2, 3), None, None)
    assert restored.shape == (1, 4, 9, 9)
    torch.testing.assert_close(frames, before, rtol=0, atol=0)
    straight, _ = Median(5).step(frames, None, None)
    torch.testing.assert_close(restored, straight.transpose(2, 3), rtol=0, atol=0)


def test_noisy_is_the_input():
    frames = [unclipped_noise(1, 3, 4, 4) for _ in range(3)]
    for given, restored in zip(frames, stream(Noisy(), frames), strict=True):
        torch.testing.assert_close(restored, given, rtol=0, atol=0)


def test_baselines_are_named_as_in_the_tables():
    assert [record.build().name for record in BASELINES.values()] == list(BASELINES)
    assert BASELINES["median-5x5"].build().kernel == 5
    assert BASELINES["median-3x3"].build().kernel == 3
    assert isinstance(BASELINES["noisy"].build(), Noisy)


@pytest.mark.parametrize("kernel", [1, 4, 7])
def test_refuses_other_kernels(kernel: int):
    with pytest.raises(ValueError, match=f"median kernel: expected one of 3, 5, got {kernel}"):
        Median(kernel)
