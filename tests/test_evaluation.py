"""Comparisons: the same numbers as scikit-learn's, kept whatever fails, is killed or is changed."""

import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    get_scorer,
    get_scorer_names,
    make_scorer,
)
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, StratifiedShuffleSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from skorch.callbacks import Callback

from sk_crl import CRLClassifier, MultiOutputCRLClassifier, balanced_accuracy
from sk_crl.evaluation import by_class, by_target, compare
from sk_crl.evaluation._data import DataSet
from sk_crl.evaluation._memory import watch_memory
from sk_crl.evaluation._responses import check_responses
from sk_crl.evaluation._scoring import Scores
from sk_crl.metrics import class_sensitivities, top_k_balanced_accuracy_scorer
from sk_crl.model_selection import MultiOutputStratifiedKFold, MultiOutputStratifiedShuffleSplit

ROOT = Path(__file__).parents[1]
CV = StratifiedKFold(3, shuffle=True, random_state=0)
MEASURED = ["fit_time", "score_time", "peak_memory"]  # what differs from run to run
FAILED = "fits failed; their scores are NaN"


def data():
    """Two small data sets, one of them not in memory."""
    return {"iris": load_iris(return_X_y=True), "wine": lambda: load_wine(return_X_y=True)}


def methods():
    """A pipeline, a tree left to chance, a search, and a pipeline that samples."""
    tree = DecisionTreeClassifier(max_features=1)
    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(C=0.1)),
        "tree": tree,
        "search": GridSearchCV(tree, {"max_depth": [1, 3]}, cv=2),
        "sampling": make_sampling_pipeline(RandomOverSampler(), tree),
    }


def quietly(*arguments, **settings):
    """Compare without a progress bar."""
    return compare(*arguments, **{"cv": CV, "verbose": False} | settings)


def assert_same(one, other):
    """Two frames are alike in all that is not measured."""
    pd.testing.assert_frame_equal(one.drop(columns=MEASURED), other.drop(columns=MEASURED))
    pd.testing.assert_series_equal(one.dtypes, other.dtypes)


class Fails(ClassifierMixin, BaseEstimator):
    """Fails to fit, with a message of two lines; with a file `until`, only while that is absent."""

    def __init__(self, until=None):
        self.until = until

    def fit(self, X, y):
        if self.until is None or not Path(self.until).exists():
            raise OverflowError(f"too much,\nof {len(X)} samples")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class Kills(GaussianNB):
    """Kills the process in its third fit of all, and fits from then on."""

    def __init__(self, log="", priors=None, var_smoothing=1e-9):
        super().__init__(priors=priors, var_smoothing=var_smoothing)
        self.log = log

    def fit(self, X, y):
        with Path(self.log).open("a") as file:
            file.write("fit\n")
        if Path(self.log).read_text().count("fit") == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


