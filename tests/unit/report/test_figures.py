"""Figures from made-up results: the promised files, equal bytes each time, pictures that show something."""

import itertools
import math
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.report_samples import EXPERIMENTS, MODEL, write, write_examples, write_results

from ncfl.common.errors import InputError
from ncfl.report import strip
from ncfl.report.figures import (
    CAPTIONS,
    DEHAZING,
    DENOISERS,
    DERAINING,
    NAMES,
    OUTPUTS,
    STRUCTURES,
    Figure,
    read_figures,
    write_figures,
)
from ncfl.report.results import MeasuredExperiment, Results

EXAMPLES = Path("experiments/ncfl-davis/evaluation/examples/set8")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_results(tmp_path_factory.mktemp("report") / "results")
    write_examples(root)
    for stage, start in ((1, 0), (2, 100)):
        folder = root / "experiments" / "ncfl-davis" / f"stage{stage}"
        folder.mkdir()
        lines = [f"{i},{1 / (i + 1)},{20 + i / 10},{2 - i / 200}" for i in range(start, start + 100, 10)]
        (folder / "history.csv").write_text("\n".join(["iteration,loss,psnr,bpp", *lines]) + "\n")
    return root


@pytest.fixture(scope="module")
def figures(results: Path) -> list[Figure]:
    return write_figures(
        results=results, output=results / "figures", preset="demo", experiments=EXPERIMENTS, model=MODEL
    )


def test_the_promised_files_are_there(results: Path, figures: list[Figure]):
    assert sorted(path.name for path in (results / "figures").iterdir()) == sorted(OUTPUTS)
    assert [figure.file for figure in figures] == [f"{name}.png" for name in (*NAMES, *STRUCTURES)]
    assert read_figures(results / "figures") == figures
    assert all(figure.shown and figure.alternative for figure in figures)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_a_png_with_something_on_it(results: Path, figures: list[Figure], name: str):
    content = (results / "figures" / f"{name}.png").read_bytes()
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[1] >= 1100
    assert 0.01 < np.mean(np.any(image != 255, axis=2)) < 0.99
    assert set(chunks(content)) <= {b"IHDR", b"pHYs", b"IDAT", b"IEND"}  # no date, no version, no text


def chunks(content: bytes) -> list[bytes]:
    found, at = [], 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        found.append(content[at + 4 : at + 8])
        at += 12 + length
    return found


def test_every_picture_says_preset_and_stand_in_and_its_caption_does_not_say_it_again(figures: list[Figure]):
    for figure in figures:
        assert "Preset: demo." in figure.origin
        measured = figure.file.removesuffix(".png") not in STRUCTURES
        assert ("demo stand-in" in figure.origin) == measured
        assert figure.origin not in figure.caption
        assert "Preset" not in figure.caption


def test_equal_results_give_equal_bytes_whatever_the_users_settings(
    results: Path, figures: list[Figure], tmp_path: Path
):
    import matplotlib

    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.dpi": 33}):
        write_figures(results=results, output=tmp_path, preset="demo", experiments=EXPERIMENTS, model=MODEL)
    for name in OUTPUTS:
        assert (tmp_path / name).read_bytes() == (results / "figures" / name).read_bytes()


def test_without_experiments_the_files_are_there_and_say_that_they_are_empty(results: Path, tmp_path: Path):
    figures = write_figures(results=results, output=tmp_path, preset="demo", experiments={}, model=MODEL)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(OUTPUTS)
    empty = ["comparison.png", "deraining.png", "dehazing.png", "raw.png", "inside.png", "training.png"]
    assert [figure.file for figure in figures if not figure.shown] == empty
    assert not [figure for figure in figures if "stand-in" in figure.origin]


# The comparison strip


def load(results: Path, names: tuple[str, ...] = tuple(EXPERIMENTS)) -> strip.Strip:
    denoising = strip.Subject("set8", "davis", "Noisy", DENOISERS)
    found = strip.load(Results(results, {name: EXPERIMENTS[name] for name in names}), denoising)
    assert found is not None
    return found


def test_the_strip_shows_what_was_kept(results: Path):
    found = load(results)
    assert [panel.name for panel in found.panels] == ["Clean", "Noisy", "Median 5×5", "FastDVDNet", "NCFL"]
    assert (found.sequence, found.frame, found.sigma, found.data) == ("clip_a", 3, 50.0, "demo stand-in")
    clean, _, *restored = found.panels
    assert clean.psnr is None
    assert clean.image[0, -1, 0] > clean.image[0, 0, 0]  # red grows to the right: RGB, not BGR
    # Made with 0.5, 0.3 and 0.2 of the noise: 20 log10 of the ratio, where clipping hardly matters.
    gain = restored[2].psnr - restored[0].psnr
    assert gain == pytest.approx(20 * math.log10(0.5 / 0.2), abs=0.5)


