"""The table of learned methods: every one builds small, restores, learns, comes back from a checkpoint and refuses."""

import io

import pytest
import torch
from helpers.small_methods import SMALL, small
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.methods import LEARNED
from ncfl.methods.edvr.layers import Predeblur
from ncfl.methods.fastdvdnet.model import DenBlock
from ncfl.methods.interface import border_index, stream
from ncfl.methods.networks import build, method_of, rebuild
from ncfl.models.motion import SPyNet
from ncfl.train.losses import restored_loss
from ncfl.weights import checkpoint

# What the loss on the restored frames does not reach, and why.
IDLE = {
    # The authors' layers for maps that nothing uses; they are there for the official tensors.
    "rmfd": ("multi_model_res.alpha_", "multi_model_s2.alpha_"),
}
BLIND_WINDOWS = {"vnlnet": range(2, 6), "fastdvdnet": range(2, 5), "edvr": range(2, 5), "spaccnn": range(2, 5)}

each_method = pytest.mark.parametrize("name", LEARNED)


def clip(frames: int = 7, height: int = 48, width: int = 48, batch: int = 1) -> Tensor:
    return torch.rand(batch, frames, 3, height, width, generator=torch.Generator().manual_seed(frames))


def shaken(model: nn.Module) -> nn.Module:
    """No layer at the zero that it may start from, so that every one counts."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return model


def test_every_method_is_tried():
    assert list(SMALL) == list(LEARNED)


@each_method
def test_it_restores_the_frames_that_it_says(name: str):
    model = small(name).eval()
    with torch.inference_mode():
        restored = model.restore_clip(clip(), torch.tensor([25.0]))
    assert restored.shape == (1, len(list(model.supervised(7))), 3, 48, 48)
    assert restored.isfinite().all()
    wanted = {"dvdnet": [*range(7), *range(2, 5)], "cg-idn": range(2, 5)} | BLIND_WINDOWS
    assert list(model.supervised(7)) == list(wanted.get(name, range(7)))


@each_method
def test_a_step_of_training_reaches_every_layer(name: str):
    model = shaken(small(name)).train()
    # Patches no two of which are alike, so that searches and alignments find something to do.
    noisy, clean = clip(batch=2).unbind(1), clip(6).expand(2, -1, -1, -1, -1).unbind(1)
    loss = restored_loss(model, noisy, [*clean, clean[0]], sigma=torch.tensor([20.0, 50.0])).loss
    loss.backward()
    assert loss.isfinite()
    for key, parameter in model.named_parameters():
        if key.startswith(IDLE.get(name, ("no such layer",))):
            assert parameter.grad is None, key
        else:
            assert parameter.grad is not None, key
            assert parameter.grad.isfinite().all(), key
    learning = sum(bool(p.grad is not None and p.grad.any()) for p in model.parameters())
    reached = sum(p.grad is not None for p in model.parameters())
    assert learning >= 0.9 * reached  # a small network may have a layer whose ReLU is off everywhere


@each_method
def test_a_checkpoint_builds_it_again(name: str, tmp_path):
    model = shaken(small(name)).eval()
    checkpoint.save(tmp_path / "checkpoint.pt", model=model, extra={})
    again = checkpoint.load_model(tmp_path / "checkpoint.pt")
    assert type(again) is type(model)
    assert again.arguments == model.arguments
    with torch.inference_mode():
        one, other = (each.restore_clip(clip(), torch.tensor([25.0])) for each in (model, again))
    torch.testing.assert_close(other, one, rtol=0, atol=0)


@each_method
def test_its_arguments_are_plain(name: str):
    arguments = build(name, SMALL[name]).arguments
    buffer = io.BytesIO()
    torch.save(arguments, buffer)
    buffer.seek(0)
    assert torch.load(buffer, weights_only=True) == arguments
    assert rebuild(LEARNED[name].network().network.kind, arguments).arguments == arguments


@each_method
@pytest.mark.parametrize(("frames", "height", "width"), [(1, 16, 16), (2, 17, 31), (6, 33, 18)])
def test_its_method_streams_any_clip(name: str, frames: int, height: int, width: int):
    method = method_of(small(name), name="x", channels_last=True)
    assert method.name == "x"
    given = clip(frames, height, width).unbind(1)
    restored = list(stream(method, given, 25.0))
    assert [frame.shape for frame in restored] == [frame.shape for frame in given]


@each_method
def test_the_order_in_memory_does_not_matter(name: str):
    given = clip(3, 24, 20).unbind(1)
    plain, ordered = (
        torch.stack(list(stream(method_of(shaken(small(name)), name=name, channels_last=last), given, 25.0)))
        for last in (False, True)
    )
    torch.testing.assert_close(ordered, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["fastdvdnet", "edvr"])
def test_what_the_window_before_found_is_taken_over_and_nothing_else(name: str, monkeypatch: pytest.MonkeyPatch):
    model = shaken(small(name)).eval()
    part, calls = (DenBlock, 3) if name == "fastdvdnet" else (Predeblur, 1)
    counted, forward = [], part.forward
    monkeypatch.setattr(part, "forward", lambda self, *x: (counted.append(len(x[0])), forward(self, *x))[1])
    method = method_of(model, name=name)
    for frames, sigma in ((clip(7, 20, 18), 25.0), (clip(7, 20, 18), 50.0), (clip(6, 20, 18), 50.0)):
        # In another order of windows nothing is taken over.
        places = {t: [border_index(i, frames.shape[1], method.border) for i in range(t - 2, t + 3)] for t in (1, 3, 4)}
        with torch.inference_mode():
            alone = {
                t: method_of(model, name=name).apply(frames[:, at], torch.tensor([sigma])) for t, at in places.items()
            }
        counted.clear()
        streamed = list(stream(method, frames.unbind(1), sigma))
        for t, expected in alone.items():
            torch.testing.assert_close(streamed[t], expected, rtol=1e-5, atol=1e-6)
        # FastDVDNet: two blocks a frame and two more for the first; EDVR: each frame once, and five for the first.
        assert sum(counted) == {3: 2 * len(streamed) + 2, 1: len(streamed) + 4}[calls]


@pytest.mark.parametrize("name", [name for name, record in LEARNED.items() if record.spynet])
def test_motion_takes_over_the_pretrained_one(name: str):
    model = small(name)
    torch.manual_seed(7)
    pretrained = SPyNet(levels=4, width=0.25)
    for parameter in pretrained.parameters():
        nn.init.normal_(parameter, std=0.05)
    model.motion.adopt(pretrained)
    a, b = clip(2, 32, 32).unbind(1)  # a multiple of what either resizes or pads to
    with torch.inference_mode():
        found, expected = model.motion(a, b), pretrained(a, b)
    assert expected.abs().max() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@each_method
@pytest.mark.parametrize(
    ("size", "found", "allowed"),
    [
        ("channels", 0, "a whole number from 1 on, like"),
        ("channels", "3", "a whole number from 1 on, like"),
        ("channels", True, "a whole number from 1 on, like"),
        ("channels", 3.0, "a whole number from 1 on, like"),
    ],
)
def test_a_wrong_size_is_one_line(name: str, size: str, found: object, allowed: str):
    with pytest.raises(InputError) as error:
        build(name, {size: found}, where="experiment x, network")
    assert str(error.value).startswith(f"experiment x, network: {size}: found {found!r}, allowed: {allowed}")
    assert "\n" not in str(error.value)


@each_method
def test_an_unknown_size_names_those_there_are(name: str):
    with pytest.raises(InputError) as error:
        build(name, {"depth": 3})
    assert str(error.value).startswith("network: found 'depth', allowed: channels, ")
    for size in SMALL[name]:
        assert size in str(error.value)


@pytest.mark.parametrize(
    ("name", "sizes", "message"),
    [
        ("fastdvdnet", {"widths": [32, 64]}, r"fastdvdnet cannot be built with \{'widths': \[32, 64\]\}"),
        ("fastdvdnet", {"widths": 32}, r"widths: found 32, allowed: whole numbers from 1 on, like \[32, 64, 128\]"),
        ("fastdvdnet", {"widths": [32, 0, 1]}, r"widths: found \[32, 0, 1\], allowed: whole numbers from 1 on"),
        ("fastdvdnet", {"widths": []}, r"widths: found \[\], allowed: whole numbers"),
        ("edvr", {"frames": 4}, r"frames is 4; allowed: odd"),
        ("edvr", {"width": 10, "groups": 4}, r"edvr cannot be built with .*10 channels"),
        ("edvr", {"upscale": True}, "upscale: found True, allowed: false"),
        ("edvr", {"tsa": 1}, "tsa: found 1, allowed: true or false"),
        ("basicvsrpp", {"width": 10}, "basicvsrpp cannot be built with"),
        ("basicvsr", {"flow_width": 0}, "flow_width: found 0, allowed: a number above 0, like 1.0"),
        ("basicvsr", {"flow_width": float("nan")}, "flow_width: found nan, allowed: a number above 0"),
        ("vnlnet", {"patch": 4}, "patch is 4; allowed: an odd number"),
        ("cg-idn", {"frames": 2}, "frames is 2; allowed: an odd number"),
        ("spaccnn", {"kernels": [3, 3]}, r"kernels are \[3, 3\]; allowed: 4 odd sizes"),
        ("j4rnet-p", {"channels": 4}, r"channels is 4; allowed: 3 \(RGB\) or 1"),
        ("fcrvd", {"channels": 2}, r"channels is 2; allowed: 3 \(RGB\) or 4"),
    ],
)
def test_sizes_that_do_not_fit_together(name: str, sizes: dict[str, object], message: str):
    with pytest.raises(InputError, match=message) as error:
        build(name, sizes)
    assert "\n" not in str(error.value)


@each_method
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 48, 48), "shape"),
        ((1, 7, 2, 48, 48), r"allowed: \[B,(T,)?3,H,W\]"),
        ((1, 7, 3, 15, 48), "48x15 pixels; allowed: 16x16 or larger"),
        ((1, 7, 3, 48, 15), "15x48 pixels; allowed: 16x16 or larger"),
        ((1, 0, 3, 48, 48), r"a clip of 0 frames|\[1, 0, 3, 48, 48\]"),
    ],
)
def test_what_is_no_clip_is_one_line(name: str, shape: tuple[int, ...], message: str):
    with pytest.raises(InputError, match=message) as error:
        small(name).restore_clip(torch.zeros(shape), torch.tensor([25.0]))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["vnlnet", "dvdnet", "fastdvdnet", "edvr", "spaccnn", "cg-idn"])
def test_a_training_clip_shorter_than_the_window_is_one_line(name: str):
    window = {"vnlnet": 4}.get(name, 5)
    model = small(name)
    assert list(model.supervised(window))
    with pytest.raises(InputError, match=rf"(a clip of|\[1, ) ?{window - 1}.*allowed: .*{window}") as error:
        model.restore_clip(clip(window - 1), torch.tensor([25.0]))
    assert "\n" not in str(error.value)


@each_method
def test_frames_that_are_not_finite_are_not_passed_on(name: str):
    frames = [torch.full((1, 3, 16, 16), torch.nan)] * 2
    with pytest.raises(FloatingPointError, match=f"method {name}: .* values that are not finite"):
        list(stream(method_of(small(name), name=name), frames, 25.0))


@pytest.mark.parametrize("name", [name for name, record in LEARNED.items() if record.needs_sigma])
def test_a_method_that_must_be_told_the_noise_says_so(name: str):
    method = method_of(small(name), name=name)
    assert not method.blind
    with pytest.raises(ValueError, match=f"method {name} must be told sigma"):
        list(stream(method, clip(5).unbind(1)))
    with pytest.raises(InputError, match="sigma has none; allowed: one noise level per clip"):
        small(name).restore_clip(clip(5), None)


@each_method
def test_grey_frames_go_where_the_method_says(name: str):
    """A network of three channels refuses grey; one of a single channel, where there is one, restores it."""
    grey = [frame[:, :1] for frame in clip(3, 16, 16).unbind(1)]
    with pytest.raises(ValueError, match=rf"method {name} takes frames \[B,3,H,W\]; found \[1, 1, 16, 16\]"):
        list(stream(method_of(small(name), name=name), grey, 25.0))
    if name in ("fcrvd", "basicvsr", "basicvsrpp"):  # whose SPyNet wants color
        return
    restored = list(stream(method_of(small(name, channels=1), name=name), grey, 25.0))
    assert [frame.shape for frame in restored] == [frame.shape for frame in grey]


def test_a_grey_network_restores_the_channels_of_color_one_by_one():
    method = method_of(small("vnlnet", channels=1), name="vnlnet")
    assert method.channels is None
    frames = clip(5, 20, 18)
    color = torch.stack(list(stream(method, frames.unbind(1))), dim=1)
    for channel in range(3):
        alone = torch.stack(list(stream(method, frames[:, :, channel, None].unbind(1))), dim=1)
        torch.testing.assert_close(color[:, :, channel, None], alone, rtol=1e-5, atol=1e-6)


def test_an_unknown_method_names_those_there_are():
    with pytest.raises(InputError, match=r"method: found 'vnl', allowed: vnlnet, dvdnet, .*, cg-idn"):
        build("vnl", {})


@each_method
def test_arguments_of_another_version_are_refused(name: str):
    with pytest.raises(InputError, match=r"does not take these arguments: .*depth"):
        rebuild(LEARNED[name].network().network.kind, {"depth": 3})


def test_an_unknown_kind_and_a_network_that_restores_nothing():
    with pytest.raises(InputError, match=r"model kind is 'resnet'; allowed: ncfl, .*, vnlnet, .*, cg-idn"):
        rebuild("resnet", {})
    with pytest.raises(InputError, match="x: found a SPyNet, which restores no frames by itself"):
        method_of(SPyNet(levels=2, width=0.1), name="x")