class Draws(ClassifierMixin, BaseEstimator):
    """Predicts the class whose number its `random_state` drew."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.drawn_ = np.random.default_rng(self.random_state).random()
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def drawn(estimator, X, y):
    """Scorer: what was drawn, also inside a pipeline."""
    return getattr(estimator, "steps", [(None, estimator)])[-1][1].drawn_


# ---------------------------------------------------------------------------- the frame


def test_scores_are_those_of_fitting_one_by_one():
    scoring = {"bacc": "balanced_accuracy", "f1": make_scorer(f1_score, average="macro")}
    named = {name: methods()[name] for name in ("logistic", "search")}
    named["search"].set_params(estimator__random_state=1)
    frame = quietly(list(named.items()), data(), scoring=scoring)
    row = iter(frame.itertuples())
    for dataset, load in (("iris", load_iris), ("wine", load_wine)):
        X, y = load(return_X_y=True)
        for split, (train, test) in enumerate(CV.split(X, y)):
            for name, method in named.items():
                predicted = clone(method).fit(X[train], y[train]).predict(X[test])
                counts = np.bincount(y[train])
                assert next(row)[1:10] == (
                    dataset,
                    name,
                    split,
                    len(train),
                    len(test),
                    3,
                    counts.max() / counts.min(),
                    balanced_accuracy_score(y[test], predicted),
                    f1_score(y[test], predicted, average="macro"),
                )
    assert next(row, None) is None


def test_columns_and_types():
    frame = quietly(methods(), data(), scoring=["accuracy", "neg_log_loss"])
    assert [*frame] == [
        *("dataset", "method", "split", "n_train", "n_test", "n_classes", "imbalance_ratio"),
        *("accuracy", "neg_log_loss", "fit_time", "score_time", "peak_memory", "error"),
    ]
    assert [t.kind for t in frame.dtypes[2:6]] == ["i"] * 4
    assert [t.kind for t in frame.dtypes[6:12]] == ["f"] * 6
    assert frame["error"].isna().all()
    assert (frame[["fit_time", "score_time"]] > 0).all(axis=None)
    assert list(frame.index) == list(range(2 * 3 * 4))


@pytest.mark.parametrize(
    ("scoring", "columns"),
    [
        (None, ["balanced_accuracy"]),
        (balanced_accuracy, ["balanced_accuracy"]),
        ("accuracy", ["accuracy"]),
        (drawn, ["score"]),
        (["accuracy", "f1_macro"], ["accuracy", "f1_macro"]),
        ({"drawn": drawn}, ["drawn"]),
    ],
)
def test_scorers_name_their_columns(scoring, columns):
    frame = quietly({"draws": Draws()}, load_iris(return_X_y=True), scoring=scoring)
    assert [*frame][7:-4] == columns
    assert set(frame["dataset"]) == {"data"}
    assert frame[columns].notna().all(axis=None)


def test_number_of_folds_is_stratified_for_one_target_and_several():
    X, y = load_iris(return_X_y=True)
    one = quietly({"kNN": KNeighborsClassifier()}, (X, y), cv=3)
    expected = quietly({"kNN": KNeighborsClassifier()}, (X, y), cv=StratifiedKFold(3))
    assert_same(one, expected)
    Y = np.column_stack([y, y > 0])
    several = quietly({"kNN": KNeighborsClassifier()}, (X, Y), cv=3)
    folds = MultiOutputStratifiedKFold(3)
    assert_same(several, quietly({"kNN": KNeighborsClassifier()}, (X, Y), cv=folds))


def test_labels_in_arrays_of_pandas_are_those_of_a_series():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    for labels in (
        pd.array(names, dtype="string[python]"),
        pd.array(names, dtype="string[pyarrow]"),
        pd.DataFrame({"flower": names})["flower"].array,
        pd.Categorical(names),
        pd.array(y, dtype="Int64"),
    ):
        frame = quietly({"bayes": GaussianNB()}, {"iris": (X, labels)}, sensitivities=True)
        expected = quietly({"bayes": GaussianNB()}, {"iris": (X, names)}, sensitivities=True)
        scores = ["n_train", "n_test", "n_classes", "imbalance_ratio", "balanced_accuracy"]
        pd.testing.assert_frame_equal(frame[scores], expected[scores])
        found, known = by_class(frame), by_class(expected)
        assert found["sensitivity"].tolist() == known["sensitivity"].tolist()


def test_splits_may_be_listed_once_for_all_data():
    splits = (pair for pair in [(np.arange(0, 150, 2), np.arange(1, 150, 2))])
    frame = quietly({"bayes": GaussianNB()}, data(), cv=splits)
    assert frame["n_test"].tolist() == [75, 75]


def test_processes_change_nothing():
    settings = {"scoring": ["accuracy", "f1_macro"], "sensitivities": True}
    one = quietly(methods(), data(), **settings)
    assert_same(one, quietly(methods(), data(), n_jobs=2, **settings))


def test_several_targets_with_missing_labels():
    X, y = load_iris(return_X_y=True)
    Y = pd.DataFrame({"flower": np.array(["a", "b", "c"])[y], "is last": y == 2}).astype(object)
    Y.loc[::5, "is last"] = None
    model = MultiOutputCRLClassifier(max_epochs=2)
    settings = {"sensitivities": True, "cv": MultiOutputStratifiedKFold(2)}
    frame = quietly({"CRL": model}, {"iris": (X, Y)}, **settings)
    known = Y["is last"].notna()
    for split, (train, test) in enumerate(MultiOutputStratifiedKFold(2).split(X, Y)):
        labels = Y.iloc[train]
        ratios = [
            labels[name].value_counts().max() / labels[name].value_counts().min() for name in Y
        ]
        row = frame.iloc[split]
        assert row["n_classes"] == 5
        assert row["imbalance_ratio"] == max(ratios)
        targets = by_target(frame)[lambda t, split=split: t["split"] == split]
        assert targets["dataset"].tolist() == ["iris: flower", "iris: is last"]
        assert targets["n_train"].tolist() == [len(train), known.iloc[train].sum()]
        assert targets["n_test"].tolist() == [len(test), known.iloc[test].sum()]
        assert targets["n_classes"].tolist() == [3, 2]
        assert targets["imbalance_ratio"].tolist() == ratios
        assert targets["balanced_accuracy"].mean() == pytest.approx(row["balanced_accuracy"])


def test_sensitivities_are_those_of_the_predictions():
    X, y = load_wine(return_X_y=True)
    y = np.array(["red", "rosé", "white"])[y]
    frame = quietly({"bayes": GaussianNB()}, {"wine": (X, y)}, sensitivities=True)
    table = by_class(frame)
    for split, (train, test) in enumerate(CV.split(X, y)):
        rows = table[table["split"] == split]
        predicted = GaussianNB().fit(X[train], y[train]).predict(X[test])
        assert rows["sensitivity"].tolist() == class_sensitivities(y[test], predicted).tolist()
        assert rows["class"].tolist() == ["red", "rosé", "white"]
        assert rows["n_train"].tolist() == np.unique(y[train], return_counts=True)[1].tolist()
        assert rows["n_test"].tolist() == np.unique(y[test], return_counts=True)[1].tolist()
    assert table["target"].isna().all()
    targets = by_target(frame)
    assert targets["dataset"].tolist() == ["wine"] * 3
    np.testing.assert_allclose(targets["balanced_accuracy"], frame["balanced_accuracy"])


def test_sensitivities_must_have_been_asked_for():
    frame = quietly({"bayes": GaussianNB()}, load_iris(return_X_y=True))
    for function in (by_class, by_target):
        with pytest.raises(ValueError, match="sensitivities=True"):
            function(frame)


def test_progress_is_shown_if_asked(capsys):
    compare({"bayes": GaussianNB()}, load_iris(return_X_y=True), cv=CV)
    assert "3/3" in capsys.readouterr().err
    quietly({"bayes": GaussianNB()}, load_iris(return_X_y=True))
    assert capsys.readouterr().err == ""


def test_methods_and_data_stay_as_they_are():
    model = DecisionTreeClassifier()
    X, y = load_iris(return_X_y=True)
    X.flags.writeable = y.flags.writeable = False
    quietly({"tree": model}, (X, y))
    assert model.random_state is None
    assert not hasattr(model, "tree_")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is known on Linux alone")
def test_peak_memory_counts_what_is_freed_again_in_python_and_outside():
    import torch

    for allocate in (np.ones, torch.ones):
        grown = watch_memory()
        allocate(2**24)  # 128 MiB of float64, 64 of float32
        size = 128 if allocate is np.ones else 64
        assert size - 8 < grown() < size + 64


@pytest.mark.skipif(sys.platform != "linux", reason="memory is known on Linux alone")
def test_memory_that_was_used_before_counts_again():
    for _ in range(2):
        grown = watch_memory()
        assert len([bytes(1000) for _ in range(2**16)]) == 2**16  # 62 MiB in small pieces
        assert 50 < grown() < 128


# ---------------------------------------------------------------------------- chance


@pytest.mark.usefixtures("untouched_generators")
def test_methods_of_a_split_share_a_seed_and_splits_do_not():
    named = {"draws": Draws(), "inside": make_pipeline(StandardScaler(), Draws())}
    table = quietly(named, data(), scoring={"drawn": drawn}).pivot(
        index=["dataset", "split"], columns="method", values="drawn"
    )
    assert (table["draws"] == table["inside"]).all()
    assert table["draws"].nunique() == 6
    fewer = quietly(named, {"wine": data()["wine"]}, scoring={"drawn": drawn})
    assert fewer["drawn"].tolist()[::2] == table.loc["wine", "draws"].tolist()
    other = quietly(named, data(), scoring={"drawn": drawn}, random_state=1)
    assert not set(other["drawn"]) & set(table["draws"])


def test_seeds_that_a_method_has_are_kept():
    frame = quietly({"draws": Draws(7)}, load_iris(return_X_y=True), scoring={"drawn": drawn})
    assert set(frame["drawn"]) == {np.random.default_rng(7).random()}


def test_without_a_seed_methods_are_left_to_chance():
    settings = {"scoring": {"drawn": drawn}, "random_state": None}
    frame = quietly({"one": Draws(), "other": Draws()}, load_iris(return_X_y=True), **settings)
    assert frame["drawn"].nunique() == 6


# ---------------------------------------------------------------------------- failures


def test_a_fit_that_fails_is_told_of_and_others_go_on():
    named = {"fails": Fails(), "bayes": GaussianNB()}
    with pytest.warns(FitFailedWarning, match=f"3 of 6 {FAILED}") as caught:
        frame = quietly(named, {"iris": load_iris(return_X_y=True)})
    (warning,) = [w for w in caught if w.category is FitFailedWarning]
    assert "fails on split 2 of iris: OverflowError: too much" in str(warning.message)
    assert warning.filename == __file__
    failed, others = frame[::2], frame[1::2]
    assert failed["balanced_accuracy"].isna().all()
    assert set(failed["error"]) == {"OverflowError: too much,\nof 100 samples"}
    assert failed[MEASURED].isna().all(axis=None)
    alone = quietly({"bayes": GaussianNB()}, {"iris": load_iris(return_X_y=True)})
    assert_same(others.reset_index(drop=True), alone)


def test_text_that_a_method_cannot_read_is_named_with_its_columns():
    X, y = load_iris(return_X_y=True)
    table = pd.DataFrame(X, columns=[*"abcd"]).assign(colour="blue", b="thin")
    for samples, columns in ((table, r"\['b', 'colour'\]"), (table.to_numpy(), r"\[1, 4\]")):
        with pytest.warns(FitFailedWarning, match=rf"convert string.*{columns}: encode them"):
            frame = quietly({"bayes": GaussianNB()}, (samples, y))
        assert frame["error"].str.startswith("ValueError: could not convert string").all()
    with pytest.warns(FitFailedWarning) as caught:
        quietly({"bayes": GaussianNB()}, (["a text"] * 150, y))
    assert "columns" not in str(caught[-1].message)


def test_a_scorer_that_fails_costs_its_own_score_alone():
    def strange(estimator, X, y):
        raise KeyError("cost") if hasattr(estimator, "theta_") else AttributeError("theta_")

    scoring = {"strange": strange, "accuracy": "accuracy"}
    with pytest.warns(FitFailedWarning, match="strange: KeyError: 'cost'"):
        frame = quietly({"bayes": GaussianNB()}, load_iris(return_X_y=True), scoring=scoring)
    assert frame["strange"].isna().all()
    assert frame["accuracy"].notna().all()
    assert frame["fit_time"].notna().all()


def test_a_score_that_is_no_number_is_an_error():
    scores = Scores({"strange": lambda *_: "high", "text": lambda *_: None})
    X, y = load_iris(return_X_y=True)
    values = scores(GaussianNB().fit(X, y), X, y)
    assert np.isnan([*values.values()]).all()
    assert scores.errors[1] == "text: TypeError: a scorer must return a number; got None"


def test_many_failures_make_a_short_warning():
    with pytest.warns(FitFailedWarning, match="and 2 more") as caught:
        quietly({"fails": Fails()}, load_iris(return_X_y=True), cv=12)
    assert str(caught[-1].message).count("OverflowError") == 10


def test_data_that_cannot_be_loaded_again_fail_and_others_go_on():
    loads = iter([load_iris(return_X_y=True)])
    sets = {"gone": lambda: next(loads), "wine": data()["wine"]}
    with pytest.warns(FitFailedWarning, match="StopIteration"):
        frame = quietly({"bayes": GaussianNB()}, sets, sensitivities=True)
    assert frame["balanced_accuracy"].isna().tolist() == [True] * 3 + [False] * 3
    assert set(by_class(frame)["dataset"]) == {"wine"}


# ---------------------------------------------------------------------------- stopped, and resumed


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
@pytest.mark.parametrize("torn", [b"", b'{"key": ["iris", "ki'])
def test_a_killed_run_resumes_to_the_frame_of_an_unbroken_one(tmp_path, torn):
    log, path = tmp_path / "log", tmp_path / "fits.jsonl"
    code = f"""
