"""Last layers that are trained again, or normalised, on networks that are trained."""

import copy
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import imblearn.pipeline
import naive
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from imblearn.over_sampling import RandomOverSampler
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sk_crl import CRLClassifier, MultiOutputCRLClassifier
from sk_crl._layout import ColumnLayout
from sk_crl.baselines import (
    MultiOutputResampledClassifier,
    ResampledClassifier,
    RetrainedHeadClassifier,
    TauNormalizedClassifier,
    TripletKNNClassifier,
)
from sk_crl.baselines._balanced_training import train_balanced
from sk_crl.networks import MLP, Branches
from sk_crl.networks._last_layer import LastLayer

METHODS = [RetrainedHeadClassifier, TauNormalizedClassifier]
both = pytest.mark.parametrize("method", METHODS)
pytestmark = pytest.mark.usefixtures("untouched_generators")
LABELS = np.array(["common", "less", "rare"])


def several_labels(y):
    """Two targets, the second of two classes, the first without some labels."""
    Y = np.column_stack([y.astype(float), y > 0])
    Y[::7, 0] = np.nan
    return Y


def fast_several(**settings):
    defaults = {"max_epochs": 3, "batch_size": 32, "random_state": 0, "device": "cpu"}
    if "module" not in settings:
        defaults |= {"module__hidden_units": (8,), "module__branch_units": 4}
    return MultiOutputCRLClassifier(**{"n_members": 1} | defaults | settings)


def make(method, estimator, **settings):
    defaults = {RetrainedHeadClassifier: {"random_state": 0}, TauNormalizedClassifier: {"cv": 3}}
    return method(estimator, **defaults[method] | settings)


def state_of(estimator):
    """The parameters of a fitted network."""
    return {name: value.clone() for name, value in estimator.net_.module_.state_dict().items()}


# ------------------------------------------------------------------------------ τ-normalisation


@pytest.mark.parametrize("tau", [0, 0.5, 1, 2])
def test_tau_normalisation_is_that_of_kang(table, fast, tau):
    X, y = table
    model = TauNormalizedClassifier(fast(), taus=[tau], cv=3).fit(X, y)
    assert model.tau_ == tau
    weights = model.estimator_.module_.head.weight.tolist()
    features = model.estimator_.features(X).tolist()
    expected = np.array([naive.tau_normalized(weights, f, tau) for f in features])
    assert model.predict(X).tolist() == expected.argmax(axis=1).tolist()
    probabilities = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), probabilities, rtol=1e-9)
    np.testing.assert_allclose(model.decision_function(X), np.log(probabilities), rtol=1e-9)


def test_strengths_are_scored_out_of_fold(table, fast):
    X, y = table
    cv, taus = StratifiedKFold(3), [1.5, 0, 0.75]
    model = TauNormalizedClassifier(fast(), taus=taus, cv=cv).fit(X, y)
    predicted = np.empty((3, len(y)), dtype=int)
    for train, test in cv.split(X, y):
        fitted = fast().fit(X[train], y[train])
        weights = fitted.module_.head.weight.tolist()
        for i, tau in enumerate(taus):
            scores = [naive.tau_normalized(weights, f, tau) for f in fitted.features(X[test])]
            predicted[i, test] = np.argmax(scores, axis=1)
    expected = [balanced_accuracy_score(y, of_tau) for of_tau in predicted]
    np.testing.assert_allclose(model.cv_scores_, expected, rtol=1e-12)
    assert model.cv_scores_[taus.index(model.tau_)] == max(expected)


def test_a_class_without_weights_keeps_none(table, fast):
    X, y = table
    plain = fast().fit(X, y)
    with torch.no_grad():
        plain.module_.head.weight[1] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = TauNormalizedClassifier(FrozenEstimator(plain), taus=[1], cv=3).fit(X, y)
    p = model.predict_proba(X)
    assert np.isfinite(p).all()
    weights = plain.module_.head.weight.double().detach().numpy()
    weights[[0, 2]] /= np.linalg.norm(weights[[0, 2]], axis=1, keepdims=True)
    assert model.predict(X).tolist() == (plain.features(X) @ weights.T).argmax(axis=1).tolist()


