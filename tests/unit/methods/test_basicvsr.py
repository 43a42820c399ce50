"""BasicVSR, its SPyNet, and how a network that looks both ways is driven."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.basicvsr_samples import SMALL, away_from_start, filled, mmagic, noisy, probed, waves

from ncfl.common.errors import InputError
from ncfl.methods.basicvsr.model import BasicVSR, BasicVSRMethod, basicvsr, basicvsr_x4
from ncfl.methods.basicvsr.official_names import official_names
from ncfl.methods.interface import stream
from ncfl.methods.spynet6 import official_names as spynet6
from ncfl.methods.spynet6.model import SPyNet6, flow_warp
from ncfl.models.motion import SPyNet
from ncfl.weights.imported import save
from ncfl.weights.reading import read_weights


@pytest.fixture(scope="module")
def network() -> BasicVSR:
    torch.manual_seed(0)
    return away_from_start(basicvsr(**SMALL))


# SPyNet


def test_spynet_has_the_published_size_and_names():
    net = SPyNet6()
    assert sum(parameter.numel() for parameter in net.parameters()) == 1_440_300
    names = {
        f"basic_module.{i}.basic_module.{2 * k}.{kind}"
        for i in range(6)
        for k in range(5)
        for kind in ("weight", "bias")
    }
    assert set(net.state_dict()) == names | {"mean", "std"}


def test_spynet_agrees_with_the_published_code():
    first, second = waves(2, 70, 101)[0].split(1)
    with torch.inference_mode():
        flow = filled(SPyNet6())(first, second)
    # XPixelGroup/BasicSR v1.4.2, SpyNet, the same weights and frames
    expected = [-2.771714, -1.818975, -1.855547, -1.640239, 1.878453]
    assert probed(flow) == pytest.approx(expected, abs=2e-5)


def test_spynet_takes_over_the_projects_own_levels():
    own = away_from_start(SPyNet(levels=2, width=0.25))
    net = SPyNet6(levels=4, width=0.25).eval()
    net.adopt(own)
    x, y = noisy(2, 32, 40)[0].split(1)  # a size that neither of them pads or resizes
    with torch.no_grad():
        torch.testing.assert_close(net(x, y), own(x, y), rtol=1e-4, atol=1e-5)
    assert own(x, y).abs().max() > 0.01


def test_flow_is_scaled_back_with_the_frame(monkeypatch: pytest.MonkeyPatch):
    net = SPyNet6(levels=4, width=0.125)
    monkeypatch.setattr(net, "_flow", lambda pyramid: torch.ones_like(pyramid[-1][0][:, :2]))
    flow = net(*noisy(2, 20, 30)[0].split(1))  # resized to 24 x 32
    assert flow.shape == (1, 2, 20, 30)
    torch.testing.assert_close(flow[0, :, 7, 7], torch.tensor([30 / 32, 20 / 24]))


def test_warping_by_whole_pixels_moves_and_leaves_zeros_outside():
    features = noisy(1, 6, 7)[0]
    flow = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(1, 2, 6, 7)
    warped = flow_warp(features, flow)
    torch.testing.assert_close(warped[..., 1:, :-2], features[..., :-1, 2:])
    assert warped[..., 0, :].abs().max() < 1e-6
    assert warped[..., -2:].abs().max() < 1e-6
    border = flow_warp(features, flow, "border")
    torch.testing.assert_close(border[..., 0, :-2], features[..., 0, 2:])


def test_warping_keeps_the_dtype_and_gives_gradients_to_both():
    features = torch.rand(1, 2, 4, 5, requires_grad=True)
    flow = torch.rand(1, 2, 4, 5, requires_grad=True)
    flow_warp(features, flow).square().sum().backward()
    assert features.grad.abs().sum() > 0
    assert flow.grad.abs().sum() > 0
    assert flow_warp(features.bfloat16(), flow).dtype == torch.bfloat16


def test_a_spynet_of_another_width_is_refused():
    with pytest.raises(InputError, match=r"flow_width: expected 0\.25, as the pretrained SPyNet has, got 0\.5"):
        SPyNet6(levels=4, width=0.5).adopt(SPyNet(levels=4, width=0.25))


def spynet_names(net: SPyNet6, theirs: str) -> dict[str, torch.Tensor]:
    """The tensors of a SPyNet alone, as each publication names them."""
    name_of = {
        "basicsr": lambda level, conv, kind: f"basic_module.{level}.basic_module.{2 * conv}.{kind}",
        "mmagic": lambda level, conv, kind: f"basic_module.{level}.basic_module.{conv}.conv.{kind}",
        "sniklaus": lambda level, conv, kind: f"netBasic.{level}.netBasic.{2 * conv}.{kind}",
        "arrays": lambda level, conv, kind: f"modelL{level + 1}_F-{conv + 1}.{kind}",
    }[theirs]
    return {
        name_of(level, conv, kind): getattr(net.basic_module[level].basic_module[2 * conv], kind).detach()
        for level, conv, kind in itertools.product(range(len(net.basic_module)), range(5), ("weight", "bias"))
    }


def by_hand(arrays: dict[str, torch.Tensor], *frames: torch.Tensor) -> torch.Tensor:
    """The flow of DVC's `ME_Spynet` of one level, as its authors write it: frames in [0,1] as they are."""
    x = torch.cat((*frames, torch.zeros_like(frames[0][:, :2])), dim=1)
    for conv in range(1, 6):
        name = f"modelL1_F-{conv}"
        x = torch.conv2d(x, arrays[f"{name}.weight"], arrays[f"{name}.bias"], padding=3)
        x = x.relu() if conv < 5 else x
    return x


