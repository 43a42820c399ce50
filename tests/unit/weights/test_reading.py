"""Official weights: what is unwrapped, and what is refused and why."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.weights_samples import Malicious, beside, refusal, same, tensors, write
from torch import nn

from ncfl.common.errors import InputError
from ncfl.methods import OFFICIAL
from ncfl.methods.spynet6.model import SPyNet6
from ncfl.methods.spynet6.official_names import official_names as spynet6_names
from ncfl.weights.matching import match
from ncfl.weights.reading import read_parts, read_weights

OFFICIAL_CLASSES = OFFICIAL["msbdn"].stand_ins


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"state": {}}},
        lambda state: {"params": {"a.weight": torch.zeros(1, 2)}, "params_ema": state},
        lambda state: {"params": state},
        lambda state: {"model": {"state_dict": state}},
        lambda state: {"model_state_dict": beside(state, "module."), "args": {"sigma": 20}},
        lambda state: beside(state, "module."),
        lambda state: {"meta": {"time": "now"}, "state_dict": beside(state, "module.generator.")},
        lambda state: {
            "state_dict": {**beside(state, "generator."), "step_counter": torch.ones(1), "loss.vgg": torch.ones(2)}
        },
    ],
)
def test_wrappers_and_prefixes_come_off(tmp_path: Path, wrap, zipped: bool):
    same(read_weights(write(tmp_path / "model.pth", wrap(tensors()), zipped=zipped)), tensors())


def test_a_prefix_that_some_names_lack_is_part_of_the_names(tmp_path: Path):
    state = {**beside(tensors(), "module."), "other": torch.ones(1)}
    same(read_weights(write(tmp_path / "model.pth", state)), state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_numbers_become_float32_and_whole_ones_stay(tmp_path: Path, dtype: torch.dtype):
    state = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in tensors().items()}
    found = read_weights(write(tmp_path / "model.ckpt", state))
    same(found, tensors())
    assert {str(tensor.dtype) for tensor in found.values()} == {"torch.float32", "torch.int64"}


def test_a_parameter_that_wants_a_gradient_and_lies_crosswise_is_read_plain(tmp_path: Path):
    parameter = nn.Parameter(torch.arange(6.0).view(2, 3).t())
    found = read_weights(write(tmp_path / "model.pt", {"a": parameter}))["a"]
    assert (found.requires_grad, found.is_contiguous()) == (False, True)
    assert found.tolist() == [[0, 3], [1, 4], [2, 5]]


def test_safetensors_of_others_are_read(tmp_path: Path):
    from safetensors.torch import save_file

    save_file(beside(tensors(), "module."), tmp_path / "model.safetensors")
    same(read_weights(tmp_path / "model.safetensors"), tensors())


def test_layers_of_spynet_in_a_folder_of_npy_files(tmp_path: Path):
    network = SPyNet6(levels=2, width=0.125)
    for level in range(2):
        for conv in range(5):
            layer = network.basic_module[level].basic_module[2 * conv]
            np.save(tmp_path / f"modelL{level + 1}_F-{conv + 1}-weight.npy", layer.weight.detach().numpy())
            np.save(tmp_path / f"modelL{level + 1}_F-{conv + 1}-bias.npy", layer.bias.detach().numpy())
    state = read_weights(tmp_path)
    assert "modelL2_F-5.bias" in state
    # Their authors feed frames as they are, in [0,1].
    as_they_are = {"mean": torch.zeros(1, 3, 1, 1), "std": torch.ones(1, 3, 1, 1)}
    same(match(state, network, spynet6_names, "spynet"), network.state_dict() | as_they_are)


@pytest.mark.parametrize("theirs", ["module", "net"])
def test_spynet_as_its_first_pytorch_port_names_it(theirs: str):
    network = SPyNet6(levels=2, width=0.125)
    state = {
        name.replace("basic_module", f"{theirs}Basic"): tensor
        for name, tensor in network.state_dict().items()
        if name not in ("mean", "std")
    }
    same(match(state, network, spynet6_names, "spynet"), network.state_dict())


def test_the_networks_of_one_checkpoint_are_kept_apart(tmp_path: Path):
    file = write(
        tmp_path / "model_epoch_95.pth",
        {
            "one": tensors(),
            "two": beside(tensors(), "module."),
            "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
        },
    )
    same(read_parts(file, ("one", "two")), beside(tensors(), "one.") | beside(tensors(), "two."))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"one": {"a": torch.ones(1)}}, "expected a state under each of one, two, got the keys one; missing: two"),
        ({"one": {"a": torch.ones(1)}, "two": 3}, "got the keys one, two; missing: two"),
        (["one", "two"], "got a list; missing: one, two"),
        ({"one": {"a": torch.ones(1)}, "two": {"a": "text"}}, "expected tensors by name, plain or under params_ema"),
        (
            {"one": {"a": torch.ones(1)}, "two": {"a": torch.tensor([torch.nan])}},
            "two.a: expected finite values, got others",
        ),
    ],
)
def test_a_checkpoint_without_one_of_the_networks_is_refused(tmp_path: Path, content: object, found: str):
    file = write(tmp_path / "model_epoch_95.pth", content)
    with pytest.raises(InputError) as error:
        read_parts(file, ("one", "two"))
    assert str(error.value).startswith(str(file))
    assert found in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="no such file"):
        read_parts(tmp_path / "other.pth", ("one", "two"))


def test_npy_files_are_never_unpickled(tmp_path: Path):
    np.save(tmp_path / "modelL1_F-1-weight.npy", np.array([Malicious(tmp_path / "ran")], dtype=object))
    with pytest.raises(InputError, match=r"modelL1_F-1-weight.npy: not readable as an array of numbers") as error:
        read_weights(tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()


def test_an_empty_folder_is_refused(tmp_path: Path):
    assert "expected two .npy files per layer" in refusal(tmp_path)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("stand_ins", [(), OFFICIAL_CLASSES])
@pytest.mark.parametrize("left", [0.02, 0.5, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, zipped: bool, stand_ins, left: float):
    file = write(tmp_path / "model.pth", {"a": torch.ones(1000)}, zipped=zipped)
    data = file.read_bytes()
    file.write_bytes(data[: int(left * len(data))])
    message = refusal(file, stand_ins=stand_ins)
    assert "expected " in message


def test_a_flipped_bit_is_refused(tmp_path: Path):
    file = write(tmp_path / "model.pth", {"a": torch.full((1000,), 0.5)})
    data = bytearray(file.read_bytes())
    data[data.index(torch.full((2,), 0.5).numpy().tobytes()) + 41] ^= 1
    file.write_bytes(data)
    assert "checksum" in refusal(file)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "got an empty file"),
        (b"\x00\x01\x02 no checkpoint", "got no checkpoint"),
        (b"<!DOCTYPE html><html>Quota exceeded</html>", "got a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "got a Git LFS pointer"),
        (pickle.dumps({"a": 1}), "expected "),
        (pickle.dumps(tensors), "expected "),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, data: bytes, found: str):
    file = tmp_path / "model.pth"
    file.write_bytes(data)
    assert found in refusal(file)
    assert "expected " in refusal(file, stand_ins=OFFICIAL_CLASSES)


def test_a_missing_file_and_another_archive_are_refused(tmp_path: Path):
    assert refusal(tmp_path / "none.pth").endswith("none.pth: no such file")
    with zipfile.ZipFile(tmp_path / "other.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "expected a checkpoint, got" in refusal(tmp_path / "other.pth")
    (tmp_path / "bad.safetensors").write_bytes(b"\xff" * 100)
    assert "not readable as safetensors" in refusal(tmp_path / "bad.safetensors")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ([torch.ones(1)], ", got a list"),
        (torch.ones(2), "got a Tensor"),
        ({}, "got the keys none"),
        ({"epoch": 3, "best": 2.5, "history": []}, "got the keys epoch, best, ..."),
        ({"a": torch.ones(1), "epoch": 3}, "epoch: expected a plain tensor of real numbers, got int"),
        ({"a": torch.tensor([1.0, float("nan")])}, "a: expected finite values, got others"),
        ({"a": torch.tensor([1j])}, "a: expected a plain tensor of real numbers, got Tensor"),
        ({"a": torch.eye(3).to_sparse()}, "a: expected a plain tensor of real numbers, got Tensor"),
    ],
)
def test_content_that_is_no_weights_is_refused(tmp_path: Path, content: object, found: str):
    assert found in refusal(write(tmp_path / "model.pth", content))