import sys
sys.path.insert(0, "tests")
from test_evaluation import *
named = {{"tree": DecisionTreeClassifier(max_features=1), "kills": Kills({str(log)!r})}}
quietly(named, data(), path={str(path)!r}, sensitivities=True)
"""
    run = [sys.executable, "-c", code]
    killed = subprocess.run(run, cwd=ROOT, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(path.read_text().splitlines()) == 1 + 5
    with path.open("ab") as file:
        file.write(torn)
    named = {"tree": DecisionTreeClassifier(max_features=1), "kills": Kills(str(log))}
    resumed = quietly(named, data(), path=path, sensitivities=True)
    assert log.read_text().count("fit") == 6 + 1  # the fit that was killed, once more
    assert len(path.read_text().splitlines()) == 1 + 12
    unbroken = quietly(named, data(), path=tmp_path / "other.jsonl", sensitivities=True)
    assert_same(resumed, unbroken)
    assert_same(resumed, quietly(named, data(), sensitivities=True))
    again = quietly(named, data(), path=path, sensitivities=True)
    pd.testing.assert_frame_equal(again, resumed)  # times and memory too


class Interrupts(Callback):
    """Stands for the user's Ctrl-C in the second epoch."""

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == 2:
            signal.raise_signal(signal.SIGINT)


