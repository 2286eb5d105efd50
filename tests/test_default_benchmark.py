"""The comparison of the default with its rivals: priors, resuming, and what the report says."""

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

pytest.importorskip("pytorch_metric_learning")

ROOT = Path(__file__).parents[1]
TIMES = ["fit_time", "score_time", "cpu_seconds"]
# Small classes have few neighbours, and may be absent from a fold.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture
def load(monkeypatch):
    """Import a module of the benchmarks."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module


def make_table(load, sizes, kinds="mixed"):
    """Numbers, one with holes, and categories, some of them rare; or only one of both."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(len(sizes)), sizes)
    numbers = rng.normal(size=(len(y), 2)) + 3 * y[:, None]
    numbers[::7, 0] = np.nan
    categories = np.column_stack([(y + (rng.random(len(y)) < 0.2)) % 3, np.arange(len(y)) == 5])
    order = rng.permutation(len(y))
    columns = {"numbers": [numbers], "categories": [categories], "mixed": [categories, numbers]}
    X = np.column_stack(columns[kinds])[order]
    categorical = {"numbers": [False] * 2, "categories": [True] * 2}
    mask = categorical.get(kinds, [True, True, False, False])
    return load("comparing").Table(X, y[order], np.array(mask))


@pytest.fixture
def tables(load):
    return {"mc_glass": make_table(load, [40, 12, 3]), "x_two": make_table(load, [40, 9])}


def smaller(method):
    """Make the trees of a method few."""
    few = {name: 4 for name in method.get_params() if name.endswith("n_estimators")}
    return method.set_params(**few)


# Which tables decide.


def test_every_third_table_is_kept_out(load):
    names = sorted(load("comparing").read_fits(load("study").RESULTS)["dataset"].unique())
    assert len(names) == 23
    assert tuple(names[1::3]) == load("default_report").KEPT_OUT


# Probabilities and their scores.


def naive_calibration_error(y, probabilities, classes, n_bins=15):
    """Walk through the bins (0, 1/15], (1/15, 2/15], ..., as the definition does."""
    error = 0.0
    for number in range(n_bins):
        inside = [
            row for row, p in enumerate(probabilities) if np.ceil(max(p) * n_bins) == number + 1
        ]
        if inside:
            confidence = np.mean([max(probabilities[row]) for row in inside])
            accuracy = np.mean([classes[np.argmax(probabilities[row])] == y[row] for row in inside])
            error += len(inside) / len(y) * abs(confidence - accuracy)
    return error


@pytest.mark.parametrize(("n_classes", "n_rows"), [(2, 1), (2, 200), (3, 40), (5, 300)])
def test_calibration_error_is_that_of_the_definition(load, n_classes, n_rows):
    calibration_error = load("under_prior").calibration_error
    rng = np.random.default_rng(n_rows)
    classes = 10 + np.arange(n_classes)
    probabilities = rng.dirichlet(np.ones(n_classes), size=n_rows)
    y = rng.choice(classes, n_rows)
    found = calibration_error(y, probabilities, classes)
    assert found == pytest.approx(naive_calibration_error(y, probabilities, classes), abs=1e-12)


def test_calibration_error_of_certain_and_of_honest_predictions(load):
    error, classes = load("under_prior").calibration_error, np.array([0, 1])
    certain = np.array([[1.0, 0.0]] * 4)
    assert error(np.array([0, 0, 0, 1]), certain, classes) == pytest.approx(0.25)
    assert error(np.array([0, 0, 0, 1]), np.array([[0.75, 0.25]] * 4), classes) == pytest.approx(0)


@pytest.fixture
def problem():
    return make_classification(
        400, n_classes=3, n_informative=4, weights=[0.8, 0.15, 0.05], random_state=0
    )


def test_probabilities_of_even_classes_are_brought_to_the_class_shares(load, problem):
    X, y = problem
    even = LogisticRegression(class_weight="balanced")
    model = load("under_prior").UnderPrior(even, even=True).fit(X, y)
    shares = np.bincount(y) / len(y)
    given = even.fit(X, y).predict_proba(X)
    expected = np.array([[p * s for p, s in zip(row, shares, strict=True)] for row in given])
    expected = [row / sum(row) for row in expected]
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)
    np.testing.assert_allclose(model.even_proba(X), given, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), even.predict(X))
    scores = load("under_prior")
    assert log_loss(y, model.predict_proba(X)) < scores.given_log_loss(model, X, y)
    assert scores.calibration(model, X, y) < scores.given_calibration(model, X, y)


