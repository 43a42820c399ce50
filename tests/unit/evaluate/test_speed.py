"""How fast parts of a clip move: known shifts fall into their ranges."""

import cv2
import numpy as np

from ncfl.evaluate.speed import motion_of_each_frame, range_of, ranges


def test_ranges_are_named_by_their_edges():
    assert ranges() == ["0 to 1 px", "1 to 3 px", "3 to 12 px", "12 to 24 px", "above 24 px"]


def test_known_motion_falls_into_its_range():
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.integers(0, 256, (96, 200, 3), dtype=np.uint8), (0, 0), 3)
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
    lefts = np.cumsum([0, 0, 2, 5])  # 0, 2 and 5 pixels from one frame to the next
    motions = motion_of_each_frame([picture[:, left : left + 160] for left in lefts], first=1)
    found = [range_of(motion) for motion in motions]
    assert len(found) == 3
    for number, (where, expected) in enumerate(zip(found, (0, 1, 2), strict=True)):
        assert where.dtype == np.uint8
        assert where.shape == (96, 160)
        assert (where == expected).mean() > 0.9, number
    assert len(motion_of_each_frame([picture, picture, picture], first=2)) == 1
