"""Official weights, from files as their authors save them to a method that restores."""

import argparse
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.command_line import ncfl, within
from helpers.data_samples import film, pictures

from ncfl.common.errors import InputError
from ncfl.methods import OFFICIAL
from ncfl.methods.dvdnet.model import DVDNet
from ncfl.methods.fastdvdnet.model import FastDVDNet
from ncfl.methods.interface import stream
from ncfl.methods.learned import other_level, unused
from ncfl.methods.rmfd.model import NETWORKS as PARTS
from ncfl.methods.vnlnet.model import vnlnet_gray
from ncfl.steps.importing import import_weights
from ncfl.steps.restoring import choose
from ncfl.weights.imported import load
from ncfl.weights.official import from_file, level_of, official, read_official, with_weights


@pytest.fixture(scope="module")
def fast() -> FastDVDNet:
    torch.manual_seed(3)
    return FastDVDNet().eval()


@pytest.fixture
def file(fast, tmp_path) -> Path:
    """As m-tassano/fastdvdnet saves it: a plain state dict of a network in DataParallel."""
    path = tmp_path / "model.pth"
    torch.save(OrderedDict((f"module.{name}", tensor) for name, tensor in fast.state_dict().items()), path)
    return path


def test_every_name_and_value_arrives(fast, file):
    state = read_official("fastdvdnet", [file])
    own = fast.state_dict()
    assert list(state) == list(own)
    assert all(torch.equal(state[name], own[name]) for name in own)


def test_the_method_gives_what_the_network_gives(fast, file):
    method = with_weights("fastdvdnet", read_official("fastdvdnet", [file]))
    frames = [torch.from_numpy(f).permute(2, 0, 1)[None].float() / 255 for f in film(5, 32, 40)]
    restored = list(stream(type(method)(method.model, fold=False), frames, 25.0))
    folded = list(stream(method, frames, 25.0))
    with torch.inference_mode():
        middle = fast.restore_clip(torch.stack(frames, 1), torch.tensor([25.0]))[:, 0]
    assert torch.allclose(restored[2], middle, atol=1e-6)
    assert torch.allclose(folded[2], middle, atol=1e-5)  # normalization folded into convolutions rounds elsewhere


def test_two_files_of_one_method(tmp_path):
    network = DVDNet()
    for part, name in (("spatial", "model_spatial.pth"), ("temporal", "model_temp.pth")):
        state = {key.removeprefix(f"{part}."): v for key, v in network.state_dict().items() if key.startswith(part)}
        torch.save({f"module.{key}": value for key, value in state.items()}, tmp_path / name)
    files = [tmp_path / "model_spatial.pth", tmp_path / "model_temp.pth"]
    state = read_official("dvdnet", files)
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    with pytest.raises(InputError, match=r"dvdnet: expected model_spatial\.pth and model_temp\.pth, got 1 files"):
        read_official("dvdnet", files[:1])
    with pytest.raises(InputError, match=r"expected weights that fit dvdnet, got others .* missing"):
        read_official("dvdnet", [files[0], files[0]])


def test_a_file_with_the_options_of_its_training(tmp_path):
    network = vnlnet_gray()
    path = tmp_path / "vnlnet_gray_20.pth"
    torch.save({"args": argparse.Namespace(sigma=20), "model_state_dict": network.state_dict()}, path)
    state = read_official("vnlnet-gray", [path])
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())


@pytest.fixture
def vnlnet_gray_20(tmp_path, monkeypatch) -> Path:
    """The gray VNLnet for sigma 20, imported into a project."""
    monkeypatch.chdir(tmp_path)
    torch.save({"model_state_dict": vnlnet_gray().state_dict()}, "vnlnet_gray_20.pth")
    return import_weights("vnlnet-gray", [Path("vnlnet_gray_20.pth")])


