"""The contract that every method of the tables keeps, one after the other."""

import io

import pytest
import torch
from helpers.small_methods import SMALL, TRIALS, clip, shaken, small, small_method

from ncfl.common.errors import InputError
from ncfl.methods import LEARNED, METHODS
from ncfl.methods.interface import Recurrent, stream
from ncfl.methods.networks import build, method_of, rebuild
from ncfl.train.losses import restored_loss
from ncfl.weights import checkpoint

each_method = pytest.mark.parametrize("name", LEARNED)
each_of_all = pytest.mark.parametrize("name", [record.name for record in METHODS])


def test_every_method_is_tried():
    assert list(SMALL) == list(LEARNED)


# What every method does, with a network or without


@each_of_all
@pytest.mark.parametrize(("frames", "height", "width"), [(1, 16, 16), (2, 17, 31), (6, 33, 18)])
def test_it_streams_any_clip_and_leaves_it_as_it_is(name: str, frames: int, height: int, width: int):
    given = clip(frames, height, width).unbind(1)
    before = [frame.clone() for frame in given]
    restored = list(stream(small_method(name), given, 25.0))
    assert [frame.shape for frame in restored] == [frame.shape for frame in given]
    assert all(frame.dtype == torch.float32 for frame in restored)
    assert all(map(torch.equal, given, before))


@each_of_all
def test_the_clips_of_a_batch_do_not_mix(name: str):
    pair, method = torch.cat((clip(5, 20, 18), clip(5, 20, 18).flip(1, 3))), small_method(name)
    together = torch.stack(list(stream(method, pair.unbind(1), [10.0, 40.0])), dim=1)
    for number, sigma in enumerate((10.0, 40.0)):
        alone = torch.stack(list(stream(method, pair[number, None].unbind(1), sigma)), dim=1)
        torch.testing.assert_close(together[number, None], alone, rtol=1e-4, atol=1e-5)


@each_of_all
def test_frames_that_are_not_finite_are_not_passed_on(name: str):
    frames = [torch.full((1, 3, 16, 16), torch.nan)] * 2
    with pytest.raises(FloatingPointError, match=f"method {name}: .* values that are not finite"):
        list(stream(small_method(name), frames, 25.0))


@each_of_all
def test_other_channels_than_it_takes_are_refused(name: str):
    method = small_method(name)
    refused = torch.zeros(1, 5, 16, 16) if method.channels is None else torch.zeros(1, method.channels + 1, 16, 16)
    if method.channels is None and isinstance(method, Recurrent):
        assert next(stream(method, [refused])).shape == refused.shape  # any number will do
        return
    with pytest.raises(
        (ValueError, InputError), match=f"method {name}.*1, {refused.shape[1]}, 16, 16|expected frames of shape"
    ):
        list(stream(method, [refused], 25.0))


# What every learned method does


@each_method
def test_it_restores_the_frames_that_it_says(name: str):
    model = small(name).eval()
    with torch.inference_mode():
        restored = model.restore_clip(clip(), torch.tensor([25.0]))
    assert restored.shape == (1, len(list(model.supervised(7))), 3, 48, 48)
    assert restored.isfinite().all()
    assert list(model.supervised(7)) == list(TRIALS[name].supervised)


@each_method
def test_a_stream_gives_the_frames_that_a_training_sees(name: str):
    model, noisy = shaken(small(name)).eval(), clip(6, 20, 18, batch=2)
    streamed = list(stream(method_of(model, name=name, fold=False), noisy.unbind(1), 25.0))
    with torch.inference_mode():
        restored = model.restore_clip(noisy, torch.tensor([25.0, 25.0]))
    places = {t: i for i, t in enumerate(model.supervised(6))}
    reach = TRIALS[name].window // 2
    for t in range(reach, 6 - reach):
        torch.testing.assert_close(streamed[t], restored[:, places[t]], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [name for name, record in LEARNED.items() if record.shape == "window"])
def test_the_ends_of_a_clip_are_continued_as_published(name: str):
    before, after = {"reflect": ((2, 1), (4, 3)), "replicate": ((0, 0), (5, 5))}[TRIALS[name].border]
    frames, places = clip(6, 20, 18), (*before, *range(6), *after)
    method = method_of(shaken(small(name)), name=name)
    streamed = list(stream(method, frames.unbind(1), 25.0))
    with torch.inference_mode():
        for t in (0, 1, 3, 5):
            alone = method.apply(frames[:, places[t : t + 5]], torch.tensor([25.0]))
            torch.testing.assert_close(streamed[t], alone, rtol=1e-5, atol=1e-6)
    assert len(list(stream(method, frames[:, :2].unbind(1), 25.0))) == 2  # shorter than the window
    with pytest.raises(InputError, match=f"^{method.model.kind}: expected a window of 5 frames, got 6$"):
        method.apply(frames, torch.tensor([25.0]))


@each_method
def test_a_step_of_training_reaches_every_layer(name: str):
    model = shaken(small(name)).train()
    # Patches no two of which are alike, so that searches and alignments find something to do.
    noisy, clean = clip(batch=2).unbind(1), clip(6).expand(2, -1, -1, -1, -1).unbind(1)
    loss = restored_loss(model, noisy, [*clean, clean[0]], sigma=torch.tensor([20.0, 50.0])).loss
    loss.backward()
    assert loss.isfinite()
    for key, parameter in model.named_parameters():
        if key.startswith(TRIALS[name].idle):
            assert parameter.grad is None, key
        else:
            assert parameter.grad is not None, key
            assert parameter.grad.isfinite().all(), key
    learning = sum(bool(p.grad is not None and p.grad.any()) for p in model.parameters())
    reached = sum(p.grad is not None for p in model.parameters())
    assert learning >= 0.9 * reached  # a small network may have a layer whose ReLU is off everywhere


