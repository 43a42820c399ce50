"""The NTU-Rain layout: folders of scenes, shared clean frames, and what is refused."""

from pathlib import Path

import pytest
from helpers.data_samples import put

from ncfl.common.errors import InputError
from ncfl.data.datasets.interface import Tree
from ncfl.data.datasets.ntu_rain import NTU_RAIN

# As the archives' folders are called, written out apart from the lists.
TRAIN = {f"t{t}": [f"t{t}_Rain_{k:02d}" for k in range(1, 5 if t == 7 else 4)] for t in range(1, 9)}
TEST = {f"{group}{k}": [f"{group}{k}_Rain"] for group in "ab" for k in range(1, 5)}
FOLDERS = {
    f"{above}/{folder}"
    for above, scenes in (("Dataset_Training_Synthetic", TRAIN), ("Dataset_Testing_Synthetic", TEST))
    for scene, rainy in scenes.items()
    for folder in (f"{scene}_GT", *rainy)
}
NAMES = [f"{folder}/{n:05d}.jpg" for folder in sorted(FOLDERS) for n in (1, 2, 3)]


def lay(root: Path, names: list[str]) -> Tree:
    put(root, *names)
    return Tree(root)


def test_place_is_the_published_layout() -> None:
    assert NTU_RAIN.place("train", "t7_04", 0, 0) == "Dataset_Training_Synthetic/t7_Rain_04/00001.jpg"
    assert NTU_RAIN.place("train", "t7_04", 99, None) == "Dataset_Training_Synthetic/t7_GT/00100.jpg"
    assert NTU_RAIN.place("test", "b2", 167, 0) == "Dataset_Testing_Synthetic/b2_Rain/00168.jpg"


def test_the_whole_set(tmp_path: Path) -> None:
    found = NTU_RAIN.clips(lay(tmp_path, NAMES), None)
    assert len(found["train"]) == 25
    assert [clip.name for clip in found["test"]] == ["a1", "a2", "a3", "a4", "b1", "b2", "b3", "b4"]
    fourth = next(clip for clip in found["train"] if clip.name == "t7_04")
    assert fourth.clean == tuple(f"Dataset_Training_Synthetic/t7_GT/0000{n}.jpg" for n in (1, 2, 3))
    assert fourth.degraded == (tuple(f"Dataset_Training_Synthetic/t7_Rain_04/0000{n}.jpg" for n in (1, 2, 3)),)


def test_other_files_and_folders_do_not_matter(tmp_path: Path) -> None:
    others = ["Dataset_Testing_Synthetic/a1_Rain/Thumbs.db", "Dataset_Testing_Synthetic/a1_spacCNN/00001.jpg"]
    others += [f"{where}/ra1_Rain/00001.jpg" for where in ("Dataset_Testing_RealRain", "again")]
    others += ["readme.md", "Dataset_Testing_Synthetic/a1_Rain.rar"]
    found = NTU_RAIN.clips(lay(tmp_path, [*NAMES, *others]), None)
    assert found["test"][0].degraded == (tuple(f"Dataset_Testing_Synthetic/a1_Rain/0000{n}.jpg" for n in (1, 2, 3)),)


@pytest.mark.parametrize(
    "where",
    [
        lambda name: f"SPAC-SupplementaryMaterials-master/{name}",
        lambda name: name.split("/", 1)[1],  # inside the two folders, or all unpacked into one
        lambda name: f"{name.split('/')[1]}/{name.split('/', 1)[1]}",  # a folder around each archive's own
    ],
    ids=["top", "inner", "per-archive"],
)
def test_wherever_the_folders_lie(where, tmp_path: Path) -> None:
    found = NTU_RAIN.clips(lay(tmp_path, [where(name) for name in NAMES]), None)
    assert [len(found[split]) for split in ("train", "test")] == [25, 8]
    assert found["test"][7].clean[2] == where("Dataset_Testing_Synthetic/b4_GT/00003.jpg")


