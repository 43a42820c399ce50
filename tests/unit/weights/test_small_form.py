"""Starts of compared methods: coded in 8 bits to within half a step, and refused by name where they do not fit."""

import json
import re

import pytest
import torch
from helpers.command_line import pretrain as run

from ncfl.common.errors import InputError
from ncfl.methods.networks import build
from ncfl.models.motion import SPyNet
from ncfl.release.export import encoded
from ncfl.release.starts import write_motion, write_small_form
from ncfl.weights.small_form import adopt_small_form, without_motion
from ncfl.weights.tensorfile import read_tensors

SIZES = {"width": 8, "blocks": 1, "tail_width": 4, "flow_width": 0.125, "flow_levels": 2}


def basicvsr(seed: int, **sizes: object) -> torch.nn.Module:
    torch.manual_seed(seed)
    return build("basicvsr", {**SIZES, **sizes})


@pytest.fixture
def made(tmp_path):
    """A start's file, and the network that it is of."""
    model = basicvsr(0)
    write_small_form(tmp_path / "start.safetensors", model, "a test")
    return tmp_path / "start.safetensors", model


def test_a_network_gets_all_but_its_motion_estimation(made):
    file, trained = made
    model = basicvsr(1)
    before = {name: value.clone() for name, value in model.spynet.state_dict().items()}
    adopt_small_form(model, file, "basicvsr-davis")
    for name, value in model.spynet.state_dict().items():
        assert torch.equal(value, before[name])
    kernels = {name: value for name, value in without_motion(trained).items() if value.dim() > 1}
    for name, value in kernels.items():
        largest = value.abs().max().item()
        torch.testing.assert_close(model.state_dict()[name], value, rtol=0, atol=0.55 * largest / 116)
    assert not any(name.startswith("spynet") for name in read_tensors(file)[0])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: basicvsr(0, width=12), r"experiment e, network\.width: expected 8, as the start has it, got 12; "),
        (lambda: basicvsr(0, blocks=2), r"network\.blocks: expected 1, as the start has it, got 2"),
        (lambda: basicvsr(0, channels=4), r"network\.channels: expected 3, as the start has it, got 4"),
        (lambda: build("edvr", {"width": 8, "groups": 2}), "expected a start of edvr, got one of basicvsr"),
    ],
)
def test_a_start_of_another_size_or_method_is_refused_by_name(made, other, message):
    with pytest.raises(InputError, match=message):
        adopt_small_form(other(), made[0], "e")


def test_a_start_that_is_missing_is_said_to_be_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(InputError, match=r"none.safetensors: no such file; tools/pretrain compared e --output DIR "):
        adopt_small_form(basicvsr(0), tmp_path / "none.safetensors", "e")


def changed(file, change) -> None:
    tensors, about = read_tensors(file)
    change(tensors, about)
    file.write_bytes(encoded(tensors, about))


def forget_step(tensors, about):
    del tensors["fusion.weight.step"]


def forget_layer(tensors, about):
    del tensors["fusion.bias"]


def reshape(tensors, about):
    tensors["fusion.bias"] = tensors["fusion.bias"][:-1].clone()


def forget_sizes(tensors, about):
    about["arguments"] = json.dumps(3)


def other_version(tensors, about):
    about["kind"] = "small-form-0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (forget_step, "fusion.weight: damaged: its step is missing"),
        (forget_layer, "another version of the method"),
        (reshape, r"fusion.bias: expected \(8,\), got \(7,\)"),
        (forget_sizes, "the sizes of its network are missing"),
        (other_version, r"expected a start \(small-form-1\), got small-form-0"),
    ],
)
def test_a_damaged_start_or_one_of_another_version_is_refused(made, change, message):
    changed(made[0], change)
    with pytest.raises(InputError, match=message):
        adopt_small_form(basicvsr(0), made[0], "e")


def test_another_kind_of_file_is_refused(made, tmp_path):
    write_motion(tmp_path / "motion.safetensors", SPyNet(levels=2, width=0.125), "a test")
    with pytest.raises(InputError, match=r"expected a start \(small-form-1\), got spynet"):
        adopt_small_form(basicvsr(0), tmp_path / "motion.safetensors", "e")
    made[0].write_bytes(made[0].read_bytes()[:-8])
    with pytest.raises(InputError, match="not readable as safetensors"):
        adopt_small_form(basicvsr(0), made[0], "e")


def test_a_start_as_it_is_typed_and_called_again(tmp_path, monkeypatch, capsys):
    """Two iterations, on two scenes; the same call again trains nothing, and other numbers are refused."""
    monkeypatch.setattr("ncfl.release.small_forms.SCENES", 2)
    words = ("compared", "emvd-s-davis", "--output", tmp_path / "run", "--file", tmp_path / "start.safetensors")
    assert run(*words, "--iterations", 2) == 0
    first = (tmp_path / "start.safetensors").read_bytes()
    model = build("emvd-s", {})
    adopt_small_form(model, tmp_path / "start.safetensors", "emvd-s-davis")
    checkpoint = tmp_path / "run" / "emvd-s-davis" / "checkpoint.pt"
    trained = checkpoint.stat().st_mtime_ns
    assert run(*words, "--iterations", 2) == 0
    assert checkpoint.stat().st_mtime_ns == trained
    assert (tmp_path / "start.safetensors").read_bytes() == first
    assert run(*words, "--iterations", 3) == 2
    assert "expected a training with these numbers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nobody-davis",), r"experiment: expected vnlnet-davis, .*, got 'nobody-davis'$"),
        (("edvr-davis", "--seed", 2022), r"seed: expected another than the preset's, .*, got 2022$"),
        (("edvr-davis", "--preset", "paper"), "dataset davis: expected source: demo, got one that is not rendered"),
        (("edvr-davis", "--preset", "none"), "preset: expected one of"),
    ],
)
def test_what_no_start_can_be_made_of_is_refused(tmp_path, capsys, words, message):
    assert run("compared", *words, "--output", tmp_path, "--iterations", 1) == 2
    assert re.search(message, capsys.readouterr().err, re.M)
