"""What MultiOutputCRLClassifier does: several targets at once, with labels missing here and there.

What it shares with CRLClassifier is tested there; here are the targets, their labels, and holes.
"""

import inspect
import pickle
import re
from contextlib import contextmanager
from copy import deepcopy
from typing import NamedTuple

import naive
import numpy as np
import pytest
import scipy.sparse
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpydoc.docscrape import NumpyDocString
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    get_scorer,
    make_scorer,
    roc_auc_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skorch.callbacks import Callback, EpochScoring, LRScheduler
from test_classifier import (
    RANDOM,
    SIX,
    WAYS,
    EpochCounter,
    Recorder,
    assert_same_weights,
    raw_scores,
    recorded,
    untrained,
    weights,
)
from torch import nn

from sk_crl import CRLClassifier, MultiOutputCRLClassifier, balanced_accuracy
from sk_crl import metrics as our_metrics
from sk_crl.networks import MLP, Branches

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

pytestmark = pytest.mark.usefixtures("untouched_generators")

NAMES = ["colour", "is_new", "size"]
LABELS = [np.array(["blue", "red", "teal"]), np.array([False, True]), np.array([3, 7, 11, 20])]
WIDTHS = (3, 2, 4)


class Several(NamedTuple):
    X: np.ndarray
    Y: np.ndarray


@pytest.fixture
def several(table):
    """The samples of `table` with three targets, of 3, 2 and 4 classes, as codes."""
    X, y = table
    is_new = X[:, 2] > 0.7
    size = np.digitize(X[:, 3], [-1.0, 0.2, 1.2])
    return Several(X, np.column_stack([y, is_new, size]).astype(np.int64))


@pytest.fixture
def holes(several):
    """The same with a quarter of all cells missing (-1); every row has a label, every class two."""
    Y = several.Y.copy()
    is_missing = np.random.default_rng(3).random(Y.shape) < 0.3
    is_missing[is_missing.all(1)] = False
    Y[is_missing] = -1
    assert all(min(counts) >= 2 for counts in counts_of(Y))
    return Several(several.X, Y)


def counts_of(Y):
    """The number of samples of every class, missing labels (-1) left out."""
    return [np.bincount(y[y >= 0], minlength=k) for y, k in zip(Y.T, WIDTHS, strict=True)]


def make_fast(n_members):
    def make_model(**settings):
        defaults = {"max_epochs": 3, "batch_size": 32, "random_state": 0, "device": "cpu"}
        if "module" not in settings:
            defaults |= {"module__hidden_units": (8,), "module__branch_units": 6}
        return MultiOutputCRLClassifier(**{"n_members": n_members} | defaults | settings)

    return make_model


@pytest.fixture
def make():
    """A function that makes a single network which trains in hundredths of a second."""
    return make_fast(1)


@pytest.fixture(params=[1, 3], ids=["single", "ensemble"])
def either_make(request):
    """This function, and one that makes an ensemble of three networks, in turn."""
    return make_fast(request.param)


def as_frame(Y):
    """Codes as a data frame, each column with labels of a type of its own."""
    columns = [
        pd.Series([None if code < 0 else labels.tolist()[code] for code in y])
        for y, labels in zip(Y.T, LABELS, strict=True)
    ]
    types = ["category", "boolean", "Int64"]
    return pd.DataFrame(
        {n: c.astype(t) for n, c, t in zip(NAMES, columns, types, strict=True)}
    )  # fmt: skip


def as_polars(Y):
    cells = [
        [None if code < 0 else labels.tolist()[code] for code in y]
        for y, labels in zip(Y.T, LABELS, strict=True)
    ]
    return pl.DataFrame(dict(zip(NAMES, cells, strict=True)))


def as_objects(Y):
    table = np.empty(Y.shape, dtype=object)
    for target, (y, labels) in enumerate(zip(Y.T, LABELS, strict=True)):
        table[:, target] = [None if code < 0 else labels.tolist()[code] for code in y]
    return table


def as_floats(Y):
    return np.where(Y < 0, np.nan, Y)


def assert_same_labels(one, other):
    """Check that two containers are of one kind and hold the same."""
    assert type(one) is type(other)
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other)
    elif isinstance(one, pl.DataFrame):
        assert one.schema == other.schema
        assert one.equals(other)
    else:
        assert one.dtype == other.dtype
        if scipy.sparse.issparse(one):
            one, other = one.toarray(), other.toarray()
        assert_array_equal(one, other)


def assert_same_fits(one, other):
    """Check that two models have the same weights and class statistics, bit for bit."""
    assert_same_weights(one, other)
    assert one.loss_curve_ == other.loss_curve_
    for name in ["class_counts_", "prior_", "omega_", "alpha_"]:
        for a, b in zip(getattr(one, name), getattr(other, name), strict=True):
            assert_array_equal(a, b)


@contextmanager
def rejected(model, X, error, message):
    """Expect an error that changes nothing about `model`, and whose message shows plain values."""
    attributes = dict(vars(model))
    was_fitted = hasattr(model, "net_")
    if was_fitted:
        before = deepcopy(model)
        probabilities = model.predict_proba(X)
        counts = [c.copy() for c in model.class_counts_]
        history, losses = model.net_.history.to_list(), list(model.loss_curve_)
    with pytest.raises(error, match=message) as caught:
        yield
    assert not re.search(r"\bnp\.\w+\(|\barray\(\[|dtype", str(caught.value))
    assert vars(model).keys() == attributes.keys()
    assert all(vars(model)[name] is attributes[name] for name in attributes)
    if was_fitted:
        for one, other in zip(model.predict_proba(X), probabilities, strict=True):
            assert_array_equal(one, other)
        for one, other in zip(model.class_counts_, counts, strict=True):
            assert_array_equal(one, other)
        assert model.net_.history.to_list() == history
        assert model.loss_curve_ == losses
        assert_same_weights(model, before)
        assert [c.tolist() for c in model.classes_] == [c.tolist() for c in before.classes_]
        assert not any(m._forward_pre_hooks for m in model.net_.module_.modules())
    else:
        with pytest.raises(NotFittedError):
            model.predict(X)


# ------------------------------------------------------------------------------- modules to train


class AnyForm(nn.Module):
    """A network for one or several targets, whatever the form of `n_classes`."""

    def __init__(self, n_features, n_classes, width=6):
        super().__init__()
        self.hidden = nn.Linear(n_features, width)
        self.head = nn.Linear(width, int(np.sum(n_classes)))

    def forward(self, X):
        features = self.hidden(X.flatten(1)).relu()
        return self.head(features), features


# What a network with a head for every target may return of its scores and features.
FORMS = {
    "scores": lambda scores, features: torch.cat(scores, 1),
    "list": lambda scores, features: scores,
    "scores_and_features": lambda scores, features: (
        torch.cat(scores, 1), torch.stack(features, 1)
    ),
    "list_and_features": lambda scores, features: (scores, torch.stack(features, 1)),
    "scores_and_list": lambda scores, features: (torch.cat(scores, 1), features),
    "lists": lambda scores, features: (scores, features),
}  # fmt: skip


class Heads(nn.Module):
    """A trunk and, for every target, a feature layer and a head."""

    def __init__(self, n_features, n_classes, form, width=9):
        super().__init__()
        self.form = form
        self.trunk = nn.Linear(n_features, width)
        self.features = nn.ModuleList(nn.Linear(width, 5) for _ in n_classes)
        self.heads = nn.ModuleList(nn.Linear(5, n) for n in n_classes)

    def forward(self, X):
        shared = self.trunk(X).relu()
        features = [layer(shared).relu() for layer in self.features]
        scores = [head(f) for head, f in zip(self.heads, features, strict=True)]
        return FORMS[self.form](scores, features)


