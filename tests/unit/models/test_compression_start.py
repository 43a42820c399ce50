"""Where a neural compression starts: what it passes on, what that costs, and that charging it leaves a memory alive."""

import numpy as np
import pytest
import torch
from helpers.train_samples import Batch
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.data.synthetic import photographs
from ncfl.data.synthetic.scenes import Scene
from ncfl.models.compression import STEP_MIN, NeuralCompression
from ncfl.models.compression_start import start_compression
from ncfl.models.variants import m_b, ncfl_adapq
from ncfl.train.losses import clip_loss
from ncfl.train.rate_start import start_rate
from ncfl.weights import shipped


def features(count: int = 8) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, count, 16, 24, generator=generator) for _ in range(2)]


def test_features_pass_unchanged_and_cost_next_to_nothing():
    torch.manual_seed(0)
    module, seen = NeuralCompression(8, 16), features()
    q = start_compression(module, seen)
    e_t, prior = module.encoder(seen[0]), module.estimate_prior(seen[0])
    torch.testing.assert_close(prior.mu * prior.q, e_t, rtol=1e-4, atol=1e-4)  # the frame's border included
    torch.testing.assert_close(prior.q, q[:, None, None].expand_as(prior.q))
    compressed = module(seen[0])
    torch.testing.assert_close(compressed.c_tilde, module.decoder(e_t), rtol=1e-4, atol=1e-4)
    assert compressed.bits.max() / (16 * 24) < 0.1  # per pixel; before: several


def test_steps_follow_the_latents_but_none_is_fine():
    torch.manual_seed(0)
    module, seen = NeuralCompression(8, 16), features()
    with torch.no_grad():
        module.encoder[2].weight[0] = 1e-6
    e_t = torch.cat([module.encoder(c) for c in seen])
    q = start_compression(module, seen)
    spread = e_t.transpose(0, 1).flatten(1).std(1)
    torch.testing.assert_close(q[1:], spread[1:])
    assert q[0] == pytest.approx(0.1 * spread.median().item(), rel=1e-4)


@pytest.mark.parametrize("factor", [3e-2, 1e-3, 0.0])
def test_latents_too_faint_for_a_step_of_their_own_take_the_finest(factor):
    torch.manual_seed(0)
    module, seen = NeuralCompression(8, 16), [factor * c for c in features()]
    with torch.no_grad():
        module.encoder[2].weight[0] *= 1e-3
    q = start_compression(module, seen)
    assert q[0] == pytest.approx(2 * STEP_MIN)
    e_t, prior = module.encoder(seen[0]), module.estimate_prior(seen[0])
    torch.testing.assert_close(prior.q, q[:, None, None].expand_as(prior.q))
    torch.testing.assert_close(prior.mu * prior.q, e_t, rtol=1e-4, atol=1e-4)
    compressed = module(seen[0])
    assert compressed.c_tilde.isfinite().all()
    assert compressed.bits.isfinite().all()


def test_without_room_for_the_features_the_mean_starts_at_zero():
    torch.manual_seed(0)
    module, seen = NeuralCompression(8, 8), features()
    start_compression(module, seen)
    prior = module.estimate_prior(seen[0])
    assert prior.mu.abs().max() == 0
    torch.testing.assert_close(prior.sigma, torch.ones_like(prior.sigma))


def test_bad_input():
    with pytest.raises(InputError, match="prior model"):
        start_compression(NeuralCompression(8, 16, quantize=False), features())
    with pytest.raises(InputError, match="expected features of a frame or more, got none"):
        start_compression(NeuralCompression(8, 16), [])


def test_networks_that_do_not_quantize_are_left_alone():
    assert start_rate(m_b(unet_widths=(8, 8), feature_width=8, mv_width=8, flow_width=0.1), None) is None


def test_the_compression_alone_is_left_alone():
    torch.manual_seed(0)
    model = ncfl_adapq(feature_width=8, latent_width=16)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert start_rate(model, Clips()) is None
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Clips:
    """Clips [1,6,3,32,32] of a photograph that moves, sigma 50; a function of the iteration."""

    def __init__(self) -> None:
        pictures = photographs.load(photographs.TRAIN_PHOTOGRAPHS[:3])
        scenes = [Scene(pictures, 64, 64, np.random.default_rng(n), max_motion=1.5, frames=6) for n in range(4)]
        stacked = np.stack([[scene.render(t) for t in range(6)] for scene in scenes])
        self.clean = torch.from_numpy(stacked).permute(0, 1, 4, 2, 3).float() / 255

    def batch(self, iteration: int, patch: int = 32, sigma: float = 50.0) -> Batch:
        generator = torch.Generator().manual_seed(iteration)
        top, left = torch.randint(64 - patch + 1, (2,), generator=generator).tolist()
        clean = self.clean[iteration % 4, None, ..., top : top + patch, left : left + patch]
        noisy = clean + sigma / 255 * torch.randn(clean.shape, generator=generator)
        return Batch(clean, noisy, torch.full((1,), sigma), ["scene"])


@torch.no_grad()
def memory_gain(model: torch.nn.Module, clips: Clips) -> float:
    """Of the last frames, dB."""
    gains = []
    for number in range(2):
        batch, state = clips.batch(number, patch=64), None
        for x_t in batch.noisy.unbind(1):
            step, single = model(x_t, state), model(x_t, None)
            state = step.state
        errors = [(found.y_tilde - batch.clean[:, -1]).square().mean() for found in (single, step)]
        gains.append(10 * (errors[0] / errors[1]).log10().item())
    return float(np.mean(gains))


def test_a_memory_survives_fifty_iterations_that_charge_it():
    """Rate weight and learning rate are the published ones. From fine steps this training leaves 0.07 of 1.59 dB."""
    model, clips = shipped.find("ncfl-half").load(), Clips()
    before = memory_gain(model, clips)
    start_rate(model, clips)
    assert memory_gain(model, clips) == pytest.approx(before, abs=0.02)
    model.motion.requires_grad_(False)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-4, betas=(0.9, 0.99))
    for iteration in range(50):
        for group in optimizer.param_groups:
            group["lr"] = 2e-4 * min(1, (iteration + 1) / 50)
        batch = clips.batch(iteration)
        loss = clip_loss(
            model,
            batch.noisy[:, :3].unbind(1),
            batch.clean[:, :3].unbind(1),
            rate_weight=1 / 2048,
            motions=model.motions,
        ).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert before > 0.5
    assert memory_gain(model, clips) > 0.6 * before