@each_method
def test_a_checkpoint_builds_it_again(name: str, tmp_path):
    model = shaken(small(name)).eval()
    checkpoint.save(tmp_path / "checkpoint.pt", model=model, extra={})
    again = checkpoint.load_model(tmp_path / "checkpoint.pt")
    assert type(again) is type(model)
    assert again.arguments == model.arguments
    with torch.inference_mode():
        one, other = (each.restore_clip(clip(), torch.tensor([25.0])) for each in (model, again))
    torch.testing.assert_close(other, one, rtol=0, atol=0)


@each_method
def test_its_arguments_are_plain(name: str):
    arguments = build(name, SMALL[name]).arguments
    buffer = io.BytesIO()
    torch.save(arguments, buffer)
    buffer.seek(0)
    assert torch.load(buffer, weights_only=True) == arguments
    assert rebuild(LEARNED[name].network().network.kind, arguments).arguments == arguments


@each_method
def test_the_order_in_memory_does_not_matter(name: str):
    given = clip(3, 24, 20).unbind(1)
    plain, ordered = (
        torch.stack(list(stream(method_of(shaken(small(name)), name=name, channels_last=last), given, 25.0)))
        for last in (False, True)
    )
    torch.testing.assert_close(ordered, plain, rtol=1e-4, atol=1e-4)


@each_method
@pytest.mark.parametrize(
    ("size", "found", "allowed"),
    [
        ("channels", 0, "a whole number from 1 on, like"),
        ("channels", "3", "a whole number from 1 on, like"),
        ("channels", True, "a whole number from 1 on, like"),
        ("channels", 3.0, "a whole number from 1 on, like"),
    ],
)
def test_a_wrong_size_is_one_line(name: str, size: str, found: object, allowed: str):
    with pytest.raises(InputError) as error:
        build(name, {size: found}, where="experiment x, network")
    assert str(error.value).startswith(f"experiment x, network: {size}: expected {allowed}")
    assert str(error.value).endswith(f", got {found!r}")
    assert "\n" not in str(error.value)


@each_method
def test_an_unknown_size_names_those_there_are(name: str):
    with pytest.raises(InputError) as error:
        build(name, {"depth": 3})
    assert str(error.value).startswith("network: expected a size of channels, ")
    assert str(error.value).endswith(", got 'depth'")
    for size in SMALL[name]:
        assert size in str(error.value)


@each_method
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 48, 48), r"^{kind}: expected clips of shape \[B,T,[3C],H,W\], got \[1, 3, 48, 48\]$"),
        ((1, 7, 1, 48, 48), r"expected frames of shape \[B,3,H,W\], got \[1, 1, 48, 48\]"),
        ((1, 7, 4, 48, 48), r"expected frames of shape \[B,3,H,W\], got \[1, 4, 48, 48\]"),
        ((1, 7, 3, 15, 48), "expected frames of 16x16 pixels or more, got 48x15"),
        ((1, 7, 3, 48, 15), "expected frames of 16x16 pixels or more, got 15x48"),
        ((1, 0, 3, 48, 48), r"^{kind}: expected a clip of \d+ frames or more, got 0$"),
    ],
)
def test_what_is_no_clip_is_one_line(name: str, shape: tuple[int, ...], message: str):
    model = small(name)
    with pytest.raises(InputError, match=message.replace("{kind}", model.kind)) as error:
        model.restore_clip(torch.zeros(shape), torch.tensor([25.0]))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [name for name, trial in TRIALS.items() if trial.window > 1])
def test_a_training_clip_shorter_than_the_window_is_one_line(name: str):
    window = TRIALS[name].window
    model = small(name)
    assert list(model.supervised(window))
    with pytest.raises(InputError, match=rf": expected a clip of {window} frames or more, got {window - 1}$") as error:
        model.restore_clip(clip(window - 1), torch.tensor([25.0]))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [name for name, record in LEARNED.items() if record.needs_sigma])
def test_a_method_that_must_be_told_the_noise_says_so(name: str):
    method = method_of(small(name), name=name)
    assert not method.blind
    with pytest.raises(ValueError, match=f"method {name}: expected sigma, got none"):
        list(stream(method, clip(5).unbind(1)))
    for sigma, found in ((None, "none"), (torch.ones(2), r"shape \[2\]"), (torch.ones(1, 1), r"shape \[1, 1\]")):
        with pytest.raises(InputError, match=rf"sigma: expected one noise level per clip, \[1\], got {found}$"):
            small(name).restore_clip(clip(5), sigma)
    model = shaken(small(name)).eval()
    with torch.no_grad():
        one, other = (model.restore_clip(clip(5), torch.tensor([sigma])) for sigma in (10.0, 50.0))
    assert (one - other).abs().max() > 1e-4


@each_method
def test_grey_frames_go_where_the_method_says(name: str):
    """A network of three channels refuses grey; one of a single channel, where there is one, restores it."""
    grey = [frame[:, :1] for frame in clip(3, 16, 16).unbind(1)]
    with pytest.raises(ValueError, match=rf"method {name}: expected frames \[B,3,H,W\], got \[1, 1, 16, 16\]"):
        list(stream(method_of(small(name), name=name), grey, 25.0))
    if not TRIALS[name].gray:  # its SPyNet wants color
        return
    restored = list(stream(method_of(small(name, channels=1), name=name), grey, 25.0))
    assert [frame.shape for frame in restored] == [frame.shape for frame in grey]


@each_method
def test_arguments_of_another_version_are_refused(name: str):
    with pytest.raises(
        InputError, match=r"model kind '.*': expected the arguments that it takes, got others \(.*depth"
    ):
        rebuild(LEARNED[name].network().network.kind, {"depth": 3})