class CNN(nn.Module):
    """A convolutional trunk with batch normalisation, and our branches."""

    def __init__(self, input_shape, n_classes, channels=4, units=5):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(input_shape[0], channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        self.branches = Branches(4 * channels, n_classes, units)

    def forward(self, X):
        return self.branches(self.trunk(X))


# ------------------------------------------------------------------------------------- prediction


def test_fit_returns_self_and_learns(several, either_make):
    model = either_make(max_epochs=60, lr=0.02)
    assert model.fit(*several) is model
    assert model.score(*several) > 0.85


@pytest.mark.parametrize("settings", SIX, ids=str)
def test_every_loss_learns_in_spite_of_holes(several, holes, make, settings):
    model = make(alpha=0.3, max_epochs=60, lr=0.02, missing_label=-1, **settings).fit(*holes)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.score(*several) > 0.8  # of the missing labels, too


@pytest.mark.parametrize("logit_adjustment", ["predict", "loss", None])
def test_predictions_agree_for_every_target(several, make, logit_adjustment):
    model = make(lr=0.02, max_epochs=20, logit_adjustment=logit_adjustment)
    model.fit(several.X, as_frame(several.Y))
    predicted = model.predict(several.X)
    probabilities = model.predict_proba(several.X)
    assert isinstance(probabilities, list)
    assert [p.shape for p in probabilities] == [(120, k) for k in WIDTHS]
    for name, classes, p in zip(NAMES, model.classes_, probabilities, strict=True):
        assert p.dtype == np.float32
        assert_allclose(p.sum(1), 1, rtol=1e-6)
        assert_array_equal(predicted[name], classes[p.argmax(1)])


def test_one_forward_pass_predicts_all_targets(several, make):
    model = make().fit(*several)
    calls = []
    hook = model.module_.register_forward_hook(lambda *_: calls.append(1))
    for method in [model.predict, model.predict_proba]:
        method(several.X)
        assert calls == [1]
        calls.clear()
    hook.remove()


def test_predictions_do_not_depend_on_the_company(several, either_make):
    model = either_make(module__dropout=0.5).fit(*several)
    together = model.predict_proba(several.X)
    alone = [model.predict_proba(row[None]) for row in several.X[:30]]
    for target, expected in enumerate(together):
        assert_allclose(np.concatenate([p[target] for p in alone]), expected[:30], rtol=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_score_is_the_mean_of_the_balanced_accuracies_of_what_is_known(
    several, either_make, weighted
):
    X, Y = several
    model = either_make(lr=0.02, missing_label=-1).fit(X, Y)
    weight = np.linspace(0.1, 2, 120) if weighted else np.ones(120)
    given = {"sample_weight": weight} if weighted else {}
    predicted = model.predict(X)
    for truth in [Y, with_holes(Y)]:
        known = truth >= 0
        expected = [
            balanced_accuracy_score(
                truth[k, t], predicted[k, t], sample_weight=weight[k] if weighted else None
            )
            for t, k in enumerate(known.T)
        ]
        assert model.score(X, truth, **given) == pytest.approx(np.mean(expected))
        assert np.ptp(expected) > 0.05
        scorer = make_scorer(our_metrics.balanced_accuracy_score, missing_label=-1)
        assert scorer(model, X, truth, **given) == pytest.approx(np.mean(expected))
    assert balanced_accuracy(model, X, Y, **given) == pytest.approx(model.score(X, Y, **given))


def with_holes(Y, share=0.25, seed=5):
    Y = Y.copy()
    Y[np.random.default_rng(seed).random(Y.shape) < share] = -1
    return Y


@pytest.mark.parametrize("method", ["predict", "predict_proba", "score", "module_"])
def test_unfitted(several, either_make, method):
    model = either_make()
    if method == "module_":
        assert not hasattr(model, "module_")
        return
    arguments = several if method == "score" else [several.X]
    with pytest.raises(NotFittedError):
        getattr(model, method)(*arguments)


# ---------------------------------------------------------------------------- labels in, labels out

WORDS = np.array(["blue", "red", "teal", "x-large"])

# What codes become. All hold the same labels, so that all train alike.
CONTAINERS = {
    "int64": lambda Y: Y,
    "uint8": lambda Y: Y.astype(np.uint8),
    "int8_fortran": lambda Y: np.asfortranarray(Y.astype(np.int8)),
    "whole_floats": lambda Y: Y.astype(float),
    "float32": lambda Y: Y.astype(np.float32),
    "strings": lambda Y: WORDS[Y],
    "objects": as_objects,
    "object_strings": lambda Y: WORDS[Y].astype(object),
    "frame": as_frame,
    "frame_of_strings": lambda Y: pd.DataFrame(WORDS[Y], columns=NAMES),
    "frame_of_objects": lambda Y: pd.DataFrame(as_objects(Y), columns=NAMES),
    "frame_with_numbers_for_names": lambda Y: pd.DataFrame(Y, columns=[2, 0, 1]),
    "polars": as_polars,
    "polars_small": lambda Y: pl.DataFrame(
        {n: pl.Series(y, dtype=pl.UInt8) for n, y in zip(NAMES, Y.T.tolist(), strict=True)}
    ),
    "polars_enum": lambda Y: pl.DataFrame(
        WORDS[Y].tolist(), schema=dict.fromkeys(NAMES, pl.Enum(WORDS[::-1])), orient="row"
    ).select(
        pl.col("colour"), pl.col("is_new"), pl.col("size")
    ),
    "csr_array": scipy.sparse.csr_array,
    "csr_matrix": scipy.sparse.csr_matrix,
}  # fmt: skip


@pytest.mark.parametrize("kind", CONTAINERS)
def test_containers_of_labels(several, either_make, kind):
    X, codes = several
    Y = CONTAINERS[kind](codes)
    expected = either_make(max_epochs=20, lr=0.02).fit(X, codes)
    model = either_make(max_epochs=20, lr=0.02).fit(X, Y)
    assert_same_fits(model, expected)
    predicted = expected.predict(X)
    assert all(set(column) == set(range(k)) for column, k in zip(predicted.T, WIDTHS, strict=True))
    assert_same_labels(model.predict(X), CONTAINERS[kind](predicted))
    assert model.score(X, Y) == pytest.approx(expected.score(X, codes))
    assert len(model.predict(X[:1]).shape) == 2


@pytest.mark.parametrize("kind", CONTAINERS)
def test_containers_of_labels_in_going_on(several, make, kind):
    X, codes = several
    Y = CONTAINERS[kind](codes)
    model, expected = make().fit(X, Y).partial_fit(X, Y), make().fit(X, codes)
    assert_same_fits(model, expected.partial_fit(X, codes))


@pytest.mark.parametrize("form", ["rows", "tuples", "mixed"])
def test_lists_of_labels(several, either_make, form):
    X, codes = several
    Y = {"rows": codes.tolist(), "tuples": list(map(tuple, codes.tolist())),
         "mixed": as_objects(codes).tolist()}[form]  # fmt: skip
    model, expected = either_make().fit(X.tolist(), Y), either_make().fit(X, codes)
    assert_same_fits(model, expected)
    predicted = model.predict(X.tolist())
    assert isinstance(predicted, np.ndarray)
    assert predicted.dtype == (object if form == "mixed" else np.int64)
    known = as_objects(expected.predict(X)) if form == "mixed" else expected.predict(X)
    assert predicted.tolist() == known.tolist()
    assert model.score(X, Y) == pytest.approx(expected.score(X, codes))


def test_a_multilabel_indicator(several, make):
    X = several.X
    Y = np.column_stack([X[:, 0] > 3, X[:, 1] > 0, X[:, 2] > 1, X[:, 3] < -1]).astype(int)
    dense, sparse = make().fit(X, Y), make().fit(X, scipy.sparse.coo_array(Y))
    assert_same_fits(dense, sparse)
    assert dense.predict(X).dtype == Y.dtype
    assert scipy.sparse.issparse(sparse.predict(X))
    assert_array_equal(sparse.predict(X).toarray(), dense.predict(X))
    assert sparse.score(X, scipy.sparse.csr_array(Y)) == dense.score(X, Y)
    assert dense.score(X, Y) == make().fit(X, Y.astype(bool)).score(X, Y.astype(bool))


@pytest.mark.parametrize("scoring", ["roc_auc", "average_precision", "accuracy"])
def test_scorers_of_multilabel_indicators_by_name(several, make, scoring):
    """scikit-learn prefers a decision function, and has no form for one of several targets."""
    X = several.X
    Y = np.column_stack([X[:, 0] > 3, X[:, 1] > 0, X[:, 2] > 0]).astype(int)
    model = make(max_epochs=20, lr=0.02).fit(X, Y)
    chances = np.column_stack([p[:, 1] for p in model.predict_proba(X)])
    expected = {
        "roc_auc": lambda: roc_auc_score(Y, chances),
        "average_precision": lambda: average_precision_score(Y, chances),
        "accuracy": lambda: accuracy_score(Y, model.predict(X)),
    }[scoring]()
    assert get_scorer(scoring)(model, X, Y) == pytest.approx(expected)
    assert expected > 0.5


@pytest.mark.parametrize(
    ("fitted", "scored"),
    [("frame_of_strings", "strings"), ("strings", "frame_of_strings"), ("strings", "lists"),
     ("object_strings", "strings"), ("frame_of_strings", "polars_strings"),
     ("int64", "csr_array"), ("frame", "objects")],
)  # fmt: skip
def test_labels_are_compared_across_containers(several, make, fitted, scored):
    X, codes = several
    more = {
        "lists": lambda Y: WORDS[Y].tolist(),
        "polars_strings": lambda Y: pl.DataFrame(WORDS[Y].tolist(), schema=NAMES, orient="row"),
    }
    containers = CONTAINERS | more
    model = make(lr=0.02).fit(X, containers[fitted](codes))
    expected = model.score(X, containers[fitted](codes))
    assert model.score(X, containers[scored](codes)) == pytest.approx(expected)
    before = weights(model)
    other = deepcopy(model).partial_fit(X, containers[scored](codes))
    assert_same_weights(other, model.partial_fit(X, containers[fitted](codes)))
    assert_same_labels(other.predict(X), model.predict(X))
    assert not torch.equal(before["head.weight"], weights(model)["head.weight"])


@pytest.mark.parametrize("of_labels", [as_frame, as_polars, lambda Y: Y])
@pytest.mark.parametrize("of_samples", ["array", "list", "pandas", "polars", "tensor", "memmap"])
def test_predictions_for_samples_in_any_container(
    several, either_make, tmp_path, of_samples, of_labels
):  # fmt: skip
    X, codes = several
    np.save(tmp_path / "X.npy", X)
    columns = list("abcd")
    contained = {
        "array": lambda: X,
        "list": lambda: X.tolist(),
        "pandas": lambda: pd.DataFrame(X, columns=columns, index=np.arange(120)[::-1] * 10),
        "polars": lambda: pl.DataFrame(X, schema=columns),
        "tensor": lambda: torch.from_numpy(X),
        "memmap": lambda: np.load(tmp_path / "X.npy", mmap_mode="r"),
    }[of_samples]()
    expected = either_make().fit(X, of_labels(codes))
    model = either_make().fit(contained, of_labels(codes))
    assert_same_fits(model, expected)
    known = expected.predict(X)
    if of_samples == "pandas" and of_labels is as_frame:
        known = known.set_index(contained.index)
    assert_same_labels(model.predict(contained), known)
    assert model.score(contained, of_labels(codes)) == expected.score(X, of_labels(codes))


def test_labels_on_disk(several, make, tmp_path):
    np.save(tmp_path / "Y.npy", several.Y)
    Y = np.load(tmp_path / "Y.npy", mmap_mode="r")
    model = make().fit(several.X, Y, X_val=several.X, y_val=Y)
    assert_same_fits(model, make().fit(*several))
    assert type(model.predict(several.X)) is np.ndarray


def test_frames_may_have_columns_with_names_of_several_levels(several, make):
    Y = pd.DataFrame(several.Y)
    Y.columns = pd.MultiIndex.from_tuples([("look", "colour"), ("look", "new"), ("fit", "size")])
    model = make().fit(several.X, Y)
    assert model.target_names_in_.shape == (3,)
    assert model.target_names_in_.tolist() == list(Y.columns)
    assert_array_equal(model.predict(several.X).columns, Y.columns)


def test_fit_writes_to_none_of_its_arguments(holes, make):
    X, Y = holes
    frame, weight = as_frame(Y), np.linspace(0, 2, 120)
    given = X.copy(), frame.copy(), weight.copy()
    make(early_stopping=True, optimizer="sgd").fit(X, frame, weight, X_val=X, y_val=frame)
    make().fit(X, frame).partial_fit(X, frame, sample_weight=weight).score(X, frame)
    make(n_members=3).fit(X, frame, weight).score(X, frame)
    assert_array_equal(X, given[0])
    pd.testing.assert_frame_equal(frame, given[1])
    assert_array_equal(weight, given[2])


def test_parameters_stay_as_they_are(several, either_make):
    settings = {
        "class_weight": [{0: 2.0}, None, "exp"], "callbacks": [EpochCounter()],
        "logit_adjustment": None, "module__hidden_units": [8],
    }  # fmt: skip
    model = either_make(**settings)
    before = model.get_params()
    copies = deepcopy({k: v for k, v in before.items() if k != "callbacks"})
    model.fit(*several)
    assert all(model.get_params()[name] is before[name] for name in before)
    assert {k: v for k, v in model.get_params().items() if k != "callbacks"} == copies


# ------------------------------------------------------------------------------- one target alone

ALONE = [
    *SIX,
    {},
    {"alpha": 0.7, "scope": "all", "kappa": None},
    {"logit_adjustment": "loss", "tau": 0.5, "rectify": "adjusted"},
    {"early_stopping": True, "validation_fraction": 0.3, "max_epochs": 6},
    {"optimizer": "sgd", "optimizer__momentum": 0.9, "batch_size": 7},
]


@pytest.mark.parametrize("settings", ALONE, ids=str)
def test_one_column_is_the_same_as_one_target(table, make, fast, settings):
    """Bit for bit, with a network that is built alike for one target and for a list of one."""
    X, y = table
    labels = np.array(["c", "a", "b"])[y]
    one = fast(module=AnyForm, **settings).fit(X, labels)
    listed = make(module=AnyForm, **settings).fit(X, labels[:, None])
    assert_same_weights(one, listed)
    assert one.loss_curve_ == listed.loss_curve_
    assert getattr(one, "validation_scores_", None) == getattr(listed, "validation_scores_", None)
    for name in ["classes_", "class_counts_", "prior_", "minority_classes_"]:
        (value,) = getattr(listed, name)
        assert_array_equal(value, getattr(one, name))
        assert value.dtype == getattr(one, name).dtype
    assert listed.omega_.tolist() == [one.omega_]
    assert listed.alpha_.tolist() == [one.alpha_]
    assert listed.n_outputs_ == 1
    assert listed.n_iter_ == one.n_iter_
    (value,) = listed.predict_proba(X)
    assert_array_equal(value, one.predict_proba(X))
    assert_array_equal(listed.predict(X), one.predict(X)[:, None])
    assert listed.score(X, labels[:, None]) == pytest.approx(one.score(X, labels))


@pytest.mark.parametrize("class_weight", ["balanced", "exp", {1: 3.0}])
def test_one_column_in_going_on_with_weights(table, make, fast, class_weight):
    X, y = table
    settings = {"module": AnyForm, "logit_adjustment": None, "warm_start": True}
    weight = np.linspace(0, 2, 120)
    one = fast(class_weight=class_weight, **settings)
    listed = make(class_weight=[class_weight], **settings)
    one.fit(X, y, weight, X_val=X, y_val=y).fit(X[:70], y[:70]).partial_fit(X, y)
    Y = y[:, None]
    listed.fit(X, Y, weight, X_val=X, y_val=Y).fit(X[:70], Y[:70]).partial_fit(X, Y)
    assert_same_weights(one, listed)
    assert one.loss_curve_ == listed.loss_curve_
    assert_array_equal(listed.class_counts_[0], one.class_counts_)
    first = make(module=AnyForm).partial_fit(X, Y, [[0, 1, 2]])
    assert_same_weights(first, fast(module=AnyForm).partial_fit(X, y, [0, 1, 2]))


def test_one_column_with_holes_is_the_target_without_these_rows(table, make, fast):
    X, y = table
    is_known = np.arange(120) % 4 != 0
    settings = {"module": AnyForm, "early_stopping": True, "validation_fraction": 0.3}
    one = fast(**settings).fit(X[is_known], y[is_known])
    listed = make(**settings).fit(X, np.where(is_known, y, np.nan)[:, None])
    assert_same_weights(one, listed)
    assert one.validation_scores_ == listed.validation_scores_


def test_the_default_network_without_branches_is_that_of_one_target(table, make, fast):
    settings = {"module__hidden_units": (8, 5)}
    one = fast(**settings).fit(*table)
    listed = make(**settings, module__branch_units=0).fit(table.X, table.y[:, None])
    assert_same_weights(one, listed)


@pytest.mark.parametrize("units", [1, 7])
def test_the_default_network_has_a_branch_for_one_target_too(table, make, units):
    model = make(module__branch_units=units).fit(table.X, table.y[:, None])
    assert isinstance(model.module_.head, Branches)
    assert model.module_.head.units == units


# -------------------------------------------------------------------------- statistics of classes


@pytest.mark.parametrize(
    "settings",
    [{}, {"eta": 1.5}, {"eta": 9.0}, {"alpha": 0.3}, {"rho": 0.2}, {"eta": 0}],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True])
def test_each_target_has_the_statistics_of_its_labelled_rows(
    holes, either_make, fast, settings, weighted
):  # fmt: skip
    X, Y = holes
    weight = np.random.default_rng(0).integers(0, 4, 120) / 2 if weighted else np.ones(120)
    frame = as_frame(Y)
    model = either_make(**settings, max_epochs=1).fit(X, frame, weight)
    for target, (name, y) in enumerate(zip(NAMES, Y.T, strict=True)):
        known = y >= 0
        labels = frame[name][known].to_numpy(object)
        one = fast(**settings, max_epochs=1).fit(X[known], labels, weight[known])
        assert_array_equal(model.classes_[target], one.classes_)
        assert_array_equal(model.class_counts_[target], one.class_counts_)
        assert_array_equal(model.prior_[target], one.prior_)
        assert_array_equal(model.minority_classes_[target], one.minority_classes_)
        assert model.omega_[target] == one.omega_
        if model.n_members == 1:
            assert model.alpha_[target] == one.alpha_
        if not weighted:
            assert_array_equal(model.class_counts_[target], counts_of(Y)[target])
    assert len({*model.omega_.tolist()}) == 3


def test_attributes_by_hand(several, make):
    model = make(eta=0.6).fit(several.X, as_frame(several.Y))
    counts = counts_of(several.Y)
    assert [c.tolist() for c in model.class_counts_] == [c.tolist() for c in counts]
    assert all(c.dtype == np.int64 for c in model.class_counts_)
    for prior, c in zip(model.prior_, counts, strict=True):
        assert_allclose(prior, c / 120)
    omega = [1 - 120 / (len(c) * max(c)) for c in counts]
    assert_allclose(model.omega_, omega)
    assert_allclose(model.alpha_, 0.6 * np.array(omega))
    assert [c.tolist() for c in model.classes_] == [labels.tolist() for labels in LABELS]
    assert model.minority_classes_[0].tolist() == ["red", "teal"]
    assert model.n_outputs_ == 3
    assert model.target_names_in_.tolist() == NAMES
    assert model.target_names_in_.dtype == object
    assert model.n_features_in_ == 4
    assert model.n_iter_ == len(model.loss_curve_) == 3
    assert all(isinstance(loss, float) for loss in model.loss_curve_)
    assert isinstance(model.module_, MLP)


def test_names_of_an_earlier_frame_do_not_stay(several, make):
    model = make().fit(several.X, as_frame(several.Y))
    assert not hasattr(model.fit(*several), "target_names_in_")
    assert model.fit(several.X, as_polars(several.Y)).target_names_in_.tolist() == NAMES


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 0, 2]])
def test_permuted_targets_have_permuted_statistics(holes, make, order):
    X, Y = holes
    frame = as_frame(Y)
    alpha = np.array([0.1, 0.5, 0.9])
    weights_of = [{"red": 2.0}, None, {3: 0.5}]
    model = make(alpha=alpha.tolist(), class_weight=weights_of).fit(X, frame)
    permuted = make(
        alpha=alpha[order].tolist(), class_weight=[weights_of[t] for t in order]
    ).fit(X, frame.iloc[:, order])  # fmt: skip
    for name in ["classes_", "class_counts_", "prior_", "minority_classes_", "omega_", "alpha_"]:
        for target, value in zip(order, getattr(permuted, name), strict=True):
            assert_array_equal(value, getattr(model, name)[target])
    assert permuted.target_names_in_.tolist() == [NAMES[t] for t in order]
    assert permuted.predict(X).columns.tolist() == [NAMES[t] for t in order]
    assert_array_equal(permuted.predict(X).dtypes, frame.dtypes.iloc[order])


