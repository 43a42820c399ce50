"""`ncfl figures --sequence`: a picture of any frame, on a small prepared dataset."""

from pathlib import Path

import cv2
import pytest
from helpers.protocol_samples import plain_store
from typer.testing import CliRunner

from ncfl.cli.main import app
from ncfl.common.errors import InputError
from ncfl.config import layout

ROOT = Path(__file__).resolve().parents[3]
GIVEN = ["figures", "--params", str(ROOT / "params.yaml"), "--sequence", "long", "--frame", "3"]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    plain_store(layout.prepared("set8"))
    return tmp_path


def ask(*more: str):
    return CliRunner().invoke(app, [*GIVEN, *more])


def test_a_picture_and_its_pdf(project: Path):
    done = ask("--methods", "noisy, median-3x3", "--crop", "4,2,14,7", "--output", "out/a.png")
    assert done.exit_code == 0, done.output
    assert done.output.strip() == "out/a.png"
    image = cv2.imread("out/a.png")
    height, width = image.shape[:2]
    # Four panels side by side, each a frame of 28x20 above a crop of 14x7, so that a row is 20/28 + 7/14 of its width.
    panel = (width / 120 - 5 * 0.12) / 4
    assert height / 120 == pytest.approx(panel * (20 / 28 + 7 / 14) + 0.4 + 0.12 + 0.38, abs=0.02)
    assert (project / "out" / "a.pdf").read_bytes().startswith(b"%PDF")


def test_without_a_name_it_is_called_by_what_it_shows(project: Path):
    done = ask("--methods", "noisy", "--sigma", "25")
    assert done.output.strip() == "results/pictures/set8-long-3-sigma25.png"
    assert (project / done.output.strip()).exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--methods", "median-9x9"], r"--methods: expected some of those measured on set8, .*; got 'median-9x9'"),
        (["--methods", "noisy", "--crop", "1,2,3"], r"--crop: expected left,top,width,height in whole pixels"),
        (["--methods", "noisy", "--crop", "20,0,9,9"], r"--crop: expected left,top,width,height within 28x20"),
        (["--methods", "noisy", "--crop", "0,0,0,9"], r"--crop: expected left,top,width,height within 28x20"),
        (["--methods", "noisy", "--frame", "5"], r"--frame: expected 0..4 of long, got 5"),
        (["--methods", "noisy", "--sequence", "no"], r"--sequence: expected one of"),
        (["--dataset", "no"], r"params\.yaml: dataset: expected one of davis, set8, .*, got 'no'"),
    ],
)
def test_what_is_not_there_is_named(more: list[str], message: str):
    done = ask(*more)
    assert isinstance(done.exception, InputError)
    with pytest.raises(InputError, match=message):
        raise done.exception
