"""The study of benchmarks/: every method copes with every kind of table; stopped runs go on."""

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("pytorch_metric_learning")

ROOT = Path(__file__).parents[1]
STEPS = 8
TIMES = ["fit_time", "score_time"]
# Small classes have few neighbours, and may be absent from a fold.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture
def study(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("study")


@pytest.fixture
def methods(study):
    return importlib.import_module("study_methods")


def make_table(study, sizes):
    """A feature with holes, one of numbers, and two of categories, one of them rare."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(len(sizes)), sizes)
    numbers = rng.normal(size=(len(y), 2)) + 3 * y[:, None]
    numbers[::7, 0] = np.nan
    categories = np.column_stack([(y + (rng.random(len(y)) < 0.2)) % 3, np.arange(len(y)) == 5])
    order = rng.permutation(len(y))
    X = np.column_stack([numbers, categories])[order]
    return study.Table(X, y[order], np.array([False, False, True, True]))


@pytest.fixture
def tables(study):
    return {"x_three": make_table(study, [40, 12, 2]), "x_two": make_table(study, [40, 9])}


def some_methods(methods):
    """What makes few of the methods, for few steps: with probabilities, without, and by chance."""
    names = [methods.REFERENCE, methods.PLAIN, methods.ADJUSTED, "SMOTE", "LMLE", "BalancedBagging"]

    def make(class_sizes, categorical):
        made = methods.make_methods(class_sizes, categorical, STEPS)
        return {name: made[name] for name in names}

    return make


@pytest.mark.parametrize("sizes", [[40, 12, 2], [40, 9]])
def test_every_method_fits_holes_and_categories(study, methods, sizes):
    X, y, categorical = make_table(study, sizes)
    train, test = next(study.CV.split(X, y))
    assert set(y[train]) == set(y[test]) == set(y)
    made = methods.make_methods(np.bincount(y[train]).tolist(), categorical, STEPS)
    assert {methods.PLAIN, methods.ADJUSTED, methods.REFERENCE} < made.keys()
    for name, method in made.items():
        predicted = method.fit(X[train], y[train]).predict(X[test])
        assert set(predicted) <= set(y), name
        assert method[:-1].transform(X).shape[1] == made[methods.PLAIN][:-1].transform(X).shape[1]
        if hasattr(method, "predict_proba"):
            probabilities = method.predict_proba(X[test])
            assert probabilities.shape == (len(test), len(sizes)), name
            assert np.isfinite(probabilities).all(), name


def test_features_are_learned_from_the_training_part(study, methods):
    X, _, categorical = make_table(study, [40, 12, 2])
    first, scaler = methods.make_features(categorical)
    known = X[:, 3] == 0
    features = scaler.fit_transform(first.fit_transform(X[known]))
    assert features.shape[1] == 2 + 1 + 3 + 1  # numbers, a hole's mark, categories
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-12)
    strange = X[~known]
    strange[:, 2] = 9  # no row of the training part has it
    assert np.isfinite(scaler.transform(first.transform(strange))).all()


@pytest.mark.parametrize(
    ("n_rows", "steps"), [(1, 10), (128, 10), (129, 10), (1000, 7), (5000, 100), (13333, 1000)]
)
def test_networks_train_for_the_same_number_of_steps(methods, n_rows, steps):
    batches = -(-n_rows // methods.BATCH_SIZE)
    n_epochs = methods.epochs(n_rows, steps)
    assert n_epochs * batches >= steps > (n_epochs - 1) * batches


def test_steps_are_counted_after_sampling(methods):
    made = methods.make_methods([500, 20], np.zeros(3, bool), 100)
    for name, n_rows in ((methods.PLAIN, 520), ("SMOTE", 1000), ("down-sampling", 40)):
        assert made[name][-1].max_epochs == methods.epochs(n_rows, 100)


def test_a_run_that_was_stopped_ends_with_the_same_frame(study, methods, tables, tmp_path):
    whole, stopped = tmp_path / "whole.csv", tmp_path / "stopped.csv"
    make = some_methods(methods)
    study.run(tables, whole, make, n_jobs=1)
    lines = whole.with_suffix(".jsonl").read_text().splitlines(keepends=True)
    assert len(lines) == 1 + 2 * 3 * 6
    # Stopped in the second table, in the middle of a line; the CSV holds the first table.
    stopped.with_suffix(".jsonl").write_text("".join(lines[:25]) + lines[25][:40])
    study.read_fits(whole).query("dataset == 'x_three'").to_csv(stopped, index=False)
    study.run(tables, stopped, make, n_jobs=1)
    assert len(stopped.with_suffix(".jsonl").read_text().splitlines()) == len(lines)
    one, other = study.read_fits(whole), study.read_fits(stopped)
    pd.testing.assert_frame_equal(one.drop(columns=TIMES), other.drop(columns=TIMES))
    assert one["balanced_accuracy"].notna().all()
    assert one.query("method == 'LMLE'")["log_loss"].isna().all()
    assert one.query("method != 'LMLE'")["log_loss"].notna().all()


def test_the_report_shows_what_failed_and_what_was_won(study, methods, tables, tmp_path, capsys):
    make = some_methods(methods)
    study.run(tables, tmp_path / "fits.csv", make, n_jobs=1)
    frame = study.read_fits(tmp_path / "fits.csv")
    failed = frame["method"].eq("SMOTE") & frame["dataset"].eq("x_two")
    frame.loc[failed, "error"] = "ValueError: no neighbours"
    frame.loc[failed, ["balanced_accuracy", *study.PROBABILITY_SCORES]] = np.nan
    never = frame["method"].eq("BalancedBagging")
    frame.loc[never, "error"] = "ValueError: too small"
    frame.loc[never, ["balanced_accuracy", *study.PROBABILITY_SCORES]] = np.nan
    capsys.readouterr()
    importlib.import_module("study_report").report(frame, tmp_path)
    printed = capsys.readouterr().out
    assert "6 methods, 2 tables, 3 splits: 36 fits." in printed
    assert "Failed fits, 9 of 36" in printed
    assert "| SMOTE | ValueError: no neighbours | x_two (3) |" in printed
    assert "| BalancedBagging | ValueError: too small | x_three (3), x_two (3) |" in printed
    assert "| BalancedBagging | 5.75 | - | 0 |" in printed  # last, and tied for last
    gain = frame.pivot(index=["dataset", "split"], columns="method", values="balanced_accuracy")
    gain = (gain[methods.REFERENCE] - gain[methods.PLAIN]).groupby(level="dataset").mean()
    assert f"| {methods.PLAIN} | {100 * gain.mean():+.1f} | [" in printed
    for name in ("study_critical_difference.png", "study_gain_by_imbalance.png"):
        assert (tmp_path / name).stat().st_size > 5_000
