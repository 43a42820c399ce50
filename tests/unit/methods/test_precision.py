"""Weights in bfloat16: where they are chosen, and what they cost."""

from pathlib import Path

import pytest
import torch
from helpers.data_samples import film, pictures

from ncfl.api.frames import load_method
from ncfl.common import device
from ncfl.common.errors import InputError
from ncfl.methods import precision
from ncfl.methods.interface import stream
from ncfl.steps import restoring

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ("flags : fpu amx_bf16 amx_tile", "bfloat16"),
        ("flags : avx512_bf16 amx_tile", "float32"),
        (None, "float32"),
    ],
)
def test_a_processor_is_known_by_its_flags(flags, found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    told = tmp_path / "cpuinfo"
    if flags is not None:
        told.write_text(flags)
    monkeypatch.setattr(device, "_PROCESSOR", told)
    assert precision.chosen("auto", CPU) == found
    assert precision.chosen("float32", CPU) == "float32"
    assert precision.chosen("bfloat16", CPU) == "bfloat16"


@pytest.mark.parametrize("able", [True, False])
def test_a_gpu_is_asked(able: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: able and not including_emulation)
    assert precision.chosen("auto", torch.device("cuda")) == ("bfloat16" if able else "float32")


@pytest.mark.parametrize("bands", ["off", "on"])
def test_bfloat16_is_near_and_leaves_the_network_as_it_was(bands: str):
    frames = [torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255 for frame in film(4, 64, 96)]
    noisy = [frame + 0.1 * torch.randn(frame.shape, generator=torch.Generator().manual_seed(3)) for frame in frames]
    method, lighter = load_method("ncfl-half", device="cpu"), load_method("ncfl-half", device="cpu")
    lighter.compute_in("bfloat16")
    lighter.bands = bands
    exact, near = torch.cat([*stream(method, noisy)]), torch.cat([*stream(lighter, noisy)])
    assert near.dtype == torch.float32
    assert 0 < (near - exact).square().mean().sqrt() < 2e-3  # of 1: 54 dB
    types = {weight.dtype for weight in lighter.running.parameters()}
    assert types == {torch.float32, torch.bfloat16}
    assert {weight.dtype for weight in lighter.model.parameters()} == {torch.float32}


def test_restore_takes_the_precision_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = pictures(tmp_path / "in", film(2, 32, 48))
    with pytest.raises(InputError, match="--precision: expected one of auto, float32, bfloat16, got 'half'"):
        restoring.restore(source, tmp_path / "out", precision="half")
    with pytest.raises(
        InputError, match="--precision: expected auto or float32, as noisy computes in float32, got bfloat16"
    ):
        restoring.restore(source, tmp_path / "out", method="noisy", precision="bfloat16")
    monkeypatch.setattr(device, "computes_bfloat16", lambda place: True)
    for name in precision.PRECISIONS:
        restoring.restore(source, tmp_path / f"{name}.y4m", precision=name)
    auto, full, half = ((tmp_path / f"{name}.y4m").read_bytes() for name in precision.PRECISIONS)
    assert auto == half != full
