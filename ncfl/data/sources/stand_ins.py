"""How a stand-in's frames look: a synthetic scene, degraded as the dataset's frames are.

| ``Dataset.stand_in`` | of | degradation |
|---|---|---|
| none | DAVIS, Set8 | none stored: noise is added while training and measuring |
| raw | CRVD | a Bayer mosaic, Poisson-Gaussian noise of the sensor at the clip's ISO, each shot another |
| rain-light, rain-rendered | RainSynLight25, NTU-Rain | rain streaks |
| rain-heavy, rain-accumulated | RainSynComplex25, RainSynAll100 | dense rain streaks and accumulation |
| haze | REVIDE | haze by the scattering model, from the scene's depth |
"""

import re
from collections.abc import Callable

import numpy as np

from ncfl.common.errors import InputError
from ncfl.data.datasets.interface import Dataset
from ncfl.data.synthetic.haze import Haze
from ncfl.data.synthetic.rain import Rain
from ncfl.data.synthetic.scenes import Scene
from ncfl.data.synthetic.sensor import mosaic, raw_noise

ISO = 3200  # of raw clips whose names say none
# Frame number -> the clean frame and its degraded shots, uint8 [H,W,3] RGB or uint16 [H,W].
Film = Callable[[int], tuple[np.ndarray, list[np.ndarray]]]


def film(dataset: Dataset, clip: str, scene: Scene, rng: np.random.Generator) -> Film:
    """The frames of one stand-in clip, to be asked for in order.

    Args:
        dataset: what is stood in for.
        clip: its name, where the layout gives it a meaning (CRVD's ISO).
        scene: what is to be seen.
        rng: whatever the degradation draws.

    Raises:
        InputError: the dataset's ``stand_in`` does not go with its ``shots`` or its ``raw``.
    """
    _check(dataset)
    match dataset.stand_in:
        case "none":
            return lambda t: (scene.render(t), [])
        case "raw":
            return _raw(dataset, clip, scene, rng)
        case "haze":
            haze = Haze(*scene.size, rng)
            return _shot(scene, lambda frame, t: haze.apply(frame, scene.labels(t)))
        case kind:
            return _shot(scene, Rain(kind, *scene.size, rng).apply)


def _check(dataset: Dataset) -> None:
    kind, shots = dataset.stand_in, dataset.shots
    if (kind == "raw") != (dataset.raw is not None):
        wanted = "another than 'raw', since its video is not" if dataset.raw is None else "'raw', since its video is"
        raise InputError(f"dataset {dataset.name}: stand_in: expected {wanted} raw, got {kind!r}")
    if kind != "raw" and shots != (kind != "none"):
        allowed = "none" if shots == 0 else "rain or haze" if shots == 1 else "raw, the only one of several shots"
        raise InputError(f"dataset {dataset.name}: expected {allowed}, got stand_in {kind!r} with {shots} shots")


def _shot(scene: Scene, degrade: Callable[[np.ndarray, int], np.ndarray]) -> Film:
    def frame(t: int) -> tuple[np.ndarray, list[np.ndarray]]:
        clean = scene.render(t)
        return clean, [degrade(clean, t)]

    return frame


def _raw(dataset: Dataset, clip: str, scene: Scene, rng: np.random.Generator) -> Film:
    raw = dataset.raw
    named = re.search(r"iso(\d+)$", clip)
    iso = int(named[1]) if named else ISO

    def frame(t: int) -> tuple[np.ndarray, list[np.ndarray]]:
        clean = mosaic(scene.render(t), raw)
        shots = [raw_noise(clean, iso, rng, raw) for _ in range(dataset.shots)]
        return np.rint(clean).astype(np.uint16), shots

    return frame