def test_prior_correction_decides_by_probabilities_over_class_shares(load, problem):
    X, y = problem
    plain = LogisticRegression().fit(X, y)
    model = load("under_prior").UnderPrior(LogisticRegression(), corrected=True).fit(X, y)
    shares = np.bincount(y) / len(y)
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), rtol=1e-12)
    expected = [max(range(3), key=lambda c: p[c] / shares[c]) for p in plain.predict_proba(X)]
    np.testing.assert_array_equal(model.predict(X), expected)
    assert (model.predict(X) != plain.predict(X)).any()


def test_tuned_offsets_decide_but_leave_the_probabilities(load, problem):
    X, y = problem
    plain = LogisticRegression().fit(X, y)
    model = load("under_prior").OffsetDecision(LogisticRegression()).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    expected = (np.log(plain.predict_proba(X)) + model.offsets_).argmax(axis=1)
    np.testing.assert_array_equal(model.predict(X), expected)
    assert (model.predict(X) != plain.predict(X)).any()


# Methods.


@pytest.mark.parametrize("kinds", ["mixed", "numbers", "categories"])
@pytest.mark.parametrize("sizes", [[40, 12, 2], [40, 9]])
def test_every_rival_takes_raw_tables(load, sizes, kinds):
    X, y, categorical = make_table(load, sizes, kinds)
    train, test = next(load("default").CV.split(X, y))
    assert set(y[train]) == set(y[test]) == set(y)
    for name, make in load("default_methods").find_methods(["rivals"]).items():
        if name == "RUSBoost" and min(sizes) == 2:
            continue  # boosting a row of every class may be worse than random, which it refuses
        model = smaller(make(categorical)).fit(X[train], y[train])
        assert set(model.predict(X[test])) <= set(y), name
        probabilities = model.predict_proba(X[test])
        assert probabilities.shape == (len(test), len(sizes)), name
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, err_msg=name)


def test_our_methods_train_as_many_networks_as_they_say(load):
    methods = load("default_methods")
    X, y, categorical = make_table(load, [40, 12, 3])
    n_networks = {}
    for name, make in methods.find_methods(["ours", "ablation"]).items():
        method = make(categorical).set_params(estimator__max_epochs=1, estimator__device="cpu")
        model = method.fit(X, y)
        np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-6, err_msg=name)
        n_networks[name] = model.estimator_.n_networks_
        assert model.estimator_.module == ("table" if "'table'" in name else "auto")
    fewer = {"CRLClassifier(eta=0)": 8, "CRLClassifier('table', n_members=1)": 1}
    assert n_networks == dict.fromkeys(methods.OURS | methods.ABLATION, 16) | fewer


