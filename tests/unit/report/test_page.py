"""The report page: complete in itself, readable by machines and screen readers, and honest about its data."""

import base64
import hashlib
import io
import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from helpers.report_samples import EXPERIMENTS, MODEL, write, write_examples, write_results
from PIL import Image
from plotly.offline import get_plotlyjs

from ncfl.common.errors import InputError
from ncfl.report.figures import STRUCTURES, write_figures
from ncfl.report.page import write_page
from ncfl.report.results import Results
from ncfl.report.table_files import build_tables, write_tables

HOSTILE = "<script>alert(1)</script>&\"'"
VOID = {"meta", "img", "br", "link", "input", "hr"}


RECORD = {
    "command": "ncfl train",
    "parameters": {"batch": 2},
    "seed": 7,
    "code": {"commit": "0123abc", "modified": "yes"},
    "machine": {"processor": "a", "cpus": 2, "device": "cpu"},
    "seconds": 12.5,
    "run": "17-ab",
    "inputs": {"data/prepared/davis/manifest.json": "ff", "data/prepared/davis/train/000.npy": "ee"},
    "outputs": {},
}


def write_history(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("iteration,loss\n10,0.01\n20,0.1\n")


class Page(HTMLParser):
    """What a test wants to know of a page: its elements in order, their attributes, and the text inside."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.unclosed: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.unclosed.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.unclosed):
            self.texts[tag][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def build(root: Path, preset: str = "demo", experiments=EXPERIMENTS, **values: object) -> str:
    """The page of a results folder, with the figures of ``figures`` where that is given."""
    if "figures" not in values:
        write_figures(results=root, output=root / "figures", preset=preset, experiments=experiments, model=MODEL)
    path = root / "report" / "index.html"
    arguments = {"results": root, "output": path, "preset": preset, "experiments": experiments}
    assert write_page(**arguments, **values) == path
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_results(tmp_path_factory.mktemp("page") / "results")
    write_examples(root)
    write_history(root / "experiments" / "ncfl-davis" / "stage1" / "history.csv")
    write(root / "records" / "ncfl-davis-train-stage1.json", RECORD)
    metrics = {"iterations": 70, "loss": 0.5, "psnr": 20.125, "bits_per_pixel": None}
    write(root / "experiments" / "ncfl-davis" / "stage1" / "metrics.json", metrics)
    return root


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    return build(root, commit="abc123", versions={"torch": "2.13.0"}, parameters="seed: 7\n")


@pytest.fixture
def no_figures(tmp_path: Path) -> Path:
    write(tmp_path / "none" / "figures.json", [])
    return tmp_path / "none"


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_it_is_well_formed(page: Page):
    assert page.unclosed == []
    identities = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identities) == len(set(identities))


def test_it_needs_nothing_beside_it(text: str, page: Page):
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"link", "iframe", "object", "embed", "base", "form"}
    assert page.all("script") == [{"type": "application/json", "id": "charts-data"}, {}, {}, {}]
    text = text.replace(get_plotlyjs(), "")  # which names some addresses; the policy lets it fetch nothing
    addresses = [v for _, attributes in page.elements for k, v in attributes.items() if k in ("src", "href", "srcset")]
    assert addresses
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert not re.search(r"https?://|@import|url\(", text)
    assert "default-src 'none'" in text


def test_only_the_pages_own_scripts_may_run(page: Page):
    (policy,) = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    allowed = re.search(r"script-src (.+)$", policy)[1].split()
    digests = [hashlib.sha256(script.encode()).digest() for script in page.texts["script"][1:]]
    assert allowed == [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


def test_pictures_are_embedded_whole(root: Path, page: Page):
    figures = [img for img in page.all("img") if "class" not in img and "data-quality" not in img]
    shown = [
        Image.open(io.BytesIO(base64.b64decode(img["src"].removeprefix("data:image/webp;base64,")))) for img in figures
    ]
    names = (
        "comparison",
        "deraining",
        "dehazing",
        "raw",
        "inside",
        "psnr_sigma",
        "table1",
        "table2",
        "training",
        *STRUCTURES,
    )
    assert len(shown) == len(names)
    for picture, name in zip(shown, names, strict=True):
        drawn = Image.open(root / "figures" / f"{name}.png")
        assert np.array_equal(np.asarray(picture.convert("RGB")), np.asarray(drawn.convert("RGB")))


def test_what_is_no_picture_is_refused(root: Path, no_figures: Path):
    one = {"file": "table1.png", "caption": "", "origin": "", "alternative": "", "shown": True}
    write(no_figures / "figures.json", [one])
    (no_figures / "table1.png").write_bytes(b"not a picture")
    with pytest.raises(InputError, match=r"table1\.png: expected a PNG picture, got what cannot be read as one"):
        build(root, figures=no_figures)


def test_screen_readers_find_their_way(page: Page):
    assert page.all("html")[0]["lang"] == "en"
    # The two that the script fills get their words from it.
    assert all(img["alt"] for img in page.all("img") if img.get("class") not in ("under", "over"))
    assert len(page.texts["caption"]) == len(page.all("table"))
    assert all(caption.strip() for caption in page.texts["caption"])
    assert all("scope" in head for head in page.all("th"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    targets = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert {a["href"][1:] for a in page.all("a") if a["href"].startswith("#")} <= targets
    scrolled = [attributes for _, attributes in page.elements if attributes.get("class") == "scroll"]
    assert scrolled
    assert all(area["tabindex"] == "0" for area in scrolled)
    assert any(meta.get("name") == "viewport" for meta in page.all("meta"))
    assert "prefers-color-scheme: dark" in "".join(page.texts["style"])


def test_every_cell_of_every_table_is_shown(root: Path, page: Page):
    cells = [cell.strip().split(" (")[0] for tag in ("td", "th") for cell in page.texts[tag]]
    for table in build_tables(Results(root, EXPERIMENTS), "demo"):
        for row in table.rows:
            assert {cell.split(" (")[0] for cell in row if cell} <= set(cells)
        assert f"{table.title}. {table.origin}" in page.texts["caption"]


def test_every_measured_figure_opens_the_run_that_made_it(root: Path, text: str):
    table = next(t for t in build_tables(Results(root, EXPERIMENTS), "demo") if t.name == "table1")
    body = text[text.index('id="table1"') : text.index('id="table2"')]
    links = re.findall(r'<a href="#run-([^"]+)">', body)
    assert links == ["modules-a", "complexity", "ncfl-davis", "complexity"]
    assert [run for runs in table.runs for run in runs if run] == links


def test_a_run_shows_what_its_steps_recorded(text: str):
    run = text[text.index('id="run-ncfl-davis"') : text.index('id="run-modules-a"')]
    for words in (
        "0123abc (with changes)",
        "12.5 s",
        "tags.ncfl.spool = &#39;17-ab&#39;",
        "batch: 2",
        "Training, stage 1",
    ):
        assert words in run
    assert re.search(r"<code>data/prepared/davis/manifest.json</code> <code>ff</code>", run)
    assert "000.npy" not in run
    assert 'points="0.0,110.0 600.0,0.0"' in run  # the loss rises from the lower left to the upper right
    assert (
        "No record of its steps is here" in text[text.index('id="run-modules-a"') : text.index('id="run-lambda-256"')]
    )


def test_the_verdict_comes_first_and_an_edited_preset_is_named(root: Path, text: str, page: Page):
    assert next(iter(page.texts["h2"])) == "The verdict"
    assert "edited" not in text[: text.index("<nav")].partition("</style>")[2]
    changed = build(root, figures=root / "figures", edited=["training.batch"])
    assert "<code>training.batch</code>" in changed[: changed.index("<nav")]
    assert "Preset: demo, edited in training.batch. Measured on" in changed
    assert "preset demo, edited" in changed  # why a claim is not decidable


def test_columns_of_words_stand_under_heads_of_both_rows(root: Path, text: str):
    tables = build_tables(Results(root, EXPERIMENTS), "demo")
    sheets = re.findall(r'<table class="sheet">.*?</table>', text, re.S)
    trailing = 0
    for table, sheet in zip(tables, sheets, strict=True):
        first, second = re.findall(r"<tr>(.*?)</tr>", sheet[: sheet.index("</thead>")], re.S)
        alone = [column.head for column in table.columns if not column.group]
        assert re.findall(r'rowspan="2"[^>]*>([^<]*)<', first) == alone
        assert second.count("<th ") == len(table.columns) - len(alone)
        trailing += not table.columns[-1].group
    assert trailing


def test_tables_can_be_taken_away_as_csv(root: Path, page: Page, tmp_path: Path):
    write_tables(results=root, output=tmp_path, preset="demo", experiments=EXPERIMENTS)
    links = {a["download"]: a["href"] for a in page.all("a") if "download" in a}
    assert set(links) == {path.name for path in tmp_path.glob("*.csv")}
    for name, address in links.items():
        content = base64.b64decode(address.removeprefix("data:text/csv;base64,"))
        assert content == (tmp_path / name).read_bytes()


def test_it_says_what_was_run_and_how(text: str):
    for words in (
        "abc123",
        "torch 2.13.0",
        "seed: 7",
        "stage 1: 70 iterations, loss 0.5, PSNR 20.12",
        "λ 1/2048",
    ):
        assert words in text


def test_stand_ins_are_named_at_the_top_in_captions_and_in_headings(page: Page):
    assert page.texts["p"].count("demo demo stand-in data: not comparable to the paper's figures") == 1
    heads = [head.strip() for head in page.texts["th"]]
    assert heads.count("measured (demo stand-in)") == 1 + 1 + 5 + 2 + 5 + 1  # Tables 1 to 5 and section 4.3
    assert heads.count("restored (demo stand-in)") == 2  # the additional table
    captions = [caption for caption in page.texts["caption"] if "demo stand-in" in caption]
    assert len(captions) == 7
    assert "never compare" not in "".join(captions)  # the badge says it once
    assert not [caption for caption in page.texts["figcaption"] if "demo stand-in" in caption]  # the picture says it
    assert sum("demo stand-in" in image["alt"] for image in page.all("img")) == 9


def test_the_true_data_are_not_called_a_stand_in(tmp_path: Path, no_figures: Path):
    root = write_results(tmp_path, source="clips", stand_in=False)
    experiments = {name: replace(e, training_data="DAVIS") for name, e in EXPERIMENTS.items()}
    text = build(root, "paper", experiments, figures=no_figures)
    assert "not comparable to the paper's figures" not in text
    assert "demo stand-in" not in text
    assert "Measured on: DAVIS; Set8; NTU-Rain; CRVD; REVIDE." in text


def test_it_says_in_what_each_dataset_was_compared(text: str):
    for title, spaces in (("Set8", "RGB"), ("NTU-Rain", "Y, RGB"), ("CRVD", "raw, sRGB")):
        row = f'<tr><th scope="row">{title}</th><td class="label">demo stand-in</td><td>test</td><td>{spaces}</td>'
        assert row in text


def test_hostile_text_is_shown_as_text(tmp_path: Path, no_figures: Path):
    root = write_results(tmp_path, source=HOSTILE)
    experiments = {name: replace(e, obtained=HOSTILE) for name, e in EXPERIMENTS.items()}
    write(
        no_figures / "figures.json",
        [{"file": "table1.png", "caption": HOSTILE, "origin": HOSTILE, "alternative": HOSTILE, "shown": True}],
    )
    Image.new("RGB", (2, 2)).save(no_figures / "table1.png")
    words = {"commit": HOSTILE, "versions": {HOSTILE: HOSTILE}, "parameters": HOSTILE, "figures": no_figures}
    text = build(root, HOSTILE, experiments, **words)
    page = Page(text)
    assert "<script>alert" not in text
    assert len(page.all("script")) == 4
    assert HOSTILE in page.texts["pre"][0]
    assert HOSTILE in page.texts["code"][-1]
    assert page.texts["figcaption"] == [HOSTILE]
    assert [img["alt"] for img in page.all("img")] == [f"{HOSTILE} {HOSTILE}"]


def test_equal_results_give_equal_bytes(root: Path, text: str):
    known = {"commit": "abc123", "versions": {"torch": "2.13.0"}, "parameters": "seed: 7\n"}
    assert build(root, figures=root / "figures", **known) == text


def test_figures_that_were_not_drawn_are_named(tmp_path: Path):
    root = write_results(tmp_path)
    with pytest.raises(InputError, match=r"figures\.json: no such file"):
        write_page(results=root, output=tmp_path / "index.html", preset="demo", experiments=EXPERIMENTS)
    assert not (tmp_path / "index.html").exists()


def test_broken_training_metrics_are_named(tmp_path: Path, no_figures: Path):
    root = write_results(tmp_path)
    write(root / "experiments" / "ncfl-davis" / "stage2" / "metrics.json", [1])
    with pytest.raises(InputError, match=r"stage2.metrics\.json: expected a JSON object, got list"):
        build(root, figures=no_figures)