def test_folds_may_be_fitted_side_by_side(table, fast):
    X, y = table
    one, other = (TauNormalizedClassifier(fast(), cv=3, n_jobs=n).fit(X, y) for n in (1, 2))
    assert one.cv_scores_.tolist() == other.cv_scores_.tolist()


def test_a_class_absent_from_a_training_part(table, fast):
    X, y = table
    y = y.copy()
    y[0] = 3
    with pytest.warns(UserWarning, match="absent.*: 3 of y") as caught:
        model = TauNormalizedClassifier(fast(), cv=3).fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert model.predict_proba(X).shape == (120, 4)
    assert model.cv_scores_.max() <= 3 / 4
    y[1:] = 0
    with pytest.warns(UserWarning, match="absent.*: 3 of y"):
        assert TauNormalizedClassifier(fast(), cv=3).fit(X, y).cv_scores_.max() <= 0.5


# ------------------------------------------------------------------------- trained once more


@pytest.mark.parametrize("adjustment", ["predict", "loss", None])
def test_what_comes_before_the_last_layer_stays_bit_for_bit(table, fast, adjustment):
    X, y = table
    estimator = fast(logit_adjustment=adjustment)
    model = make(RetrainedHeadClassifier, estimator).fit(X, y)
    alone = clone(estimator).fit(X, y)
    for name, value in state_of(model.estimator_).items():
        assert torch.equal(value, state_of(alone)[name]), name
    # And the new layer decides without any correction of the prior.
    scores = alone.features(X).astype(float) @ model.weight_.T + model.bias_
    assert model.predict(X).tolist() == scores.argmax(axis=1).tolist()
    log = np.log(model.predict_proba(X))
    np.testing.assert_allclose(log - log[:, :1], scores - scores[:, :1], rtol=1e-9, atol=1e-9)


def test_only_its_own_training_depends_on_the_correction_of_the_prior(table, fast):
    X, y = table
    one, other = (
        make(RetrainedHeadClassifier, fast(logit_adjustment=a)).fit(X, y).predict_proba(X)
        for a in ("predict", None)
    )
    np.testing.assert_array_equal(one, other)
    one, other = (
        make(TauNormalizedClassifier, fast(logit_adjustment=a, tau=t)).fit(X, y)
        for a, t in (("predict", 2.0), (None, 1.0))
    )
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    np.testing.assert_array_equal(one.cv_scores_, other.cv_scores_)