def test_permuted_targets_have_the_same_loss(holes, make):
    """The loss is a sum over targets: a network with its columns permuted has the same."""
    X, Y = holes
    order = [2, 0, 1]
    settings = {
        "module": Heads, "module__form": "lists", "missing_label": -1, "alpha": 0.4,
        "level": "instance", "batch_size": 120,
    }  # fmt: skip
    one = untrained(make(**settings), X, Y)

    def permuted_module(n_features, n_classes):
        module = deepcopy(one.module_)
        module.features = nn.ModuleList([module.features[t] for t in order])
        module.heads = nn.ModuleList([module.heads[t] for t in order])
        return module

    settings = settings | {"module": permuted_module}
    del settings["module__form"]
    other = untrained(make(**settings), X, Y[:, order])
    assert other.loss_curve_ == pytest.approx(one.loss_curve_, rel=1e-5)


# --------------------------------------------------------------------------------- missing labels

# Ways to say that a label is missing, and the parameter that says so.
MARKS = {
    "nan": (as_floats, None),
    "code": (lambda Y: Y, -1),
    "float_code": (lambda Y: np.where(Y < 0, 99.0, Y), 99),
    "code_beside_nan": (lambda Y: np.where(Y < 0, np.where(Y.cumsum(0) % 2, -7, np.nan), Y), -7),
    "None": (as_objects, None),
    "word": (lambda Y: np.where(Y < 0, "?", WORDS[Y]), "?"),
    "word_beside_None": (
        lambda Y: np.where(Y < 0, np.where(Y.cumsum(0) % 2, "?", None), WORDS[Y].astype(object)),
        "?",
    ),
    "frame": (as_frame, None),
    "frame_code": (lambda Y: pd.DataFrame(Y, columns=NAMES), -1),
    "polars": (as_polars, None),
    "csr_array": (scipy.sparse.csr_array, -1),
}
FITS = [
    {"alpha": 0.5},
    {"level": "instance", "alpha": 0.5},
    {"early_stopping": True, "validation_fraction": 0.3},
    {"logit_adjustment": "loss", "rectify": "adjusted"},
    {"class_weight": "balanced", "logit_adjustment": None},
]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("settings", FITS, ids=str)
def test_what_stands_in_a_cell_without_label_does_not_matter(holes, make, settings, mark):
    X, Y = holes
    weight = np.linspace(0.1, 2, 120)
    marked, missing_label = MARKS[mark][0](Y), MARKS[mark][1]
    expected = make(**settings).fit(X, as_floats(Y), weight)
    model = make(**settings, missing_label=missing_label).fit(X, marked, weight)
    assert_same_fits(model, expected)
    if "early_stopping" in settings:
        assert model.validation_scores_ == expected.validation_scores_
    for one, other in zip(model.predict_proba(X), expected.predict_proba(X), strict=True):
        assert_array_equal(one, other)
    assert model.score(X, marked) == pytest.approx(expected.score(X, as_floats(Y)))
    model.partial_fit(X, marked)
    assert_same_fits(model, expected.partial_fit(X, as_floats(Y)))


@pytest.mark.parametrize("settings", FITS, ids=str)
@pytest.mark.parametrize("where", ["first", "last", "between"])
def test_a_row_without_any_label_is_absent(holes, make, settings, where):
    X, Y = holes
    place = {"first": [0] * 9, "last": [120] * 9, "between": [3, 5, 5, 17, 40, 66, 80, 110, 119]}
    X_more = np.insert(X, place[where], np.float32(1e3), axis=0)
    Y_more = np.insert(Y, place[where], -1, axis=0)
    weight = np.linspace(0.1, 2, 120)
    weight_more = np.insert(weight, place[where], 50.0)
    model = make(missing_label=-1, **settings).fit(X_more, Y_more, weight_more)
    expected = make(missing_label=-1, **settings).fit(X, Y, weight)
    assert_same_fits(model, expected)
    if "early_stopping" in settings:
        assert model.validation_scores_ == expected.validation_scores_
    assert model.score(X_more, Y_more) == pytest.approx(expected.score(X, Y))
    model.partial_fit(X_more, Y_more, sample_weight=weight_more)
    assert_same_fits(model, expected.partial_fit(X, Y, sample_weight=weight))
    model.fit(X, Y, X_val=X_more, y_val=Y_more)
    expected.fit(X, Y, X_val=X, y_val=Y)
    assert model.validation_scores_ == expected.validation_scores_


@pytest.mark.parametrize("mark", MARKS)
def test_what_stands_in_a_cell_without_label_matters_to_no_ensemble(holes, make, mark):
    X, Y = holes
    weight = np.linspace(0.1, 2, 120)
    marked, missing_label = MARKS[mark][0](Y), MARKS[mark][1]
    expected = make(n_members=3).fit(X, as_floats(Y), weight)
    model = make(n_members=3, missing_label=missing_label).fit(X, marked, weight)
    assert_same_fits(model, expected)
    assert model.score(X, marked) == pytest.approx(expected.score(X, as_floats(Y)))


@pytest.mark.parametrize("place", [[0] * 9, [120] * 9, [3, 5, 5, 17, 40, 66, 80, 110, 119]])
def test_a_row_without_any_label_is_absent_from_an_ensemble(holes, make, place):
    """Nor does the encoder of the table learn from it."""
    X, Y = holes
    X_more = np.insert(X, place, np.float32(1e3), axis=0)
    Y_more = np.insert(Y, place, -1, axis=0)
    weight = np.linspace(0.1, 2, 120)
    model = make(n_members=3, missing_label=-1).fit(X_more, Y_more, np.insert(weight, place, 50.0))
    assert_same_fits(model, make(n_members=3, missing_label=-1).fit(X, Y, weight))


def test_a_hole_leaves_the_rest_of_its_row(several, make):
    """What a row says of one target is learned although it says nothing of another."""
    X, Y = several
    Y = np.where(np.arange(120)[:, None] % 2 == [0, 1, 1], -1, Y)  # no row with all labels
    model = make(missing_label=-1, max_epochs=80, lr=0.02).fit(X, Y)
    assert [c.sum() for c in model.class_counts_] == [60, 60, 60]
    assert model.score(X, Y) > 0.85


def test_holes_of_other_targets_matter_to_no_gradient(several, make):
    """A target whose every label in a batch is missing leaves its own branch as it is."""
    X, Y = several
    settings = {"module": Heads, "module__form": "lists", "missing_label": -1, "max_epochs": 1}
    model = make(**settings, optimizer="sgd", lr=0.1, warm_start=True).fit(X, Y)
    before = weights(model)
    model.partial_fit(X, np.column_stack([Y[:, 0], np.full(120, -1), Y[:, 2]]))
    after = weights(model)
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert changed == {
        name for name in after if not name.startswith(("heads.1.", "features.1."))
    }  # fmt: skip
    assert [c.sum() for c in model.class_counts_] == [240, 120, 240]


