"""The embedded photographs: there, disjoint, read without network, refused in one clear line."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from ncfl.common.errors import InputError
from ncfl.data.synthetic import photographs
from ncfl.data.synthetic.outlines import OUTLINES


def test_train_and_test_share_nothing():
    assert not set(photographs.TRAIN_PHOTOGRAPHS) & set(photographs.TEST_PHOTOGRAPHS)
    files = [photographs.path(n) for n in photographs.TRAIN_PHOTOGRAPHS + photographs.TEST_PHOTOGRAPHS]
    assert len(set(files)) == len(files)
    assert not any("motorcycle_right" in file.name for file in files)  # the other half of a stereo pair


def test_all_load_in_order_as_rgb():
    names = sorted(photographs.FILES, reverse=True)
    shots = photographs.load(names)
    assert list(shots) == names
    for shot in shots.values():
        assert shot.dtype == np.uint8
        assert shot.ndim == 3
        assert shot.shape[2] == 3
        assert min(shot.shape[:2]) >= 300
        assert not shot.flags.writeable


def test_agrees_with_another_decoder():
    from PIL import Image

    for name in ("astronaut", "coffee", "china"):
        (shot,) = photographs.load([name]).values()
        other = np.asarray(Image.open(photographs.path(name)).convert("RGB"))
        # PNG is exact; two JPEG decoders may round differently.
        assert np.abs(shot.astype(int) - other).mean() < (2 if name == "china" else 1e-9)


def test_neither_package_nor_pooch_is_imported():
    code = (
        "import sys; from ncfl.data.synthetic import photographs as p; p.load(p.FILES);"
        "print([m for m in ('skimage', 'sklearn', 'pooch', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_outlines_lie_in_their_photographs():
    for name, outlines in OUTLINES.items():
        height, width = photographs.load([name])[name].shape[:2]
        for outline in outlines:
            corners = np.array(outline)
            assert (corners >= 0).all()
            assert (corners < (width, height)).all()


def test_unknown_name():
    with pytest.raises(InputError, match=r"photograph: expected one of astronaut, .*, got 'lena'"):
        photographs.load(["lena"])


def test_package_that_is_not_installed(monkeypatch):
    photographs._package_folder.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"package scikit-image: it is not installed, .*; pip install scikit-image"):
        photographs.load(["coffee"])


def test_wheel_without_the_file(monkeypatch):
    monkeypatch.setitem(photographs.FILES, "coffee", ("skimage", "data/tea.png"))
    with pytest.raises(
        InputError, match=r"tea\.png: it is missing, since this version of scikit-image does not ship it"
    ):
        photographs.load(["coffee"])
