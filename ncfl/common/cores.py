"""How many processor cores a computation should take, and how its threads wait."""

import os
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")
_SHARE = Path("/sys/fs/cgroup/cpu.max")  # microseconds of processor time per period, or "max"


def wait_passively() -> None:
    """Have OpenMP's threads sleep where they wait for each other; to be called before PyTorch is imported.

    By default they spin, which on a machine with other work takes the cores from those that are waited for: twelve
    small frames took 8 to 47 s so, and 3 s asleep. What the user has set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def physical_cores(cpus: Path = _CPUS, share: Path = _SHARE) -> int:
    """Cores that this process may use: those it is bound to, both threads of a core counted once, and no more than
    its container's share of time. At least 1.

    Args:
        cpus: where Linux describes the processors; and
        share: the container's share. Where neither is there, all processors count.
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    cores = len({_siblings(cpus / f"cpu{number}", number) for number in allowed})
    return max(1, min(cores, _quota(share) or cores))


def _siblings(cpu: Path, number: int) -> str:
    try:
        return (cpu / "topology" / "thread_siblings_list").read_text().strip()
    except OSError:
        return str(number)


def _quota(share: Path) -> int | None:
    try:
        time, period = share.read_text().split()
        return round(int(time) / int(period)) or 1
    except (OSError, ValueError):
        return None
