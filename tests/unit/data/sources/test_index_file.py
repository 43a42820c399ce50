"""An index is held against its form: what is another way is named, with the command that writes it again."""

import copy
from pathlib import Path

import pytest

from ncfl.common.errors import InputError
from ncfl.data.sources.index_file import Films, Pictures, check

FILES = [{"name": f"a/{n}.png", "bytes": 3, "sha256": "0" * 64} for n in range(4)]
CLIP = {"name": "a", "clean": ["a/0.png", "a/1.png"], "degraded": [["a/2.png", "a/3.png"]]}
PICTURES = {"dataset": "x", "source": "demo", "files": FILES, "clips": {"test": [CLIP]}}


def test_what_a_fetch_writes_passes():
    check(Pictures, PICTURES, Path("index.json"), "x")
    check(Films, {"files": FILES, "clips": {"test": {"a": "."}}}, Path("index.json"), "x")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda i: i.pop("files"), "files: Field required"),
        (
            lambda i: i["files"][0].update(name="../a/0.png"),
            "files.0.name: expected a path inside the dataset's folder",
        ),
        (lambda i: i["files"][0].update(name="/a/0.png"), "files.0.name: expected a path inside"),
        (lambda i: i["files"][0].update(bytes="3"), "files.0.bytes: Input should be a valid integer"),
        (lambda i: i["files"][0].update(sha256="0"), "files.0.sha256: String should match"),
        (lambda i: i["clips"]["test"][0].update(clean=[]), "clips.test.0.clean: List should have at least 1 item"),
        (
            lambda i: i["clips"]["test"][0]["degraded"][0].pop(),
            "clips.test.0: expected as many frames of each degraded",
        ),
        (lambda i: i["files"].pop(1), "a/1.png is in a clip and not among the files"),
    ],
)
def test_each_other_form_is_named(change, words):
    index = copy.deepcopy(PICTURES)
    change(index)
    with pytest.raises(InputError) as caught:
        check(Pictures, index, Path("data/raw/x/index.json"), "x")
    assert str(caught.value).startswith("data/raw/x/index.json: it is damaged: ")
    assert words in str(caught.value)
    assert str(caught.value).endswith("; fetch it again (ncfl fetch --dataset x)")


def test_brackets_without_end_are_no_index():
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(InputError, match=r"index.json: "):
        check(Pictures, {**PICTURES, "files": deep}, Path("index.json"), "x")
