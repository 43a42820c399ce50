"""Packs: what is written is read again, held-out clips stay out, and damage is noticed."""

import numpy as np
import pytest
from helpers.clip_samples import pan
from helpers.data_samples import pictures

from ncfl.common.errors import InputError
from ncfl.data.packed import read_pack
from ncfl.data.synthetic.photographs import TEST_PHOTOGRAPHS, TRAIN_PHOTOGRAPHS, path
from ncfl.release.pack import write_pack

PHOTOGRAPHS = {
    "seen": (path(TRAIN_PHOTOGRAPHS[0]), "train", "CC0"),
    "other": (path(TEST_PHOTOGRAPHS[0]), "test", "CC0"),
}
GIVEN = {"hold_out": [], "licence": "CC0", "photographs": PHOTOGRAPHS}


@pytest.fixture
def clips(tmp_path):
    for name, top in (("one", 0), ("two", 40)):
        pictures(tmp_path / "clips" / name, pan(3, 96, 160, top=top))
    return tmp_path / "clips"


def test_a_pack_holds_what_was_packed(clips, tmp_path):
    manifest = write_pack(tmp_path / "pack.npz", clips=[clips], **GIVEN | {"hold_out": ["two"]})
    pack = read_pack(tmp_path / "pack.npz")
    assert (list(pack.photographs), list(pack.held_out)) == (["seen"], ["other"])
    assert [clip.name for clip in pack.clips] == ["one"]
    # JPEG at quality 95 without chroma subsampling; measured 43 dB on this photograph.
    error = pack.clips[0].frames.astype(float) - pan(3, 96, 160)
    assert np.sqrt(np.mean(error**2)) < 255 / 10 ** (38 / 20)
    assert pack.manifest == manifest
    assert manifest["held_out"] == ["two"]
    assert manifest["clips"][0]["licence"] == "CC0"


def test_each_clip_is_there_at_each_width_and_never_enlarged(clips, tmp_path):
    pictures(clips / "small", pan(2, 48, 72))
    write_pack(tmp_path / "pack.npz", clips=[clips], widths=(200, 80), **GIVEN)
    found = {clip.name: clip.shape for clip in read_pack(tmp_path / "pack.npz").clips}
    assert found == {
        "one": (3, 96, 160, 3),
        "one 80": (3, 48, 80, 3),
        "two": (3, 96, 160, 3),
        "two 80": (3, 48, 80, 3),
        "small": (2, 48, 72, 3),
    }


def test_reduction_averages_areas(clips, tmp_path):
    write_pack(tmp_path / "pack.npz", clips=[clips / "one"], widths=(80,), quality=100, **GIVEN)
    expected = pan(3, 96, 160).astype(float).reshape(3, 48, 2, 80, 2, 3).mean((2, 4))
    assert np.abs(read_pack(tmp_path / "pack.npz").clips[0].frames - expected).mean() < 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"hold_out": ["three"]}, "expected one, two, got 'three'"),
        ({"hold_out": ["one", "two"]}, "expected at least one to train on, got all held out"),
        ({"quality": 80}, "expected 95 ... 100, got 80"),
        ({"widths": (32,)}, "64 or more"),
        ({"widths": (80, 80)}, "different numbers"),
        ({"widths": ()}, "different numbers"),
        ({"largest": 1000}, "expected at most 1000 bytes"),
    ],
)
def test_bad_settings_are_refused(clips, tmp_path, changed, said):
    with pytest.raises(InputError, match=said):
        write_pack(tmp_path / "pack.npz", clips=[clips], **GIVEN | changed)
    assert not (tmp_path / "pack.npz").exists()


def test_clips_that_are_not_there_or_share_a_name_are_refused(clips, tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        write_pack(tmp_path / "pack.npz", clips=[tmp_path / "nowhere"], **GIVEN)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="none in"):
        write_pack(tmp_path / "pack.npz", clips=[tmp_path / "empty"], **GIVEN)
    pictures(tmp_path / "more" / "one", pan(1, 64, 64))
    with pytest.raises(InputError, match=r"expected clips of different names, got a second 'one' beside .*"):
        write_pack(tmp_path / "pack.npz", clips=[clips, tmp_path / "more"], **GIVEN)
    pictures(tmp_path / "more" / "one 80", pan(1, 64, 64))
    with pytest.raises(InputError, match="expected different names, got 'one 80'"):
        write_pack(tmp_path / "pack.npz", clips=[clips, tmp_path / "more" / "one 80"], widths=(200, 80), **GIVEN)


def test_a_damaged_pack_is_noticed(clips, tmp_path):
    file = tmp_path / "pack.npz"
    with pytest.raises(InputError, match="no such file"):
        read_pack(file)
    write_pack(file, clips=[clips], **GIVEN)
    with np.load(file) as archive:
        stored = {name: archive[name] for name in archive.files}
    stored["clip/one"] = stored["clip/one"].copy()
    stored["clip/one"][100] ^= 1
    np.savez(tmp_path / "damaged.npz", **stored)
    with pytest.raises(InputError, match="clip/one is damaged"):
        read_pack(tmp_path / "damaged.npz")
    (tmp_path / "cut.npz").write_bytes(file.read_bytes()[:5000])
    (tmp_path / "text.npz").write_text("no pack")
    np.savez(tmp_path / "other.npz", manifest=np.frombuffer(b'{"format": "another"}', np.uint8))
    np.savez(tmp_path / "bare.npz", numbers=np.arange(3))
    for name in ("cut", "text", "other", "bare"):
        with pytest.raises(InputError, match=f"{name}.npz"):
            read_pack(tmp_path / f"{name}.npz")
