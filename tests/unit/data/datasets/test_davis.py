"""DAVIS-2017's layout: found wherever it lies, and refused by name where something is missing."""

import pytest
from helpers.data_samples import footage, put

from ncfl.common.errors import InputError
from ncfl.data.datasets.davis import DAVIS
from ncfl.data.datasets.interface import Tree
from ncfl.data.datasets.sequences import gaps, numbered, read_counts
from ncfl.data.transport.source_table import archives

LISTS = {"train": ("bear", "bmx-trees"), "test": ("deer",)}


@pytest.fixture
def davis(tmp_path):
    """Three sequences of four frames where both archives are unpacked by name, with all that lies beside them."""
    parts = {"DAVIS-2017-trainval-480p": ("bear", "bmx-trees"), "DAVIS-2017-test-dev-480p": ("deer",)}
    for archive, names in parts.items():
        for name in names:
            put(tmp_path, *(f"{archive}/DAVIS/JPEGImages/480p/{name}/{t:05d}.jpg" for t in range(4)))
            put(tmp_path, f"{archive}/DAVIS/Annotations/480p/{name}/00000.png")
        put(tmp_path, f"{archive}/DAVIS/ImageSets/2017/train.txt", f"{archive}/DAVIS/README.md")
    return tmp_path


def published(root, skip=()):
    """Everything that the lists name; test-dev's sequences, whose lengths are not listed, with five frames."""
    for split in ("train", "test"):
        for name, count in read_counts(f"davis_{split}").items():
            for t in range(int(count or 5)):
                path = DAVIS.place(split, name, t, None)
                if path not in skip:
                    put(root, path)


def test_both_archives_are_found_in_folders_of_their_names(davis):
    clips = DAVIS.clips(Tree(davis), LISTS)
    assert {split: [clip.name for clip in found] for split, found in clips.items()} == {
        "train": ["bear", "bmx-trees"],
        "test": ["deer"],
    }
    bear = clips["train"][0]
    folder = "DAVIS-2017-trainval-480p/DAVIS/JPEGImages/480p/bear"
    assert bear.clean == tuple(f"{folder}/{name}" for name in ("00000.jpg", "00001.jpg", "00002.jpg", "00003.jpg"))
    assert bear.degraded == ()


@pytest.mark.parametrize("inner", [".", "DAVIS", "DAVIS/JPEGImages", "DAVIS/JPEGImages/480p"])
def test_a_user_may_point_at_any_folder_of_the_layout(tmp_path, inner):
    put(tmp_path, *(f"DAVIS/JPEGImages/480p/{name}/{t:05d}.jpg" for name in ("bear", "deer") for t in range(3)))
    put(tmp_path, *(f"DAVIS/JPEGImages/Full-Resolution/bear/{t:05d}.jpg" for t in range(3)))
    clips = DAVIS.clips(Tree(tmp_path / inner), {"train": ["bear"], "test": ["deer"]})
    root = (tmp_path / inner).resolve()
    for clip in (*clips["train"], *clips["test"]):
        assert len(clip.clean) == 3
        assert all((root / name).is_file() and "480p" in str(root / name) for name in clip.clean)


def test_a_link_to_the_inner_folder_does_as_well(davis, tmp_path_factory):
    link = tmp_path_factory.mktemp("raw") / "files"
    link.symlink_to(davis / "DAVIS-2017-trainval-480p/DAVIS/JPEGImages/480p", target_is_directory=True)
    assert DAVIS.clips(Tree(link), {"train": ["bear"]})["train"][0].clean[0] == "bear/00000.jpg"


def test_another_resolution_is_no_substitute(tmp_path):
    put(tmp_path, "DAVIS/JPEGImages/Full-Resolution/bear/00000.jpg")
    for root in (tmp_path, tmp_path / "DAVIS/JPEGImages/Full-Resolution"):
        with pytest.raises(InputError, match=r"incomplete: 1 .* missing: bear$"):
            DAVIS.clips(Tree(root), {"train": ["bear"]})


def test_all_that_is_missing_is_named_at_once(davis):
    folder = "DAVIS-2017-trainval-480p/DAVIS/JPEGImages/480p"
    (davis / folder / "bear/00002.jpg").unlink()
    (davis / folder / "bmx-trees/00000.jpg").unlink()
    with pytest.raises(InputError) as refusal:
        DAVIS.clips(Tree(davis), {**LISTS, "test": ("deer", "golf")})
    message = str(refusal.value)
    assert message.startswith(f"{davis}: DAVIS-2017 is incomplete: 3 ")
    assert f"{folder}/bear/00002.jpg, {folder}/bmx-trees/00000.jpg, golf" in message
    assert "\n" not in message


