"""Where the chroma samples of 4:2:0 lie among those of luma, as a file says it.

PyAV does not tell; FFmpeg's ``showinfo`` writes it into its log. Encoders of all formats take the name as an option.
"""

import re
from typing import Any

OPTION = "chroma_sample_location"
CENTER = "center"  # JPEG's, by definition
IN_Y4M = ("left", CENTER, "topleft")
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
