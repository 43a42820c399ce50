"""Identity initialization: a frame arrives, learning is still possible, and what cannot pass is refused."""

import pytest
import torch
from helpers.basicvsr_samples import waves
from torch import nn

from ncfl.common.errors import InputError
from ncfl.methods.networks import build, let_frames_pass

FLOW = {"flow_width": 0.25, "flow_levels": 4}
QUARTER = {"width": 48, "tail_width": 4}
ADDING = {
    "edvr": {**QUARTER, "groups": 2, "extract_blocks": 1, "reconstruct_blocks": 1},
    "basicvsr": {**QUARTER, "blocks": 1, **FLOW},
    "basicvsrpp": {**QUARTER, "blocks": 1, "groups": 2, **FLOW},
}
WHOLE = {"rmfd": {"width": 4, "blocks": 1}, "msbdn": {"width": 6, "blocks": 1, "bottleneck": 3}}
SUBTRACTING = {
    "fastdvdnet": {"widths": [4, 6, 8], "input_width": 3},
    "dvdnet": {"width": 12, "spatial_convs": 4, "temporal_convs": 1},
    "vnlnet": {
        "past": 1,
        "future": 1,
        "search": 3,
        "patch": 3,
        "match_width": 4,
        "match_convs": 1,
        "width": 4,
        "convs": 4,
    },
}
SIZES = ADDING | WHOLE | SUBTRACTING


def built(name: str, passing: bool) -> nn.Module:
    torch.manual_seed(0)
    model = build(name, SIZES[name])
    if passing:
        let_frames_pass(model)
    return model


@torch.no_grad()
def found(model: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """The frames of a clip, and what the network says of them: the residue where it adds one."""
    clip = waves(5 if model.kind == "edvr" else 3, 32, 32)
    frames, restored = clip[:, list(model.supervised(clip.shape[1]))], model.restore_clip(clip, None)
    return frames, restored - frames if hasattr(model, "conv_last") else restored


def likeness(model: nn.Module) -> float:
    """How far what the network says follows its frames: a correlation, over all pixels and colors."""
    return torch.corrcoef(torch.stack([part.flatten() for part in found(model)]))[0, 1].item()


@pytest.mark.parametrize("name", ADDING)
def test_every_pixel_reaches_the_last_layer(name: str):
    for passing, low, high in ((True, 0.9, 1.0), (False, -0.5, 0.5)):
        model = built(name, passing)
        with torch.no_grad():  # a last layer that hands on what comes to it
            for parameter in model.conv_last.parameters():
                parameter.zero_()
            model.conv_last.weight[range(3), range(3), 1, 1] = 1.0
        assert low < likeness(model) <= high
    assert found(built(name, True))[1].abs().max() == 0  # before the first iteration it is the identity


@pytest.mark.parametrize("name", WHOLE)
def test_the_first_result_is_nearly_the_frame_in_its_colors(name: str):
    frames, restored = found(built(name, True))
    assert (restored - frames).square().mean().sqrt() < 0.1
    frames, restored = found(built(name, False))
    assert (restored - frames).square().mean().sqrt() > 0.3


@pytest.mark.parametrize("name", SUBTRACTING)
def test_nothing_is_subtracted_at_first(name: str):
    clip, level = waves(5, 32, 32), torch.tensor([25.0])
    for passing in (True, False):
        model = built(name, passing)
        # DVDNet's second network, which comes after, subtracts nothing and begins as published.
        restored = model.restore_clip(clip, level)[:, : 5 if name == "dvdnet" else None]
        same = torch.equal(restored, clip[:, list(model.supervised(5))[: restored.shape[1]]])
        assert same == passing
    scales = [part.weight for part in built(name, True).modules() if isinstance(part, nn.BatchNorm2d)]
    assert scales
    assert all((scale == 1).all() for scale in scales)


@pytest.mark.parametrize("name", SIZES)
def test_every_layer_that_learns_as_published_still_learns(name: str):
    """No layer is cut off: away from a last layer at zero, gradients reach what they reach from the authors' values."""
    reached = []
    for passing in (False, True):
        model = built(name, passing)
        for part in model.modules():
            if isinstance(part, nn.Conv2d) and not part.weight.any():  # a last layer at zero
                nn.init.normal_(part.weight, std=0.01)
        clip = waves(3 if name in ("basicvsrpp", "rmfd") else 5, 32, 32)
        model.restore_clip(clip, torch.tensor([25.0])).square().mean().backward()
        reached.append({n for n, p in model.named_parameters() if p.grad is not None and p.grad.abs().max() > 0})
    assert reached[0] <= reached[1]


def at_rest(model: nn.Module) -> nn.Module:
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()
    return model


@pytest.mark.parametrize(("name", "last"), [("fastdvdnet", "temp2.outc.convblock.3"), ("vnlnet", "net.7")])
def test_the_last_layer_sees_the_frame_where_normalizations_rest(name: str, last: str):
    model, seen = at_rest(built(name, True)), []
    model.get_submodule(last).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:, :3]))
    clip = waves(5, 32, 32)
    with torch.no_grad():
        model.restore_clip(clip, torch.tensor([0.0]))
    middle = clip[:, next(iter(model.supervised(5)))]
    assert torch.corrcoef(torch.stack([seen[0][:1].flatten(), middle.flatten()]))[0, 1] > 0.7


def test_dvdnets_second_network_gives_back_the_middle_frame():
    model = at_rest(build("dvdnet", {"width": 12, "spatial_convs": 3, "temporal_convs": 1}))
    let_frames_pass(model)
    clip = waves(5, 32, 32)
    with torch.no_grad():
        merged = model.restore_clip(clip, torch.tensor([0.0]))[:, 5:]
    assert (merged - clip[:, 2:3]).square().mean().sqrt() < 0.15


def test_spaccnn_adds_the_frames_own_detail():
    # Texture that no neighbor has, darker than they are: no rain.
    clip = 0.7 + 0.0 * waves(5, 32, 32)
    clip[:, 2] -= 0.3 * torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    error = {}
    for passing in (False, True):
        torch.manual_seed(0)
        model = build("spaccnn", {"widths": [12, 12, 8], "radius": 2, "matches": 3})
        if passing:
            let_frames_pass(model)
        with torch.no_grad():
            error[passing] = (model.restore_clip(clip, None) - clip[:, 2:3]).square().mean().sqrt()
    assert error[True] < 0.5 * error[False]


def test_emvd_begins_as_a_mean_over_small_squares():
    torch.manual_seed(0)
    frames = waves(1, 32, 32)
    error = {}
    for passing in (False, True):
        model = build("emvd-s", {})
        if passing:
            let_frames_pass(model)
        with torch.no_grad():
            error[passing] = (model.restore_clip(frames, torch.tensor([10.0])) - frames).square().mean().sqrt()
    assert error[True] < 0.1
    assert error[False] > 2 * error[True]


def test_too_few_features_are_refused_by_name():
    model = build("basicvsr", {"width": 32, "blocks": 1, "tail_width": 4, **FLOW})
    with pytest.raises(InputError, match="basicvsr: width: expected 48 or more, for a frame to pass, got 32"):
        let_frames_pass(model)


def test_other_networks_are_refused_by_name():
    model = build("fcrvd", {"width": 4, "blocks": 1, **FLOW})
    with pytest.raises(InputError, match=r"passing: expected vnlnet, dvdnet, fastdvdnet, emvd, edvr, .*, got fcrvd"):
        let_frames_pass(model)
