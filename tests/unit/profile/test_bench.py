"""Bare layers are those that a method ran: recorded operations against counted ones and closed forms."""

import json

import pytest
import torch
import torch.nn.functional as F
from helpers.command_line import ncfl, within
from torch import nn

from ncfl.common.errors import InputError
from ncfl.methods import deform
from ncfl.methods.deform import GuidedDeformConv
from ncfl.methods.networks import build, method_of
from ncfl.models.variants import m_f
from ncfl.profile.complexity import clip_complexity, complexity
from ncfl.profile.measuring import CHUNK, Measured, measure
from ncfl.profile.recorded_layers import Layers, Shape, bare

SIZE = {"height": 32, "width": 64}
TINY = {
    "edvr": {"width": 16, "extract_blocks": 1, "reconstruct_blocks": 1, "tail_width": 8},
    "basicvsrpp": {"width": 16, "blocks": 1, "tail_width": 8},
    "fastdvdnet": {"widths": [4, 8, 16], "input_width": 6},
}


def run_once(name, **settings):
    model = build(name, TINY.get(name, {}))
    return model, measure(lambda: method_of(model, name=name, **settings), **SIZE, repeats=0)


@pytest.mark.parametrize("name", ["emvd-s", "j4rnet-p", "msbdn"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_what_is_recorded_is_what_is_counted(name, channels_last):
    model, found = run_once(name, channels_last=channels_last, fold=False)
    assert found.gflops == pytest.approx(clip_complexity(model, **SIZE).gflops)


def test_the_papers_method_is_recorded_in_its_steady_state():
    model = m_f(
        unet_widths=(4, 8), feature_width=8, flow_width=0.25, mv_width=8, latent_width=8, attention_widths=(4, 8)
    )
    found = measure(lambda: method_of(model, name="ncfl"), **SIZE, repeats=0)
    assert found.gflops == pytest.approx(complexity(model, **SIZE).gflops)


def test_a_sliding_window_is_recorded_as_it_runs_not_as_it_is_counted():
    model, found = run_once("fastdvdnet")
    assert found.gflops == pytest.approx(clip_complexity(model, **SIZE).gflops / 2)  # two equal blocks of four


def test_a_chunk_is_divided_by_its_frames():
    model = build("j4rnet-p", {})
    with torch.no_grad():
        layers = Layers(model)
        layers.record(lambda: model.restore_clip(torch.rand(1, CHUNK, 3, 32, 64)))
    _, found = run_once("j4rnet-p")
    assert (found.gflops, found.layers) == (layers.flops / CHUNK / 1e9, len(layers.calls) / CHUNK)


def test_closed_form_of_layers_and_products():
    model = nn.ModuleList([nn.Conv2d(3, 4, 3, padding=1), nn.ConvTranspose2d(4, 2, 2, stride=2), nn.Linear(5, 7)])
    layers = Layers(model)
    layers.record(lambda: (model[1](model[0](torch.rand(1, 3, 6, 8)).relu()), model[2](torch.rand(9, 5))))
    assert [call.flops for call in layers.convolutions] == [2 * 48 * 27 * 4, 2 * 48 * 4 * 4 * 2, 2 * 9 * 5 * 7]
    assert [call.flops for call in layers.calls] == [2 * 48 * 27 * 4, 0, 2 * 48 * 4 * 4 * 2, 2 * 9 * 5 * 7]
    assert layers.flops == sum(call.flops for call in layers.calls)


class Known(nn.Module):
    """Layers as modules and as functions, and between them what is no layer."""

    def __init__(self):
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.mirrored = nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect")
        self.act = nn.PReLU(8)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.shuffle = nn.PixelShuffle(2)
        self.drop = nn.Dropout(0.5)
        self.weight = nn.Parameter(torch.rand(4, 2, 1, 1))

    def forward(self, x):
        x = self.head(x)
        x = torch.cat((x, x + self.act(self.mirrored(x))), dim=1)
        x = F.interpolate(self.drop(self.up(x)), scale_factor=0.5)
        x = F.max_pool2d(F.pad(self.shuffle(F.leaky_relu(x, 0.1, inplace=True)), (1, 1, 1, 1)), 2)
        return F.conv2d(x, self.weight.sigmoid()).sigmoid() * x.mean()


def test_layers_are_modules_and_functions_without_what_is_between_them():
    model = Known().eval()
    layers = Layers(model)
    layers.record(lambda: model(torch.rand(1, 3, 8, 12)))
    assert [getattr(call.operation, "__name__", call.operation) for call in layers.calls] == [
        *(*model.head, model.mirrored, model.act, model.up),
        *("leaky_relu_.default", model.shuffle, "max_pool2d_with_indices.default"),
        *("convolution.default", "sigmoid.default"),
    ]
    full, wide = (1, 8, 8, 12), (1, 16, 8, 12)
    assert [call.operands[0].size for call in layers.calls] == [
        *((1, 3, 8, 12), full, full, full, full, wide),
        *(full, full, (1, 2, 18, 26), (1, 2, 9, 13), (1, 4, 9, 13)),
    ]
    assert [call.in_place for call in layers.calls] == [i in (2, 6) for i in range(11)]
    flops = {0: 2 * 96 * 27 * 8, 3: 2 * 96 * 72 * 8, 5: 2 * 96 * 4 * 16 * 8, 9: 2 * 117 * 2 * 4}
    assert [call.flops for call in layers.calls] == [flops.get(i, 0) for i in range(11)]
    assert [call.flops for call in layers.convolutions] == list(flops.values())


def test_layers_in_a_row_give_what_a_sequential_does_and_leave_their_inputs_alone():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.LeakyReLU(0.1, inplace=True), nn.PixelShuffle(2), nn.Tanh()
    ).eval()
    layers = Layers(model)
    layers.record(lambda: model(torch.rand(1, 3, 8, 12)))
    pool, given = torch.linspace(-1, 1, 1000), None
    for call in layers.calls:
        given = call.prepared(pool, channels_last=False)(given)
    assert torch.equal(given, model(pool[:288].view(1, 3, 8, 12)))
    alone = layers.calls[2].prepared(pool, channels_last=False)(None)  # after a layer of another size
    assert torch.equal(alone, F.leaky_relu(pool[:480].view(1, 8, 6, 10), 0.1))
    assert torch.equal(pool, torch.linspace(-1, 1, 1000))
    bare(layers.calls, torch.device("cpu"), channels_last=True)()


def test_hooks_are_gone_after_the_recording():
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())
    Layers(model).record(lambda: model(torch.rand(1, 1, 4, 4)))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model)


