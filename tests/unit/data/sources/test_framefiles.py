"""Frames from files: what was listed is what is read, in order, and what is damaged is refused by name."""

import hashlib
import threading
import time

import cv2
import numpy as np
import pytest
from helpers.data_samples import film

from ncfl.common.errors import InputError
from ncfl.data.datasets.interface import ClipFiles, Dataset, RawFormat, Tree, incomplete, read_list
from ncfl.data.frames import Pair
from ncfl.data.sources.framefiles import WORKERS, in_order, index_files, read_clips

RAW = RawFormat(pattern="gbrg", black=240, white=4095)


def clips_of(tree, lists):
    """A layout for tests: <split>/<clip>/<role>/<frame>; roles are clean, 0, 1, ..."""
    found = {}
    for split, names in lists.items():
        for name in names:
            clean = tree.within(f"{split}/{name}/clean", (".png", ".tiff"))
            if not clean:
                raise incomplete(tree, "Test", [f"{split}/{name}"], "clips")
            shots = []
            while shot := tree.within(f"{split}/{name}/{len(shots)}", (".png", ".tiff")):
                shots.append(tuple(shot))
            found.setdefault(split, []).append(ClipFiles(name, tuple(clean), tuple(shots)))
    return found


def dataset(raw=None):
    return Dataset(name="test", title="Test", convention="rgb", clips=clips_of, place=None, raw=raw)


def write(root, name, frames, suffix=".png"):
    for number, frame in enumerate(frames):
        path = root / name / f"{number}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), frame if frame.ndim == 2 else frame[..., ::-1])


def read(root, given=None, lists=None, **limits):
    given = given or dataset()
    index = index_files(given, root, lists or {"train": ["a"]})
    return {
        split: [(name, list(frames)) for name, frames in clips]
        for split, clips in read_clips(given, index, root, **limits).items()
    }


def test_frames_in_natural_order(tmp_path):
    write(tmp_path, "train/a/clean", film(12))
    ((name, frames),) = read(tmp_path)["train"]
    assert name == "a"
    assert np.array_equal(frames, film(12))


def test_pairs_with_shots(tmp_path):
    for role, seed in (("clean", 0), ("0", 1), ("1", 2)):
        write(tmp_path, f"train/a/{role}", film(3, seed=seed))
    ((_, frames),) = read(tmp_path)["train"]
    assert all(isinstance(frame, Pair) for frame in frames)
    assert np.array_equal([frame.clean for frame in frames], film(3, seed=0))
    assert np.array_equal([frame.degraded[0] for frame in frames], film(3, seed=1))
    assert np.array_equal([frame.degraded[1] for frame in frames], film(3, seed=2))


def test_raw_values_are_those_of_the_file(tmp_path):
    mosaics = [np.arange(8 * 12, dtype=np.uint16).reshape(8, 12) * 683 + t for t in range(2)]  # up to 64885
    write(tmp_path, "train/a/clean", mosaics, ".tiff")
    ((_, frames),) = read(tmp_path, dataset(RAW))["train"]
    for frame, mosaic in zip(frames, mosaics, strict=True):
        assert frame.dtype == np.uint16
        red, green, blue, other = np.moveaxis(frame, -1, 0)  # GBRG: green, blue in the first row; red, green below
        assert np.array_equal(red, mosaic[1::2, ::2])
        assert np.array_equal(green, mosaic[1::2, 1::2])
        assert np.array_equal(blue, mosaic[::2, 1::2])
        assert np.array_equal(other, mosaic[::2, ::2])


def test_as_many_frames_as_asked_for(tmp_path):
    write(tmp_path, "train/a/clean", film(5))
    write(tmp_path, "train/a/0", film(5))
    assert len(read(tmp_path, max_frames=3)["train"][0][1]) == 3