def test_other_files_are_no_frames(davis):
    folder = "DAVIS-2017-trainval-480p/DAVIS/JPEGImages/480p/bear"
    put(davis, f"{folder}/Thumbs.db", f"{folder}/cover.jpg", f"{folder}/00001 (copy).jpg", f"{folder}/._00001.jpg")
    put(davis, f"{folder}/00009.png", "__MACOSX/DAVIS/JPEGImages/480p/bear/00000.jpg")
    put(davis, "DAVIS-2017-trainval-480p/DAVIS/JPEGImages/480p/other/00000.jpg")
    assert len(DAVIS.clips(Tree(davis), LISTS)["train"][0].clean) == 4


def test_a_sequence_that_is_there_twice_is_not_chosen_for_the_user(davis):
    put(davis, "copy/JPEGImages/480p/bear/00000.jpg")
    with pytest.raises(InputError, match=r"expected bear of DAVIS-2017 once, got copy/JPEGImages/480p/bear, DAVIS"):
        DAVIS.clips(Tree(davis), LISTS)


def test_the_published_lists():
    assert (len(DAVIS.lists["train"]), len(DAVIS.lists["test"])) == (90, 30)
    assert not set(DAVIS.lists["train"]) & set(DAVIS.lists["test"])
    assert sum(map(int, read_counts("davis_train").values())) == 6208
    assert set(read_counts("davis_test").values()) == {""}


def test_the_published_dataset_is_read_back_whole(tmp_path):
    published(tmp_path)
    clips = DAVIS.clips(Tree(tmp_path), None)
    assert [len(clips[split]) for split in ("train", "test")] == [90, 30]
    assert sum(len(clip.clean) for clip in clips["train"]) == 6208


def test_lengths_are_compared_with_the_published_ones(tmp_path):
    published(tmp_path, skip={DAVIS.place("train", "bear", 81, None), DAVIS.place("train", "judo", 7, None)})
    with pytest.raises(InputError, match=r"2 .* missing: 1 of the 82 frames of bear, .*judo/00007.jpg$"):
        DAVIS.clips(Tree(tmp_path), None)
    put(tmp_path, *(DAVIS.place("train", name, t, None) for name, t in (("bear", 81), ("judo", 7), ("walking", 72))))
    with pytest.raises(
        InputError, match=r"expected DAVIS-2017 as published, got walking with 73 frames instead of 72$"
    ):
        DAVIS.clips(Tree(tmp_path), None)


def test_real_footage():
    root = footage() / "DAVIS"
    if not root.is_dir():
        pytest.skip(f"no {root}")
    names = ["bmx-trees", "car-shadow", "tennis"]
    clips = DAVIS.clips(Tree(root), {"test": names})["test"]
    assert [(clip.name, len(clip.clean)) for clip in clips] == [("bmx-trees", 80), ("car-shadow", 40), ("tennis", 70)]
    # Those are the published lengths, too.
    assert all(len(clip.clean) == int(read_counts("davis_train")[clip.name]) for clip in clips)
    with pytest.raises(InputError, match=r"DAVIS-2017 is incomplete: .* missing: bear, bike-packing"):
        DAVIS.clips(Tree(root), None)


def test_numbers_decide_about_frames():
    assert numbered(["s/img10.png", "s/img9.png", "s/mask9.png", "s/x.png"]) == {9: "s/img9.png", 10: "s/img10.png"}
    assert numbered(["s/x.png"]) == {}
    assert gaps({9: "s/img9.png", 11: "s/img11.png"}) == ["s/img10.png"]
    assert gaps({8: "s/f008.png", 10: "s/f010.png"}, first=7) == ["s/f007.png", "s/f009.png"]
    assert gaps({}) == []
    assert len(gaps({0: "s/0.jpg", 20240101123000: "s/20240101123000.jpg"})) == 1000


def test_sources_name_both_archives():
    rows = archives("davis")
    assert [row.file for row in rows] == ["DAVIS-2017-trainval-480p.zip", "DAVIS-2017-test-dev-480p.zip"]
    assert all(row.address.endswith(row.file) for row in rows)
