"""A small network for the tests of this folder."""

import pytest
import torch

from ncfl.methods.fastdvdnet.model import FastDVDNet


@pytest.fixture
def fast() -> FastDVDNet:
    torch.manual_seed(0)
    return FastDVDNet(widths=(4, 6, 8), input_width=2)
