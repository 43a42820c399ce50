"""The evaluation protocol: noise, clamping, averaging, files. Figures come from numpy and scikit-image."""

import json
import math
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from helpers.protocol_samples import HEIGHT, LENGTHS, WIDTH, Recorder, frames, read_csv, run
from skimage.metrics import structural_similarity
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.data.degradations import noise_rng
from ncfl.data.store import ClipStore
from ncfl.data.store_writer import write_store
from ncfl.evaluate.protocol import write
from ncfl.methods.median.method import Median
from ncfl.methods.ncfl.method import NCFLMethod
from ncfl.methods.noisy import Noisy


class WindowMean:
    name, blind, channels, radius, border = "mean", True, None, 1, "reflect"

    def apply(self, window: Tensor, sigma: Tensor | None) -> Tensor:
        return window.mean(dim=1)


def noise(sequence: str, sigma: float, count: int) -> np.ndarray:
    rng = noise_rng(7, "set8", sequence, sigma)
    return np.stack([rng.standard_normal((HEIGHT, WIDTH, 3), dtype=np.float32) for _ in range(count)]) * sigma / 255


def test_fed_frames_are_clean_plus_seeded_noise_and_not_clipped(store: ClipStore):
    method = Recorder()
    run(method, store)
    first = [fed for fed, _, _ in method.fed[:5]]
    clean = np.stack(list(frames("long", 5))).astype(np.float32) / 255
    for b, sigma in enumerate((10, 50)):
        expected = clean + noise("long", sigma, 5)
        np.testing.assert_allclose([fed[b].transpose(1, 2, 0) for fed in first], expected, atol=1e-6)
    assert min(fed.min() for fed in first) < -0.1
    assert max(fed.max() for fed in first) > 1.1
    assert all(sigmas == [10, 50] for _, sigmas, _ in method.fed)


def test_state_starts_anew_with_each_sequence(store: ClipStore):
    method = Recorder()
    run(method, store)
    assert [state for _, _, state in method.fed] == [0, 1, 2, 3, 4, 0, 1, 0, 1, 2]


def test_figures_and_both_means_from_their_definitions(store: ClipStore):
    evaluation = run(Recorder(shift=0.1), store, sigmas=[25])
    psnrs, ssims = {}, {}
    for name, count in LENGTHS.items():
        clean = np.stack(list(frames(name, count))).astype(np.float64) / 255
        restored = np.clip(clean + noise(name, 25, count) + 0.1, 0, 1)
        psnrs[name] = [-10 * math.log10(np.mean((a - b) ** 2)) for a, b in zip(clean, restored, strict=True)]
        ssims[name] = [
            structural_similarity(
                a,
                b,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=1,
                channel_axis=-1,
            )
            for a, b in zip(clean, restored, strict=True)
        ]
    assert [row.psnr for row in evaluation.frames] == pytest.approx(list(chain(*psnrs.values())), abs=1e-4)
    assert [row.ssim for row in evaluation.frames] == pytest.approx(list(chain(*ssims.values())), abs=1e-5)
    of_sequences = [np.mean(values) for values in psnrs.values()]
    assert [row.psnr for row in evaluation.sequences] == pytest.approx(of_sequences, abs=1e-4)
    # Over sequences, not over all frames: the lengths differ, so the two means do.
    found = evaluation.summary["sigma"]["25"]
    assert found["psnr"] == pytest.approx(np.mean(of_sequences), abs=1e-4)
    assert found["psnr"] != pytest.approx(np.mean(list(chain(*psnrs.values()))), abs=1e-3)
    assert found["ssim"] == pytest.approx(np.mean([np.mean(values) for values in ssims.values()]), abs=1e-5)