def test_many_targets_with_few_labels(make, either_make):
    """Forty targets, of which each row has two labels."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5)).astype(np.float32)
    full = (X @ rng.normal(size=(5, 40)) > 0).astype(float)
    Y = np.where(np.argsort(np.argsort(rng.random((400, 40)), axis=1), axis=1) < 2, full, np.nan)
    assert (np.isfinite(Y).sum(1) == 2).all()
    model = either_make(max_epochs=40, lr=0.02).fit(X, Y)
    stopped = make(max_epochs=40, lr=0.02, early_stopping=True).fit(X, Y)
    for fitted in (model, stopped):
        assert fitted.n_outputs_ == 40
        assert fitted.score(X, full) > 0.6
    assert np.isfinite(stopped.validation_scores_).all()


# ------------------------------------------------------------------- the loss, by the naive twin


def twin_of_training(module, X, Y, *, alpha, class_weight=None, weight=None, **settings):
    """The loss of a batch in float64, each target by itself (Eq. 2 and 8)."""
    scores, features = module(torch.as_tensor(X, dtype=torch.float64))
    total = naive.ZERO
    for t, columns in enumerate(scores.split(WIDTHS, dim=1)):
        total = total + naive.mixed_loss(
            columns,
            torch.as_tensor(Y[:, [t]]),
            [settings["class_counts"][t].tolist()],
            features[:, t] if features.dim() == 3 else features,
            None if weight is None else weight.tolist(),
            alpha=alpha[t],
            class_weight=None if class_weight is None else [class_weight[t]],
            **{k: v for k, v in settings.items() if k != "class_counts"},
        )
    return total


# Settings of the estimator, and those of the twin that follow from them.
TWINS = [
    ({"alpha": 0.0}, {"alpha": [0.0] * 3}),
    *(({"alpha": 0.4, "bins": 10, "kappa": 3, **s},) * 2 for s in SIX),
    ({"kappa": 3}, {"kappa": 3}),
    ({"eta": 1.5, "kappa": 3}, {"eta": 1.5, "kappa": 3}),
    ({"alpha": [0.0, 0.9, 0.3], "kappa": 3},) * 2,
    ({"alpha": 1.0, "scope": "all", "kappa": 4},) * 2,
    ({"alpha": 0.4, "level": "instance", "normalize": False, "kappa": 3},) * 2,
    ({"alpha": 0.4, "level": "instance", "module__branch_units": 0, "kappa": 3},
     {"alpha": 0.4, "level": "instance", "kappa": 3}),
    ({"alpha": 0.4, "kappa": 3, "logit_adjustment": "loss", "tau": 0.5},
     {"alpha": 0.4, "kappa": 3, "tau": 0.5}),
    ({"alpha": 0.4, "kappa": 3, "logit_adjustment": "loss", "rectify": "adjusted"},
     {"alpha": 0.4, "kappa": 3, "tau": 1.0, "rectify": "adjusted"}),
    ({"alpha": 0.4, "kappa": 3, "class_weight": [{1: 3.0}, None, {0: 0.5, 2: 2.0}]},
     {"alpha": 0.4, "kappa": 3,
      "class_weight": [[1.0, 3.0, 1.0], [1.0, 1.0], [0.5, 1.0, 2.0, 1.0]]}),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "of_twin"), TWINS, ids=[str(s) for s, _ in TWINS])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_of_training_is_a_step_down_the_equations(
    holes, make, settings, of_twin, weighted
):  # fmt: skip
    """One batch with holes: the loss and the weights after it are those of the naive twin."""
    rows = np.arange(0, 120, 2)
    X, Y = holes.X[rows], holes.Y[rows]
    assert (Y == -1).any(0).all()
    weight = np.random.default_rng(1).integers(0, 5, 60) / 2 if weighted else None
    model = make(**settings, missing_label=-1, optimizer="sgd", lr=0.5, max_epochs=1, batch_size=60)
    module = deepcopy(untrained(model, X, Y, sample_weight=weight).module_).double().train()
    model.fit(X, Y, weight)

    seen = np.ones(60) if weight is None else weight
    counts = [
        np.array([seen[y == c].sum() for c in range(k)])
        for y, k in zip(Y.T, WIDTHS, strict=True)
    ]  # fmt: skip
    of_twin = {"class_counts": counts} | of_twin
    eta = of_twin.pop("eta", 0.5)
    alpha = of_twin.pop("alpha", [min(eta * naive.imbalance(c), 1.0) for c in counts])
    alpha = alpha if isinstance(alpha, list) else [alpha] * 3
    loss = twin_of_training(module, X, Y, alpha=alpha, weight=weight, **of_twin)
    loss.backward()
    assert model.loss_curve_ == pytest.approx([loss.item()], rel=1e-4)
    after = weights(model)
    for name, parameter in module.named_parameters():
        expected = (parameter - 0.5 * parameter.grad).detach().float()
        torch.testing.assert_close(after[name], expected, rtol=1e-4, atol=1e-5)
        assert parameter.grad.any(), name


@pytest.mark.parametrize("settings", [{}, {"level": "instance"}, {"comparison": "absolute"}])
def test_training_goes_down_the_equations_batch_by_batch(holes, make, settings):
    """Several batches and epochs; counts are those of all data, classes those of the batch."""
    X, Y = holes.X[:70], holes.Y[:70]
    model = make(
        **settings, alpha=0.4, kappa=3, missing_label=-1, optimizer="sgd", lr=0.1, max_epochs=2,
        callbacks=[Recorder()], module__branch_units=16,
    )  # fmt: skip
    module = deepcopy(untrained(model, X, Y).module_).double().train()
    model.fit(X, Y)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    losses = []
    for epoch in recorded(model).epochs_:
        assert [tuple(y.shape) for _, y, _ in epoch] == [(32, 3), (32, 3), (6, 3)]
        total = 0.0
        for X_batch, codes, _ in epoch:
            loss = twin_of_training(
                module, X_batch, codes.numpy(), alpha=[0.4] * 3, kappa=3,
                class_counts=counts_of(Y), **settings,
            )  # fmt: skip
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += len(codes) * loss.item()
        losses.append(total / 70)
    assert model.loss_curve_ == pytest.approx(losses, rel=1e-4)
    for name, value in module.state_dict().items():
        torch.testing.assert_close(weights(model)[name], value.float(), rtol=1e-3, atol=1e-5)


def test_an_epoch_shows_every_row_with_all_its_labels(holes, make):
    model = make(missing_label=-1, callbacks=[Recorder()]).fit(*holes)
    labels = dict(zip(holes.X[:, 0].tolist(), holes.Y.tolist(), strict=True))
    for epoch in recorded(model).epochs_:
        X, Y = (torch.cat(parts) for parts in list(zip(*epoch, strict=True))[:2])
        assert len(X) == 120
        assert [labels[first] for first in X[:, 0].tolist()] == Y.tolist()


# ---------------------------------------------------------------- prior, weights, alpha, by target


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0])
def test_the_prior_of_every_target_is_removed_at_prediction(holes, make, tau):
    X, Y = holes
    model = make(tau=tau, missing_label=-1).fit(X, Y)
    scores = raw_scores(model, X).double().split(WIDTHS, dim=1)
    for p, s, counts in zip(model.predict_proba(X), scores, counts_of(Y), strict=True):
        logits = s - tau * torch.as_tensor(np.log(counts / counts.sum()))
        assert_allclose(p, logits.softmax(1), rtol=1e-4)
    assert_same_weights(model, make(logit_adjustment=None, missing_label=-1).fit(X, Y))


@pytest.mark.parametrize("logit_adjustment", ["loss", None])
def test_scores_decide_alone_unless_the_prior_is_removed_at_prediction(
    several, make, logit_adjustment
):  # fmt: skip
    model = make(logit_adjustment=logit_adjustment).fit(*several)
    scores = raw_scores(model, several.X).split(WIDTHS, dim=1)
    for p, s in zip(model.predict_proba(several.X), scores, strict=True):
        assert_allclose(p, s.softmax(1), rtol=1e-5)


CLASS_WEIGHTS = {
    "balanced": ("balanced", lambda c: c.sum() / (len(c) * c)),
    "exp": ("exp", lambda c: np.exp(-c / c.sum())),
    "list": (["balanced", None, "exp"], None),
    "tuple": (("balanced", None, "exp"), None),
}


@pytest.mark.parametrize("kind", CLASS_WEIGHTS)
def test_named_class_weights_reach_the_loss_of_every_target(holes, make, kind):
    X, Y = holes
    class_weight, formula = CLASS_WEIGHTS[kind]
    formulas = [CLASS_WEIGHTS["balanced"][1], np.ones_like, CLASS_WEIGHTS["exp"][1]]
    model = make(
        alpha=0.0, class_weight=class_weight, logit_adjustment=None, batch_size=120,
        missing_label=-1,
    )  # fmt: skip
    model = untrained(model, X, Y)
    total = 0.0
    for target, s in enumerate(raw_scores(model, X).double().split(WIDTHS, dim=1)):
        counts = counts_of(Y)[target].astype(float)
        of_class = (formula or formulas[target])(counts)
        known = Y[:, target] >= 0
        total += nn.functional.cross_entropy(
            s[known], torch.as_tensor(Y[known, target]), torch.as_tensor(of_class)
        ).item()
    assert model.loss_curve_ == pytest.approx([total], rel=1e-5)


def test_class_weights_go_by_label_not_by_position(several, make):
    frame = as_frame(several.Y)
    model = make(class_weight=[{"red": 3.0}, {True: 2.0}, {20: 0.5}]).fit(several.X, frame)
    expected = make(class_weight=[{1: 3.0}, {1: 2.0}, {3: 0.5}]).fit(*several)
    assert_same_weights(model, expected)
    assert not torch.equal(
        weights(model)["head.weight"], weights(make().fit(*several))["head.weight"]
    )


def test_class_weights_and_logit_adjustment_together_are_warned_of(several, make):
    with pytest.warns(UserWarning, match="class_weight='balanced' and logit_adjustment='predict'"):
        make(class_weight=[None, "balanced", None]).fit(*several)
    make(class_weight=[None, {0: 2.0}, None]).fit(*several)  # what the user names is no remedy


@pytest.mark.parametrize(
    "alpha", [[0.1, 0.5, 0.9], (0.1, 0.5, 0.9), np.array([0.1, 0.5, 0.9])], ids=repr
)
def test_alpha_of_every_target(several, make, alpha):
    model = make(alpha=alpha).fit(*several)
    assert model.alpha_.tolist() == [0.1, 0.5, 0.9]
    assert model.net_.criterion_.alpha.tolist() == pytest.approx([0.1, 0.5, 0.9])
    assert_same_weights(make(alpha=[0.4] * 3).fit(*several), make(alpha=0.4).fit(*several))
    assert clone(model).fit(*several).alpha_.tolist() == [0.1, 0.5, 0.9]


@pytest.mark.parametrize("settings", [{}, {"level": "instance"}])
def test_weight_zero_is_removal(holes, make, settings):
    X, Y = holes
    kept = np.arange(120) % 5 != 1
    weight = np.linspace(0.5, 2, 120) * kept
    weighted = make(missing_label=-1, early_stopping=True, **settings).fit(X, Y, weight)
    removed = make(missing_label=-1, early_stopping=True, **settings)
    removed.fit(X[kept], Y[kept], weight[kept])
    assert_same_fits(weighted, removed)
    assert weighted.validation_scores_ == removed.validation_scores_


def test_sample_weight_is_routed(several, make):
    weight = np.linspace(0.1, 2, 120)
    with sklearn.config_context(enable_metadata_routing=True):
        model = make().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"eta": [0.2]}, cv=2).fit(*several, sample_weight=weight)
    assert_same_weights(search.best_estimator_, make(eta=0.2).fit(*several, sample_weight=weight))


# ------------------------------------------------------------- validation data and early stopping


def monitored(model, X, Y, counts_as=None):
    """Both monitored scores over labelled cells, computed from predictions by other means."""
    losses, accuracies = [], []
    for target, (p, y) in enumerate(zip(model.predict_proba(X), Y.T, strict=True)):
        present = [c for c in range(p.shape[1]) if (y == c).any()]
        if not present:
            continue
        share = np.ones(p.shape[1]) if counts_as is None else np.array(counts_as[target])
        loss = [np.log(p[y == c, c].astype(float)).mean() for c in present]
        accuracy = [(p[y == c].argmax(1) == c).mean() for c in present]
        losses.append(np.average(loss, weights=share[present]))
        accuracies.append(np.average(accuracy, weights=share[present]))
    return {"balanced_log_loss": np.mean(losses), "balanced_accuracy": np.mean(accuracies)}


@pytest.mark.parametrize("logit_adjustment", ["predict", "loss", None])
@pytest.mark.parametrize("monitor", ["balanced_log_loss", "balanced_accuracy"])
def test_early_stopping_returns_to_the_best_epoch(holes, make, monitor, logit_adjustment):
    noise = np.random.default_rng(1).normal(size=holes.X.shape).astype(np.float32)
    X, X_val, Y, Y_val = train_test_split(noise, holes.Y, test_size=50, random_state=0)
    model = make(
        early_stopping=True, monitor=monitor, max_epochs=200, lr=0.05, patience=4,
        missing_label=-1, logit_adjustment=logit_adjustment,
    )  # fmt: skip
    model.fit(X, Y, X_val=X_val, y_val=Y_val)
    scores = model.validation_scores_
    assert model.best_validation_score_ == max(scores)
    assert model.n_iter_ == len(scores) == scores.index(max(scores)) + 1 + 4 < 200
    assert monitored(model, X_val, Y_val)[monitor] == pytest.approx(max(scores), rel=1e-4)


@pytest.mark.parametrize("monitor", ["balanced_log_loss", "balanced_accuracy"])
def test_the_monitored_score_is_the_mean_over_targets_that_have_labels(several, make, monitor):
    X, Y = several
    Y_val = with_holes(Y[:60])
    Y_val[:, 1] = -1  # a target without any label
    Y_val[Y_val[:, 2] == 3, 2] = -1  # and one that lacks a class
    model = make(monitor=monitor, missing_label=-1, lr=0.02)
    model.fit(X, Y, X_val=X[:60], y_val=Y_val)
    expected = monitored(model, X[:60], Y_val)[monitor]
    assert model.validation_scores_[-1] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("monitor", ["balanced_log_loss", "balanced_accuracy"])
def test_monitored_scores_follow_weights_that_the_user_names(several, make, monitor):
    X, Y = several
    class_weight = [{0: 0.0, 1: 5.0}, None, {2: 3.0}]
    model = make(monitor=monitor, class_weight=class_weight, lr=0.02)
    model.fit(X, Y, X_val=X, y_val=Y)
    counts_as = [[0, 5, 1], [1, 1], [1, 1, 3, 1]]
    expected = monitored(model, X, Y, counts_as)[monitor]
    assert model.validation_scores_[-1] == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(monitored(model, X, Y)[monitor], rel=1e-5)


def test_validation_data_do_not_train(several, make):
    with_validation = make().fit(*several, X_val=several.X[:60], y_val=several.Y[:60])
    assert_same_weights(with_validation, make().fit(*several))
    assert not hasattr(with_validation.fit(*several), "validation_scores_")


def test_the_validation_split_is_stratified_by_all_targets(holes, make):
    model = make(
        early_stopping=True, validation_fraction=0.25, callbacks=[Recorder()], missing_label=-1
    )
    training, validation = recorded(model.fit(*holes)).data_[0]
    assert (len(training), len(validation)) == (90, 30)
    together = np.concatenate([training.X.numpy(), validation.X.numpy()])
    assert_array_equal(np.sort(together[:, 0]), np.sort(holes.X[:, 0]))
    labels = dict(zip(holes.X[:, 0].tolist(), holes.Y.tolist(), strict=True))
    for part in training, validation:
        assert [labels[first] for first in part.X[:, 0].tolist()] == part.y.tolist()
    for counts, of_part in zip(counts_of(holes.Y), counts_of(validation.y.numpy()), strict=True):
        assert (of_part >= 1).all()
        assert_allclose(of_part, counts / 4, atol=2)
    # Counts are those of all training data, before the split.
    assert [c.tolist() for c in model.class_counts_] == [c.tolist() for c in counts_of(holes.Y)]


def test_classes_with_a_single_sample_train_and_are_warned_of_by_name(several, make):
    frame = as_frame(several.Y)
    frame["colour"] = frame["colour"].cat.add_categories("rare")
    frame.loc[7, "colour"] = "rare"
    model = make(early_stopping=True, callbacks=[Recorder()])
    with pytest.warns(UserWarning, match=r"\['rare'\] of target 'colour' have a single sample"):
        model.fit(several.X, frame)
    training, _ = recorded(model).data_[0]
    assert several.X[7, 0] in training.X[:, 0].numpy()


# ------------------------------------------------------------------------------------- going on

CLASSES = [["teal", "blue", "red"], [True, False], [20, 11, 7, 3]]


@pytest.mark.parametrize("of_labels", [as_frame, as_polars, as_objects])
def test_partial_fit_counts_add_up(holes, make, of_labels):
    X, Y = holes
    labels = of_labels(Y)
    model = make(eta=0.7)
    for i, rows in enumerate(np.array_split(np.arange(120), 4), start=1):
        part = labels[rows[0] : rows[-1] + 1]
        assert model.partial_fit(X[rows], part, classes=CLASSES) is model
        seen = counts_of(Y[: rows[-1] + 1])
        assert [c.tolist() for c in model.class_counts_] == [c.tolist() for c in seen]
        assert model.n_iter_ == len(model.loss_curve_) == i
    whole = make(eta=0.7).fit(X, labels)
    for name in ["classes_", "class_counts_", "prior_", "minority_classes_", "omega_", "alpha_"]:
        for a, b in zip(getattr(model, name), getattr(whole, name), strict=True):
            assert_array_equal(a, b)
    assert type(model.predict(X)) is type(labels)


def test_partial_fit_needs_classes_on_the_first_call_only(several, make):
    frame = as_frame(several.Y)
    model = make().partial_fit(several.X, frame, CLASSES)
    model.partial_fit(several.X, frame)
    model.partial_fit(several.X, frame, classes=[np.array(c) for c in CLASSES])
    model.partial_fit(several.X, frame, classes=tuple(CLASSES))
    assert model.n_iter_ == 4


def test_partial_fit_of_classes_never_seen(several, make):
    X, Y = several
    model = make(lr=0.02)
    for _ in range(10):
        model.partial_fit(X, Y, classes=[[0, 1, 2, 9], [0, 1], [0, 1, 2, 3]])
    assert model.classes_[0].tolist() == [0, 1, 2, 9]
    assert model.class_counts_[0].tolist() == [800, 280, 120, 0]
    assert [p.shape[1] for p in model.predict_proba(X)] == [4, 2, 4]
    assert all(np.isfinite(p).all() for p in model.predict_proba(X))
    assert (model.predict(X)[:, 0] < 9).mean() > 0.9  # removing the prior gives it no victory


def test_partial_fit_goes_on_without_labels_of_a_target(several, make):
    """A later batch may say nothing of a target."""
    X, Y = several
    model = make(missing_label=-1).fit(X, Y)
    model.partial_fit(X[:50], np.column_stack([Y[:50, 0], [-1] * 50, Y[:50, 2]]))
    assert [int(c.sum()) for c in model.class_counts_] == [170, 120, 170]


def test_partial_fit_is_repeatable_after_pickling(holes, make):
    frame = as_frame(holes.Y)
    model = make(module__dropout=0.5).partial_fit(holes.X, frame, classes=CLASSES)
    other = pickle.loads(pickle.dumps(model))
    assert_same_fits(model.partial_fit(holes.X, frame), other.partial_fit(holes.X, frame))


def test_warm_start_goes_on(holes, make):
    X, Y = holes
    model = make(warm_start=True, missing_label=-1, early_stopping=True).fit(X, Y)
    first, start = model.loss_curve_, weights(model)
    model.set_params(max_epochs=2, alpha=0.3, lr=0.01).fit(X, Y)
    assert model.n_iter_ == len(model.loss_curve_) == 5
    assert model.loss_curve_[:3] == first
    assert len(model.validation_scores_) == 2
    assert model.alpha_.tolist() == [0.3] * 3
    assert not torch.equal(weights(model)["head.weight"], start["head.weight"])


def test_warm_start_takes_labels_that_lack_a_class(several, make):
    X, Y = several
    frame = as_frame(Y)
    model = make(warm_start=True).fit(X, frame)
    rows = (Y[:, 0] > 0) & (Y[:, 2] < 3)
    model.fit(X[rows], frame[rows])
    assert [c.tolist() for c in model.classes_] == [labels.tolist() for labels in LABELS]
    assert (model.class_counts_[0][0], model.class_counts_[2][3]) == (0, 0)
    assert all(np.isfinite(p).all() for p in model.predict_proba(X))


# ------------------------------------------------------------------------------------- callbacks


def test_epoch_callbacks_hear_every_epoch_and_stay_as_they_were(several, make):
    callback = EpochCounter()
    schedule = LRScheduler("StepLR", step_size=1, gamma=0.1)
    model = make(callbacks=[("counter", callback), schedule], lr=0.5).fit(*several)
    assert dict(model.net_.callbacks_)["counter"].counted == 3
    assert callback.counted == 0
    assert model.net_.history[:, "event_lr"] == pytest.approx([0.5, 0.05, 0.005])


def test_batch_callbacks_hear_of_all_targets_and_change_nothing(holes, make):
    X, Y = holes
    model = make(missing_label=-1, callbacks=[Recorder()]).fit(X, Y, X_val=X, y_val=Y)
    assert_same_weights(model, make(missing_label=-1).fit(X, Y))
    for epoch, loss in zip(recorded(model).epochs_, model.loss_curve_, strict=True):
        assert [tuple(y.shape) for _, y, _ in epoch] == [(32, 3)] * 3 + [(24, 3)]
        assert [tuple(said["y_pred"].shape) for _, _, said in epoch] == [(32, 9)] * 3 + [(24, 9)]
        losses, sizes = [float(said["loss"]) for _, _, said in epoch], [32, 32, 32, 24]
        assert np.average(losses, weights=sizes) == pytest.approx(loss, rel=1e-5)
    assert torch.cat([y for _, y, _ in recorded(model).validated_]).shape == (360, 3)


def test_the_net_predicts_codes_of_every_target(several, make):
    """What skorch's callbacks score by."""
    model = make().fit(*several)
    assert_array_equal(model.net_.predict(several.X), model.predict(several.X))


