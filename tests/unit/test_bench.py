"""Bare layers are those that a method ran: recorded operations against counted ones and closed forms."""

import json

import pytest
import torch
import torch.nn.functional as F
from test_cli import ncfl
from torch import nn

from ncfl.benchmark.measuring import CHUNK, Layers, Measured, Shape, measure
from ncfl.errors import InputError
from ncfl.evaluate.complexity import clip_complexity, complexity
from ncfl.methods import deform
from ncfl.methods.deform import GuidedDeformConv
from ncfl.methods.networks import build, method_of
from ncfl.models.variants import m_f

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
    model, found = run_once(name, channels_last=channels_last)
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
    assert [call.flops for call in layers.calls] == [2 * 48 * 27 * 4, 2 * 48 * 4 * 4 * 2, 2 * 9 * 5 * 7]
    assert layers.flops == sum(call.flops for call in layers.calls)


def test_a_deformable_convolution_is_its_plain_one_and_its_offsets():
    model = GuidedDeformConv(8, 6, 2)
    nn.init.normal_(model.conv_offset.weight)
    x, guide = torch.rand(2, 8, 10, 12), torch.rand(2, 8, 10, 12)
    layers, real = Layers(model), deform.deform_conv
    layers.record(lambda: model(x, guide))
    pixels = 2 * 10 * 12
    assert [call.flops for call in layers.calls] == [2 * pixels * 72 * 54, 2 * pixels * 72 * 6]
    assert deform.deform_conv is real
    pool = torch.rand(x.numel())
    plain = layers.calls[1].prepared(pool, channels_last=False)()
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
    bare = layers.calls[0].prepared(pool, channels_last=channels_last)()
    assert torch.equal(bare, model(given))


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
    assert found.ratio == found.seconds / found.bare_seconds


def test_without_repeats_nothing_is_timed():
    _, found = run_once("emvd-s")
    assert (found.seconds, found.bare_seconds, found.ratio) == (None, None, None)


def test_the_ratio_worked_by_hand():
    assert Measured(gflops=2.0, layers=3, seconds=1.5, bare_seconds=1.2, peak_gb=0.1).ratio == pytest.approx(1.25)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"height": 31}, "height: found 31, allowed: 32 or more"),
        ({"width": 0}, "width: found 0, allowed: 32 or more"),
        ({"threads": 0}, "threads: found 0, allowed: 1 or more"),
        ({"repeats": -1}, "repeats: found -1, allowed: 0 or more"),
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
    last = done.stdout.splitlines()[-1]
    assert last.startswith("emvd-s")
    assert f"{row['ratio']:.2f}" in last


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--method", "dncnn"), "--method: found 'dncnn', allowed: ncfl, vnlnet,"),
        (("--device", "tpu"), "device: found 'tpu', allowed: auto, cpu, cuda"),
        (("--method", "emvd-s", "--height", "8"), "height: found 8, allowed: 32 or more"),
    ],
)
def test_bad_options_are_one_line(tmp_path, options, message):
    done = ncfl("bench", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"ncfl: {message}")
    assert "Traceback" not in done.stderr