def test_every_row_has_the_quality_of_its_input(store: ClipStore):
    noisy, shifted = run(Noisy(), store), run(Recorder(shift=0.1), store)
    for before, after in zip(noisy.frames, shifted.frames, strict=True):
        assert (before.psnr, before.ssim) == (before.input_psnr, before.input_ssim)
        assert after[-2:] == before[-2:]
        assert after.psnr < after.input_psnr
    for sigma in ("10", "50"):
        found, floor = shifted.summary["sigma"][sigma], noisy.summary["sigma"][sigma]
        assert (found["input_psnr"], found["input_ssim"]) == (floor["psnr"], floor["ssim"])


def test_a_window_methods_input_is_that_of_its_middle_frame(store: ClipStore):
    assert [row[-2:] for row in run(WindowMean(), store).frames] == [row[-2:] for row in run(Noisy(), store).frames]


def test_summary_states_what_was_evaluated(store: ClipStore):
    summary = run(Noisy(), store, max_frames=3).summary
    assert (summary["convention"], summary["space"]) == ("rgb", "rgb")
    assert "spaces" not in summary
    assert {key: summary[key] for key in ("source", "stand_in", "split", "sequences", "frames", "seed")} == {
        "source": "demo",
        "stand_in": True,
        "split": "test",
        "sequences": 3,
        "frames": 8,
        "seed": 7,
    }
    assert list(summary["sigma"]) == ["10", "50"]
    assert summary["sigma"]["10"]["psnr"] > summary["sigma"]["50"]["psnr"] > 10


def test_a_part_of_a_dataset_is_said_in_the_summary(tmp_path: Path):
    clips = {"test": [("tractor", frames("tractor", 2))]}
    details = {"source": "published", "stand_in": False, "splits": clips, "details": {}, "part": ["tractor"]}
    write_store(tmp_path / "part", dataset="set8", **details)
    assert run(Noisy(), ClipStore(tmp_path / "part")).summary["part"] == ["tractor"]


def test_max_frames_keeps_the_first_and_their_noise(store: ClipStore):
    whole, cut = run(Noisy(), store), run(Noisy(), store, max_frames=2)
    assert cut.frames == [row for row in whole.frames if row.frame < 2]
    assert {row.frames for row in cut.sequences} == {2}


@pytest.mark.parametrize("method", [Noisy(), Median(3), WindowMean()])
def test_noise_levels_alone_or_together_give_the_same(method: object, store: ClipStore):
    together = run(method, store, sigmas=[10, 30, 50])
    apart = run(method, store, sigmas=[10, 30, 50], pixels_per_pass=1)
    pairs = run(method, store, sigmas=[10, 30, 50], pixels_per_pass=2 * HEIGHT * WIDTH)
    alone = run(method, store, sigmas=[30])
    assert together.frames == apart.frames == pairs.frames
    assert alone.frames == [row for row in together.frames if row.sigma == 30]
    assert [(row.frame, row.sigma) for row in together.frames[:4]] == [(0, 10), (0, 30), (0, 50), (1, 10)]


def test_a_window_method_is_compared_with_the_right_frame(store: ClipStore):
    class Middle(WindowMean):
        def apply(self, window: Tensor, sigma: Tensor | None) -> Tensor:
            return window[:, 1]

    assert run(Middle(), store).frames == run(Noisy(), store).frames


def test_noise_depends_on_seed_and_dataset(store: ClipStore):
    here = run(Noisy(), store)
    assert run(Noisy(), store).frames == here.frames
    assert run(Noisy(), store, seed=8).frames[0].psnr != here.frames[0].psnr
    assert run(Noisy(), store, dataset="davis").frames[0].psnr != here.frames[0].psnr


def test_clean_evaluation(store: ClipStore):
    method = Recorder()
    evaluation = run(method, store, sigmas=[0])
    np.testing.assert_array_equal(
        method.fed[0][0][0].transpose(1, 2, 0), next(frames("long", 1)).astype(np.float32) / np.float32(255)
    )
    assert evaluation.summary["sigma"] == {"0": {"psnr": 100.0, "ssim": 1.0, "input_psnr": 100.0, "input_ssim": 1.0}}
    shifted = run(Recorder(shift=10.0), store, sigmas=[0])
    assert all(math.isfinite(row.psnr) for row in shifted.frames)


