"""Shipped weights measured on clips: figures against scikit-image's, the worth of memory, resumption, the card."""

import json
import statistics
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from helpers.shipped_samples import TINY
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.evaluate import nlm
from ncfl.evaluate import quality as measuring
from ncfl.models import variants
from ncfl.release.command import main
from ncfl.release.curve import smoothed
from ncfl.release.export import export
from ncfl.train.restoration import write_history
from ncfl.weights import checkpoint
from ncfl.weights.shipped import Weights, find

SEED = 3


def stirred(model: torch.nn.Module) -> torch.nn.Module:
    """With other weights than a training begins with: the last layer's zeros make that one the identity."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    folder = tmp_path / "moving"
    folder.mkdir()
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8), (0, 0), 2)
    for t in range(7):
        cv2.imwrite(str(folder / f"{t:05d}.png"), picture[4 : 4 + 32, t : t + 48])
    return folder


@pytest.fixture
def weights(tmp_path: Path) -> Weights:
    torch.manual_seed(0)
    checkpoint.save(tmp_path / "c.pt", model=stirred(variants.m_f(**TINY)), extra={})
    texts = {"description": "tiny", "licence": "MIT"}
    done = export(checkpoint=tmp_path / "c.pt", name="tiny", folder=tmp_path / "w", sigma=[0, 55], **texts)
    return find(str(done.path))


def measured(weights: Weights, clip: Path, tmp_path: Path, **changes: object) -> dict:
    given = {
        "weights": weights,
        "clips": [clip],
        "sigmas": [30.0],
        "frames": 7,
        "seed": SEED,
        "cache": tmp_path / "k.json",
    }
    return measuring.measure(**given | {"say": lambda text: None} | changes)


def test_figures_are_those_of_scikit_image(weights: Weights, clip: Path, tmp_path: Path):
    found = measured(weights, clip, tmp_path)["clips"]["moving"]
    footage = measuring.read_clip(clip, 7)
    noisy = list(measuring.noisy_frames(footage, 30.0, SEED))
    restored = {
        "noisy": noisy,
        "median 5x5": [
            np.dstack([cv2.medianBlur(np.ascontiguousarray(f[..., c]), 5) for c in range(3)]) for f in noisy
        ],
        "non-local means": nlm.denoise(noisy, 18.0),
    }
    for method, frames in restored.items():
        for t, frame in enumerate(frames):
            clean, image = footage.frames[t] / 255, np.clip(frame.astype(np.float64), 0, 1)
            kind = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
            of_method = found["levels"]["30"][method]
            assert of_method["psnr"][t] == pytest.approx(peak_signal_noise_ratio(clean, image, data_range=1), abs=2e-4)
            ssim = structural_similarity(clean, image, channel_axis=2, **kind)
            assert of_method["ssim"][t] == pytest.approx(ssim, abs=1e-4)
    assert (found["frames"], found["height"], found["width"]) == (7, 32, 48)


def test_noise_leaves_the_range_of_the_frames(clip: Path):
    noisy = np.stack(list(measuring.noisy_frames(measuring.read_clip(clip, 7), 50.0, SEED)))
    clean = np.stack(measuring.read_clip(clip, 7).frames) / 255
    assert noisy.min() < 0
    assert (noisy - clean).std() * 255 == pytest.approx(50, rel=0.03)


def test_kinds_of_noise_are_the_same_noise_as_files_hold_it(clip: Path):
    footage = measuring.read_clip(clip, 3)
    ideal, file = (list(measuring.noisy_frames(footage, 50.0, SEED, kind)) for kind in ("unclipped", "clipped"))
    for one, other in zip(ideal, file, strict=True):
        np.testing.assert_allclose(np.clip(np.round(255 * one), 0, 255), 255 * other, atol=1e-4)
    gray = measuring.in_kind(footage, "gray")
    red, green, blue = footage.frames[0][..., 0], footage.frames[0][..., 1], footage.frames[0][..., 2]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue  # BT.601
    for channel in range(3):
        np.testing.assert_allclose(gray.frames[0][..., channel], luma, atol=0.51)
    for clean, noisy in zip(gray.frames, measuring.noisy_frames(gray, 20.0, SEED, "gray"), strict=True):
        assert (noisy[..., :1] == noisy).all()
        inside = (clean > 80) & (clean < 175)  # hardly anything is clipped there
        assert (255 * noisy - clean)[inside].std() == pytest.approx(20, rel=0.08)


def test_figures_by_motion_add_up_to_the_psnr(weights: Weights, clip: Path, tmp_path: Path):
    found = measured(weights, clip, tmp_path, with_nlm=False, kinds=["clipped", "gray"])["clips"]["moving"]
    assert list(found["kinds"]) == ["clipped", "gray"]
    for levels in (found["levels"], *found["kinds"].values()):
        for of_method in levels["30"].values():
            squares = [10 ** (-psnr / 10) for psnr in of_method["psnr"][measuring.SETTLED :]]
            parts = of_method["by_motion"].values()
            assert sum(pixels for _, pixels in parts) == 2 * 32 * 48
            mean = sum(square * pixels for square, pixels in parts) / (2 * 32 * 48)
            assert mean == pytest.approx(statistics.fmean(squares), rel=1e-4)
        assert next(iter(levels["30"])) == "noisy"
    assert list(found["kinds"]["gray"]["30"]) == ["noisy", "without memory", "tiny"]


def test_the_worth_by_motion_is_a_ratio_of_squared_errors():
    levels = {
        "30": {
            "net": {"by_motion": {"1 to 3 px": [0.001, 7]}},
            "without memory": {"by_motion": {"1 to 3 px": [0.002, 7]}},
        }
    }
    assert measuring.worth_by_motion(levels, "net") == {"30": {"1 to 3 px": pytest.approx(3.0103, abs=1e-4)}}
    assert measuring.worth_by_motion({"30": {"net": {"by_motion": {"1 to 3 px": [0.001, 7]}}}}, "net") == {}


class Summing:
    """Gives the mean of all frames so far: what it does at frame t is known exactly."""

    name, blind, channels = "summing", True, None

    def step(self, frame: Tensor, state: tuple | None, sigma: Tensor | None) -> tuple[Tensor, tuple]:
        total, count = state or (0, 0)
        return (total + frame) / (count + 1), (total + frame, count + 1)


def test_without_memory_every_frame_is_the_first():
    frames = list(torch.rand(4, 1, 3, 16, 16))
    method = measuring.WithoutMemory(Summing())
    for frame, restored in zip(frames, measuring.stream(method, frames), strict=True):
        torch.testing.assert_close(restored, frame, rtol=0, atol=0)


def test_a_network_differs_from_itself_without_memory_after_the_first_frame(
    weights: Weights, clip: Path, tmp_path: Path
):
    levels = measured(weights, clip, tmp_path)["clips"]["moving"]["levels"]
    own, reset = levels["30"]["tiny"]["psnr"], levels["30"][measuring.WITHOUT_MEMORY]["psnr"]
    assert own[0] == reset[0]
    assert own[1:] != reset[1:]


def test_the_gain_is_the_mean_difference_from_the_fifth_frame_on():
    net, reset = [20.0, 1, 2, 3, 4, 26.0, 28.0], [20.0, 0, 0, 0, 0, 25.0, 25.0]
    psnr = {"net": net, "without memory": reset, "median 5x5": [18.0] * 7}
    levels = {"30": {name: {"psnr": values} for name, values in psnr.items()}}
    assert measuring.temporal_gain(levels, "net") == {
        "30": {
            "first": 20.0,
            "settled": 27.0,
            "over without memory first": 0.0,
            "over without memory settled": 2.0,
            "over median 5x5 first": 2.0,
            "over median 5x5 settled": 9.0,
        }
    }
    short = {"30": {"net": {"psnr": [1.0] * 5}}}
    assert measuring.temporal_gain(short, "net") == {}


def test_nothing_is_measured_twice(weights: Weights, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = measured(weights, clip, tmp_path)
    calls = []
    real = measuring.quality
    monkeypatch.setattr(measuring, "quality", lambda *given: calls.append(given) or real(*given))
    assert measured(weights, clip, tmp_path) == first
    assert calls == []
    measured(weights, clip, tmp_path, sigmas=[30.0, 10.0])
    assert {sigma for _, _, sigma, *_ in calls} == {10.0}
    count = len(calls)
    measured(weights, clip, tmp_path, frames=6)  # another clip, by its content
    assert len(calls) == 2 * count


def test_other_weights_of_the_same_name_are_measured_again(weights: Weights, clip: Path, tmp_path: Path):
    measured(weights, clip, tmp_path, with_nlm=False)
    before = json.loads((tmp_path / "k.json").read_text())["figures"]
    torch.manual_seed(1)
    checkpoint.save(tmp_path / "d.pt", model=variants.m_f(**TINY), extra={})
    texts = {"description": "tiny", "licence": "MIT"}
    other = export(checkpoint=tmp_path / "d.pt", name="tiny", folder=tmp_path / "w", sigma=[0, 55], **texts)
    measured(find(str(other.path)), clip, tmp_path, with_nlm=False)
    after = json.loads((tmp_path / "k.json").read_text())["figures"]
    assert len(after) - len(before) == 2  # the network with and without memory


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"sigmas": []}, "sigmas: expected .*, got"),
        ({"sigmas": [30.0, 30.0]}, "sigmas: expected .*, got"),
        ({"sigmas": [-1.0]}, "sigmas: expected .*, got"),
        ({"frames": 0}, "frames: expected .*, got"),
        ({"kinds": ["blue"]}, r"kinds: expected distinct ones of clipped, gray, camera, compressed, got \['blue'\]"),
        ({"clips": [Path("nowhere")]}, "nowhere: no such file"),
    ],
)
def test_bad_input_is_refused(weights: Weights, clip: Path, tmp_path: Path, changes: dict, found: str):
    with pytest.raises(InputError, match=found):
        measured(weights, clip, tmp_path, **changes)


def test_two_clips_of_one_name_are_refused(weights: Weights, clip: Path, tmp_path: Path):
    with pytest.raises(InputError, match="expected clips of different names, got a second 'moving'; rename one"):
        measured(weights, clip, tmp_path, clips=[clip, clip], with_nlm=False)


def test_non_local_means_restores_each_frame_in_its_place():
    rng = np.random.default_rng(0)
    ramp = np.linspace(0.2, 0.8, 48, dtype=np.float32)[None, :, None] * np.ones((32, 1, 3), np.float32)
    clean = [ramp * np.float32([1, 0.7, 0.4]) * (0.6 + 0.1 * t) for t in range(4)]
    noisy = [f + rng.normal(0, 20 / 255, f.shape).astype(np.float32) for f in clean]
    restored = nlm.denoise(noisy, nlm.strength(20))
    for t in range(4):
        errors = [np.abs(restored[t] - other).mean() for other in clean]
        assert int(np.argmin(errors)) == t
        assert errors[t] < 0.6 * np.abs(np.clip(noisy[t], 0, 1) - clean[t]).mean()
    assert nlm.denoise(noisy[:1], 12.0)[0].shape == (32, 48, 3)


def trained_folder(root: Path) -> Path:
    """As the pipeline leaves it, at the smallest."""
    for stage, iterations in (("stage1", 20), ("stage2", 30)):
        folder = root / "results" / "experiments" / "tiny-davis" / stage
        extra = {"dataset": "davis", "training": {"batch": 2, "lambda_": 1 / 2048, "seed": 5}}
        checkpoint.save(folder / "checkpoint.pt", model=variants.m_f(**TINY), extra=extra)
        metrics = {"iterations": iterations, "psnr": 25.5, "averaged_iterations": 10}
        (folder / "metrics.json").write_text(json.dumps(metrics))
        write_history(folder / "history.csv", [(i, {"loss": 0.01 / i, "psnr": 20.0 + i}) for i in (10, 20)])
        record = {
            "figures": {"seconds": 3600.0},
            "machine": {"system": "Linux", "machine": "m", "cpus": 2},
            "versions": {},
        }
        (root / "results" / "runs").mkdir(exist_ok=True)
        (root / "results" / "runs" / f"tiny-davis-train-{stage}.json").write_text(json.dumps(record))
    (root / "results" / "runs" / "pretrain-flow.json").write_text(json.dumps({"figures": {"seconds": 1800.0}}))
    (root / "results" / "flow").mkdir()
    (root / "results" / "flow" / "metrics.json").write_text(json.dumps({"epe": 1.5, "epe_zero": 2.75}))
    (root / "data" / "prepared" / "davis").mkdir(parents=True)
    sizes = {"frames": 50, "height": 320, "width": 569}
    clips = [{"name": "blackswan", "split": "train", **sizes}, {"name": "judo", "split": "test", **sizes}]
    (root / "data" / "prepared" / "davis" / "manifest.json").write_text(json.dumps({"clips": clips}))
    return root


def test_the_card_and_its_figures(weights: Weights, clip: Path, tmp_path: Path):
    run = trained_folder(tmp_path / "run")
    words = ["card", str(weights.path), "--run", str(run), "--clip", str(clip), "--sigmas", "30", "10", "--frames", "6"]
    words += ["--seed", str(SEED), "--cache", str(tmp_path / "k.json"), "--images", str(tmp_path / "images")]
    assert main(words) == 0
    facts = json.loads((tmp_path / "w" / "tiny.json").read_text())
    assert (facts["hours"], facts["device"]) == (2.5, "2 CPU cores (Linux, m)")
    assert facts["parameters"] == sum(p.numel() for p in variants.m_f(**TINY).parameters())
    assert [c["name"] for c in facts["training"]["clips"]] == ["blackswan"]
    assert facts["training"]["stages"]["stage2"]["iterations"] == 30
    means = facts["clips"]["moving"]["means"]
    methods = ["noisy", "median 3x3", "median 5x5", "non-local means", "without memory", "tiny"]
    assert {level: list(found) for level, found in means.items()} == {"30": methods, "10": methods}
    exact = measured(weights, clip, tmp_path, frames=6)["clips"]["moving"]["levels"]["30"]["tiny"]["psnr"]
    assert means["30"]["tiny"]["psnr"] == pytest.approx(statistics.fmean(exact), abs=6e-4)
    text = (tmp_path / "w" / "tiny.md").read_text()
    assert f"{means['30']['tiny']['psnr']:.2f} / " in text
    assert "published, Set8" in text
    assert "end-point error 1.50 pixels on held-out synthetic pairs (zero motion: 2.75)" in text
    assert "Hours: 2.50, motion estimation included." in " ".join(text.split())
    of_files = facts["clips"]["moving"]["kinds"]["gray"]["means"]["10"]
    row = f"| moving | 10 | {means['10']['tiny']['psnr']:.2f} | gray | {of_files['noisy']['psnr']:.2f} | "
    assert row + f"{of_files['tiny']['psnr']:.2f} | " in text
    assert text.count("| moving | gray | ") == 4  # by motion and in steadiness, at either level
    steady = facts["clips"]["moving"]["steadiness"]["30"]
    assert abs(steady["noisy"]) < 0.05  # new in every frame
    assert steady["median 5x5"] > steady["noisy"] + 0.05  # which blurs the scene too
    assert f"| moving | unclipped | 30 | {steady['tiny']:.2f} | " in text
    assert "](../images/tiny-curve.png)" in text
    assert cv2.imread(str(tmp_path / "images" / "tiny-curve.png")) is not None
    assert str(tmp_path) not in text + json.dumps(facts)  # no folder of this machine


def test_motion_estimation_that_was_trained_before_is_not_counted(weights: Weights, clip: Path, tmp_path: Path):
    run = trained_folder(tmp_path / "run")
    (run / "results/flow/metrics.json").unlink()
    (run / "results/runs/pretrain-flow.json").unlink()
    words = ["card", str(weights.path), "--run", str(run), "--clip", str(clip), "--sigmas", "30", "--frames", "2"]
    words += [
        "--hours",
        "2",
        "--no-nlm",
        "--kinds",
        "--cache",
        str(tmp_path / "k.json"),
        "--images",
        str(tmp_path / "images"),
    ]
    assert main(words) == 0
    text = " ".join((tmp_path / "w" / "tiny.md").read_text().split())
    assert "| motion estimation | from weights trained before |" in text
    assert "Hours: 2.00. Device:" in text


def test_without_a_record_the_card_says_so(weights: Weights, clip: Path, tmp_path: Path):
    words = ["card", str(weights.path), "--clip", str(clip), "--sigmas", "30", "--frames", "2", "--no-nlm"]
    assert main([*words, "--cache", str(tmp_path / "k.json"), "--images", str(tmp_path / "i")]) == 0
    text = (tmp_path / "w" / "tiny.md").read_text()
    assert "No record of the training" in text
    assert "Non-local" not in text
    assert "how fast" not in text
    assert "memory is worth" not in text  # two frames say nothing about it


def test_a_folder_without_a_training_is_refused(
    weights: Weights, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    assert main(["card", str(weights.path), "--run", str(tmp_path), "--clip", str(clip)]) == 2
    assert "experiment: expected none, got None" in capsys.readouterr().err


def test_the_curve_is_smoothed_over_what_there_is():
    assert smoothed([1.0, 2.0, 6.0, 7.0], around=1) == [1.5, 3.0, 5.0, 6.5]
