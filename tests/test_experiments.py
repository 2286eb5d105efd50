"""The experiments: cells are done once, go on after a kill with the same result, and are shown."""

import importlib
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

FOLDER = Path(__file__).parents[1] / "experiments"


@pytest.fixture(scope="session", autouse=True)
def _importable():
    """Find the modules of the experiments, which are no package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield


@pytest.fixture
def run(data, tmp_path, capsys):
    """A function that trains the cells of tables for an epoch, and one that reports them."""
    main = importlib.import_module("run").main
    places = ["results", "checkpoints", "figures"]
    folders = [word for name in places for word in (f"--{name}", str(tmp_path / name))]

    def run_and_report(*arguments):
        common = [*arguments, *folders, "--seeds", "1", "--epochs", "1", "--data", str(data)]
        main(common)
        trained = capsys.readouterr().out.splitlines()
        main([*common, "--report"])
        return trained, capsys.readouterr().out

    return run_and_report


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A folder with all data sets in their official layouts, with few images of noise."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    write_cifar(folder / "cifar-100-binary", rng)
    write_celeba(folder / "celeba", rng)
    write_xdomain(folder / "x-domain", rng)
    write_deepfashion(folder / "deepfashion", rng)
    write_products(folder / "fashion_products_32.npz", rng)
    return folder


def write_cifar(folder, rng):
    """Every class has ten images to train and one to test."""
    folder.mkdir()
    for name, n_each in [("train", 10), ("test", 1)]:
        fine = np.repeat(np.arange(100), n_each)
        images = rng.integers(0, 256, (len(fine), 3072), dtype=np.uint8)
        np.column_stack([fine // 5, fine, images]).astype(np.uint8).tofile(folder / f"{name}.bin")
    for kind, n_names in [("fine", 100), ("coarse", 20)]:
        names = "".join(f"{kind}{number}\n" for number in range(n_names))
        (folder / f"{kind}_label_names.txt").write_text(names)


def write_images(folder, n, size, rng):
    """Write images, and list their names."""
    folder.mkdir(parents=True)
    names = [f"{number:06}.jpg" for number in range(n)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / name)
    return names


def write_celeba(folder, rng):
    names = write_images(folder / "img_align_celeba", 30, (55, 47), rng)
    attributes = list(importlib.import_module("attribute_tables").CELEBA.ratios)
    table = np.where(rng.random((30, 40)) < 0.3, "1", "-1")
    table[::10], table[1::10] = "1", "-1"  # every part has both
    rows = [f"{name} {' '.join(row)}" for name, row in zip(names, table, strict=True)]
    text = "\n".join(["30", " ".join(attributes), *rows, ""])
    (folder / "list_attr_celeba.txt").write_text(text)
    parts = "".join(f"{name} {place // 10}\n" for place, name in enumerate(names))
    (folder / "list_eval_partition.txt").write_text(parts)


def write_xdomain(folder, rng):
    targets = list(importlib.import_module("sources").XDOMAIN_TARGETS)
    names = write_images(folder / "images", 36, (32, 32), rng)
    for place, part in enumerate(["train", "validation", "test"]):
        frame = pd.DataFrame(rng.integers(0, 3, (12, len(targets))), columns=targets)
        frame.iloc[:3] = np.arange(3)[:, None]
        frame.insert(0, "image", [f"images/{name}" for name in names[12 * place :][:12]])
        frame.astype(object).where(rng.random(frame.shape) < 0.95, None).fillna(
            {"image": frame["image"]}
        ).to_csv(folder / f"{part}.csv", index=False)


def write_deepfashion(folder, rng):
    names = write_images(folder / "Img" / "img", 24, (40, 32), rng)
    (folder / "Anno").mkdir()
    (folder / "Eval").mkdir()
    rows = [f"name {number} {number % 5 + 1}" for number in range(35)]
    head = "attribute_name  attribute_type"
    (folder / "Anno" / "list_attr_cloth.txt").write_text("\n".join(["35", head, *rows, ""]))
    table = np.where(rng.random((24, 35)) < 0.3, "1", "-1")
    table[::8], table[1::8] = "1", "-1"
    rows = [f"img/{name} {' '.join(row)}" for name, row in zip(names, table, strict=True)]
    text = "\n".join(["24", "image_name  attribute_labels", *rows, ""])
    (folder / "Anno" / "list_attr_img.txt").write_text(text)
    parts = [f"img/{name} {('train', 'val', 'test')[i // 8]}" for i, name in enumerate(names)]
    text = "\n".join(["24", "image_name evaluation_status", *parts, ""])
    (folder / "Eval" / "list_eval_partition.txt").write_text(text)


def write_products(path, rng):
    names = list(importlib.import_module("attribute_tables").FASHION.ratios)
    Y = rng.integers(0, 3, (60, 7)).astype(np.int16)
    Y[4:9, 2] = -1
    Y[25], Y[45] = 3, 4  # classes that validation and test data have alone
    X = rng.integers(0, 256, (60, 3, 32, 32), dtype=np.uint8)
    np.savez(path, X=X, Y=Y, label_names=names, split=np.repeat(np.arange(3, dtype=np.int8), 20))


KILLED = """
import os, signal, sys
sys.path.insert(0, {folder!r})
import fitting, running
from cells import Cell
from pathlib import Path

