"""CRVD's layout: scenes, ISOs, frames and shots, each of which is missed by name."""

import pytest
from helpers.data_samples import put

from ncfl.common.errors import InputError
from ncfl.data.datasets.crvd import CRVD, ISOS, SCENES
from ncfl.data.datasets.interface import Tree
from ncfl.data.transport.source_table import archives

CLIP = "scene7-iso25600"
NOISY = "indoor_raw_noisy/indoor_raw_noisy_scene7/scene7/ISO25600"
CLEAN = "indoor_raw_gt/indoor_raw_gt_scene7/scene7/ISO25600"


def layout(clip):
    """The 77 files of a clip, where :attr:`CRVD.place` says."""
    shots = (None, *range(10))
    return [CRVD.place("test", clip, frame, shot) for frame in range(7) for shot in shots]


def written(top, clips, *, scene_folders=True):
    """The files of clips, spelt out independently."""
    for clip in clips:
        scene, iso = clip.replace("iso", "ISO").split("-")
        for frame in range(1, 8):
            for kind, names in (
                ("gt", ["clean_and_slightly_denoised"]),
                ("noisy", ["clean", *(f"noisy{shot}" for shot in range(10))]),
            ):
                folder = f"indoor_raw_{kind}" + (f"/indoor_raw_{kind}_{scene}" if scene_folders else "")
                put(top, *(f"{folder}/{scene}/{iso}/frame{frame}_{name}.tiff" for name in names))


def test_a_file_of_each_kind():
    assert CRVD.place("test", CLIP, 0, 0) == f"{NOISY}/frame1_noisy0.tiff"
    assert CRVD.place("test", CLIP, 6, 9) == f"{NOISY}/frame7_noisy9.tiff"
    assert CRVD.place("test", CLIP, 0, None) == f"{CLEAN}/frame1_clean_and_slightly_denoised.tiff"
    with pytest.raises(InputError, match="CRVD: expected a clip called as scene7-iso25600 is, got 'rain-1'"):
        CRVD.place("test", "rain-1", 0, None)


@pytest.mark.parametrize("top", [".", "CRVD_dataset", "CRVD_dataset/CRVD"])
@pytest.mark.parametrize("scene_folders", [True, False])
def test_clips_in_any_folder(tmp_path, top, scene_folders):
    written(tmp_path / top, [CLIP, "scene11-iso1600"], scene_folders=scene_folders)
    put(tmp_path / top, "readme.txt", "indoor_raw_noisy/scene7/ISO25600/preview.png")
    clips = CRVD.clips(Tree(tmp_path), {"test": ["scene11-iso1600", CLIP]})["test"]
    assert [clip.name for clip in clips] == ["scene11-iso1600", CLIP]
    clean, degraded = clips[1].clean, clips[1].degraded
    assert [name.rpartition("/")[2] for name in clean] == [
        f"frame{i}_clean_and_slightly_denoised.tiff" for i in range(1, 8)
    ]
    assert len(degraded) == 10
    # Shot 0 is what the authors restore: it has to come first.
    assert [name.rpartition("/")[2] for name in degraded[0]] == [f"frame{i}_noisy0.tiff" for i in range(1, 8)]
    assert all((tmp_path / name).is_file() for shot in (clean, *degraded) for name in shot)


def test_a_user_may_point_at_the_inner_folder(tmp_path):
    written(tmp_path / "a" / "CRVD_dataset", [CLIP])
    clips = CRVD.clips(Tree(tmp_path / "a" / "CRVD_dataset"), {"test": [CLIP]})
    assert clips["test"][0].clean[0] == f"{CLEAN}/frame1_clean_and_slightly_denoised.tiff"


def test_one_missing_file_is_named(tmp_path):
    put(tmp_path, *layout(CLIP))
    (tmp_path / NOISY / "frame4_noisy7.tiff").unlink()
    with pytest.raises(InputError, match=rf"CRVD is incomplete: 1 .* missing: {NOISY}/frame4_noisy7.tiff$"):
        CRVD.clips(Tree(tmp_path), {"test": [CLIP]})


