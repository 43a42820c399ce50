"""docs/restore.ipynb is a notebook, and its cells do what they say, one after the other."""

import matplotlib
import matplotlib.pyplot as plt
import nbformat
from helpers.command_line import ROOT

NOTEBOOK = ROOT / "docs" / "restore.ipynb"


def test_the_cells_run(tmp_path, monkeypatch, capsys):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # they would change with every run
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    session: dict = {}
    for number, cell in enumerate(cell for cell in notebook.cells if cell.cell_type == "code"):
        exec(compile(cell.source, f"{NOTEBOOK.name}, cell {number}", "exec"), session)
    plt.close("all")
    quality, errors = session["quality"], session["errors"]
    assert quality["NCFL"] > quality["median"] + 2 > quality["noisy"] + 4
    assert min(errors[3:]) < errors[0]
    assert session["restored"].shape == session["clean"].shape
    assert "squared error by frame" in capsys.readouterr().out
    assert len(session["figures"].query("origin == 'paper'")) > 50
