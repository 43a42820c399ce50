"""Checkpoints: what goes in comes out, equal content is equal bytes, the rest is refused in one line."""

import errno
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.train_samples import tiny
from torch import nn

from ncfl.common.errors import InputError
from ncfl.models.ncfl import FeatureCodec
from ncfl.weights import checkpoint
from ncfl.weights.checkpoint import FORMAT, load, load_model, save

EXTRA = {"stage": "stage1", "numbers": {"betas": (0.9, 0.999), "clip": None, "on": True, "names": ["a", "b"]}}


@pytest.fixture
def codec():
    torch.manual_seed(0)
    return FeatureCodec(feature_width=4, latent_width=4)


@pytest.fixture
def file(tmp_path):
    save(tmp_path / "checkpoint.pt", model=tiny(), extra=EXTRA)
    return tmp_path / "checkpoint.pt"


def forge(path: Path, **changes: object) -> Path:
    content = {"format": FORMAT, "version": 1, "kind": "codec", "arguments": {}, "state": {}, "extra": {}}
    torch.save({**content, "continuation": None, **changes}, path)
    return path


def test_round_trip(tmp_path):
    model = tiny()
    save(
        tmp_path / "a.pt",
        model=model,
        extra=EXTRA,
        continuation={"moments": {0: {"step": torch.tensor(3.0)}}},
    )
    found = load(tmp_path / "a.pt")
    assert (found.kind, found.arguments, found.extra) == ("tiny", model.arguments, EXTRA)
    assert list(found.state) == list(model.state_dict())
    assert all(torch.equal(found.state[name], value) for name, value in model.state_dict().items())
    assert found.continuation["moments"][0]["step"] == 3.0
    assert found.path == tmp_path / "a.pt"


def test_rebuilds_the_model_alone(codec, tmp_path):
    save(tmp_path / "codec.pt", model=codec, extra={})
    model = load_model(tmp_path / "codec.pt")
    frame = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    assert not model.training
    assert model.arguments == codec.arguments
    with torch.no_grad():
        assert torch.equal(model(frame).y_tilde, codec.eval()(frame).y_tilde)


def test_weights_are_saved_as_plain_float32(tmp_path):
    model = tiny().to(torch.float64).to(memory_format=torch.channels_last)
    compiled = nn.Module()
    compiled._orig_mod = model  # how torch.compile wraps a model
    save(tmp_path / "a.pt", model=compiled, extra={})
    state = load(tmp_path / "a.pt").state
    assert list(state) == list(model.state_dict())
    assert all(value.dtype == torch.float32 and value.is_contiguous() for value in state.values())


def test_equal_content_is_equal_bytes(tmp_path):
    model = tiny()
    save(tmp_path / "a.pt", model=model, extra=EXTRA)
    other = tiny(seed=5).to(memory_format=torch.channels_last)
    other.load_state_dict(model.state_dict())
    # Equal to EXTRA, but made of other objects, of which some occur twice.
    stage = "".join(["sta", "ge1"])
    extra = pickle.loads(pickle.dumps({**EXTRA, "stage": stage}))
    extra["numbers"]["betas"] = (np.float64(0.9), 0.999)
    save(tmp_path / "some" / "where" / "else.pt", model=other, extra=extra)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "some/where/else.pt").read_bytes()


def test_other_content_is_other_bytes(tmp_path):
    save(tmp_path / "a.pt", model=tiny(), extra=EXTRA)
    save(tmp_path / "b.pt", model=tiny(seed=1), extra=EXTRA)
    save(tmp_path / "c.pt", model=tiny(), extra={**EXTRA, "stage": "stage2"})
    assert len({(tmp_path / name).read_bytes() for name in ("a.pt", "b.pt", "c.pt")}) == 3


def test_a_view_takes_no_more_room_than_it_shows(tmp_path):
    checkpoint.write(tmp_path / "a.pt", {"part": torch.zeros(100_000)[:10]})
    assert (tmp_path / "a.pt").stat().st_size < 10_000


