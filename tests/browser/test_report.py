"""The report page in a real browser.

`tools/browser` brings what they need, Playwright and a Chromium; nothing else of the project needs them, so all is
skipped where one is missing.
"""

import re
import shutil
from pathlib import Path

import pytest
from helpers.report_samples import EXPERIMENTS, MODEL, write_examples, write_frames, write_results

from ncfl.report.figures import write_figures
from ncfl.report.page import write_page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
wait_for = playwright.expect  # a page answers a click or a key in its own time
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path")


RESULTS = Path(__file__).resolve().parents[2] / "results"
# The targets of links within the page that are not there.
MISSING = """[...document.querySelectorAll("a[href^='#']")].map(a => a.hash.slice(1))
             .filter(name => !document.getElementById(name))"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = write_results(tmp_path_factory.mktemp("browser") / "results")
    write_examples(root)
    write_frames(root)
    write_figures(results=root, output=root / "figures", preset="demo", experiments=EXPERIMENTS, model=MODEL)
    path = root / "report" / "index.html"
    write_page(results=root, output=path, preset="demo", experiments=EXPERIMENTS, edited=["training.batch"])
    assert path.stat().st_size < 10e6
    return path.as_uri()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser, address: str):
    """Opens the page at a width, and in the end looks whether the browser complained."""
    complaints: list[str] = []
    pages = []

    def at(width: int, scheme: str = "light", url: str = address):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        pages.append(page)
        return page

    yield at
    for page in pages:
        page.close()
    assert complaints == []


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_the_page_is_no_wider_than_the_window(opened, width: int):
    assert opened(width).evaluate("document.documentElement.scrollWidth") == width


def test_every_link_leads_somewhere(opened):
    assert opened(1440).evaluate(MISSING) == []


def test_a_figure_opens_its_run(opened):
    page = opened(1440)
    run = page.locator("#run-modules-a")
    wait_for(run).not_to_have_attribute("open", "")
    page.locator("td a[href='#run-modules-a']").first.click()
    wait_for(run).to_have_attribute("open", "")


def test_a_table_is_sorted_by_a_column_and_back(opened):
    table = opened(1440).locator("#table5 + .scroll table")
    methods = table.locator("tbody th")
    printed = methods.all_text_contents()
    head = table.get_by_role("columnheader", name="measured").first
    head.get_by_role("button").press("Enter")
    wait_for(head).to_have_attribute("aria-sort", "descending")
    column = table.locator("tbody tr td:nth-child(3)")

    def measured() -> list[float]:
        texts = (text.split()[0] for text in column.all_text_contents())  # some say that they are the best
        return [float(text) for text in texts if text != "–"]

    assert measured() == sorted(measured(), reverse=True)
    assert len(measured()) > 2
    head.get_by_role("button").click()
    wait_for(head).to_have_attribute("aria-sort", "ascending")
    assert measured() == sorted(measured())
    head.get_by_role("button").click()
    wait_for(methods).to_have_text([text.strip() for text in printed])


def test_the_divider_and_the_zoom_move_by_keyboard(opened):
    page = opened(1440)
    scene = page.locator(".compare").first
    over, sheet = scene.locator(".over"), scene.locator(".sheet-of")
    wait_for(over).to_have_css("clip-path", re.compile(r"^inset\(0px 0px 0px 50"))
    assert over.get_attribute("alt").startswith("Frame 3 of clip_a (demo stand-in), noise σ = 50: NCFL, ")
    scene.locator(".divider").press("ArrowRight")
    wait_for(over).to_have_css("clip-path", re.compile(r"^inset\(0px 0px 0px 51"))
    before = sheet.evaluate("e => e.clientWidth")
    scene.locator(".zoom").press("ArrowRight")
    # The picture is half as wide again, of which a scroll bar may have its share.
    page.wait_for_function(
        "([e, width]) => Math.abs(e.clientWidth - width) < 25", arg=[sheet.element_handle(), 1.5 * before]
    )
    scene.locator(".left").select_option("0")
    wait_for(scene.locator(".under")).to_have_attribute("alt", re.compile(": Clean$"))


def faults(page) -> list[tuple[str, str]]:
    """What axe-core finds: the rule, and where it is broken first."""
    axe = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    rules = ["color-contrast", "image-alt", "label", "link-name", "select-name", "svg-img-alt", "duplicate-id-aria"]
    found = page.evaluate(f"axe.run({{runOnly: {rules}}})")["violations"]
    return [(fault["id"], fault["nodes"][0]["html"][:200]) for fault in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_and_contrast_are_as_axe_wants_them(opened, scheme: str):
    assert faults(opened(1440, scheme)) == []


def test_charts_are_drawn_and_what_they_show_is_chosen(opened):
    page = opened(1440)
    chart = page.locator("#by-frame")
    names = chart.locator(".legend .legendtext")
    assert "NCFL" in names.all_text_contents()
    assert chart.locator(".xtick").all_text_contents() == ["a", "b", "c"]
    chart.get_by_label("PSNR by frame: sequence").select_option("b")
    wait_for(chart.locator(".xtitle")).to_contain_text("frame")
    chart.get_by_label("PSNR by frame: dataset").select_option("ntu-rain")
    wait_for(names).to_have_count(2)
    assert set(names.all_text_contents()) == {"NCFL", "FastDerain"}
    cost = page.locator("#tradeoff")
    before = cost.locator(".point").count()
    assert before > 6  # the paper's seven
    cost.locator(".legendtoggle").first.click()
    wait_for(cost.locator(".point")).not_to_have_count(before)
    assert cost.locator(".point").count() < before


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_the_page_of_the_results(opened, width: int):
    path = RESULTS / "report" / "index.html"
    if not path.exists():
        pytest.skip("no results here: make results")
    assert path.stat().st_size < 10e6
    page = opened(width, url=path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(MISSING) == []
    assert page.locator("#by-frame .point").count() > 0
    assert page.locator("#tradeoff .point").count() > 0
    assert faults(page) == []
    page.screenshot(path=RESULTS / "screenshots" / f"report-{width}.png", full_page=True)