def overlapping(n=2000):
    """Two classes of 9 to 1, that overlap, in two features."""
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.repeat([0, 1], [9 * n // 10, n // 10]))
    return rng.normal(size=(n, 2)) + 1.5 * codes[:, None], codes


def test_trained_to_the_end_it_is_balanced_logistic_regression():
    """On features that are the data, whose cross-entropy has one minimum."""
    X, y = overlapping()
    weight, bias, losses = train_balanced(
        torch.tensor(X, dtype=torch.float32),
        torch.tensor(y)[:, None],
        torch.ones(len(y)),
        ColumnLayout((2,)),
        max_epochs=60,
        lr=0.05,
        batch_size=200,
        generator=torch.Generator().manual_seed(0),
    )
    expected = LogisticRegression(C=np.inf, class_weight="balanced").fit(X, y)
    coef = (weight[1] - weight[0]).double().numpy()
    intercept = float(bias[1] - bias[0])
    np.testing.assert_allclose(coef, expected.coef_[0], rtol=0.1)
    assert intercept == pytest.approx(expected.intercept_[0], rel=0.1)
    assert np.mean((X @ coef + intercept > 0) == expected.predict(X)) > 0.98
    assert len(losses) == 60
    assert losses[-1] < losses[0]


def test_weights_of_samples_count_within_their_classes():
    X, y = overlapping()
    weight = np.random.default_rng(1).choice([1.0, 9.0], len(y)) * np.where(y, 100, 1)
    trained, bias, _ = train_balanced(
        torch.tensor(X, dtype=torch.float32),
        torch.tensor(y)[:, None],
        torch.tensor(weight),
        ColumnLayout((2,)),
        max_epochs=60,
        lr=0.05,
        batch_size=200,
        generator=torch.Generator().manual_seed(0),
    )
    shares = weight / np.bincount(y, weight)[y]
    expected = LogisticRegression(C=np.inf).fit(X, y, sample_weight=shares * 1000)
    coef = (trained[1] - trained[0]).double().numpy()
    np.testing.assert_allclose(coef, expected.coef_[0], rtol=0.1)
    assert float(bias[1] - bias[0]) == pytest.approx(expected.intercept_[0], rel=0.1)


def test_rare_classes_gain(table, fast):
    X, y = overlapping()
    plain = fast(alpha=0, logit_adjustment=None, max_epochs=20).fit(X[:1000], y[:1000])
    before = balanced_accuracy_score(y[1000:], plain.predict(X[1000:]))
    model = make(RetrainedHeadClassifier, FrozenEstimator(plain)).fit(X[:1000], y[:1000])
    assert model.score(X[1000:], y[1000:]) > before + 0.02


def test_samples_of_weight_0_are_as_good_as_absent(table, fast):
    X, y = table
    weight = np.ones(len(y))
    weight[::3] = 0
    frozen = FrozenEstimator(fast().fit(X, y))
    kept = weight > 0
    one = make(RetrainedHeadClassifier, frozen).fit(X, y, sample_weight=weight)
    other = make(RetrainedHeadClassifier, frozen).fit(X[kept], y[kept])
    np.testing.assert_array_equal(one.weight_, other.weight_)


def test_a_frozen_network_may_know_more_classes(table, fast):
    X, y = table
    frozen = FrozenEstimator(fast().fit(X, LABELS[y]))
    for method in METHODS:
        model = make(method, frozen).fit(X[y < 2], LABELS[y[y < 2]])
        assert model.classes_.tolist() == LABELS.tolist()
        assert np.isfinite(model.predict_proba(X)).all()


def test_a_loss_that_diverges(table, fast):
    X, y = table
    frozen = FrozenEstimator(fast().fit(X, y))
    model = make(RetrainedHeadClassifier, frozen, lr=1e37, batch_size=8, max_epochs=20)
    with pytest.raises(FloatingPointError, match=r"last layer became .* Lower lr \(got 1e\+37\)"):
        model.fit(X, y)
    assert not hasattr(model, "loss_curve_")


# ------------------------------------------------------------------------------ several targets


def test_several_targets_are_trained_with_branches_of_their_own(table):
    X, y = table
    Y = several_labels(y)
    model = make(RetrainedHeadClassifier, fast_several()).fit(X, Y)
    alone = fast_several().fit(X, Y)
    for name, value in state_of(model.estimator_).items():
        assert torch.equal(value, state_of(alone)[name]), name
    features = alone.features(X).astype(float)
    assert features.shape == (120, 2, 4)
    tables = model.predict_proba(X)
    for j, n_classes in enumerate([3, 2]):
        scores = features[:, j] @ model.weight_[j].T + model.bias_[j]
        expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        assert expected.shape == (120, n_classes)
        np.testing.assert_allclose(tables[j], expected, rtol=1e-9)
    assert not hasattr(model, "decision_function")


def test_each_of_several_targets_is_trained_like_one_alone():
    """Shared features and those of each, other numbers of classes, and labels that are missing."""
    X, y = overlapping()
    codes = torch.tensor(np.column_stack([y, np.digitize(X[:, 0], [-1, 1])]))
    codes[::3, 0] = -1
    X = torch.tensor(X, dtype=torch.float32)
    settings = {"max_epochs": 60, "lr": 0.05, "batch_size": 200}
    layout, weight = ColumnLayout((2, 3)), torch.ones(len(X))

    def train(features, codes, layout):
        generator = torch.Generator().manual_seed(0)
        return train_balanced(features, codes, weight, layout, generator=generator, **settings)

    shared, shared_bias, _ = train(X, codes, layout)
    stacked, stacked_bias, _ = train(torch.stack([X, X], 1), codes, layout)
    torch.testing.assert_close(shared, stacked, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(shared_bias, stacked_bias, rtol=1e-3, atol=1e-3)
    rows = codes[:, 0] >= 0
    balanced = LogisticRegression(C=np.inf, class_weight="balanced").fit(X[rows], codes[rows, 0])
    np.testing.assert_allclose((shared[1] - shared[0]).numpy(), balanced.coef_[0], rtol=0.1)
    chosen = (X @ shared[2:].t() + shared_bias[2:]).argmax(1)
    assert balanced_accuracy_score(codes[:, 1], chosen) > 0.95


def test_several_targets_are_normalised_each_by_its_own_strength(table):
    X, y = table
    Y = several_labels(y)
    model = make(TauNormalizedClassifier, fast_several()).fit(X, Y)
    head = model.estimator_.module_.head
    features = model.estimator_.features(X).tolist()
    assert model.tau_.shape == (2,)
    for j, (n_classes, tau) in enumerate(zip([3, 2], model.tau_, strict=True)):
        weights = head.weight[j, :n_classes].tolist()
        expected = [naive.tau_normalized(weights, f[j], tau) for f in features]
        np.testing.assert_array_equal(model.predict(X)[:, j], np.argmax(expected, axis=1))
        assert model.cv_scores_[j].shape == (5,)


def test_strengths_of_one_target_do_not_depend_on_another(table):
    X, y = table
    Y = several_labels(y)
    frozen = FrozenEstimator(fast_several().fit(X, Y))
    both_targets = make(TauNormalizedClassifier, frozen).fit(X, Y)
    Y = Y.copy()
    Y[::2, 1] = np.nan
    half = make(TauNormalizedClassifier, frozen).fit(X, Y)
    np.testing.assert_array_equal(both_targets.cv_scores_[0], half.cv_scores_[0])
    assert (both_targets.cv_scores_[1] != half.cv_scores_[1]).any()


def test_a_target_without_labels_is_refused(table):
    X, y = table
    frozen = FrozenEstimator(fast_several().fit(X, several_labels(y)))
    Y = several_labels(y)
    Y[:, 0] = np.nan
    with pytest.raises(ValueError, match="target 0 has no label at all"):
        make(RetrainedHeadClassifier, frozen).fit(X, Y)


@both
def test_frames_come_back_as_frames(table, method):
    X, y = table
    Y = pd.DataFrame({"size": LABELS[y], "odd": y % 2}, index=range(500, 620))
    Y.loc[500:510, "size"] = None
    frame = pd.DataFrame(X, columns=list("abcd"), index=Y.index)
    model = make(method, fast_several()).fit(frame, Y)
    predicted = model.predict(frame)
    assert predicted.columns.tolist() == ["size", "odd"]
    assert predicted.index.equals(frame.index)
    assert set(predicted["size"]) <= set(LABELS)
    assert model.feature_names_in_.tolist() == list("abcd")
    assert model.n_features_in_ == 4
    assert model.score(frame, Y) > 0.4


@both
def test_a_label_that_stands_for_none(table, method):
    X, y = table
    Y = np.column_stack([y, y > 0]).astype(int)
    Y[::5, 0] = -7
    model = make(method, fast_several(missing_label=-7)).fit(X, Y)
    assert [known.tolist() for known in model.classes_] == [[0, 1, 2], [0, 1]]
    assert 0 <= model.score(X, Y) <= 1


# ------------------------------------------------------------------------------------- networks


class Convolutions(nn.Module):
    """A small network for images, which returns scores alone."""

    def __init__(self, input_shape, n_classes):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(input_shape[0], 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2)
        )
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(16, n_classes)

    def forward(self, X):
        return self.head(self.dropout(self.trunk(X).flatten(1)))


class ListOfScores(nn.Module):
    """A layer of scores for every target, on features that they share or not."""

    def __init__(self, n_features, n_classes, shared=True):
        super().__init__()
        self.trunks = nn.ModuleList(nn.Linear(n_features, 6) for _ in n_classes)
        self.heads = nn.ModuleList(nn.Linear(6, n) for n in n_classes)
        self.shared = shared

    def forward(self, X):
        features = [self.trunks[0 if self.shared else j](X).relu() for j in range(len(self.heads))]
        return [head(feature) for head, feature in zip(self.heads, features, strict=True)]


class Odd(nn.Module):
    """Scores that are made in other ways."""

    def __init__(self, n_features, n_classes, kind):
        super().__init__()
        self.trunk, self.kind = nn.Linear(n_features, 6), kind
        self.head = (Cosine if kind == "cosine" else nn.Linear)(6, n_classes)
        self.matrix = nn.Parameter(torch.randn(6, n_classes))

    def forward(self, X):
        features = self.trunk(X).relu()
        if self.kind == "matrix":
            return features @ self.matrix, features
        if self.kind == "in place":
            return self.head(features).tanh_(), features
        if self.kind == "scaled":
            return 2 * self.head(features), features
        if self.kind == "other features":  # those that come back are not what scores are made of
            return self.head(features), X
        if self.kind == "no bias":
            return nn.functional.linear(features, self.head.weight), features
        if self.kind == "keyword":
            return self.head(input=features)
        if self.kind == "wide":
            return self.head(features).float(), features
        return self.head(features), features


class Cosine(nn.Linear):
    def forward(self, input):
        unit = nn.functional.normalize
        return nn.functional.linear(unit(input), unit(self.weight), self.bias)


@both
def test_images(images, fast, method):
    X, y = images
    estimator = fast(module=Convolutions)
    model = make(method, estimator).fit(X, y)
    assert model.predict(X).shape == (33,)
    alone = clone(estimator).fit(X, y)
    for name, value in state_of(model.estimator_).items():  # batch statistics, too
        assert torch.equal(value, state_of(alone)[name]), name
    with torch.no_grad():
        alone.module_.eval()
        features = alone.module_.trunk(torch.tensor(X)).flatten(1).double().numpy()
    if method is RetrainedHeadClassifier:
        scores = features @ model.weight_.T + model.bias_
    else:
        weight = alone.module_.head.weight.tolist()
        scores = np.array([naive.tau_normalized(weight, f, model.tau_) for f in features])
    np.testing.assert_allclose(
        model.decision_function(X), scores[:, 1] - scores[:, 0], rtol=1e-4, atol=1e-5
    )


@both
def test_a_data_set_that_is_read_sample_by_sample(images, fast, method):
    X, y = images
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(y))
    expected = make(method, fast(module=Convolutions)).fit(X, y)
    model = make(method, fast(module=Convolutions)).fit(data, y)
    for given in (X, data):
        np.testing.assert_allclose(
            model.predict_proba(given), expected.predict_proba(X), rtol=1e-5, atol=1e-7
        )
    if method is TauNormalizedClassifier:
        np.testing.assert_allclose(model.cv_scores_, expected.cv_scores_, rtol=1e-12)


@both
@pytest.mark.parametrize("shared", [True, False])
def test_a_layer_of_scores_for_every_target(table, method, shared):
    X, y = table
    Y = several_labels(y)
    estimator = fast_several(module=ListOfScores, module__shared=shared)
    model = make(method, estimator).fit(X, Y)
    trunks, heads = model.estimator_.module_.trunks, model.estimator_.module_.heads
    for j in range(2):
        with torch.no_grad():
            features = trunks[0 if shared else j](torch.tensor(X)).relu().double().numpy()
        if method is RetrainedHeadClassifier:
            scores = features @ model.weight_[j].T + model.bias_[j]
        else:
            weights = heads[j].weight.tolist()
            scores = [naive.tau_normalized(weights, f, model.tau_[j]) for f in features]
        np.testing.assert_array_equal(model.predict(X)[:, j], np.argmax(scores, axis=1))


@both
@pytest.mark.parametrize("units", [0, 4])
def test_the_default_network_with_branches_and_without(table, method, units):
    X, y = table
    Y = several_labels(y)
    estimator = fast_several(module=MLP, module__hidden_units=(8,), module__branch_units=units)
    model = make(method, estimator).fit(X, Y)
    head = model.estimator_.module_.head
    assert isinstance(head, Branches if units else nn.Linear)
    if method is RetrainedHeadClassifier:
        assert [w.shape for w in model.weight_] == [(3, units or 8), (2, units or 8)]
    assert model.predict(X).shape == (120, 2)


@both
@pytest.mark.parametrize("kind", ["linear", "other features", "keyword"])
def test_what_counts_is_what_the_last_layer_is_given(table, fast, method, kind):
    X, y = table
    models = [make(method, fast(module=Odd, module__kind=k)).fit(X, y) for k in ("linear", kind)]
    np.testing.assert_array_equal(*(model.predict_proba(X) for model in models))


@both
@pytest.mark.parametrize("kind", ["matrix", "in place", "scaled", "no bias", "cosine"])
def test_scores_that_no_linear_layer_makes_are_refused(table, fast, method, kind):
    X, y = table
    model = make(method, fast(module=Odd, module__kind=kind))
    with pytest.raises(ValueError, match=r"last layer must be linear.*nn\.Linear.*not, in Odd"):
        model.fit(X, y)
    assert not hasattr(model, "estimator_")


@both
def test_a_network_that_is_compiled(table, fast, method):
    X, y = table
    settings = {"module": Convolutions, "compile": "eager", "max_epochs": 1}
    X = np.tile(X[:, None, :, None], (1, 1, 1, 4))
    compiled = fast(**settings).fit(X, y)
    compiled.predict(X)  # what is compiled now knows no hooks
    model = make(method, FrozenEstimator(compiled)).fit(X, y)
    assert model.predict(X).shape == (120,)
    plain = fast(**settings | {"compile": False}).fit(X, y)
    expected = make(method, FrozenEstimator(plain)).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), rtol=1e-4)