def test_weights_for_one_noise_level_say_so(vnlnet_gray_20, fast):
    method = from_file("vnlnet-gray", vnlnet_gray_20)
    assert method.level == 20
    assert unused(method, 50) == "the weights of vnlnet-gray are for sigma 20 alone"
    assert unused(method, 20) == "the weights of vnlnet-gray are for that level"
    assert other_level(method, 20) is None
    assert level_of("fastdvdnet", "model_20.pth") is level_of("vnlnet-color", "mine.pth") is None


def test_a_method_is_told_under_which_name_its_weights_were_imported(vnlnet_gray_20):
    with pytest.raises(InputError, match=r"^method vnlnet: no trained .* official weights are: --method vnlnet-gray$"):
        choose(method="vnlnet")


def test_layers_in_arrays(tmp_path):
    network = official("spynet").format().build()
    for name, tensor in network.state_dict().items():
        if name.startswith("basic_module"):
            _, level, _, layer, kind = name.split(".")
            file = tmp_path / f"modelL{int(level) + 1}_F-{int(layer) // 2 + 1}-{kind}.npy"
            np.save(file, tensor.numpy())
    state = read_official("spynet", [tmp_path])
    assert sum(tensor.numel() for name, tensor in state.items() if "basic_module" in name) == 1_440_300


def test_weights_of_another_method(file):
    with pytest.raises(InputError, match="dvdnet: weights without conv_relu_bn"):
        read_official("dvdnet", [file, file])
    with pytest.raises(InputError, match=r"weights that fit spynet, got others .*; they fit fastdvdnet"):
        read_official("spynet", [file])


each_method = pytest.mark.parametrize("name", OFFICIAL)
SUFFIX = {"j4rnet": ".caffemodel"}


def files_of(name: str, folder: Path, content: object) -> list[Path]:
    """As many files as the method has, each with the same content."""
    files = [folder / f"{i}{SUFFIX.get(name, '.pth')}" for i in range(len(OFFICIAL[name].files))]
    for file in files:
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            torch.save(content, file)
    return files


def refusal(name: str, files: list[Path]) -> str:
    with pytest.raises(InputError) as error:
        read_official(name, files)
    assert "\n" not in str(error.value)
    assert str(files[0]) in str(error.value) or name in str(error.value)
    return str(error.value)


@each_method
def test_tensors_of_another_network_are_refused(name: str, tmp_path):
    said = refusal(name, files_of(name, tmp_path, {"layer1.weight": torch.ones(3), "layer1.bias": torch.ones(3)}))
    assert "expected" in said or "do not fit" in said
    assert "layer1.weight" in said or name in ("dvdnet", "j4rnet")  # which say what they look for in its place


@each_method
def test_a_file_with_a_python_class_is_refused(name: str, tmp_path, capsys):
    files_of_evil = files_of(name, tmp_path, {"state_dict": Evil(), **dict.fromkeys(PARTS, Evil())})
    said = refusal(name, files_of_evil)
    assert "print, which is never loaded" in said or name == "j4rnet"  # whose format knows no classes
    assert "run" not in capsys.readouterr().out


@each_method
@pytest.mark.parametrize("length", [0, 40, 700])
def test_a_truncated_file_is_refused(name: str, length: int, tmp_path):
    torch.save({"layer1.weight": torch.ones(30, 30)}, tmp_path / "whole")
    said = refusal(name, files_of(name, tmp_path, (tmp_path / "whole").read_bytes()[:length]))
    assert "expected" in said


@each_method
def test_a_missing_file_is_refused(name: str, tmp_path):
    files = [tmp_path / "none"] * len(OFFICIAL[name].files)
    assert "o such file" in refusal(name, files)


NARROW = {
    "fastdvdnet": {"widths": (4, 6, 8)},
    "dvdnet": {"width": 4},
    "vnlnet-gray": {"width": 4},
    "vnlnet-color": {"width": 4},
    "edvr": {"width": 8},
    "edvr-x4": {"width": 8},
    "basicvsr-x4": {"width": 8},
    "basicvsrpp": {"width": 16},
    "basicvsrpp-x4": {"width": 16},
    "msbdn": {"width": 2},
    "j4rnet": {"width": 4},
    "rmfd": {"width": 2},
    "spynet": {"width": 0.125},
}


