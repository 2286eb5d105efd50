"""What CRLClassifier does, and what its attributes say."""

import inspect
import io
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import partial

import joblib
import numpy as np
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpydoc.docscrape import NumpyDocString
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    GradientNormClipping,
    LRScheduler,
)
from skorch.exceptions import DeviceWarning
from torch import nn
from torch.nn.functional import cross_entropy

from sk_crl import CRLClassifier
from sk_crl._distribution import ClassDistribution
from sk_crl.loss import ClassRectificationLoss
from sk_crl.networks import MLP

pytestmark = pytest.mark.usefixtures("untouched_generators")

COUNTS = np.array([80, 28, 12])  # of `table`
PRIOR = COUNTS / 120
SIX = [
    {"level": level, "comparison": comparison}
    for level in ["class", "instance"]
    for comparison in ["relative", "absolute", "distribution"]
]
needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no GPU that PyTorch can use: this test needs one"
)


def weights(model):
    """The weights of the trained network, copied."""
    return {name: value.clone() for name, value in model.module_.state_dict().items()}


def assert_same_weights(one, other):
    """Check that two models have the same weights, bit for bit."""
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def raw_scores(model, X):
    """The scores of the trained network itself."""
    with torch.no_grad():
        output = model.module_.eval()(torch.as_tensor(np.asarray(X, dtype=np.float32)))
    return output[0] if isinstance(output, tuple) else output


def untrained(model, *data, **more):
    """Fit one epoch whose steps are too small for float32, so that the initial weights remain."""
    still = {"optimizer": "sgd", "lr": 1e-30, "max_epochs": 1}
    return clone(model).set_params(**still).fit(*data, **more)


# ------------------------------------------------------------------------------- modules to train


class ScoresOnly(nn.Module):
    """Return scores alone."""

    def __init__(self, n_features, n_classes, width=6):
        super().__init__()
        self.hidden = nn.Linear(n_features, width)
        self.head = nn.Linear(width, n_classes)

    def forward(self, X):
        return self.head(self.hidden(X).relu())


class ScoresAndFeatures(ScoresOnly):
    """The same network, but it returns the features too."""

    def forward(self, X):
        features = self.hidden(X).relu()
        return self.head(features), features


