"""The configuration: what is valid, and how each mistake is named."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import yaml

from ncfl.common.errors import InputError
from ncfl.config.params import PAIRED, RAW, Params, load, schema, validate
from ncfl.config.presets import names, resolve
from ncfl.config.yaml12 import parse_yaml
from ncfl.data.datasets import DATASETS
from ncfl.data.transport.source_table import published_datasets

ROOT = Path(__file__).resolve().parents[3]
DEMO = resolve("demo", folder=ROOT / "presets")


@pytest.fixture
def write(tmp_path):
    def written(text: str) -> Path:
        path = tmp_path / "params.yaml"
        path.write_text(text)
        return path

    return written


def loaded(preset: str) -> Params:
    path = ROOT / "presets" / f"{preset}.yaml"
    return validate(parse_yaml(resolve(preset, folder=ROOT / "presets"), path), path)


def changed(old: str, new: str) -> str:
    assert old in DEMO
    return DEMO.replace(old, new, 1)


@pytest.mark.parametrize("preset", names(ROOT / "presets"))
def test_every_preset_is_valid_and_names_itself(preset, write):
    assert load(write(resolve(preset, folder=ROOT / "presets"))).preset == preset


def test_the_schema_knows_exactly_the_presets_that_there_are():
    assert sorted(get_args(Params.model_fields["preset"].annotation)) == names(ROOT / "presets")


def test_what_is_committed_is_what_ncfl_use_demo_writes():
    """As committed: who switches presets changes the file and breaks no test."""
    command = ["git", "show", "HEAD:params.yaml"]
    committed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert committed == DEMO


def test_the_schema_in_the_repository_is_the_packages():
    written = yaml.safe_load((ROOT / "workflow" / "schemas" / "params.schema.yaml").read_text())
    assert written == schema()


def test_every_key_is_described_and_no_block_is_open():
    for name, block in schema()["$defs"].items():
        assert block["additionalProperties"] is False, name
        assert block["description"], name


def test_the_paper_preset_has_the_papers_numbers():
    """Supplement, sections 2 and 3, read by hand."""
    params = loaded("paper")
    training, davis = params.training, params.schedules["davis"]
    assert (training.learning_rate, training.motion_learning_rate, training.freeze_motion) == (2e-4, 2.5e-5, 2500)
    assert (training.batch, training.frames, davis.patch) == (16, 5, 128)
    assert (davis.stage1, davis.stage2) == (50_000, 50_000)
    totals = {name: s.stage1 + s.stage2 for name, s in params.schedules.items()}
    assert totals == {
        "davis": 100_000,
        "crvd": 200_000,
        "rainsynlight25": 200_000,
        "rainsyncomplex25": 200_000,
        "rainsynall100": 250_000,
        "ntu-rain": 100_000,
        "revide": 50_000,
    }
    assert params.schedules["revide"].patch == 384
    assert params.model.unet_widths == [32, 64, 128, 256, 512]
    assert params.model.attention_widths == [16, 32, 64]
    assert (params.model.mv_width, params.model.latent_width) == (64, 64)
    assert params.experiments["ncfl-davis"].train.inverse_lambda == 2048
    assert {data.source for data in params.datasets.values()} == {"published"}
    assert set(params.datasets) == set(params.schedules) | {"set8"} == set(DATASETS)
    assert params.experiments["ncfl-crvd"].train.variant == "w_net"


def test_the_table_of_sources_names_the_datasets_that_have_a_module():
    assert set(published_datasets()) == set(DATASETS)
    assert set(PAIRED) == {name for name, dataset in DATASETS.items() if dataset.shots}
    assert set(RAW) == {name for name, dataset in DATASETS.items() if dataset.raw}


def test_the_configuration_is_read_without_torch():
    """Every job of a graph reads it, and both engines do; torch takes seconds to import."""
    heavy = "{name.partition('.')[0] for name in sys.modules} & {'torch', 'cv2', 'numpy', 'mlflow', 'pandas'}"
    code = f"import sys, ncfl.config.params, ncfl.config.reruns; print({heavy})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


@pytest.mark.parametrize("preset", ["demo", "paper"])
def test_every_learned_row_of_tables_3_and_4_is_an_experiment(preset):
    """The rows as they are printed, in the names that experiments carry; Figure 8's dehazers beside them."""
    trained = loaded(preset).all_compared
    denoisers = ("vnlnet", "dvdnet", "fastdvdnet", "emvd-l", "emvd-s", "edvr", "basicvsr", "basicvsrpp")
    derainers = ("spaccnn", "j4rnet-p", "fcrvd", "rmfd", "basicvsrpp")
    expected = {f"{method}-davis" for method in denoisers}
    expected |= {f"{method}-{rain}" for method in derainers for rain in ("ntu-rain", "rainsynlight25")}
    expected |= {f"{method}-revide" for method in ("msbdn", "cg-idn", "basicvsrpp")}
    assert set(trained) == expected
    for name, experiment in trained.items():
        assert name == f"{experiment.method}-{experiment.dataset}"
        assert preset == "demo" or not experiment.network


def test_only_denoising_is_measured_on_the_first_frames_alone():
    assert loaded("paper").evaluation.max_frames == {
        "davis": 85,
        "set8": 85,
    }


