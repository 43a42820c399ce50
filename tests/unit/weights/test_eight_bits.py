"""Weights coded in 8 bits come back to within half a step."""

import torch

from ncfl.weights.eight_bits import coded, decoded


def test_a_kernel_is_kept_to_half_a_step():
    weight = torch.tensor([[[[2.0, -0.5], [0.02, 0.0]], [[0.0127, 1e-4], [0.6e-4, 0.4e-4]]]])
    tensors = coded({"weight": weight, "bias": torch.tensor([0.25, -3.0])})
    # By hand: log2(2/127) is -5.989, so -47 eighths are the next above; log2(1e-4) is -13.288, so -106.
    assert tensors["weight.step"].flatten().tolist() == [-47, -106]
    # The steps are 2^-5.875 = 0.01704 and 2^-13.25 = 1.0264e-4.
    assert tensors["weight"].tolist() == [[[[117, -29], [1, 0]], [[124, 1], [1, 0]]]]
    assert tensors["bias"].dtype == torch.float16
    found = decoded(tensors, "a file")
    steps = torch.tensor([0.01704, 1.0264e-4])[None, :, None, None]
    assert ((found["weight"] - weight).abs() <= 0.501 * steps).all()
    assert found["bias"].tolist() == [0.25, -3.0]


def test_a_layer_of_single_values_has_a_step_for_each_output_and_zeros_stay_zero():
    tensors = coded({"mix": torch.stack((torch.zeros(4), torch.tensor([1.0, -1.0, 0.5, 0.0])))[:, :, None, None]})
    assert tensors["mix.step"].shape == (2, 1, 1, 1)
    assert decoded(tensors, "a file")["mix"][0].abs().max() == 0
