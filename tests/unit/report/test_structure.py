"""The structure of the modules: as the supplement's text has it, and as the modules are."""

import itertools

import pytest
import torch
from torch import nn

from ncfl.models.variants import m_f
from ncfl.report.drawing import places
from ncfl.report.structure import diagrams, trace


@pytest.fixture(scope="module")
def published():
    return diagrams({})


def labels(diagram) -> list[str]:
    return [box.label for box in diagram.boxes]


def test_mv_refinement_is_that_of_the_text(published):
    refinement, _ = published["figure1"]
    assert labels(refinement) == [
        "mv",
        "conv 5×5 ↓2, 64",
        "GDN",
        "conv 5×5 ↓2, 64",
        "deconv 4×4 ↑2, 64",
        "IGDN",
        "deconv 4×4 ↑2, 2",
        "mv",
    ]
    assert [box.scale for box in refinement.boxes] == [0, 1, 1, 2, 1, 1, 0, 0]


def test_the_unet_has_five_scales_with_a_skip_connection_at_each_but_the_last(published):
    unet, block = published["figure3"]
    cabs = [(box.label, box.scale) for box in unet.boxes if box.label.startswith("CAB")]
    assert cabs[:5] == [("CAB, 32", 0), ("CAB, 64", 1), ("CAB, 128", 2), ("CAB, 256", 3), ("CAB, 512", 4)]
    sums = [box for box in unet.boxes if box.label == "+"]
    assert [box.scale for box in sums] == [3, 2, 1, 0, 0]  # the last is the residual on x_t
    assert {unet.boxes[source].label for source in sums[-1].sources} == {"x_t", "conv 3×3, 3"}
    assert "mean of the frame" in labels(block)


def test_the_compression_feeds_both_quantization_and_cost(published):
    (compression,) = published["figure2"]
    found = {box.label: box for box in compression.boxes}
    quantized = {compression.boxes[source].label for source in found["adaptive quantization"].sources}
    assert quantized == {"conv 3×3 ↓2, 64", "conv 3×3 ↓2, 192", "softplus → q"}
    cost = {compression.boxes[source].label for source in found["cross-entropy"].sources}
    assert cost == {"adaptive quantization", "softplus → σ"}


def test_the_wnet_is_two_unets_in_a_row(published):
    (cascade,) = published["figure4"]
    assert labels(cascade) == ["x_t", "c_tilde", "U-Net", "U-Net", "y_tilde", "c_t"]
    assert [box.sources for box in cascade.boxes] == [(), (), (0, 1), (2,), (3,), (3,)]


def test_runs_of_blocks_are_counted(published):
    _, attention = published["figure1"]
    blocks = [label for label in labels(attention) if "ResBlock" in label]
    assert blocks == [
        "5 ResBlocks, 16",
        "5 ResBlocks, 32",
        "9 ResBlocks, 64",
        "5 ResBlocks, 32",
        "5 ResBlocks, 16",
    ]


def test_other_sizes_are_drawn_as_they_are():
    refinement, attention = diagrams({"mv_width": 24, "attention_blocks": 2, "attention_widths": (8, 8, 8)})["figure1"]
    assert "conv 5×5 ↓2, 24" in labels(refinement)
    assert "6 ResBlocks, 8" in labels(attention)


def test_no_layer_is_left_out():
    with torch.device("meta"):
        unet = m_f().restoration.unets[0]
    shapes = {"x_t": (3, 64, 64), "c_tilde": (48, 64, 64)}
    opened = trace("", unet, shapes, ("y_tilde", "c_t"), open_blocks=True)
    layers = sum(isinstance(layer, nn.Conv2d) for layer in unet.modules())
    assert sum(box.kind == "conv" for box in opened.boxes) == layers


def test_no_two_boxes_share_a_place_and_all_run_to_the_right(published):
    for diagram in itertools.chain.from_iterable(published.values()):
        found = places(diagram.boxes)
        assert len(set(found)) == len(found)
        for box, place in zip(diagram.boxes, found, strict=True):
            assert all(found[source].column < place.column for source in box.sources)
        above = [
            (a.scale < b.scale, p.row < q.row)
            for (a, p), (b, q) in itertools.permutations(zip(diagram.boxes, found, strict=True), 2)
            if a.scale != b.scale
        ]
        assert all(finer == higher for finer, higher in above)