def test_trained_model_alone_or_in_a_batch(store: ClipStore):
    from ncfl.models.variants import m_f

    torch.manual_seed(0)
    model = m_f(unet_widths=(8, 8, 8, 8, 8), feature_width=8, flow_width=0.125, mv_width=8, latent_width=8)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    method = NCFLMethod(model)
    together = run(method, store, sigmas=[10, 30, 50], max_frames=3)
    apart = run(method, store, sigmas=[10, 30, 50], max_frames=3, pixels_per_pass=1)
    assert [row.psnr for row in together.frames] == pytest.approx([row.psnr for row in apart.frames], abs=1e-4)
    assert [row.ssim for row in together.frames] == pytest.approx([row.ssim for row in apart.frames], abs=1e-6)
    assert together.frames[0].psnr != run(Noisy(), store, sigmas=[10]).frames[0].psnr


def test_files(store: ClipStore, tmp_path: Path):
    keep = {
        "set8": {"sequence": "short", "frame": 1, "sigma": 50},
        "elsewhere": {"sequence": 0, "frame": 0, "sigma": 1},
    }
    evaluations = [run(Median(3), store, keep=keep), run(Median(3), store, dataset="davis", sigmas=[0, 12.5])]
    summary = write(evaluations, tmp_path / "evaluation", experiment="median-3x3")
    assert json.loads((tmp_path / "evaluation/summary.json").read_text()) == summary
    assert (summary["experiment"], summary["method"]) == ("median-3x3", "median-3x3")
    assert list(summary["datasets"]) == ["set8", "davis"]
    assert list(summary["datasets"]["davis"]["sigma"]) == ["0", "12.5"]
    assert {"noise", "input", "psnr", "ssim", "mean", "compared"} == set(summary["conventions"])
    assert summary["conventions"]["compared"] == {"rgb": {"rgb": "clamped to [0,1], not rounded"}}
    strongest = [row for row in evaluations[0].sequences if row.sigma == 50]
    assert json.loads((tmp_path / "evaluation/metrics.json").read_text()) == {
        "dataset": "set8",
        "sigma": 50,
        "psnr": pytest.approx(np.mean([row.psnr for row in strongest]), abs=1e-4),
        "ssim": pytest.approx(np.mean([row.ssim for row in strongest]), abs=1e-6),
    }

    rows = read_csv(tmp_path / "evaluation/frames.csv")
    assert list(rows[0]) == [
        "dataset",
        "sequence",
        "frame",
        "sigma",
        "space",
        "psnr",
        "ssim",
        "input_psnr",
        "input_ssim",
    ]
    assert len(rows) == 2 * 2 * sum(LENGTHS.values())
    exact = evaluations[0].frames[0]
    assert rows[0] == {
        "dataset": "set8",
        "sequence": "long",
        "frame": "0",
        "sigma": "10",
        "space": "rgb",
        "psnr": f"{exact.psnr:.4f}",
        "ssim": f"{exact.ssim:.6f}",
        "input_psnr": f"{exact.input_psnr:.4f}",
        "input_ssim": f"{exact.input_ssim:.6f}",
    }
    rows = read_csv(tmp_path / "evaluation/sequences.csv")
    assert [(row["dataset"], row["sequence"], row["frames"], row["sigma"]) for row in rows[:3]] == [
        ("set8", "long", "5", "10"),
        ("set8", "long", "5", "50"),
        ("set8", "short", "2", "10"),
    ]


