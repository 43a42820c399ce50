"""The clips source: finds what is there, takes what is asked for, refuses the rest by name."""

import hashlib
import json

import numpy as np
import pytest
from helpers.data_samples import encode, film, footage, pictures, psnr

from ncfl.common.errors import InputError
from ncfl.data.fetch import fetch
from ncfl.data.prepare import prepare
from ncfl.data.sources.clips import ClipsSource, find_clips
from ncfl.data.store import ClipStore


@pytest.fixture
def folder(tmp_path):
    """Videos, frame folders and DAVIS's layout, nested, with all that should not be taken for a clip."""
    root = tmp_path / "videos"
    encode(root / "car.mp4", film(6, seed=1), crf="10")
    encode(root / "holiday" / "beach.y4m", film(5, seed=2), "wrapped_avframe")
    pictures(root / "holiday" / "walk", film(12, seed=3))
    davis = root / "DAVIS"
    pictures(davis / "JPEGImages" / "480p" / "judo", film(4, seed=4), ".jpg")
    pictures(davis / "JPEGImages" / "480p" / "tennis", film(4, seed=5), ".jpg")
    pictures(davis / "JPEGImages" / "Full-Resolution" / "judo", film(4, 96, 128), ".jpg")
    pictures(davis / "Annotations" / "480p" / "judo", film(4))
    (root / ".thumbnails").mkdir()
    pictures(root / ".thumbnails" / "x", film(1))
    (root / ".hidden.mp4").write_bytes(b"x")
    (root / "raw.i420").write_bytes(b"x")
    pictures(root, film(1), first=99)  # a poster beside a video is no clip
    return root


def run(tmp_path, source):
    fetch("davis", source, tmp_path / "raw")
    prepare("davis", source, tmp_path / "raw", tmp_path / "store")
    return ClipStore(tmp_path / "store")


def shapes(store, split):
    return {clip.name: clip.shape for clip in store.split(split)}


def test_finds(folder):
    found, ignored = find_clips(folder)
    assert {name: path.relative_to(folder).as_posix() for name, path in found.items()} == {
        "car": "car.mp4",
        "judo": "DAVIS/JPEGImages/480p/judo",
        "tennis": "DAVIS/JPEGImages/480p/tennis",
        "beach": "holiday/beach.y4m",
        "walk": "holiday/walk",
    }
    assert sorted(ignored) == ["99.png", "raw.i420"]


@pytest.mark.parametrize("start", ["DAVIS", "DAVIS/JPEGImages", "DAVIS/JPEGImages/480p"])
def test_davis_from_wherever_one_points(folder, start):
    assert list(find_clips(folder / start)[0]) == ["judo", "tennis"]


def test_the_folder_may_be_a_clip_itself(tmp_path):
    pictures(tmp_path / "mine", film(5))
    store = run(tmp_path, ClipsSource(root=tmp_path / "mine", train=[], test="rest"))
    assert shapes(store, "test") == {"mine": (5, 48, 64, 3)}


def test_one_name_in_two_places(tmp_path):
    for place in ("a", "b"):
        pictures(tmp_path / "v" / place / "walk", film(2))
    assert list(find_clips(tmp_path / "v")[0]) == ["a/walk", "b/walk"]


def test_from_folder_to_store(tmp_path, folder):
    source = ClipsSource(root=folder, train="rest", test=["judo", "holiday/beach.y4m"])
    store = run(tmp_path, source)
    assert store.manifest["source"] == "clips"
    assert store.manifest["stand_in"] is True
    assert shapes(store, "test") == {"judo": (4, 48, 64, 3), "beach": (5, 48, 64, 3)}
    assert shapes(store, "train") == {
        "car": (6, 48, 64, 3),
        "tennis": (4, 48, 64, 3),
        "walk": (12, 48, 64, 3),
    }
    walk = store.split("train")[2]
    assert np.array_equal(walk.frames, film(12, seed=3))
    assert psnr(store.split("test")[0].frames, np.stack(film(4, seed=4))) > 35


