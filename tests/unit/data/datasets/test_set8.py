"""Set8's layout: sequences by name, however the copy at hand arranges and numbers them."""

import pytest
from helpers.data_samples import put

from ncfl.common.errors import InputError
from ncfl.data.datasets.interface import Tree
from ncfl.data.datasets.sequences import read_counts
from ncfl.data.datasets.set8 import SET8
from ncfl.data.transport.source_table import archives

GOPRO = {"hypersmooth": 37, "motorbike": 32, "rafting": 29, "snowboard": 59}
DERF = ("park_joy", "sunflower", "touchdown", "tractor")


def authors(root, derf=100):
    """As the authors share it: the GoPro sequences in a folder of their own, derf's uncut."""
    for name, count in GOPRO.items():
        put(root, *(f"test_sequences/gopro_540p/{name}/{t:02d}.png" for t in range(1, count + 1)))
        put(root, f"test_sequences/gopro_540p/{name}/{name}.avi")
    for name in DERF:
        put(root, *(f"test_sequences/{name}/{name}_{t:03d}.png" for t in range(derf)))


def archived(root):
    """As an archive of eight folders, cut to 85 frames, counted from 0."""
    for name in (*GOPRO, *DERF):
        put(root, *(f"testset_Set8/Set8/{name}/{t:08d}.png" for t in range(GOPRO.get(name, 85))))


def test_the_published_list():
    assert SET8.lists == {"test": tuple(sorted((*GOPRO, *DERF)))}
    assert read_counts("set8_test") == {**{k: str(v) for k, v in GOPRO.items()}, **dict.fromkeys(DERF, "85+")}


@pytest.mark.parametrize(("make", "derf"), [(authors, 100), (archived, 85)])
def test_copies_differ_in_folders_and_numbers(tmp_path, make, derf):
    make(tmp_path)
    clips = SET8.clips(Tree(tmp_path), None)
    assert list(clips) == ["test"]
    assert {clip.name: len(clip.clean) for clip in clips["test"]} == {**GOPRO, **dict.fromkeys(DERF, derf)}
    assert all(clip.degraded == () for clip in clips["test"])


def test_a_user_may_point_at_the_inner_folder(tmp_path):
    archived(tmp_path)
    rafting = SET8.clips(Tree(tmp_path / "testset_Set8/Set8"), None)["test"][3]
    assert rafting.clean == tuple(f"rafting/{t:08d}.png" for t in range(29))


def test_all_that_is_missing_is_named_at_once(tmp_path):
    authors(tmp_path, derf=85)
    (tmp_path / "test_sequences/gopro_540p/rafting/15.png").unlink()
    (tmp_path / "test_sequences/gopro_540p/snowboard/59.png").unlink()
    (tmp_path / "test_sequences/tractor/tractor_084.png").unlink()
    for path in (tmp_path / "test_sequences/sunflower").iterdir():
        path.unlink()
    with pytest.raises(InputError) as refusal:
        SET8.clips(Tree(tmp_path), None)
    assert str(refusal.value) == (
        f"{tmp_path}: Set8 is incomplete: 4 sequences or frames missing: test_sequences/gopro_540p/rafting/15.png, "
        "1 of the 59 frames of snowboard, sunflower, 1 of the 85 frames of tractor"
    )


def test_a_longer_gopro_sequence_is_another_one(tmp_path):
    archived(tmp_path)
    put(tmp_path, "testset_Set8/Set8/rafting/00000029.png")
    with pytest.raises(InputError, match=r"expected Set8 as published, got rafting with 30 frames instead of 29$"):
        SET8.clips(Tree(tmp_path), None)


def test_lossy_copies_are_not_taken(tmp_path):
    put(tmp_path, *(f"Set8/rafting/{t:02d}.jpg" for t in range(29)))
    with pytest.raises(InputError, match=r"missing: rafting$"):
        SET8.clips(Tree(tmp_path), {"test": ["rafting"]})


def test_the_source_is_one_archive():
    (row,) = archives("set8")
    assert row.address.endswith(f"/{row.file}")
    assert "GoPro" in row.licence
