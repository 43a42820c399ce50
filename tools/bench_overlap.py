"""What it saves that frames are decoded ahead and encoded behind, in one run of each by turns.

    tools/bench_overlap.py FILM.mp4 [--threads 1 2] [--repeats 3] [--method noisy]

Prints the seconds of ``ncfl restore`` without and with the overlap, the least of the repeats, and their ratio. The
files that they write must be the same.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUN = """
import sys
from ncfl.cli.main import main
from ncfl.restoring import streaming
if sys.argv.pop(1) == "without":
    streaming.depth_for = lambda *size: 0
main()
"""


def seconds(overlap: str, arguments: list[str]) -> float:
    """Run ``ncfl restore`` to its end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", RUN, overlap, "restore", *arguments], check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", type=Path)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--method", help="in place of the default weights")
    given = parser.parse_args()
    method = ["--method", given.method] if given.method else []
    print("| threads | without | with | ratio |\n|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        outputs = {overlap: Path(folder) / f"{overlap}.mp4" for overlap in ("without", "with")}
        for threads in given.threads:
            least = dict.fromkeys(outputs, float("inf"))
            for _ in range(given.repeats):
                for overlap, output in outputs.items():
                    how = [str(given.film), str(output), "--overwrite", "--threads", str(threads), *method]
                    least[overlap] = min(least[overlap], seconds(overlap, how))
            one, other = (output.read_bytes() for output in outputs.values())
            if one != other:
                sys.exit(f"threads {threads}: the two files differ")
            without, with_it = least["without"], least["with"]
            print(f"| {threads} | {without:.2f} s | {with_it:.2f} s | {with_it / without:.2f} |", flush=True)


if __name__ == "__main__":
    main()