def test_one_part_alone_where_only_it_is_asked_for(tmp_path: Path) -> None:
    lay(tmp_path, NAMES)
    tree = Tree(tmp_path / "Dataset_Testing_Synthetic")
    assert len(NTU_RAIN.clips(tree, {"test": NTU_RAIN.lists["test"]})["test"]) == 8
    with pytest.raises(InputError, match="NTU-Rain is incomplete: 33 folders of frames missing: t1_Rain_01, t1_GT, "):
        NTU_RAIN.clips(tree, None)


@pytest.mark.parametrize("lost", ["a3_Rain", "b4_GT", "t7_Rain_04", "t8_GT"])
def test_a_missing_folder_is_named(lost: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"1 folders of frames missing: {lost}$"):
        NTU_RAIN.clips(lay(tmp_path, [name for name in NAMES if f"/{lost}/" not in name]), None)


def test_a_folder_that_is_still_packed(tmp_path: Path) -> None:
    names = [name for name in NAMES if "/a3_" not in name]
    packed = [f"Dataset_Testing_Synthetic/a3_{role}.rar" for role in ("GT", "Rain")]
    with pytest.raises(InputError, match=r"frames, got 2 archives, first a3_GT\.rar; unpack them where they lie"):
        NTU_RAIN.clips(lay(tmp_path, [*names, *packed]), None)


@pytest.mark.parametrize("lost", ["a1_Rain/00002.jpg", "a1_Rain/00001.jpg", "a1_GT/00003.jpg", "b4_GT/00001.jpg"])
def test_a_missing_frame_is_named(lost: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"incomplete: 1 files missing: Dataset_Testing_Synthetic/{lost}$"):
        NTU_RAIN.clips(lay(tmp_path, [name for name in NAMES if not name.endswith(lost)]), None)


def test_a_clean_frame_that_three_clips_miss_is_named_once(tmp_path: Path) -> None:
    names = [name for name in NAMES if not name.endswith("t1_GT/00002.jpg")]
    with pytest.raises(InputError, match=r"1 files missing: Dataset_Training_Synthetic/t1_GT/00002\.jpg$"):
        NTU_RAIN.clips(lay(tmp_path, names), None)


def test_clean_frames_after_the_last_rainy_one_are_left_out(tmp_path: Path) -> None:
    more = [f"Dataset_Testing_Synthetic/a2_GT/{n:05d}.jpg" for n in (4, 5, 7)]
    clip = NTU_RAIN.clips(lay(tmp_path, [*NAMES, *more]), None)["test"][1]
    assert clip.clean == tuple(f"Dataset_Testing_Synthetic/a2_GT/0000{n}.jpg" for n in (1, 2, 3))
    assert len(clip.degraded[0]) == 3


def test_one_frame_twice_is_refused(tmp_path: Path) -> None:
    names = [*NAMES, "copy/Dataset_Testing_Synthetic/a1_GT/00001.jpg"]
    with pytest.raises(InputError, match=r"got copy/.* and Dataset_Testing_Synthetic/.*; keep one of them"):
        NTU_RAIN.clips(lay(tmp_path, names), None)


def test_a_stray_number_among_clean_frames_is_one_after_the_last(tmp_path: Path) -> None:
    names = [*NAMES, "Dataset_Testing_Synthetic/a1_GT/20240131235959123.jpg"]
    clip = NTU_RAIN.clips(lay(tmp_path, names), None)["test"][0]
    assert len(clip.clean) == len(clip.degraded[0]) == 3


def test_a_stray_number_among_rainy_frames_is_not_counted_up_to(tmp_path: Path) -> None:
    names = [*NAMES, "Dataset_Testing_Synthetic/a1_Rain/20240131235959123.jpg"]
    with pytest.raises(InputError, match=r"incomplete: 2000 files missing: .*/a1_Rain/00004\.jpg, "):
        NTU_RAIN.clips(lay(tmp_path, names), None)


def test_stand_ins_have_as_many_names_as_scenes() -> None:
    assert NTU_RAIN.names("train", 2) == ["t1_01", "t2_01"]
    assert NTU_RAIN.names("test", 1) == ["a1"]
    with pytest.raises(InputError, match="NTU-Rain: expected at most 8 clips in its train split, got 9"):
        NTU_RAIN.names("train", 9)
