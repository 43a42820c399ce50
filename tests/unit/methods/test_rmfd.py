"""RMFD: the official sizes and names, its windows, its recurrence and its refusals."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.methods.rmfd.model import NETWORKS, RMFD
from ncfl.methods.rmfd.network import ConvLSTM, MultiFrameNet, Residual, Up
from ncfl.weights.reading import read_parts

SMALL = {"width": 2, "blocks": 1}


@pytest.fixture(scope="module")
def model() -> RMFD:
    torch.manual_seed(0)
    return RMFD(**SMALL).eval()


def clip(length: int, height: int = 18, width: int = 21, batch: int = 1, channels: int = 3) -> Tensor:
    return torch.rand(batch, length, channels, height, width, generator=torch.Generator().manual_seed(length))


def test_the_official_network_has_its_size():
    with torch.device("meta"):
        published = RMFD()
    sizes = [sum(p.numel() for p in network.parameters()) for network in published.children()]
    assert sizes == 3 * [9_824_006]  # of the authors' MultiShareTransformNet with nf = 32 and 5 blocks


def test_the_tensors_have_the_official_names_and_shapes():
    with torch.device("meta"):
        state = RMFD().state_dict()
    expected = {
        "multi_model_res.conv1.conv2d.weight": (160, 3, 3, 3),
        "multi_model_res.res2.conv1.conv2d.weight": (256, 64, 3, 3),
        "multi_model_haze.du_conv2.weight": (64, 32, 2, 3, 3),
        "multi_model_haze.du_conv5.weight": (128, 128, 2, 3, 3),
        "multi_model_haze.alpha_ResBlocks.4.conv2.conv2d.bias": (128,),
        "multi_model_s2.convlstm.Gates.weight": (512, 256, 3, 3),
        "multi_model_s2.deconv3.conv2d.weight": (64, 128, 3, 3),
        "multi_model_s2.alpha_output2.conv2d.weight": (3, 32, 1, 1),
    }
    assert {name: tuple(state[name].shape) for name in expected} == expected


def test_an_official_checkpoint_loads(model: RMFD, tmp_path: Path):
    checkpoint = {name: {f"module.{k}": v for k, v in net.state_dict().items()} for name, net in model.named_children()}
    optimizer = torch.optim.Adam(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()  # so that it has a state to save
    model.zero_grad(set_to_none=True)
    torch.save(checkpoint | {"optimizer": optimizer.state_dict()}, tmp_path / "model_epoch_95.pth")
    again = RMFD(**model.arguments)
    again.load_state_dict(read_parts(tmp_path / "model_epoch_95.pth", NETWORKS), strict=True)
    with torch.no_grad():
        torch.testing.assert_close(again(clip(5, 16, 20), None)[0], model(clip(5, 16, 20), None)[0], rtol=0, atol=0)


def test_a_checkpoint_without_one_of_the_networks_is_refused(model: RMFD, tmp_path: Path):
    file = tmp_path / "model_epoch_95.pth"
    torch.save({"multi_model_res": model.multi_model_res.state_dict(), "optimizer": {}}, file)
    with pytest.raises(InputError, match="got the keys multi_model_res, optimizer; missing: multi_model_haze, "):
        read_parts(file, NETWORKS)


def test_the_layers_against_closed_forms():
    torch.manual_seed(0)
    lstm, x = ConvLSTM(2), torch.rand(1, 2, 4, 5)
    torch.nn.init.zeros_(lstm.Gates.weight)
    with torch.no_grad():
        lstm.Gates.bias.copy_(torch.tensor([0.5, 0.5, -1, -1, 2, 2, 0.3, 0.3]))  # input, remember, output, cell
        hidden, cell = lstm(x, (torch.ones_like(x), torch.full_like(x, 2.0)))
    gate = torch.tensor([0.5, -1, 2]).sigmoid()
    wanted = gate[1] * 2 + gate[0] * torch.tensor(0.3).tanh()
    torch.testing.assert_close(cell, wanted.expand_as(cell))
    torch.testing.assert_close(hidden, (gate[2] * wanted.tanh()).expand_as(hidden))

    residual = Residual(2)
    for conv in (residual.conv1.conv2d, residual.conv2.conv2d):
        torch.nn.init.dirac_(conv.weight)
        torch.nn.init.zeros_(conv.bias)
    signed = x - 0.5
    torch.testing.assert_close(residual(signed), signed + torch.where(signed > 0, signed, 0.2 * signed))

    up = Up(2, 2)
    torch.nn.init.dirac_(up.conv2d.weight)
    torch.nn.init.zeros_(up.conv2d.bias)
    torch.testing.assert_close(up(x), x.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_the_encoder_keeps_frames_apart_until_it_merges_neighbors():
    torch.manual_seed(0)
    net = MultiFrameNet(3, 2, 1, haze=False)
    window = torch.rand(1, 15, 16, 16)
    other = window.clone()
    other[:, 9:12] += 1  # the fourth frame
    with torch.no_grad():
        pairs = zip(net._encode("", window), net._encode("", other), strict=True)
    widths = (2, 4, 4, 8, 8)
    changed = [
        [bool((a - b).abs().max() > 0) for a, b in zip(x.split(width, 1), y.split(width, 1), strict=True)]
        for (x, y), width in zip(pairs, widths, strict=True)
    ]
    assert changed == [
        [False, False, False, True, False],
        [False, False, True, True],
        [False, True, True],
        [True, True],
        [True],
    ]


def test_the_rain_model_is_inverted_between_the_stages(model: RMFD, monkeypatch: pytest.MonkeyPatch):
    windows = []
    original = MultiFrameNet.forward

    def spy(self, one, two, memory, alpha_memory=None, *, alpha=False):
        output = original(self, one, two, memory, alpha_memory, alpha=alpha)
        windows.append((one, two, output))
        return output

    monkeypatch.setattr(MultiFrameNet, "forward", spy)
    frames = clip(5, 16, 16)
    with torch.no_grad():
        model(frames, None)
    (_, _, clear), (_, _, haze), (one, two, _) = windows
    # At the start the haze network says transmission 1/2 and air light 1 everywhere.
    assert (haze.main == 0.5).all()
    assert (haze.alpha == 1).all()
    b = (clear.main - 1 * (1 - 0.5)) / 0.5
    torch.testing.assert_close(one, torch.cat((b, b, frames[:, 2], frames[:, 3], frames[:, 4]), 1))
    torch.testing.assert_close(two, torch.cat((b, b, b, frames[:, 3], frames[:, 4]), 1))


def test_the_last_two_results_stand_in_the_next_window(model: RMFD, monkeypatch: pytest.MonkeyPatch):
    seen = []
    original = MultiFrameNet.forward

    def spy(self, one, two, *rest, **named):
        if self is model.multi_model_s2:
            seen.append(one[:, :6].clone())
        return original(self, one, two, *rest, **named)

    monkeypatch.setattr(MultiFrameNet, "forward", spy)
    with torch.no_grad():
        results = model.restore_clip(clip(4, 16, 16))
    torch.testing.assert_close(seen[1][:, 3:], results[:, 0])
    torch.testing.assert_close(seen[2], results[:, 0:2].flatten(1, 2))
    torch.testing.assert_close(seen[3], results[:, 1:3].flatten(1, 2))


def test_the_ends_are_reflected_and_sizes_padded(model: RMFD):
    frames = clip(4)
    padded = F.pad(frames[0], (0, 3, 0, 2), mode="replicate")[None]
    state, wanted = None, []
    with torch.no_grad():
        for places in ((2, 1, 0, 1, 2), (1, 0, 1, 2, 3), (0, 1, 2, 3, 2), (1, 2, 3, 2, 1)):
            restored, state = model(padded[:, places], state)
            wanted.append(restored[..., :18, :21])
        torch.testing.assert_close(model.restore_clip(frames), torch.stack(wanted, 1), rtol=0, atol=0)
    assert model.supervised(4) == range(4)
