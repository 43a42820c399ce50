"""The site of the documents: it builds without a warning, and its links follow documents that lie elsewhere."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location("site_hooks", ROOT / "tools" / "site_hooks.py")
site_hooks = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(site_hooks)

LINKS = {
    ("index.md", "[a](docs/python.md#look)"): "[a](python.md#look)",
    ("index.md", "![p](docs/images/shipped.png)"): "![p](images/shipped.png)",
    ("index.md", "[the license](LICENSE)"): "the license",
    ("pretrained.md", "[card](../pretrained/ncfl-half.md)"): "[card](pretrained/ncfl-half.md)",
    ("pretrained/ncfl-half.md", "[data](../docs/datasets.md)"): "[data](../datasets.md)",
    ("pretrained/starts/ncfl-half.md", "[card](../ncfl-half.md)"): "[card](../ncfl-half.md)",
    ("measured.md", "[starts](../pretrained/starts)"): "starts",
    ("measured.md", "[web](https://example.org/x)"): "[web](https://example.org/x)",
}


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_links_lead_to_pages_of_the_site(page, link):
    assert site_hooks.relinked(link, page) == LINKS[page, link]


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    page = (tmp_path / "site" / "index.html").read_text()
    assert "images/shipped.png" in page
    assert 'src="http' not in page  # nothing is fetched
    for every in ROOT.glob("docs/*.md"):
        assert (tmp_path / "site" / every.stem / "index.html").exists(), every.name
