"""What a step asks of the machine while it runs, under the names by which MLflow shows it."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Mapping

FIRST_SECONDS = 10.0  # steps that are shorter pay nothing
SPARSER = 60  # a long step is looked at every 60th of the time that it has run: some hundred points in all


class Monitor(threading.Thread):
    """Looks at processor, memory and GPU now and then, until :meth:`end`.

    Args:
        log: gets the number of the look, from 1, and what was seen.
    """

    def __init__(self, log: Callable[[int, Mapping[str, float]], None]) -> None:
        super().__init__(name="system metrics", daemon=True)
        self._log, self._over = log, threading.Event()

    def run(self) -> None:
        """See :class:`threading.Thread`."""
        began, number = time.monotonic(), 0
        while not self._over.wait(max(FIRST_SECONDS, (time.monotonic() - began) / SPARSER)):
            try:
                seen = look()
            except Exception:  # a machine that does not tell costs nothing but this curve
                return
            if number:  # the processor's use is counted from the first look on
                self._log(number, seen)
            number += 1

    def end(self) -> None:
        """Look no more."""
        self._over.set()
        self.join()


def look() -> dict[str, float]:
    """The use of processor (percent) and memory (percent, MB of 1e6 bytes) of the machine, and of this process."""
    import psutil

    memory, own = psutil.virtual_memory(), psutil.Process()
    seen = {
        "cpu_utilization_percentage": psutil.cpu_percent(),
        "system_memory_usage_megabytes": memory.used / 1e6,
        "system_memory_usage_percentage": 100 * memory.used / memory.total,
        "process_memory_usage_megabytes": own.memory_info().rss / 1e6,
        **_of_gpu(),
    }
    return {f"system/{name}": round(value, 1) for name, value in seen.items()}


def _of_gpu() -> dict[str, float]:
    """Of the GPU that the step works on, if PyTorch has one at work."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)  # None too while another thread is about to import it
    if not getattr(cuda, "is_initialized", bool)():
        return {}
    free, total = cuda.mem_get_info()
    name = f"gpu_{cuda.current_device()}"
    seen = {
        f"{name}_memory_usage_megabytes": (total - free) / 1e6,
        f"{name}_memory_usage_percentage": 100 * (total - free) / total,
    }
    with contextlib.suppress(Exception):  # needs nvidia-ml-py
        seen[f"{name}_utilization_percentage"] = cuda.utilization()
    return seen