def test_kept_images(store: ClipStore, tmp_path: Path):
    keep = {"set8": {"sequence": 1, "frame": 1, "sigma": 50}}
    method = Recorder(shift=0.2)
    for output in ("first", "second"):
        write([run(method, store, keep=keep)], tmp_path / output, experiment="e")
    folder = tmp_path / "first/examples/set8"
    names = {"short_1_clean.png", "short_1_sigma50_input.png", "short_1_sigma50.png"}
    assert {path.name for path in folder.iterdir()} == names
    clean = list(frames("short", 2))[1]
    noisy = clean.astype(np.float64) / 255 + noise("short", 50, 2)[1]
    expected = {
        "short_1_clean.png": clean,
        "short_1_sigma50_input.png": np.clip(noisy, 0, 1) * 255,
        "short_1_sigma50.png": np.clip(noisy + 0.2, 0, 1) * 255,
    }
    for name, image in expected.items():
        found = cv2.imread(str(folder / name))[..., ::-1]
        assert np.abs(found - image.astype(np.float64)).max() <= 0.5001, name


def test_equal_runs_write_equal_bytes(store: ClipStore, tmp_path: Path):
    keep = {"set8": {"sequence": 0, "frame": 0, "sigma": 10}}
    for output in ("first", "second"):
        write([run(Median(5), store, keep=keep)], tmp_path / output, experiment="e")
    written = [
        {path.relative_to(tmp_path / output): path.read_bytes() for path in (tmp_path / output).rglob("*.*")}
        for output in ("first", "second")
    ]
    assert written[0] == written[1]
    assert len(written[0]) == 7


def test_writing_again_leaves_no_old_images(store: ClipStore, tmp_path: Path):
    for frame in (0, 1):
        keep = {"set8": {"sequence": "long", "frame": frame, "sigma": 10}}
        write([run(Noisy(), store, keep=keep)], tmp_path, experiment="e")
    assert {path.name.split("_")[1] for path in (tmp_path / "examples/set8").iterdir()} == {"1"}


def test_an_example_at_a_noise_level_not_evaluated_is_left_out(store: ClipStore, tmp_path: Path):
    keep = {"set8": {"sequence": "long", "frame": 0, "sigma": 30}}
    evaluation = run(Noisy(), store, keep=keep)
    assert evaluation.examples == {}
    write([evaluation], tmp_path, experiment="e")
    assert list((tmp_path / "examples").iterdir()) == []


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"split": "val"}, "val"),
        ({"sigmas": []}, "sigmas"),
        ({"sigmas": [10, 10]}, r"expected distinct sigmas in 0..255, got \[10.0, 10.0\]"),
        ({"sigmas": [-1]}, "sigmas"),
        ({"sigmas": [float("nan")]}, "sigmas"),
        ({"max_frames": 0}, "max_frames: expected 1 or more, got 0"),
        (
            {"keep": {"set8": {"sequence": "none", "frame": 0, "sigma": 10}}},
            "expected sequence 0..2 or long, short, .*, got 'none'",
        ),
        ({"keep": {"set8": {"sequence": 3, "frame": 0, "sigma": 10}}}, "expected sequence 0..2 or .*, got 3"),
        (
            {"keep": {"set8": {"sequence": "short", "frame": 2, "sigma": 10}}},
            "expected frame 0..1 of short, got 2",
        ),
    ],
)
def test_refuses(other: dict[str, object], message: str, store: ClipStore):
    with pytest.raises(InputError, match=message):
        run(Noisy(), store, **other)


def test_refuses_channels_that_the_method_does_not_take(store: ClipStore):
    method = Recorder()
    method.channels = 4
    with pytest.raises(InputError, match="clip long: expected 4 channels, which recorder takes, got 3"):
        run(method, store)


def test_refuses_frames_smaller_than_the_ssim_window(tmp_path: Path):
    small = [("small", [np.zeros((8, 40, 3), np.uint8)])]
    write_store(tmp_path / "s", dataset="s", source="demo", stand_in=True, splits={"test": small}, details={})
    with pytest.raises(InputError, match="expected at least 11 pixels in height and width, for SSIM, got 8 x 40"):
        run(Noisy(), ClipStore(tmp_path / "s"))


def test_refuses_to_write_two_methods_into_one_folder(store: ClipStore, tmp_path: Path):
    with pytest.raises(ValueError, match="one method"):
        write([run(Noisy(), store), run(Median(3), store)], tmp_path, experiment="e")
