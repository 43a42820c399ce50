"""A start that all variants share: each takes its modules, and a start of another kind or size is refused by name."""

import pytest
import torch
from helpers.clip_samples import pan
from helpers.command_line import pretrain as run
from helpers.data_samples import pictures
from helpers.tiny_networks import SIZES as TINY

from ncfl.common.errors import InputError
from ncfl.data.packed import read_footage
from ncfl.models.variants import VARIANTS, m_f
from ncfl.release.starts import read_motion, write_motion, write_start
from ncfl.train import supernet
from ncfl.train.motion import from_pack
from ncfl.train.motion.pretraining import Level
from ncfl.train.supernet import build, tensors_of
from ncfl.weights import checkpoint
from ncfl.weights.reading import read_weights
from ncfl.weights.shared_start import adopt_start
from ncfl.weights.tensorfile import read_tensors

SIZES = {**TINY, "mv_width": 8}  # M-Conv needs four channels, and has three quarters of them


@pytest.fixture
def made(tmp_path):
    """A start's file, and the networks that it is of."""
    torch.manual_seed(0)
    network = m_f(**SIZES)
    torch.nn.init.normal_(network.restoration.unets[0].to_frame.weight, std=0.01)
    variants, whole = build(network)
    write_start(tmp_path / "start.safetensors", tensors_of(whole.state_dict()), network.arguments, "a test")
    return tmp_path / "start.safetensors", variants


@torch.no_grad()
def outputs(model: torch.nn.Module, channels: int = 3) -> torch.Tensor:
    frames = torch.rand(3, 1, channels, 32, 32, generator=torch.Generator().manual_seed(0))
    state, found = None, []
    for x_t in frames:
        y_tilde, state, _ = model(x_t, state)
        found.append(y_tilde)
    return torch.stack(found)


@pytest.mark.parametrize("variant", ["m_a", "m_b", "m_c", "m_d", "m_e", "m_f"])
def test_every_variant_takes_what_it_has(made, variant):
    file, variants = made
    torch.manual_seed(1)
    model = VARIANTS[variant](**SIZES)
    model.motion.load_state_dict(variants[variant].motion.state_dict())
    assert adopt_start(model, file)
    torch.testing.assert_close(outputs(model), outputs(variants[variant]), rtol=0, atol=5e-3)  # 8 bits


def test_a_second_u_net_gives_back_what_the_first_restored(made):
    file, variants = made
    model = VARIANTS["w_net"](**SIZES)
    model.motion.load_state_dict(variants["m_f"].motion.state_dict())
    adopt_start(model, file)
    first = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(model(first).y_tilde, variants["m_f"](first).y_tilde, rtol=0, atol=5e-3)


def test_raw_frames_enter_as_their_colours_do(made):
    file, variants = made
    model = VARIANTS["m_a"](**SIZES, channels=4)
    adopt_start(model, file)
    rgb = torch.rand(1, 3, 32, 32)
    planes = rgb[:, [0, 1, 2, 1]]
    expected = variants["m_a"](rgb).y_tilde[:, [0, 1, 2, 1]]
    torch.testing.assert_close(model(planes).y_tilde, expected, rtol=0, atol=5e-3)


def test_the_compression_alone_has_no_start(made):
    assert not adopt_start(VARIANTS["ncfl_adapq"](**SIZES), made[0])


def test_what_does_not_fit_is_refused_by_name(made, tmp_path):
    file, _ = made
    with pytest.raises(InputError, match=r"nowhere.safetensors: no such file; tools/pretrain start makes it"):
        adopt_start(m_f(**SIZES), tmp_path / "nowhere.safetensors")
    with pytest.raises(InputError, match=r"model.feature_width: expected .*, got 4;"):
        adopt_start(m_f(**{**SIZES, "feature_width": 4}), file)
    (tmp_path / "bad.safetensors").write_bytes(file.read_bytes()[:-8])
    with pytest.raises(InputError, match="not readable as safetensors"):
        adopt_start(m_f(**SIZES), tmp_path / "bad.safetensors")
    write_motion(tmp_path / "motion.safetensors", m_f(**SIZES).motion, "a test")
    with pytest.raises(InputError, match=r"motion.safetensors: expected a start \(ncfl-start-2\), got spynet"):
        adopt_start(m_f(**SIZES), tmp_path / "motion.safetensors")