def test_layers_that_count_are_the_published_ones():
    def method(*, fold):
        return method_of(build("fastdvdnet", TINY["fastdvdnet"]).eval(), name="fastdvdnet", fold=fold)

    found = measure(lambda: method(fold=True), published=lambda: method(fold=False), **SIZE, repeats=0)
    without, plain = (measure(lambda f=f: method(fold=f), **SIZE, repeats=0) for f in (True, False))
    assert found.layers == plain.layers > without.layers
    assert found.gflops == plain.gflops == without.gflops


def test_a_deformable_convolution_is_its_plain_one_and_its_offsets():
    model = GuidedDeformConv(8, 6, 2)
    nn.init.normal_(model.conv_offset.weight)
    x, guide = torch.rand(2, 8, 10, 12), torch.rand(2, 8, 10, 12)
    layers, real = Layers(model), deform.deform_conv
    layers.record(lambda: model(x, guide))
    pixels = 2 * 10 * 12
    assert [call.flops for call in layers.convolutions] == [2 * pixels * 72 * 54, 2 * pixels * 72 * 6]
    assert [call.flops for call in layers.calls] == [2 * pixels * 72 * 54, 0, 2 * pixels * 72 * 6]  # masks: sigmoid
    assert deform.deform_conv is real
    pool = torch.rand(x.numel())
    plain = layers.convolutions[1].prepared(pool, channels_last=False)(None)
    assert torch.equal(plain, F.conv2d(pool.view(x.shape), model.weight, model.bias, padding=1))