class NoLinear(nn.Module):
    """Return scores alone and have no linear layer."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_features, n_classes))

    def forward(self, X):
        return X @ self.weight


class SmallCNN(nn.Module):
    """A convolutional network with batch normalisation, which returns scores alone."""

    def __init__(self, input_shape, n_classes, channels=4):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(input_shape[0], channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.BatchNorm1d(4 * channels),
        )
        self.head = nn.Linear(4 * channels, n_classes)

    def forward(self, X):
        return self.head(self.trunk(X))


# ----------------------------------------------------------------------------- skorch's callbacks


class Recorder(Callback):
    """Keep what skorch tells of epochs and batches."""

    def initialize(self):
        self.data_, self.epochs_, self.validated_ = [], [], []
        return self

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self.data_.append((dataset_train, dataset_valid))
        self.epochs_.append([])

    def on_batch_end(self, net, batch, training, **kwargs):
        X, y = batch
        kept = self.epochs_[-1] if training else self.validated_
        kept.append((X.clone(), y.clone(), kwargs))


def recorded(model):
    """The copy of the recorder that the fit used."""
    return dict(model.net_.callbacks_)["Recorder"]


class EpochCounter(Callback):
    """Count epochs; ask for nothing of batches."""

    def __init__(self, counted=0):
        self.counted = counted

    def on_epoch_end(self, net, **kwargs):
        self.counted += 1


# ------------------------------------------------------------------------------------- prediction


def test_fit_returns_self_and_learns(table, either):
    model = either(max_epochs=30, lr=0.01)
    assert model.fit(*table) is model
    assert model.score(*table) > 0.9


@pytest.mark.parametrize(("level", "comparison"), [tuple(s.values()) for s in SIX])
def test_every_loss_separates_an_easy_task(table, fast, level, comparison):
    model = fast(level=level, comparison=comparison, alpha=0.3, max_epochs=40, lr=0.02)
    model.fit(*table)
    assert model.score(*table) > 0.9
    assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_three_classes_predictions_agree(table, either):
    model = either().fit(*table)
    probabilities, scores = model.predict_proba(table.X), model.decision_function(table.X)
    assert probabilities.shape == scores.shape == (120, 3)
    assert_allclose(probabilities.sum(1), 1, rtol=1e-6)
    assert_array_equal(model.predict(table.X), model.classes_[probabilities.argmax(1)])
    assert_array_equal(model.predict(table.X), model.classes_[scores.argmax(1)])
    softmax = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    assert_allclose(probabilities, softmax, rtol=1e-5)


def test_two_classes_predictions_agree(table, either):
    model = either(max_epochs=20, lr=0.01).fit(table.X, table.y > 0)
    probabilities, scores = model.predict_proba(table.X), model.decision_function(table.X)
    assert probabilities.shape == (120, 2)
    assert scores.shape == (120,)
    assert_array_equal(model.predict(table.X), scores > 0)
    assert 0 < model.predict(table.X).sum() < 120
    assert_allclose(probabilities[:, 1], 1 / (1 + np.exp(-scores)), rtol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 15, 16, 17])
def test_probabilities_are_the_softmax_of_any_number_of_scores(fast, n_classes):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), np.arange(60) % n_classes
    model = fast(logit_adjustment=None).fit(X, y)
    scores, _ = model.module_(torch.as_tensor(X, dtype=torch.float32))
    exact = scores.detach().double().exp()
    exact /= exact.sum(1, keepdim=True)
    probabilities = model.predict_proba(X)
    assert probabilities.flags.c_contiguous
    assert_allclose(probabilities, exact, rtol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 17])
def test_probabilities_of_scores_beyond_the_range_of_exp(fast, n_classes):
    X = np.array([[1000.0], [-1000.0]])
    settings = {"module__in_features": 1, "module__out_features": n_classes}
    model = fast(module=nn.Linear, logit_adjustment=None, **settings)
    model = untrained(model, np.resize(X, (40, 1)), np.arange(40) % n_classes)
    with torch.no_grad():
        for value in model.module_.parameters():
            value.zero_()
        model.module_.weight[1] = 1.0
    expected = np.full((2, n_classes), 1 / (n_classes - 1))
    expected[0], expected[:, 1] = 0, [1, 0]
    assert_allclose(model.predict_proba(X), expected, atol=1e-30)


def test_predictions_do_not_depend_on_the_company(table, either):
    model = either(module__dropout=0.5).fit(*table)
    together = model.predict_proba(table.X)
    one_by_one = np.concatenate([model.predict_proba(row[None]) for row in table.X])
    assert_allclose(one_by_one, together, rtol=1e-5)
    assert_array_equal(model.predict_proba(table.X), together)


def test_score_is_balanced_accuracy(table, either):
    model = either(lr=0.01).fit(*table)
    weight = np.linspace(0.1, 2, 120)
    predicted = model.predict(table.X)
    recalls = [(predicted[table.y == c] == c).mean() for c in range(3)]
    assert model.score(*table) == pytest.approx(np.mean(recalls))
    expected = balanced_accuracy_score(table.y, predicted, sample_weight=weight)
    assert model.score(*table, sample_weight=weight) == pytest.approx(expected)
    assert np.mean(predicted == table.y) != pytest.approx(np.mean(recalls))


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "decision_function", "score", "module_"]
)
def test_unfitted(table, either, method):
    model = either()
    if method == "module_":
        assert not hasattr(model, "module_")
        return
    arguments = table if method == "score" else [table.X]
    with pytest.raises(NotFittedError):
        getattr(model, method)(*arguments)


# ------------------------------------------------------------------------------ labels and samples


def as_categorical(y):
    pandas = pytest.importorskip("pandas")
    return pandas.Series(np.array(["low", "mid", "top"])[y]).astype("category")


def as_pandas(y):
    return pytest.importorskip("pandas").Series(np.array(["a", "b", "c"])[y], name="label")


def as_polars(y):
    return pytest.importorskip("polars").Series("label", np.array(["a", "b", "c"])[y].tolist())


# How codes become labels, the labels, and the type of the classes.
LABELS = {
    "int": (lambda y: y, [0, 1, 2], "i"),
    "other_int": (lambda y: np.array([-5, 3, 1000])[y], [-5, 3, 1000], "i"),
    "uint8": (lambda y: y.astype(np.uint8), [0, 1, 2], "u"),
    "whole_float": (lambda y: y + 1.0, [1.0, 2.0, 3.0], "f"),
    "str": (lambda y: np.array(["ham", "spam", "xyz"])[y], ["ham", "spam", "xyz"], "U"),
    "object": (
        lambda y: np.array(["ham", "spam", "a longer one"[2:]], dtype=object)[y],
        ["ham", "longer one", "spam"],
        "O",
    ),
    "list_of_str": (lambda y: [["b", "c", "d"][code] for code in y], ["b", "c", "d"], "U"),
    "column": (lambda y: np.asfortranarray(np.stack([y, y], 1))[:, 0], [0, 1, 2], "i"),
    "pandas_categorical": (as_categorical, ["low", "mid", "top"], "O"),
    "pandas": (as_pandas, ["a", "b", "c"], "O"),
    "polars": (as_polars, ["a", "b", "c"], "OU"),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels(table, either, kind):
    labels_of, classes, type_of_classes = LABELS[kind]
    y = labels_of(table.y)
    plain = np.unique(np.asarray(y), return_inverse=True)[1]
    codes = either(lr=0.02).fit(table.X, plain).predict(table.X)
    model = either(lr=0.02).fit(table.X, y)
    assert model.classes_.tolist() == classes
    assert model.classes_.dtype.kind in type_of_classes
    assert_array_equal(model.predict(table.X), model.classes_[codes])
    assert model.predict(table.X).dtype == model.classes_.dtype
    assert model.score(table.X, y) == pytest.approx(balanced_accuracy_score(plain, codes))


def test_bool_labels(table, either):
    model = either().fit(table.X, table.y > 0)
    assert model.classes_.dtype == bool
    assert model.classes_.tolist() == [False, True]
    assert model.predict(table.X).dtype == bool
    assert model.minority_classes_.tolist() == [True]


@pytest.mark.parametrize("named", [False, True])
def test_features_on_scales_far_from_1_are_warned_of(table, fast, named):
    pandas = pytest.importorskip("pandas")
    X = table.X * np.array([1, 1e4, 500, *[1] * (table.X.shape[1] - 3)])
    X = pandas.DataFrame(X).add_prefix("x") if named else X
    title = "column 'x1'" if named else "column 1"
    message = rf"root mean square of {title} of X is .*e\+04. Scale .* or set module='table'"
    with pytest.warns(UserWarning, match=message):
        fast().fit(X, table.y)


def test_networks_that_scale_by_themselves_take_any_scale(table, fast):
    X = 1e4 * table.X
    fast(module="table").fit(X, table.y)
    fast(module=lambda n_features, n_classes: nn.Linear(n_features, n_classes)).fit(X, table.y)


def test_containers(table, either, container):
    X = np.round(20 * table.X).astype(np.float32)
    expected, contained = either().fit(X, table.y), container(X)
    model = either().fit(contained, table.y)
    assert_same_weights(model, expected)
    for method in ["predict", "predict_proba", "decision_function", "features"]:
        assert_array_equal(getattr(model, method)(contained), getattr(expected, method)(X))
    assert model.score(contained, table.y) == expected.score(X, table.y)


def test_containers_of_validation_data_and_in_going_on(table, fast, container):
    X = np.round(20 * table.X).astype(np.float32)
    expected = fast().fit(X, table.y, X_val=X[:50], y_val=table.y[:50])
    contained, first = container(X), container(X[:50])
    model = fast().fit(contained, table.y, X_val=first, y_val=table.y[:50])
    assert_same_weights(model, expected)
    assert model.validation_scores_ == expected.validation_scores_
    model.partial_fit(contained, table.y)
    assert_same_weights(model, expected.partial_fit(X, table.y))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_feature_names(table, either, library):
    frame = pytest.importorskip(library).DataFrame
    names = ["age", "height", "weight", "noise"]
    named = frame(dict(zip(names, table.X.T, strict=True)))
    model = either().fit(named, table.y)
    assert model.feature_names_in_.tolist() == names
    assert model.n_features_in_ == 4
    model.fit(*table)
    assert not hasattr(model, "feature_names_in_")


def test_fit_writes_to_none_of_its_arguments(table, fast, fast_ensemble):
    X, y = table
    weight = np.linspace(0, 2, 120)
    given = X.copy(), y.copy(), weight.copy(), X.copy(), y.copy()
    fast_ensemble(optimizer="sgd", lr=0.5).fit(X, y, weight).predict(X)
    fast(early_stopping=True, optimizer="sgd", lr=0.5).fit(
        X, y, weight, X_val=given[3], y_val=given[4]
    )
    model = fast().partial_fit(X, y, [0, 1, 2], weight)
    model.predict(X)
    for array, copy in zip([X, y, weight, X, y], given, strict=True):
        assert_array_equal(array, copy)


def test_fit_leaves_its_parameters_alone(table, either):
    model = either(callbacks=[EpochCounter()], class_weight={0: 2.0})
    before = model.get_params()
    copies = deepcopy(before)
    model.fit(*table)
    after = model.get_params()
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)
    assert vars(after.pop("callbacks")[0]) == vars(copies.pop("callbacks")[0])
    assert after == copies


# --------------------------------------------------------------------------------- logit adjustment


def by_hand(model, X, tau):
    """Probabilities of the scores with the prior removed."""
    logits = raw_scores(model, X).double() - tau * torch.as_tensor(np.log(PRIOR))
    return logits.softmax(1).numpy()


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 2.0])
def test_prior_is_removed_at_prediction(table, fast, tau):
    model = fast(logit_adjustment="predict", tau=tau).fit(*table)
    assert_allclose(model.predict_proba(table.X), by_hand(model, table.X, tau), rtol=1e-5)
    plain = fast(logit_adjustment=None).fit(*table)
    assert_same_weights(model, plain)  # the loss knows nothing of it
    log_plain = np.log(plain.predict_proba(table.X).astype(float)) - tau * np.log(PRIOR)
    expected = np.exp(log_plain) / np.exp(log_plain).sum(1, keepdims=True)
    assert_allclose(model.predict_proba(table.X), expected, rtol=1e-5)


@pytest.mark.parametrize("logit_adjustment", ["loss", None])
def test_scores_decide_alone_unless_the_prior_is_removed_at_prediction(
    table, fast, logit_adjustment
):
    model = fast(logit_adjustment=logit_adjustment, tau=2.0).fit(*table)
    assert_allclose(model.predict_proba(table.X), by_hand(model, table.X, 0.0), rtol=1e-5)
    assert_allclose(model.decision_function(table.X), raw_scores(model, table.X), rtol=1e-6)


@pytest.mark.parametrize(
    ("logit_adjustment", "tau", "offset"),
    [
        ("loss", 1.0, np.log(PRIOR)),
        ("loss", 0.5, np.log(PRIOR) / 2),
        ("predict", 1.0, np.zeros(3)),
        (None, 1.0, np.zeros(3)),
    ],
)
def test_cross_entropy_is_adjusted_in_loss_mode_only(table, fast, logit_adjustment, tau, offset):
    model = fast(alpha=0.0, logit_adjustment=logit_adjustment, tau=tau, batch_size=120)
    model = untrained(model, *table)
    scores = raw_scores(model, table.X).double() + torch.as_tensor(offset)
    expected = cross_entropy(scores, torch.as_tensor(table.y)).item()
    assert model.loss_curve_ == pytest.approx([expected], rel=1e-5)


def test_adjustment_moves_decisions_to_the_minority(table, fast):
    X = np.random.default_rng(0).normal(size=(120, 4))  # nothing to learn
    shares = {
        mode: np.mean(fast(logit_adjustment=mode, max_epochs=20).fit(X, table.y).predict(X) > 0)
        for mode in ["predict", "loss", None]
    }
    assert shares["predict"] > shares[None]
    assert shares["loss"] > shares[None]


# -------------------------------------------------------------------------------- sample weights


@pytest.mark.parametrize("settings", [{}, {"level": "instance"}, {"logit_adjustment": "loss"}])
def test_weight_zero_is_removal(table, fast, settings):
    X, y = table
    kept = np.arange(120) % 3 != 1
    weighted = fast(alpha=0.5, **settings).fit(X, y, kept.astype(float))
    removed = fast(alpha=0.5, **settings).fit(X[kept], y[kept])
    assert_same_weights(weighted, removed)
    assert_array_equal(weighted.class_counts_, removed.class_counts_)
    assert weighted.loss_curve_ == removed.loss_curve_


def test_weight_zero_is_removal_with_other_weights(table, fast):
    X, y = table
    weight = np.linspace(0, 2, 120) * (np.arange(120) % 3 != 1)
    weighted = fast(early_stopping=True).fit(X, y, weight)
    removed = fast(early_stopping=True).fit(X[weight > 0], y[weight > 0], weight[weight > 0])
    assert_same_weights(weighted, removed)
    assert weighted.validation_scores_ == removed.validation_scores_
    weighted.partial_fit(X, y, sample_weight=weight)
    removed.partial_fit(X[weight > 0], y[weight > 0], sample_weight=weight[weight > 0])
    assert_same_weights(weighted, removed)
    assert_array_equal(weighted.class_counts_, removed.class_counts_)


def test_class_without_weight_is_absent(table, either):
    model = either().fit(*table, sample_weight=table.y < 2)
    assert model.classes_.tolist() == [0, 1]
    assert_array_equal(model.class_counts_, [80, 28])


@pytest.mark.parametrize("as_given", [np.ones(120), [1] * 120, np.ones(120, dtype=bool), 1.0])
def test_weights_of_one_are_no_weights(table, either, as_given):
    weighted, plain = either().fit(*table, sample_weight=as_given), either().fit(*table)
    assert_same_weights(weighted, plain)
    assert weighted.class_counts_.dtype == plain.class_counts_.dtype


def test_weights_count_in_prior_and_omega(table, either):
    weight = np.array([0.5, 1.0, 2.0])[table.y]
    model = either(eta=0.8).fit(*table, sample_weight=weight)
    assert_allclose(model.class_counts_, [40, 28, 24])
    assert_allclose(model.prior_, np.array([40, 28, 24]) / 92)
    assert model.omega_ == pytest.approx(1 - 92 / (3 * 40))
    assert model.alpha_ == pytest.approx(0.8 * (1 - 92 / (3 * 40)))


@pytest.mark.parametrize("class_weight", [None, {1: 3.0, 2: 0.5}])
def test_weights_weigh_the_cross_entropy(table, fast, class_weight):
    weight = np.linspace(0.1, 2, 120)
    model = fast(alpha=0.0, class_weight=class_weight, batch_size=120)
    model = untrained(model, *table, sample_weight=weight)
    y = torch.as_tensor(table.y)
    each = cross_entropy(raw_scores(model, table.X).double(), y, reduction="none").numpy()
    if class_weight:
        weight = weight * np.array([1.0, 3.0, 0.5])[table.y]
    assert model.loss_curve_ == pytest.approx([np.average(each, weights=weight)], rel=1e-5)


@pytest.mark.filterwarnings("error")
def test_sample_weight_is_routed(table, either):
    weight = np.linspace(0.1, 2, 120)
    with sklearn.config_context(enable_metadata_routing=True):
        model = either().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"eta": [0.2]}, cv=2).fit(*table, sample_weight=weight)
    expected = either(eta=0.2).fit(*table, sample_weight=weight)
    assert_same_weights(search.best_estimator_, expected)


# -------------------------------------------------------------------------------- class weights

CLASS_WEIGHTS = {
    "none": (None, [1, 1, 1]),
    "balanced": ("balanced", 120 / (3 * COUNTS)),
    "exp": ("exp", np.exp(-PRIOR)),
    "dict": ({"a": 0.5, "b": 2, "c": 7.0}, [0.5, 2, 7]),
    "dict_in_part": ({"b": 4.0}, [1, 4, 1]),
}


@pytest.mark.parametrize("kind", CLASS_WEIGHTS)
def test_class_weights_reach_the_loss(table, fast, kind):
    class_weight, expected = CLASS_WEIGHTS[kind]
    labels = np.array(["a", "b", "c"])[table.y]
    model = fast(alpha=0.0, batch_size=120, class_weight=class_weight, logit_adjustment=None)
    model = untrained(model, table.X, labels)
    scores, y = raw_scores(model, table.X).double(), torch.as_tensor(table.y)
    loss = cross_entropy(scores, y, torch.as_tensor(expected, dtype=torch.double))
    assert model.loss_curve_ == pytest.approx([loss.item()], rel=1e-5)


@pytest.mark.parametrize(
    ("labels", "class_weight"),
    [
        ([10, 20, 30], {20: 3.0}),
        ([10, 20, 30], {np.int64(20): 3.0}),
        ([1.0, 2.0, 3.0], {2: 3.0}),
        (["a", "b", "c"], {np.str_("b"): 3.0}),
    ],
)
def test_class_weights_go_by_label_not_by_position(table, fast, labels, class_weight):
    model = fast(class_weight=class_weight).fit(table.X, np.array(labels)[table.y])
    assert_same_weights(model, fast(class_weight={1: 3.0}).fit(*table))


def test_class_weights_of_bools(table, fast):
    model = fast(class_weight={True: 3.0}).fit(table.X, table.y > 0)
    expected = fast(class_weight={1: 3.0}).fit(table.X, (table.y > 0).astype(int))
    assert_same_weights(model, expected)


# ---------------------------------------------------------------------- training, step by step

LOSSES = [
    {"alpha": 0.0},
    *({"alpha": 0.4, **settings} for settings in SIX),
    {},
    {"eta": 1.5},
    {"alpha": 1.0, "scope": "all"},
    {"alpha": 0.4, "kappa": None},
    {"alpha": 0.4, "kappa": 2, "rho": 0.3},
    {"alpha": 0.4, "margin": 0.1},
    {"alpha": 0.4, "comparison": "distribution", "bins": 10},
    {"alpha": 0.4, "level": "instance", "normalize": False},
    {"alpha": 0.4, "logit_adjustment": "loss", "tau": 0.5},
    {"alpha": 0.4, "logit_adjustment": "loss", "rectify": "adjusted"},
    {"alpha": 0.4, "class_weight": "exp", "logit_adjustment": None},
]


@pytest.mark.parametrize("settings", LOSSES, ids=str)
def test_training_is_gradient_descent_on_the_loss(table, fast, settings):
    """A plain PyTorch loop over the same batches arrives at the same weights."""
    model = fast(**settings, optimizer="sgd", lr=0.1, callbacks=[Recorder()])
    module = deepcopy(untrained(model, *table).module_).train()
    model.fit(*table)

    settings = {"logit_adjustment": "predict", "tau": 1.0} | settings
    tau = settings.pop("tau") * (settings.pop("logit_adjustment") == "loss")
    if "class_weight" in settings:
        settings["class_weight"] = np.exp(-PRIOR)
    loss_of = ClassRectificationLoss(COUNTS, tau=tau, **settings)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    losses = []
    for epoch in recorded(model).epochs_:
        total = 0.0
        for X, y, _ in epoch:
            scores, features = module(X)
            if settings == {"alpha": 0.0}:
                loss = cross_entropy(scores, y)
            else:
                loss = loss_of(scores, y, features)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += len(X) * loss.item()
        losses.append(total / len(table.y))

    for name, value in module.state_dict().items():
        torch.testing.assert_close(value, weights(model)[name], rtol=1e-4, atol=1e-6)
    assert model.loss_curve_ == pytest.approx(losses, rel=1e-4)


def test_an_epoch_shows_every_sample_once_in_a_new_order(table, fast):
    model = fast(callbacks=[Recorder()]).fit(*table)
    epochs = [torch.cat([X for X, _, _ in epoch]).numpy() for epoch in recorded(model).epochs_]
    assert [[len(X) for X, _, _ in epoch] for epoch in recorded(model).epochs_] == [
        [32, 32, 32, 24]
    ] * 3
    for X in epochs:
        assert_array_equal(np.sort(X[:, 0]), np.sort(table.X[:, 0]))
        assert not np.array_equal(X, table.X)
    assert not np.array_equal(epochs[0], epochs[1])
    labels = dict(zip(table.X[:, 0].tolist(), table.y.tolist(), strict=True))
    for epoch in recorded(model).epochs_:
        for X, y, _ in epoch:
            assert [labels[first] for first in X[:, 0].tolist()] == y.tolist()


@pytest.mark.parametrize(("n", "sizes"), [(33, [32]), (34, [32, 2]), (65, [32, 32]), (1, [1])])
def test_a_single_sample_left_over_sits_out(table, fast, n, sizes):
    model = fast(callbacks=[Recorder()], max_epochs=2)
    model.partial_fit(table.X[:n], table.y[:n], [0, 1, 2])
    assert [len(X) for X, _, _ in recorded(model).epochs_[0]] == sizes


@pytest.mark.parametrize("n", [32, 33, 40, 65])
def test_loss_curve_is_the_mean_over_the_samples_seen(table, fast, n):
    model = fast(alpha=0.0, optimizer="sgd", lr=1e-30, callbacks=[Recorder()])
    model.fit(table.X[:n], table.y[:n])
    for recorded_loss, epoch in zip(model.loss_curve_, recorded(model).epochs_, strict=True):
        X, y = (torch.cat(parts) for parts in list(zip(*epoch, strict=True))[:2])
        assert recorded_loss == pytest.approx(cross_entropy(raw_scores(model, X), y).item())


def test_batch_of_one(table, fast):
    assert fast(batch_size=1, max_epochs=1, alpha=0.5).fit(*table).n_iter_ == 1


def test_batch_larger_than_the_data(table, fast):
    model = fast(batch_size=10**9, alpha=0.5).fit(*table)
    assert np.isfinite(model.predict_proba(table.X)).all()


# ------------------------------------------------------------------------------------- optimizers


@pytest.mark.parametrize(
    ("optimizer", "kind"),
    [
        ("adam", torch.optim.Adam),
        ("AdamW", torch.optim.AdamW),
        ("sgd", torch.optim.SGD),
        ("rmsprop", torch.optim.RMSprop),
        (torch.optim.NAdam, torch.optim.NAdam),
        (torch.optim.SGD, torch.optim.SGD),
    ],
)
def test_optimizers(table, fast, optimizer, kind):
    model = fast(optimizer=optimizer, lr=0.03).fit(*table)
    assert type(model.net_.optimizer_) is kind
    assert model.net_.optimizer_.param_groups[0]["lr"] == 0.03
    assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_optimizer_settings_reach_it(table, fast):
    settings = {"weight_decay": 0.3, "momentum": 0.8, "nesterov": True}
    prefixed = {f"optimizer__{name}": value for name, value in settings.items()}
    model = fast(optimizer="sgd", lr=0.05, **prefixed, batch_size=120).fit(*table)
    (group,) = model.net_.optimizer_.param_groups
    assert {name: group[name] for name in settings} == settings
    without = fast(optimizer="sgd", lr=0.05, batch_size=120).fit(*table)
    for name, value in weights(model).items():
        assert not torch.equal(value, weights(without)[name])


def test_lbfgs_gets_its_closure(table, fast):
    model = fast(
        optimizer="lbfgs", lr=0.3, optimizer__max_iter=10, batch_size=120, alpha=0.3, max_epochs=5
    )
    model.fit(*table)
    assert model.loss_curve_[-1] < model.loss_curve_[0] / 2
    assert model.score(*table) > 0.9


# ------------------------------------------------------------- validation data and early stopping


@pytest.fixture
def noise():
    """Data that can only be learned by heart, so that validation data soon get worse."""
    rng = np.random.default_rng(1)
    return rng.normal(size=(150, 6)), np.array(["a", "b"])[(rng.random(150) < 0.25).astype(int)]


def monitored(model, X, y):
    """Both monitored scores, computed from predicted probabilities by other means."""
    log_p = np.log(model.predict_proba(X))
    per_class = [log_p[y == label, code].mean() for code, label in enumerate(model.classes_)]
    return {
        "balanced_log_loss": np.mean(per_class),
        "balanced_accuracy": balanced_accuracy_score(y, model.predict(X)),
    }


@pytest.mark.parametrize("logit_adjustment", ["predict", "loss", None])
@pytest.mark.parametrize("monitor", ["balanced_log_loss", "balanced_accuracy"])
def test_early_stopping_returns_to_the_best_epoch(noise, fast, monitor, logit_adjustment):
    X, X_val, y, y_val = train_test_split(*noise, test_size=50, stratify=noise[1], random_state=0)
    model = fast(
        early_stopping=True, monitor=monitor, max_epochs=200, lr=0.05, patience=4,
        logit_adjustment=logit_adjustment,
    )  # fmt: skip
    model.fit(X, y, X_val=X_val, y_val=y_val)
    scores = model.validation_scores_
    assert model.best_validation_score_ == max(scores)
    assert model.n_iter_ == len(scores) == scores.index(max(scores)) + 1 + 4 < 200
    assert monitored(model, X_val, y_val)[monitor] == pytest.approx(max(scores), rel=1e-5)
    if monitor == "balanced_log_loss":
        assert scores[-1] < max(scores)


@pytest.mark.parametrize("monitor", ["balanced_log_loss", "balanced_accuracy"])
def test_validation_scores_are_recorded_without_early_stopping(noise, fast, monitor):
    model = fast(monitor=monitor, max_epochs=5, lr=0.05)
    model.fit(*noise, X_val=noise[0][:60], y_val=noise[1][:60])
    assert len(model.validation_scores_) == model.n_iter_ == 5
    last = monitored(model, noise[0][:60], noise[1][:60])[monitor]
    assert model.validation_scores_[-1] == pytest.approx(last, rel=1e-5)
    assert model.best_validation_score_ == max(model.validation_scores_)


def test_validation_data_do_not_train(noise, fast):
    with_validation = fast().fit(*noise, X_val=noise[0][:60], y_val=noise[1][:60])
    assert_same_weights(with_validation, fast().fit(*noise))


def test_validation_data_need_not_hold_every_class(table, fast):
    first_two = table.y < 2
    model = fast(early_stopping=True)
    model.fit(*table, X_val=table.X[first_two], y_val=table.y[first_two])
    assert np.isfinite(model.validation_scores_).all()


def test_validation_split_is_stratified(table, fast):
    model = fast(early_stopping=True, validation_fraction=0.25, callbacks=[Recorder()])
    training, validation = recorded(model.fit(*table)).data_[0]
    assert_array_equal(np.bincount(training.y), [60, 21, 9])
    assert_array_equal(np.bincount(validation.y), [20, 7, 3])
    together = np.concatenate([training.X.numpy(), validation.X.numpy()])
    assert_array_equal(np.sort(together[:, 0]), np.sort(table.X[:, 0]))
    labels = dict(zip(table.X[:, 0].tolist(), table.y.tolist(), strict=True))
    for part in training, validation:
        assert [labels[first] for first in part.X[:, 0].tolist()] == part.y.tolist()


def test_validation_split_holds_every_class_that_has_two_samples(table, fast):
    rows = np.concatenate([np.flatnonzero(table.y == c)[:n] for c, n in enumerate([60, 9, 2])])
    model = fast(early_stopping=True, validation_fraction=0.05, callbacks=[Recorder()])
    training, validation = recorded(model.fit(table.X[rows], table.y[rows])).data_[0]
    assert len(training) + len(validation) == 71
    assert set(training.y.tolist()) == {0, 1, 2}
    assert np.isfinite(model.validation_scores_).all()


def test_validation_split_depends_on_random_state(table, fast):
    splits = [
        recorded(
            fast(early_stopping=True, callbacks=[Recorder()], random_state=seed).fit(*table)
        ).data_[0][1]
        for seed in [0, 0, 1]
    ]
    assert torch.equal(splits[0].X, splits[1].X)
    assert not torch.equal(splits[0].X, splits[2].X)


def test_given_validation_data_spare_the_training_data(table, fast):
    model = fast(early_stopping=True, callbacks=[Recorder()])
    model.fit(*table, X_val=table.X[:50], y_val=table.y[:50])
    training, validation = recorded(model).data_[0]
    assert len(training) == 120
    assert_array_equal(validation.X, table.X[:50])


def test_patience(noise, fast):
    epochs = [
        fast(early_stopping=True, patience=patience, max_epochs=300, lr=0.05).fit(*noise).n_iter_
        for patience in [1, 20]
    ]
    assert epochs[0] < epochs[1] < 300


def test_scores_of_earlier_validation_data_do_not_stay(table, fast):
    model = fast(early_stopping=True).fit(*table)
    assert hasattr(model, "best_validation_score_")
    model.set_params(early_stopping=False).fit(*table)
    assert not hasattr(model, "validation_scores_")
    assert not hasattr(model, "best_validation_score_")


# ---------------------------------------------------------------------------------- repeatability

RANDOM = [
    {},
    {"module__dropout": 0.5},
    {"early_stopping": True, "level": "instance", "comparison": "distribution"},
    {"optimizer": "sgd", "optimizer__momentum": 0.9, "scope": "all", "kappa": None, "alpha": 0.5},
]


@pytest.mark.parametrize("settings", RANDOM, ids=str)
def test_two_fits_are_bitwise_equal(table, fast, settings):
    one, other = fast(**settings).fit(*table), fast(**settings).fit(*table)
    assert_same_weights(one, other)
    assert_array_equal(one.predict_proba(table.X), other.predict_proba(table.X))
    assert one.loss_curve_ == other.loss_curve_
    before = weights(one)
    assert_same_weights(one.fit(*table), other)  # nor does an earlier fit matter
    assert all(torch.equal(before[name], value) for name, value in weights(one).items())


def test_global_generators_do_not_matter(table, either):
    expected = either(module__dropout=0.5).fit(*table)
    state = torch.get_rng_state()
    try:
        torch.manual_seed(12345)
        assert_same_weights(either(module__dropout=0.5).fit(*table), expected)
    finally:
        torch.set_rng_state(state)


def test_seeds_matter(table, either):
    one, other = (either(random_state=seed).fit(*table) for seed in [0, 1])
    assert not np.array_equal(one.predict_proba(table.X), other.predict_proba(table.X))


def test_no_random_state_is_a_new_one_every_time(table, either):
    one, other = (either(random_state=None, module__dropout=0.5).fit(*table) for _ in range(2))
    assert not np.array_equal(one.predict_proba(table.X), other.predict_proba(table.X))


@pytest.mark.parametrize("kind", [np.random.RandomState, np.random.default_rng])
def test_generators_as_random_state(table, either, kind):
    one, other = either(random_state=kind(7)), either(random_state=kind(7))
    assert_same_weights(one.fit(*table), other.fit(*table))
    first = one.predict_proba(table.X)
    assert_same_weights(one.fit(*table), other.fit(*table))  # they advance in step
    assert not np.array_equal(one.predict_proba(table.X), first)


@pytest.mark.parametrize("random_state", [3, np.int64(3), np.uint8(3)])
def test_integers_as_random_state(table, either, random_state):
    assert_same_weights(
        either(random_state=random_state).fit(*table), either(random_state=3).fit(*table)
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"random_state": None},
        {"random_state": 0, "module__dropout": 0.5},
        {"random_state": None, "early_stopping": True, "module__dropout": 0.5},
        {"module": "mlp", "module__hiden_units": 3},
        {"optimizer": "sgd", "lr": 1e10},
        {"kappa": -1},
        {"module": NoLinear, "level": "instance"},
    ],
    ids=str,
)
def test_global_generators_are_untouched(table, fast, settings):
    """Whether the fit ends well or not; the fixture of the module compares."""
    model = fast(**settings)
    try:
        model.fit(*table).partial_fit(*table).predict(table.X)
    except (ValueError, FloatingPointError):
        assert not hasattr(model, "net_")


def test_fits_in_threads_do_not_disturb_each_other(table, either):
    model = either(module__dropout=0.5, max_epochs=10)
    alone = clone(model).fit(*table)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: clone(model).fit(*table), range(8)))
    for other in together:
        assert_same_weights(other, alone)


# ------------------------------------------------------------------------ going on: warm start


def test_warm_start_goes_on(table, fast):
    model = fast(warm_start=True, early_stopping=True).fit(*table)
    first, start = model.loss_curve_, weights(model)
    model.set_params(max_epochs=2).fit(*table)
    assert model.n_iter_ == len(model.loss_curve_) == 5
    assert model.loss_curve_[:3] == first
    assert len(model.validation_scores_) == 2
    assert not torch.equal(weights(model)["head.weight"], start["head.weight"])


def test_no_warm_start_starts_afresh(table, fast):
    model = fast().fit(*table).fit(*table)
    assert model.n_iter_ == 3
    assert_same_weights(model, fast().fit(*table))


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_warm_start_keeps_the_optimizer_going(table, fast, optimizer):
    """One batch an epoch leaves nothing to the order: 3 + 4 epochs are 7."""
    settings = {"optimizer": optimizer, "lr": 0.01, "batch_size": 120, "alpha": 0.0}
    if optimizer == "sgd":
        settings["optimizer__momentum"] = 0.9
    model = fast(warm_start=True, **settings).fit(*table)
    model.set_params(max_epochs=4).fit(*table)
    expected = fast(max_epochs=7, **settings).fit(*table)
    for name, value in weights(expected).items():
        torch.testing.assert_close(weights(model)[name], value, rtol=1e-4, atol=1e-5)
    assert model.loss_curve_ == pytest.approx(expected.loss_curve_, rel=1e-4)


def test_warm_start_takes_new_settings(table, fast):
    model = fast(warm_start=True).fit(*table)
    model.set_params(lr=0.5, optimizer="sgd", level="instance", alpha=0.7, logit_adjustment=None)
    model.fit(*table)
    assert type(model.net_.optimizer_) is torch.optim.SGD
    assert model.net_.optimizer_.param_groups[0]["lr"] == 0.5
    assert model.alpha_ == pytest.approx(0.7)
    assert_allclose(model.decision_function(table.X), raw_scores(model, table.X), rtol=1e-6)
    model.set_params(lr=0.25).fit(*table)
    assert model.net_.optimizer_.param_groups[0]["lr"] == 0.25


@pytest.mark.parametrize(
    ("optimizer", "setting"),
    [("adam", {"amsgrad": True}), ("rmsprop", {"momentum": 0.9}), ("rmsprop", {"centered": True})],
)
def test_warm_start_with_an_optimizer_that_asks_for_more_state(table, fast, optimizer, setting):
    model = fast(warm_start=True, optimizer=optimizer).fit(*table)
    model.set_params(**{f"optimizer__{name}": value for name, value in setting.items()}).fit(*table)
    assert model.n_iter_ == 6
    steps = [state["step"] for state in model.net_.optimizer_.state_dict()["state"].values()]
    assert max(steps) == 3 * 4  # batches of three epochs: begun anew


@pytest.mark.parametrize(
    ("change", "lr"),
    [({}, 1e-4), ({"optimizer": "sgd"}, 1e-3), ({"optimizer__amsgrad": True}, 1e-3)],
)
def test_schedules_go_on_whatever_the_optimizer(table, fast, change, lr):
    """The rate falls to a tenth every second of six epochs; another optimizer begins with it."""
    schedule = LRScheduler("StepLR", step_size=2)
    model = fast(warm_start=True, lr=0.01, callbacks=[schedule]).fit(*table)
    model.set_params(**change).fit(*table)
    assert model.net_.history[-1, "event_lr"] == pytest.approx(lr)


def test_warm_start_with_another_weight_decay_goes_on(table, fast):
    model = fast(warm_start=True).fit(*table)
    model.set_params(optimizer__weight_decay=0.1, lr=0.01).fit(*table)
    optimizer = model.net_.optimizer_.state_dict()
    assert max(state["step"] for state in optimizer["state"].values()) == 6 * 4
    assert optimizer["param_groups"][0]["weight_decay"] == 0.1


def test_warm_start_is_repeatable(table, fast):
    models = [fast(warm_start=True, module__dropout=0.5).fit(*table).fit(*table) for _ in range(2)]
    assert_same_weights(*models)
    orders = [
        recorded(model).epochs_[0][0][0]
        for model in [fast(warm_start=True, callbacks=[Recorder()]).fit(*table)]
        for model in [deepcopy(model), model.fit(*table)]
    ]
    assert not torch.equal(*orders)  # the second run has an order of its own


def test_warm_start_takes_labels_that_lack_a_class(table, fast):
    model = fast(warm_start=True).fit(*table)
    model.fit(table.X[table.y > 0], table.y[table.y > 0])
    assert model.classes_.tolist() == [0, 1, 2]
    assert_array_equal(model.class_counts_, [0, 28, 12])
    assert np.isfinite(model.predict_proba(table.X)).all()


# ------------------------------------------------------------------------------------ partial_fit


def test_partial_fit_counts_add_up(table, fast):
    X, y = table
    model = fast(eta=0.7)
    parts = np.array_split(np.arange(120), 4)
    for i, rows in enumerate(parts, start=1):
        assert model.partial_fit(X[rows], y[rows], classes=[2, 1, 0]) is model
        seen = np.bincount(y[: rows[-1] + 1], minlength=3)
        assert_array_equal(model.class_counts_, seen)
        assert model.n_iter_ == len(model.loss_curve_) == i
    whole = fast(eta=0.7).fit(X, y)
    for name in ["classes_", "class_counts_", "prior_", "minority_classes_", "n_features_in_"]:
        assert_array_equal(getattr(model, name), getattr(whole, name))
    assert model.omega_ == pytest.approx(whole.omega_)
    assert model.alpha_ == pytest.approx(whole.alpha_)


def test_partial_fit_decides_by_the_running_prior(table, fast):
    X, y = table
    model = fast().partial_fit(X[:50], y[:50], [0, 1, 2]).partial_fit(X[50:], y[50:])
    assert_allclose(model.predict_proba(X), by_hand(model, X, 1.0), rtol=1e-5)


def test_partial_fit_adds_weights_up(table, fast):
    X, y = table
    weight = np.linspace(0.1, 2, 120)
    model = fast().partial_fit(X[:50], y[:50], [0, 1, 2], weight[:50])
    model.partial_fit(X[50:], y[50:], sample_weight=weight[50:])
    assert_allclose(model.class_counts_, np.bincount(y, weight))


def test_partial_fit_trains_one_epoch_each_and_learns(table, fast):
    model = fast(max_epochs=50, lr=0.02)
    for _ in range(30):
        model.partial_fit(*table, classes=[0, 1, 2])
    assert model.n_iter_ == 30
    assert model.score(*table) > 0.9


def test_partial_fit_is_repeatable(table, fast):
    def train():
        model = fast(module__dropout=0.5)
        for _ in range(3):
            model.partial_fit(*table, classes=[0, 1, 2])
        return model

    assert_same_weights(train(), train())


def test_partial_fit_is_repeatable_after_pickling(table, fast):
    model = fast(module__dropout=0.5).partial_fit(*table, classes=[0, 1, 2])
    other = pickle.loads(pickle.dumps(model))
    assert_same_weights(model.partial_fit(*table), other.partial_fit(*table))


def test_partial_fit_of_classes_never_seen(table, fast):
    model = fast(lr=0.02)
    for i in range(1, 21):
        model.partial_fit(*table, classes=[0, 1, 2, 3, 9])
        assert_array_equal(model.class_counts_, [80 * i, 28 * i, 12 * i, 0, 0])
    assert model.classes_.tolist() == [0, 1, 2, 3, 9]
    probabilities = model.predict_proba(table.X)
    assert probabilities.shape == (120, 5)
    assert np.isfinite(probabilities).all()
    assert model.minority_classes_.tolist() == [1, 2]
    assert (model.predict(table.X) < 3).mean() > 0.9  # removing the prior gives them no victory


def test_partial_fit_of_one_class_at_a_time(table, fast):
    model = fast()
    for c in range(3):
        model.partial_fit(table.X[table.y == c], table.y[table.y == c], [0, 1, 2])
        assert np.isfinite(model.predict_proba(table.X)).all()
    assert_array_equal(model.class_counts_, COUNTS)


def test_partial_fit_goes_on_from_fit(table, fast):
    model = fast().fit(*table)
    model.partial_fit(table.X[:7], table.y[:7])
    assert_array_equal(model.class_counts_, COUNTS + np.bincount(table.y[:7], minlength=3))
    assert model.n_iter_ == 4


def test_partial_fit_takes_string_classes(table, fast):
    y = np.array(["a", "b", "c"])[table.y]
    model = fast().partial_fit(table.X, y, classes=["c", "a", "b"])
    model.partial_fit(table.X, y, classes=np.array(["b", "c", "a"]))
    assert model.classes_.tolist() == ["a", "b", "c"]


# -------------------------------------------------------------------- what a fit says as it runs


def test_silent_by_default(table, fast, either, capfd):
    fast(early_stopping=True, max_epochs=30, patience=2, lr=0.1).fit(*table)
    either(max_epochs=30, patience=2, lr=0.1).fit(*table).predict(table.X)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_progress_bar(table, fast, capsys):
    model = fast(verbose=True).fit(*table, X_val=table.X, y_val=table.y)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "3/3" in captured.err
    assert "train_loss" in captured.err
    assert "valid" in captured.err
    assert_same_weights(pickle.loads(pickle.dumps(model)), model)
    assert_same_weights(fast().fit(*table), model)


def test_progress_bar_of_partial_fit_and_warm_start(table, fast, capsys):
    fast(verbose=1).partial_fit(*table, classes=[0, 1, 2])
    assert "1/1" in capsys.readouterr().err
    model = fast(verbose=1, warm_start=True).fit(*table)
    capsys.readouterr()
    model.fit(*table)
    assert "3/3" in capsys.readouterr().err


# ------------------------------------------------------------------------------------- callbacks


def test_epoch_callback_hears_every_epoch_and_stays_as_it_was(table, fast):
    callback = EpochCounter()
    callbacks = [("counter", callback)]
    model = fast(callbacks=callbacks).fit(*table)
    assert dict(model.net_.callbacks_)["counter"].counted == 3
    assert callback.counted == 0
    assert model.callbacks is callbacks
    assert callbacks == [("counter", callback)]
    model.fit(*table)
    assert dict(model.net_.callbacks_)["counter"].counted == 3


def test_batch_callback_hears_every_batch(table, fast):
    model = fast(callbacks=[Recorder()]).fit(*table, X_val=table.X, y_val=table.y)
    recorder = recorded(model)
    assert [len(epoch) for epoch in recorder.epochs_] == [4, 4, 4]
    assert sum(len(X) for X, _, _ in recorder.validated_) == 3 * 120
    for epoch, loss in zip(recorder.epochs_, model.loss_curve_, strict=True):
        losses = [float(said["loss"]) for _, _, said in epoch]
        sizes = [len(X) for X, _, _ in epoch]
        assert np.average(losses, weights=sizes) == pytest.approx(loss, rel=1e-5)
        assert [tuple(said["y_pred"].shape) for _, _, said in epoch] == [(n, 3) for n in sizes]


def test_callbacks_do_not_change_training(table, either):
    assert_same_weights(either(callbacks=[Recorder()]).fit(*table), either().fit(*table))


class GradientNorms(Callback):
    def initialize(self):
        self.norms_ = []
        return self

    def on_grad_computed(self, net, named_parameters, **kwargs):
        gradients = [p.grad.flatten() for _, p in named_parameters if p.grad is not None]
        self.norms_.append(torch.cat(gradients).norm().item())


def test_gradients_can_be_clipped(table, fast):
    callbacks = [("clip", GradientNormClipping(0.01)), ("norms", GradientNorms())]
    model = fast(callbacks=callbacks).fit(*table)
    norms = dict(model.net_.callbacks_)["norms"].norms_
    assert len(norms) == 3 * 4
    assert max(norms) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("use_caching", [True, False])
@pytest.mark.parametrize("scoring", ["balanced_accuracy", "roc_auc_ovr"])
def test_epoch_scoring_of_validation_data(table, fast, use_caching, scoring):
    callback = EpochScoring(
        scoring, lower_is_better=False, use_caching=use_caching, name="own_score"
    )
    model = fast(monitor="balanced_accuracy", lr=0.02, callbacks=[callback])
    model.fit(*table, X_val=table.X[:70], y_val=table.y[:70])
    scores = model.net_.history[:, "own_score"]
    assert len(scores) == 3
    scorer = sklearn.metrics.get_scorer(scoring)
    assert scores[-1] == pytest.approx(scorer(model, table.X[:70], table.y[:70]))
    if scoring == "balanced_accuracy":
        assert scores == pytest.approx(model.validation_scores_)


def test_epoch_scoring_of_training_data(table, fast):
    callback = EpochScoring("accuracy", lower_is_better=False, on_train=True, name="train_accuracy")
    model = fast(callbacks=[callback], max_epochs=20, lr=0.02).fit(*table)
    assert len(model.net_.history[:, "train_accuracy"]) == 20
    assert model.net_.history[-1, "train_accuracy"] > 0.8


@pytest.mark.parametrize("on_train", [True, False])
def test_batch_scoring(table, fast, on_train):
    callback = BatchScoring(
        "accuracy", lower_is_better=False, on_train=on_train, name="batch_accuracy"
    )
    model = fast(callbacks=[callback], max_epochs=20, lr=0.02)
    model.fit(*table, X_val=table.X, y_val=table.y)
    assert len(model.net_.history[:, "batch_accuracy"]) == 20
    assert model.net_.history[-1, "batch_accuracy"] > 0.8


def test_learning_rate_schedule_by_epochs(table, fast):
    callback = LRScheduler("StepLR", step_size=1, gamma=0.1)
    model = fast(callbacks=[callback], lr=0.5).fit(*table)
    assert model.net_.history[:, "event_lr"] == pytest.approx([0.5, 0.05, 0.005])
    plain = fast(lr=0.5).fit(*table)
    assert model.loss_curve_[0] == plain.loss_curve_[0]
    assert model.loss_curve_[2] != plain.loss_curve_[2]


def test_learning_rate_schedule_by_batches(table, fast):
    schedule = torch.optim.lr_scheduler.ExponentialLR
    callback = LRScheduler(schedule, gamma=0.5, step_every="batch")
    model = fast(callbacks=[callback], optimizer="sgd", lr=1.0).fit(*table)
    assert model.net_.optimizer_.param_groups[0]["lr"] == 0.5 ** (3 * 4)


def test_learning_rate_schedule_goes_on(table, fast):
    callback = LRScheduler("StepLR", step_size=1, gamma=0.1)
    model = fast(callbacks=[callback], lr=0.5, warm_start=True).fit(*table)
    model.partial_fit(*table).fit(*table)
    assert len(model.net_.history[:, "event_lr"]) == 7
    assert np.isfinite(model.net_.history[:, "event_lr"]).all()


def test_learning_rate_schedule_by_validation(table, fast):
    callback = LRScheduler("ReduceLROnPlateau", monitor="valid_loss", patience=0, factor=0.1)
    model = fast(callbacks=[callback], lr=1.0, max_epochs=20)
    model.fit(*table, X_val=table.X, y_val=table.y)
    assert model.net_.optimizer_.param_groups[0]["lr"] < 1.0


def test_early_stopping_of_skorch(noise, fast):
    callback = EarlyStopping(monitor="train_loss", patience=2, threshold=10.0, load_best=True)
    model = fast(callbacks=[callback], max_epochs=50).fit(*noise)
    assert model.n_iter_ == 3


@pytest.mark.parametrize(
    ("callback", "told"),
    [
        (EarlyStopping(), "EarlyStopping monitors 'valid_loss'"),
        (("kept", Checkpoint()), "Checkpoint monitors 'valid_loss_best'"),
    ],
    ids=["alone", "named"],
)
def test_callbacks_that_ask_for_validation_where_there_is_none(table, fast, callback, told):
    model = fast(callbacks=[callback])
    with pytest.raises(ValueError, match=rf"{told}.*Call fit with early_stopping=True or"):
        model.fit(*table)
    assert not hasattr(model, "net_")


def test_early_stopping_of_skorch_by_validation(table, fast):
    X, y = table
    model = fast(callbacks=[EarlyStopping(patience=1, threshold=10.0)], max_epochs=50)
    assert model.fit(X, y, X_val=X, y_val=y).n_iter_ == 2


def test_layers_can_be_frozen(table, fast):
    callback = Freezer(lambda name: "head" not in name)
    model = fast(callbacks=[callback], lr=0.1)
    start = weights(untrained(model, *table))
    end = weights(model.fit(*table))
    changed = {name for name in end if not torch.equal(start[name], end[name])}
    assert changed == {"head.weight", "head.bias"}


@pytest.mark.parametrize("monitor", ["valid_loss_best", None])
def test_checkpoints_of_skorch(table, fast, tmp_path, monitor):
    callback = Checkpoint(dirname=str(tmp_path), monitor=monitor, load_best=monitor is not None)
    model = fast(callbacks=[callback]).fit(*table, X_val=table.X, y_val=table.y)
    stored = torch.load(tmp_path / "params.pt", weights_only=True)
    assert all(
        torch.equal(stored[f"network.{name}"], value) for name, value in weights(model).items()
    )


class CtrlC(Callback):
    """Interrupts as the user's Ctrl-C does, at one place of one epoch."""

    def __init__(self, at, epoch):
        self.at = at
        self.epoch = epoch

    def _interrupt_at(self, place, net):
        if (place, len(net.history)) == (self.at, self.epoch):
            signal.raise_signal(signal.SIGINT)

    def on_batch_end(self, net, training, **kwargs):
        self._interrupt_at("train" if training else "valid", net)

    def on_epoch_end(self, net, **kwargs):
        self._interrupt_at("epoch", net)