def test_an_interrupted_fit_is_not_recorded(tmp_path):
    path = tmp_path / "fits.jsonl"
    method = CRLClassifier(n_members=1, max_epochs=3, callbacks=[Interrupts()])
    named = {"bayes": GaussianNB(), "interrupted": method}
    with pytest.raises(KeyboardInterrupt):
        quietly(named, {"iris": data()["iris"]}, path=path)
    lines = path.read_text().splitlines()
    assert len(lines) > 1
    assert not any("interrupted" in line for line in lines[1:])


def test_finished_fits_are_not_done_again_and_new_ones_are(tmp_path):
    log, path = tmp_path / "log", tmp_path / "fits.jsonl"
    log.write_text("past\nfit\nfit\nfit\n")
    named = {"kills": Kills(str(log))}
    quietly(named, {"iris": data()["iris"]}, path=path)
    assert log.read_text().count("fit") == 3 + 3
    frame = quietly({"bayes": GaussianNB()} | named, data(), path=path, n_jobs=2)
    assert log.read_text().count("fit") == 3 + 6
    assert_same(frame, quietly({"bayes": GaussianNB()} | named, data()))


def test_failures_are_kept_and_tried_again_if_asked(tmp_path):
    until, path = tmp_path / "until", tmp_path / "fits.jsonl"
    named = {"fails": Fails(str(until)), "bayes": GaussianNB()}
    X, y = load_iris(return_X_y=True)
    with pytest.warns(FitFailedWarning, match=FAILED):
        first = quietly(named, (X, y), path=path)
    until.touch()
    with pytest.warns(FitFailedWarning, match=FAILED):
        second = quietly(named, (X, y), path=path)
    pd.testing.assert_frame_equal(first, second)
    third = quietly(named, (X, y), path=path, retry_failed=True)
    assert third["error"].isna().all()
    assert_same(third, quietly(named, (X, y), path=path))