def test_arrays_of_dvc_see_frames_that_are_not_normalized(tmp_path: Path):
    arrays = spynet_names(away_from_start(SPyNet6(levels=1, width=0.25)), "arrays")
    x, y = noisy(2, 48, 56)[0].split(1)
    expected = by_hand(arrays, x, y)
    assert expected.abs().max() > 0.01
    published, own = SPyNet6(levels=1, width=0.25), SPyNet(levels=1, width=0.25)
    published.load_state_dict(spynet6.official_names(arrays))
    file = tmp_path / "spynet.safetensors"
    save(published.state_dict(), file, origin="a", sha256="b", licence="c", method="spynet")
    inner = (..., slice(15, -15), slice(15, -15))  # what sees no padding
    with torch.no_grad():
        torch.testing.assert_close(published(x, y), expected, rtol=1e-4, atol=1e-6)
        for state in (arrays, read_weights(file)):
            own.load_state_dict(spynet6.project_state(state, levels=1, source="folder"))
            torch.testing.assert_close(own(x, y)[inner], expected[inner], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("name", "values"), [("mean", torch.zeros(5)), ("std", torch.zeros(3)), ("std", "x")])
def test_statistics_that_are_none_are_refused(name: str, values: object):
    with pytest.raises(InputError, match=f"^file: {name} of the frames: expected three numbers"):
        spynet6.project_state({name: values}, levels=1, source="file")


@pytest.mark.parametrize("theirs", ["basicsr", "mmagic", "sniklaus"])
def test_a_published_spynet_becomes_the_projects_own(theirs: str):
    published = away_from_start(SPyNet6(levels=3, width=0.25)).eval()
    own = SPyNet(levels=3, width=0.25)
    state = spynet6.project_state(spynet_names(published, theirs), levels=3, source="spynet.pth")
    own.load_state_dict(state, strict=True)
    x, y = noisy(2, 32, 40)[0].split(1)  # a size that neither of them pads or resizes
    with torch.no_grad():
        torch.testing.assert_close(own(x, y), published(x, y), rtol=1e-4, atol=1e-5)
        assert own(x, y).abs().max() > 0.01
    again = spynet6.project_state(own.state_dict(), levels=3, source="spynet.pt")
    assert again.keys() == own.state_dict().keys()


@pytest.mark.parametrize("levels", [2, 4])
def test_a_published_spynet_of_other_levels_is_refused(levels: int):
    state = spynet_names(SPyNet6(levels=3, width=0.25), "basicsr")
    with pytest.raises(InputError) as error:
        spynet6.project_state(state, levels=levels, source="spynet.pth")
    assert str(error.value) == f"spynet.pth: expected a SPyNet of {levels} levels, as motion.levels says, got 3"


def test_imported_weights_are_the_projects_own_after_a_file(tmp_path: Path):
    published = away_from_start(SPyNet6(levels=6, width=1.0))
    save(published.state_dict(), tmp_path / "spynet.safetensors", origin="a", sha256="b", licence="c", method="spynet")
    own = SPyNet(levels=6, width=1.0)
    state = spynet6.project_state(read_weights(tmp_path / "spynet.safetensors"), levels=6, source="spynet.safetensors")
    own.load_state_dict(state, strict=True)
    assert torch.equal(own.levels[5][4].weight, published.basic_module[5].basic_module[4].weight)


