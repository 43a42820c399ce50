"""The exported step: what other runtimes compute is what PyTorch computes, for any size and along a clip."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.shipped_samples import TINY

from ncfl.common.errors import InputError
from ncfl.export.onnx_method import OnnxMethod
from ncfl.export.recurrent_step import RecurrentStep, export_step
from ncfl.methods.interface import stream
from ncfl.methods.ncfl.method import NCFLMethod
from ncfl.models import variants


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    network = variants.m_f(**TINY)
    # Away from the start, at which motion and compression are the identity.
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return network.eval()


@pytest.fixture(scope="module")
def onnx_file(network, tmp_path_factory) -> Path:
    return export_step(network, tmp_path_factory.mktemp("onnx") / "tiny.onnx", name="tiny", form="onnx")


def clip(height: int, width: int, count: int = 4) -> list[torch.Tensor]:
    """Smooth frames that drift by a pixel, with some noise."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    generator = torch.Generator().manual_seed(height)
    waves = [torch.stack([torch.sin((x + t) / 5 + c) * torch.cos(y / 7) for c in range(3)]) for t in range(count)]
    return [(0.5 + 0.3 * wave + 0.05 * torch.randn(wave.shape, generator=generator)).float()[None] for wave in waves]


@pytest.mark.parametrize("size", [(16, 16), (33, 50), (96, 64)])
def test_onnx_runtime_restores_a_clip_as_pytorch_does(network, onnx_file, size):
    frames = clip(*size)
    with torch.no_grad():
        expected = list(stream(NCFLMethod(network, name="tiny"), frames))
    found = list(stream(OnnxMethod(onnx_file, threads=1), frames))
    assert [frame.shape for frame in found] == [frame.shape for frame in frames]
    for ours, theirs in zip(expected, found, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)


def test_the_first_frame_as_its_own_past_is_a_first_frame(network):
    frame = clip(32, 48, 1)[0]
    with torch.no_grad():
        expected = network(frame)
        restored, features = RecurrentStep(network)(frame, frame, torch.zeros(1, network.feature_width, 32, 48))
    assert torch.allclose(restored, expected.y_tilde, atol=1e-6)
    assert torch.allclose(features, expected.state.c_t, atol=1e-6)


def test_the_program_of_torch_export_takes_other_sizes(network, tmp_path):
    path = export_step(network, tmp_path / "tiny.pt2", name="tiny", form="torch")
    extra = {"ncfl.json": ""}
    program = torch.export.load(path, extra_files=extra).module()
    assert json.loads(extra["ncfl.json"])["multiple"] == network.multiple
    side = 5 * network.multiple
    frame, previous, features = (torch.rand(1, n, side, side) for n in (3, 3, network.feature_width))
    with torch.no_grad():
        for ours, theirs in zip(
            RecurrentStep(network)(frame, previous, features), program(frame, previous, features), strict=True
        ):
            assert torch.allclose(ours, theirs, atol=1e-5)


def test_refuses_what_has_no_step_and_other_suffixes(network, tmp_path):
    with pytest.raises(InputError, match="expected an NCFL network, got Conv2d"):
        export_step(torch.nn.Conv2d(3, 3, 1), tmp_path / "a.onnx", name="a", form="onnx")
    with pytest.raises(InputError, match=r"expected a name that ends in \.onnx"):
        export_step(network, tmp_path / "a.pt", name="a", form="onnx")
    assert list(tmp_path.iterdir()) == []


def test_refuses_files_of_others(onnx_file, tmp_path):
    import onnx

    with pytest.raises(InputError, match="no such file"):
        OnnxMethod(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_bytes(b"no program")
    with pytest.raises(InputError, match="can't read it"):
        OnnxMethod(tmp_path / "text.onnx")
    (tmp_path / "cut.onnx").write_bytes(onnx_file.read_bytes()[:2000])
    with pytest.raises(InputError, match="can't read it"):
        OnnxMethod(tmp_path / "cut.onnx")
    model = onnx.load(onnx_file)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(InputError, match="got another ONNX program"):
        OnnxMethod(tmp_path / "other.onnx")


def test_a_change_of_size_within_a_clip_is_refused(onnx_file):
    frames = [clip(32, 32, 1)[0], clip(48, 32, 1)[0]]
    with pytest.raises(InputError, match=r"frame: expected shape \[1, 3, 32, 32\], .*, got \[1, 3, 48, 32\]"):
        list(stream(OnnxMethod(onnx_file, threads=1), frames))
    assert np.isfinite(next(stream(OnnxMethod(onnx_file, threads=1), frames[:1])).numpy()).all()
