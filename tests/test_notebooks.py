"""The notebooks run from top to bottom, and show what is checked in.

Numbers are left out of the comparison: another processor adds floats in another order, and trained
networks differ then. What the prose says of numbers is asserted by cells of the notebooks.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
NEED_DATA = {"1_crl_beside_samplers", "2_several_targets"}


def code_cells(path):
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def shown(cell):
    """What a cell shows, without numbers and without how an image looks."""
    parts = []
    for output in cell["outputs"]:
        data = output.get("data", {"text/plain": output.get("text", "")})
        for kind, text in sorted(data.items()):
            said = "" if kind == "image/png" else re.sub(r"[-+\d.]+", "0", "".join(text))
            parts.append((output["output_type"], output.get("name"), kind, without_layout(said)))
    return parts


def without_layout(text):
    """Drop what follows from the length of numbers, and which of them is printed in bold."""
    return re.sub(r"[\s*]", "", text)


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} > NEED_DATA


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_shows_what_is_checked_in(path, tmp_path, request):
    if path.stem in NEED_DATA:
        request.getfixturevalue("data_folder")
    command = [sys.executable, "examples/run_notebooks.py", str(path), "--to", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    fresh, kept = code_cells(tmp_path / path.name), code_cells(path)
    assert [cell["source"] for cell in fresh] == [cell["source"] for cell in kept]
    for new, old in zip(fresh, kept, strict=True):
        assert shown(new) == shown(old), f"{path.name}, cell {old['id']}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_was_saved_by_the_runner(path):
    content = json.loads(path.read_text())
    assert content["metadata"]["language_info"] == {"name": "python"}
    cells = content["cells"]
    assert all(not cell["metadata"] for cell in cells)
    counts = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1)), "run from top to bottom, in one go"
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]


def test_notebooks_are_small():
    assert sum(path.stat().st_size for path in NOTEBOOKS) < 600_000
