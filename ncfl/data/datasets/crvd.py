"""CRVD: raw video of indoor scenes at five ISOs, every frame taken ten times; scenes 1-6 train, 7-11 test.

    indoor_raw_noisy/indoor_raw_noisy_scene7/scene7/ISO25600/frame1_noisy0.tiff ... frame7_noisy9.tiff
    indoor_raw_gt/indoor_raw_gt_scene7/scene7/ISO25600/frame1_clean_and_slightly_denoised.tiff ...

16-bit TIFFs of 1920x1080, a GBRG mosaic with values from 240 (black) to 4095 (white). The clean frames are the mean
of many shots, slightly denoised with BM3D: the ground truth of the authors' evaluation, which restores shot 0. The
means before BM3D (``frame1_clean.tiff`` beside the noisy frames) are not used.
"""

import re

from ncfl.common.errors import InputError
from ncfl.data.datasets.interface import ClipFiles, Dataset, Lists, RawFormat, Tree, incomplete, read_list

TITLE = "CRVD"
SCENES = {"train": range(1, 7), "test": range(7, 12)}
ISOS = (25600, 12800, 6400, 3200, 1600)
FRAMES, SHOTS = 7, 10
LISTS = {split: read_list(f"crvd_{split}") for split in SCENES}

# Clip, frame from 0, shot (None: clean) of a file. Some copies leave the folder of the scene's archive out.
Key = tuple[str, int, int | None]
_FILE = re.compile(
    r"(?:.*/)?scene([0-9]+)/ISO([0-9]+)/frame([0-9]+)_(?:noisy([0-9]+)|clean_and_slightly_denoised)\.tiff?",
    re.IGNORECASE,
)
_CLIP = re.compile(r"scene([0-9]+)-iso([0-9]+)")


def _clips(tree: Tree, lists: Lists | None) -> dict[str, list[ClipFiles]]:
    there = _files(tree)
    wanted = LISTS if lists is None else lists
    missing = _missing([clip for names in wanted.values() for clip in names], there)
    if missing:
        raise incomplete(tree, TITLE, missing, "clips or files")
    return {split: [_clip(name, there) for name in names] for split, names in wanted.items()}


def _files(tree: Tree) -> dict[Key, str]:
    """Every file of the layout by what it is."""
    there: dict[Key, str] = {}
    for name in tree.files:
        match = _FILE.fullmatch(name)
        if not match or "outdoor" in name.lower():  # outdoor videos have no ground truth
            continue
        scene, iso, frame, shot = (int(number) if number else None for number in match.groups())
        key = (f"scene{scene}-iso{iso}", frame - 1, shot)
        if key in there:
            raise InputError(
                f"{tree.root}: expected one copy of {TITLE}, got {there[key]} and {name}; name the folder of one copy"
            )
        there[key] = name
    return there


def _clip(name: str, there: dict[Key, str]) -> ClipFiles:
    def shot(number: int | None) -> tuple[str, ...]:
        return tuple(there[name, frame, number] for frame in range(FRAMES))

    return ClipFiles(name, shot(None), tuple(shot(number) for number in range(SHOTS)))


def _missing(clips: list[str], there: dict[Key, str]) -> list[str]:
    """What the clips lack: a clip of which nothing is there, all its clean or all its noisy frames, or files."""
    missing = []
    for clip in clips:
        clean = [(clip, frame, None) for frame in range(FRAMES)]
        noisy = [(clip, frame, shot) for frame in range(FRAMES) for shot in range(SHOTS)]
        absent = {"all clean frames": clean, "all noisy frames": noisy}
        whole = [what for what, keys in absent.items() if not any(key in there for key in keys)]
        if len(whole) == 2:
            missing.append(clip)
            continue
        missing += [f"{what} of {clip}" for what in whole]
        rest = (key for what, keys in absent.items() if what not in whole for key in keys)
        missing += [_place("", *key) for key in rest if key not in there]
    return missing


def _place(split: str, clip: str, frame: int, shot: int | None) -> str:
    del split  # a scene is in one split only
    match = _CLIP.fullmatch(clip)
    if not match:
        raise InputError(f"{TITLE}: expected a clip called as scene7-iso25600 is, got {clip!r}")
    scene, iso = match.groups()
    kind, what = ("gt", "clean_and_slightly_denoised") if shot is None else ("noisy", f"noisy{shot}")
    return f"indoor_raw_{kind}/indoor_raw_{kind}_scene{scene}/scene{scene}/ISO{iso}/frame{frame + 1}_{what}.tiff"


def _names(split: str, n: int) -> list[str]:
    """Clips that spread over scenes and ISOs, the highest ISO first, no clip twice."""
    scenes = SCENES[split]
    if n > len(scenes) * len(ISOS):
        raise InputError(f"{TITLE}: expected at most {len(scenes) * len(ISOS)} clips to {split}, got {n}")
    # Each round through the scenes shifts the ISOs by one, or the same pairs would come again.
    pairs = ((scenes[i % len(scenes)], ISOS[(i + i // len(scenes)) % len(ISOS)]) for i in range(n))
    return [f"scene{scene}-iso{iso}" for scene, iso in pairs]


CRVD = Dataset(
    name="crvd",
    title=TITLE,
    convention="raw",
    clips=_clips,
    place=_place,
    names=_names,
    lists=LISTS,
    shots=SHOTS,
    frames=FRAMES,
    raw=RawFormat(pattern="gbrg", black=240, white=4095),
    size=(1080, 1920),
    stand_in="raw",
)
