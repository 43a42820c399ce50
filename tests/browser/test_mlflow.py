"""MLflow's pages in a real browser: the list of experiments, and the page of one with its curve.

The store is a made-up one and, where there are results, a copy of theirs; `mlflow server` serves it on a port of this
machine that nobody else has. A slow machine needs minutes for what takes seconds: nothing is waited for but what is
looked at.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.command_line import ROOT
from helpers.tracking_samples import trained

from ncfl.config import layout
from ncfl.tracking import browsing, ingest
from ncfl.tracking import run as tracking

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path")

PATIENCE = 180_000  # ms
SCREENSHOTS = ROOT / "results" / "screenshots"
MEASURED = "set8.psnr.sigma50"
NOT_OURS = "/mlflow/users/current"  # MLflow's page asks for who is logged in, and without logins there is nobody


@pytest.fixture(scope="module", params=["made-up", "results"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("mlflow") / request.param
    here.mkdir()
    if request.param == "results":
        found = ROOT / layout.MLFLOW / "mlflow.db"
        if not found.exists():
            pytest.skip("no results here: make results")
        return Path(shutil.copy(found, here))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setenv(tracking.DEFER, "1")
        layout.MLFLOW.mkdir(parents=True)
        for place, name in enumerate(("modules-a", "ncfl-davis")):
            trained(name, psnr=30.25 + place)
        ingest.sync()
    return here / layout.MLFLOW / "mlflow.db"


@pytest.fixture(scope="module")
def address(database: Path) -> Iterator[str]:
    """Where a browser finds the experiments, as `make mlflow` says it but for the port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{database}"]
    command += ["--workers", "1", "--host", "127.0.0.1", "--port", host.rpartition(":")[2]]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (database.parent / "server.log").open("w") as log:
        # A group of its own, since it starts processes that do not end with it.
        server = subprocess.Popen(
            command, cwd=database.parent, env=environment, stdout=log, stderr=log, process_group=0
        )
        try:
            _wait_for(host, server)
            yield browsing.address(database).replace(browsing.HOST, host)
        finally:
            os.killpg(server.pid, 15)
            server.wait()


def _wait_for(host: str, server: subprocess.Popen) -> None:
    end = time.monotonic() + PATIENCE / 1000
    while True:
        try:
            urllib.request.urlopen(f"{host}/health", timeout=10).read()
            return
        except OSError:
            assert server.poll() is None, "mlflow server ended"
            assert time.monotonic() < end, "mlflow server does not answer"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def page(address: str):
    """A page of a browser; in the end what it and the server complained of."""
    complaints: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 2600})
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("response", lambda answer: _note(answer, complaints))
        page.on("request", lambda asked: None if "127.0.0.1" in asked.url else complaints.append(asked.url))
        yield page
        browser.close()
    assert complaints == []


def _note(answer, complaints: list[str]) -> None:
    if answer.status >= 400 and not answer.url.endswith(NOT_OURS):
        complaints.append(answer.url)


def shown(database: Path) -> str:
    """Which store it is."""
    return "made-up" if "made-up" in database.parts else "results"


def visible(found) -> None:
    playwright.expect(found.first).to_be_visible(timeout=PATIENCE)


def test_the_experiments_are_listed_with_what_they_reached(page, address: str, database: Path):
    page.goto(address, timeout=PATIENCE)
    for name in ("modules-a", "ncfl-davis"):
        visible(page.get_by_role("link", name=name, exact=True))
    headers = page.get_by_role("columnheader")
    for column in (MEASURED, "method", "preset"):
        visible(headers.filter(has_text=column))
    visible(page.get_by_role("gridcell").filter(has_text=re.compile(r"^\d\d\.\d+$")))  # a PSNR
    assert page.get_by_role("link", name=re.compile("train-stage")).count() == 0  # steps are folded in
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"mlflow-{shown(database)}-runs.png")


def test_an_experiment_has_a_curve(page, address: str, database: Path):
    page.goto(address, timeout=PATIENCE)
    link = page.get_by_role("link", name="modules-a", exact=True).first
    visible(link)
    link.click()
    visible(page.get_by_role("heading", name="modules-a"))
    visible(page.get_by_text(MEASURED))
    page.get_by_role("tab", name="Model metrics").click()
    card = page.get_by_test_id("experiment-view-compare-runs-card").filter(has_text="train/loss")
    visible(card.locator(".scatterlayer .js-line"))
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"mlflow-{shown(database)}-run.png")