# What is written wrongly, and what the one line must say: the key, what was found, what is allowed.
MISTAKES = [
    ("  learning_rate: 2e-4  ", "  learning_rat: 2e-3  ", ["training.learning_rat", "learning_rate"]),
    ("frames: 3  ", "frames: three  ", ["training.frames", "'three'", "integer"]),
    ("height: 96", "hieght: 96", ["datasets.davis.hieght", "'height'"]),
    ("batch: 2  ", "batch: -4  ", ["training.batch", "-4", "greater than 0"]),
    ("variant: m_f", "variant: m_g", ["experiments.ncfl-davis.train.variant", "'m_g'", "'m_f'"]),
    ("source: demo", "source: dmo", ["datasets.davis", "dmo", "'clips'"]),
    ("test: set8", "test: set9", ["experiments.ncfl-davis.test", "'set9'", "davis, set8"]),
    ("set8: {sigma:", "set8: {sigmas:", ["experiments.ncfl-davis.evaluate.set8.sigmas", "'sigma'"]),
    ("sigma: [0, 55]}", "sigma: [0, x]}", ["experiments.ncfl-davis.train.sigma", "'x'", "number"]),
    ("evaluate: {set8: {sigma: [50]}}", "evaluate: {}", ["experiments.modules-a.evaluate", "at least 1"]),
    ("sigma: [0, 55]    #", "sigma: [55, 0]    #", ["motion.sigma", "[low, high]"]),
    ("method: fastdvdnet", "method: fastdvd", ["compared.fastdvdnet-davis.method", "'fastdvd'", "'fastdvdnet'"]),
    ("compared:  ", "compared_with_motion:  ", ["'compared_with_motion'", "did you mean 'compared'"]),
    ("iterations: 360,", "iterations: 0,", ["compared.vnlnet-davis.train.iterations", "0", "greater than 0"]),
    (
        "official: {}",
        "official: {x: {method: fcrvd, dataset: davis, test: davis, evaluate: {davis: {sigma: [5]}}}}",
        ["official.x.method", "'fcrvd'", "'fastdvdnet'"],
    ),
    ("seed: 2022", "seed: 2022.5", ["seed", "2022.5", "integer"]),
    ("compile: false", "compile: no", ["machine.compile", "'no'", "boolean"]),
    ("median-3x3:\n", "ncfl-davis:\n", ["ncfl-davis", "expected it in one group, got it in several"]),
    ("preset: demo", "preset: demo\npreset: paper", ["line 8", "'preset' stands twice"]),
    ("datasets:  ", "datasets  ", ["no YAML"]),
    ("  davis:\n    source: demo", "  vimeo:\n    source: demo", ["datasets.vimeo", "one of davis, set8, crvd"]),
    (
        "  revide: {source: demo, height: 96, width: 144, train: 12, test: 3, frames: 9, max_motion: 4.0}",
        "  revide: {source: clips, root: x, train: rest, test: [], max_frames: null, height: null, stand_in: false}",
        ["datasets.revide", "'clips'", "demo or published"],
    ),
    ("    ntu-rain: {sequence", "    ntu-rian: {sequence", ["evaluation.examples", "'ntu-rian'", "ntu-rain"]),
    ("max_frames: {davis: 85", "max_frames: {davsi: 85", ["evaluation.max_frames", "'davsi'"]),
    ("matrix: null", "matrix: [[1, 0, 0], [0, 1, 0], [0, 0]]", ["evaluation.isp.matrix", "3"]),
    ("plugin: null", "plugin: nonsense", ["evaluation.isp.plugin", "nonsense"]),
    ("plugin: null", "plugin: 3", ["evaluation.isp.plugin", "3", "string"]),
    ("gains: [", "gains: [1.0, ", ["evaluation.isp.gains", "3"]),
]


@pytest.mark.parametrize(("old", "new", "named"), MISTAKES, ids=[new.strip() for _, new, _ in MISTAKES])
def test_a_mistake_is_one_line_that_names_key_found_and_allowed(write, old, new, named):
    with pytest.raises(InputError) as caught:
        load(write(changed(old, new)))
    message = str(caught.value)
    assert "\n" not in message
    assert "params.yaml" in message
    for part in named:
        assert part in message


def test_a_misspelt_key_is_named_once(write):
    with pytest.raises(InputError) as caught:
        load(write(changed("  learning_rate: 2e-4  ", "  learning_rat: 2e-3  ")))
    assert "is missing" not in str(caught.value)


def test_a_missing_key_is_named(write):
    with pytest.raises(InputError, match=r"'motion\.levels' is missing"):
        load(write(changed("  levels: 4", "  #")))


@pytest.mark.parametrize("text", ["", "- 1", "just words"])
def test_a_file_that_is_no_configuration_is_refused(write, text):
    with pytest.raises(InputError, match=r"params\.yaml"):
        load(write(text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2e-4", 2e-4),
        ("2.5E-5", 2.5e-5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("7", 7),
        ("-3", -3),
        ("no", "no"),
        ("on", "on"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("true", True),
        ("2026-11-22", "2026-11-22"),
        ("null", None),
    ],
)
def test_numbers_and_words_are_read_as_yaml_1_2_has_them(tmp_path, written, value):
    from ncfl.config.yaml12 import load_yaml

    path = tmp_path / "x.yaml"
    path.write_text(f"key: {written}\n")
    found = load_yaml(path)["key"]
    assert found == value
    assert type(found) is type(value)
