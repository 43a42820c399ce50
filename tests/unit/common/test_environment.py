"""A program of a copied environment would run the original's code, so it ends with a line."""

import pytest

from ncfl.common.environment import refuse_a_copied_one
from ncfl.common.errors import InputError


@pytest.fixture
def two(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / ".venv/bin").mkdir(parents=True)
        (tmp_path / name / ".venv/pyvenv.cfg").touch()
    return tmp_path


def test_the_program_of_a_copy_is_refused(two):
    with pytest.raises(
        InputError, match=r"two/\.venv is a copy of the environment .*one/\.venv .*: rm -rf \.venv, then"
    ):
        refuse_a_copied_one(two / "two/.venv/bin/ncfl", two / "one/.venv")


def test_its_own_program_runs(two):
    refuse_a_copied_one(two / "one/.venv/bin/ncfl", two / "one/.venv")
    (two / "link").symlink_to(two / "one")
    refuse_a_copied_one(two / "link/.venv/bin/ncfl", two / "one/.venv")


def test_what_lies_in_no_environment_runs(two):
    refuse_a_copied_one(two / "bin/ncfl", two / "one/.venv")
    refuse_a_copied_one()