def test_another_thread_may_predict_with_the_same_network(table, fast):
    X, y = table
    plain = fast().fit(X, y)
    model = make(RetrainedHeadClassifier, FrozenEstimator(plain)).fit(X, y)
    expected = model.predict_proba(X)
    with LastLayer(plain.net_.module_) as last, ThreadPoolExecutor(1) as thread:
        answer = thread.submit(model.predict_proba, X).result()
        plain.predict(X[:7])
    np.testing.assert_array_equal(answer, expected)
    assert len(last.inputs()) == 7


@both
def test_mixed_precision(table, fast, method):
    X, y = table
    estimator = fast(precision="bfloat16", module=Odd, module__kind="wide", max_epochs=40)
    own = {"max_epochs": 200} if method is RetrainedHeadClassifier else {}
    model = make(method, estimator, **own).fit(X, y)
    assert model.score(X, y) > 0.8


# ------------------------------------------------------------------------------- as estimators


@both
def test_a_frozen_network_stays_as_it_was(table, fast, method):
    X, y = table
    plain = fast().fit(X, y)
    before, state, told = state_of(plain), copy.deepcopy(plain.get_params()), set(vars(plain))
    answer = plain.predict_proba(X)
    model = make(method, FrozenEstimator(plain)).fit(X, y)
    model.predict(X)
    assert model.estimator_.estimator is plain
    assert plain.get_params() == state
    assert set(vars(plain)) == told
    for name, value in state_of(plain).items():
        assert torch.equal(value, before[name])
    assert not any(layer._forward_hooks for layer in plain.net_.module_.modules())
    np.testing.assert_array_equal(plain.predict_proba(X), answer)


