"""``ncfl export`` and ``ncfl restore --backend onnxruntime``, as typed."""

import cv2
import numpy as np
import pytest
from helpers.command_line import within
from helpers.data_samples import film, pictures
from helpers.shipped_samples import TINY

from ncfl.common.errors import InputError
from ncfl.models import variants
from ncfl.steps.exporting import export
from ncfl.steps.restoring import restore
from ncfl.weights import checkpoint as checkpoints


@pytest.fixture
def trained(tmp_path):
    path = tmp_path / "tiny" / "stage2" / "checkpoint.pt"
    path.parent.mkdir(parents=True)
    checkpoints.save(path, model=variants.m_f(**TINY), extra={"stage": "stage2"})
    return path


def test_restores_with_what_it_exported(trained, tmp_path):
    frames = pictures(tmp_path / "in", film(3, 32, 48))
    exported = export(tmp_path / "tiny.onnx", form="onnx", weights=None, checkpoint=trained, overwrite=False)
    restore(frames, tmp_path / "torch", checkpoint=trained)
    restore(frames, tmp_path / "onnx", weights=str(exported), backend="onnxruntime")
    for path in sorted((tmp_path / "torch").iterdir()):
        ours, theirs = (cv2.imread(str(p)).astype(int) for p in (path, tmp_path / "onnx" / path.name))
        assert np.abs(ours - theirs).max() <= 1  # 1e-4 apart may round to neighbours


def test_refusals(trained, tmp_path):
    here = tmp_path / "a.onnx"
    here.write_bytes(b"mine")
    with pytest.raises(InputError, match="exists already"):
        export(here, form="onnx", weights=None, checkpoint=trained, overwrite=False)
    with pytest.raises(InputError, match="expected onnx or torch, got 'tflite'"):
        export(tmp_path / "b.onnx", form="tflite", weights=None, checkpoint=trained, overwrite=False)
    with pytest.raises(InputError, match="got both"):
        export(tmp_path / "b.onnx", form="onnx", weights="ncfl-half", checkpoint=trained, overwrite=False)
    assert here.read_bytes() == b"mine"
    for backend, weights in (("onnxruntime", None), ("torch", str(here))):
        with pytest.raises(InputError, match="expected --backend onnxruntime with --weights FILE"):
            restore(tmp_path / "in", tmp_path / "out", weights=weights, backend=backend)
    with pytest.raises(InputError, match="expected torch or onnxruntime, got 'tvm'"):
        restore(tmp_path / "in", tmp_path / "out", backend="tvm")


def test_the_verb_is_there(tmp_path):
    done = within("export", "a.txt", cwd=tmp_path)
    assert done.returncode == 2
    assert "expected a name that ends in .onnx" in done.stderr
