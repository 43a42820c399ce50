"""A server on loopback for the tests of this folder, and downloads from it."""

import pytest
from helpers.http_server import HttpServer

from ncfl.data.transport.download import download


@pytest.fixture
def server():
    with HttpServer() as running:
        yield running


@pytest.fixture
def get(tmp_path):
    """Downloads to ``<tmp_path>/a.zip`` without waiting; ``get.waits`` are the waits there would have been."""
    waits = []

    def run(address, **settings):
        settings = {"timeout": (10.0, 10.0), "sleep": waits.append, "attempts": 3, **settings}
        return download(address, tmp_path / "a.zip", **settings)

    run.waits, run.target, run.part = waits, tmp_path / "a.zip", tmp_path / "a.zip.part"
    return run
