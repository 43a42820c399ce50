"""VNLnet: the search against brute force, the frames it sees at a clip's ends, the published sizes."""

import argparse

import pytest
import torch

from ncfl.common.errors import InputError
from ncfl.methods.interface import stream
from ncfl.methods.vnlnet.model import VNLNet, VNLNetMethod, places, vnlnet_color, vnlnet_gray
from ncfl.methods.vnlnet.official_names import official_names
from ncfl.methods.vnlnet.pair_cache import MatchedPairs
from ncfl.methods.vnlnet.search import box_sum, doubling, most_similar, most_similar_to_each_other

SMALL = {"past": 2, "future": 2, "search": 5, "patch": 5, "match_width": 4, "width": 6, "convs": 3}


@pytest.fixture(scope="module")
def model() -> VNLNet:
    torch.manual_seed(0)
    return VNLNet(**SMALL).eval()


def clip(length: int, channels: int = 1, batch: int = 1) -> torch.Tensor:
    return torch.rand(batch, length, channels, 17, 20, generator=torch.Generator().manual_seed(length))


def by_brute_force(here: torch.Tensor, there: torch.Tensor, patch: int, search: int) -> torch.Tensor:
    """Pixel by pixel, candidate by candidate, in double precision."""
    height, width = here.shape
    margin, first = patch // 2, -(search // 2)
    padded = [torch.nn.functional.pad(x.double(), (margin,) * 4) for x in (here, there)]
    found = torch.zeros(height, width, dtype=torch.int64)
    for y in range(height):
        for x in range(width):
            best = torch.inf
            for v in range(max(0, y + first), min(height, y + first + search)):
                for u in range(max(0, x + first), min(width, x + first + search)):
                    own, other = padded[0][y : y + patch, x : x + patch], padded[1][v : v + patch, u : u + patch]
                    distance = float((own - other).square().sum())
                    if distance < best:
                        best, found[y, x] = distance, v * width + u
    return found


@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 41])
@pytest.mark.parametrize("dim", [-2, -1])
def test_box_sums_are_sums_of_neighbors(size: int, dim: int):
    x = torch.rand(2, 45, 43)
    torch.testing.assert_close(box_sum(x, size, dim), x.unfold(dim, size, 1).sum(-1))


@pytest.mark.parametrize("size", [1, 5, 10, 41])
def test_additions_of_distant_neighbors_can_be_done_again(size: int):
    x = torch.empty(45, 43)
    additions, sums = doubling(x.view(-1), size, 0, step=43, work=[torch.empty(45 * 43) for _ in range(3)])
    for _ in range(2):
        x.uniform_()
        for a, b, room in additions:
            torch.add(a, b, out=room)
        torch.testing.assert_close(sums.view(-1, 43), x.unfold(0, size, 1).sum(-1))


@pytest.mark.parametrize(("patch", "search"), [(5, 7), (7, 4), (3, 31)])
def test_the_search_finds_what_brute_force_finds(patch: int, search: int):
    here, there = torch.rand(2, 2, 9, 12, generator=torch.Generator().manual_seed(patch)).unbind()
    found = most_similar(here, there, patch=patch, search=search)
    for n in range(2):
        torch.testing.assert_close(found[n], by_brute_force(here[n], there[n], patch, search))


def test_the_search_follows_a_shift():
    wide = torch.rand(1, 30, 40, generator=torch.Generator().manual_seed(0))
    found = most_similar(wide[:, 2:26, 3:35], wide[:, :24, :32], patch=5, search=9)[0]
    y, x = torch.meshgrid(torch.arange(24), torch.arange(32), indexing="ij")
    torch.testing.assert_close(found[4:18, 4:26], ((y + 2) * 32 + x + 3)[4:18, 4:26])


@pytest.mark.parametrize(("patch", "search"), [(5, 7), (7, 4), (3, 31)])
def test_searching_both_ways_finds_what_two_searches_find(patch: int, search: int):
    here, there = torch.rand(2, 2, 19, 22, generator=torch.Generator().manual_seed(patch)).unbind()
    here[:, 4:12, 3:15] = there[:, 2:16, 1:17] = 0.5  # draws
    found = most_similar_to_each_other(here, there, patch=patch, search=search)
    for centers, pair in zip(found, ((here, there), (there, here)), strict=True):
        torch.testing.assert_close(centers, most_similar(*pair, patch=patch, search=search))


@pytest.mark.parametrize("both_ways", [False, True])
def test_a_patch_that_is_like_none_stays(both_ways: bool):
    unknown, frame = torch.full((1, 16, 16), torch.nan), torch.rand(1, 16, 16)
    if both_ways:
        found = most_similar_to_each_other(unknown, frame, patch=3, search=5)
    else:
        found = [most_similar(unknown, frame, patch=3, search=5)]
    for centers in found:
        torch.testing.assert_close(centers[0], torch.arange(256).view(16, 16))


def test_each_pair_of_frames_is_searched_once():
    planes = torch.rand(4, 1, 16, 16)
    asked = []
    pairs = MatchedPairs(lambda i: asked.append(i) or planes[i], patch=3, search=5)
    for t in range(4):
        for i in set(range(4)) - {t}:
            torch.testing.assert_close(
                pairs.centers(t, i).long(), most_similar(planes[t], planes[i], patch=3, search=5)
            )
        pairs.forget(t)
    assert sorted(zip(asked[::2], asked[1::2], strict=True)) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    pairs.centers(3, 0)  # asked for again after all, it is found again
    assert len(asked) == 14