@pytest.mark.parametrize("use_caching", [True, False])
def test_epoch_scoring_of_validation_data(holes, make, use_caching):
    scorer = make_scorer(our_metrics.balanced_accuracy_score, missing_label=-1)
    callback = EpochScoring(scorer, lower_is_better=False, use_caching=use_caching, name="own")
    model = make(monitor="balanced_accuracy", lr=0.02, callbacks=[callback], missing_label=-1)
    model.fit(*holes, X_val=holes.X, y_val=holes.Y)
    assert model.net_.history[:, "own"] == pytest.approx(model.validation_scores_)


# ------------------------------------------------------------------------------------- modules


@pytest.mark.parametrize("units", [0, 1, 7])
@pytest.mark.parametrize("hidden_units", [(), 6, (6, 5)])
def test_the_default_network(several, make, units, hidden_units):
    model = make(module__branch_units=units, module__hidden_units=hidden_units).fit(*several)
    widths = [layer.out_features for layer in model.module_.hidden]
    assert widths == np.atleast_1d(hidden_units).tolist()
    scores, features = model.module_.eval()(torch.from_numpy(several.X))
    assert scores.shape == (120, 9)
    last = widths[-1] if widths else 4
    assert features.shape == ((120, 3, units) if units else (120, last))


def test_the_default_network_is_as_wide_as_documented(several):
    model = MultiOutputCRLClassifier(n_members=1, max_epochs=1, random_state=0, device="cpu").fit(
        *several
    )
    (units,) = re.findall(r"module__branch_units=(\d+)", inspect.getdoc(MultiOutputCRLClassifier))
    assert model.module_.head.units == int(units)
    assert "module__hidden_units=(100,)" in inspect.getdoc(MultiOutputCRLClassifier)
    assert [layer.out_features for layer in model.module_.hidden] == [100]


def test_a_module_is_told_the_number_of_classes_of_every_target(several, make):
    given = {}

    def build(n_features, n_classes, input_shape, depth=1):
        given.update(locals())
        return MLP(n_features, n_classes)

    make(module=build, module__depth=3).fit(*several)
    told = {name: given[name] for name in ["n_features", "n_classes", "input_shape", "depth"]}
    assert told == {"n_features": 4, "n_classes": WIDTHS, "input_shape": (4,), "depth": 3}
    assert type(given["n_classes"]) is tuple
    assert all(type(n) is int for n in given["n_classes"])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("comparison", ["relative", "absolute", "distribution"])
def test_forms_of_scores_make_no_difference(holes, make, form, comparison):
    settings = {"alpha": 0.4, "comparison": comparison, "missing_label": -1, "module": Heads}
    model = make(module__form=form, **settings).fit(*holes)
    assert_same_fits(model, make(module__form="scores", **settings).fit(*holes))
    expected = model.module_.eval()(torch.from_numpy(holes.X))
    expected = expected[0] if isinstance(expected, tuple) else expected
    expected = torch.cat(expected, 1) if isinstance(expected, list) else expected
    assert_allclose(
        np.concatenate(model.set_params(logit_adjustment=None).predict_proba(holes.X), 1).shape,
        expected.shape,
    )


@pytest.mark.parametrize("form", ["list_and_features", "scores_and_list", "lists"])
@pytest.mark.parametrize("comparison", ["relative", "absolute", "distribution"])
def test_forms_of_features_make_no_difference(holes, make, form, comparison):
    settings = {
        "alpha": 0.6, "level": "instance", "comparison": comparison, "missing_label": -1,
        "module": Heads,
    }  # fmt: skip
    model = make(module__form=form, **settings).fit(*holes)
    assert_same_fits(model, make(module__form="scores_and_features", **settings).fit(*holes))
    settings["level"] = "class"
    assert not torch.equal(
        weights(model)["trunk.weight"],
        weights(make(module__form=form, **settings).fit(*holes))["trunk.weight"],
    )