def test_single_spynet_files_load_under_either_name():
    state = {name: value for name, value in filled(SPyNet6()).state_dict().items() if name not in ("mean", "std")}
    net = SPyNet6()
    net.load_state_dict(spynet6.official_names(state))
    theirs = {mmagic(name): value for name, value in state.items()}
    assert "basic_module.5.basic_module.4.conv.weight" in theirs
    net.load_state_dict(spynet6.official_names(theirs))
    assert torch.equal(net.basic_module[3].basic_module[6].weight, state["basic_module.3.basic_module.6.weight"])


# The network


def test_published_form_has_the_published_size():
    assert sum(parameter.numel() for parameter in basicvsr_x4().parameters()) == 6_291_311


def test_agrees_with_the_published_code():
    network = filled(basicvsr_x4(width=8, blocks=2))
    with torch.inference_mode():
        restored = network(waves(3, 64, 68))
    assert restored.shape == (1, 3, 3, 256, 272)
    # XPixelGroup/BasicSR v1.4.2, BasicVSR(num_feat=8, num_block=2), the same weights and clip
    assert probed(restored) == pytest.approx([0.433452, 0.381857, 0.93993, 0.730126, 0.636285], abs=2e-5)


def test_names_of_either_publication_fit():
    network = filled(basicvsr_x4(width=8, blocks=1))
    state = network.state_dict()
    fresh = basicvsr_x4(width=8, blocks=1)
    fresh.load_state_dict(official_names({f"module.{name}": value for name, value in state.items()}))
    theirs = {f"generator.{mmagic(name)}": value for name, value in state.items()}
    assert "generator.backward_resblocks.main.2.0.conv1.weight" in theirs
    fresh.load_state_dict(official_names({**theirs, "step_counter": torch.zeros(1)}))
    for name, value in fresh.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_a_clip_that_runs_backward_is_restored_backward(network: BasicVSR):
    mirrored = basicvsr(**SMALL).eval()
    swapped = {
        name.replace("forward", "B").replace("backward", "forward").replace("B", "backward"): value
        for name, value in network.state_dict().items()
    }
    swapped["fusion.weight"] = network.fusion.weight.roll(SMALL["width"], dims=1)
    mirrored.load_state_dict(swapped)
    clip = noisy(4)
    with torch.no_grad():
        torch.testing.assert_close(mirrored(clip.flip(1)), network(clip).flip(1), rtol=1e-4, atol=1e-5)
        assert (network(clip) - clip).abs().max() > 0.01


def test_every_frame_depends_on_every_other(network: BasicVSR):
    clip = noisy(4).requires_grad_()
    for t in range(4):
        (gradient,) = torch.autograd.grad(network(clip)[:, t].sum(), clip)
        assert (gradient.abs().sum(dim=(0, 2, 3, 4)) > 0).all()


def test_padding_reflects(network: BasicVSR):
    clip = noisy(2, 22, 31)
    padded = np.pad(clip.numpy(), ((0, 0), (0, 0), (0, 0), (0, 2), (0, 1)), mode="reflect")
    with torch.no_grad():
        torch.testing.assert_close(network(clip), network(torch.from_numpy(padded))[..., :22, :31])


def test_packed_raw_frames_work():
    network = basicvsr(**SMALL, channels=4)
    assert network(torch.rand(1, 2, 4, 16, 16)).shape == (1, 2, 4, 16, 16)


def test_motion_is_trained_apart(network: BasicVSR):
    assert {id(p) for p in network.motion.parameters()} == {id(p) for p in network.spynet.parameters()}


# The method


def test_long_clips_are_restored_in_chunks_with_context(network: BasicVSR):
    clip = noisy(7)
    restored = torch.stack(list(stream(BasicVSRMethod(network, chunk=3, overlap=2), clip.unbind(1))), dim=1)
    with torch.no_grad():
        parts = [network(clip[:, :5])[:, :3], network(clip[:, 1:])[:, 2:5], network(clip[:, 4:])[:, 2:]]
    torch.testing.assert_close(restored, torch.cat(parts, dim=1))


def test_refuses_a_network_that_enlarges_and_chunks_of_nothing(network: BasicVSR):
    with pytest.raises(InputError, match="basicvsr: upscale: expected false, since frames keep their size, got true"):
        BasicVSRMethod(basicvsr_x4(width=8, blocks=1))
    with pytest.raises(InputError, match=r"chunk of 1 or more .*, got chunk 0, overlap 1"):
        BasicVSRMethod(network, chunk=0, overlap=1)