def test_all_that_is_missing_is_named_at_once(tmp_path):
    written(tmp_path, [CLIP, "scene8-iso1600", "scene9-iso3200"])
    for path in (tmp_path / "indoor_raw_gt/indoor_raw_gt_scene8/scene8/ISO1600").iterdir():
        path.unlink()
    for path in (tmp_path / "indoor_raw_noisy/indoor_raw_noisy_scene9/scene9/ISO3200").iterdir():
        path.unlink()
    (tmp_path / CLEAN / "frame2_clean_and_slightly_denoised.tiff").unlink()
    with pytest.raises(InputError) as refusal:
        CRVD.clips(Tree(tmp_path), {"test": [CLIP, "scene8-iso1600", "scene9-iso3200", "scene10-iso6400"]})
    assert str(refusal.value) == (
        f"{tmp_path}: CRVD is incomplete: 4 clips or files missing: "
        f"{CLEAN}/frame2_clean_and_slightly_denoised.tiff, all clean frames of scene8-iso1600, "
        "all noisy frames of scene9-iso3200, scene10-iso6400"
    )


def test_the_mean_before_denoising_is_not_the_ground_truth(tmp_path):
    written(tmp_path, [CLIP])
    for path in (tmp_path / CLEAN).iterdir():
        path.unlink()
    with pytest.raises(InputError, match=rf"all clean frames of {CLIP}$"):
        CRVD.clips(Tree(tmp_path), {"test": [CLIP]})


def test_two_copies_are_not_mixed(tmp_path):
    written(tmp_path / "one", [CLIP])
    written(tmp_path / "two", [CLIP], scene_folders=False)
    with pytest.raises(InputError, match=r"expected one copy of CRVD, got one/.* and two/"):
        CRVD.clips(Tree(tmp_path), {"test": [CLIP]})


def test_the_published_lists():
    assert [len(CRVD.lists[split]) for split in ("train", "test")] == [30, 25]
    assert {name.split("-")[0] for name in CRVD.lists["train"]} == {f"scene{i}" for i in range(1, 7)}
    assert {name.split("-")[0] for name in CRVD.lists["test"]} == {f"scene{i}" for i in range(7, 12)}
    assert (CRVD.frames, CRVD.shots, CRVD.convention) == (7, 10, "raw")
    assert (CRVD.raw.pattern, CRVD.raw.black, CRVD.raw.white) == ("gbrg", 240, 4095)


def test_the_published_dataset_is_read_back_whole(tmp_path):
    written(tmp_path, (*CRVD.lists["train"], *CRVD.lists["test"]))
    clips = CRVD.clips(Tree(tmp_path), None)
    assert {split: tuple(clip.name for clip in found) for split, found in clips.items()} == CRVD.lists
    (tmp_path / CRVD.place("train", "scene1-iso1600", 0, 0)).unlink()
    with pytest.raises(InputError, match=r"scene1/ISO1600/frame1_noisy0.tiff$"):
        CRVD.clips(Tree(tmp_path), None)


@pytest.mark.parametrize("split", ["train", "test"])
def test_names_spread_over_scenes_and_isos(split):
    whole = CRVD.names(split, len(SCENES[split]) * len(ISOS))
    assert sorted(whole) == sorted(CRVD.lists[split])  # each once
    few = CRVD.names(split, 3)
    assert few == whole[:3]
    assert few[0].endswith("iso25600")
    assert len({name.split("-")[0] for name in few}) == len({name.split("-")[1] for name in few}) == 3
    with pytest.raises(InputError, match=f"CRVD: expected at most {len(whole)} clips to {split}, got {len(whole) + 1}"):
        CRVD.names(split, len(whole) + 1)


def test_the_source_says_whom_to_ask():
    (row,) = archives("crvd")
    assert row.address is None
    assert "github.com/cao-cong/RViDeNet" in row.by_hand
    assert "BY-NC-SA" in row.licence
