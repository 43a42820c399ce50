"""CG-IDN: what guides it and aligns it, its windows and ends, any size of frame, its refusals."""

import pytest
import torch
from helpers.cg_idn_samples import SMALL, noise, shaken
from torch.utils.flop_counter import FlopCounterMode

from ncfl.common.errors import InputError
from ncfl.methods.cg_idn.model import CGIDN, ConfidenceFusion, cost_volume


@pytest.fixture(scope="module")
def model() -> CGIDN:
    return shaken()


def test_the_size_and_the_cost_that_the_docs_state():
    with torch.device("meta"):
        network = CGIDN().eval()
    assert sum(parameter.numel() for parameter in network.parameters()) == 3_223_095
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, 5, 3, 544, 960, device="meta"))
    assert counter.get_total_flops() == 2 * 782_741 * 544 * 960


def test_a_cost_volume_is_the_mean_product_at_each_displacement():
    middle, neighbor = noise(2, 3, 5, 6), noise(2, 3, 5, 6, seed=2)
    volume = cost_volume(middle, neighbor, 2)
    assert volume.shape == (2, 25, 5, 6)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            for y in range(5):
                for x in range(6):
                    inside = 0 <= y + dy < 5 and 0 <= x + dx < 6
                    expected = (
                        (middle[:, :, y, x] * neighbor[:, :, y + dy, x + dx]).mean(1) if inside else torch.zeros(2)
                    )
                    torch.testing.assert_close(volume[:, 5 * (dy + 2) + dx + 2, y, x], expected)


def test_a_cost_volume_is_largest_where_the_neighbor_has_moved_to():
    middle = torch.randn(1, 64, 12, 12, generator=torch.Generator().manual_seed(3))
    neighbor = middle.roll((1, -2), dims=(2, 3))
    best = cost_volume(middle, neighbor, 2).argmax(1)[0, 2:-2, 2:-2]
    assert (best == 5 * (1 + 2) + (-2 + 2)).all()


def test_it_starts_as_the_middle_frame():
    torch.manual_seed(0)
    window = noise(1, 5, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(CGIDN(**SMALL)(window), window[:, 2], rtol=0, atol=0)


def test_confidence_decides_between_the_hazy_and_the_dehazed_frame():
    torch.manual_seed(0)
    network, window = CGIDN(**SMALL).eval(), noise(1, 5, 3, 16, 16)
    tail = network.pre_dehazing.tail
    tail.bias.data[:3] = 0.25  # dehazed is hazy + 0.25
    for logit, share in ((-100.0, 0.0), (0.0, 0.5), (100.0, 1.0)):
        tail.bias.data[3] = logit
        with torch.no_grad():
            torch.testing.assert_close(network(window), window[:, 2] + 0.25 * share)


def test_a_frame_without_confidence_is_not_fused():
    torch.manual_seed(0)
    fusion = ConfidenceFusion(4, 3)
    aligned, confidence = noise(1, 3, 4, 8, 8), torch.ones(1, 3, 1, 8, 8)
    confidence[:, 0] = 0
    other = aligned.clone()
    other[:, 0] = noise(1, 4, 8, 8, seed=5)
    with torch.no_grad():
        torch.testing.assert_close(fusion(aligned, confidence), fusion(other, confidence))
        assert (fusion(aligned, 1 - confidence) - fusion(other, 1 - confidence)).abs().max() > 1e-4


def test_every_frame_of_the_window_counts(model: CGIDN):
    window = noise(1, 5, 3, 32, 32)
    with torch.no_grad():
        expected = model(window)
        for t in range(5):
            changed = window.clone()
            changed[:, t] = noise(1, 3, 32, 32, seed=7)
            assert (model(changed) - expected).abs().max() > 1e-5


def test_neighbors_are_aligned_one_by_one(model: CGIDN):
    levels = [noise(1, 5, 8, size, size, seed=size) for size in (8, 4, 2)]
    with torch.no_grad():
        together = model._aligned(levels, 2)
        for t in (0, 1, 3, 4):
            alone = model.alignment([level[:, 2] for level in levels], [level[:, t] for level in levels])
            torch.testing.assert_close(together[:, t], alone)
    torch.testing.assert_close(together[:, 2], levels[0][:, 2], rtol=0, atol=0)


@pytest.mark.parametrize("size", [(16, 16), (19, 37)])
def test_other_sizes_repeat_the_edge_and_are_cropped(model: CGIDN, size: tuple[int, int]):
    window = noise(2, 5, 3, *size)
    rows, columns = ([min(i, length - 1) for i in range(length + -length % 16)] for length in size)
    with torch.no_grad():
        expected = model(window[..., rows, :][..., columns])[..., : size[0], : size[1]]
        torch.testing.assert_close(model.restore(window), expected, rtol=0, atol=0)


def test_a_window_of_one_frame_works():
    single = shaken(frames=1)
    assert list(single.supervised(3)) == [0, 1, 2]
    assert single.restore_clip(noise(1, 3, 3, 16, 16)).shape == (1, 3, 3, 16, 16)


def test_a_few_steps_take_haze_away():
    torch.manual_seed(0)
    network = CGIDN(**SMALL)
    clear = noise(1, 5, 3, 32, 32)
    hazy = 0.5 * clear + 0.4
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    errors = []
    for _ in range(8):
        error = (network.restore_clip(hazy) - clear[:, 2:3]).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.8 * errors[0]


def test_an_even_window_is_refused():
    with pytest.raises(InputError, match="cg-idn: frames: expected an odd number, got 4"):
        CGIDN(frames=4)


def test_frames_one_by_one_give_what_all_at_once_do(model: CGIDN):
    window = noise(2, 5, 3, 32, 48)
    at_once = model(window).detach()
    with torch.no_grad():
        torch.testing.assert_close(model(window), at_once)
