"""CG-IDN driven over a clip: what was found in a frame is taken over, cost volumes are products, results the same."""

import pytest
import torch
from helpers.cg_idn_samples import noise, shaken
from torch import Tensor

from ncfl.methods.cg_idn.method import CGIDNMethod, blockwise_cost_volume
from ncfl.methods.cg_idn.model import CGIDN, cost_volume
from ncfl.methods.interface import stream


@pytest.mark.parametrize("size", [(4, 8), (5, 9), (17, 30), (1, 3)])
@pytest.mark.parametrize("radius", [0, 1, 3])
def test_a_cost_volume_block_by_block(size: tuple[int, int], radius: int):
    middle, neighbor = noise(2, 6, *size), noise(2, 6, *size, seed=2)
    for last in (torch.contiguous_format, torch.channels_last):
        given = [x.to(torch.float64, memory_format=last) for x in (middle, neighbor)]
        torch.testing.assert_close(blockwise_cost_volume(*given, radius), cost_volume(*given, radius))


@pytest.mark.parametrize("size", [(16, 16), (35, 50)])
def test_a_clip_is_restored_as_by_the_network_itself(size: tuple[int, int]):
    model, clip = shaken(), noise(2, 7, 3, *size)
    fast, plain = (CGIDNMethod(model, channels_last=True, fold=fold) for fold in (True, False))
    for found, wanted in zip(stream(fast, clip.unbind(1)), stream(plain, clip.unbind(1)), strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    assert plain.running is plain.model is fast.model is model
    assert model.alignment.volume is cost_volume


def test_each_frame_is_looked_at_once(monkeypatch: pytest.MonkeyPatch):
    model, clip, seen = shaken(), noise(1, 8, 3, 16, 16), []
    original = CGIDN._seen

    def spy(self: CGIDN, hazy: Tensor) -> tuple[Tensor, ...]:
        seen.append(len(hazy))
        return original(self, hazy)

    monkeypatch.setattr(CGIDN, "_seen", spy)
    list(stream(CGIDNMethod(model), clip.unbind(1)))
    # Five for the first window; its ends are reflected, so that the next two and the last two windows start anew.
    inside = len(seen)
    seen.clear()
    list(stream(CGIDNMethod(model, fold=False), clip.unbind(1)))
    assert len(seen) == 8 * 5 > inside


def test_other_shares_of_the_state_stay():
    model = shaken()
    fast = CGIDNMethod(model, channels_last=True)
    assert fast.running is not model
    pairs = zip(fast.running.parameters(), model.parameters(), strict=True)
    assert all(own is other for own, other in pairs)
