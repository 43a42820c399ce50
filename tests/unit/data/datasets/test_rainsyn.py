"""The RainSyn layouts: where frames are found, how they are paired, and what is refused."""

from pathlib import Path

import pytest
from helpers.data_samples import put

from ncfl.common.errors import InputError
from ncfl.data.datasets.interface import Dataset, Tree, read_list
from ncfl.data.datasets.rainsyn import RAINSYNALL100, RAINSYNCOMPLEX25, RAINSYNLIGHT25

ALL = (RAINSYNLIGHT25, RAINSYNCOMPLEX25, RAINSYNALL100)
LISTS = {"train": ["1", "2"], "test": ["1"]}


def lay(root: Path, *names: str) -> Path:
    put(root, *names)
    return root


def first_release(level: str, counts: dict[str, int], frames: int = 2) -> list[str]:
    """A frame is four files: in color and without, clean and rainy."""
    return [
        f"frames_{level}_{split}_JPEG/{clip}/{role}-{n}.jpg"
        for split, count in counts.items()
        for clip in range(1, count + 1)
        for role in ("gt", "gtc", "rf", "rfc")
        for n in range(1, frames + 1)
    ]


def later_release(level: str, clips: dict[str, list[str]]) -> list[str]:
    return [
        f"video_rain_{level}/{split}/{role}/{clip}/{n}.png"
        for split, names in clips.items()
        for clip in names
        for role in ("input", "processed")
        for n in range(1, 10)
    ]


def test_a_complete_first_release_needs_no_list(tmp_path: Path) -> None:
    names = first_release("light", {"train": 190, "test": 25}, frames=1)
    found = RAINSYNLIGHT25.clips(Tree(lay(tmp_path / "files", *names)), None)
    assert [clip.name for clip in found["train"]] == [str(n) for n in range(1, 191)]
    assert [clip.name for clip in found["test"]] == [str(n) for n in range(1, 26)]
    assert found["test"][9].clean == ("frames_light_test_JPEG/10/gtc-1.jpg",)
    assert found["test"][9].degraded == (("frames_light_test_JPEG/10/rfc-1.jpg",),)


def test_too_few_clips_are_named(tmp_path: Path) -> None:
    names = [n for n in first_release("heavy", {"train": 190, "test": 25}, 1) if "_train_JPEG/107/" not in n]
    with pytest.raises(InputError, match=r"RainSynComplex25 is incomplete: 1 clips missing: train/107$"):
        RAINSYNCOMPLEX25.clips(Tree(lay(tmp_path / "files", *names)), None)


@pytest.mark.parametrize(
    ("dataset", "level", "absent", "tests"),
    [(RAINSYNLIGHT25, "light", {153}, 27), (RAINSYNCOMPLEX25, "heavy", {107, 108, 119}, 33)],
    ids=["light", "complex"],
)
def test_the_later_release(dataset: Dataset, level: str, absent: set[int], tests: int, tmp_path: Path) -> None:
    train = [str(n) for n in range(1, 191) if n not in absent]
    test = [str(n) for n in range(1, tests + 1)]
    tree = Tree(lay(tmp_path / "files", *later_release(level, {"train": train, "test": test})))
    found = dataset.clips(tree, None)
    assert [clip.name for clip in found["train"]] == train
    assert [clip.name for clip in found["test"]] == test
    assert found["test"][1].clean == tuple(f"video_rain_{level}/test/processed/2/{n}.png" for n in range(1, 10))
    assert found["test"][1].degraded[0][0] == f"video_rain_{level}/test/input/2/1.png"


@pytest.mark.parametrize("above", ["", "RainSyn25/new", "a/video_train_light"])
def test_whatever_folders_are_around_it(above: str, tmp_path: Path) -> None:
    names = first_release("light", {"train": 2, "test": 1})
    tree = Tree(lay(tmp_path / "files", *(f"{above}/{n}".strip("/") for n in names), "read.me", f"{above}/x/1.png"))
    found = RAINSYNLIGHT25.clips(tree, LISTS)
    assert found["test"][0].clean[0].endswith("frames_light_test_JPEG/1/gtc-1.jpg")


def test_the_inner_folder_of_the_later_release(tmp_path: Path) -> None:
    lay(tmp_path / "files", *later_release("light", {"train": ["1", "2"], "test": ["1"]}))
    found = RAINSYNLIGHT25.clips(Tree(tmp_path / "files/video_rain_light"), LISTS)
    assert found["train"][1].degraded[0][8] == "train/input/2/9.png"


def test_archives_side_by_side(tmp_path: Path) -> None:
    names = [f"{split}/{role}/{c}/1.png" for split, cs in LISTS.items() for c in cs for role in ("input", "gt")]
    tree = Tree(lay(tmp_path / "files", *(f"light_{name.split('/')[0]}/{name}" for name in names)))
    assert RAINSYNLIGHT25.clips(tree, LISTS)["test"][0].clean == ("light_test/test/gt/1/1.png",)