BEFORE = {
    "methods": {"tree": DecisionTreeClassifier(max_depth=2)},
    "data": {"iris": load_iris(return_X_y=True)},
    "scoring": {"f1": make_scorer(f1_score, average="macro")},
}
X, Y = load_iris(return_X_y=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"methods": {"tree": DecisionTreeClassifier(max_depth=3)}}, "other parameters of it"),
        ({"methods": {"tree": GaussianNB()}}, "another estimator"),
        ({"data": {"iris": (X + 1e-9, Y)}}, "other data"),
        ({"data": {"iris": (X, 2 - Y)}}, "other data"),
        ({"cv": 3}, "other splits"),
        ({"random_state": 1}, "another random_state"),
        ({"random_state": None}, "another random_state"),
        ({"scoring": {"f1": make_scorer(f1_score, average="micro")}}, "another scorer .* 'f1'"),
        ({"scoring": {"f2": BEFORE["scoring"]["f1"]}}, "without 'f2'"),
        ({"sensitivities": True}, "without 'sensitivities'"),
    ],
)
def test_what_has_changed_is_not_mixed_with_what_was(tmp_path, change, message):
    path = tmp_path / "fits.jsonl"

    def run(**settings):
        return quietly(settings.pop("methods"), settings.pop("data"), path=path, **settings)

    first = run(**BEFORE)
    content = path.read_bytes()
    with pytest.raises(ValueError, match=f"method 'tree' on split 0 of 'iris'.*{message}"):
        run(**BEFORE | change)
    assert path.read_bytes() == content
    pd.testing.assert_frame_equal(run(**BEFORE), first)


