"""The ISP: the sRGB standard's curve, exact demosaicing of what a linear filter reproduces, plug-ins kept in check."""

import cv2
import numpy as np
import pytest

from ncfl.common.errors import InputError
from ncfl.data import bayer
from ncfl.data.datasets.interface import RawFormat
from ncfl.data.isp import PlainISP, demosaic, load, srgb
from ncfl.data.synthetic import photographs
from ncfl.data.synthetic.sensor import EXPOSURE, linear, mosaic

PLAIN = {"gains": (1, 1, 1), "matrix": None}


def test_the_curve_is_the_standards():
    color = pytest.importorskip("skimage.color")
    light = np.linspace(0, 1, 513)
    white = color.rgb2xyz(np.ones((1, 1, 3)))[0, 0]
    expected = color.xyz2rgb(light[None, :, None] * white)[0, :, 0]
    assert srgb(light) == pytest.approx(expected, abs=1e-5)


def test_points_of_the_curve_by_hand():
    # IEC 61966-2-1: 12.92 x up to 0.0031308, then 1.055 x^(1/2.4) - 0.055.
    found = srgb(np.array([0, 0.002, 0.0031308, 0.25, 1.0]))
    assert found == pytest.approx([0, 0.02584, 0.0404499, 0.537099, 1], abs=1e-6)
    assert found.dtype == np.float32


def test_the_curve_undoes_the_sensors():
    levels = np.arange(256, dtype=np.uint8)
    assert srgb(linear(levels)) * 255 == pytest.approx(levels, abs=1e-3)


@pytest.mark.parametrize("pattern", bayer.PATTERNS)
def test_a_constant_color_is_exact(pattern):
    color = np.float32([0.2, 0.5, 0.7])
    values = np.empty((8, 10), np.float32)
    for place, name in enumerate(pattern):
        values[place // 2 :: 2, place % 2 :: 2] = color["rgb".index(name)]
    rgb = demosaic(values, pattern)
    assert rgb.shape == (8, 10, 3)
    assert rgb == pytest.approx(np.broadcast_to(color, rgb.shape), abs=1e-6)
    picture = PlainISP(**PLAIN, pattern=pattern)(bayer.pack(values, pattern))
    assert picture == pytest.approx(np.broadcast_to(srgb(color), rgb.shape), abs=1e-5)
    assert picture.dtype == np.float32


@pytest.mark.parametrize("pattern", bayer.PATTERNS)
def test_a_ramp_is_exact_inside(pattern):
    """Symmetric filters of sum 1 reproduce a gray ramp."""
    rows, columns = np.mgrid[:16, :20].astype(np.float32)
    ramp = 0.1 + 0.02 * rows + 0.015 * columns
    rgb = demosaic(ramp, pattern)
    assert rgb[2:-2, 2:-2] == pytest.approx(np.repeat(ramp[2:-2, 2:-2, None], 3, axis=2), abs=1e-6)


def test_every_filter_by_its_response_to_a_red_dot():
    """Figure 2 of Malvar, He and Cutler: what a lone red pixel adds around it, in eighths."""
    values = np.zeros((12, 12), np.float32)
    values[6, 6] = 8
    rgb = demosaic(values, "rggb")
    assert rgb[6, 6].tolist() == [8, 4, 6]
    assert rgb[6, 5].tolist() == [4, 0, 0]  # green beside it
    assert rgb[6, 4].tolist() == [0, -1, -1.5]  # the next red
    assert rgb[5, 6].tolist() == [4, 0, 0]  # green above it
    assert rgb[5, 5].tolist() == [2, 0, 0]  # blue, diagonally
    assert rgb[5, 7].tolist() == [2, 0, 0]
    assert rgb[4, 6].tolist() == [0, -1, -1.5]
    assert rgb[4, 4].tolist() == [0, 0, 0]


def test_every_filter_by_its_response_to_a_green_dot():
    """The same figure, in sixteenths, for a green pixel between reds."""
    values = np.zeros((12, 12), np.float32)
    values[6, 7] = 16
    rgb = demosaic(values, "rggb")
    assert rgb[6, 7].tolist() == [10, 16, 10]
    assert rgb[6, 5].tolist() == [-2, 0, 1]  # the next green in the row, its blues above and below
    assert rgb[4, 7].tolist() == [1, 0, -2]
    assert rgb[5, 6].tolist() == [-2, 0, -2]  # green, diagonally
    assert rgb[6, 6].tolist() == [0, 4, 0]  # red beside it: blue comes from corners and from reds


def test_demosaicing_beats_bilinear_on_photographs():
    for name in ("chelsea", "coffee", "motorcycle"):
        picture = next(iter(photographs.load([name]).values()))
        picture = cv2.resize(picture, (300, 200), interpolation=cv2.INTER_AREA)
        values = np.empty(picture.shape[:2], np.float32)
        for place, color in enumerate("gbrg"):
            part = np.s_[place // 2 :: 2, place % 2 :: 2]
            values[part] = picture[*part, "rgb".index(color)] / 255
        bilinear = cv2.cvtColor(np.rint(values * 65535).astype(np.uint16), cv2.COLOR_BayerGBRG2RGB) / 65535

        def error(rgb, picture=picture):
            return np.mean((rgb - picture / 255) ** 2)

        assert error(demosaic(values, "gbrg").clip(0, 1)) < 0.7 * error(bilinear)


def test_it_shows_what_the_sensor_saw():
    raw = RawFormat(pattern="gbrg", black=240, white=4095)
    smooth = np.uint8([[[40, 90, 160]]]) + np.mgrid[:32, :48][1][..., None].astype(np.uint8)
    packed = (bayer.pack(mosaic(smooth, raw), "gbrg") - 240) / 3855
    expected = srgb(EXPOSURE * linear(smooth))
    assert PlainISP()(packed)[2:-2, 2:-2] == pytest.approx(expected[2:-2, 2:-2], abs=2e-3)


def test_gains_and_matrix_by_hand():
    packed = np.broadcast_to(np.float32([0.1, 0.2, 0.3, 0.2]), (4, 4, 4))
    light = np.array([0.1 * 2, 0.2, 0.3 * 1.5])
    picture = PlainISP(gains=(2, 1, 1.5))(packed)
    assert picture == pytest.approx(np.broadcast_to(srgb(light), (8, 8, 3)), abs=1e-5)
    matrix = ((1.5, -0.5, 0), (-0.25, 1.5, -0.25), (0, 0.5, 0.5))
    picture = PlainISP(gains=(2, 1, 1.5), matrix=matrix)(packed)
    assert picture == pytest.approx(np.broadcast_to(srgb(np.array(matrix) @ light), (8, 8, 3)), abs=1e-5)


def test_noise_below_black_and_highlights_are_cut_off():
    packed = np.random.default_rng(0).uniform(-0.5, 1.5, (16, 16, 4)).astype(np.float32)
    picture = PlainISP()(packed)
    assert picture.min() >= 0
    assert picture.max() <= 1
    assert PlainISP()(np.ones((4, 4, 4), np.float32)) == pytest.approx(np.ones((8, 8, 3)), abs=1e-6)
    assert (PlainISP()(np.full((4, 4, 4), -0.1, np.float32)) == 0).all()


def test_it_is_deterministic_and_leaves_its_input_alone():
    packed = np.random.default_rng(1).random((20, 30, 4), dtype=np.float32)
    before = packed.copy()
    assert np.array_equal(PlainISP()(packed), PlainISP()(packed))
    assert np.array_equal(packed, before)


@pytest.mark.parametrize("gains", [(1, 1), (1, 0, 1), (1, -1, 1), (1, float("nan"), 1)])
def test_bad_gains_are_refused(gains):
    with pytest.raises(InputError, match="three positive numbers"):
        PlainISP(gains=gains)


@pytest.mark.parametrize(
    "matrix", [((1, 0, 0), (0, 1, 0)), ((1, 0), (0, 1), (0, 0)), ((1, 0, 0),) * 2 + ((0, 0, np.inf),)]
)
def test_bad_matrices_are_refused(matrix):
    with pytest.raises(InputError, match="three rows of three numbers"):
        PlainISP(matrix=matrix)


def test_bad_patterns_and_frames_are_refused():
    with pytest.raises(InputError, match=r"Bayer pattern: expected rggb, .*, got "):
        PlainISP(pattern="rgbg")
    for packed in (np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 4), np.uint16), np.zeros((1, 4, 4), np.float32)):
        with pytest.raises(ValueError, match="packed raw"):
            PlainISP()(packed)


