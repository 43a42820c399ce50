"""How long a film takes that is not restored at all, beside FFmpeg with the same encoder and settings.

    tools/bench_film.py FILM.mp4 [--repeats 1]

Prints wall time, processor time (of user and system) and the greatest memory of each program, the least of the repeats,
and their ratio: reading, converting and writing is all that ``ncfl restore --method noisy`` does. FILM has 8 bits.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

QUALITY = 12  # constant rate factor, as ncfl.media.video.open_writer has it


class Cost(NamedTuple):
    """What a program took: seconds, seconds of all processors, bytes."""

    wall: float
    processor: float
    memory: int


def cost(command: list[str]) -> Cost:
    """Run a program to its end."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", type=Path)
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.film.parent) as folder:
        film, encoder = str(arguments.film), ["-c:v", "libx264", "-crf", str(QUALITY)]
        commands = {
            "ffmpeg": ["ffmpeg", "-v", "error", "-y", "-i", film, *encoder, f"{folder}/ffmpeg.mp4"],
            "ncfl": ["ncfl", "restore", film, f"{folder}/ncfl.mp4", "--method", "noisy", "--no-cuts", "--overwrite"],
        }
        found = {name: [cost(command) for _ in range(arguments.repeats)] for name, command in commands.items()}
    least = {name: Cost(*map(min, zip(*costs, strict=True))) for name, costs in found.items()}
    print("| | wall time | processor time | greatest memory |\n|---|---:|---:|---:|")
    for name, (wall, processor, memory) in least.items():
        print(f"| {name} | {wall:.1f} s | {processor:.1f} s | {memory / 1e9:.2f} GB |")
    wall, processor, memory = (b / a for a, b in zip(least["ffmpeg"], least["ncfl"], strict=True))
    print(f"| ratio | {wall:.2f} | {processor:.2f} | {memory:.2f} |")


if __name__ == "__main__":
    main()