def test_a_file_of_something_else_is_left_alone(tmp_path):
    path = tmp_path / "notes"
    for content in ("my notes", "my notes\n", '{"a": 1}\n', "\n"):
        path.write_text(content)
        with pytest.raises(ValueError, match=r"notes is no file of finished fits.*another path"):
            quietly({"bayes": GaussianNB()}, load_iris(return_X_y=True), path=path)
        assert path.read_text() == content


def test_a_torn_first_line_is_written_again(tmp_path):
    path = tmp_path / "fits.jsonl"
    quietly({"bayes": GaussianNB()}, load_iris(return_X_y=True), path=path)
    head = path.read_text().splitlines()[0]
    path.write_text(head[:5])
    quietly({"bayes": GaussianNB()}, load_iris(return_X_y=True), path=path)
    assert path.read_text().splitlines()[0] == head


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / "fits.jsonl"
    quietly({"bayes": GaussianNB()}, load_iris(return_X_y=True), path=path)
    lines = path.read_text().splitlines()
    for damaged in (lines[1][:20], "7", '{"key": [1]}'):
        path.write_text("\n".join([lines[0], damaged, *lines[2:], ""]))
        with pytest.raises(ValueError, match=r"Line 2 of .*fits.jsonl is damaged"):
            quietly({"bayes": GaussianNB()}, load_iris(return_X_y=True), path=path)


# ---------------------------------------------------------------------------- before the first fit


class Never(ClassifierMixin, BaseEstimator):
    """A classifier that must not be fitted, and that predicts labels alone."""

    def fit(self, X, y):
        pytest.fail("fitted before all was checked")

    def predict(self, X):
        raise NotImplementedError


CANCER = load_breast_cancer(return_X_y=True)
RARE = (np.arange(12.0).reshape(-1, 1), np.repeat(["a", "b", "c"], [6, 4, 2]))


