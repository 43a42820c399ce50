"""FastDVDNet: the published sizes and names, its windows, its padding and its refusals."""

import pytest
import torch
from helpers.small_methods import trained_norms
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ncfl.methods.fastdvdnet.model import FastDVDNet
from ncfl.methods.fastdvdnet.official_names import official_names

SMALL = {"widths": (4, 6, 8), "input_width": 2}


@pytest.fixture(scope="module")
def model() -> FastDVDNet:
    torch.manual_seed(0)
    return trained_norms(FastDVDNet(**SMALL))


def clip(length: int, height: int = 18, width: int = 22, batch: int = 1) -> torch.Tensor:
    return torch.rand(batch, length, 3, height, width, generator=torch.Generator().manual_seed(length))


def test_the_published_network_has_the_published_size_and_cost():
    with torch.device("meta"):
        published = FastDVDNet().eval()
    assert sum(parameter.numel() for parameter in published.parameters()) == 2_479_096
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        published.restore_clip(torch.empty(1, 5, 3, 544, 960, device="meta"), torch.empty(1, device="meta"))
    # 636,192 multiply-accumulates per pixel; the paper's table says 665.
    assert counter.get_total_flops() == 2 * 636_192 * 544 * 960


def test_the_tensors_have_the_official_names_and_shapes():
    with torch.device("meta"):
        state = FastDVDNet().state_dict()
    expected = {
        "temp1.inc.convblock.0.weight": (90, 4, 3, 3),
        "temp1.inc.convblock.3.weight": (32, 90, 3, 3),
        "temp1.downc0.convblock.0.weight": (64, 32, 3, 3),
        "temp1.downc0.convblock.3.convblock.4.running_var": (64,),
        "temp2.downc1.convblock.3.convblock.0.weight": (128, 128, 3, 3),
        "temp2.upc2.convblock.0.convblock.3.weight": (128, 128, 3, 3),
        "temp2.upc2.convblock.1.weight": (256, 128, 3, 3),
        "temp2.upc1.convblock.1.weight": (128, 64, 3, 3),
        "temp2.outc.convblock.0.weight": (32, 32, 3, 3),
        "temp2.outc.convblock.3.weight": (3, 32, 3, 3),
    }
    assert {name: tuple(state[name].shape) for name in expected} == expected
    assert len(state) == 2 * (16 + 5 * 13)  # 16 convolutions and 13 normalizations of five tensors in a block
    assert not any("convblock.0.bias" in name for name in state)


def test_a_state_saved_inside_data_parallel_loads(model: FastDVDNet):
    state = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    again = FastDVDNet(**model.arguments)
    again.load_state_dict(official_names(state), strict=True)
    frames, sigma = clip(5), torch.tensor([20.0])
    torch.testing.assert_close(again.eval().restore(frames, sigma), model.restore(frames, sigma), rtol=0, atol=0)


def test_the_result_is_the_middle_frame_less_the_noise_found(model: FastDVDNet):
    quiet = FastDVDNet(**SMALL).eval()
    for block in (quiet.temp1, quiet.temp2):
        nn.init.zeros_(block.outc.convblock[3].weight)
    frames = clip(5)
    torch.testing.assert_close(quiet.restore(frames, torch.tensor([30.0])), frames[:, 2], rtol=0, atol=0)


def test_other_sizes_are_reflected_and_cropped(model: FastDVDNet):
    frames, sigma = clip(5, 18, 21), torch.tensor([30.0])
    rows = [*range(18), 16, 15]
    columns = [*range(21), 19, 18, 17]
    mirrored = frames[..., rows, :][..., columns]
    level = torch.full((1, 1, 20, 24), 30 / 255)
    with torch.no_grad():
        expected = model(mirrored, level)[..., :18, :21]
        torch.testing.assert_close(model.restore(frames, sigma), expected, rtol=0, atol=0)


def test_weights_of_another_width_are_refused(model: FastDVDNet):
    with pytest.raises(RuntimeError, match="size mismatch"):
        FastDVDNet(widths=(4, 6, 12), input_width=2).load_state_dict(model.state_dict())
