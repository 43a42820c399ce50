"""Pickled official files: the tensors come out, nothing of the file runs, and what does not fit is refused."""

import argparse
import pickle
import struct
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers.weights_samples import Malicious, beside, refusal, same, tensors, write
from torch import nn

from ncfl.common.errors import InputError
from ncfl.methods import OFFICIAL
from ncfl.methods.msbdn.model import MSBDN
from ncfl.weights import pickled as reader
from ncfl.weights.matching import match
from ncfl.weights.reading import read_weights

OFFICIAL_CLASSES = OFFICIAL["msbdn"].stand_ins

TINY = {"width": 2, "blocks": 1, "bottleneck": 1}


# What a file may want to run.
class Evaluating(Malicious):
    def __reduce__(self) -> tuple:
        return eval, (f"open({str(self.trace)!r}, 'w')",)


class Loading(Malicious):
    def __reduce__(self) -> tuple:
        return torch.load, (str(self.trace),)


ATTACKS = [Malicious, Evaluating, Loading]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("stand_ins", [(), OFFICIAL_CLASSES])
def test_what_a_file_wants_to_run_never_runs(tmp_path: Path, attack, zipped: bool, stand_ins):
    file = write(tmp_path / "model.pth", {"state_dict": tensors(), "x": attack(tmp_path / "ran")}, zipped=zipped)
    message = refusal(file, stand_ins=stand_ins)
    assert "expected tensors (a state_dict) saved by torch.save, got the Python object" in message
    assert "which is never loaded" in message
    assert not (tmp_path / "ran").exists()


def test_the_reason_names_the_object(tmp_path: Path):
    assert "the Python object argparse.Namespace," in refusal(
        write(tmp_path / "vnlnet.pth", {"args": argparse.Namespace(sigma=20)})
    )


@pytest.mark.parametrize("zipped", [True, False])
def test_a_named_class_beside_the_tensors_is_passed_over(tmp_path: Path, zipped: bool):
    content = {"model_state_dict": beside(tensors(), "module."), "args": argparse.Namespace(sigma=20, device="cuda")}
    file = write(tmp_path / "vnlnet.pth", content, zipped=zipped)
    same(read_weights(file, stand_ins=("argparse.Namespace",)), tensors())


@pytest.fixture
def foreign() -> Iterator[types.ModuleType]:
    """A module like the one that an official file refers to, there while the file is written."""
    module = types.ModuleType("networks.official")

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.half = nn.Linear(2, 2, bias=False).half()
            self.blocks = nn.Sequential(nn.Conv2d(4, 4, 1), nn.PReLU(), nn.BatchNorm2d(4))
            self.tied = self.conv
            self.nothing = None
            self.register_buffer("step", torch.tensor(3))

    Net.__module__, Net.__qualname__, Net.__name__ = "networks.official", "Net", "Net"
    module.Net = Net
    with pytest.MonkeyPatch.context() as there:
        there.setitem(sys.modules, "networks", types.ModuleType("networks"))
        there.setitem(sys.modules, "networks.official", module)
        yield module


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickled_network_gives_its_tensors_without_its_classes(tmp_path: Path, foreign, zipped, parallel):
    network = foreign.Net()
    expected = {name: x.float() if x.is_floating_point() else x for name, x in network.state_dict().items()}
    file = write(tmp_path / "model.pkl", nn.DataParallel(network) if parallel else network, zipped=zipped)
    del sys.modules["networks.official"], sys.modules["networks"]
    assert "networks.official.Net" in refusal(file) or parallel
    same(read_weights(file, stand_ins=OFFICIAL_CLASSES), expected)
    assert "networks" not in sys.modules
    assert "networks.official.Net" in refusal(file, stand_ins=("torch.nn.",))


def test_msbdn_s_official_form_loads_into_it(tmp_path: Path):
    torch.manual_seed(0)
    network = MSBDN(**TINY)
    file = write(tmp_path / "model.pkl", network, zipped=False)
    stand_ins = (*OFFICIAL_CLASSES, "ncfl.methods.msbdn.model.")
    same(match(read_weights(file, stand_ins=stand_ins), network, None, "msbdn"), network.state_dict())


def pickled(instructions: bytes, path: Path) -> Path:
    """A file of the form before 1.6 with these instructions."""
    head = b"".join(pickle.dumps(x, protocol=2) for x in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    path.write_bytes(head + instructions + pickle.dumps(["0"], protocol=2) + struct.pack("<q", 2) + bytes(8))
    return path


def instructions(size: bytes = b"K\x02", first: bytes = b"K\x00", stride: bytes = b"K\x01", key: bytes = b"0") -> bytes:
    """{'a': a tensor in part ``key``}, as torch.save says it."""
    storage = (
        b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00" + key + b"X\x03\x00\x00\x00cpuK\x02NtQ"
    )
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n" + storage + first + size + b"\x85" + stride + b"\x85"
    return b"\x80\x02}X\x01\x00\x00\x00a" + rebuild + b"\x89}tRs."


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"first": b"K\x01"}, "truncated or damaged"),  # beyond the part's end
        ({"size": b"J\x00\x00\x00\x40"}, "numbers"),  # 2^30 numbers out of two
        ({"stride": b"J\xff\xff\xff\xff"}, "truncated or damaged"),  # backward, before the beginning
        ({"key": b"1"}, "truncated or damaged"),  # a part that there is not
    ],
)
def test_tensors_that_reach_outside_of_the_file_are_refused(tmp_path: Path, changes, reason: str):
    # The trailing object keeps the file from being read as one of plain tensors.
    good = pickled(instructions()[:-1] + b"X\x01\x00\x00\x00b" + b"cnetworks\nNet\n)Rs.", tmp_path / "good.pkl")
    with pytest.raises(InputError, match=r"b: expected a plain tensor .*, got the Python object networks.Net"):
        read_weights(good, stand_ins=OFFICIAL_CLASSES)
    bad = instructions(**changes)[:-1] + b"X\x01\x00\x00\x00b" + b"cnetworks\nNet\n)Rs."
    assert reason in refusal(pickled(bad, tmp_path / "bad.pkl"), stand_ins=OFFICIAL_CLASSES)


def test_a_network_inside_itself_is_refused(tmp_path: Path, foreign):
    network = foreign.Net()
    network._modules["again"] = network
    file = write(tmp_path / "model.pkl", network)
    assert "truncated or damaged" in refusal(file, stand_ins=OFFICIAL_CLASSES)


def test_a_file_cannot_change_what_reads_the_next(tmp_path: Path):
    """Setting attributes on the classes that stand in stays within the file."""
    build = b"cnetworks\nNet\nN}X\x0a\x00\x00\x00__reduce__K\x01X\x04\x00\x00\x00pathK\x01u\x86b0"
    refusal(pickled(b"\x80\x02" + build + b"}.", tmp_path / "model.pkl"), stand_ins=OFFICIAL_CLASSES)
    same(read_weights(write(tmp_path / "good.pth", tensors())), tensors())
    assert reader.Inert.path == ""


@pytest.mark.parametrize("zipped", [True, False])
def test_a_truncated_pickled_network_is_refused(tmp_path: Path, foreign, zipped: bool):
    file = write(tmp_path / "model.pkl", foreign.Net(), zipped=zipped)
    data = file.read_bytes()
    for left in (0.1, 0.6, 0.99):
        file.write_bytes(data[: int(left * len(data))])
        refusal(file, stand_ins=OFFICIAL_CLASSES)