PLUGIN = """
import numpy as np
value = 3
def good(packed):
    return np.full((2 * packed.shape[0], 2 * packed.shape[1], 3), 0.5)
def small(packed):
    return packed[..., :3]
def whole(packed):
    return np.zeros((2 * packed.shape[0], 2 * packed.shape[1], 3), np.uint8)
def bright(packed):
    return good(packed) * 255
def undefined(packed):
    return good(packed) * np.nan
def nothing(packed):
    return None
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    (tmp_path / "an_isp_of_mine.py").write_text(PLUGIN)
    (tmp_path / "broken_isp.py").write_text("import a_module_that_is_nowhere")
    monkeypatch.syspath_prepend(tmp_path)
    return "an_isp_of_mine"


def test_a_plugin_takes_its_place(plugin):
    picture = load(f"{plugin}:good")(np.zeros((3, 5, 4), np.float32))
    assert picture.shape == (6, 10, 3)
    assert picture.dtype == np.float32
    assert (picture == 0.5).all()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("small", r"expected it to return float \[6, 10, 3\] for raw \[3, 5, 4\], got float32 \[3, 5, 3\]"),
        ("whole", r"expected it to return float \[6, 10, 3\] .*, got uint8 \[6, 10, 3\]"),
        ("bright", r"expected it to return values in 0\.\.1, got 127\.5\.\.127\.5"),
        ("undefined", r"expected it to return values in 0\.\.1, got nan\.\.nan"),
        ("nothing", "expected it to return a NumPy array, got NoneType"),
    ],
)
def test_what_a_plugin_returns_is_checked(plugin, name, found):
    isp = load(f"{plugin}:{name}")
    with pytest.raises(InputError, match=found) as error:
        isp(np.zeros((3, 5, 4), np.float32))
    assert f"{plugin}:{name}" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("{}", "form package.module:function"),
        ("{}:", "form package.module:function"),
        (":good", "form package.module:function"),
        ("../{}:good", "form package.module:function"),
        ("{}:absent", "got 'absent', which it does not have"),
        ("{}:value", "expected a function, got value of type int"),
        ("no_such_isp:good", "can't be imported .*no_such_isp.*PYTHONPATH"),
        ("broken_isp:good", "can't be imported .*a_module_that_is_nowhere"),
    ],
)
def test_plugins_that_are_none_are_refused(plugin, spec, found):
    with pytest.raises(InputError, match=found) as error:
        load(spec.format(plugin))
    assert "\n" not in str(error.value)
