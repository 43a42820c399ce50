"""The paper's count: Table 1 within 1 %, SPyNet by its closed form."""

import itertools

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ncfl.methods.networks import build
from ncfl.models.motion import SPyNet
from ncfl.models.outputs import Step
from ncfl.models.variants import VARIANTS
from ncfl.profile.complexity import clip_complexity, complexity

TABLE_1 = {"m_a": 534, "m_b": 548, "m_c": 557, "m_d": 613, "m_e": 639, "m_f": 771}


@pytest.fixture(scope="module")
def counted():
    result = {}
    for name in TABLE_1:
        with torch.device("meta"):
            result[name] = complexity(VARIANTS[name]())
    return result


@pytest.mark.parametrize(("name", "gflops"), TABLE_1.items())
def test_published_gflops_within_one_percent(counted, name, gflops):
    assert counted[name].gflops == pytest.approx(gflops, rel=0.01)


def test_each_module_adds_what_the_table_says(counted):
    added = {"m_b": ("m_a", 14), "m_c": ("m_a", 23), "m_d": ("m_b", 65), "m_e": ("m_b", 91), "m_f": ("m_d", 158)}
    for name, (base, gflops) in added.items():
        assert counted[name].gflops - counted[base].gflops == pytest.approx(gflops, abs=1), name


def test_spynet_is_counted_as_published():
    with torch.device("meta"):
        frame, net = torch.empty(1, 3, 544, 960), SPyNet()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(frame, frame)
    assert counter.get_total_flops() / (2 * 544 * 960) == pytest.approx(318_622, abs=1)


class _OneConv(nn.Module):
    def __init__(self, transposed: bool) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1) if transposed else nn.Conv2d(3, 5, 3)

    def forward(self, x_t, state=None):
        y = torch.relu(self.conv(x_t))
        return Step(y if state is None else y + self.conv(x_t), y, None)


def test_closed_form_of_one_layer_in_the_steady_state():
    # two convolutions with state, 2 operations each, bias and activation free
    assert complexity(_OneConv(False), height=10, width=12).gflops == pytest.approx(2 * 2 * 8 * 10 * 27 * 5 / 1e9)
    # a transposed convolution works once for each of its inputs
    assert complexity(_OneConv(True), height=10, width=12).gflops == pytest.approx(2 * 2 * 120 * 48 * 5 / 1e9)
    assert complexity(_OneConv(False), height=10, width=12).parameters == 3 * 5 * 9 + 5


def test_the_model_is_left_as_it_is():
    model = _OneConv(False)
    before = model.conv.weight.clone()
    complexity(model, height=10, width=12)
    assert model.training
    assert torch.equal(model.conv.weight, before)


@pytest.mark.parametrize(
    ("method", "gflops", "tolerance"),
    [("fastdvdnet", 665, 0.01), ("emvd-s", 5, 0.01), ("emvd-l", 1106, 0.01), ("edvr", 3089, 0.01)],
)
def test_table_3s_gflops_within_one_percent(method, gflops, tolerance):
    """As printed in Table 3."""
    with torch.device("meta"):
        model = build(method, {})
    assert clip_complexity(model).gflops == pytest.approx(gflops, rel=tolerance)


class _Clip(nn.Module):
    """A convolution per frame, another per pair of neighbors; or one on a window of three frames."""

    def __init__(self, window: bool) -> None:
        super().__init__()
        self.window = window
        self.own, self.pair, self.triple = nn.Conv2d(3, 4, 1), nn.Conv2d(6, 2, 1), nn.Conv2d(9, 5, 1)

    def supervised(self, length):
        return list(range(1, length - 1)) if self.window else list(range(length))

    def restore_clip(self, noisy, sigma):
        frames = noisy.unbind(1)
        if self.window:
            return torch.stack([self.triple(torch.cat(frames[t - 1 : t + 2], 1)) for t in range(1, len(frames) - 1)], 1)
        for one, other in itertools.pairwise(frames):
            self.pair(torch.cat((one, other), 1))
        return torch.stack([self.own(frame) for frame in frames], 1)


@pytest.mark.parametrize("computed", [False, True])
def test_closed_form_of_clips_and_windows(computed):
    pixels = 64 * 128
    size = {"height": 64, "width": 128, "computed": computed}
    assert clip_complexity(_Clip(False), **size).gflops == pytest.approx(2 * pixels * (3 * 4 + 6 * 2) / 1e9)
    assert clip_complexity(_Clip(True), **size).gflops == pytest.approx(2 * pixels * 9 * 5 / 1e9)
    assert clip_complexity(_Clip(True), **size).parameters == (3 * 4 + 4) + (6 * 2 + 2) + (9 * 5 + 5)
