"""Prepared clips for the tests of this folder."""

import pytest
from helpers.protocol_samples import plain_store

from ncfl.data.store import ClipStore


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    return plain_store(tmp_path_factory.mktemp("store") / "set8")
