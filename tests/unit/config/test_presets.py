"""Presets: one base, short overlays, and a params.yaml whose edits are never lost by accident."""

from pathlib import Path

import pytest
import yaml

from ncfl.common.errors import InputError
from ncfl.config.document import Document
from ncfl.config.presets import edited, names, own_edits, resolve, use
from ncfl.config.yaml12 import load_yaml, parse_yaml

FOLDER = Path(__file__).resolve().parents[3] / "presets"


def take(preset: str, target: Path, *settings: str, datasets: str = "", force: bool = False) -> list[str]:
    return use(preset, settings, datasets, target, force=force, folder=FOLDER)


def test_overlays_are_short_and_the_base_alone_has_every_key():
    lines = {name: len((FOLDER / f"{name}.yaml").read_text().splitlines()) for name in names(FOLDER)}
    base = len((FOLDER / "default.yaml").read_text().splitlines())
    assert max(lines.values()) < base / 2, lines


def test_published_sizes_are_those_of_the_paper():
    paper = parse_yaml(resolve("paper", folder=FOLDER), Path("paper"))
    assert paper["model"]["unet_widths"] == [32, 64, 128, 256, 512]
    assert paper["schedules"]["revide"] == {"stage1": 25000, "stage2": 25000, "patch": 384}
    assert {data["source"] for data in paper["datasets"].values()} == {"published"}


def test_a_setting_changes_its_value_and_keeps_every_comment(tmp_path):
    target = tmp_path / "params.yaml"
    take("demo", target, "training.batch=4", "evaluation.max_frames.davis=30")
    plain, changed = resolve("demo", folder=FOLDER).splitlines(), target.read_text().splitlines()
    differing = [(a, b) for a, b in zip(plain, changed, strict=True) if a != b and "Written by" not in a]
    assert [line.split("#")[0].strip() for _, line in differing] == [
        "batch: 4",
        "max_frames: {davis: 30, set8: 85}",
    ]
    assert "# clips; published: 16" in differing[0][1]


def presets_that_leave_out(folder: Path, names: str) -> Path:
    """A folder with the base, and a preset ``small`` that is said to be without these experiments."""
    folder.mkdir()
    (folder / "default.yaml").write_text((FOLDER / "default.yaml").read_text())
    (folder / "small.yaml").write_text(f"# A test.\n\npreset: small\nwithout: [{names}]\n")
    return folder


def test_a_preset_leaves_out_single_experiments_of_any_group(tmp_path):
    folder = presets_that_leave_out(tmp_path / "presets", "modules-c, edvr-davis, median-5x5")
    small = parse_yaml(resolve("small", folder=folder), Path("small"))
    base = load_yaml(FOLDER / "default.yaml")
    gone = {group: set(base[group]) - set(small[group]) for group in ("experiments", "compared", "baselines")}
    assert gone == {"experiments": {"modules-c"}, "compared": {"edvr-davis"}, "baselines": {"median-5x5"}}
    assert "without" not in small


def test_a_preset_cannot_leave_out_what_there_is_not(tmp_path):
    folder = presets_that_leave_out(tmp_path / "presets", "modules-g")
    with pytest.raises(InputError, match=r"without: expected some of ncfl-davis.*, got 'modules-g'"):
        resolve("small", folder=folder)


def test_what_ncfl_use_wrote_is_replaced_and_told(tmp_path):
    target = tmp_path / "params.yaml"
    take("clips", target, "seed=3", datasets="davis")
    assert own_edits(target, folder=FOLDER) == []
    said = "\n".join(take("demo", target))
    assert "preset demo" in said
    assert "seed" in said


def test_edits_are_kept_without_force(tmp_path):
    target = tmp_path / "params.yaml"
    take("demo", target)
    target.write_text(target.read_text().replace("seed: 2022", "seed: 7"))
    before = target.read_text()
    with pytest.raises(InputError, match=r"expected no edits of your own, got seed; .*--force"):
        take("paper", target)
    assert target.read_text() == before
    assert "lost, as --force asked: seed" in take("paper", target, force=True)


def test_edited_names_the_keys_that_are_not_the_presets(tmp_path):
    target = tmp_path / "params.yaml"
    take("paper", target)
    assert edited(target, folder=FOLDER) == []
    take("paper", target, "training.batch=4", "machine.device=cpu")
    assert edited(target, folder=FOLDER) == ["training.batch"]


def test_to_leave_datasets_out_is_no_edit(tmp_path):
    target = tmp_path / "params.yaml"
    take("paper", target, datasets="crvd,set8,davis")
    assert edited(target, folder=FOLDER) == []
    take("paper", target, "schedules.crvd.patch=64", datasets="crvd")
    assert edited(target, folder=FOLDER) == ["schedules.crvd.patch"]


def test_one_dataset_is_enough(tmp_path):
    target = tmp_path / "params.yaml"
    said = "\n".join(take("paper", target, datasets="crvd"))
    assert "left out, with all that stands on them: davis, set8" in said
    data = load_yaml(target)
    assert list(data["datasets"]) == ["crvd"]
    assert list(data["experiments"]) == ["ncfl-crvd"]
    assert data["baselines"] == {}


@pytest.mark.parametrize("name", ["davis", "set8", "ntu-rain", "rainsynlight25", "davis,revide"])
def test_any_choice_of_datasets_is_valid(tmp_path, name):
    take("paper", tmp_path / "params.yaml", datasets=name)


BAD = [
    (("papre", [], ""), "expected one of clips, demo, paper"),
    (("demo", ["training.batch"], ""), "expected key=value, got 'training.batch'"),
    (("demo", ["training.btach=4"], ""), "did you mean 'batch'"),
    (("demo", ["trainin.batch=4"], ""), "expected a key of params.yaml, got 'trainin.batch'"),
    (("demo", ["training.batch=[4"], ""), "no YAML"),
    (("demo", ["training.batch=4\nseed: 1"], ""), "no YAML|training.batch"),
    (("demo", [], "cvrd"), "got 'cvrd'"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input_is_refused_and_nothing_is_written(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        use(*arguments, tmp_path / "params.yaml", force=False, folder=FOLDER)
    assert not (tmp_path / "params.yaml").exists()


def test_a_folder_without_presets_is_said(tmp_path):
    with pytest.raises(InputError, match="expected the folder of presets, got none"):
        resolve("demo", folder=tmp_path)


def test_a_document_edits_blocks_and_flows_alike():
    document = Document("a:  # first\n  b: 1  # one\n  c: {d: 2, e: 3}  # flow\nf: [1]\n")
    document.put(("a", "b"), "10")
    document.put(("a", "c", "d"), "20")
    document.put(("a", "g"), "5")
    text = document.text()
    assert text == "a:  # first\n  b: 10  # one\n  c: {d: 20, e: 3}  # flow\n  g: 5\nf: [1]\n"
    document = Document(text)
    document.keep(("a",), set())
    assert yaml.safe_load(document.text()) == {"a": {}, "f": [1]}
    assert "# first" in document.text()