def test_index_lists_the_files_that_are_used(tmp_path, folder):
    index = fetch("davis", ClipsSource(root=folder, train=["walk"], test=["car"]), tmp_path / "raw")
    assert index == json.loads((tmp_path / "raw" / "index.json").read_text())
    names = [file["name"] for file in index["files"]]
    assert names == [f"holiday/walk/{t}.png" for t in range(12)] + ["car.mp4"]
    for file in index["files"]:
        data = (folder / file["name"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_every_second_run_gives_the_same_bytes(tmp_path, folder):
    source = ClipsSource(root=folder, train="rest", test=["judo"])
    manifests = [run(tmp_path / str(n), source).manifest for n in range(2)]
    assert manifests[0] == manifests[1]


def test_names_are_taken_with_suffix_and_path(tmp_path, folder):
    for name in ("beach", "beach.y4m", "holiday/beach", "holiday/beach.y4m"):
        index = fetch("davis", ClipsSource(root=folder, train=[], test=[name]), tmp_path / "raw")
        assert index["clips"] == {"test": {"beach": "holiday/beach.y4m"}}


def test_max_frames_height_and_crop(tmp_path, folder):
    source = ClipsSource(root=folder, train=["walk"], test=["car"], max_frames=3, height=24, crop=(20, 30))
    store = run(tmp_path, source)
    assert shapes(store, "train") == {"walk": (3, 20, 30, 3)}
    # Half the height: area averaging is the mean of 2 x 2 pixels; then the middle 20 x 30 of 24 x 32.
    frame = film(12, seed=3)[1].astype(float)
    means = frame.reshape(24, 2, 32, 2, 3).mean(axis=(1, 3))[2:22, 1:31]
    assert np.abs(store.split("train")[0].frames[1] - means).max() <= 0.5


def test_frames_are_never_enlarged(tmp_path, folder):
    store = run(tmp_path, ClipsSource(root=folder, train=[], test=["walk"], height=480))
    assert shapes(store, "test") == {"walk": (12, 48, 64, 3)}


# Refusals


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"test": ["jdo"]}, r"datasets\.davis\.test: expected a clip of .*, got 'jdo'; nearest: judo"),
        (
            {"test": ["raw"]},
            r"datasets\.davis\.test: expected video files.*, got raw in .*",
        ),
        (
            {"train": ["judo"], "test": ["judo"]},
            "datasets.davis: expected each clip once, got judo in both train and test",
        ),
        ({"train": ["car", "car.mp4"]}, "datasets.davis: expected each clip once, got car in train twice"),
        ({"train": "rest", "test": "rest"}, "datasets.davis: expected `rest` for one split, got it for train and test"),
        (
            {"test": ["car", "judo", "tennis", "beach", "walk"]},
            "datasets.davis.train: expected clips left for `rest` in .*, got none",
        ),
    ],
)
def test_lists_that_do_not_fit(tmp_path, folder, options, found):
    with pytest.raises(InputError, match=found):
        fetch("davis", ClipsSource(root=folder, **options), tmp_path / "raw")
    assert not (tmp_path / "raw" / "index.json").exists()


def test_no_folder_and_no_clips(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: there is no such folder"):
        find_clips(tmp_path / "nowhere")
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(InputError, match=r"expected video files \(.mp4 .*, got no clips"):
        find_clips(tmp_path)


def test_crop_larger_than_the_frames(tmp_path, folder):
    with pytest.raises(InputError, match="walk: expected frames of at least 50 x 50 pixels, the crop, got 48 x 64"):
        run(tmp_path, ClipsSource(root=folder, train=[], test=["walk"], crop=(50, 50)))


def test_files_that_changed_since_they_were_fetched(tmp_path, folder):
    source = ClipsSource(root=folder, train=["walk"], test=["car"])
    fetch("davis", source, tmp_path / "raw")
    picture = folder / "holiday" / "walk" / "5.png"
    data = picture.read_bytes()

    def refused(found):
        with pytest.raises(InputError, match=found):
            prepare("davis", source, tmp_path / "raw", tmp_path / "store")
        assert not (tmp_path / "store").exists()

    picture.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    refused(r"5\.png: it has changed since the dataset was fetched")
    picture.unlink()
    refused(r"5\.png: it is missing, but was there when the dataset was fetched")
    picture.write_bytes(data)
    (folder / "holiday" / "walk" / "5b.png").write_bytes(data)
    refused(r"5b\.png: it was not there when the dataset was fetched")


def test_broken_clips_leave_no_store(tmp_path, folder):
    pictures(folder / "holiday" / "walk", film(1, 20, 20), first=7)
    data = (folder / "car.mp4").read_bytes()
    (folder / "car.mp4").write_bytes(data[: len(data) // 2])
    for name, found in {
        "walk": r"7\.png: expected 48 x 64 pixels, as the frames before it have, got 20 x 20",
        "car": r"car\.mp4: .*truncated",
    }.items():
        with pytest.raises(InputError, match=found):
            run(tmp_path, ClipsSource(root=folder, train=[], test=[name]))
        assert not (tmp_path / "store").exists()


def test_prepare_without_fetch_or_with_another_index(tmp_path, folder):
    source = ClipsSource(root=folder, train=["walk"], test=["car"])
    with pytest.raises(InputError, match=r"index\.json: there is no such file; fetch the dataset first"):
        prepare("davis", source, tmp_path / "raw", tmp_path / "store")
    fetch("set8", source, tmp_path / "raw")
    with pytest.raises(InputError, match=r"index\.json: it is not the index of dataset davis from source clips"):
        prepare("davis", source, tmp_path / "raw", tmp_path / "store")


def test_links_to_nowhere_and_in_circles(tmp_path, folder):
    (folder / "holiday" / "again").symlink_to(folder)
    assert len(find_clips(folder)[0]) == 5
    (folder / "holiday" / "walk" / "12.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(InputError, match=r"12\.png: it cannot be read \(No such file or directory\)"):
        fetch("davis", ClipsSource(root=folder, train=[], test=["walk"]), tmp_path / "raw")


# Real footage


def test_real_footage(tmp_path):
    root = footage()
    found, ignored = find_clips(root)
    assert {"judo", "bmx-trees", "tennis", "park_joy_420_720p50_frm0to9_480x270"} <= set(found)
    assert any(name.endswith(".i420") for name in ignored)
    source = ClipsSource(
        root=root,
        train=["tennis"],
        test=["judo", "park_joy_420_720p50_frm0to9_480x270"],
        max_frames=6,
        height=240,
    )
    store = run(tmp_path, source)
    assert shapes(store, "train") == {"tennis": (6, 240, 427, 3)}
    assert [clip.shape[:2] for clip in store.split("test")] == [(6, 240), (6, 240)]
    for clip in (*store.split("train"), *store.split("test")):
        still = psnr(clip.frames[0], clip.frames[1])
        other = psnr(clip.frames[0], np.roll(clip.frames[1], 40, axis=1))
        assert still > other + 3  # consecutive frames of one scene, in order