@pytest.fixture
def clips(tmp_path, monkeypatch):
    pictures(tmp_path / "clips" / "one", pan(8, 96, 128))
    pictures(tmp_path / "clips" / "two", pan(8, 96, 128, top=40))
    plan = from_pack.FromPack(
        rendered=(from_pack.Rendered(1, 8.0),),
        real=2,
        window=64,
        levels=(Level(2, 1e-3, 1, 64),),
        together=Level(2, 3e-4, 1, 32),
        held_out=(from_pack.Rendered(1, 6.0),),
        held_out_window=64,
    )
    monkeypatch.setattr(from_pack, "ALL_RANGES", plan)
    monkeypatch.setattr(supernet, "PATCH", 32)
    return tmp_path / "clips"


def test_motion_as_it_is_typed(clips, tmp_path):
    file = tmp_path / "motion.safetensors"
    typed = (
        "motion",
        "--clips",
        clips,
        "--hold-out",
        "two",
        "--width",
        0.125,
        "--output",
        tmp_path / "run",
        "--file",
        file,
    )
    assert run(*typed) == 0
    assert read_tensors(file).about["kind"] == "spynet"
    read, adopted = read_motion(file).state_dict(), read_weights(file)
    trained = checkpoint.load(tmp_path / "run" / "spynet.pt")
    assert trained.extra["held_out"] == ["two"]
    for name, value in trained.state.items():
        assert (read[name] - value).abs().max() <= value.abs().max() / 127 + 2**-16  # a step of 8 bits, and the least
        assert torch.equal(adopted[name], read[name])  # as `motion.weights` takes it
    assert run(*typed[:4], "three", *typed[5:]) == 2


def test_what_warping_gains_on_a_pan(clips, tmp_path, capsys):
    """DIS finds the pan of one pixel, and a SPyNet at its start finds none."""
    write_motion(tmp_path / "still.safetensors", m_f(**SIZES).motion, "a test")
    words = ("--clips", clips / "one", "--width", 128, "--sigmas", 0, 10, "--step", 3)
    assert run("warping-gain", tmp_path / "still.safetensors", *words) == 0
    head, _, slow, clip = capsys.readouterr().out.strip().split("\n")
    assert head == "| motion or clip | DIS 0 | still 0 | still 10 | DIS 10 | share |"
    assert clip[:7] == "| one |"
    clean, still, _, _, share = (float(value) for value in slow.split("|")[2:-1])
    assert clean > 3
    assert still == 0
    assert share == 1
    assert run("warping-gain", clips / "one", *words) == 2


def test_a_start_goes_on_where_it_was_left(clips, tmp_path, monkeypatch):
    pack = read_footage([clips], hold_out=[], widths=(128, 64))
    assert [clip.name for clip in pack.clips] == ["one", "one 64", "two", "two 64"]

    def trained(folder: str) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        return supernet.train(
            network=m_f(**SIZES),
            pack=pack,
            output=tmp_path / folder,
            iterations=4,
            seed=3,
            sigma=(0.0, 55.0),
            checkpoint_seconds=0.0,
        )

    whole = trained("whole")
    assert {name.split(".")[0] for name in whole} == {"attention", "compression", "mv_refinement", "restoration"}
    once = supernet.clip_loss
    calls = iter(range(3))
    monkeypatch.setattr(supernet, "clip_loss", lambda *a, **k: (next(calls), once(*a, **k))[1])
    with pytest.raises(StopIteration):
        trained("killed")
    monkeypatch.setattr(supernet, "clip_loss", once)
    again = trained("killed")
    assert all(torch.equal(value, again[name]) for name, value in whole.items())
