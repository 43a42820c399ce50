"""A server on loopback for the tests of this folder."""

import pytest
from helpers.http_server import HttpServer


@pytest.fixture
def server():
    with HttpServer() as running:
        yield running
