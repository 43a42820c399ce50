"""J4RNet-P: the published layers and file format, its luma, its neighbors and its refusals."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ncfl.common.errors import InputError
from ncfl.methods.j4rnet.caffemodel import read_caffemodel
from ncfl.methods.j4rnet.model import J4RNet
from ncfl.methods.j4rnet.official_names import LAYERS, official_names
from ncfl.methods.luma import luma

SMALL = {"width": 6, "exchanged": 4}


def network(**arguments: int) -> J4RNet:
    torch.manual_seed(0)
    model = J4RNet(**SMALL | arguments).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def clip(length: int, height: int = 17, width: int = 22, batch: int = 1, channels: int = 3) -> Tensor:
    return torch.rand(batch, length, channels, height, width, generator=torch.Generator().manual_seed(length))


def caffe(state: dict[str, Tensor], data: Tensor) -> Tensor:
    """The prototxt, layer by layer and by its own names: planes [T,1,H,W] of one clip -> the same shape."""

    def conv(name: str, bottom: Tensor, group: int = 1) -> Tensor:
        return F.conv2d(bottom, state[f"{name}.weight"], state[f"{name}.bias"], padding=1, groups=group)

    frames, width = len(data), state["Eltwise3_shrink.weight"].shape[0]
    conv1 = F.relu(conv("Convolution1", data))
    eltwise = conv1
    for i in (2, 4, 6):
        inner = F.relu(conv(f"Convolution{i}", eltwise))
        eltwise = F.relu(0.5 * eltwise + 0.5 * conv(f"Convolution{i + 1}", inner))
    shrink = conv("Eltwise3_shrink", eltwise)
    stacked = shrink.reshape(1, frames * width, *shrink.shape[-2:])
    pre, mid, tail = stacked.split([width, (frames - 2) * width, width], dim=1)
    before = torch.cat((pre, pre, mid), 1).reshape(shrink.shape)
    after = torch.cat((mid, tail, tail), 1).reshape(shrink.shape)
    segments = conv("motion_seg_conv2", conv("motion_seg_conv1", torch.cat((before, shrink, after), 1)))
    total = shrink
    for name, bottom in (("BRCN_L1_pre_res_two", before), ("BRCN_L1_tail_res_two", after)):
        first, second = conv(name, torch.cat((bottom, bottom), 1), group=2).split(width, dim=1)
        total = total + first * segments[:, :1] + second * segments[:, 1:]
    temporal = conv("Eltwise_BRCN_L1_expand", total) + eltwise
    conv8 = F.relu(conv("Convolution8", temporal))
    eltwise4 = F.relu(0.5 * eltwise + 0.5 * conv("Convolution9", conv8))
    conv10 = F.relu(conv("Convolution10", eltwise4))
    eltwise5 = F.relu(0.5 * eltwise4 + 0.5 * conv("Convolution11", conv10))
    return data + conv("Convolution12", 0.5 * conv1 + 0.5 * eltwise5)


def published(model: J4RNet) -> dict[str, Tensor]:
    """The model's state under the names of the published layers."""
    names = {ours: theirs for theirs, ours in LAYERS.items()}
    return {
        f"{names[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": value for key, value in model.state_dict().items()
    }


def test_the_published_size_and_cost():
    with torch.device("meta"):
        model = J4RNet().eval()
    convolutions = [(1, 64)] + 10 * [(64, 64)] + [(64, 1), (64, 16), (48, 8), (8, 2), (16, 32), (16, 32), (16, 64)]
    assert sum(p.numel() for p in model.parameters()) == sum(9 * a * b + b for a, b in convolutions) == 401_899
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.restore_clip(torch.empty(1, 1, 3, 544, 960, device="meta"))
    assert counter.get_total_flops() == 2 * sum(9 * a * b for a, b in convolutions) * 544 * 960


def test_the_published_layers_have_their_shapes():
    with torch.device("meta"):
        state = published(J4RNet())
    expected = {
        "Convolution1.weight": (64, 1, 3, 3),
        "Convolution12.weight": (1, 64, 3, 3),
        "Eltwise3_shrink.weight": (16, 64, 3, 3),
        "motion_seg_conv1.weight": (8, 48, 3, 3),
        "motion_seg_conv2.bias": (2,),
        "BRCN_L1_pre_res_two.weight": (32, 16, 3, 3),  # 32 inputs in two groups
        "BRCN_L1_tail_res_two.weight": (32, 16, 3, 3),
        "Eltwise_BRCN_L1_expand.weight": (64, 16, 3, 3),
    }
    assert {name: tuple(state[name].shape) for name in expected} == expected
    assert len(state) == 2 * 18


