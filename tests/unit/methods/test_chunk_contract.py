"""What MS-CSC and SE, which learn nothing and restore a chunk at once, have in common: once for both."""

import pytest
import torch
from helpers.rain_samples import normal

from ncfl.common.errors import InputError
from ncfl.methods.interface import Chunk, stream
from ncfl.methods.ms_csc.method import MSCSC
from ncfl.methods.se.method import SE

QUICK = {
    "ms-csc": lambda **more: MSCSC(rounds=1, **more),
    "se": lambda **more: SE(iterations=3, **more),
    "se without objects": lambda **more: SE(objects=False, iterations=3, **more),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 17, 23), (2, 1, 9), (3, 33, 2), (1, 1, 1)])
@pytest.mark.parametrize("name", QUICK)
def test_single_frames_odd_sizes_and_gray(name: str, channels: int, size: tuple[int, ...]):
    frames = normal(2, size[0], channels, *size[1:]).float() * 0.1 + 0.5
    before = frames.clone()
    restored = QUICK[name]().restore(frames, None)
    assert restored.shape == frames.shape
    assert restored.dtype == torch.float32
    assert torch.isfinite(restored).all()
    torch.testing.assert_close(frames, before, rtol=0, atol=0)
    if size[0] == 1:  # a single frame is its own background
        torch.testing.assert_close(restored, frames, rtol=0, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.5])
@pytest.mark.parametrize("method", [MSCSC, SE])
def test_a_flat_clip_stays_flat(method: type, value: float):
    frames = torch.full((1, 4, 1, 8, 8), value)
    torch.testing.assert_close(method().restore(frames, None), frames, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["ms-csc", "se"])
def test_refuses_packed_raw_and_streams_in_chunks(name: str):
    method = QUICK[name](chunk=4, overlap=2)
    with pytest.raises(InputError, match=rf"method {name}: expected frames of shape .*, got \[1, 2, 4, 8, 8\]"):
        method.restore(torch.zeros(1, 2, 4, 8, 8), None)
    assert isinstance(method, Chunk)
    frames = list(normal(7, 1, 1, 16, 16).float() * 0.1 + 0.5)
    assert len(list(stream(method, frames))) == 7