@pytest.mark.parametrize("at", ["train", "epoch"])
@pytest.mark.parametrize("epoch", [1, 3])
def test_an_interrupted_fit_is_none(table, either, at, epoch):
    """skorch ends training on Ctrl-C, says nothing, and takes what there is for the result."""
    model = either(callbacks=[CtrlC(at, epoch)], max_epochs=10)
    before = dict(vars(model))
    with pytest.raises(KeyboardInterrupt):
        model.fit(*table)
    assert vars(model) == before


def test_a_handler_that_raises_is_ctrl_c_too(table, fast):
    def handler(*args):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            fast(callbacks=[CtrlC("epoch", 2)], max_epochs=10).fit(*table)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_fit_interrupted_in_validation_is_none(table, fast):
    model = fast(callbacks=[CtrlC("valid", 2)], max_epochs=10)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*table, X_val=table.X, y_val=table.y)
    assert not hasattr(model, "net_")


def test_interrupted_going_on_is_undone(table, fast):
    model = fast().fit(*table)
    model.set_params(callbacks=[CtrlC("epoch", 4)])
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(*table)
    assert model.n_iter_ == 3
    assert model.set_params(callbacks=None).partial_fit(*table).n_iter_ == 4


def test_cross_validation_ends_where_a_fit_is_interrupted(table, either):
    with pytest.raises(KeyboardInterrupt):
        cross_val_score(either(callbacks=[CtrlC("train", 2)]), *table, cv=2)