@pytest.mark.parametrize(("subject", "word"), [(DERAINING, "Rainy"), (DEHAZING, "Hazy")])
def test_the_strips_of_paired_datasets(results: Path, subject: strip.Subject, word: str):
    found = strip.load(Results(results, EXPERIMENTS), subject)
    assert [panel.name for panel in found.panels] == ["Clean", word, "NCFL"]
    assert found.sigma == 0
    _, degraded, restored = found.panels
    # 40 and 10 too bright, where 255 does not cut it short.
    assert restored.psnr - degraded.psnr == pytest.approx(20 * math.log10(4), abs=1)


def test_pictures_speak_of_noise_only_where_it_was_added(figures: list[Figure]):
    origins = {figure.file: figure.origin.removeprefix("Preset: demo. ") for figure in figures}
    assert origins["comparison.png"] == "Frame 3 of clip_a (Set8's demo stand-in), noise σ = 50."
    assert origins["deraining.png"] == "Frame 3 of clip_a (NTU-Rain's demo stand-in)."
    assert origins["dehazing.png"] == "Frame 3 of clip_a (REVIDE's demo stand-in)."


def test_an_experiment_that_is_not_in_the_parameters_has_no_panel(results: Path):
    assert [p.name for p in load(results, ("ncfl-davis", "median-5x5")).panels[2:]] == ["Median 5×5", "NCFL"]


def test_the_highest_noise_level_is_taken(tmp_path: Path):
    root = write_results(tmp_path)
    write_examples(root, sigma=50)
    write_examples(root, sigma=9)
    assert load(root).sigma == 50.0


def test_psnr_worked_by_hand():
    image = np.zeros((2, 2, 3), np.uint8)
    other = image.copy()
    other[0, 0, 0] = 6  # mean squared error 36 / 12 = 3
    assert strip.psnr(other, image) == pytest.approx(10 * math.log10(65025 / 3), abs=1e-12)
    assert strip.psnr(image, image) == math.inf


def test_the_crop_is_where_the_detail_is():
    image = np.full((60, 90, 3), 128, np.uint8)
    image[31:45:2, 52:70] = 255
    top, left = strip.busiest(image, 20, 30)
    assert top <= 31
    assert top + 20 >= 45
    assert left <= 52
    assert left + 30 >= 70


@pytest.mark.parametrize(
    ("content", "message"), [(b"no picture", "not readable as a picture"), (None, "clip_a_3_clean")]
)
def test_a_broken_or_missing_example_is_named(tmp_path: Path, content: bytes | None, message: str):
    root = write_results(tmp_path)
    write_examples(root)
    path = root / EXAMPLES / "clip_a_3_clean.png"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load(root)


def test_an_example_of_another_size_is_named(tmp_path: Path):
    root = write_results(tmp_path)
    write_examples(root)
    path = root / EXAMPLES / "clip_a_3_sigma50.png"
    cv2.imwrite(str(path), np.zeros((40, 80, 3), np.uint8))
    with pytest.raises(InputError, match=r"sigma50\.png: expected 80x48, the size of the clean frame, got 80x40"):
        load(root)


# Other inputs of a figure


@pytest.mark.parametrize("text", ["iteration,loss\n1,two\n", "loss\n1\n", "iteration,loss\n1,2,3\nx"])
def test_a_broken_history_is_named(tmp_path: Path, text: str):
    root = write_results(tmp_path)
    path = root / "experiments" / "ncfl-davis" / "stage1" / "history.csv"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(InputError, match=r"history\.csv"):
        write_figures(results=root, output=tmp_path / "f", preset="demo", experiments=EXPERIMENTS, model=MODEL)


@pytest.mark.parametrize("listed", [{"a": 1}, [3], [{"file": "table1.png"}]])
def test_a_broken_list_of_figures_is_named(tmp_path: Path, listed: object):
    write(tmp_path / CAPTIONS, listed)
    with pytest.raises(InputError, match=r"figures\.json: not a list of figures"):
        read_figures(tmp_path)


@pytest.mark.parametrize("file", ["table1.png", "../../secret.png"])
def test_a_picture_that_is_not_there_is_named(tmp_path: Path, file: str):
    write(tmp_path / CAPTIONS, [{"file": file, "caption": "", "origin": "", "alternative": "", "shown": True}])
    with pytest.raises(InputError, match=r"run `ncfl figures`"):
        read_figures(tmp_path)


def test_methods_are_told_apart_without_color():
    from ncfl.report.style import METHODS

    assert all(a[1] != b[1] and a[2] != b[2] for a, b in itertools.combinations(METHODS.values(), 2))


def test_measured_dots_alone_still_make_a_chart(tmp_path: Path):
    root = write_results(tmp_path)
    one = {"modules-a": MeasuredExperiment({"set8": (50,)})}
    figures = write_figures(results=root, output=tmp_path / "f", preset="demo", experiments=one, model=MODEL)
    assert "demo stand-in" in next(figure.origin for figure in figures if figure.file == "table1.png")