@both
@pytest.mark.parametrize("frozen", [False, True])
def test_around_a_pipeline(table, fast, method, frozen):
    X, y = table
    scaler = StandardScaler().fit(X)
    pipeline = make_pipeline(StandardScaler(), fast())
    if frozen:
        pipeline = FrozenEstimator(pipeline.fit(X, y))
        inner = FrozenEstimator(pipeline[-1])
    else:
        inner = fast()
    taken = {"taus": [1]} if method is TauNormalizedClassifier else {}
    model = make(method, pipeline, **taken).fit(X, y)
    within = make(method, inner, **taken).fit(scaler.transform(X), y)
    np.testing.assert_array_equal(model.predict_proba(X), within.predict_proba(scaler.transform(X)))


@both
def test_around_a_pipeline_that_samples(table, fast, method):
    X, y = table
    pipeline = imblearn.pipeline.make_pipeline(
        StandardScaler(), "passthrough", RandomOverSampler(random_state=0), fast()
    )
    model = make(method, FrozenEstimator(pipeline.fit(X, y))).fit(X, y)
    scaled = pipeline[0].transform(X)
    within = make(method, FrozenEstimator(pipeline[-1])).fit(scaled, y)
    np.testing.assert_array_equal(model.predict_proba(X), within.predict_proba(scaled))


