"""Which of the wheels that lie ready on a machine the environment is made of."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools/wheel_fits"
HERE = f"cp{sys.version_info.major}{sys.version_info.minor}"
PLATFORM = sysconfig.get_platform().replace("-", "_").replace(".", "_")
OTHER = f"cp{sys.version_info.major}{sys.version_info.minor + 1}"


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("rich-13.0-py3-none-any.whl", True),
        (f"torch-2.13.0+cpu-{HERE}-{HERE}-{PLATFORM}.whl", True),
        (f"torch-2.13.0+cpu-{OTHER}-{OTHER}-{PLATFORM}.whl", False),
        (f"torch-2.13.0+cpu-{HERE}-{HERE}-win_arm64.whl", False),
        ("no wheel.whl", False),
        ("*.whl", False),  # what a shell gives of a folder without any
    ],
)
def test_a_wheel_is_taken_where_it_fits(name, fits):
    assert (subprocess.run([sys.executable, TOOL, f"/some/where/{name}"], check=False).returncode == 0) is fits
