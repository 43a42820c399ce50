"""BasicVSR++: second-order alignment, the order of its four passes, sizes and names."""

import pytest
import torch
import torch.nn.functional as F
from helpers.basicvsr_samples import away_from_start, filled, mmagic, noisy, probed, waves
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ncfl.common.errors import InputError
from ncfl.methods.basicvsr.official_names import official_names
from ncfl.methods.basicvsrpp.model import (
    BRANCHES,
    BasicVSRPlusPlus,
    BasicVSRPlusPlusMethod,
    SecondOrderAlignment,
    basicvsrpp,
    basicvsrpp_x4,
)
from ncfl.methods.interface import stream
from ncfl.methods.spynet6.model import flow_warp

SMALL = {"width": 8, "blocks": 1, "tail_width": 8, "flow_levels": 3, "flow_width": 0.125}


@pytest.fixture(scope="module")
def network() -> BasicVSRPlusPlus:
    torch.manual_seed(0)
    return away_from_start(basicvsrpp(**SMALL))


@pytest.mark.parametrize(("form", "parameters"), [(basicvsrpp_x4, 7_322_927), (basicvsrpp, 9_760_175)])
def test_published_forms_have_the_published_sizes(form, parameters: int):
    # counted on XPixelGroup/BasicSR v1.4.2 with 7 blocks, and with 15 and is_low_res_input=False
    assert sum(parameter.numel() for parameter in form().parameters()) == parameters


@pytest.mark.parametrize(
    ("form", "sizes", "clip", "expected"),
    [
        (basicvsrpp_x4, {}, (2, 64, 68), [0.439772, 0.805759, 0.387952, 0.658492, 0.683981]),
        (basicvsrpp_x4, {}, (4, 64, 68), [0.439426, 0.739204, 0.34842, 0.79296, 0.683852]),
        (basicvsrpp, {}, (4, 256, 260), [0.436309, 0.746899, 0.3468, 0.505637, 0.616283]),
    ],
)
def test_agrees_with_the_published_code(form, sizes, clip: tuple[int, int, int], expected: list[float]):
    # XPixelGroup/BasicSR v1.4.2, BasicVSRPlusPlus(mid_channels=8, num_blocks=1), the same weights and clip
    network = filled(form(width=8, blocks=1, **sizes))
    with torch.inference_mode():
        assert probed(network(waves(*clip))) == pytest.approx(expected, abs=2e-5)


def test_names_of_either_publication_fit():
    network = filled(basicvsrpp(width=8, blocks=1))
    state = network.state_dict()
    fresh = basicvsrpp(width=8, blocks=1)
    fresh.load_state_dict(official_names(state))
    theirs = {f"generator.{mmagic(name)}": value for name, value in state.items()}
    for name in ("feat_extract.4.main.2.4.conv2.bias", "deform_align.forward_2.conv_offset.6.weight"):
        assert f"generator.{name}" in theirs
    assert "generator.upsample2.upsample_conv.weight" in theirs
    fresh.load_state_dict(official_names({**theirs, "step_counter": torch.zeros(1)}))
    for name, value in fresh.state_dict().items():
        assert torch.equal(value, state[name]), name


def constant(x: float, y: float, like: Tensor) -> Tensor:
    return torch.tensor([x, y]).view(1, 2, 1, 1).expand(len(like), 2, *like.shape[-2:])


def test_alignment_starts_at_where_the_flows_point():
    layer = SecondOrderAlignment(8, 4, reach=10.0)
    first, second = torch.rand(2, 1, 8, 12, 14).unbind()
    flows = constant(2, -1, first), constant(-3, 1, first)
    aligned = layer((first, second), torch.rand(1, 24, 12, 14), flows)
    moved = torch.cat((first.roll((1, -2), (2, 3)), second.roll((-1, 3), (2, 3))), dim=1)
    expected = 0.5 * F.conv2d(moved, layer.weight, padding=1)
    inner = (..., slice(3, -3), slice(5, -5))
    torch.testing.assert_close(aligned[inner], expected[inner])


def test_learned_offsets_reach_no_farther_than_they_may():
    layer = SecondOrderAlignment(8, 4, reach=2.0)
    nn.init.constant_(layer.conv_offset[-1].bias, 100.0)  # tanh and sigmoid of it are 1
    first, second = torch.rand(2, 1, 8, 12, 14).unbind()
    still = constant(0, 0, first)
    aligned = layer((first, second), torch.rand(1, 24, 12, 14), (still, still))
    moved = torch.cat((first, second), dim=1).roll((-2, -2), (2, 3))
    inner = (..., slice(3, -3), slice(3, -3))
    torch.testing.assert_close(aligned[inner], F.conv2d(moved, layer.weight, padding=1)[inner])


