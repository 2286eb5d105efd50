"""The examples that need real data run, and print what the equations say."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


def test_celeba_imbalance(data_folder):
    path = data_folder / "multioutput" / "celeba_attributes.npz"
    command = [sys.executable, "examples/celeba_imbalance.py", str(path), "--eta", "0.8"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[3:]]
    printed = {name: (int(n.replace(",", "")), *map(float, rest)) for name, n, *rest in rows}

    with np.load(path) as file:
        labels = np.unpackbits(file["Y_packed"], axis=1)[:, :40][file["partition"] == 0]
        names = file["label_names"].tolist()
    assert printed.keys() == set(names)
    for name, have_it in zip(names, labels.sum(0).tolist(), strict=True):
        largest = max(have_it, len(labels) - have_it)
        omega = 1 - len(labels) / (2 * largest)
        expected = (have_it, largest / (len(labels) - largest), omega, 0.8 * omega)
        assert printed[name] == pytest.approx(expected, abs=0.051)
        assert printed[name][2:] == pytest.approx(expected[2:], abs=0.00051)
    assert rows[0][0] == "Bald"