def test_the_first_in_order_of_rows_wins_a_draw():
    # The middle of a flat frame: every candidate is as good, so it is the top left one.
    found = most_similar(torch.ones(1, 16, 16), torch.ones(1, 16, 16), patch=3, search=5)[0]
    assert divmod(int(found[8, 8]), 16) == (6, 6)


def test_the_ends_of_a_clip_borrow_frames_as_published():
    # 0 ... 19 with seven places on either side: the slip at the first place and the black one after the clip.
    before, after = [12, 9, 10, 11, 12, 13, 14], [None, 6, 7, 8, 9, 10, 11]
    assert places(20, 7, 7) == [*before, *range(20), *after]


def test_a_short_clip_has_black_frames_where_the_published_code_finds_none():
    assert places(9, 7, 7) == [1, *[None] * 6, *range(9), *[None] * 6, 0]


@pytest.mark.parametrize("length", [1, 3, 7])
def test_a_clip_too_short_to_borrow_from_is_reflected(length: int):
    frames = places(length, 7, 7)
    assert None not in frames
    assert frames[7 : 7 + length] == list(range(length))
    assert frames[6] == min(1, length - 1)


@pytest.mark.parametrize(("build", "parameters"), [(vnlnet_gray, 503_584), (vnlnet_color, 866_240)])
def test_the_published_networks_have_their_sizes(build, parameters: int):
    with torch.device("meta"):
        network = build()
    # By hand: 1x1 convolutions with bias, then 3x3 ones without, all but the first and last normalized.
    planes, width, convs = 15 * network.channels, network.arguments["width"], network.arguments["convs"]
    by_hand = planes * 32 + 32 + 3 * (32 * 32 + 32) + 9 * 32 * width
    by_hand += (convs - 2) * (9 * width * width + 2 * width) + 9 * width * network.channels
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters == by_hand


def test_the_tensors_have_the_official_names_and_shapes():
    with torch.device("meta"):
        state = vnlnet_gray().state_dict()
    expected = {
        "net.0.weight": (32, 15, 1, 1),
        "net.6.bias": (32,),
        "net.8.weight": (64, 32, 3, 3),
        "net.10.weight": (64, 64, 3, 3),
        "net.11.running_var": (64,),
        "net.49.weight": (1, 64, 3, 3),
    }
    assert {name: tuple(state[name].shape) for name in expected} == expected


def test_an_official_file_loads_without_its_options(model: VNLNet):
    saved = {"args": argparse.Namespace(sigma=20 / 255), "model_state_dict": model.state_dict()}
    VNLNet(**model.arguments).load_state_dict(official_names(saved), strict=True)
    with pytest.raises(RuntimeError, match="size mismatch"):
        VNLNet(**{**SMALL, "width": 8}).load_state_dict(official_names(saved))


@pytest.mark.parametrize("channels", [1, 3])
def test_every_pixel_comes_with_its_likes_of_each_frame(channels: int):
    network = VNLNet(**SMALL, channels=channels).eval()
    noisy = clip(5, channels)
    frames = noisy[0]
    grey = frames.sum(1) if channels == 3 else frames[:, 0]
    planes = []
    for i, frame in enumerate(frames):
        centers = by_brute_force(grey[2], grey[i], 5, 5) if i != 2 else torch.arange(17 * 20).view(17, 20)
        planes.append(frame.flatten(1)[:, centers.flatten()].view_as(frame))
    with torch.no_grad():
        expected = frames[2] - network(torch.cat(planes)[None])[0]
        restored = network.restore_clip(noisy)
    assert list(network.supervised(5)) == [2]
    torch.testing.assert_close(restored[0, 0], expected, rtol=0, atol=1e-6)


def test_a_black_place_gives_black_pixels(model: VNLNet):
    frame = clip(1)[:, 0]
    with torch.no_grad():
        restored = model.restore_at([None, None, frame, None, None])
        black = torch.zeros_like(frame)
        expected = frame - model(torch.cat((black, black, frame, black, black), dim=1))
    torch.testing.assert_close(restored, expected, rtol=0, atol=0)


def test_a_long_clip_in_pieces_differs_in_its_first_frame_alone(model: VNLNet):
    noisy = clip(13)
    method = VNLNetMethod(model)
    method.chunk = 4
    assert method.overlap == 4
    outputs = torch.stack(list(stream(method, noisy.unbind(1))), dim=1)
    with torch.no_grad():
        whole = model.restore(noisy)
    torch.testing.assert_close(outputs[:, 1:], whole[:, 1:], rtol=0, atol=1e-6)


def test_bad_input_is_refused_in_one_line(model: VNLNet):
    with pytest.raises(InputError, match=r"^expected frames of 16x16 pixels or more, got 16x12$"):
        model.restore_clip(torch.zeros(1, 5, 1, 12, 16))
    with pytest.raises(InputError, match="patch: expected an odd number of pixels, got 6"):
        VNLNet(**{**SMALL, "patch": 6})
