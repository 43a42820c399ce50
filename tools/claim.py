#!/usr/bin/env python3
"""Does the paper's claim hold at a small size? Trainings with and without what it rests on, by several seeds.

    tools/claim.py OUTPUT --pack FILE --start WEIGHTS --clip CLIP ... [--flow SPYNET]
        [--seeds 2022 2023] [--iterations 350 350]

Four networks go on from WEIGHTS with a memory that works from the start: M_b (motion estimation and its refinement
alone), M_d (with the neural compression), M_d with a weak rate term and with none in its first stage; see
ncfl/release/claim.py.
Writes OUTPUT/claim.csv and OUTPUT/claim.md: PSNR on CLIP, which must not be in the pack, per seed, and what differs.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a bare checkout, not installed

from ncfl.common.errors import InputError
from ncfl.data.packed import read_pack
from ncfl.release.claim import compare
from ncfl.release.training_from_pack import weights_of
from ncfl.train.recipes import RECIPES
from ncfl.weights import checkpoint


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--pack", type=Path, required=True, help="what tools/pretrain pack wrote")
    parser.add_argument("--recipe", choices=tuple(RECIPES), default="half")
    parser.add_argument("--start", type=Path, required=True, metavar="WEIGHTS", help="a network of that recipe")
    parser.add_argument("--flow", type=Path, metavar="SPYNET", help="motion estimation in place of its own")
    parser.add_argument(
        "--clip", type=Path, nargs="+", required=True, help="to measure on: videos, folders of pictures"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[2022, 2023])
    parser.add_argument("--iterations", nargs=2, type=int, default=(350, 350), metavar=("STAGE1", "STAGE2"))
    given = parser.parse_args()
    try:
        text = compare(
            pack=read_pack(given.pack),
            recipe=RECIPES[given.recipe],
            source=weights_of(given.start),
            motion=None if given.flow is None else checkpoint.load(given.flow),
            clips=given.clip,
            seeds=given.seeds,
            iterations=tuple(given.iterations),
            output=given.output,
        )
    except InputError as error:
        print(f"claim: {error}", file=sys.stderr)
        return 2
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