@pytest.mark.parametrize("name", ["LightGBM", "XGBoost", "CatBoost", "RealMLP", "TabM"])
@pytest.mark.filterwarnings("ignore")  # of other libraries
def test_optional_rivals_take_raw_tables(load, name):
    methods = load("default_methods")
    pytest.importorskip(methods.LIBRARIES[name])
    X, y, categorical = make_table(load, [40, 12, 3])
    train, test = next(load("default").CV.split(X, y))
    strange = X[test]
    strange[0, 0] = 9  # no row of the training part has it
    model = methods.OPTIONAL[name](categorical).fit(X[train], y[train])
    probabilities = model.predict_proba(strange)
    assert probabilities.shape == (len(test), 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert (model.predict(strange)[1:] == y[test][1:]).mean() > 0.5


def test_methods_are_found_by_name_and_by_group(load, capsys, monkeypatch):
    methods = load("default_methods")
    both = methods.find_methods(["ours", methods.BOOSTING])
    assert list(both) == [methods.REFERENCE, methods.BOOSTING]
    with pytest.raises(ValueError, match="No method is called 'forest'; there are CRLClassifier"):
        methods.find_methods(["forest"])
    monkeypatch.setitem(methods.LIBRARIES, "TabM", "no_such_library")
    assert methods.find_methods(["TabM"]) == {}
    assert "SKIPPED TabM: no_such_library is not installed." in capsys.readouterr().err


def test_tables_are_chosen_by_name(load, tables):
    choose = load("default").choose
    assert choose(tables, None) == tables
    assert list(choose(tables, ["x_two", "mc_glass"])) == ["x_two", "mc_glass"]
    with pytest.raises(ValueError, match="No table is called 'iris'; there are mc_glass, x_two"):
        choose(tables, ["iris"])


# Runs.


def lines_of(path):
    return path.with_suffix(".jsonl").read_text().splitlines(keepends=True)


def test_a_stopped_run_goes_on_and_methods_can_be_added(load, tables, tmp_path):
    run, read = load("default").run, load("comparing").read_fits
    methods = load("default_methods")
    first = [f"{methods.LOGISTIC}, balanced", methods.LOGISTIC]
    whole, stopped = tmp_path / "whole.csv", tmp_path / "stopped.csv"
    run(tables, whole, first, n_jobs=1)
    lines = lines_of(whole)
    assert len(lines) == 1 + 2 * 5 * 2
    # Stopped in the second table, in the middle of a line; the CSV holds the first table.
    stopped.with_suffix(".jsonl").write_text("".join(lines[:13]) + lines[13][:40])
    read(whole).query("dataset == 'mc_glass'").to_csv(stopped, index=False)
    run(tables, stopped, first, n_jobs=1)
    assert len(lines_of(stopped)) == len(lines)
    one, other = read(whole), read(stopped)
    pd.testing.assert_frame_equal(one.drop(columns=TIMES), other.drop(columns=TIMES))
    scores = [*load("default").SCORES]
    assert one[scores].notna().all(axis=None)
    assert (one["given_log_loss"].notna() == one["method"].str.endswith("balanced")).all()

    run(tables, whole, [methods.BOOSTING], n_jobs=1)
    assert lines_of(whole)[: len(lines)] == lines
    assert len(lines_of(whole)) == len(lines) + 2 * 5
    added = read(whole)
    assert added.groupby("method").size().to_dict() == dict.fromkeys([*first, methods.BOOSTING], 10)
    old = added[added["method"].isin(first)]
    pd.testing.assert_frame_equal(old.reset_index(drop=True), one)


def test_targets_are_learned_from_the_rows_that_have_a_label(load, tmp_path):
    targets = load("default_targets")
    X, y, categorical = make_table(load, [40, 20])
    Y = np.column_stack([y, y[::-1]]).astype(float)
    Y[::5, 1] = np.nan
    known = ~np.isnan(Y[:, 1])
    model = targets.PerTarget(load("default_methods").RIVALS["logistic regression"](categorical))
    model.fit(X, Y)
    alone = model.estimator.fit(X[known], Y[known, 1])
    np.testing.assert_array_equal(model.predict(X)[:, 1], alone.predict(X))
    path, table = tmp_path / "targets.csv", load("comparing").Table(X, Y, categorical)
    name = "logistic regression, balanced"
    targets.run({"mo_x": table}, path, [name], n_jobs=1)
    frame = load("comparing").read_fits(path)
    assert len(frame) == 3
    assert frame["balanced_accuracy"].between(0.5, 1).all()
    with pytest.raises(ValueError, match="No method is called 'forest'"):
        targets.run({"mo_x": table}, path, ["forest"])


def test_our_method_for_targets_trains_an_ensemble(load):
    targets = load("default_targets")
    X, y, categorical = make_table(load, [40, 20])
    Y = np.column_stack([y, y[::-1]]).astype(float)
    Y[::5, 1] = np.nan
    methods = targets.make_methods(categorical, ["ours"])
    assert list(methods) == [targets.REFERENCE]
    model = methods[targets.REFERENCE].set_params(max_epochs=1, device="cpu").fit(X, Y)
    assert model.n_networks_ == 16
    assert model.predict(X).shape == Y.shape


# The report.


def make_frame(report, scores):
    """Fits of two splits whose balanced accuracies are given: by method, then by table."""
    rows = [
        {
            "dataset": dataset,
            "method": method,
            "split": split,
            "n_train": 100,
            "n_classes": 2,
            "imbalance_ratio": 4.0,
            "balanced_accuracy": score + 0.01 * split,
            "macro_f1": score,
            "average_precision": score / 2,
            "log_loss": 1 - score,
            "balanced_log_loss": 1 - score,
            "calibration_error": (1 - score) / 4,
            "cpu_seconds": 2.0 + split,
            "given_log_loss": 2 - score if method == report.EASY_ENSEMBLE else np.nan,
            "given_calibration_error": 0.5 if method == report.EASY_ENSEMBLE else np.nan,
            "fit_time": 9.0,
            "score_time": 1.0,
            "error": None,
        }
        for method, by_table in scores.items()
        for dataset, score in by_table.items()
        for split in range(2)
    ]
    return pd.DataFrame(rows)


def test_the_report_tells_parts_losses_goals_and_ablation(load, tmp_path, capsys):
    report = load("default_report")
    names = ("mc_glass", "imblearn_oil", "mc_car")
    scores = {
        report.REFERENCE: dict(zip(names, (0.80, 0.70, 0.90), strict=True)),
        report.EASY_ENSEMBLE: dict(zip(names, (0.85, 0.72, 0.60), strict=True)),
        report.BOOSTING: dict(zip(names, (0.70, 0.66, 0.80), strict=True)),
        report.LOGISTIC: dict(zip(names, (0.60, 0.50, 0.70), strict=True)),
        "CRLClassifier(alpha=0)": dict(zip(names, (0.78, 0.66, 0.86), strict=True)),
    }
    report.report(make_frame(report, scores), tmp_path)
    printed = capsys.readouterr().out
    assert "5 methods, 3 tables, 2 splits: 30 fits." in printed
    for title in ("Tables for decisions (2)", "Tables kept out (1)", "All tables (3)"):
        assert f"## {title}\n" in printed
    lines = printed.splitlines()
    # Variants have no rank, and the difference on a single table has no interval.
    assert f"| {report.REFERENCE} | 1.67 | 0.805 | 1 |" in lines
    of_boosting = [line for line in lines if line.startswith(f"| {report.BOOSTING} | +")]
    assert of_boosting[0].split(" | ")[1].startswith("+7.0 [")
    assert of_boosting[0].split(" | ")[2] == "+10.0, 1-0"
    assert "| glass (kept out) | 5.0 | 0.805 | 0.855 |" in lines
    assert not any(line.startswith("| oil | 2.0") for line in lines)
    start = f"| average precision against {report.BOOSTING} | All tables (3) | 0.4000 | 0.3600 |"
    assert any(line.startswith(f"{start} +0.0400") and line.endswith("3-0 |") for line in lines)
    start = f"| calibration error against {report.LOGISTIC} | All tables (3) | 0.0500 | 0.1000 |"
    assert any(line.startswith(f"{start} -0.0500") and line.endswith("0-3 |") for line in lines)
    assert f"| {report.EASY_ENSEMBLE} | 1.277 | 0.277 | 0.500 | 0.069 |" in lines
    assert f"| {report.EASY_ENSEMBLE} | 2.5 | 2.5 | 2.5 | oil |" in lines
    assert any(
        line.startswith("| CRLClassifier(alpha=0) | 0.772 | +4.0 [+4.0, +4.0], 2-0 |")
        for line in lines
    )
    assert (tmp_path / "default_critical_difference.png").stat().st_size > 5_000


def test_the_report_of_rivals_alone_makes_no_comparison(load, tmp_path, capsys):
    report = load("default_report")
    scores = {report.EASY_ENSEMBLE: {"mc_glass": 0.8}, report.BOOSTING: {"mc_glass": 0.7}}
    report.report(make_frame(report, scores), tmp_path)
    printed = capsys.readouterr().out
    assert "| EasyEnsemble | 1.00 | 0.805 | 1 |" in printed
    assert "less" not in printed


def test_no_table_is_lost_where_none_is(load, capsys):
    report = load("default_report")
    scores = {report.EASY_ENSEMBLE: {"mc_glass": 0.82}, report.REFERENCE: {"mc_glass": 0.8}}
    report.print_lost_tables(make_frame(report, scores))
    assert capsys.readouterr().out == "No table is lost by more than 3 points to EasyEnsemble.\n\n"


def test_the_report_of_targets_shows_scores_and_times(load, capsys):
    report = load("default_report")
    frame = make_frame(report, {"one": {"mo_a": 0.8, "mo_b": 0.7}, "other": {"mo_a": 0.6}})
    report.report_targets(frame)
    printed = capsys.readouterr().out
    assert "| one | 0.805 ± 0.007 | 0.705 ± 0.007 |" in printed
    assert "| other | 0.605 ± 0.007 | - |" in printed
    assert "| one | 9.000 ± 0.000 | 9.000 ± 0.000 |" in printed
