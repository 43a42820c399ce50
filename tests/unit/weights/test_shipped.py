"""Weights that come with the program: found, checked, refused, loaded without the safetensors library."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.shipped_samples import TINY, described, export
from safetensors.torch import save, save_file
from torch import nn

from ncfl.common.errors import InputError
from ncfl.methods.fastdvdnet.model import FastDVDNet
from ncfl.models import variants
from ncfl.weights import shipped as pretrained
from ncfl.weights.shipped import find, shipped
from ncfl.weights.tensorfile import read_tensors

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def models() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"another": FastDVDNet(widths=(4, 6, 8), input_width=2), "small": variants.m_f(**TINY)}


@pytest.fixture
def here(tmp_path: Path, models: dict[str, nn.Module], monkeypatch: pytest.MonkeyPatch) -> Path:
    place = export(tmp_path / "pretrained", models, "small")
    monkeypatch.setattr(pretrained, "folder", lambda: place)
    monkeypatch.delenv("NCFL_WEIGHTS", raising=False)
    return place


def edit(place: Path, **changes: object) -> None:
    path = place / "index.json"
    content = json.loads(path.read_text())
    content["weights"]["small"] |= changes
    path.write_text(json.dumps(content))


# The format


def samples() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    kinds = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
    found = {f"float.{kind}": torch.randn(3, 2).to(kind) for kind in kinds}
    whole = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
    found |= {f"int.{kind}": torch.arange(5).to(kind) for kind in whole}
    return found | {"bool": torch.tensor([True, False, True]), "scalar": torch.tensor(2.5), "none": torch.empty(0, 4)}


def test_reads_what_the_library_wrote(tmp_path: Path):
    save_file(samples(), tmp_path / "a.safetensors", metadata={"made by": "the library"})
    found, about = read_tensors(tmp_path / "a.safetensors")
    assert about == {"made by": "the library"}
    assert set(found) == set(samples())
    for name, tensor in samples().items():
        assert found[name].dtype == tensor.dtype
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)
        found[name].zero_()  # its own memory, which may be written to


def test_reads_an_odd_header_whose_tensors_are_not_aligned(tmp_path: Path):
    data = save({"a": torch.arange(6.0).reshape(2, 3)})
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length].rstrip() + b" "
    header += b" " * (1 - len(header) % 2)
    odd = len(header).to_bytes(8, "little") + header + data[8 + length :]
    assert len(header) % 2 == 1
    (tmp_path / "a.safetensors").write_bytes(odd)
    found, _ = read_tensors(tmp_path / "a.safetensors")
    torch.testing.assert_close(found["a"], torch.arange(6.0).reshape(2, 3))


def made(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def entry(**changes: object) -> dict[str, object]:
    return {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "header too small"),
        (b"\x01\x02", "header too small"),
        (b"\xff" * 8, "header too large"),
        (made({"a": entry()}, bytes(8))[:20], "invalid header length"),
        (made(b"{nonsense"), "invalid JSON in header"),
        (made(b"\xff\xfe{"), "invalid UTF-8 in header"),
        (made(b"[" * 100_000), "invalid JSON in header"),
        (made([1, 2]), "invalid JSON in header"),
        (made({"a": 3}), "invalid type: integer"),
        (made({"a": entry(dtype="F3")}, bytes(8)), "unknown variant `F3`, expected one of"),
        (made({"a": entry(shape=[-2])}, bytes(8)), "invalid value: integer `-2`"),
        (made({"a": entry(shape=[2.0])}, bytes(8)), "invalid type: floating point"),
        (made({"a": entry(shape="2")}, bytes(8)), "invalid type: string"),
        (made({"a": entry(data_offsets=[0])}, bytes(8)), "invalid length 1, expected a tuple of size 2"),
        (made({"a": entry(data_offsets=[8, 0])}, bytes(8)), "invalid offset for tensor `a`"),
        (made({"a": entry(shape=[3])}, bytes(8)), "invalid shape, data type, or offset"),
        (made({"a": entry(shape=[10**30])}, bytes(8)), "invalid JSON in header|overflow"),
        (made({"a": entry()}, bytes(7)), "not fully covered"),
        (made({"a": entry()}, bytes(9)), "not fully covered"),
        (made({"a": entry(data_offsets=[4, 12])}, bytes(12)), "invalid offset for tensor `a`"),
        (made({"a": entry(), "b": entry()}, bytes(8)), "invalid offset for tensor `[ab]`"),
        (made({"__metadata__": {"a": 1}}), "invalid type: integer"),
        (made({"__metadata__": []}), "invalid type: sequence|not fully covered"),
    ],
)
def test_refuses_what_the_format_does_not_allow(data: bytes, found: str, tmp_path: Path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"a\.safetensors: not readable as safetensors: .*({found})") as error:
        read_tensors(path)
    assert "\n" not in str(error.value)


def test_refuses_a_missing_file(tmp_path: Path):
    with pytest.raises(InputError, match=r"none\.safetensors: not readable \(No such file"):
        read_tensors(tmp_path / "none.safetensors")


# The index and its files


def test_the_default_is_listed_first_and_found(here: Path):
    assert list(shipped()) == ["small", "another"]
    assert find() == find("small") == shipped()["small"]
    assert find("another").sigma == (0, 55)
    assert (find().default, find("another").default) == (True, False)


def test_the_environment_names_another(here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NCFL_WEIGHTS", "another")
    assert find().name == "another"
    assert find("small").name == "small"
    monkeypatch.setenv("NCFL_WEIGHTS", str(here / "small.safetensors"))
    assert find().name == "small"


def test_loads_the_network_in_float32(here: Path, models: dict[str, nn.Module]):
    for name, model in models.items():
        loaded = find(name).load()
        assert type(loaded) is type(model)
        assert not loaded.training
        for key, tensor in loaded.state_dict().items():
            expected = model.state_dict()[key]
            assert tensor.dtype == expected.dtype
            torch.testing.assert_close(tensor, expected.half().to(expected.dtype), rtol=0, atol=0)
        assert find(name).parameters() == sum(p.numel() for p in model.parameters())


def test_a_file_of_ones_own_is_described_by_the_index_beside_it(
    here: Path, tmp_path: Path, models: dict[str, nn.Module]
):
    own = export(tmp_path / "mine", {"other-name": models["small"]}, "other-name")
    weights = find(str(own / "other-name.safetensors"))
    assert (weights.name, weights.path) == ("other-name", own / "other-name.safetensors")
    weights.load()
    (own / "stray.safetensors").write_bytes(b"")
    for name, found in {
        "stray.safetensors": "expected weights that .*index.json describes, got others",
        "none.safetensors": "none.safetensors: no such file",
        "checkpoint.pt": r"checkpoint\.pt: expected a file that ends in \.safetensors; .*--checkpoint",
    }.items():
        with pytest.raises(InputError, match=found):
            find(str(own / name))
    (own / "index.json").unlink()
    with pytest.raises(InputError, match=r"no index\.json beside it"):
        find(str(own / "other-name.safetensors"))


def test_an_unknown_name_lists_the_known(here: Path):
    with pytest.raises(InputError, match=r"expected small, another or a file ending in .safetensors, got 'smal'"):
        find("smal")


def test_without_weights_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pretrained, "folder", lambda: None)
    monkeypatch.delenv("NCFL_WEIGHTS", raising=False)
    assert shipped() == {}
    for given in (None, "small"):
        with pytest.raises(InputError, match=r"no weights come with this copy .*--checkpoint, --method or --weights"):
            find(given)


def test_a_file_that_is_not_the_one_described_is_never_loaded(here: Path):
    path = here / "small.safetensors"
    whole = path.read_bytes()
    flipped = whole[:-1] + bytes([whole[-1] ^ 1])
    for data, found in (
        (whole[:-10], f"truncated: expected {len(whole)} bytes, got {len(whole) - 10}"),
        (whole + b"more", f"expected {len(whole)} bytes, got {len(whole) + 4}"),
        (
            flipped,
            f"damaged: expected SHA-256 {hashlib.sha256(whole).hexdigest()}, got {hashlib.sha256(flipped).hexdigest()}",
        ),
    ):
        path.write_bytes(data)
        with pytest.raises(InputError, match=re.escape(f"{path}: {found}")):
            find().load()
    path.unlink()
    with pytest.raises(InputError, match=r"small\.safetensors: no such file, and the index names it"):
        find().load()


def test_weights_that_do_not_fit_or_are_not_finite(here: Path, models: dict[str, nn.Module]):
    path = here / "small.safetensors"
    state = {k: v.half().contiguous() for k, v in models["small"].state_dict().items()}
    name = next(iter(state))
    for changed, found in (
        (
            {k: v for k, v in state.items() if k != name},
            f"expected weights that fit NCFL, got others (1 missing: {name})",
        ),
        (state | {"foreign": torch.ones(1)}, "foreign"),
        (state | {name: torch.full_like(state[name], torch.inf)}, f"{name}: expected finite values, got others"),
    ):
        save_file(changed, path)
        edit(here, **described(here, path))
        with pytest.raises(InputError, match=re.escape(found)):
            find().load()


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"kind": "unheard of"}, "no model of kind 'unheard of' can be built"),
        ({"arguments": {"unet_width": 3}}, "no model of kind 'ncfl' can be built"),
        ({"arguments": {"mv": "unheard of"}}, "no model of kind 'ncfl' can be built"),
    ],
)
def test_networks_that_there_are_not(here: Path, changes: dict[str, object], found: str):
    edit(here, **changes)
    for act in (find().load, find().parameters):
        with pytest.raises(InputError, match=found) as error:
            act()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"file": None}, "file: expected a value of type str, got None"),
        ({"file": "../small.safetensors"}, "file: expected a name beside the index, got '../small.safetensors'"),
        ({"bytes": "12"}, "bytes: expected a value of type int, got '12'"),
        ({"arguments": []}, r"arguments: expected a value of type dict, got \[\]"),
        ({"gray_from": 300}, r"gray_from: expected a noise level in 0..255, or none, got 300"),
        ({"gray_from": "20"}, r"gray_from: expected a noise level in 0..255, or none, got '20'"),
        ({"whiteness_below": 0}, r"whiteness_below: expected a number above 0, up to 2, or none, got 0"),
        ({"whiteness_below": [1]}, r"whiteness_below: expected a number above 0, up to 2, or none, got \[1\]"),
        ({"sigma": [1]}, r"sigma: expected the least and the greatest level, got \[1\]"),
        ({"sigma": ["a", "b"]}, r"sigma: expected the least and the greatest level, got \['a', 'b'\]"),
    ],
)
def test_a_damaged_entry(here: Path, changes: dict[str, object], found: str):
    edit(here, **changes)
    with pytest.raises(InputError, match=rf"index\.json: weights 'small': {found}"):
        shipped()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"default": "a", "weights": {}}', '{"default": "a", "weights": []}', '{"weights": {"a": {}}}'],
)
def test_a_damaged_index(here: Path, text: str):
    (here / "index.json").write_text(text)
    with pytest.raises(InputError, match=r"index\.json: (damaged|not readable)"):
        shipped()


def test_an_entry_that_is_no_object(here: Path):
    (here / "index.json").write_text('{"default": "a", "weights": {"a": 3}}')
    with pytest.raises(InputError, match=r"weights 'a': expected an object with file, bytes, sha256, .*, got a int"):
        shipped()


def test_found_beside_the_package_or_where_an_installation_puts_it(
    tmp_path: Path, models: dict[str, nn.Module], monkeypatch: pytest.MonkeyPatch
):
    data = tmp_path / "prefix"
    monkeypatch.setattr(pretrained, "__file__", str(tmp_path / "site" / "ncfl" / "weights" / "shipped.py"))
    monkeypatch.setattr(pretrained.sysconfig, "get_path", lambda *_: str(data))
    assert pretrained.folder() is None
    installed = export(data / "share/ncfl/pretrained", models, "small")
    assert pretrained.folder() == installed
    beside = export(tmp_path / "site" / "pretrained", models, "small")
    assert pretrained.folder() == beside


def test_the_core_alone_loads_them(here: Path):
    code = f"""
import sys, importlib.abc
class Only(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("mlflow", "pydantic", "yaml", "typer", "tqdm", "av", "scipy"):
            raise ImportError(f"{{name}} is not part of the core")
sys.meta_path.insert(0, Only())
import ncfl.restoring.streaming, ncfl.restoring.noise
from ncfl.weights.shipped import find
print(find({str(here / "small.safetensors")!r}).load().kind)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("ncfl\n", 0), done.stderr
