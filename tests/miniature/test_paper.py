"""The preset ``paper`` on all eight datasets, from their own archives and folders to tables: `make miniature`.

Networks have the published widths and frames the published sizes; iterations, frames and clips in a batch are few.
"""

from helpers import miniature
from helpers.engines import assert_nothing_due, run

HOURS = 3600.0


def test_all_datasets_from_their_files_to_tables_by_snakemake(tmp_path):
    root = miniature.make(tmp_path)
    miniature.give(root, tmp_path / "given", miniature.all_datasets())
    run("snakemake --cores 2", root, timeout=3 * HOURS)
    for name in miniature.KEPT["experiments"]:
        miniature.assert_published_network(root, name)
    miniature.assert_named_as_edited(root)
    found = {}
    for table in ("table3", "table4", "table5", "datasets"):
        for row in miniature.read_table(root, table):
            if row["measured_psnr_db"]:
                found.setdefault(row["experiment"], set()).add((row["data"], row["sequences"], row["frames"]))
    measured = str(miniature.MEASURED)
    assert found["ncfl-revide"] == {("part of REVIDE (E007, W002)", "1", measured)}
    assert found["ncfl-crvd"] == {("part of CRVD (scene1-iso25600, scene7-iso25600)", "1", measured)}
    assert found["ncfl-rainsyncomplex25"] == {("RainSynComplex25", "25", "25")}
    assert found["ncfl-rainsynall100"] == {("part of RainSynAll100 (0001, 0900)", "1", measured)}
    assert ("part of Set8 (rafting)", "1", measured) in found["ncfl-davis"]
    assert_nothing_due(root)


def test_one_dataset_gives_the_same_tables_by_either_engine(tmp_path):
    tables = []
    for engine in ("snakemake", "dvc repro"):
        folder = tmp_path / engine.partition(" ")[0]
        folder.mkdir()
        root = miniature.make(folder, ("ntu-rain",), miniature.ONE)
        miniature.give(root, folder / "given", ("ntu-rain",))
        run(engine, root, timeout=HOURS)
        assert_nothing_due(root)
        tables.append({path.name: path.read_bytes() for path in (root / "results" / "tables").iterdir()})
    assert tables[0] == tables[1]
    assert tables[0]
