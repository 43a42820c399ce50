"""The look inside, as a figure: colors of motion against known directions, and files that are none."""

from pathlib import Path

import numpy as np
import pytest

from ncfl.common.errors import InputError
from ncfl.report.intermediates import ARRAYS, flow_colors, read_inside


def test_the_hue_is_the_direction_and_the_saturation_the_length():
    right, down, half_left, none = (2.0, 0.0), (0.0, 2.0), (-1.0, 0.0), (0.0, 0.0)
    mv = np.array([right, down, half_left, none]).T[:, None]  # [2,1,4]
    found = flow_colors(mv, 2.0)[0]
    # Hue 0, 90 and 180 degrees of the color circle, by hand; half the saturation is halfway to white.
    np.testing.assert_allclose(found, [(1, 0, 0), (0.5, 1, 0), (0.5, 1, 1), (1, 1, 1)], atol=1e-6)


def test_longer_motion_than_the_scale_keeps_the_full_color():
    np.testing.assert_allclose(flow_colors(np.array([[[9.0]], [[0.0]]]), 2.0)[0, 0], (1, 0, 0))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", None])
def test_what_is_no_look_inside_is_named(tmp_path: Path, content: bytes | None):
    path = tmp_path / "a_inside.npz"
    if content is None:
        np.savez(path, **{key: np.zeros(3) for key in ARRAYS[1:]})
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"a_inside\.npz: expected the arrays attention, bits"):
        read_inside(path)


def test_no_object_is_unpickled(tmp_path: Path):
    path = tmp_path / "a_inside.npz"
    np.savez(path, **{key: np.array([{}], dtype=object) for key in ARRAYS})
    with pytest.raises(InputError, match="expected the arrays"):
        read_inside(path)