train = fitting._train

def train_and_die(state, *arguments):
    state = train(state, *arguments)
    if state.epochs == 2:  # trained and not yet kept
        os.kill(os.getpid(), signal.SIGKILL)
    return state

fitting._train = train_and_die
places = running.Places(*map(Path, {paths!r}))
running.run([Cell(*{cell!r})], places, "cpu")
"""


@pytest.mark.parametrize("method", ["over alpha=0.5", "lmle", "triplet-knn"])
def test_a_killed_run_goes_on_with_the_same_result(data, tmp_path, method):
    running, cells = map(importlib.import_module, ["running", "cells"])
    n_epochs = 4 if method == "lmle" else 3  # in four rounds
    cell = cells.Cell("cifar100-imb1.0", "cifarnet", method, "cpu", n_epochs, 1)
    paths = [data, tmp_path / "killed", tmp_path / "checkpoints"]
    code = KILLED.format(folder=str(FOLDER), paths=[str(path) for path in paths], cell=tuple(cell))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (checkpoint,) = paths[2].glob("*.pickle")
    assert not paths[1].exists()
    with checkpoint.open("rb") as file:
        assert pickle.load(file).epochs == 1
    running.run([cell], running.Places(*paths), "cpu")
    whole = running.Places(data, tmp_path / "whole", tmp_path / "others")
    running.run([cell], whole, "cpu")
    killed, whole = (
        [line._replace(seconds=0) for line in cells.Results(tmp_path / name).read("cifar100")]
        for name in ("killed", "whole")
    )
    assert killed == whole
    assert len(whole) == 1
    assert not list(paths[2].glob("*.pickle"))


def test_tables_of_faces(run, tmp_path):
    trained, text = run("table3", "table4", "figure6")
    assert len(trained) == 10
    assert "| Attractive |" in text
    assert "[81]" in text  # the paper's DeepID2
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        f"experiments_{name}.png" for name in ("table3", "table4", "figure6")
    }
    again, _ = run("table4")
    assert not again  # its cells are those of Table 3


def test_tables_of_clothes(run):
    trained, text = run("table5", "table6", "figure8")
    assert len(trained) == 10
    assert "[80.42]" in text


def test_table_of_deepfashion(run):
    trained, text = run("table7", "--network", "resnet32")
    assert len(trained) == 2
    assert "[54.56]" in text


def test_tables_of_the_stand_in(run):
    trained, _ = run("table10", "table12", "figure11", "cost", "--stand-in")
    assert len(trained) == 12


def test_tables_of_objects(run, tmp_path):
    trained, _ = run("figure2", "table8", "figure10", "--network", "deepid2")
    assert len(trained) == 13
    assert (tmp_path / "figures" / "experiments_figure2.png").exists()


# ------------------------------------------------------------------------------------------ parts


def modules(*names):
    return [importlib.import_module(name) for name in names]


def test_a_cell_that_another_process_holds_is_left_to_it(data, tmp_path):
    running, cells = modules("running", "cells")
    cell = cells.Cell("cifar100-imb1.0", "none", "hog-knn", "cpu", 1, 0)
    places = running.Places(data, tmp_path / "results", tmp_path / "checkpoints")
    with cells.claimed(cell, places.checkpoints) as is_ours:
        assert is_ours
        running.run([cell], places, "cpu")
    assert not places.results.exists()
    running.run([cell], places, "cpu")
    (line,) = cells.Results(places.results).read("cifar100")
    assert line.cell == cell
    assert line.decision == "arg max"


def test_a_cell_that_diverges_holds_up_no_other(data, tmp_path, monkeypatch, capsys):
    running, cells = modules("running", "cells")
    first = cells.Cell("cifar100-imb1.0", "none", "hog-knn", "cpu", 1, 0)
    second = first._replace(seed=1)
    train = running.run_cell

    def diverge(cell, *arguments):
        if cell == first:
            raise FloatingPointError("The training loss became inf.")
        return train(cell, *arguments)

    monkeypatch.setattr(running, "run_cell", diverge)
    places = running.Places(data, tmp_path / "results", tmp_path / "checkpoints")
    with pytest.raises(SystemExit, match="1 cells have diverged"):
        running.run([first, second], places, "cpu")
    assert "The training loss became inf." in capsys.readouterr().out
    assert [line.cell for line in cells.Results(places.results).read("cifar100")] == [second]


def test_table_8_wants_all_of_the_data(data, tmp_path):
    running, cells = modules("running", "cells")
    folder = tmp_path / "data" / "cifar-100-binary"
    shutil.copytree(data / "cifar-100-binary", folder)
    records = (folder / "train.bin").read_bytes()
    (folder / "train.bin").write_bytes(records[: -3 * 3074])
    places = running.Places(folder.parent, tmp_path / "results", tmp_path / "checkpoints")
    cell = cells.Cell("cifar100", "cifarnet", "ce", "cpu", 1, 0)
    with pytest.raises(SystemExit, match=r"all of CIFAR-100.* from 7 to 10 training images"):
        running.run([cell], places, "cpu")
    (folder / "train.bin").unlink()
    with pytest.raises(SystemExit, match=r"holds neither train\.bin"):
        running.run([cell._replace(data="cifar100-imb1.0")], places, "cpu")


@pytest.mark.parametrize("table", ["table3", "table5", "table7", "table9"])
def test_missing_data_are_asked_for(table, tmp_path, monkeypatch):
    (run,) = modules("run")
    monkeypatch.delenv("SK_CRL_DATA", raising=False)
    folders = ["--results", str(tmp_path / "r"), "--checkpoints", str(tmp_path / "c")]
    with pytest.raises(SystemExit, match="pass --data FOLDER"):
        run.main([table, *folders])
    with pytest.raises(SystemExit, match=r"(?s)is not there .*Put\n.*into\n? ?.*" + str(tmp_path)):
        run.main([table, *folders, "--data", str(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_numbers_of_entries(tmp_path):
    cells, entries = modules("cells", "entries")
    choice = entries.Choice(seeds=3)
    base, other = (
        entries.Entry("fashion", "mtct", method, targets=targets)
        for method, targets in [("ce", ()), ("crl eta=0.01", ("season", "usage"))]
    )
    results = cells.Results(tmp_path)
    for seed, (base_scores, other_scores) in enumerate([((0.1, 0.3, 0.5), (0.2, 0.4, 0.9))] * 2):
        for entry, scores, seconds in [(base, base_scores, 4.0), (other, other_scores, 10.0)]:
            cell = entry.cell(choice, seed)
            pairs = zip(["season", "usage", "gender"], scores, strict=True)
            results.add(
                cell, [cells.Line(cell, "arg max", name, s, 1 / 3, seconds) for name, s in pairs]
            )
    known = entries.Scores(results, choice)
    assert known.of_seeds(base) == pytest.approx([30, 30])
    assert known.of_seeds(other) == pytest.approx([30, 30])
    same = base._replace(targets=other.targets)
    assert known.of_seeds(other._replace(less=same)) == pytest.approx([10, 10])
    seconds = other._replace(quantity="seconds", over=base._replace(quantity="seconds"))
    assert known.of_seeds(seconds) == pytest.approx([2.5, 2.5])
    assert known.of_seeds(base._replace(quantity="epoch seconds")) == pytest.approx([0.5, 0.5])
    assert not len(known.of_seeds(base._replace(decision="threshold")))
    assert entries.written(known.of_seeds(base), 3) == "30.0 ± 0.0 (2 of 3)"
    assert results.read("fashion")[0].loss == 1 / 3


def test_every_number_of_the_paper_has_its_place():
    entries, paper_tables = modules("entries", "paper_tables")
    with entries.PAPER.open(newline="") as file:
        tables = {line.split(",")[0] for line in file.read().splitlines()[1:]}
    for name in tables:
        table = paper_tables.TABLES[name](entries.Choice(preset="paper"))
        places = {(row.title, column) for row in table.rows for column in row.entries}
        assert entries.of_paper(name).keys() <= places


def test_means_of_the_paper():
    (entries,) = modules("entries")
    known = entries.of_paper("table5")
    for row in {row for row, _ in known}:
        of_targets = [v for (r, column), v in known.items() if r == row and column != "mean"]
        slip = 0.34 if row == "Cost-Sensitive" else 0.011  # the paper's own
        assert np.mean(of_targets) == pytest.approx(known[row, "mean"], abs=slip)


@pytest.mark.parametrize(("n", "n_samples"), [(8, 3), (3, 8), (5, 5), (1, 4)])
def test_passes_go_on_across_epochs(n, n_samples):
    (methods,) = modules("methods")
    sampler = methods.SameLength(n, seed=1)
    codes = torch.zeros(n_samples, 1, dtype=torch.int64)
    orders = [sampler.order(codes, 2, epoch, 1, None) for epoch in range(n_samples)]
    assert {len(order) for order in orders} == {n}
    passes = torch.cat(orders).view(-1, n_samples)
    assert (passes.sort().values == torch.arange(n_samples)).all()
    assert len(passes.unique(dim=0)) > 1 or n == 1


def test_learning_rates():
    (presets,) = modules("presets")
    preset = presets.Preset(8, 1, 1.0, eta=0.5)
    assert [preset.lr_of(epoch, 8) for epoch in range(8)] == [1.0] * 8
    steps = preset._replace(decay="steps")
    lrs = [steps.lr_of(epoch, 8) for epoch in range(8)]
    assert lrs == pytest.approx([1] * 4 + [0.1] * 2 + [0.01] * 2)
    cosine = preset._replace(decay="cosine", warm_up=3)
    lrs = [cosine.lr_of(epoch, 8) for epoch in range(8)]
    assert lrs[:4] == [0.25, 0.5, 0.75, 1.0]
    assert lrs[4:] == sorted(lrs[4:], reverse=True)
    assert 0 < lrs[-1] < 0.1


def test_ratios_of_the_products(data_folder):
    attribute_tables, sources = modules("attribute_tables", "sources")
    parts = sources.load("fashion", data_folder, 0, None, None)
    for name, of_target in zip(parts.target_names, parts.y.T, strict=True):
        counts = np.unique(of_target[~np.isnan(of_target)], return_counts=True)[1]
        assert round(counts.max() / counts.min()) == attribute_tables.FASHION.ratios[name]