def by_the_paper(network: BasicVSRPlusPlus, clip: Tensor, backward: list[Tensor], forward: list[Tensor]) -> Tensor:
    """Equations (1) to (7) of the paper, frames and branches by their numbers."""
    length = clip.shape[1]
    own = [network.feat_extract(clip[:, t]) for t in range(length)]
    found: dict[tuple[str, int], Tensor] = {}
    for place, branch in enumerate(BRANCHES):
        past = 1 if branch.startswith("backward") else -1  # where this branch comes from
        for t in range(length - 1, -1, -1) if past == 1 else range(length):

            def flow(i: int, past: int = past) -> Tensor:
                return backward[i] if past == 1 else forward[i - 1]

            if not 0 <= t + past < length:
                aligned = torch.zeros_like(own[t])
            else:
                one, to_one = found[branch, t + past], flow(t)
                two, to_two = torch.zeros_like(one), torch.zeros_like(to_one)
                if 0 <= t + 2 * past < length:
                    two = found[branch, t + 2 * past]
                    to_two = to_one + flow_warp(flow(t + past), to_one)
                condition = torch.cat((flow_warp(one, to_one), own[t], flow_warp(two, to_two)), dim=1)
                aligned = network.deform_align[branch]((one, two), condition, (to_one, to_two))
            inputs = [own[t], *(found[earlier, t] for earlier in BRANCHES[:place]), aligned]
            found[branch, t] = aligned + network.backbone[branch](torch.cat(inputs, dim=1))
    everything = [torch.cat((own[t], *(found[branch, t] for branch in BRANCHES)), dim=1) for t in range(length)]
    return torch.stack([network.to_frame(network.reconstruction(x), clip[:, t]) for t, x in enumerate(everything)], 1)


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_the_passes_are_those_of_the_paper(network: BasicVSRPlusPlus, frames: int):
    clip = noisy(frames, 16, 20)
    generator = torch.Generator().manual_seed(3)
    backward, forward = (list(3 * torch.randn(frames - 1, 1, 2, 4, 5, generator=generator)) for _ in range(2))
    with torch.no_grad():
        expected = by_the_paper(network, clip, backward, forward)
        torch.testing.assert_close(network.propagate(clip, backward, forward), expected, rtol=1e-4, atol=1e-5)
    assert (expected - clip).abs().max() > 0.01


def test_flows_point_the_right_way():
    network = basicvsrpp(**SMALL)
    seen = {}

    def propagate(clip: Tensor, backward: list[Tensor], forward: list[Tensor]) -> Tensor:
        seen.update(backward=[f.mean().item() for f in backward], forward=[f.mean().item() for f in forward])
        return clip

    class Difference(nn.Module):
        def forward(self, reference: Tensor, neighbor: Tensor) -> Tensor:
            return (10 * reference + neighbor)[:, :2]

    network.propagate, network.spynet = propagate, Difference()
    clip = torch.arange(3.0).view(1, 3, 1, 1, 1).expand(1, 3, 3, 16, 16)
    network(clip)
    assert seen["backward"] == pytest.approx([1, 12], abs=1e-4)  # 0 looks at 1, 1 looks at 2
    assert seen["forward"] == pytest.approx([10, 21], abs=1e-4)  # 1 looks at 0, 2 looks at 1


def test_trains_on_whole_clips():
    network = basicvsrpp(**SMALL)
    clip = noisy(3)
    before = F.mse_loss(network.restore_clip(clip, None), clip.clamp(0, 1))
    before.backward()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    optimizer.step()
    assert F.mse_loss(network.restore_clip(clip, None), clip.clamp(0, 1)) < before


def test_a_frame_of_540p_costs_what_it_was_measured_to():
    with torch.device("meta"):
        network, clips = basicvsrpp(), [torch.empty(1, frames, 3, 544, 960) for frames in (4, 5)]
    counts = []
    for clip in clips:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(clip)
        counts.append(counter.get_total_flops() / 1e9)
    assert counts[1] - counts[0] == pytest.approx(642.4, abs=0.1)


def test_the_method_streams(network: BasicVSRPlusPlus):
    method = BasicVSRPlusPlusMethod(network, chunk=3, overlap=1, channels_last=True)
    clip = noisy(5, 18, 21)
    restored = torch.stack(list(stream(method, clip.unbind(1))), dim=1)
    with torch.no_grad():
        parts = [network(clip[:, :4])[:, :3], network(clip[:, 2:])[:, 1:]]
    torch.testing.assert_close(restored, torch.cat(parts, dim=1), rtol=1e-4, atol=1e-5)


def test_refuses_a_network_that_enlarges_and_widths_that_do_not_divide():
    with pytest.raises(InputError, match="basicvsrpp: upscale: expected false"):
        BasicVSRPlusPlusMethod(basicvsrpp_x4(width=8, blocks=1))
    with pytest.raises(ValueError, match="channels: expected a multiple of 16, the deformable groups, got 20"):
        basicvsrpp(width=10)