@pytest.mark.parametrize("returned", ["shared", "repeated", "scores_alone"])
def test_features_may_be_shared_by_the_targets(holes, make, returned):
    """Shared features are those of every target; of scores alone, the last layer's input."""

    class Shared(AnyForm):
        def forward(self, X):
            scores, features = super().forward(X)
            if returned == "scores_alone":
                return scores
            return scores, features if returned == "shared" else [features] * 3

    settings = {"level": "instance", "alpha": 0.6, "missing_label": -1}
    model = make(module=Shared, **settings).fit(*holes)
    expected = make(module=AnyForm, **settings).fit(*holes)
    if returned != "repeated":
        assert_same_fits(model, expected)
    for name, value in weights(expected).items():  # of the copies gradients are added up later
        torch.testing.assert_close(weights(model)[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("width", [9, 7])
@pytest.mark.parametrize("form", ["list", "scores"])
def test_features_are_never_those_of_a_layer_that_makes_no_scores(holes, make, form, width):
    """Each head is a layer of its own; the trunk, though as wide as all scores, is none of them.

    Either the features of every target are found, or there is an error.
    """
    settings = {
        "level": "instance", "alpha": 0.6, "missing_label": -1, "module": Heads,
        "module__width": width,
    }  # fmt: skip
    explicit = make(module__form="lists", **settings).fit(*holes)
    try:
        model = make(module__form=form, **settings).fit(*holes)
    except ValueError as error:
        assert "features" in str(error)  # noqa: PT017
    else:
        assert_same_weights(model, explicit)


def several_images(images):
    """A second and a third target for the fixture `images`."""
    X, y = images
    bright = X.mean((1, 2, 3))
    thirds = np.digitize(bright, np.quantile(bright, [0.4, 0.8]))
    return Several(X, np.column_stack([y, bright > np.median(bright), thirds]))


@pytest.mark.parametrize("settings", SIX, ids=str)
def test_images_and_branches(images, make, settings):
    X, Y = several_images(images)
    model = make(module=CNN, alpha=0.3, batch_size=16, max_epochs=10, lr=0.02, **settings)
    model.fit(X, Y)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.score(X, Y) > 0.6
    assert [p.shape for p in model.predict_proba(X[:1])] == [(1, 2), (1, 2), (1, 3)]
    assert model.module_.trunk[1].num_batches_tracked == 10 * 2


def test_images_with_holes_in_early_stopping_partial_fit_and_pickles(images, make):
    X, Y = several_images(images)
    Y = with_holes(Y, 0.2)
    model = make(module=CNN, early_stopping=True, batch_size=16, missing_label=-1)
    model.fit(X, Y, np.linspace(0, 1, 33)).partial_fit(X, Y)
    loaded = pickle.loads(pickle.dumps(model))
    assert_same_fits(model, loaded)
    assert_array_equal(loaded.predict(X), model.predict(X))


# ---------------------------------------------------------------------------------- repeatability


@pytest.mark.parametrize("settings", RANDOM, ids=str)
def test_two_fits_are_bitwise_equal(holes, make, settings):
    X, frame = holes.X, as_frame(holes.Y)
    one, other = make(**settings).fit(X, frame), make(**settings).fit(X, frame)
    assert_same_fits(one, other)
    pd.testing.assert_frame_equal(one.predict(X), other.predict(X))
    assert_same_fits(one.fit(X, frame), other)  # nor does an earlier fit matter


def test_seeds_matter(several, either_make):
    one, other = (either_make(random_state=seed).fit(*several) for seed in [0, 1])
    assert not np.array_equal(one.predict_proba(several.X)[0], other.predict_proba(several.X)[0])


def test_global_generators_are_untouched_by_fits_without_seed(several, make):
    """The fixture of the module compares."""
    model = make(random_state=None, early_stopping=True, module__dropout=0.5)
    model.fit(*several).partial_fit(*several).predict(several.X)
    ensemble = make(n_members=3, random_state=None, module__dropout=0.5)
    ensemble.fit(*several).predict(several.X)


# ------------------------------------------------------------------------------------- keeping

KEPT = {
    "array": lambda Y: Y,
    "objects": as_objects,
    "frame": as_frame,
    "frame_of_strings": lambda Y: pd.DataFrame(WORDS[Y], columns=NAMES),
    "polars": as_polars,
    "csr_array": scipy.sparse.csr_array,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KEPT)
def test_a_fitted_model_can_be_kept(several, make, tmp_path, way, kind):
    X, Y = several.X, KEPT[kind](several.Y)
    model = make(early_stopping=True, level="instance").fit(X, Y)
    kept = WAYS[way](model, tmp_path)
    assert_same_fits(kept, model)
    assert_same_labels(kept.predict(X), model.predict(X))
    assert [c.tolist() for c in kept.classes_] == [c.tolist() for c in model.classes_]
    before = weights(model)
    kept.partial_fit(X, Y)  # which the original does not notice
    assert all(torch.equal(before[name], value) for name, value in weights(model).items())
    assert_same_fits(kept, model.partial_fit(X, Y))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KEPT)
def test_a_fitted_ensemble_can_be_kept(several, make, tmp_path, way, kind):
    X, Y = several.X, KEPT[kind](several.Y)
    model = make(n_members=3).fit(X, Y)
    kept = WAYS[way](model, tmp_path)
    assert_same_fits(kept, model)
    assert_same_labels(kept.predict(X), model.predict(X))
    assert_same_fits(kept.fit(X, Y), model)


@pytest.mark.parametrize("kind", KEPT)
def test_the_size_of_a_kept_model_does_not_grow_with_the_data(several, make, kind):
    X, Y = several
    small = make(early_stopping=True).fit(X, KEPT[kind](Y))
    Y = np.tile(Y, (20, 1))
    large = make(early_stopping=True).fit(np.tile(X, (20, 1)), KEPT[kind](Y))
    assert len(pickle.dumps(small)) < 60_000
    assert len(pickle.dumps(large)) == pytest.approx(len(pickle.dumps(small)), abs=500)


@pytest.mark.parametrize("kind", ["frame", "array", "csr_array", "frame_of_strings"])
def test_a_kept_model_holds_no_labels_in_memory(several, make, kind):
    """What stays of the container has no rows, and keeps none alive."""
    Y = KEPT[kind](several.Y)
    model = make().fit(several.X, Y)
    template = model._targets.container.template
    assert template.shape[0] == 0
    assert all(len(column.values) == 0 for column in model._targets.container)
    if kind == "array":
        assert template.base is None
    if kind == "frame":
        for name in NAMES:
            assert not np.shares_memory(np.asarray(template[name]), np.asarray(Y[name]))


# --------------------------------------------------------------------------- in others' machinery


def test_cross_validation_with_a_number_of_folds(several, make):
    model = make(max_epochs=40, lr=0.02)
    scores = cross_val_score(model, *several, cv=3, error_score="raise")
    assert scores.min() > 0.6
    result = cross_validate(
        model, *several, cv=3, scoring={"own": balanced_accuracy}, error_score="raise"
    )
    assert result["test_own"] == pytest.approx(scores)


@pytest.mark.parametrize("of_labels", [as_frame, as_objects, lambda Y: Y])
def test_grid_search_in_a_pipeline(several, make, of_labels):
    X, Y = several.X, of_labels(several.Y)
    pipeline = make_pipeline(StandardScaler(), make(lr=0.02))
    grid = {
        "multioutputcrlclassifier__eta": [0.1, 0.9],
        "multioutputcrlclassifier__kappa": np.array([2, 25]),
        "multioutputcrlclassifier__module__branch_units": [0, 3],
    }
    folds = [(np.arange(0, 120, 2), np.arange(1, 120, 2))]
    search = GridSearchCV(pipeline, grid, cv=folds, error_score="raise").fit(X, Y)
    assert len(search.cv_results_["params"]) == 8
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    best = search.best_estimator_[-1]
    assert best.eta == search.best_params_["multioutputcrlclassifier__eta"]
    assert search.score(X, Y) == pytest.approx(
        best.score(search.best_estimator_[0].transform(X), Y)
    )
    assert type(search.predict(X)) is type(Y)


def test_grid_search_with_a_number_of_folds(several, make):
    search = GridSearchCV(make(), {"eta": [0.1, 0.6], "alpha": [None, 0.3]}, cv=2)
    search.set_params(error_score="raise").fit(*several)
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    best = make(**search.best_params_).fit(*several)
    assert_same_weights(search.best_estimator_, best)


def test_grid_search_over_alpha_of_every_target(several, make):
    grid = {"alpha": [None, [0.1, 0.2, 0.3]], "class_weight": [None, [{0: 2.0}, None, None]]}
    search = GridSearchCV(make(max_epochs=1), grid, cv=2, error_score="raise").fit(*several)
    assert len(search.cv_results_["params"]) == 4


def test_predictions_by_cross_validation(several, make):
    X, Y = several
    model = make(lr=0.02)
    folds = [(np.arange(60), np.arange(60, 120)), (np.arange(60, 120), np.arange(60))]
    halves = [clone(model).fit(X[train], Y[train]) for train, _ in folds]
    predicted = cross_val_predict(model, X, Y, cv=folds)
    expected = np.concatenate([halves[1].predict(X[:60]), halves[0].predict(X[60:])])
    assert_array_equal(predicted, expected)
    probabilities = cross_val_predict(model, X, Y, cv=folds, method="predict_proba")
    for target, p in enumerate(probabilities):
        first, second = (half.predict_proba(X)[target] for half in halves[::-1])
        assert_array_equal(p, np.concatenate([first[:60], second[60:]]))


def test_predictions_by_cross_validation_of_a_frame(several, make):
    """scikit-learn reads the labels for a number of folds, and cannot if their types are mixed."""
    predicted = cross_val_predict(make(), several.X, as_frame(several.Y), cv=KFold(3))
    assert predicted.shape == (120, 3)
    assert set(predicted[:, 0]) <= set(LABELS[0])
    words = pd.DataFrame(WORDS[several.Y], columns=NAMES)
    assert cross_val_predict(make(), several.X, words, cv=3).shape == (120, 3)


def test_columns_of_a_frame_go_their_ways(several, make):
    frame = pd.DataFrame(several.X, columns=list("abcd"))
    frame["kind"] = np.array(["new", "old"])[several.Y[:, 1]]
    transform = make_column_transformer(
        (StandardScaler(), list("abcd")), (OneHotEncoder(sparse_output=False), ["kind"])
    )
    labels = as_frame(several.Y)
    pipeline = make_pipeline(transform, make(max_epochs=40, lr=0.02)).fit(frame, labels)
    assert pipeline.score(frame, labels) > 0.85
    assert pipeline.predict(frame).columns.tolist() == NAMES
    assert [p.shape[1] for p in pipeline.predict_proba(frame)] == list(WIDTHS)


SETTINGS = {
    "eta": 0.7,
    "alpha": [0.1, 0.2],
    "class_weight": [{"a": 2.0}, None],
    "missing_label": -1,
    "callbacks": [("counter", EpochCounter())],
    "module__branch_units": 5,
    "optimizer__weight_decay": 0.01,
}


def test_get_params_lists_all_and_set_params_sets_them():
    model = MultiOutputCRLClassifier(**SETTINGS)
    assert model.get_params().items() >= SETTINGS.items()
    assert MultiOutputCRLClassifier(**model.get_params()).get_params() == model.get_params()
    other = MultiOutputCRLClassifier()
    assert other.set_params(**SETTINGS) is other
    assert other.get_params() == model.get_params()
    names = set(inspect.signature(MultiOutputCRLClassifier).parameters)
    assert MultiOutputCRLClassifier().get_params().keys() == names
    assert names == {*inspect.signature(CRLClassifier).parameters, "missing_label"}


def test_clone_keeps_all_parameters_and_nothing_else(several, either_make):
    model = either_make(module__dropout=0.1, class_weight=[None, {0: 2.0}, None]).fit(*several)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert vars(copy).keys() == copy.get_params().keys()
    assert_same_fits(copy.fit(*several), model)


def test_repr_shows_what_differs_from_the_defaults():
    model = MultiOutputCRLClassifier(eta=0.7, missing_label=-1, module__branch_units=5)
    assert eval(repr(model)).get_params() == model.get_params()
    assert repr(MultiOutputCRLClassifier()) == "MultiOutputCRLClassifier()"


def test_unknown_names_get_the_nearest_right_one():
    with pytest.raises(TypeError, match="'missing'; did you mean 'missing_label'"):
        MultiOutputCRLClassifier(missing=-1)
    with pytest.raises(ValueError, match="'modul__branch_units'; did you mean 'module__"):
        MultiOutputCRLClassifier().set_params(modul__branch_units=3)


# ------------------------------------------------------------------------------------- its docs


def documented(estimator, section):
    """Descriptions by name, as the docstring has them."""
    entries = NumpyDocString(inspect.getdoc(estimator))[section]
    return {
        name.strip(): (entry.type, entry.desc)
        for entry in entries
        for name in entry.name.split(",")
    }  # fmt: skip


def test_parameters_that_both_classifiers_have_are_described_alike():
    one, several = (
        documented(estimator, "Parameters")
        for estimator in [CRLClassifier, MultiOutputCRLClassifier]
    )
    differ = {"module", "eta", "alpha", "class_weight", "**kwargs"}
    assert several.keys() - one.keys() == {"missing_label"}
    assert one.keys() <= several.keys()
    assert [name for name in several if name in one] == list(one)
    for name in one.keys() - differ:
        assert several[name] == one[name], name
    for name in differ:
        assert several[name] != one[name], name


def test_all_parameters_are_documented():
    names = set(inspect.signature(MultiOutputCRLClassifier).parameters)
    assert documented(MultiOutputCRLClassifier, "Parameters").keys() == names | {"**kwargs"}


def test_fitted_attributes_are_those_documented(several, make):
    frame = pd.DataFrame(several.X, columns=list("abcd"))
    labels = as_frame(several.Y)
    model = make().fit(frame, labels, X_val=frame, y_val=labels)
    properties = {
        name
        for name, _ in inspect.getmembers(
            MultiOutputCRLClassifier, lambda member: isinstance(member, property)
        )
    }
    there = {name for name in vars(model).keys() | properties if not name.startswith("_")}
    expected = documented(MultiOutputCRLClassifier, "Attributes").keys()
    assert there - model.get_params().keys() == expected
    assert all(hasattr(model, name) for name in expected)


def test_no_fitted_attribute_before_fit(either_make):
    assert vars(either_make()).keys() == either_make().get_params().keys()


# ------------------------------------------------------------------------------------- bad input


@pytest.fixture
def labelled(several):
    """The samples with their labels in a frame."""
    return Several(several.X, as_frame(several.Y))


@pytest.fixture
def fitted(labelled, make):
    """A classifier that was fitted with validation data, on a frame."""
    return make().fit(*labelled, X_val=labelled.X[:40], y_val=labelled.Y[:40])


def without_columns(Y):
    return Y.drop(columns=NAMES)


BAD_LABELS = {
    "None": (lambda Y: None, "requires y"),
    "one_dimension": (
        lambda Y: np.zeros(120), r"y must have shape \(n_samples, n_targets\).*got shape \(120,\)"
    ),
    "series": (lambda Y: Y["size"], r"n_targets\).*shape \(120,\).*CRLClassifier"),
    "three_dimensions": (lambda Y: np.zeros((120, 3, 1)), r"n_targets\).*shape \(120, 3, 1\)"),
    "ragged": (lambda Y: [[1, 2], [1]] * 60, "n_targets.*rows of 1 to 2 labels"),
    "no_columns": (lambda Y: np.zeros((120, 0)), r"n_targets.*shape \(120, 0\)"),
    "frame_without_columns": (without_columns, "column of its own.*got none"),
    "fewer_rows": (lambda Y: Y[1:], "y must.*X; got 119 rows for 120 samples"),
    "more_rows": (lambda Y: pd.concat([Y, Y]), "y must.*X; got 240 rows for 120 samples"),
    "transposed": (lambda Y: np.zeros((3, 120)), "got 3 rows for 120 samples"),
    "column_twice": (
        lambda Y: Y.rename(columns={"size": "colour"}), "more than one column 'colour'"
    ),
    "mixed": (
        lambda Y: Y.assign(size=np.array(["s", 3], dtype=object)[np.arange(120) % 2]),
        "target 'size', mix strings with other types",
    ),
    "lists": (lambda Y: Y.assign(size=[[1, 2]] * 120), "target 'size', must hold a single label"),
}  # fmt: skip
# Labels that none were fitted on, where any may be learned.
BAD_FIRST_LABELS = {
    "one_class": (
        lambda Y: Y.assign(colour="red"), "target 'colour' must have two cla.*one class only: 'red'"
    ),
    "one_class_and_holes": (
        lambda Y: Y.assign(size=pd.Series([7, None] * 60, dtype="Int64")),
        "target 'size'.*one class only: 7",
    ),
    "no_label": (lambda Y: Y.assign(is_new=None), "target 'is_new'.*two classes.*no label at all"),
    "all_nan": (lambda Y: np.where([True, False, True], np.nan, Y["size"].to_numpy()[:, None]),
                "target 0.*no label at all"),
    "nothing": (lambda Y: np.full((120, 3), np.nan), "target 0.*no label at all"),
    "continuous": (
        lambda Y: Y.assign(size=np.linspace(0, 1, 120)), "target 'size'.*continuous"
    ),
    "continuous_array": (
        lambda Y: np.random.default_rng(0).normal(size=(120, 2)), "target 0.*continuous"
    ),
    "infinite": (
        lambda Y: Y.assign(size=np.where(np.arange(120) == 3, np.inf, 1.0)),
        "(?i)target 'size'.*inf",
    ),
    "complex": (lambda Y: np.full((120, 2), 1j), "target 0.*[Cc]omplex"),
}  # fmt: skip


@pytest.mark.parametrize("kind", [*BAD_LABELS, *BAD_FIRST_LABELS])
def test_bad_labels(labelled, fitted, make, kind):
    spoil, message = (BAD_LABELS | BAD_FIRST_LABELS)[kind]
    Y = spoil(labelled.Y)
    for model in [fitted, make()]:
        with rejected(model, labelled.X, ValueError, message):
            model.fit(labelled.X, Y)


@pytest.mark.parametrize("kind", BAD_LABELS)
def test_bad_labels_in_going_on(labelled, fitted, kind):
    spoil, message = BAD_LABELS[kind]
    Y = spoil(labelled.Y)
    with rejected(fitted, labelled.X, ValueError, message):
        fitted.partial_fit(labelled.X, Y)
    fitted.set_params(warm_start=True)
    with rejected(fitted, labelled.X, ValueError, message):
        fitted.fit(labelled.X, Y)


OTHER_TARGETS = {
    "fewer": (lambda Y: Y[["colour", "is_new"]], "2 targets, but 3.*'colour'.*'is_new'.*'size'"),
    "more": (lambda Y: Y.assign(more=1), "4 targets, but 3.*'colour'"),
    "array": (lambda Y: Y.to_numpy(object)[:, :2], "2 targets, but 3"),
    "renamed": (
        lambda Y: Y.rename(columns={"size": "width"}),
        r"\['colour', 'is_new', 'size'\].*\['colour', 'is_new', 'width'\]",
    ),
    "in_another_order": (
        lambda Y: Y[NAMES[::-1]],
        r"\['colour', 'is_new', 'size'\].*\['size', 'is_new', 'colour'\]",
    ),
    "new_label": (
        lambda Y: Y.assign(colour="pink"),
        r"target 'colour',.*'blue', 'red', 'teal'.*\['pink'\]",
    ),
    "new_number": (lambda Y: Y.assign(size=8), r"target 'size',.*\[3, 7, 11, 20\].*\[8\]"),
    "number_for_string": (lambda Y: Y.assign(colour=1), "target 'colour',.*'blue'.*1"),
    "string_for_number": (lambda Y: Y.assign(size="big"), r"target 'size',.*\[3, 7.*'big'"),
}


@pytest.mark.parametrize("kind", OTHER_TARGETS)
def test_other_targets_than_those_learned(labelled, fitted, kind):
    spoil, message = OTHER_TARGETS[kind]
    X, Y = labelled.X, spoil(labelled.Y)
    with rejected(fitted, X, ValueError, f"y.*{message}"):
        fitted.partial_fit(X, Y)
    with rejected(fitted, X, ValueError, f"y_val.*{message}"):
        fitted.fit(*labelled, X_val=X, y_val=Y)
    fitted.set_params(warm_start=True)
    with rejected(fitted, X, ValueError, f"y.*{message}"):
        fitted.fit(X, Y)


@pytest.mark.parametrize("kind", OTHER_TARGETS)
def test_other_targets_in_score(labelled, fitted, kind):
    spoil, _ = OTHER_TARGETS[kind]
    if kind.startswith("new_"):  # never predicted, and so a class of sensitivity 0
        assert fitted.score(labelled.X, spoil(labelled.Y)) < fitted.score(*labelled)
        return
    message = {
        "fewer": "targets.*2 and 3", "more": "targets.*4 and 3", "array": "targets.*2 and 3",
        "number_for_string": "target 'colour'", "string_for_number": "target 'size'",
    }.get(kind, "columns.*'colour', 'is_new'")  # fmt: skip
    with rejected(fitted, labelled.X, ValueError, message):
        fitted.score(labelled.X, spoil(labelled.Y))


@pytest.mark.parametrize("kind", ["one_dimension", "three_dimensions", "ragged", "fewer_rows"])
def test_bad_labels_in_score(labelled, fitted, kind):
    spoil, _ = BAD_LABELS[kind]
    with rejected(fitted, labelled.X, ValueError, "shape|targets|rows"):
        fitted.score(labelled.X, spoil(labelled.Y))


def test_a_target_without_label_in_score(labelled, fitted):
    with rejected(fitted, labelled.X, ValueError, "target 'is_new'"):
        fitted.score(labelled.X, labelled.Y.assign(is_new=None))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (None, "classes.*first call"),
        (CLASSES[:2], "classes.*all 3 targets; got those of 2"),
        ([*CLASSES, [1, 2]], "classes.*all 3 targets; got those of 4"),
        ([], "classes.*all 3 targets; got those of 0"),
        (np.array([[0, 1], [0, 1], [0, 1]]), r"'colour',.*\[0, 1\].*'blue', 'red', 'teal'"),
        ("abc", "classes must be a list.*got str"),
        (3, "classes must be a list.*got int"),
        ({"colour": ["blue", "red"]}, "classes must be a list.*got dict"),
        ([CLASSES[0], 3, CLASSES[2]], r"classes\[1\]"),
        ([CLASSES[0], CLASSES[1], [0.5, 1.5]], r"classes\[2\].*continuous|'size'.*continuous"),
        ([CLASSES[0], CLASSES[1], [1.0, np.nan]], r"classes\[2\] has no label at row 1"),
        ([[*CLASSES[0], None], CLASSES[1], CLASSES[2]], r"classes\[0\].*row 3"),
        ([CLASSES[0], [True], CLASSES[2]], "target 'is_new'.*two classes.*one class only: True"),
        ([CLASSES[0], [], CLASSES[2]], "target 'is_new'.*two classes.*no label|1"),
        ([["blue", "red"], CLASSES[1], CLASSES[2]], r"'colour',.*\['blue', 'red'\].*\['teal'\]"),
        ([[0, 1, 2], CLASSES[1], CLASSES[2]], r"'colour',.*\[0, 1, 2\].*'blue', 'red', 'teal'"),
    ],
    ids=["None", "too_few", "too_many", "none", "array", "str", "int", "dict", "number_in_it",
         "continuous", "nan", "None_in_it", "one_class", "empty", "lacks_a_label", "other_type"],
)  # fmt: skip
def test_classes_of_the_first_partial_fit(labelled, make, classes, message):
    model = make()
    with rejected(model, labelled.X, ValueError, message):
        model.partial_fit(*labelled, classes=classes)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (CLASSES[:2], "classes.*all 3 targets; got those of 2"),
        (CLASSES[::-1], r"classes of target 'colour'.*'blue', 'red', 'teal'.*\[3, 7, 11, 20\]"),
        ([*CLASSES[:2], [3, 7, 11]], r"classes of target 'size'.*\[3, 7, 11, 20\].*\[3, 7, 11\]"),
        ([["blue", "red", "pink"], *CLASSES[1:]], "classes of target 'colour'.*'teal'.*'pink'"),
        (np.array(CLASSES[0]), "classes.*all 3 targets; got those of 1"),
    ],
    ids=["too_few", "reversed", "lacks_one", "another", "array"],
)
def test_other_classes_later(labelled, fitted, classes, message):
    with rejected(fitted, labelled.X, ValueError, message):
        fitted.partial_fit(*labelled, classes=classes)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ([None], "class_weight.*list of 3, one for every target; got"),
        ([None] * 4, "class_weight.*list of 3"),
        ([], "class_weight.*list of 3"),
        ({"red": 2.0}, "class_weight.*list of 3.*'red'"),
        ("inverse", "class_weight.*'balanced', 'exp'.*'inverse'"),
        (3, "class_weight.*3"),
        ([None, "inverse", None], "class_weight of target 'is_new'.*'balanced'.*'inverse'"),
        ([None, None, 2.0], "class_weight of target 'size'.*2.0"),
        ([{"pink": 2.0}, None, None], r"class_weight of target 'colour'.*'teal'.*\['pink'\]"),
        ([None, None, {"red": 2.0}], r"class_weight of target 'size'.*20\].*\['red'\]"),
        ([None, None, {4: 2.0}], r"class_weight of target 'size'.*20\].*\[4\]"),
        ([None, None, {3: -1.0}], "class_weight of target 'size'.*-1.0"),
        ([None, None, {3: np.nan}], "class_weight of target 'size'.*nan"),
        ([None, {False: 0, True: 0}, None], "class_weight of target 'is_new'.*leave a class"),
    ],
    ids=str,
)
def test_bad_class_weights(labelled, fitted, class_weight, message):
    fitted.set_params(class_weight=class_weight, logit_adjustment=None)
    with rejected(fitted, labelled.X, ValueError, message):
        fitted.fit(*labelled)
    with rejected(fitted, labelled.X, ValueError, message):
        fitted.partial_fit(*labelled)