@both
@pytest.mark.parametrize("estimator", [ResampledClassifier, MultiOutputResampledClassifier])
def test_around_resampling(table, method, estimator):
    X, y = table
    y = y[:, None] if estimator is MultiOutputResampledClassifier else y
    base = estimator(max_epochs=3, module__hidden_units=(8,), random_state=0, device="cpu")
    assert make(method, base).fit(X, y).predict(X).shape == y.shape


@both
def test_fits_are_repeatable_and_survive_pickling(table, fast, method):
    X, y = table
    model = make(method, fast()).fit(X, LABELS[y])
    again = clone(model).fit(X, LABELS[y])
    revived = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))
    np.testing.assert_array_equal(model.predict_proba(X), revived.predict_proba(X))
    assert model.predict(X).dtype == LABELS.dtype


def test_seeds_matter(table, fast):
    X, y = table
    frozen = FrozenEstimator(fast().fit(X, y))
    one, other = (
        RetrainedHeadClassifier(frozen, max_epochs=1, random_state=seed).fit(X, y).weight_
        for seed in (0, 1)
    )
    assert (one != other).any()
    generator = np.random.default_rng(0)
    RetrainedHeadClassifier(frozen, max_epochs=1, random_state=generator).fit(X, y)
    assert generator.bit_generator.state != np.random.default_rng(0).bit_generator.state


