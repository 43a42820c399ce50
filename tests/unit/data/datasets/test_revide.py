"""REVIDE's layout: pairs of hazy and clean sequences."""

import pytest
from helpers.data_samples import put

from ncfl.common.errors import InputError
from ncfl.data.datasets.interface import Tree
from ncfl.data.datasets.revide import REVIDE
from ncfl.data.datasets.sequences import read_counts
from ncfl.data.transport.source_table import archives

LISTS = {"train": ["C002_1", "E001"], "test": ["W002"]}
SPLITS = {"Train": ("C002_1", "E001"), "Test": ("W002",)}


@pytest.fixture
def revide(tmp_path):
    """Three sequences of four frames in the archive's folders."""
    root = tmp_path / "REVIDE_Indoor"
    for split, names in SPLITS.items():
        for kind in ("hazy", "gt"):
            put(root, *(f"REVIDE_indoor/{split}/{kind}/{name}/{t:05d}.JPG" for name in names for t in range(4)))
    return root


def published(root):
    for split in ("train", "test"):
        for name, count in read_counts(f"revide_{split}").items():
            put(root, *(REVIDE.place(split, name, t, shot) for t in range(int(count)) for shot in (None, 0)))


def test_pairs(revide):
    clips = REVIDE.clips(Tree(revide.parent), LISTS)
    assert {split: [clip.name for clip in found] for split, found in clips.items()} == LISTS
    (w002,) = clips["test"]
    folder = "REVIDE_Indoor/REVIDE_indoor/Test"
    assert w002.clean == tuple(f"{folder}/gt/W002/0000{t}.JPG" for t in range(4))
    assert w002.degraded == (tuple(f"{folder}/hazy/W002/0000{t}.JPG" for t in range(4)),)


def test_a_user_may_point_at_the_inner_folder(revide):
    clips = REVIDE.clips(Tree(revide / "REVIDE_indoor"), LISTS)
    assert clips["train"][0].clean[0] == "Train/gt/C002_1/00000.JPG"
    only = REVIDE.clips(Tree(revide / "REVIDE_indoor/Test"), {"test": ["W002"]})
    assert only["test"][0].degraded[0][0] == "hazy/W002/00000.JPG"


def test_case_and_other_files_do_not_matter(revide):
    (revide / "REVIDE_indoor").rename(revide / "other")
    (revide / "other/Test").rename(revide / "other/test")
    put(revide, "other/test/hazy/W002/Thumbs.db", "other/test/hazy/W002/list.txt", "other/Train/hazy/E001/cover.JPG")
    put(revide, "other/Train/hazy/Z001/00000.JPG", "other/Train/meta_info_GT.txt")
    assert [len(clip.clean) for found in REVIDE.clips(Tree(revide), LISTS).values() for clip in found] == [4, 4, 4]


def test_all_that_is_missing_is_named_at_once(revide):
    top = "REVIDE_indoor"
    (revide / top / "Train/hazy/C002_1/00001.JPG").unlink()  # in the middle
    (revide / top / "Train/gt/E001/00003.JPG").unlink()  # at the end: its partner shows it
    (revide / top / "Train/hazy/E001/00000.JPG").unlink()  # at the start
    for path in (revide / top / "Test/gt/W002").iterdir():
        path.unlink()
    with pytest.raises(InputError) as refusal:
        REVIDE.clips(Tree(revide), {**LISTS, "test": ["W002", "J004"]})
    message = str(refusal.value)
    assert message.startswith(f"{revide}: REVIDE is incomplete: 6 sequences or frames missing: ")
    assert (
        f"{top}/Train/hazy/C002_1/00001.JPG, {top}/Train/gt/E001/00003.JPG, {top}/Train/hazy/E001/00000.JPG, "
        "Test/gt/W002, Test/gt/J004 and 1 more"
    ) in message


def test_a_sequence_of_the_other_split_is_no_substitute(revide):
    with pytest.raises(InputError, match=r"2 .* missing: Test/gt/E001, Test/hazy/E001$"):
        REVIDE.clips(Tree(revide), {"test": ["E001"]})


def test_a_sequence_that_is_there_twice_is_not_chosen_for_the_user(revide):
    put(revide, "copy/Test/gt/W002/00000.JPG")
    with pytest.raises(
        InputError,
        match="expected Test/gt/W002 of REVIDE once, got copy/Test/gt/W002, REVIDE_indoor/Test/gt/W002; keep one",
    ):
        REVIDE.clips(Tree(revide), LISTS)


def test_the_published_lists():
    assert [len(REVIDE.lists[split]) for split in ("train", "test")] == [42, 6]
    counts = {split: {k: int(v) for k, v in read_counts(f"revide_{split}").items()} for split in ("train", "test")}
    assert [sum(found.values()) for found in counts.values()] == [1697, 284]
    assert not set(counts["train"]) & set(counts["test"])
    assert (REVIDE.shots, REVIDE.convention, REVIDE.raw) == (1, "rgb8", None)


def test_the_published_dataset_is_read_back_whole(tmp_path):
    published(tmp_path)
    clips = REVIDE.clips(Tree(tmp_path), None)
    assert {split: tuple(clip.name for clip in found) for split, found in clips.items()} == REVIDE.lists
    for kind, shot in (("gt", None), ("hazy", 0)):
        (tmp_path / REVIDE.place("test", "W002", 35, shot)).unlink()
        assert (tmp_path / f"REVIDE_indoor/Test/{kind}/W002/00034.JPG").exists()
    with pytest.raises(InputError, match=r"1 of the 36 frames of Test/gt/W002, 1 of the 36 frames of Test/hazy/W002$"):
        REVIDE.clips(Tree(tmp_path), None)


def test_the_source():
    (row,) = archives("revide")
    assert row.file == "REVIDE_Indoor.zip"
    assert "github.com/BookerDeWitt/REVIDE_Dataset" in row.by_hand
