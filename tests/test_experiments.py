"""The experiments: cells are done once, go on after a kill with the same result, and are shown."""

import importlib
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sk_crl.datasets import power_law_sizes

FOLDER = Path(__file__).parents[1] / "experiments"


@pytest.fixture
def modules(monkeypatch):
    """A function that imports a module of the experiments."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


@pytest.fixture(scope="session")
def tiny_cifar(tmp_path_factory):
    """A folder with a small CIFAR-100 in its binary layout: 20 images of the first class."""
    folder = tmp_path_factory.mktemp("data") / "cifar-100-binary"
    folder.mkdir()
    rng = np.random.default_rng(0)
    sizes = np.maximum(power_law_sizes(100, largest=20, smallest=1), 3)
    for name, fine in [("train", np.repeat(np.arange(100), sizes)), ("test", np.arange(100))]:
        images = rng.integers(0, 256, (len(fine), 3072), dtype=np.uint8)
        records = np.column_stack([fine // 5, fine, images]).astype(np.uint8)
        records.tofile(folder / f"{name}.bin")
    for kind, n_names in [("fine", 100), ("coarse", 20)]:
        names = "".join(f"{kind}{number}\n" for number in range(n_names))
        (folder / f"{kind}_label_names.txt").write_text(names)
    return folder.parent


KILLED = """
import os, signal, sys
sys.path.insert(0, {folder!r})
import fitting, running
from cells import Cell
from pathlib import Path

train = fitting._train

def train_and_die(state, *arguments):
    state = train(state, *arguments)
    if state.epochs == 3:  # trained and not yet kept
        os.kill(os.getpid(), signal.SIGKILL)
    return state

fitting._train = train_and_die
places = running.Places(*map(Path, {paths!r}))
running.run([Cell(*{cell!r})], places, "cpu")
"""


@pytest.mark.parametrize("method", ["crl eta=0.5", "over"])
def test_a_killed_run_goes_on_with_the_same_result(method, modules, tiny_cifar, tmp_path):
    running, cells = modules("running"), modules("cells")
    cell = cells.Cell("cifar100-imb1.0", "cifarnet", method, "cpu", 4, 1)
    paths = [tiny_cifar, tmp_path / "killed", tmp_path / "checkpoints"]
    code = KILLED.format(folder=str(FOLDER), paths=[str(path) for path in paths], cell=tuple(cell))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (checkpoint,) = paths[2].glob("*.pickle")
    assert not paths[1].exists()
    with checkpoint.open("rb") as file:
        assert modules("pickle").load(file).epochs == 2
    running.run([cell], running.Places(*paths), "cpu")
    whole = running.Places(tiny_cifar, tmp_path / "whole", tmp_path / "others")
    running.run([cell], whole, "cpu")
    killed, whole = (
        [line._replace(seconds=0) for line in cells.Results(tmp_path / name).read("cifar100")]
        for name in ("killed", "whole")
    )
    assert killed == whole
    assert len(whole) == (2 if method.startswith("crl") else 1)
    assert not list(paths[2].glob("*.pickle"))
