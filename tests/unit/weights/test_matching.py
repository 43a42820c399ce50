"""What fits a network, and what is said of what does not."""

from collections.abc import Mapping

import pytest
import torch
from helpers.weights_samples import beside, same
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.methods.fastdvdnet.model import FastDVDNet
from ncfl.methods.fastdvdnet.official_names import official_names
from ncfl.methods.msbdn.model import MSBDN
from ncfl.methods.spynet6.model import SPyNet6
from ncfl.methods.spynet6.official_names import official_names as spynet6_names
from ncfl.weights.matching import load_weights, match

FAST = {"widths": (4, 6, 8), "input_width": 2}
TINY = {"width": 2, "blocks": 1, "bottleneck": 1}


def mismatch(*arguments: object, **options: object) -> str:
    with pytest.raises(InputError) as error:
        match(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_fitting_state_comes_back_in_the_network_s_order(fast: FastDVDNet):
    state = dict(reversed(beside(fast.state_dict(), "module.").items()))
    found = match(state, fast, official_names, "fastdvdnet")
    assert list(found) == list(fast.state_dict())
    same(found, fast.state_dict())
    with torch.device("meta"):
        empty = FastDVDNet(**FAST)
    same(match(state, empty, official_names, "fastdvdnet"), fast.state_dict())


def test_counters_that_old_files_lack_are_zero(fast: FastDVDNet):
    state = {name: tensor for name, tensor in fast.state_dict().items() if "num_batches" not in name}
    found = match(state, fast, None, "fastdvdnet")
    assert found["temp1.inc.convblock.1.num_batches_tracked"] == 0
    fast.load_state_dict(found, strict=True)


def test_missing_unknown_and_misshapen_names_are_counted(fast: FastDVDNet):
    state = fast.state_dict()
    for name in list(state)[:3]:
        del state[name]
    state["extra"] = torch.ones(1)
    last = list(state)[-2]
    state[last] = torch.ones(2, 2)
    message = mismatch(state, fast, None, "fastdvdnet", source="some.pth")
    assert message == (
        "some.pth: expected weights that fit fastdvdnet, got others (3 missing: temp1.inc.convblock.0.weight, "
        "temp1.inc.convblock.1.weight, ...; 1 unknown: extra; 1 of another shape: "
        f"{last}: expected [3, 4, 3, 3], got [2, 2])"
    )


def test_another_width_is_a_matter_of_shape(fast: FastDVDNet):
    wide = FastDVDNet(widths=(4, 6, 12), input_width=2).state_dict()
    message = mismatch(wide, fast, official_names, "fastdvdnet")
    assert "weights: expected weights that fit fastdvdnet, got others (" in message
    assert "missing" not in message
    assert "of another shape: temp1.downc1.convblock.0.weight: expected [8, 6, 3, 3], got [12, 6, 3, 3]" in message


def test_the_method_that_the_weights_fit_is_named(fast: FastDVDNet):
    others = {
        "msbdn": lambda: (MSBDN(**TINY), None),
        "spynet": lambda: (SPyNet6(levels=2, width=0.125), spynet6_names),
        "fastdvdnet": lambda: (FastDVDNet(**FAST), official_names),
    }
    state = MSBDN(**TINY).state_dict()
    assert mismatch(state, fast, official_names, "fastdvdnet", others=others).endswith("; they fit msbdn")
    unlike = {"a": torch.ones(1)}
    assert "they fit" not in mismatch(unlike, fast, official_names, "fastdvdnet", others=others)
    wide = FastDVDNet(widths=(4, 6, 12), input_width=2).state_dict()
    assert "they fit" not in mismatch(wide, fast, official_names, "fastdvdnet", others=others)


def test_a_mapping_that_does_not_know_the_names_is_no_traceback():
    def knows_one(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"b": state["a"]}

    def refuses(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        raise InputError("neither of its two networks")

    for mapping in (knows_one, refuses):
        message = mismatch({"x": torch.ones(1)}, nn.Linear(1, 1), mapping, "line")
        assert message.endswith("(2 missing: weight, bias; 1 unknown: x)")


def test_a_refused_state_changes_nothing():
    model = nn.Linear(2, 3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = {name: value + 1 for name, value in before.items()} | {"bias": torch.zeros(9)}
    with pytest.raises(
        InputError, match=r"here: expected weights that fit Linear, got others .*: bias: expected \[3\], got \[9\]"
    ):
        load_weights(model, state, "here")
    same(model.state_dict(), before)