@pytest.mark.parametrize(
    ("methods", "settings", "kind", "message"),
    [
        ({}, {}, ValueError, "one method or more; got none"),
        ([], {}, ValueError, "one method or more; got none"),
        (
            [("a", Never()), ("b", Never()), ("a", GaussianNB())],
            {},
            ValueError,
            "more than one of the name 'a'",
        ),
        ({1: Never()}, {}, TypeError, "name of a method must be a string, not empty; got 1"),
        ({"": Never()}, {}, TypeError, "must be a string, not empty"),
        (Never(), {}, TypeError, "dict of estimators by name, or a list of pairs"),
        (["ab"], {}, TypeError, "dict of estimators by name, or a list of pairs"),
        ({"a": Never}, {}, TypeError, "Method 'a' must be an estimator"),
        ({"a": "svm"}, {}, TypeError, "Method 'a' must be an estimator.*got 'svm'"),
        ({"a": Never()}, {"data": {}}, ValueError, "one data set or more; got none"),
        ({"a": Never()}, {"data": {2: CANCER}}, TypeError, "name of a data set must be a string"),
        ({"a": Never()}, {"data": {"x": 3}}, TypeError, "Data set 'x' must be a pair"),
        ({"a": Never()}, {"data": {"x": lambda: 3}}, TypeError, "Data set 'x' must be a pair"),
        ({"a": Never()}, {"data": load_iris()}, TypeError, "Data set 'data' must be a pair"),
        ({"a": Never()}, {"data": (X, Y[:9])}, ValueError, "'data' cannot be split.*inconsistent"),
        ({"a": Never()}, {"data": (X, X)}, ValueError, "'data' cannot be split.*continuous"),
        ({"a": Never()}, {"scoring": "acuracy"}, ValueError, "did you mean 'accuracy'"),
        ({"a": Never()}, {"scoring": []}, ValueError, "one scorer or more; got none"),
        ({"a": Never()}, {"scoring": ["accuracy"] * 2}, ValueError, "the name 'accuracy'"),
        ({"a": Never()}, {"scoring": [drawn]}, TypeError, "name of a scorer must be a string"),
        ({"a": Never()}, {"scoring": {"b": 3}}, TypeError, "Scorer 'b' must be a function"),
        ({"a": Never()}, {"scoring": {"error": drawn}}, ValueError, "cannot be called 'error'"),
        ({"a": Never()}, {"scoring": 3}, TypeError, "scoring must be a scorer.*got 3"),
        (
            {"a": Never(), "b": GaussianNB()},
            {"scoring": "roc_auc"},
            ValueError,
            r"'roc_auc' needs predict_proba or decision_function, which method 'a' \(Never\)",
        ),
        (
            {"b": GaussianNB(), "a": make_pipeline(StandardScaler(), LinearSVC())},
            {"scoring": ["accuracy", "neg_log_loss"]},
            ValueError,
            r"'neg_log_loss' needs predict_proba, which method 'a' \(Pipeline\)",
        ),
        (
            {"a": GridSearchCV(LinearSVC(), {"C": [1, 2]})},
            {"scoring": "neg_brier_score"},
            ValueError,
            "needs predict_proba, which method 'a'",
        ),
        (
            {"a": Never()},
            {"data": (X, Y), "scoring": "f1"},
            ValueError,
            "'f1' cannot score.*multiclass.*Use a form of it for any classes: 'f1_macro', 'f1_wei",
        ),
        (
            {"a": GaussianNB()},
            {"data": (X, Y), "scoring": "roc_auc"},
            ValueError,
            "'roc_auc' cannot score.*: 'roc_auc_ovr', 'roc_auc_ovo'",
        ),
        (
            {"a": Never()},
            {"scoring": top_k_balanced_accuracy_scorer(2)},
            ValueError,
            "'score' cannot score data set 'data'",
        ),
        ({"a": Never()}, {"data": RARE}, ValueError, r"lacks the classes \['c'\].*\[2\] samples"),
        ({"a": Never()}, {"data": RARE, "cv": 3}, ValueError, "'data' cannot be stratified"),
        (
            {"a": Never()},
            {"data": (RARE[0][:-1], RARE[1][:-1]), "cv": StratifiedShuffleSplit(2)},
            ValueError,
            "'data' cannot be split by cv=StratifiedShuffleSplit.*\n.*least populated",
        ),
        ({"a": Never()}, {"cv": KFold(2), "data": (X, Y)}, ValueError, "training part of split 0"),
        ({"a": Never()}, {"cv": 1}, ValueError, "cv must be an integer of at least 2; got 1"),
        ({"a": Never()}, {"cv": "five"}, ValueError, "cv must be a number of folds"),
        ({"a": Never()}, {"cv": []}, ValueError, "no split of data set 'data'"),
        ({"a": Never()}, {"cv": 600}, ValueError, "cannot be split by cv=600"),
        ({"a": Never()}, {"random_state": -1}, ValueError, "random_state must be an integer"),
        ({"a": Never()}, {"verbose": 2}, ValueError, "verbose must be True or False; got 2"),
        ({"a": Never()}, {"path": "no/such/folder/file"}, FileNotFoundError, "no/such/folder"),
    ],
)
def test_errors_come_before_the_first_fit(methods, settings, kind, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=message):
        quietly(methods, **{"data": CANCER} | settings)