def test_recording_changes_no_result():
    model = build("edvr", TINY["edvr"]).eval()
    frames, found = torch.rand(1, 5, 3, 32, 32), []
    with torch.no_grad():
        Layers(model).record(lambda: found.append(model.restore_clip(frames, None)))
        assert torch.equal(found[0], model.restore_clip(frames, None))


@pytest.mark.parametrize("channels_last", [False, True])
def test_bare_layers_have_their_weights_and_the_order_of_memory(channels_last):
    order = torch.channels_last if channels_last else torch.contiguous_format
    model = nn.Conv2d(4, 5, 3, stride=2, groups=1).to(memory_format=order)
    layers = Layers(model)
    layers.record(lambda: model(torch.rand(2, 4, 9, 7)))
    shape = layers.calls[0].operands[0]
    assert shape == Shape((2, 4, 9, 7), torch.float32)
    pool = torch.rand(1000)
    given = shape.view(pool, channels_last=channels_last)
    assert given.is_contiguous(memory_format=order)
    assert set(given.flatten().tolist()) == set(pool[: 2 * 4 * 9 * 7].tolist())
    found = layers.calls[0].prepared(pool, channels_last=channels_last)(None)
    assert torch.equal(found, model(given))


@pytest.mark.parametrize("name", ["edvr", "basicvsrpp", "fastdvdnet", "emvd-s"])
def test_times_of_all_three_shapes(name):
    before = torch.get_num_threads()
    model = build(name, TINY.get(name, {}))
    try:
        found = measure(lambda: method_of(model, name=name), **SIZE, threads=1, repeats=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert found.seconds > 0
    assert found.bare_seconds > 0
    assert found.convolution_seconds > 0
    assert found.ratio == found.seconds / found.bare_seconds


def test_without_repeats_nothing_is_timed():
    _, found = run_once("emvd-s")
    assert (found.seconds, found.bare_seconds, found.convolution_seconds) == (None, None, None)
    assert (found.ratio, found.convolution_ratio) == (None, None)


def test_the_ratios_worked_by_hand():
    found = Measured(gflops=2.0, layers=3, seconds=1.5, bare_seconds=1.2, convolution_seconds=1.0, peak_gb=0.1)
    assert found.ratio == pytest.approx(1.25)
    assert found.convolution_ratio == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"height": 31}, "height: expected 32 or more, got 31"),
        ({"width": 0}, "width: expected 32 or more, got 0"),
        ({"threads": 0}, "threads: expected 1 or more, got 0"),
        ({"repeats": -1}, "repeats: expected 0 or more, got -1"),
    ],
)
def test_numbers_out_of_range_are_refused_before_anything_is_built(settings, message):
    with pytest.raises(InputError) as caught:
        measure(lambda: pytest.fail("built"), **{**SIZE, **settings})
    assert str(caught.value) == message


def test_the_command_writes_what_it_prints(tmp_path):
    options = ("--height", "32", "--width", "48", "--threads", "1", "--repeats", "1", "--device", "cpu")
    done = ncfl("bench", "--method", "emvd-s", *options, "--json", "bench.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "bench: emvd-s\n"
    written = json.loads((tmp_path / "bench.json").read_text())
    assert (written["height"], written["width"], written["threads"]) == (32, 48, 1)
    (row,) = written["methods"]
    assert row["gflops"] == pytest.approx(clip_complexity(build("emvd-s", {}), height=32, width=48).gflops)
    assert row["seconds_per_gflop"] == pytest.approx(row["seconds"] / row["gflops"])
    assert row["ratio"] == pytest.approx(row["seconds"] / row["bare_seconds"])
    assert row["convolution_ratio"] == pytest.approx(row["seconds"] / row["convolution_seconds"])
    last = done.stdout.splitlines()[-1]
    assert last.startswith("emvd-s")
    assert f"{row['ratio']:.2f}" in last


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--method", "dncnn"), "--method: expected some of ncfl, vnlnet,"),
        (("--device", "tpu"), "device: expected auto, cpu, cuda, got 'tpu'"),
        (("--method", "emvd-s", "--height", "8"), "height: expected 32 or more, got 8"),
    ],
)
def test_bad_options_are_one_line(tmp_path, options, message):
    done = within("bench", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"ncfl: {message}")
    assert "Traceback" not in done.stderr
