"""The preset ``paper`` for who has one dataset, from its own files to its tables: published widths, few iterations."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import miniature
from helpers.engines import run


def luma_psnr(folder: Path, clip: str, frames: int) -> float:
    """dB between rainy and clean frames of NTU-Rain, by MATLAB's luma of 8-bit RGB: read and computed here alone."""
    found = []
    for number in range(1, frames + 1):
        rainy, clean = (
            cv2.imread(str(folder / f"Dataset_Testing_Synthetic/{clip}_{kind}/{number:05d}.jpg")).astype(float)
            @ [24.966, 128.553, 65.481]
            / 255
            for kind in ("Rain", "GT")
        )
        found.append(10 * np.log10(255**2 / np.mean((rainy - clean) ** 2)))
    return float(np.mean(found))


def test_one_dataset_from_its_files_to_tables(tmp_path):
    root = miniature.make(tmp_path, ("ntu-rain",), miniature.ONE, mlflow=False)
    miniature.give(root, tmp_path / "given", ("ntu-rain",))
    run("snakemake results/tables", root)
    miniature.assert_published_network(root, "ncfl-ntu-rain")
    miniature.assert_named_as_edited(root)
    measured = [row for row in miniature.read_table(root, "table4") if row["measured_psnr_db"]]
    assert [row["method"] for row in measured] == ["Rainy input", "NCFL"]
    assert {row["data"] for row in measured} == {"part of NTU-Rain (t1_01, a1)"}
    assert {(row["sequences"], row["frames"]) for row in measured} == {("1", str(miniature.MEASURED))}
    rainy = luma_psnr(tmp_path / "given" / "ntu-rain", "a1", miniature.MEASURED)
    assert float(measured[0]["measured_psnr_db"]) == pytest.approx(rainy, abs=0.006)
    log = (root / "results" / "logs" / "ncfl-ntu-rain-evaluate.log").read_text()
    assert "expected frame 0..1 of a1, got 20; no picture is kept" in log