def test_all_data_are_checked_before_the_first_fit():
    with pytest.raises(ValueError, match="'rare' cannot be stratified"):
        quietly({"a": Never()}, {"cancer": CANCER, "rare": RARE})


def test_several_targets_need_scorers_and_splitters_that_take_them():
    Y = np.column_stack([load_iris().target, load_iris().target > 0])
    model = {"a": Never()}
    with pytest.raises(ValueError, match=r"'iris' cannot be split.*Supported target types"):
        quietly(model, {"iris": (X, Y)})
    with pytest.raises(ValueError, match="'balanced_accuracy' cannot score data set 'iris'"):
        quietly(model, {"iris": (X, Y)}, cv=3, scoring="balanced_accuracy")
    rare = np.column_stack([np.repeat([0, 1], [75, 75]), np.arange(150) == 0])
    with pytest.raises(ValueError, match=r"lacks the classes \[1\] of target 1"):
        quietly(model, {"iris": (X, rare)}, cv=3)


def test_parts_may_lack_classes_if_that_is_wanted():
    with pytest.warns(UserWarning, match="least populated class"):
        frame = quietly({"a": GaussianNB()}, RARE, allow_missing_classes=True)
    assert frame["n_classes"].tolist() == [3, 3, 3]
    settings = {"allow_missing_classes": True, "sensitivities": True, "cv": KFold(3)}
    frame = quietly({"a": GaussianNB()}, RARE, **settings)
    assert frame["n_classes"].tolist() == [3, 3, 2]
    last = by_class(frame)[lambda t: t["split"] == 2]
    assert last["n_train"].tolist() == [6, 2, 0]
    assert last["n_test"].tolist() == [0, 2, 2]
    assert last["sensitivity"].isna().tolist() == [True, False, False]
    assert by_target(frame)["imbalance_ratio"].tolist() == frame["imbalance_ratio"].tolist()


def test_classes_of_two_samples_can_be_split_as_the_error_advises():
    cv = MultiOutputStratifiedShuffleSplit(3, test_size=0.4, random_state=0)
    frame = quietly({"a": KNeighborsClassifier(1)}, RARE, cv=cv)
    assert frame["n_classes"].tolist() == [3, 3, 3]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", get_scorer_names())
def test_scorers_are_refused_where_they_fail(name, n_classes):
    # All scorers of scikit-learn, also those of regression and clustering, on labels, decisions
    # and probabilities: refused before the fit if, and only if, they fail after it.
    X, y = load_iris(return_X_y=True)
    X, y = X[y < n_classes][::3], y[y < n_classes][::3]
    dataset = DataSet("iris", (X, y))
    dataset.split(X, y, CV, False)
    train, test = dataset.splits[0].train, dataset.splits[0].test
    for model in (KNeighborsClassifier(), RidgeClassifier(), LabelsOnly()):
        scores = Scores({name: get_scorer(name)})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = scores(clone(model).fit(X[train], y[train]), X[test], y[test])[name]
        try:
            check_responses({"model": model}, scores.scorers, dataset, X, y)
            accepted = True
        except ValueError:
            accepted = False
        if scores.errors or not np.isnan(value):  # NaN may be right, as of a ratio to no errors
            assert accepted == (not scores.errors), (model, scores.errors)


class LabelsOnly(DummyClassifier):
    """A classifier without probabilities."""

    predict_proba = property()


def test_pandas_is_asked_for_by_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'sk-crl\[evaluation\]'"):
        quietly({"a": Never()}, CANCER)
