"""Made-up results for the tests of this folder."""

from pathlib import Path

import pytest
from helpers.report_samples import write_results


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_results(tmp_path / "results")