@pytest.mark.parametrize(
    ("alpha", "message"),
    [
        ([0.5], "alpha.*3"),
        ([0.5] * 2, "alpha.*3"),
        ([0.5] * 4, "alpha.*3"),
        ([], "alpha.*3"),
        ([0.5, 1.5, 0.5], r"alpha.*\[0, 1\].*1.5"),
        ([0.5, -0.1, 0.5], r"alpha.*\[0, 1\].*-0.1"),
        ([0.5, np.nan, 0.5], "alpha.*nan"),
        ([0.5, None, 0.5], "alpha.*None"),
        ([0.5, "high", 0.5], "alpha.*'high'"),
        ([[0.5, 0.5, 0.5]], "alpha"),
        (1.5, r"alpha.*\[0, 1\].*1.5"),
        ("auto", "alpha.*'auto'"),
        ({0: 0.5, 1: 0.5, 2: 0.5}, "alpha"),
    ],
    ids=str,
)
def test_bad_alpha(labelled, fitted, make, alpha, message):
    fitted.set_params(alpha=alpha)
    with rejected(fitted, labelled.X, ValueError, message):
        fitted.fit(*labelled)
    with rejected(fitted, labelled.X, ValueError, message):
        fitted.partial_fit(*labelled)
    model = make(alpha=alpha)
    with rejected(model, labelled.X, ValueError, message):
        model.fit(*labelled)


@pytest.mark.parametrize("missing_label", [[-1], {}, (-1,), object, pd.NA, b"?"], ids=repr)
def test_a_missing_label_of_a_strange_type(labelled, fitted, missing_label):
    fitted.set_params(missing_label=missing_label)
    message = "missing_label must be a number or a string; got"
    for method in [fitted.fit, fitted.partial_fit, fitted.score]:
        with rejected(fitted, labelled.X, ValueError, message):
            method(*labelled)


def test_a_missing_label_that_leaves_one_class(labelled, make):
    model = make(missing_label="red")
    Y = labelled.Y.assign(colour=["red", "blue"] * 60)
    with rejected(model, labelled.X, ValueError, "target 'colour'.*one class only: 'blue'"):
        model.fit(labelled.X, Y)


def test_one_class_that_has_weight(labelled, fitted):
    weight = (labelled.Y["colour"] == "teal").to_numpy(float)
    with rejected(fitted, labelled.X, ValueError, "target 'colour'.*one class only: 'teal'"):
        fitted.fit(*labelled, sample_weight=weight)


def test_labels_without_weight_only(labelled, fitted):
    """The rows that have weight have no label of one target."""
    Y = labelled.Y.copy()
    Y.loc[60:, "size"] = None
    with rejected(fitted, labelled.X, ValueError, "target 'size'.*no label"):
        fitted.fit(labelled.X, Y, sample_weight=np.repeat([0.0, 1.0], 60))


def test_bad_sample_weights(labelled, fitted):
    for weight, message in [
        (-np.ones(120), "non-negative"), (np.zeros(120), "zero for all"),
        (np.ones((120, 3)), r"\(120,\).*\(120, 3\)"),
    ]:  # fmt: skip
        for method in [fitted.fit, fitted.partial_fit]:
            with rejected(fitted, labelled.X, ValueError, f"sample_weight.*{message}"):
                method(*labelled, sample_weight=weight)


def test_validation_data_in_part(labelled, fitted):
    with rejected(fitted, labelled.X, ValueError, "X_val and y_val.*together"):
        fitted.fit(*labelled, X_val=labelled.X)
    with rejected(fitted, labelled.X, ValueError, "X_val and y_val.*together"):
        fitted.fit(*labelled, y_val=labelled.Y)


@pytest.mark.parametrize("kind", BAD_LABELS)
def test_bad_validation_labels(labelled, fitted, kind):
    if kind == "None":
        return
    spoil, message = BAD_LABELS[kind]
    message = message.replace("y must", "y_val must").replace("X; got", "X_val; got")
    with rejected(fitted, labelled.X, ValueError, message):
        fitted.fit(*labelled, X_val=labelled.X, y_val=spoil(labelled.Y))


@pytest.mark.parametrize("early_stopping", [True, False])
def test_validation_data_without_any_label(labelled, fitted, early_stopping):
    """There is nothing to monitor: a score of NaN would pass for one."""
    fitted.set_params(early_stopping=early_stopping)
    Y_val = labelled.Y.astype(object)
    Y_val[:] = None
    with rejected(fitted, labelled.X, ValueError, "y_val.*label"):
        fitted.fit(*labelled, X_val=labelled.X, y_val=Y_val)


def test_going_on_without_any_label(labelled, fitted):
    Y = labelled.Y.astype(object)
    Y[:] = None
    with rejected(fitted, labelled.X, ValueError, "y.*label|no label"):
        fitted.partial_fit(labelled.X, Y)
    fitted.set_params(warm_start=True)
    with rejected(fitted, labelled.X, ValueError, "no label"):
        fitted.fit(labelled.X, Y)


def test_bad_samples(labelled, fitted):
    X = labelled.X.copy()
    X[7, 2] = np.nan
    for method in [fitted.fit, fitted.partial_fit, fitted.score]:
        with rejected(fitted, labelled.X, ValueError, "NaN at row 7, column 2"):
            method(X, labelled.Y)
    with rejected(fitted, labelled.X, ValueError, "3 features.*expecting 4"):
        fitted.partial_fit(labelled.X[:, :3], labelled.Y)
    with rejected(fitted, labelled.X, ValueError, "X_val contains NaN at row 7"):
        fitted.fit(*labelled, X_val=X, y_val=labelled.Y)