@both
def test_grid_search(table, fast, method):
    X, y = table
    own = {"taus": [[0], [0, 1]]} if method is TauNormalizedClassifier else {"lr": [0.01, 0.1]}
    grid = {"estimator__eta": [0.2, 0.5], **own}
    search = GridSearchCV(make(method, fast(max_epochs=1)), grid, cv=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    by_hand = make(method, fast(max_epochs=1)).set_params(**search.best_params_).fit(X, y)
    np.testing.assert_array_equal(search.predict_proba(X), by_hand.predict_proba(X))


@both
def test_metadata_are_routed(table, fast, method):
    X, y = table
    weight = np.linspace(0.5, 2, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        routed = make(method, fast().set_fit_request(sample_weight=True))
        routed.fit(X, y, sample_weight=weight)
    plain = make(method, fast()).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(routed.predict_proba(X), plain.predict_proba(X))
    unweighted = make(method, fast()).fit(X, y)
    assert (unweighted.predict_proba(X) != plain.predict_proba(X)).any()


# ------------------------------------------------------------------------------------ bad input


@both
@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        CRLClassifier,
        TripletKNNClassifier(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        FrozenEstimator(LogisticRegression()),
        "mlp",
        None,
    ],
    ids=str,
)
def test_what_trains_no_last_layer_is_refused(table, method, estimator):
    with pytest.raises(ValueError, match=r"must train a network and its last layer: CRLClassifier"):
        make(method, estimator).fit(*table)


@pytest.mark.parametrize("method", [RetrainedHeadClassifier, TauNormalizedClassifier])
@pytest.mark.parametrize("n_members", [None, 3])
def test_ensembles_have_no_single_last_layer(table, fast, method, n_members):
    ensemble = fast(n_members=n_members)
    message = r"(?s)must train a single network.*an ensemble. Set n_members=1"
    for estimator in (ensemble, make_pipeline(StandardScaler(), ensemble)):
        with pytest.raises(ValueError, match=message):
            make(method, estimator).fit(*table)
    frozen = FrozenEstimator(fast(n_members=2).fit(*table))
    with pytest.raises(ValueError, match=message):
        make(method, frozen).fit(*table)
    single = FrozenEstimator(fast(n_members=1).fit(*table))
    assert make(method, single).fit(*table).predict(table.X).shape == (120,)
    single.estimator.n_members = n_members  # what is set after a fit changes nothing about it
    assert make(method, single).fit(*table).predict(table.X).shape == (120,)


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        (RetrainedHeadClassifier, {"max_epochs": 0}, "max_epochs must be an integer"),
        (RetrainedHeadClassifier, {"batch_size": 1.5}, "batch_size must be an integer"),
        (RetrainedHeadClassifier, {"lr": 0}, "lr must be"),
        (RetrainedHeadClassifier, {"lr": "fast"}, "lr must be"),
        (RetrainedHeadClassifier, {"random_state": -1}, "random_state must be"),
        (TauNormalizedClassifier, {"taus": []}, "taus must be a list of one or more"),
        (TauNormalizedClassifier, {"taus": [-1]}, r"taus\[0\] must be"),
        (TauNormalizedClassifier, {"taus": {0: 1}.values()}, r"taus must be a list .*got dict_val"),
        (TauNormalizedClassifier, {"taus": iter([0, 1])}, "taus must be a list of one or more"),
        (TauNormalizedClassifier, {"taus": [1e9]}, "taus must be small enough .* got 1e.?0+9"),
        (TauNormalizedClassifier, {"scoring": "roc_auc"}, "scoring must judge predicted labels"),
        (TauNormalizedClassifier, {"cv": 1}, "cv must be an integer"),
    ],
)
def test_bad_parameters_change_nothing(table, fast, method, settings, message):
    X, y = table
    model = make(method, fast()).fit(X, y)
    before = dict(vars(model.set_params(**settings)))
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert vars(model) == before


@both
def test_networks_that_are_not_fitted(table, fast, method):
    X, y = table
    with pytest.raises(NotFittedError):
        make(method, fast()).predict(X)
    with pytest.raises(NotFittedError):
        make(method, FrozenEstimator(fast())).fit(X, y)


@both
def test_labels_that_the_network_does_not_know(table, fast, method):
    X, y = table
    frozen = FrozenEstimator(fast().fit(X, y))
    with pytest.raises(ValueError, match="7"):
        make(method, frozen).fit(X, np.where(y == 2, 7, y))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make(method, frozen).fit(X, y[:-1])


@both
def test_scores_that_are_no_numbers(table, fast, method):
    X, y = table
    model = make(method, fast()).fit(X, y)
    with torch.no_grad():
        model.estimator_.module_.head.weight[0, 0] = torch.nan
    with pytest.raises(FloatingPointError, match="scores are infinite or NaN, first for row"):
        model.predict(X)
