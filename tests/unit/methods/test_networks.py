"""Networks of the compared methods: what is refused when they are built, and what is true of some of them alone."""

import pytest
import torch
from helpers.small_methods import clip, shaken, small
from torch import nn

from ncfl.common.errors import InputError
from ncfl.methods import LEARNED
from ncfl.methods.edvr.layers import Predeblur
from ncfl.methods.fastdvdnet.model import DenBlock
from ncfl.methods.interface import border_index, stream
from ncfl.methods.networks import build, method_of, rebuild
from ncfl.models.motion import SPyNet


@pytest.mark.parametrize(
    ("name", "sizes", "message"),
    [
        (
            "fastdvdnet",
            {"widths": [32, 64]},
            r"expected sizes of which fastdvdnet can be built, got \{'widths': \[32, 64\]\}",
        ),
        ("fastdvdnet", {"widths": 32}, r"widths: expected whole numbers from 1 on, like \[32, 64, 128\], got 32"),
        ("fastdvdnet", {"widths": [32, 0, 1]}, r"widths: expected whole numbers from 1 on.*, got \[32, 0, 1\]"),
        ("fastdvdnet", {"widths": []}, r"widths: expected whole numbers.*, got \[\]"),
        ("edvr", {"frames": 4}, r"frames: expected odd numbers, got 4"),
        (
            "edvr",
            {"width": 10, "groups": 4},
            "sizes of which edvr can be built, got .*channels: expected a multiple of 4, .*, got 10",
        ),
        ("edvr", {"upscale": True}, "upscale: expected false, .*, got True"),
        ("edvr", {"tsa": 1}, "tsa: expected true or false, got 1"),
        ("basicvsrpp", {"width": 10}, "expected sizes of which basicvsrpp can be built, got"),
        ("basicvsr", {"flow_width": 0}, "flow_width: expected a number above 0, like 1.0, got 0"),
        ("basicvsr", {"flow_width": float("nan")}, "flow_width: expected a number above 0.*, got nan"),
        ("vnlnet", {"patch": 4}, "patch: expected an odd number of pixels, got 4"),
        ("cg-idn", {"frames": 2}, "frames: expected an odd number, got 2"),
        ("spaccnn", {"kernels": [3, 3]}, r"kernels: expected 4 odd sizes, got \[3, 3\]"),
        ("j4rnet-p", {"channels": 4}, r"channels: expected 3 \(RGB\) or 1 .*, got 4"),
        ("fcrvd", {"channels": 2}, r"channels: expected 3 \(RGB\) or 4 .*, got 2"),
    ],
)
def test_sizes_that_do_not_fit_together(name: str, sizes: dict[str, object], message: str):
    with pytest.raises(InputError, match=message) as error:
        build(name, sizes)
    assert "\n" not in str(error.value)


def test_an_unknown_method_names_those_there_are():
    with pytest.raises(InputError, match=r"method: expected vnlnet, dvdnet, .*, cg-idn, got 'vnl'"):
        build("vnl", {})


def test_an_unknown_kind_and_a_network_that_restores_nothing():
    with pytest.raises(InputError, match=r"model kind: expected ncfl, .*, vnlnet, .*, cg-idn, got 'resnet'"):
        rebuild("resnet", {})
    with pytest.raises(InputError, match="x: expected a network that restores frames, got a SPyNet"):
        method_of(SPyNet(levels=2, width=0.1), name="x")


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


def test_a_grey_network_restores_the_channels_of_color_one_by_one():
    method = method_of(small("vnlnet", channels=1), name="vnlnet")
    assert method.channels is None
    frames = clip(5, 20, 18)
    color = torch.stack(list(stream(method, frames.unbind(1))), dim=1)
    for channel in range(3):
        alone = torch.stack(list(stream(method, frames[:, :, channel, None].unbind(1))), dim=1)
        torch.testing.assert_close(color[:, :, channel, None], alone, rtol=1e-5, atol=1e-6)
