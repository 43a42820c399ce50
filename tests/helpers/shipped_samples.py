"""A file of weights as it ships, of a tiny network."""

import hashlib
import json
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

TINY = {
    "unet_widths": (4, 6, 8, 10, 12),
    "feature_width": 4,
    "flow_width": 0.125,
    "mv_width": 4,
    "latent_width": 4,
    "attention_widths": (4, 4, 4),
    "attention_blocks": 1,
    "attention_extra_blocks": 1,
}


def export(place: Path, models: dict[str, nn.Module], default: str) -> Path:
    """What a release holds: half-precision tensors, and their index."""
    place.mkdir(parents=True, exist_ok=True)
    described = {}
    for name, model in models.items():
        half = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
        path = place / f"{name}.safetensors"
        save_file({k: v.contiguous() for k, v in half.items()}, path)
        described[name] = {
            "file": path.name,
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "kind": model.kind,
            "arguments": model.arguments,
            "sigma": [0, 55],
            "description": f"{name}, for the tests",
            "licence": "MIT",
        }
    (place / "index.json").write_text(json.dumps({"default": default, "weights": described}))
    return place


def described(here: Path, path: Path) -> dict[str, object]:
    return {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