def test_refuses_to_save_objects(tmp_path):
    with pytest.raises(TypeError, match="plain data, not PosixPath"):
        save(tmp_path / "a.pt", model=tiny(), extra={"path": Path("x")})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_the_old_file(file):
    before = file.read_bytes()
    with pytest.raises(TypeError):
        save(file, model=tiny(seed=1), extra={"object": object()})
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_full_disk_is_named_and_leaves_the_old_file(file, monkeypatch):
    given = []

    def full(self, data):
        given.append(data)
        raise OSError(errno.ENOSPC, "No space left on device")

    before = file.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(InputError, match="no space left"):
            save(file, model=tiny(seed=1), extra={})
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]
    with pytest.raises(ValueError, match="released"):  # else Python 3.12.1 ends when it collects the error
        given[0].tobytes()


def refused(path: Path, reading=load) -> str:
    with pytest.raises(InputError) as caught:
        reading(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_refuses_a_missing_file(tmp_path):
    assert "no such file" in refused(tmp_path / "a.pt")
    assert "not a file" in refused(tmp_path)


def test_refuses_an_empty_file(tmp_path):
    (tmp_path / "a.pt").touch()
    assert "empty file" in refused(tmp_path / "a.pt")


@pytest.mark.parametrize("part", [0.05, 0.5, 0.99])
def test_refuses_a_truncated_file(file, part):
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * part)])
    assert "truncated or damaged" in refused(file)


def test_refuses_a_flipped_bit_in_the_weights(file):
    data = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        weights = archive.getinfo("archive/data/0")
    data[weights.header_offset + 200] ^= 1
    file.write_bytes(data)
    assert "damaged" in refused(file)


@pytest.mark.parametrize("content", [b"not a checkpoint\n", b"\x89PNG\r\n" + bytes(100), b"PK", bytes(1000)])
def test_refuses_what_is_no_checkpoint(tmp_path, content):
    (tmp_path / "a.pt").write_bytes(content)
    assert "checkpoint" in refused(tmp_path / "a.pt")


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("touched-by-a-checkpoint"),))


def test_runs_no_code_from_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"format": FORMAT, "state": Evil()}, tmp_path / "a.pt")
    assert "which is never loaded" in refused(tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(pickle.dumps(Evil(), protocol=2))
    refused(tmp_path / "b.pt")
    assert not (tmp_path / "touched-by-a-checkpoint").exists()


def test_refuses_a_foreign_state_dict_and_says_what_it_has(tmp_path):
    torch.save({f"layer{i}.weight": torch.zeros(1) for i in range(5)}, tmp_path / "a.pt")
    assert "5 keys (layer0.weight, layer1.weight, layer2.weight, ...)" in refused(tmp_path / "a.pt")
    torch.save(torch.zeros(3), tmp_path / "b.pt")
    assert "got a Tensor" in refused(tmp_path / "b.pt")


def test_refuses_another_version_and_missing_parts(tmp_path):
    assert "expected checkpoint version 1, got 2" in refused(forge(tmp_path / "a.pt", version=2))
    assert "it is a damaged checkpoint, whose 'arguments' is missing or of another kind; get it again" in refused(
        forge(tmp_path / "b.pt", arguments=[1])
    )


def test_refuses_an_unknown_kind(file, tmp_path):
    assert "kind 'tiny'" in refused(file, load_model)


def test_refuses_arguments_that_do_not_fit(tmp_path):
    assert "kind 'codec'" in refused(forge(tmp_path / "a.pt", arguments={"colour": 3}), load_model)


def test_refuses_weights_that_do_not_fit(codec, tmp_path):
    state = dict(codec.state_dict())
    name, value = next(iter(state.items()))
    shape = tuple(value.shape)

    def attempt(changed):
        forged = forge(tmp_path / "a.pt", arguments=codec.arguments, state=changed)
        return refused(forged, load_model)

    beginning = "expected weights that fit FeatureCodec, got others "
    assert f"{beginning}(1 missing: {name})" in attempt({k: v for k, v in state.items() if k != name})
    wrong = (*shape[:-1], shape[-1] + 1)
    found = f"(1 of another shape: {name}: expected {list(shape)}, got {list(wrong)})"
    assert beginning + found in attempt({**state, name: torch.zeros(wrong)})
    assert f"{beginning}(1 unknown: more)" in attempt({**state, "more": value})
    assert f"{beginning}(1 of another shape: {name}: expected {list(shape)}, got str)" in attempt(
        {**state, name: "text"}
    )