def test_too_few_samples_to_split(labelled, fitted):
    fitted.set_params(early_stopping=True)
    rows = [0, 1, 2, 3, 4, 5]
    Y = labelled.Y.iloc[rows].assign(
        colour=["red", "blue"] * 3, is_new=[True, False] * 3, size=[3, 7, 11, 20, 3, 7]
    )
    with rejected(fitted, labelled.X, ValueError, "leaves 2 for training on 4 classes"):
        fitted.fit(labelled.X[rows], Y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"module__branch_units": -1}, "branch_units.*-1"),
        ({"module__branch_units": 2.5}, "branch_units.*2.5"),
        ({"module__branch_unit": 3}, "'module__branch_unit'; did you mean 'module__branch_units'"),
        ({"module__dropout": 1.5}, "dropout.*1.5"),
        ({"kappa": 0}, "kappa.*at least 1.*0"),
        ({"lr": 1e10, "optimizer": "sgd", "max_epochs": 20}, "(nan|inf).*epoch.*[Ll]ower lr"),
    ],
    ids=str,
)
def test_bad_parameters(labelled, fitted, settings, message):
    fitted.set_params(**settings)
    with rejected(fitted, labelled.X, (ValueError, FloatingPointError), message):
        fitted.fit(*labelled)


class Scripted(nn.Module):
    """Return what a function makes of the samples and of the scores of all targets."""

    def __init__(self, n_features, n_classes, output):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(n_features, n) for n in n_classes)
        self.output = output

    def forward(self, X):
        return self.output(X, [layer(X) for layer in self.layers])


ALL = r"target 'colour': 3, target 'is_new': 2, target 'size': 4"
OUTPUTS = {
    "total_too_narrow": (
        lambda X, s: torch.cat(s, 1)[:, 1:], rf"\(32, 9\).*{ALL}.*got shape \(32, 8\)"
    ),
    "total_too_wide": (
        lambda X, s: torch.cat([*s, s[1]], 1), rf"\(32, 9\).*{ALL}.*got shape \(32, 11\)"
    ),
    "one_target_only": (lambda X, s: s[0], rf"\(32, 9\).*{ALL}.*got shape \(32, 3\)"),
    "padded": (lambda X, s: torch.zeros(32, 3, 4), r"\(32, 9\).*got shape \(32, 3, 4\)"),
    "rows_missing": (lambda X, s: torch.cat(s, 1)[1:], r"\(32, 9\).*got shape \(31, 9\)"),
    "list_too_short": (lambda X, s: s[:2], rf"3 targets.*{ALL}.*got a list of 2"),
    "list_too_long": (lambda X, s: [*s, s[0]], rf"3 targets.*{ALL}.*got a list of 4"),
    "list_empty": (lambda X, s: [], rf"3 targets.*{ALL}.*got a list of 0"),
    "branch_too_wide": (
        lambda X, s: [s[0], s[2], s[2]],
        r"\(32, 2\) for target 'is_new'.*got shape \(32, 4\)",
    ),
    "branches_swapped": (
        lambda X, s: [s[1], s[0], s[2]], r"\(32, 3\) for target 'colour'.*got shape \(32, 2\)"
    ),
    "branch_without_columns": (
        lambda X, s: [s[0], s[1], s[2][:, 0]], r"\(32, 4\) for target 'size'.*got shape \(32,\)"
    ),
    "branch_rows_missing": (
        lambda X, s: [s[0], s[1][1:], s[2]], r"\(32, 2\) for target 'is_new'.*shape \(31, 2\)"
    ),
    "branch_None": (lambda X, s: [s[0], None, s[2]], "target 'is_new'.*got None"),
    "branch_array": (
        lambda X, s: [s[0].detach().numpy(), s[1], s[2]], "target 'colour'.*got a ndarray"
    ),
    "tuple_of_scores": (lambda X, s: tuple(s), rf"\(32, 9\).*{ALL}.*got a tuple of 3"),
    "list_and_features_too_short": (
        lambda X, s: (s[:2], X), rf"3 targets.*{ALL}.*got a list of 2"
    ),
    "dict": (lambda X, s: dict(enumerate(s)), r"\(32, 9\).*got a dict"),
}  # fmt: skip
FEATURES = {
    "list_too_short": (lambda X, s: (s, [X, X]), "(?i)features.*3 targets?.*got"),
    "list_of_widths": (
        lambda X, s: (s, [X, X[:, :2], X]), r"(?i)features.*equally wide.*got.*\(32, 4\).*\(32, 2\)"
    ),
    "None_in_list": (lambda X, s: (s, [X, None, X]), "(?i)features.*got.*None"),
    "empty_list": (lambda X, s: (s, []), "(?i)features.*got an empty list"),
    "rows_missing": (lambda X, s: (s, X[1:]), r"(?i)features.*\(31, 4\)"),
    "rows_missing_in_list": (lambda X, s: (s, [X[1:]] * 3), r"(?i)features.*\(31"),
    "two_targets": (
        lambda X, s: (s, torch.stack([X, X], 1)), r"(?i)features.*\(32, 2, 4\)"
    ),
    "one_dimension": (lambda X, s: (s, X[:, 0]), r"(?i)features.*\(32,\)"),
    "array": (lambda X, s: (s, X.numpy()), "ndarray"),
}  # fmt: skip


def of_module(model, fitted):
    """Put the fitted state and the settings of another model together."""
    state = {k: v for k, v in vars(fitted).items() if k not in fitted.get_params()}
    vars(model).update(state)
    return model


@pytest.mark.parametrize("level", ["class", "instance"])
@pytest.mark.parametrize("kind", OUTPUTS)
def test_branches_that_do_not_match_the_targets(labelled, make, fitted, kind, level):
    output, message = OUTPUTS[kind]
    model = of_module(make(module=Scripted, module__output=output, level=level), fitted)
    with rejected(model, labelled.X, (ValueError, TypeError), message):
        model.fit(*labelled)


@pytest.mark.parametrize("kind", FEATURES)
def test_features_that_do_not_match_the_targets(labelled, make, fitted, kind):
    output, message = FEATURES[kind]
    settings = {"level": "instance", "alpha": 0.5, "module": Scripted, "module__output": output}
    model = of_module(make(**settings), fitted)
    with rejected(model, labelled.X, (ValueError, TypeError), message):
        model.fit(*labelled)


def test_many_targets_are_shown_in_part(several, make):
    Y = np.tile(several.Y[:, [1]], (1, 40))
    model = make(module=Scripted, module__output=lambda X, s: s[:3])
    message = r"40 targets \(target 0: 2, .*target 9: 2, \.\.\. 40 in all\)"
    with pytest.raises(ValueError, match=message):
        model.fit(several.X, Y)


class Failing(Callback):
    """Fail at the end of the second epoch."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise RuntimeError("a fault of the callback's own")


def test_errors_in_the_midst_of_training(labelled, fitted):
    fitted.set_params(callbacks=[Failing()])
    with rejected(fitted, labelled.X, RuntimeError, "a fault of the callback's own"):
        fitted.fit(*labelled)


def test_a_failed_first_fit_is_no_fit(labelled, several, make):
    model = make()
    with rejected(model, labelled.X, ValueError, "one class only"):
        model.fit(labelled.X, labelled.Y.assign(colour="red"))
    assert vars(model).keys() == model.get_params().keys()
    assert_same_fits(model.fit(*labelled), make().fit(*several))


# ------------------------------------------------------------------------------------- real data


@pytest.fixture
def thyroid(data_folder):
    """Every third row of seven diagnoses; a tenth of the labels is taken away (-1)."""
    with np.load(data_folder / "multioutput" / "mo_thyroid_l7.npz") as data:
        X, Y = data["X"][::3], data["Y"][::3].astype(np.int64)
    assert np.isnan(X).any()
    assert (Y >= 0).all()
    counts = [np.bincount(y) for y in Y.T]
    assert all(min(c[c > 0]) >= 1 for c in counts)
    gone = np.random.default_rng(0).random(Y.shape) < 0.1
    for target, (y, c) in enumerate(zip(Y.T, counts, strict=True)):
        gone[:, target] &= c[y] > 100  # rare classes keep their labels
    return Several(X, np.where(gone, -1, Y))


def test_diagnoses_with_holes(thyroid):
    X, Y = thyroid
    train, test = np.arange(len(X)) % 2 == 0, np.arange(len(X)) % 2 == 1
    scores = {}
    for adjustment in [None, "predict"]:
        model = MultiOutputCRLClassifier(
            logit_adjustment=adjustment, max_epochs=12, lr=0.01, missing_label=-1, random_state=0,
            device="cpu",
        )  # fmt: skip
        pipeline = make_pipeline(SimpleImputer(), StandardScaler(), model).fit(X[train], Y[train])
        scores[adjustment] = pipeline.score(X[test], Y[test])
        for counts, y in zip(model.class_counts_, Y[train].T, strict=True):
            assert counts.tolist() == np.unique(y[y >= 0], return_counts=True)[1].tolist()
    chance = np.mean([1 / len(np.unique(y[y >= 0])) for y in Y.T])
    assert scores["predict"] > max(scores[None], chance + 0.1)


def test_diagnoses_in_a_search(thyroid):
    X, Y = thyroid
    model = MultiOutputCRLClassifier(
        n_members=1, max_epochs=2, missing_label=-1, random_state=0, device="cpu",
        module__branch_units=8,
    )  # fmt: skip
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), model)
    grid = {"multioutputcrlclassifier__eta": [0.01, 0.5]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, Y)
    assert len(set(search.cv_results_["mean_test_score"])) == 2


@pytest.mark.parametrize("level", ["class", "instance"])
def test_attributes_of_products(data_folder, level):
    """Photographs, small, with five attributes of 4 to 60 classes, some of them unknown (-1)."""
    with np.load(data_folder / "images" / "fashion_products_32.npz") as data:
        targets = ["gender", "masterCategory", "baseColour", "season", "usage"]
        places = [data["label_names"].tolist().index(name) for name in targets]
        unknown = np.flatnonzero((data["Y"] < 0).any(1))[:40]
        rows = np.concatenate([np.arange(260), unknown[unknown >= 260]])[:300]
        X = (data["X"][rows] / 255).astype(np.float32)
        Y = pd.DataFrame(data["Y"][rows][:, places], columns=targets)
    assert (Y == -1).any().sum() >= 2
    model = MultiOutputCRLClassifier(
        CNN, module__channels=8, module__units=16, missing_label=-1, max_epochs=60, lr=0.01,
        batch_size=32, level=level, random_state=0, device="cpu",
    )  # fmt: skip
    model.fit(X, Y)
    assert not any(-1 in classes for classes in model.classes_)
    assert model.loss_curve_[-1] < 0.8 * model.loss_curve_[0]
    chance = np.mean([1 / len(classes) for classes in model.classes_])
    assert model.score(X, Y) > 1.5 * chance
    assert model.predict(X).columns.tolist() == targets
    assert (model.predict(X).dtypes == Y.dtypes).all()


def test_a_label_that_stands_for_none_is_no_class(labelled, make):
    model = make(missing_label="blue")
    with rejected(model, labelled.X, ValueError, r"classes\[0\] has no label at row 0"):
        model.partial_fit(*labelled, classes=[["blue", "red", "teal"], *CLASSES[1:]])


def test_classes_that_mix_strings_with_other_types(labelled, make):
    model = make()
    with rejected(model, labelled.X, ValueError, r"classes\[0\] mix strings"):
        model.partial_fit(*labelled, classes=[["blue", 1], *CLASSES[1:]])


def test_a_first_chunk_may_lack_the_labels_of_a_target(labelled, make):
    X, Y = labelled
    Y = Y.copy()
    first = Y[:40].copy()
    first["colour"] = None
    model = make(max_epochs=1).partial_fit(X[:40], first, classes=CLASSES)
    assert model.class_counts_[0].tolist() == [0, 0, 0]
    assert model.prior_[0].tolist() == [1 / 3] * 3
    assert model.omega_[0] == model.alpha_[0] == 0
    model.partial_fit(X, Y)
    assert model.class_counts_[0].tolist() == np.unique(Y["colour"], return_counts=True)[1].tolist()


def test_a_single_target_may_name_its_classes_and_weights_alone(table, make):
    X, y = table
    settings = {"logit_adjustment": None, "class_weight": {1: 3.0}}
    bare = make(**settings).partial_fit(X, y[:, None], classes=np.array([0, 1, 2]))
    settings["class_weight"] = [{1: 3.0}]
    listed = make(**settings).partial_fit(X, y[:, None], classes=[[0, 1, 2]])
    assert_same_fits(bare, listed)


def test_a_tuple_of_branches_is_told_to_be_a_list(several, make):
    class Tuple(AnyForm):
        def forward(self, X):
            scores, _ = super().forward(X)
            return tuple(scores.split(WIDTHS, 1))

    with pytest.raises(ValueError, match=r"a list of one such Tensor for every target.*tuple of 3"):
        make(module=Tuple).fit(*several)


def test_a_warm_start_names_the_target_that_has_no_label(labelled, fitted):
    """A chunk of a stream may lack the labels of a target; a whole fit may not."""
    fitted.set_params(warm_start=True)
    without = labelled.Y.assign(colour=None)
    with rejected(fitted, labelled.X, ValueError, "target 'colour' has no label at all"):
        fitted.fit(labelled.X, without)


@pytest.mark.parametrize(("branch_units", "shape"), [(3, (120, 2, 3)), (0, (120, 8))])
def test_features_of_every_target_or_of_all(table, branch_units, shape):
    Y = np.column_stack([table.y, table.y > 0])
    model = MultiOutputCRLClassifier(
        n_members=1,
        module__hidden_units=8,
        module__branch_units=branch_units,
        max_epochs=2,
        random_state=0,
    )
    assert model.fit(table.X, Y).features(table.X).shape == shape