class Ended(Callback):
    """Fails to end what has never begun."""

    def on_epoch_begin(self, net, **kwargs):
        signal.raise_signal(signal.SIGINT)

    def on_train_end(self, net, **kwargs):
        raise IndexError("no epoch")


def test_an_interrupt_is_told_before_what_it_leads_to(table, fast):
    with pytest.raises(KeyboardInterrupt):
        fast(callbacks=[Ended()]).fit(*table)


class StopInEpoch(Callback):
    """Stops as callbacks of skorch do."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            self._stop()

    def _stop(self):
        raise KeyboardInterrupt


def test_a_callback_ends_training_with_its_epoch(table, either):
    model = either(callbacks=[StopInEpoch(2)], max_epochs=10).fit(*table)
    assert model.n_iter_ == len(model.loss_curve_) == 2
    shorter = either(max_epochs=2).fit(*table)
    assert_array_equal(model.predict_proba(table.X), shorter.predict_proba(table.X))


# ------------------------------------------------------------------------------------- modules


@pytest.mark.parametrize(
    "module",
    ["mlp", MLP, partial(MLP, dropout=0.0), lambda n_features, n_classes, **more: MLP(
        n_features, n_classes, **more
    )],
    ids=["name", "class", "partial", "function"],
)  # fmt: skip
def test_ways_to_name_a_module(table, fast, module):
    model = fast(module=module, module__hidden_units=(8,)).fit(*table)
    assert isinstance(model.module_, MLP)
    assert_same_weights(model, fast().fit(*table))


def told(**wanted):
    """A function with the parameters `wanted` that builds an MLP and keeps what it was given."""
    given = {}

    def build(**kwargs):
        given.update(kwargs)
        return MLP(4, 3, 5)

    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in wanted.items()
    ]
    build.__signature__ = inspect.Signature(parameters)
    return build, given


@pytest.mark.parametrize(
    "names",
    [[], ["n_features"], ["n_classes"], ["input_shape"], ["n_features", "n_classes", "width"]],
    ids=str,
)
def test_a_module_is_told_what_it_asks_for_and_no_more(table, fast, names):
    build, given = told(**dict.fromkeys(names))
    fast(module=build).fit(*table)
    facts = {"n_features": 4, "n_classes": 3, "input_shape": (4,)}
    assert given == {name: facts[name] for name in names if name in facts}


def test_a_module_with_any_keywords_is_told_nothing(table, fast):
    given = {}

    def build(**kwargs):
        given.update(kwargs)
        return MLP(4, 3, 5)

    fast(module=build, module__width=7).fit(*table)
    assert given == {"width": 7}


def test_a_module_is_told_the_shape_of_images(images, fast):
    build, given = told(n_features=None, n_classes=None, input_shape=None)
    build_cnn, _ = lambda **kwargs: (build(**kwargs), SmallCNN((2, 8, 8), 2))[1], None
    build_cnn.__signature__ = build.__signature__
    fast(module=build_cnn).fit(*images)
    assert given == {"n_features": 128, "n_classes": 2, "input_shape": (2, 8, 8)}
    assert all(type(n) is int for n in [given["n_features"], given["n_classes"]])
    assert all(type(n) is int for n in given["input_shape"])


def test_module_settings_reach_it_and_override_what_it_is_told(table, fast):
    model = fast(module=ScoresOnly, module__width=11).fit(*table)
    assert model.module_.hidden.out_features == 11
    build, given = told(n_features=None, width=3)
    fast(module=build, module__n_features=4, module__width=8).fit(*table)
    assert given == {"n_features": 4, "width": 8}


@pytest.mark.parametrize(
    ("hidden_units", "widths"),
    [
        (6, [6]),
        (np.int64(6), [6]),
        ((6, 5), [6, 5]),
        ([6], [6]),
        ((), []),
        (np.array([6, 5]), [6, 5]),
    ],
    ids=repr,
)
def test_hidden_units(table, fast, hidden_units, widths):
    model = fast(module__hidden_units=hidden_units).fit(*table)
    layers = [m.out_features for m in model.module_.modules() if isinstance(m, nn.Linear)]
    assert layers == [*widths, 3]


def test_every_fit_builds_the_module_anew(table, fast):
    model = fast().fit(*table)
    module = model.module_
    assert model.fit(*table).module_ is not module


@pytest.mark.parametrize("comparison", ["relative", "absolute", "distribution"])
def test_instance_level_takes_the_input_of_the_last_linear_layer(table, fast, comparison):
    settings = {"level": "instance", "comparison": comparison, "alpha": 0.6}
    alone = fast(module=ScoresOnly, **settings).fit(*table)
    both = fast(module=ScoresAndFeatures, **settings).fit(*table)
    assert_same_weights(alone, both)
    assert not torch.equal(
        weights(alone)["hidden.weight"],
        weights(fast(module=ScoresOnly, alpha=0.6).fit(*table))["hidden.weight"],
    )


class HeadFirst(nn.Module):
    """The head is registered first, and another linear layer is as wide as there are classes."""

    def __init__(self, n_features, n_classes, return_features=False):
        super().__init__()
        self.return_features = return_features
        self.head = nn.Linear(n_classes, n_classes)
        self.hidden = nn.Linear(n_features, n_classes)

    def forward(self, X):
        features = self.hidden(X).relu()
        scores = self.head(features)
        return (scores, features) if self.return_features else scores


def test_the_last_linear_layer_is_the_last_to_be_called(table, fast):
    settings = {"module": HeadFirst, "level": "instance", "alpha": 0.6}
    alone = fast(**settings).fit(*table)
    both = fast(**settings, module__return_features=True).fit(*table)
    assert_same_weights(alone, both)


@pytest.mark.parametrize("module", [ScoresOnly, ScoresAndFeatures])
def test_no_hook_stays_on_a_module(table, fast, module):
    model = fast(module=module, level="instance").fit(*table)
    model.predict(table.X)
    for part in model.net_.module_.modules():
        assert not part._forward_pre_hooks
        assert not part._forward_hooks


def test_class_level_needs_no_linear_layer(table, fast):
    model = fast(module=NoLinear, alpha=0.4, max_epochs=30, lr=0.1).fit(*table)
    assert model.loss_curve_[-1] < model.loss_curve_[0] / 2


def test_without_rectification_no_features_are_needed(table, fast):
    model = fast(module=NoLinear, level="instance", alpha=0.0).fit(*table)
    assert model.alpha_ == 0


@pytest.mark.parametrize("settings", SIX, ids=str)
def test_images_with_batch_normalisation(images, fast, settings):
    model = fast(module=SmallCNN, alpha=0.3, batch_size=16, max_epochs=8, lr=0.02, **settings)
    model.fit(*images)
    assert model.score(*images) > 0.9
    assert model.predict_proba(images.X[:1]).shape == (1, 2)
    assert model.module_.trunk[1].num_batches_tracked == 8 * 2


def test_images_in_early_stopping_partial_fit_and_pickles(images, fast):
    model = fast(module=SmallCNN, early_stopping=True, batch_size=16)
    model.fit(*images, sample_weight=np.linspace(0, 1, 33)).partial_fit(*images)
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict_proba(images.X), model.predict_proba(images.X))


def test_images_go_through_the_default_network_too(images, fast):
    assert fast(max_epochs=20, lr=0.02).fit(*images).score(*images) > 0.9


def test_best_weights_come_back_with_their_buffers(images, fast):
    model = fast(module=SmallCNN, early_stopping=True, patience=3, max_epochs=60, lr=0.05)
    model.fit(*images, X_val=images.X[:15], y_val=images.y[:15])
    expected = monitored(model, images.X[:15], images.y[:15])["balanced_log_loss"]
    assert expected == pytest.approx(model.best_validation_score_, rel=1e-4)


class Sequences(nn.Module):
    """Any shape: samples of (steps, channels)."""

    def __init__(self, input_shape, n_classes):
        super().__init__()
        self.rnn = nn.GRU(input_shape[1], 5, batch_first=True)
        self.head = nn.Linear(5, n_classes)

    def forward(self, X):
        return self.head(self.rnn(X)[0][:, -1])


def test_sequences(images, fast):
    X = images.X[:, 0]
    model = fast(module=Sequences, level="instance").fit(X, images.y)
    assert model.predict(X).shape == (33,)


def test_a_network_in_double_precision_of_its_own(table, fast):
    class Double(MLP):
        def forward(self, X):
            scores, features = super().forward(X)
            return scores.double(), features.double()

    model = fast(module=Double, module__hidden_units=(8,), level="instance", alpha=0.5).fit(*table)
    assert model.predict_proba(table.X).dtype == np.float32


# ------------------------------------------------------------------------------------- attributes


def test_fitted_attributes_are_those_documented(table, fast):
    pandas = pytest.importorskip("pandas")
    documented = {
        name.strip()
        for attribute in NumpyDocString(inspect.getdoc(CRLClassifier))["Attributes"]
        for name in attribute.name.split(",")
    }
    frame = pandas.DataFrame(table.X, columns=list("abcd"))
    model = fast().fit(frame, table.y, X_val=frame, y_val=table.y)
    for name in documented:
        assert hasattr(model, name), f"{name} is documented and not there"
    properties = {
        n for n, _ in inspect.getmembers(CRLClassifier, lambda m: isinstance(m, property))
    }
    there = {name for name in vars(model).keys() | properties if not name.startswith("_")}
    assert there - model.get_params().keys() == documented


def test_no_fitted_attribute_before_fit(either):
    assert vars(either()).keys() == either().get_params().keys()


def test_attributes_by_hand(table, fast):
    model = fast(eta=0.6).fit(*table)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.n_features_in_ == 4
    assert_array_equal(model.class_counts_, COUNTS)
    assert model.class_counts_.dtype == np.int64
    assert_allclose(model.prior_, PRIOR)
    assert model.omega_ == pytest.approx(1 - 120 / (3 * 80))
    assert model.alpha_ == pytest.approx(0.6 * 0.5)
    assert isinstance(model.omega_, float)
    assert isinstance(model.alpha_, float)
    assert model.minority_classes_.tolist() == [1, 2]  # 12 + 28 <= 60
    assert model.n_iter_ == 3
    assert isinstance(model.n_iter_, int)
    assert len(model.loss_curve_) == 3
    assert all(isinstance(loss, float) for loss in model.loss_curve_)
    assert isinstance(model.module_, MLP)
    assert isinstance(model.net_, NeuralNetClassifier)
    assert not hasattr(model, "validation_scores_")


@pytest.mark.parametrize(
    ("rho", "minority"), [(0.05, []), (0.1, ["c"]), (0.3, ["c"]), (0.34, ["c", "b"]), (1, "cab")]
)
def test_minority_classes_by_hand(table, fast, rho, minority):
    model = fast(rho=rho).fit(table.X, np.array(["a", "b", "c"])[table.y])
    assert sorted(model.minority_classes_.tolist()) == sorted(minority)


@pytest.mark.parametrize(
    ("settings", "alpha"),
    [({"eta": 0.0}, 0), ({"eta": 1.0}, 0.5), ({"eta": 9.0}, 1), ({"alpha": 0.2, "eta": 1}, 0.2)],
)
def test_alpha_by_hand(table, fast, settings, alpha):
    assert fast(**settings).fit(*table).alpha_ == pytest.approx(alpha)


def test_balanced_data_are_not_rectified(table, fast):
    model = fast().fit(table.X, np.repeat([0, 1, 2], 40))
    assert model.omega_ == model.alpha_ == 0


def test_net_predicts_the_same(table, fast):
    model = fast().fit(*table)
    assert_allclose(model.net_.predict_proba(table.X), model.predict_proba(table.X), rtol=1e-6)
    assert_array_equal(model.classes_[model.net_.predict(table.X)], model.predict(table.X))
    assert model.net_.history[:, "train_loss"] == model.loss_curve_


# ------------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("kapa", "kappa"),
        ("kapppa", "kappa"),
        ("batchsize", "batch_size"),
        ("optimiser", "optimizer"),
        ("level_", "level"),
        ("max_epoch", "max_epochs"),
        ("modul__hidden_units", "module__"),
        ("module_hidden_units", "module__"),
        ("optimiser__momentum", "optimizer__"),
    ],
)
def test_unknown_names_get_the_nearest_right_one(name, nearest):
    with pytest.raises(TypeError, match=f"{name!r}; did you mean '{nearest}"):
        CRLClassifier(**{name: 1})
    model = CRLClassifier(eta=0.1)
    with pytest.raises(ValueError, match=f"{name!r}; did you mean '{nearest}"):
        model.set_params(eta=0.9, module__hidden_units=3, **{name: 1})
    assert model.get_params() == CRLClassifier(eta=0.1).get_params()


def test_unknown_names_without_a_near_one_get_all():
    with pytest.raises(TypeError, match=r"'zzz'.*alpha.*kappa.*module__"):
        CRLClassifier(zzz=1)


def test_parameters_of_parameters_that_have_none():
    model = CRLClassifier(eta=0.1)
    with pytest.raises(ValueError, match="kappa__x"):
        model.set_params(eta=0.9, kappa__x=1)
    assert model.eta == 0.1


SETTINGS = {
    "module": "mlp",
    "eta": 0.7,
    "kappa": None,
    "class_weight": {"a": 2.0},
    "callbacks": [("counter", EpochCounter())],
    "module__hidden_units": (5, 4),
    "module__dropout": 0.1,
    "optimizer__weight_decay": 0.01,
    "random_state": 3,
}


def test_get_params_lists_all_and_set_params_sets_them():
    model = CRLClassifier(**SETTINGS)
    assert model.get_params().items() >= SETTINGS.items()
    assert CRLClassifier(**model.get_params()).get_params() == model.get_params()
    other = CRLClassifier()
    assert other.set_params(**SETTINGS) is other
    assert other.get_params() == model.get_params()
    assert other.set_params() is other
    assert CRLClassifier().get_params().keys() == set(inspect.signature(CRLClassifier).parameters)


def test_clone_keeps_all_parameters_and_nothing_else(table, either):
    model = either(module__dropout=0.1, optimizer__weight_decay=0.01).fit(*table)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert vars(copy).keys() == copy.get_params().keys()
    assert_same_weights(copy.fit(*table), model)


def test_repr_shows_what_differs_from_the_defaults():
    model = CRLClassifier(eta=0.7, module__hidden_units=(5,), optimizer__momentum=0.9)
    assert eval(repr(model)).get_params() == model.get_params()
    assert repr(CRLClassifier()) == "CRLClassifier()"
    assert "hidden_units" in CRLClassifier(module__hidden_units=5)._repr_html_()


def test_default_parameters_are_documented():
    documented = [
        name.strip()
        for parameter in NumpyDocString(inspect.getdoc(CRLClassifier))["Parameters"]
        for name in parameter.name.split(",")
    ]
    assert documented == [*inspect.signature(CRLClassifier).parameters, "**kwargs"]


# --------------------------------------------------------------------------- in others' machinery

GRID = {
    "crlclassifier__eta": [0.1, 0.6],
    "crlclassifier__kappa": np.array([5, 25]),
    "crlclassifier__module__hidden_units": [4, (8, 4)],
    "crlclassifier__optimizer__weight_decay": [0.01],
}


def test_grid_search_reaches_every_kind_of_parameter(table, fast):
    pipeline = make_pipeline(StandardScaler(), fast(lr=0.02))
    search = GridSearchCV(pipeline, GRID, cv=2, error_score="raise").fit(*table)
    assert len(search.cv_results_["params"]) == 8
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    best, model = search.best_params_, search.best_estimator_[-1]
    assert model.eta == best["crlclassifier__eta"]
    assert model.net_.optimizer_.param_groups[0]["weight_decay"] == 0.01
    units = best["crlclassifier__module__hidden_units"]
    layers = [m.out_features for m in model.module_.modules() if isinstance(m, nn.Linear)]
    assert layers == [*np.atleast_1d(units), 3]
    assert search.score(*table) == pytest.approx(
        balanced_accuracy_score(table.y, search.predict(table.X))
    )


def test_grid_search_over_numpy_arrays(table, either):
    grid = {"module__hidden_units": np.array([4, 8]), "batch_size": np.array([16]),
            "eta": np.array([0.5], dtype=np.float32), "max_epochs": np.array([2])}  # fmt: skip
    assert GridSearchCV(either(), grid, cv=2, error_score="raise").fit(*table).best_params_


def test_grid_search_in_parallel_is_the_same(table, either):
    grid = {"eta": [0.1, 0.6], "module__dropout": [0.5]}
    alone = GridSearchCV(either(), grid, cv=2, error_score="raise").fit(*table)
    parallel = GridSearchCV(either(), grid, cv=2, error_score="raise", n_jobs=2).fit(*table)
    assert_array_equal(
        parallel.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
    assert_same_weights(parallel.best_estimator_, alone.best_estimator_)


def test_forked_processes(table, either):
    model = either().fit(*table)
    fits = joblib.Parallel(2, backend="multiprocessing")(
        joblib.delayed(clone(model).fit)(*table) for _ in range(2)
    )
    for fitted in fits:
        assert_same_weights(fitted, model)


def test_cross_validation(table, either):
    scores = cross_val_score(either(max_epochs=30, lr=0.02), *table, cv=3, error_score="raise")
    assert scores.min() > 0.8


def test_smote_in_a_pipeline(table, fast):
    pipelines, samplers = (
        pytest.importorskip(f"imblearn.{name}") for name in ["pipeline", "over_sampling"]
    )
    smote = samplers.SMOTE(k_neighbors=3, random_state=0)
    pipeline = pipelines.make_pipeline(StandardScaler(), smote, fast(max_epochs=30, lr=0.02))
    pipeline.fit(*table)
    assert_array_equal(pipeline[-1].class_counts_, [80, 80, 80])
    assert pipeline[-1].alpha_ == 0
    assert pipeline.score(*table) > 0.9


# ------------------------------------------------------------------------------------- keeping


def by_pickle(thing, _):
    return pickle.loads(pickle.dumps(thing))


def by_joblib(thing, folder):
    joblib.dump(thing, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


def by_joblib_memmap(thing, folder):
    joblib.dump(thing, folder / "model.joblib")
    return joblib.load(folder / "model.joblib", mmap_mode="r")


WAYS = {
    "pickle": by_pickle,
    "joblib": by_joblib,
    "joblib_memmap": by_joblib_memmap,
    "deepcopy": lambda thing, _: deepcopy(thing),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"early_stopping": True, "level": "instance", "verbose": True},
        {
            "callbacks": [EpochScoring("accuracy", lower_is_better=False)],
            "class_weight": "exp",
            "logit_adjustment": None,
        },
        {"callbacks": [("counter", EpochCounter())], "random_state": np.random.RandomState(0)},
        {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9, "module": ScoresOnly},
    ],
    ids=lambda settings: "-".join(settings) or "default",
)
def test_a_fitted_model_can_be_kept(table, fast, tmp_path, way, settings):
    model = fast(**settings).fit(*table)
    kept = WAYS[way](model, tmp_path)
    assert_array_equal(kept.predict_proba(table.X), model.predict_proba(table.X))
    assert_same_weights(kept, model)
    assert kept.loss_curve_ == model.loss_curve_
    before = weights(model)
    kept.partial_fit(*table)  # which the original does not notice
    assert all(torch.equal(before[name], value) for name, value in weights(model).items())
    model.set_params(random_state=0)
    assert_same_weights(kept, model.partial_fit(*table))


@pytest.mark.parametrize("way", WAYS)
def test_a_fitted_search_can_be_kept(table, fast, tmp_path, way):
    search = GridSearchCV(make_pipeline(StandardScaler(), fast()), {"crlclassifier__eta": [0.1, 1]})
    search.set_params(cv=2).fit(*table)
    kept = WAYS[way](search, tmp_path)
    assert_array_equal(kept.predict_proba(table.X), search.predict_proba(table.X))
    assert kept.best_params_ == search.best_params_


@pytest.mark.parametrize("way", ["pickle", "joblib", "deepcopy"])
def test_an_unfitted_model_can_be_kept(either, tmp_path, way):
    model = either(module__dropout=0.5)
    assert WAYS[way](model, tmp_path).get_params() == model.get_params()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"early_stopping": True, "level": "instance"},
        {"callbacks": [EpochScoring("accuracy", lower_is_better=False)]},
        {"optimizer": "lbfgs"},
    ],
    ids=lambda settings: "-".join(settings) or "default",
)
def test_a_kept_model_holds_no_training_data(table, fast, settings):
    X, y = table
    model = fast(**settings).fit(X, y, X_val=X + 1, y_val=y)
    kept = pickle.dumps(model)
    for row in np.concatenate([X, X + 1]):
        assert row.tobytes() not in kept
        assert row.astype(float).tobytes() not in kept
    kept = pickle.dumps(model.partial_fit(X + 2, y))
    for row in X + 2:
        assert row.tobytes() not in kept
        assert row.astype(float).tobytes() not in kept


def test_the_size_of_a_kept_model_does_not_grow_with_the_data(table, either):
    X, y = table
    small = either().fit(X, y)
    large = either().fit(np.tile(X, (20, 1)), np.tile(y, 20))
    assert len(pickle.dumps(small)) < 50_000
    assert len(pickle.dumps(large)) == pytest.approx(len(pickle.dumps(small)), abs=500)


# ------------------------------------------------------------------------------------- devices


@pytest.mark.parametrize("device", ["auto", "cpu", torch.device("cpu")])
def test_devices(table, fast, device):
    model = fast(device=device).fit(*table)
    expected = "cuda" if device == "auto" and torch.cuda.is_available() else "cpu"
    assert next(model.module_.parameters()).device.type == expected
    if expected == "cpu":
        assert_same_weights(model, fast(device="cpu").fit(*table))


class TensorFinder(pickle.Pickler):
    """Find the tensors that are pickled one by one."""

    def __init__(self):
        super().__init__(io.BytesIO())
        self.found = []

    def reducer_override(self, thing):
        if isinstance(thing, torch.Tensor):
            self.found.append(thing.data_ptr())
        return NotImplemented


@pytest.mark.parametrize(
    "settings",
    [{}, {"class_weight": "exp", "logit_adjustment": None, "early_stopping": True}],
    ids=str,
)
def test_what_lies_on_the_training_device_is_mapped_when_loaded(table, fast, settings):
    """skorch maps the devices of those tensors alone that it pickles apart from all else.

    Any other that lay on a GPU would keep a pickle from being loaded without one.
    """
    model = fast(**settings).fit(*table)
    net = model.net_
    finder = TensorFinder()
    finder.dump(model)
    on_device = [
        *net.module_.parameters(),
        *net.module_.buffers(),
        *net.criterion_.buffers(),
        *(v for s in net.optimizer_.state.values() for v in s.values() if torch.is_tensor(v)),
    ]
    apart = {tensor.data_ptr() for tensor in on_device if tensor.numel()}
    assert not apart & set(finder.found)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU: nothing to be mapped")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_model_kept_on_a_gpu_loads_without_one(table, fast, device):
    model = fast(early_stopping=True).fit(*table)
    expected = model.predict_proba(table.X)
    model.net_.device = device  # as it is where there is a GPU
    kept = pickle.dumps(model)
    with pytest.warns(DeviceWarning):
        loaded = pickle.loads(kept)
    assert torch.device(loaded.net_.device).type == "cpu"
    assert_array_equal(loaded.predict_proba(table.X), expected)
    assert loaded.partial_fit(*table).n_iter_ == model.n_iter_ + 1


@needs_cuda
def test_trained_on_a_gpu_loaded_on_a_cpu(table, fast, tmp_path):
    model = fast(device="cuda", early_stopping=True, callbacks=[EpochScoring("accuracy")])
    model.fit(*table)
    joblib.dump(model, tmp_path / "model.joblib")
    np.save(tmp_path / "X.npy", table.X)
    code = (
        "import joblib, numpy as np, torch; assert not torch.cuda.is_available();"
        f"model = joblib.load({str(tmp_path / 'model.joblib')!r});"
        f"X = np.load({str(tmp_path / 'X.npy')!r});"
        f"np.save({str(tmp_path / 'p.npy')!r}, model.predict_proba(X));"
        "model.set_params(device='auto').partial_fit(X, model.predict(X))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env={"CUDA_VISIBLE_DEVICES": ""})
    assert done.returncode == 0, done.stderr
    assert_allclose(np.load(tmp_path / "p.npy"), model.predict_proba(table.X), rtol=1e-3)


@needs_cuda
@pytest.mark.parametrize("settings", RANDOM, ids=str)
def test_a_gpu_learns_the_same(table, fast, settings):
    states = torch.cuda.get_rng_state_all()
    model = fast(device="cuda", **settings).fit(*table)
    assert all(
        torch.equal(a, b) for a, b in zip(states, torch.cuda.get_rng_state_all(), strict=True)
    )
    assert next(model.module_.parameters()).is_cuda
    if "module__dropout" not in settings:
        expected = fast(**settings).fit(*table)
        assert_allclose(
            model.predict_proba(table.X), expected.predict_proba(table.X), rtol=1e-2, atol=1e-3
        )


# ------------------------------------------------------------------------------------- real data


def load(folder, name):
    with np.load(folder / "tabular" / f"{name}.npz") as data:
        return data["X"], data["y"], data["class_names"]


def test_logit_adjustment_helps_rare_page_blocks(data_folder):
    X, y, names = load(data_folder, "mc_page_blocks")
    X, X_test, y, y_test = train_test_split(X, names[y], test_size=0.4, stratify=y, random_state=0)
    scores = {}
    for adjustment in [None, "predict"]:
        model = CRLClassifier(
            logit_adjustment=adjustment, max_epochs=15, lr=0.005, random_state=0, device="cpu"
        )
        pipeline = make_pipeline(StandardScaler(), model).fit(X, y)
        scores[adjustment] = pipeline.score(X_test, y_test)
        assert set(model.classes_) == set(names)
    assert scores["predict"] > max(scores[None], 0.8)


def test_missing_values_of_arrhythmia_are_located(data_folder, fast):
    X, y, _ = load(data_folder, "mc_arrhythmia")
    row, column = np.argwhere(np.isnan(X))[0]
    with pytest.raises(ValueError, match=f"NaN at row {row}, column {column}; 408 of"):
        fast().fit(X, y)
    impute = sklearn.impute.SimpleImputer()
    pipeline = make_pipeline(impute, StandardScaler(), fast(lr=0.01, max_epochs=10)).fit(X, y)
    assert pipeline.score(X, y) > 2 / len(np.unique(y))


@pytest.mark.parametrize("name", ["mc_nursery", "mc_yeast", "mc_soybean"])
def test_rare_classes_of_real_tables(data_folder, fast, name):
    X, y, names = load(data_folder, name)
    rarest = np.bincount(y).argmin()
    pipeline = make_pipeline(StandardScaler(), fast(early_stopping=True, batch_size=256))
    pipeline.fit(X, names[y])
    assert_array_equal(pipeline[-1].class_counts_, np.bincount(y)[np.argsort(names)])
    assert np.isfinite(pipeline.predict_proba(X)).all()
    kept = (y != rarest) | (np.cumsum(y == rarest) == 1)  # one of the rarest remains
    with pytest.warns(UserWarning, match=rf"{names[rarest]!s}.*single sample"):
        pipeline.fit(X[kept], names[y][kept])
    assert names[rarest] in pipeline.classes_
    assert np.isfinite(pipeline[-1].validation_scores_).all()


@pytest.mark.parametrize("labels", [[3, 7, 11], [True, False, True]], ids=str)
def test_labels_kept_as_objects(table, either, labels):
    plain = np.array(labels)[table.y]
    model = either().fit(table.X, plain.astype(object))
    assert_array_equal(model.classes_, np.unique(plain))
    assert_array_equal(model.predict(table.X), either().fit(table.X, plain).predict(table.X))


def test_monitored_scores_follow_weights_that_the_user_names(table, fast):
    settings = {"max_epochs": 2, "class_weight": {0: 1.0, 1: 0.0, 2: 0.0}}
    model = fast(monitor="balanced_accuracy", **settings)
    model.fit(*table, X_val=table.X, y_val=table.y)
    of_the_first = (model.predict(table.X) == table.y)[table.y == 0].mean()
    assert model.validation_scores_[-1] == pytest.approx(of_the_first)


@pytest.mark.parametrize("weight", [1.0, 0.7, 3e38, 1e-37])
def test_balanced_classes_have_no_imbalance_however_they_are_weighted(fast, weight):
    """Rounding takes 1 - n / (K n_max) below 0 for some numbers of classes."""
    for n_classes in [2, 10, 20, 21, 45, 47, 49, 52, 300]:
        distribution = ClassDistribution(np.full(n_classes, weight * 30))
        assert 0 <= distribution.omega < 1e-12
    X, y = np.eye(20)[np.arange(200) % 20], np.arange(200) % 20
    model = fast(max_epochs=1).fit(X, y, np.full(200, weight))
    assert model.alpha_ == pytest.approx(0, abs=1e-12)
    assert model.loss_curve_ == pytest.approx(fast(max_epochs=1).fit(X, y).loss_curve_)


def test_validation_classes_without_weight_are_no_score(table, fast):
    X_val = table.X[table.y == 0]
    model = fast(class_weight={0: 0.0})
    with pytest.raises(FloatingPointError, match="no class that has a weight"):
        model.fit(*table, X_val=X_val, y_val=np.zeros(len(X_val), dtype=int))


# ---------------------------------------------------------------------------------------- features


def test_features_are_what_the_last_layer_is_given(table, fast):
    model = fast(module__hidden_units=(8, 6)).fit(*table)
    features = model.features(table.X)
    assert features.shape == (120, 6)
    assert features.dtype == np.float32
    head = model.module_.head
    expected = features @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    assert_allclose(raw_scores(model, table.X), expected, rtol=1e-5, atol=1e-6)


def test_features_of_a_module_that_returns_scores_alone(table, fast):
    def two_layers(n_features, n_classes):
        return nn.Sequential(
            nn.Linear(n_features, 5), nn.Dropout(0.5), nn.Tanh(), nn.Linear(5, n_classes)
        )

    model = fast(module=two_layers).fit(*table)
    with torch.no_grad():
        expected = model.module_[:3].eval()(torch.as_tensor(table.X))
    assert_array_equal(model.features(table.X), expected)
    assert_array_equal(model.features(table.X[:7]), model.features(table.X)[:7])


class Pairs(torch.utils.data.Dataset):
    """Samples with their labels."""

    def __init__(self, X, y):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        return self.X[index], self.y[index]


def test_features_of_samples_on_disk_and_in_a_data_set(table, fast, tmp_path):
    model = fast().fit(*table)
    np.save(tmp_path / "X.npy", table.X)
    on_disk = np.load(tmp_path / "X.npy", mmap_mode="r")
    for X in (on_disk, Pairs(*table)):
        assert_array_equal(model.features(X), model.features(table.X))


def test_features_in_the_precision_of_training(table, fast):
    exact, model = (fast(precision=name).fit(*table) for name in ("float32", "bfloat16"))
    model.module_.load_state_dict(exact.module_.state_dict())
    features, expected = model.features(table.X), exact.features(table.X)
    assert features.dtype == np.float32
    assert_allclose(features, expected, rtol=0.02, atol=0.02)
    assert not np.array_equal(features, expected)
    assert_array_equal(torch.as_tensor(features).bfloat16().float(), features)


def test_features_of_a_compiled_network(table, fast):
    model = fast(compile="eager").fit(*table)
    assert_allclose(model.features(table.X), fast().fit(*table).features(table.X), atol=1e-6)


def test_features_need_a_linear_layer(images, fast):
    def scores_alone(n_classes):
        return nn.Sequential(nn.Conv2d(2, n_classes, 8), nn.Flatten())

    model = fast(module=scores_alone).fit(*images)
    with pytest.raises(ValueError, match=r"features\(\) need features.*Return a tuple"):
        model.features(images.X)


def test_features_of_an_unfitted_classifier_and_of_other_samples(table, fast):
    with pytest.raises(NotFittedError):
        fast().features(table.X)
    with pytest.raises(ValueError, match="4 features"):
        fast().fit(*table).features(table.X[:, :3])
