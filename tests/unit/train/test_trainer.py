"""The loop: what it learns, logs and writes, when the rate term enters, and when it stops."""

import csv
import json
import math

import pytest
import torch
from helpers.train_samples import Sampler, Silent, made, numbers, run, small_ncfl, tiny

from ncfl.common.errors import InputError
from ncfl.models.variants import ncfl_adapq
from ncfl.train import trainer
from ncfl.train.config import two_stages
from ncfl.train.prefetch import prefetched
from ncfl.weights import checkpoint
from ncfl.weights.checkpoint import load


def weights(folder, stage="stage1"):
    return load(folder / stage / "checkpoint.pt").state


def test_loss_falls_and_beats_the_noisy_input(tmp_path):
    training = numbers(stages=two_stages(120, 0), average_over=20, lambda_=0.0)
    result = run(tmp_path, training)
    noise = -20 * math.log10(25 / 255)  # 20.2 dB
    assert result.metrics["psnr"] > noise + 1.5


def test_two_runs_write_the_same_bytes(tmp_path):
    run(tmp_path / "a")
    torch.rand(7)  # a generator in another state must not matter
    run(tmp_path / "b", numbers(workers=3))
    for name in ("checkpoint.pt", "metrics.json", "history.csv"):
        assert (tmp_path / "a/stage1" / name).read_bytes() == (tmp_path / "b/stage1" / name).read_bytes()


def test_stage_after_stage_is_one_training(tmp_path):
    # Without a rate term the stages differ in nothing, so the seam must not show.
    run(tmp_path / "whole", numbers(stages=two_stages(10, 0), lambda_=0.0))
    training = numbers(stages=two_stages(6, 4), lambda_=0.0)
    run(tmp_path / "parts", training)
    sampler = Sampler()
    before = load(tmp_path / "parts/stage1/checkpoint.pt")
    run(tmp_path / "parts", training, stage=1, initial=before, model=tiny(seed=9), sampler=sampler)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts", "stage2")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert set(sampler.asked) == {6, 7, 8, 9}


def test_rate_term_enters_in_stage_1_only(tmp_path):
    def after(stage, lambda_):
        training = numbers(stages=two_stages(4, 4), lambda_=lambda_)
        if stage == 0:
            run(tmp_path / f"{lambda_}", training)
            return weights(tmp_path / f"{lambda_}")
        zero = numbers(stages=two_stages(4, 4), lambda_=0.0)
        run(tmp_path / f"from-{lambda_}", zero)
        before = load(tmp_path / f"from-{lambda_}" / "stage1/checkpoint.pt")
        run(tmp_path / f"from-{lambda_}", training, stage=1, initial=before)
        return weights(tmp_path / f"from-{lambda_}", "stage2")

    assert not torch.equal(after(0, 0.0)["features.weight"], after(0, 1.0)["features.weight"])
    assert torch.equal(after(1, 0.0)["features.weight"], after(1, 1.0)["features.weight"])


def test_metrics_say_what_the_loss_is_made_of(tmp_path):
    training = numbers(lambda_=0.5)
    first = run(tmp_path, training).metrics
    assert first["loss"] == pytest.approx(first["l2"] + 0.5 * first["bits_per_pixel"], rel=1e-5)
    second = run(tmp_path, training, stage=1, initial=load(tmp_path / "stage1/checkpoint.pt")).metrics
    assert second["loss"] == second["l2"]
    assert second["bits_per_pixel"] > 0
    assert (second["iterations"], second["iterations_in_all"], second["averaged_iterations"]) == (6, 12, 5)
    assert second["parameters"] == sum(p.numel() for p in tiny().parameters())
    assert json.loads((tmp_path / "stage2/metrics.json").read_text()) == second


def test_motion_rests_until_its_iteration(tmp_path):
    initial = tiny().state_dict()
    run(tmp_path / "all", numbers(freeze_motion=6))
    assert torch.equal(weights(tmp_path / "all")["motion.weight"], initial["motion.weight"])
    run(tmp_path / "but-one", numbers(freeze_motion=5))
    assert not torch.equal(weights(tmp_path / "but-one")["motion.weight"], initial["motion.weight"])
    assert not torch.equal(weights(tmp_path / "all")["frame.weight"], initial["frame.weight"])