def test_light_and_heavy_in_one_folder_are_kept_apart(tmp_path: Path) -> None:
    counts = {"train": 2, "test": 1}
    tree = Tree(lay(tmp_path / "files", *first_release("light", counts), *first_release("heavy", counts)))
    for dataset, level in ((RAINSYNLIGHT25, "light"), (RAINSYNCOMPLEX25, "heavy")):
        clips = [clip for found in dataset.clips(tree, LISTS).values() for clip in found]
        assert all(f"_{level}_" in path for clip in clips for path in (*clip.clean, *clip.degraded[0]))


def test_the_other_one_is_not_taken_for_it(tmp_path: Path) -> None:
    lay(tmp_path / "video_rain_heavy", *(n.split("/", 1)[1] for n in later_release("heavy", LISTS)))
    with pytest.raises(InputError, match="expected frames of RainSynLight25, got none"):
        RAINSYNLIGHT25.clips(Tree(tmp_path / "video_rain_heavy"), LISTS)


PLAIN = [f"{split}/{role}/{c}/1.png" for split, cs in LISTS.items() for c in cs for role in ("input", "gt")]


@pytest.mark.parametrize("root", ["heavy/data", "RainSynComplex25/a/b", "light/heavy/data"])
def test_a_folder_above_the_root_says_that_it_is_the_other(root: str, tmp_path: Path) -> None:
    tree = Tree(lay(tmp_path / root, *PLAIN))
    with pytest.raises(InputError, match=r"RainSynLight25, got none; .* a folder called light, heavy or complex is"):
        RAINSYNLIGHT25.clips(tree, LISTS)
    assert len(RAINSYNCOMPLEX25.clips(tree, LISTS)["train"]) == 2


def test_a_link_is_looked_through(tmp_path: Path) -> None:
    lay(tmp_path / "heavy/data", *PLAIN)
    (tmp_path / "rainsynlight25").symlink_to(tmp_path / "heavy/data", target_is_directory=True)
    with pytest.raises(InputError, match="expected frames of RainSynLight25, got none"):
        RAINSYNLIGHT25.clips(Tree(tmp_path / "rainsynlight25"), LISTS)


@pytest.mark.parametrize("root", ["light/data", "heavy/data/raw/rainsynlight25/files", "highlights/complexity", "x"])
def test_the_nearest_whole_word_above_the_root_decides(root: str, tmp_path: Path) -> None:
    tree = Tree(lay(tmp_path / root, *PLAIN))
    assert len(RAINSYNLIGHT25.clips(tree, LISTS)["train"]) == 2


def test_folders_in_the_tree_go_before_those_above(tmp_path: Path) -> None:
    tree = Tree(lay(tmp_path / "heavy/data", *first_release("light", {"train": 2, "test": 1})))
    assert len(RAINSYNLIGHT25.clips(tree, LISTS)["train"]) == 2


@pytest.mark.parametrize("dataset", [RAINSYNLIGHT25, RAINSYNCOMPLEX25], ids=["light", "complex"])
@pytest.mark.parametrize("above", ["light/rain_heavy", "RainSynComplex25/light"])
def test_folders_in_the_tree_that_contradict_each_other(dataset: Dataset, above: str, tmp_path: Path) -> None:
    tree = Tree(lay(tmp_path / "x", *(f"{above}/{name}" for name in PLAIN)))
    with pytest.raises(InputError, match=f"expected frames of {dataset.title}, got none"):
        dataset.clips(tree, LISTS)


def test_a_stray_number_is_not_counted_up_to(tmp_path: Path) -> None:
    stray = "Video_rain_synthesis_test/GT/0900/20240131235959123.jpg"  # a camera's date: 2e16 frames
    names = [f"Video_rain_synthesis_test/{r}/0900/{n}.jpg" for r in ("GT", "Rain_Haze") for n in (1, 2)]
    tree = Tree(lay(tmp_path / "x", *names, stray))
    with pytest.raises(InputError, match=r"incomplete: 2000 files missing: .*/Rain_Haze/0900/3\.jpg, "):
        RAINSYNALL100.clips(tree, {"test": ["0900"]})


@pytest.mark.parametrize(
    "lost",
    ["train_JPEG/2/rfc-3.jpg", "train_JPEG/2/gtc-3.jpg", "test_JPEG/1/rfc-1.jpg", "test_JPEG/1/gtc-12.jpg"],
)
def test_a_frame_without_its_partner_is_named(lost: str, tmp_path: Path) -> None:
    names = [n for n in first_release("light", {"train": 2, "test": 1}, 12) if not n.endswith(lost)]
    with pytest.raises(InputError, match=f"incomplete: 1 files missing: frames_light_{lost}$"):
        RAINSYNLIGHT25.clips(Tree(lay(tmp_path / "files", *names)), LISTS)


