"""What MS-CSC, SE and FastDerain, which learn nothing and restore a chunk at once, have in common."""

import pytest
import torch
from helpers.rain_samples import normal

from ncfl.common.errors import InputError
from ncfl.methods.fastderain.method import FastDerain
from ncfl.methods.interface import Chunk, stream
from ncfl.methods.ms_csc.method import MSCSC
from ncfl.methods.se.method import SE

QUICK = {
    "ms-csc": lambda **more: MSCSC(rounds=1, **more),
    "se": lambda **more: SE(iterations=3, **more),
    "se without objects": lambda **more: SE(objects=False, iterations=3, **more),
    "fastderain": lambda **more: FastDerain(iterations=5, **more),
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
    torch.testing.assert_close(QUICK[name]().restore(frames[1:], None), restored[1:], rtol=0, atol=1e-6)
    if size[0] == 1 and name != "fastderain":  # a single frame is its own background
        torch.testing.assert_close(restored, frames, rtol=0, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.5])
@pytest.mark.parametrize("method", [MSCSC, SE])
def test_a_flat_clip_stays_flat(method: type, value: float):
    frames = torch.full((1, 4, 1, 8, 8), value)
    torch.testing.assert_close(method().restore(frames, None), frames, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["ms-csc", "se", "fastderain"])
@pytest.mark.parametrize("shape", [(1, 2, 4, 8, 8), (1, 2, 2, 8, 8), (2, 3, 8, 8), (1, 0, 3, 8, 8)])
def test_refuses_other_frames(name: str, shape: tuple[int, ...]):
    found, allowed = ", ".join(map(str, shape)), r"\[B,T,1,H,W\] or \[B,T,3,H,W\]"
    with pytest.raises(InputError, match=rf"method {name}: expected frames of shape {allowed}, got \[{found}\]"):
        QUICK[name]().restore(torch.zeros(shape), None)


@pytest.mark.parametrize("name", ["ms-csc", "se", "fastderain"])
def test_streams_in_chunks(name: str):
    method = QUICK[name](chunk=4, overlap=2)
    assert isinstance(method, Chunk)
    frames = normal(7, 1, 1, 16, 16).float() * 0.1 + 0.5
    assert len(list(stream(method, frames))) == 7
    short = torch.stack(list(stream(method, frames[:4])), 1)
    torch.testing.assert_close(short, method.restore(frames[:4].transpose(0, 1), None))