def test_freezing_counts_over_both_stages(tmp_path):
    training = numbers(freeze_motion=10)
    run(tmp_path, training)
    run(tmp_path, training, stage=1, initial=load(tmp_path / "stage1/checkpoint.pt"))
    still, moved = weights(tmp_path)["motion.weight"], weights(tmp_path, "stage2")["motion.weight"]
    assert torch.equal(still, tiny().state_dict()["motion.weight"])
    assert not torch.equal(moved, still)


def test_log_and_progress(tmp_path):
    logged = []
    training = numbers(grad_clip=1e-3)
    run(tmp_path, training, log=lambda step, values: logged.append((step, values)))
    before = load(tmp_path / "stage1/checkpoint.pt")
    run(tmp_path, training, stage=1, initial=before, log=lambda step, values: logged.append((step, values)))
    assert [step for step, _ in logged] == [4, 6, 10, 12]  # every 4 iterations of a stage, and its last
    assert set(logged[0][1]) == {
        "loss",
        "l2",
        "bits_per_pixel",
        "psnr",
        "gradient_norm",
        "learning_rate",
        "motion_learning_rate",
    }
    assert logged[0][1]["learning_rate"] == pytest.approx(training.rates(3)["rest"])
    assert logged[2][1]["motion_learning_rate"] == pytest.approx(training.rates(9)["motion"])
    assert logged[0][1]["gradient_norm"] > 1e-3  # as it was before clipping

    bar = made[-1]
    assert (bar.total, bar.label, bar.start) == (6, "stage2", 0)
    assert [step for step, _ in bar.shown] == [1, 2, 3, 4, 5, 6]
    assert set(bar.shown[0][1]) == {"loss", "bpp", "psnr"}
    # The logged means are those of the iterations since the line before.
    losses = [values["loss"] for _, values in bar.shown]
    assert logged[2][1]["loss"] == pytest.approx(sum(losses[:4]) / 4, rel=1e-12)
    assert logged[3][1]["loss"] == pytest.approx(sum(losses[4:]) / 2, rel=1e-12)


