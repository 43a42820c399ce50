"""`ncfl verify`: from the numbers of a table back to the data, and what it says of links that do not hold."""

import json
import re

from helpers.engines import run
from helpers.projects import ROOT


def test_from_each_number_of_a_table_back_to_the_data(project):
    preset = project / "presets" / "demo.yaml"
    preset.write_text(preset.read_text() + "# changed\n")
    run("ncfl tables", project)  # with a tree that is not that of the commit
    said = run("ncfl verify --table 5", project)
    measured = [line.split(",") for line in (project / "results/tables/table5.csv").read_text().splitlines()]
    column = measured[0].index("measured_psnr_db")
    numbers = [line[column] for line in measured[1:] if line[column]]
    assert numbers
    assert f"Table 5: {len(numbers)} numbers of 2 runs" in said
    for experiment in ("ncfl-davis", "noisy"):
        (shown,) = re.findall(rf"^{experiment} \((.*?)\): {experiment}-evaluate <- ", said, re.M)
        assert set(shown.split(", ")) <= set(numbers)
    steps = dict(re.findall(r"^([\w-]+) is done\n((?:  .*\n)+)", said, re.M))
    expected = {"fetch", "prepare", "flow", "stage1", "stage2", "evaluate", "tables"}
    assert {name.rpartition("-")[2] for name in steps} == expected
    for name, told in steps.items():
        record = json.loads((project / f"results/records/{name}.json").read_text())
        assert f"commit {record['code']['commit'][:12]}" in told
        assert f"torch {record['versions']['torch']}" in told
        assert f"{record['seconds']} s on cpu of {record['machine']['processor']}, seed 7, MLflow run" in told
        assert f"{len(record['inputs'])} files in, {len(record['outputs'])} out" in told
    assert "+ changes (" in steps["tables"]
    assert "+# changed" in json.loads((project / "results/records/tables.json").read_text())["code"]["difference"]
    assert "+ changes" not in steps["noisy-evaluate"]
    assert "variant=m_f" in re.sub(r"\s+", " ", steps["ncfl-davis-train-stage2"])
    refused = run("ncfl verify --table 9", project, code=2)
    assert "--table: expected table1, " in refused
    assert "or the number alone, got " in refused


def test_a_record_that_says_less_than_records_do(project):
    path = project / "results/records/noisy-evaluate.json"
    record = json.loads(path.read_text())
    del record["versions"], record["seed"]
    path.write_text(json.dumps(record))
    said = run("ncfl verify", project, code=2)
    assert "noisy-evaluate is unrecorded (its record says nothing of its seed, versions)" in said


def test_shipped_weights_that_are_not_those_of_their_index(project):
    folder = project / "pretrained"
    (folder / "index.json").write_bytes((ROOT / "pretrained/index.json").read_bytes())
    for path in (ROOT / "pretrained").glob("*.safetensors"):
        (folder / path.name).write_bytes(path.read_bytes())
    run("ncfl verify", project)
    with (folder / "ncfl-half.safetensors").open("r+b") as file:
        file.seek(100_000)
        file.write(bytes(50))
    said = run("ncfl verify", project, code=2)
    assert "pretrained/ncfl-half.safetensors is another than its index says" in said
