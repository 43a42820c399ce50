"""Which free choices give the GFLOPs of Table 1? Prints the solutions, F (feature width) by F.

The text gives channels and the number of layers, but few kernel sizes; the six figures of the table pin most of
the rest. Everything is counted in closed form, in multiply-accumulates per pixel of the frame (convolutions,
transposed convolutions, matrix products), at 2 operations each and 544 x 960 pixels, independently of the
package. Usage: python tools/search_sizes.py [--all]
"""

import argparse
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

GFLOPS_PER_MAC = 2 * 544 * 960 / 1e9
PAPER = {"m_a": 534, "m_b": 548, "m_c": 557, "m_d": 613, "m_e": 639, "m_f": 771}
C = 3  # channels of a frame


class Option(NamedTuple):
    macs: float
    text: str


def spynet(levels: int = 4) -> float:
    """Five 7x7 convolutions on each level of the pyramid."""
    return 49 * (8 * 32 + 32 * 64 + 64 * 32 + 32 * 16 + 16 * 2) * sum(4.0**-level for level in range(levels))


def unets(f: int) -> Iterator[Option]:
    """Widths double where the area falls to a quarter, so a layer costs the same at each of the five scales."""
    w = 32
    down = {"2x2 mean, 1x1": 1 / 4 * 2, "2x2 s2": 2, "3x3 s2": 9 / 4 * 2}
    up = {"1x1, bilinear": 1 / 4 * 2, "2x2 deconv": 2, "4x4 deconv": 8}
    for cabs, skip, to_features, d, u in product((9, 13, 14, 18), (1, 3), (1, 3), down, up):
        frame_side = 9 * ((C + f) * w + w * C)
        macs = frame_side + to_features**2 * w * f + w * w * (18 * cabs + 4 * (skip**2 + down[d] + up[u]))
        kernels = f"skip {skip}x{skip}, c_t {to_features}x{to_features}"
        yield Option(macs, f"{cabs} CABs, {kernels}, down {d}, up {u}")


def refinements() -> Iterator[Option]:
    """conv s2, GDN, conv s2 | deconv, IGDN, deconv at 64 channels; GDN mixes channels by a 1x1 convolution."""
    for conv, deconv in product((3, 4, 5), (3, 4, 5)):
        macs = (conv**2 + deconv**2) * (2 * 64 / 4 + 64 * 64 / 16) + 2 * 64 * 64 / 4
        yield Option(macs, f"conv {conv}x{conv}, deconv {deconv}x{deconv}")


def plain_stacks(outer: int, widths: tuple[int, ...]) -> Iterator[Option]:
    """n 3x3 convolutions at full resolution, with and without a 1x1 before and after."""
    for n, w in product(range(2, 8), widths):
        yield Option(9 * (2 * outer * w + (n - 2) * w * w), f"{n} x 3x3 of {w}")
        yield Option(2 * outer * w + n * 9 * w * w, f"1x1, {n} x 3x3 of {w}, 1x1")


def compressions(f: int) -> Iterator[Option]:
    """Encoder, decoder and prior model at 64 channels; the prior model gives 3 x 64."""
    orders = {(1, 2, 2): (1, 4, 16), (2, 1, 2): (4, 4, 16), (2, 2, 1): (4, 16, 16)}
    for enc, dec, prior, order in product((3, 5), (3, 4, 5), product((3, 5), repeat=3), orders):
        both = (enc**2 + dec**2) * (f * 64 / 4 + 64 * 64 / 16)
        pairs = (f * 64, 64 * 64, 64 * 192)
        model = sum(k * k * p / area for k, p, area in zip(prior, pairs, orders[order], strict=True))
        yield Option(both + model, f"conv {enc}, deconv {dec}, prior {prior} with strides {order}")


def attentions(f: int) -> Iterator[Option]:
    """16/32/64 channels: a ResBlock costs 18 x 16^2 at every scale; four more at one of them."""
    for blocks, stages, down, up in product(range(1, 8), (5, 6), (2, 3, 4), (2, 3, 4)):
        count = blocks * stages + 4
        ends = 9 * ((C + f) * 16 + 16 * f)
        macs = ends + 18 * 256 * count + 2 * (down**2 * 512 / 4 + up**2 * 512 / 4)
        yield Option(macs, f"{blocks} ResBlocks x {stages} + 4, down {down}x{down}, up {up}x{up}")


def near(options: Iterator[Option], gflops: float, tolerance: float = 1.5) -> list[Option]:
    """The options within `tolerance` GFLOPs of the wanted increment (both figures are rounded), best first."""
    found = [option for option in options if abs(option.macs * GFLOPS_PER_MAC - gflops) <= tolerance]
    return sorted(found, key=lambda option: abs(option.macs * GFLOPS_PER_MAC - gflops))


def report(f: int, limit: int | None) -> None:
    p = PAPER
    base = p["m_a"] - spynet() * GFLOPS_PER_MAC
    modules = {
        f"U-Net {base:.1f}": near(unets(f), base, 2.7),
        "MVR 14": near(refinements(), p["m_b"] - p["m_a"]),
        "M-Conv 23": near(plain_stacks(2, (16, 24, 32, 48, 64)), p["m_c"] - p["m_a"]),
        "NCFL 65": near(compressions(f), p["m_d"] - p["m_b"]),
        "N-Conv 91": near(plain_stacks(f, (32, 48, 64)), p["m_e"] - p["m_b"]),
        "FA 158": near(attentions(f), p["m_f"] - p["m_d"]),
    }
    print(f"\nF = {f}")
    for name, options in modules.items():
        print(f"  {name} GFLOPs: {len(options)} found")
        for option in options[:limit]:
            print(f"    {option.macs * GFLOPS_PER_MAC:7.2f}  {option.text}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every solution, not the best four of each module")
    limit = None if parser.parse_args().all else 4
    print(f"SPyNet, 4 levels: {spynet():.1f} MAC a pixel, {spynet() * GFLOPS_PER_MAC:.1f} GFLOPs")
    for f in (32, 48, 64):
        report(f, limit)


if __name__ == "__main__":
    main()
