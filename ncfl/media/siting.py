"""Where the chroma samples of 4:2:0 and 4:2:2 lie among those of luma, as a file says it.

PyAV does not tell; FFmpeg's ``showinfo`` writes it into its log. Encoders of all formats take the name as an option.
"""

import re
from typing import Any

OPTION = "chroma_sample_location"
_CENTER, _BESIDE = "center", ("left", "topleft")
_SAID = re.compile(r"\bcl:(\w+)")


def siting_of(av: Any, stream: Any, frame: Any) -> str | None:
    """FFmpeg's name of it for a decoded frame of a stream: left, center, topleft, ...; None where it is unspecified."""
    if "showinfo" not in av.filter.filters_available:
        return None
    graph = av.filter.Graph()
    graph.link_nodes(graph.add_buffer(template=stream), graph.add("showinfo"), graph.add("buffersink")).configure()
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture(local=True) as lines:
            graph.push(frame)
            graph.pull()
    except av.FFmpegError:
        return None
    finally:
        av.logging.set_level(level)
    said = next(filter(None, (_SAID.search(line) for _, _, line in lines)), None)
    return None if said is None or said[1] == "unspecified" else said[1]


def taken_for(suffix: str, chroma: str, siting: str | None) -> str | None:
    """What a file of a format is taken for where it cannot say this siting; None where it can, or none is to be said.

    JPEG's is the center by definition; Y4M knows three; elsewhere 4:2:2 lies beside luma, unsaid.
    """
    if siting is None or chroma not in ("420", "422"):
        return None
    if suffix == ".avi":
        return None if siting == _CENTER else _CENTER
    if chroma == "422":
        return None if siting in _BESIDE else _BESIDE[0]
    return _CENTER if suffix == ".y4m" and siting not in (_CENTER, *_BESIDE) else None
