"""What every published dataset's module does, once for all of them."""

from pathlib import Path

import pytest
from helpers.data_samples import put

from ncfl.data.datasets import DATASETS
from ncfl.data.datasets.interface import Dataset, Tree

# A file's first frame, as it is published; shot None is the clean one.
FIRST = {
    ("davis", None): "DAVIS/JPEGImages/480p/a-1/00000.jpg",
    ("set8", None): "Set8/a-1/01.png",
    ("rainsynlight25", None): "frames_light_test_JPEG/a-1/gtc-1.jpg",
    ("rainsyncomplex25", 0): "frames_heavy_test_JPEG/a-1/rfc-1.jpg",
    ("rainsynall100", 0): "Video_rain_synthesis_test/Rain_Haze/a-1/1.jpg",
    ("ntu-rain", None): "Dataset_Testing_Synthetic/a-1_GT/00001.jpg",
    ("revide", 0): "REVIDE_indoor/Test/hazy/a-1/00000.JPG",
}


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
def test_what_is_placed_is_found(dataset: Dataset, tmp_path: Path):
    """Of a stand-in, too, whose clips have names and lengths of their own."""
    splits = dataset.lists or ("train", "test")
    lists = {split: dataset.names(split, 2) if dataset.names else [f"a-{split}", f"b-{split}"] for split in splits}
    shots = (None, *range(dataset.shots))
    frames = range(dataset.frames or 11)  # past 9, so that order by number shows
    paths = {
        (split, clip, shot): tuple(dataset.place(split, clip, t, shot) for t in frames)
        for split, clips in lists.items()
        for clip in clips
        for shot in shots
    }
    files = [file for found in paths.values() for file in found]
    assert len(set(files)) == len(files)  # clips share no frames, being different scenes
    put(tmp_path, *files, f"{Path(files[0]).parent}/notes.txt")
    found = dataset.clips(Tree(tmp_path), lists)
    assert {split: [clip.name for clip in clips] for split, clips in found.items()} == lists
    for split, clips in found.items():
        for clip in clips:
            for shot, given in zip(shots, (clip.clean, *clip.degraded), strict=True):
                assert tuple(given) == paths[split, clip.name, shot]


@pytest.mark.parametrize(("name", "shot"), FIRST)
def test_a_first_frame_lies_where_it_is_published(name: str, shot: int | None):
    assert DATASETS[name].place("test", "a-1", 0, shot) == FIRST[name, shot]