def test_it_computes_what_the_prototxt_says():
    model = network(channels=1)
    frames = clip(9, channels=1)
    state = published(model)
    with torch.no_grad():
        torch.testing.assert_close(model.restore_clip(frames)[0], caffe(state, frames[0]), rtol=1e-5, atol=1e-5)
    again = J4RNet(**model.arguments)
    again.load_state_dict(official_names(state), strict=True)


def test_names_of_other_networks_stay_and_are_refused():
    state = published(network()) | {"GRU_UG.weight": torch.zeros(1)}
    with pytest.raises(RuntimeError, match=r"GRU_UG\.weight"):
        J4RNet(**SMALL).load_state_dict(official_names(state), strict=True)


def test_the_luma_is_that_of_bt_601():
    corners = torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])[:, :, None, None]
    # MATLAB's rgb2ycbcr of uint8 0 and 255: 16, 235, 81, 145, 41.
    assert (255 * luma(corners)).flatten().round().tolist() == [16, 235, 81, 145, 41]


def test_the_chroma_is_kept():
    model, frames = network(), clip(3)
    with torch.no_grad():
        change = model.restore_clip(frames) - frames
        wanted = model(luma(frames).unsqueeze(2)).squeeze(2)
        restored = luma(model.restore_clip(frames))
    assert change.abs().max() > 1e-3
    torch.testing.assert_close(change[:, :, 0], change[:, :, 1])
    torch.testing.assert_close(change[:, :, 0], change[:, :, 2])
    torch.testing.assert_close(restored, wanted, rtol=1e-5, atol=1e-5)


def test_it_starts_as_the_identity_and_learns():
    torch.manual_seed(0)
    model, frames = J4RNet(**SMALL), clip(3)
    torch.testing.assert_close(model.restore_clip(frames), frames)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(12):
        loss = F.mse_loss(model.restore_clip(frames, torch.tensor([5.0])), 0.5 * frames)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_only_the_two_neighbors_matter():
    model, frames = network(), clip(7)
    with torch.no_grad():
        before = model.restore_clip(frames)
        frames[:, 5] = 0
        changed = (model.restore_clip(frames) - before).abs().amax((0, 2, 3, 4)) > 0
    assert changed.tolist() == [False, False, False, False, True, True, True]


def varint(value: int) -> bytes:
    low, high = value & 127, value >> 7
    return bytes([low | 128]) + varint(high) if high else bytes([low])


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob(tensor: Tensor, *, old: bool) -> bytes:
    """A BlobProto; older ones have four sizes of their own in place of a shape, and floats one by one."""
    values = tensor.numpy().astype("<f4").tobytes()
    if not old:
        return field(7, field(1, b"".join(varint(size) for size in tensor.shape))) + field(5, values)
    sizes = [1] * (4 - tensor.ndim) + list(tensor.shape)
    singles = b"".join(varint(5 << 3 | 5) + values[i : i + 4] for i in range(0, len(values), 4))
    return b"".join(field(i + 1, size) for i, size in enumerate(sizes)) + singles


def caffemodel(state: dict[str, Tensor], *, old: bool = False) -> bytes:
    layers = dict.fromkeys(name.rpartition(".")[0] for name in state)
    parts = [field(1, b"SRCNN"), field(100, field(1, b"ReLU1") + field(2, b"ReLU"))]
    for layer in layers:
        tensors = [state[f"{layer}.{part}"] for part in ("weight", "bias")]
        parts.append(field(100, field(1, layer.encode()) + b"".join(field(7, blob(t, old=old)) for t in tensors)))
    return b"".join(parts)


@pytest.mark.parametrize("old", [False, True])
def test_a_caffemodel_is_read(tmp_path: Path, old: bool):
    model = network()
    path = tmp_path / "published.caffemodel"
    path.write_bytes(caffemodel(published(model), old=old))
    again = J4RNet(**model.arguments)
    again.load_state_dict(official_names(read_caffemodel(path)), strict=True)
    for name, tensor in again.state_dict().items():
        torch.testing.assert_close(tensor, model.state_dict()[name], rtol=0, atol=0)


def test_a_broken_caffemodel_is_refused_in_one_line(tmp_path: Path):
    path, whole = tmp_path / "broken.caffemodel", caffemodel(published(network()))
    for content, words in (
        (whole[:-3], "it ends early"),
        (b"", "no layer with weights found"),
        (b"\x1f\x8b not a message", "not a Protocol Buffers message"),
        (field(100, field(1, b"conv") + field(7, field(5, b"abc"))), "buffer size"),
        (field(100, field(1, b"norm") + 3 * field(7, blob(torch.ones(2), old=False))), r"layer 'norm' has 3 tensors"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=words) as refused:
            read_caffemodel(path)
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match=r"missing\.caffemodel: No such file"):
        read_caffemodel(tmp_path / "missing.caffemodel")