@pytest.mark.parametrize("number", [1, 5])
def test_a_gap_on_both_sides_is_two_missing_files(number: int, tmp_path: Path) -> None:
    names = [f"Video_rain_synthesis_test/{r}/0900/{n}.jpg" for r in ("GT", "Rain_Haze") for n in range(1, 8)]
    names = [name for name in names if not name.endswith(f"/{number}.jpg")]
    expected = rf"2 files missing: Video_rain_synthesis_test/Rain_Haze/0900/{number}\.jpg, .*GT/0900/{number}\.jpg$"
    with pytest.raises(InputError, match=expected):
        RAINSYNALL100.clips(Tree(lay(tmp_path / "files", *names)), {"test": ["0900"]})


def test_a_gap_in_padded_numbers_keeps_their_width(tmp_path: Path) -> None:
    names = [f"light/{s}/{r}/1/{n:05d}.png" for s in LISTS for r in ("input", "gt") for n in (4, 5, 7)]
    with pytest.raises(InputError, match=r"light/train/input/1/00006\.png"):
        RAINSYNLIGHT25.clips(Tree(lay(tmp_path / "files", *names)), {"train": ["1"], "test": ["1"]})


def test_a_clip_without_any_clean_frame(tmp_path: Path) -> None:
    names = [n for n in first_release("light", {"train": 2, "test": 1}) if "train_JPEG/2/gtc" not in n]
    with pytest.raises(InputError, match=r"1 files missing: train/2 \(all clean frames\)$"):
        RAINSYNLIGHT25.clips(Tree(lay(tmp_path / "files", *names)), LISTS)


def test_one_frame_twice_is_refused(tmp_path: Path) -> None:
    names = [*first_release("light", {"train": 2, "test": 1}), "copy/frames_light_train_JPEG/2/rfc-1.jpg"]
    with pytest.raises(InputError, match=r"got copy/.* and frames_light_train_JPEG/.*; keep one of them"):
        RAINSYNLIGHT25.clips(Tree(lay(tmp_path / "files", *names)), LISTS)


def test_all100_takes_rain_with_accumulation(tmp_path: Path) -> None:
    roles = ("Alpha", "GT", "Haze", "Rain", "Rain_Haze", "Trans")
    names = [f"x/Video_rain_synthesis_train/{role}/0001/{n}.jpg" for role in roles for n in (1, 2)]
    (clip,) = RAINSYNALL100.clips(Tree(lay(tmp_path / "files", *names)), {"train": ["0001"]})["train"]
    assert clip.clean == tuple(f"x/Video_rain_synthesis_train/GT/0001/{n}.jpg" for n in (1, 2))
    assert clip.degraded == (tuple(f"x/Video_rain_synthesis_train/Rain_Haze/0001/{n}.jpg" for n in (1, 2)),)


def test_all100_demands_its_published_lists(tmp_path: Path) -> None:
    assert len(RAINSYNALL100.lists["train"]) == 899
    assert len(RAINSYNALL100.lists["test"]) == 100
    assert RAINSYNALL100.lists["test"] == read_list("rainsynall100_test")
    assert not set(RAINSYNALL100.lists["train"]) & set(RAINSYNALL100.lists["test"])
    names = [
        f"Video_rain_synthesis_{split}/{role}/{clip}/1.jpg"
        for split, clips in RAINSYNALL100.lists.items()
        for clip in (*clips, "extra")
        for role in ("GT", "Rain_Haze")
    ]
    found = RAINSYNALL100.clips(Tree(lay(tmp_path / "whole", *names)), None)
    assert [clip.name for clip in found["test"]] == [f"{n:04d}" for n in range(900, 1000)]
    part = [name for name in names if "/0999/" not in name and "/0042/" not in name]
    with pytest.raises(InputError, match=r"RainSynAll100 is incomplete: 2 clips missing: train/0042, test/0999$"):
        RAINSYNALL100.clips(Tree(lay(tmp_path / "part", *part)), None)


def test_more_stand_ins_than_names_are_refused() -> None:
    with pytest.raises(InputError, match="RainSynAll100: expected at most 100 clips in its test split, got 101"):
        RAINSYNALL100.names("test", 101)


@pytest.mark.parametrize("dataset", ALL, ids=lambda d: d.name)
def test_something_else_is_no_rainsyn(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"expected frames of {dataset.title}, got none"):
        dataset.clips(Tree(lay(tmp_path / "files", "train/a/1.png", "GT/1.jpg", "train/rfc-1.jpg")), None)