def test_the_index_has_every_used_file_with_its_checksum(tmp_path):
    write(tmp_path, "train/a/clean", film(2))
    write(tmp_path, "train/unused/clean", film(2))
    index = index_files(dataset(), tmp_path, {"train": ["a"]})
    assert [file["name"] for file in index["files"]] == ["train/a/clean/0.png", "train/a/clean/1.png"]
    for file in index["files"]:
        content = (tmp_path / file["name"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def damage(kind, path):
    data = path.read_bytes()
    if kind == "gone":
        path.unlink()
    elif kind == "changed":
        path.write_bytes(data + b" ")
    elif kind == "truncated":
        path.write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("kind", "found"),
    [("gone", "1.png: it is gone"), ("changed", "1.png: it has changed"), ("truncated", "1.png: it has changed")],
)
def test_a_file_that_changed_after_it_was_listed(tmp_path, kind, found):
    write(tmp_path, "train/a/clean", film(3))
    index = index_files(dataset(), tmp_path, {"train": ["a"]})
    damage(kind, tmp_path / "train/a/clean/1.png")
    ((_, frames),) = read_clips(dataset(), index, tmp_path)["train"]
    with pytest.raises(InputError, match=rf"{found}.*; fetch it again \(ncfl fetch --dataset test\)"):
        list(frames)


def test_a_truncated_picture(tmp_path):
    write(tmp_path, "train/a/clean", film(3))
    damage("truncated", tmp_path / "train/a/clean/2.png")
    with pytest.raises(InputError, match=r"2\.png: truncated or not readable as a picture"):
        read(tmp_path)


def test_a_truncated_raw_frame(tmp_path, capfd):
    write(tmp_path, "train/a/clean", [np.zeros((8, 12), np.uint16)], ".tiff")
    damage("truncated", tmp_path / "train/a/clean/0.tiff")
    with pytest.raises(InputError, match=r"0\.tiff: truncated or not readable as a picture"):
        read(tmp_path, dataset(RAW))
    assert "TIFF" not in capfd.readouterr().err  # OpenCV's own messages would be lines that nobody understands


def test_a_frame_of_another_size(tmp_path):
    write(tmp_path, "train/a/clean", [*film(2), film(1, 40, 40)[0]])
    with pytest.raises(InputError, match=r"2\.png: expected 48 x 64 pixels, as .* first frame has, got 40 x 40"):
        read(tmp_path)


def test_a_shot_of_another_size(tmp_path):
    write(tmp_path, "train/a/clean", film(2))
    write(tmp_path, "train/a/0", film(2, 40, 40))
    with pytest.raises(InputError, match=r"a/0/0\.png: expected 48 x 64 pixels, as .* first frame has, got 40 x 40"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        (film(1)[0], r"expected a raw frame, uint16 \[H,W\], .*, got uint8 \[48, 64, 3\]"),
        (np.zeros((8, 12), np.uint8), r"expected a raw frame, uint16 \[H,W\], .*, got uint8 \[8, 12\]"),
        (np.zeros((7, 12), np.uint16), "expected even sides of a Bayer mosaic, got 7 x 12 pixels"),
    ],
)
def test_frames_that_are_not_raw(tmp_path, frame, found):
    write(tmp_path, "train/a/clean", [frame], ".tiff")
    with pytest.raises(InputError, match=rf"0\.tiff: {found}"):
        read(tmp_path, dataset(RAW))


def test_a_link_that_leads_nowhere(tmp_path):
    write(tmp_path, "train/a/clean", film(2))
    (tmp_path / "train/a/clean/2.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(InputError, match=r"2\.png: it cannot be read \(a link to .*gone\.png, which is not there\)"):
        index_files(dataset(), tmp_path, {"train": ["a"]})


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match="nowhere: there is no such folder; name the one that holds the dataset"):
        index_files(dataset(), tmp_path / "nowhere", {"train": ["a"]})


def test_a_missing_clip_is_named(tmp_path):
    write(tmp_path, "train/a/clean", film(2))
    with pytest.raises(InputError, match="Test is incomplete: 1 clips missing: train/b"):
        index_files(dataset(), tmp_path, {"train": ["a", "b"]})


def test_hidden_files_and_a_mac_archives_shadows_are_left_out(tmp_path):
    write(tmp_path, "train/a/clean", film(2))
    write(tmp_path, "__MACOSX/train/a/clean", film(1))
    (tmp_path / "train/a/clean/._0.png").write_bytes(b"")
    assert len(read(tmp_path)["train"][0][1]) == 2


def test_linked_folders_are_followed_but_not_round_and_round(tmp_path):
    write(tmp_path / "elsewhere", "train/a/clean", film(2))
    (tmp_path / "root").mkdir()
    (tmp_path / "root/train").symlink_to(tmp_path / "elsewhere/train")
    (tmp_path / "elsewhere/train/a/again").symlink_to(tmp_path / "root")
    assert Tree(tmp_path / "root").files == ("train/a/clean/0.png", "train/a/clean/1.png")


# Reading ahead


def test_results_come_in_order_whatever_takes_longer():
    def slow_first(number):
        time.sleep(0.02 if number % 3 == 0 else 0)
        return number

    assert list(in_order(slow_first, range(20))) == list(range(20))


def test_no_more_is_read_ahead_than_stated():
    started = []
    ahead = 3
    results = in_order(started.append, range(100), ahead=ahead)
    for taken in range(1, 11):
        next(results)
        time.sleep(0.002)
        assert len(started) <= taken + ahead


def test_who_stops_early_leaves_no_threads():
    before = threading.active_count()
    results = in_order(lambda n: n, range(1000))
    next(results)
    results.close()
    assert threading.active_count() == before
    assert WORKERS >= 1


def test_a_list_without_comments(tmp_path, monkeypatch):
    monkeypatch.setattr("ncfl.data.datasets.interface.SPLITS", tmp_path)
    (tmp_path / "x.txt").write_text("# whence\nbear\n\nswan  # white\n")
    assert read_list("x") == ("bear", "swan")