def as_published(name: str, state: dict[str, torch.Tensor], folder: Path) -> list[Path]:
    """Files of a state with this project's names, in the form that the method's authors save."""
    if name == "dvdnet":
        parts = ("spatial", "temporal")
    elif name == "rmfd":
        torch.save({part: under(state, part) for part in PARTS} | {"optimizer": {}}, folder / "model_epoch_9.pth")
        return [folder / "model_epoch_9.pth"]
    else:
        return files_of(name, folder, state)
    for part in parts:
        torch.save(under(state, part), folder / f"{part}.pth")
    return [folder / f"{part}.pth" for part in parts]


def under(state: dict[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(f"{part}."): value for key, value in state.items() if key.startswith(f"{part}.")}


@pytest.mark.parametrize("name", [name for name in OFFICIAL if name != "j4rnet"])
def test_weights_of_another_width_are_refused(name: str, tmp_path):
    network = OFFICIAL[name].format().build(**NARROW[name])
    said = refusal(name, as_published(name, network.state_dict(), tmp_path))
    assert f"expected weights that fit {name}, got others (" in said
    assert "of another shape: " in said
    assert " missing" not in said
    assert " unknown" not in said


def test_rmfd_from_its_checkpoint(tmp_path):
    torch.manual_seed(0)
    state = OFFICIAL["rmfd"].format().build().state_dict()
    found = read_official("rmfd", as_published("rmfd", state, tmp_path))
    assert list(found) == list(state)
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())
    method = with_weights("rmfd", found)
    frames = [torch.from_numpy(f).permute(2, 0, 1)[None].float() / 255 for f in film(2, 16, 20)]
    assert [frame.shape for frame in stream(method, frames)] == [(1, 3, 16, 20)] * 2


class Evil:
    def __reduce__(self):
        return print, ("run",)


def test_a_cut_file(file):
    file.write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(InputError, match="truncated or damaged"):
        read_official("fastdvdnet", [file])


def test_an_unknown_method():
    with pytest.raises(InputError, match=r"expected one with official weights .vnlnet-gray, .*, got fastdvdnat"):
        official("fastdvdnat")


def test_a_network_for_super_resolution_restores_nothing():
    with pytest.raises(InputError, match=r"one that restores frames by itself .vnlnet-gray.*, got basicvsr-x4"):
        with_weights("basicvsr-x4", {})


def test_every_entry_says_what_it_needs():
    for name, spec in OFFICIAL.items():
        assert spec.files, name
        assert spec.source, name
        assert spec.licence, name


# The command line


def test_import_then_restore(file, fast, tmp_path):
    pictures(tmp_path / "in", film(3, 32, 40))
    refused = within("restore", "in", "out", "--method", "fastdvdnet", "--sigma", "20", cwd=tmp_path)
    assert refused.returncode == 2
    assert "fastdvdnet.safetensors: no such file; get model.pth from m-tassano/fastdvdnet" in refused.stderr
    done = ncfl("import-weights", "fastdvdnet", file, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    state, about = load(tmp_path / "data/weights/fastdvdnet.safetensors")
    assert (about["origin"], about["method"]) == ("model.pth", "fastdvdnet")
    assert all(torch.equal(state[name], value) for name, value in fast.state_dict().items())
    done = within("restore", "in", "out", "--method", "fastdvdnet", "--sigma", "20", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").glob("*.png"))) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--method", "median"), "method: expected one of ms-csc, se, fastderain"),
        (("--method", "fastderain", "--checkpoint", "x"), "or none of them, got --checkpoint and --method"),
    ],
)
def test_refusals_of_restore(arguments, said, tmp_path):
    pictures(tmp_path / "in", film(2, 32, 40))
    done = within("restore", "in", "out", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_classical_method_restores(tmp_path):
    pictures(tmp_path / "in", film(4, 32, 40))
    done = within("restore", "in", "out", "--method", "fastderain", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").glob("*.png"))) == 4