def test_history_holds_the_logged_points(tmp_path):
    logged = []
    run(tmp_path, log=lambda step, values: logged.append((step, values)))
    with (tmp_path / "stage1/history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row.pop("iteration")) for row in rows] == [4, 6]
    for row, (_, values) in zip(rows, logged, strict=True):
        assert {name: float(text) for name, text in row.items()} == pytest.approx(values, rel=1e-5)


def test_non_finite_loss_stops_and_names_the_batch(tmp_path):
    with pytest.raises(trainer.NonFiniteLoss) as caught:
        run(tmp_path, sampler=Sampler(broken=3))
    message = str(caught.value)
    for part in ("iteration 3", "loss nan", "clip-3-a (sigma 25), clip-3-b (sigma 25)"):
        assert part in message
    assert not (tmp_path / "stage1").exists()


def test_non_finite_gradient_stops(tmp_path):
    class Cliff(type(tiny())):
        def forward(self, x_t, state=None):
            step = super().forward(x_t, state)
            # sqrt at 0 is finite, its derivative is not
            return step._replace(y_tilde=step.y_tilde + torch.sqrt(0 * self.frame.bias.square().sum()))

    with pytest.raises(trainer.NonFiniteLoss, match=r"iteration 0 .*gradient_norm (nan|inf)"):
        run(tmp_path, model=Cliff())


def test_stage_without_iterations_hands_the_weights_on(tmp_path):
    training = numbers(stages=two_stages(4, 0))
    run(tmp_path, training)
    result = run(tmp_path, training, stage=1, initial=load(tmp_path / "stage1/checkpoint.pt"), model=tiny(seed=3))
    assert all(map(torch.equal, weights(tmp_path).values(), weights(tmp_path, "stage2").values()))
    assert result.metrics["loss"] is None


def test_last_checkpoint_is_without_moments(tmp_path):
    training = numbers()
    run(tmp_path, training, extra={"experiment": "e"})
    first = load(tmp_path / "stage1/checkpoint.pt")
    assert first.continuation["moments"]
    assert (first.extra["experiment"], first.extra["stage"], first.extra["iterations"]) == ("e", "stage1", 6)
    assert first.extra["training"]["learning_rate"] == 1e-2
    run(tmp_path, training, stage=1, initial=first)
    assert load(tmp_path / "stage2/checkpoint.pt").continuation is None


def test_refuses_an_initial_checkpoint_that_does_not_fit(tmp_path):
    training = numbers()
    run(tmp_path, training)
    before = load(tmp_path / "stage1/checkpoint.pt")
    with pytest.raises(InputError, match="expected 0 iterations of training, got 6"):
        run(tmp_path, training, initial=before)
    with pytest.raises(InputError, match=r"expected a model of .*'width': 5.*, got kind 'tiny' .*'width': 4"):
        run(tmp_path, training, stage=1, initial=before, model=tiny(width=5))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_keeps_float32_weights(tmp_path, precision):
    result = run(tmp_path, numbers(precision=precision))
    single = run(tmp_path / "single", numbers())
    assert result.metrics["loss"] == pytest.approx(single.metrics["loss"], rel=0.02)
    assert result.metrics["loss"] != single.metrics["loss"]
    assert {value.dtype for value in weights(tmp_path).values()} == {torch.float32}


def test_an_overflowing_gradient_is_left_to_the_scaler(tmp_path, monkeypatch):
    # 2^30 overflows float16 in the backward pass: steps are skipped, and nothing else happens.
    monkeypatch.setattr(
        trainer, "grad_scaler", lambda device, precision: torch.amp.GradScaler("cpu", init_scale=2.0**40)
    )
    result = run(tmp_path, numbers(stages=two_stages(2, 0), precision="float16"))
    assert math.isfinite(result.metrics["loss"])
    initial = tiny().state_dict()
    assert torch.equal(weights(tmp_path)["frame.weight"], initial["frame.weight"])


def test_channels_last_and_compiled_agree_with_plain(tmp_path, monkeypatch):
    run(tmp_path / "plain")
    run(tmp_path / "last", numbers(channels_last=True))
    compiled = []
    real = torch.compile

    def eager(model, **options):  # the real front end without a C++ compiler behind it
        compiled.append(model)
        return real(model, backend="eager", **options)

    monkeypatch.setattr(torch, "compile", eager)
    run(tmp_path / "compiled", numbers(compile=True))
    assert len(compiled) == 1
    plain = weights(tmp_path / "plain")
    for other in (weights(tmp_path / "last"), weights(tmp_path / "compiled")):
        assert list(other) == list(plain)
        for name, value in plain.items():
            torch.testing.assert_close(other[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("arguments", [{"bits": False}, {"recurrent": False}])
def test_models_without_bits_or_memory(tmp_path, arguments):
    result = run(tmp_path, model=tiny(**arguments), sampler=Sampler(sigma=0.0))
    assert (result.metrics["bits_per_pixel"] is None) == ("bits" in arguments)


def test_trains_the_papers_networks(tmp_path):
    training = numbers(stages=two_stages(3, 0), freeze_motion=0)
    for name, model, sampler in (
        ("ncfl", small_ncfl(), Sampler()),
        ("codec", ncfl_adapq(feature_width=4, latent_width=4), Sampler(sigma=0.0)),
    ):
        before = {key: value.clone() for key, value in model.state_dict().items()}
        run(tmp_path / name, training, model=model, sampler=sampler)
        rebuilt = checkpoint.load_model(tmp_path / name / "stage1/checkpoint.pt")
        assert rebuilt.arguments == model.arguments
        assert any(not torch.equal(before[key], value) for key, value in rebuilt.state_dict().items())


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_prefetched_batches_come_in_order(workers):
    with prefetched(lambda i: i * i, 3, 20, workers) as batches:
        assert list(batches) == [(i, i * i) for i in range(3, 20)]


def test_prefetching_passes_errors_on():
    def fail(index):
        raise InputError(f"clip {index}: damaged")

    with pytest.raises(InputError, match="clip 0: damaged"), prefetched(fail, 0, 5, 2) as batches:
        next(batches)


def test_default_progress_shows_lines(tmp_path, capsys):
    from ncfl.common.progress import Progress

    run(tmp_path, progress=Progress, label="ncfl-davis stage1")
    assert "ncfl-davis stage1: 6/6 it" in capsys.readouterr().err
    assert isinstance(made[0], Silent)
