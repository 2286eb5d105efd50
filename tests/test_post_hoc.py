"""Post-hoc methods around any classifier: decisions, folds, containers, several targets."""

import pickle
import warnings

import naive
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import sklearn
from ids import steady
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneOut,
    ShuffleSplit,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sk_crl import CRLClassifier, MultiOutputCRLClassifier, metrics
from sk_crl import balanced_accuracy as balanced_accuracy_scorer
from sk_crl.baselines import (
    LogitAdjustedClassifier,
    OffsetTunedClassifier,
    PriorThresholdClassifier,
)
from sk_crl.model_selection import MultiOutputStratifiedKFold

METHODS = [PriorThresholdClassifier, LogitAdjustedClassifier, OffsetTunedClassifier]
all_methods = pytest.mark.parametrize("method", METHODS)
pytestmark = pytest.mark.usefixtures("untouched_generators")
LABELS = np.array(["common", "less", "rare"])


@pytest.fixture
def data():
    """300 samples of 4 features, in three overlapping classes of about 240, 45 and 15."""
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.repeat([0, 1, 2], [240, 45, 15]))
    X = rng.normal(size=(300, 4))
    X[:, 0] += 1.5 * (codes == 1)
    X[:, 1] += 2 * (codes == 2)
    return X, codes


@pytest.fixture
def several(data):
    """The same with two targets, the second of two classes."""
    X, codes = data
    return X, np.column_stack([codes, (X[:, 2] > 1).astype(int)])


def small_forest():
    return RandomForestClassifier(10, random_state=0)


# --------------------------------------------------------------------------------- decisions


@pytest.mark.parametrize("exponent", [0, 1, 2.5, 5])
def test_threshold_adjustment_is_that_of_the_paper(data, exponent):
    X, y = data
    model = PriorThresholdClassifier(GaussianNB(), exponents=[exponent]).fit(X, y)
    assert exponent == model.T_
    shares = (np.bincount(y) / len(y)).tolist()
    expected = [
        naive.threshold_adjusted(p, shares, exponent)
        for p in GaussianNB().fit(X, y).predict_proba(X).tolist()
    ]
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)
    assert model.predict(X).tolist() == np.argmax(expected, axis=1).tolist()


@pytest.mark.parametrize("tau", [0, 0.5, 1, 2])
def test_logit_adjustment_is_that_of_menon(data, tau):
    X, y = data
    model = LogitAdjustedClassifier(small_forest(), taus=[tau]).fit(X, y)
    assert tau == model.tau_
    shares = (np.bincount(y) / len(y)).tolist()
    expected = [
        naive.logit_adjusted(p, shares, tau)
        for p in small_forest().fit(X, y).predict_proba(X).tolist()
    ]
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)
    assert model.predict(X).tolist() == np.argmax(expected, axis=1).tolist()


@all_methods
def test_probabilities_and_decision_function_agree_with_predictions(data, method):
    X, y = data
    model = method(small_forest()).fit(X, LABELS[y])
    p, scores = model.predict_proba(X), model.decision_function(X)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    assert np.isfinite(scores).all()
    assert model.classes_.tolist() == LABELS.tolist()
    for table in (p, scores):
        assert model.predict(X).tolist() == LABELS[table.argmax(axis=1)].tolist()
    factors = model.estimator_.predict_proba(X) * np.exp(model.offsets_)
    np.testing.assert_allclose(p, factors / factors.sum(axis=1, keepdims=True), rtol=1e-12)


@all_methods
def test_two_classes_have_one_decision_function(data, method):
    X, y = data
    model = method(small_forest()).fit(X, y > 0)
    scores = model.decision_function(X)
    assert scores.shape == (300,)
    assert np.isfinite(scores).all()
    assert model.predict(X).tolist() == (scores > 0).tolist()


@all_methods
def test_scores_are_those_of_out_of_fold_predictions(data, method):
    X, y = data
    cv = StratifiedKFold(4)
    model = method(GaussianNB(), cv=cv).fit(X, y)
    p = cross_val_predict(GaussianNB(), X, y, cv=cv, method="predict_proba").tolist()
    prior = np.bincount(y) / len(y)
    tried = {
        PriorThresholdClassifier: [-T * prior for T in [1, 2, 3, 4, 5]],
        LogitAdjustedClassifier: [
            -tau * np.log(prior) for tau in [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2]
        ],
        OffsetTunedClassifier: [0 * prior, -np.log(prior), model.offsets_],
    }[method]
    expected = [
        naive.balanced_accuracy_of_offsets(p, y.tolist(), [1] * len(y), offsets.tolist())
        for offsets in tried
    ]
    np.testing.assert_allclose(model.cv_scores_, expected, rtol=1e-12)
    if method is not OffsetTunedClassifier:
        chosen = np.argmax(np.equal(tried, model.offsets_).all(axis=1))
        assert model.cv_scores_[chosen] == model.cv_scores_.max()


def test_of_equally_good_values_the_middle_one_is_chosen():
    X = np.repeat([[0.0], [1.0]], 20, axis=0)
    y = np.repeat([0, 1], 20)
    grid = [3, 0, 2, 1, 4]
    model = LogitAdjustedClassifier(GaussianNB(), taus=grid).fit(X, y)
    assert model.cv_scores_.tolist() == [1.0] * 5
    assert model.tau_ == 2


def test_scores_stand_in_the_order_of_the_grid(data):
    forward = LogitAdjustedClassifier(GaussianNB(), taus=[0, 1, 2]).fit(*data)
    backward = LogitAdjustedClassifier(GaussianNB(), taus=[2, 1, 0]).fit(*data)
    assert len(set(forward.cv_scores_)) == 3
    assert forward.cv_scores_.tolist() == backward.cv_scores_[::-1].tolist()
    assert forward.tau_ == backward.tau_


@pytest.mark.parametrize("seed", range(3))
def test_at_least_as_good_as_scikit_learns_tuned_threshold(seed):
    X, y = make_classification(400, weights=[0.9], flip_y=0.1, random_state=seed)
    cv = StratifiedKFold(5)
    theirs = TunedThresholdClassifierCV(
        LogisticRegression(), scoring="balanced_accuracy", cv=cv, thresholds=200
    ).fit(X, y)
    ours = OffsetTunedClassifier(LogisticRegression(), cv=cv, shrinkage=0).fit(X, y)
    p = cross_val_predict(LogisticRegression(), X, y, cv=cv, method="predict_proba")[:, 1]
    assert ours.cv_scores_[2] >= balanced_accuracy_score(y, p >= theirs.best_threshold_) - 1e-12
    best = max(balanced_accuracy_score(y, p >= threshold) for threshold in p)
    assert ours.cv_scores_[2] == pytest.approx(best, abs=1e-12)


def test_tuning_helps_on_samples_that_were_not_seen(data):
    X, y = data
    plain = GaussianNB().fit(X[:200], y[:200])
    before = balanced_accuracy_score(y[200:], plain.predict(X[200:]))
    for method in METHODS:
        assert method(GaussianNB()).fit(X[:200], y[:200]).score(X[200:], y[200:]) > before


# ------------------------------------------------------------------------------------ scoring


@all_methods
@pytest.mark.parametrize(
    "scoring",
    [
        "balanced_accuracy",
        balanced_accuracy_scorer,
        metrics.balanced_accuracy_score,
        balanced_accuracy_score,
        make_scorer(balanced_accuracy_score),
        lambda y_true, y_pred: balanced_accuracy_score(y_true, y_pred),
    ],
)
def test_a_metric_may_be_given_in_any_way(data, method, scoring):
    X, y = data
    expected = method(GaussianNB()).fit(X[:90], LABELS[y[:90]])
    model = method(GaussianNB(), scoring=scoring).fit(X[:90], LABELS[y[:90]])
    np.testing.assert_allclose(model.cv_scores_, expected.cv_scores_, rtol=1e-12)
    np.testing.assert_allclose(model.offsets_, expected.offsets_, rtol=1e-12)


@pytest.mark.parametrize("scoring", ["accuracy", "f1_macro"])
def test_other_metrics_are_maximised(data, scoring):
    model = OffsetTunedClassifier(GaussianNB(), scoring=scoring, shrinkage=0).fit(*data)
    before, start, after = model.cv_scores_
    assert after > max(before, start) - 1e-12
    assert after > before or scoring == "accuracy"


def test_the_positive_label_of_a_metric(data):
    X, y = data
    names = np.where(y > 0, "yes", "no")
    scoring = make_scorer(f1_score, pos_label="yes")
    model = OffsetTunedClassifier(GaussianNB(), scoring=scoring, shrinkage=0).fit(X, names)
    p = cross_val_predict(
        GaussianNB(), X, names, cv=MultiOutputStratifiedKFold(5), method="predict_proba"
    )
    best = max(f1_score(y > 0, p[:, 1] >= t) for t in np.linspace(0, 1, 50))
    assert model.cv_scores_[2] > best - 0.02
    assert model.cv_scores_[0] == pytest.approx(f1_score(y > 0, p[:, 1] > 0.5))


# -------------------------------------------------------------------------------------- folds


def test_a_class_with_fewer_samples_than_folds_is_no_trouble(data):
    X, y = data
    rows = np.flatnonzero((y < 2) | (np.cumsum(y == 2) <= 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LogitAdjustedClassifier(GaussianNB()).fit(X[rows], y[rows])
    assert model.predict_proba(X).shape == (300, 3)


@all_methods
def test_a_class_absent_from_a_training_part_has_probability_0_and_one_warning(data, method):
    X, y = data
    labels = LABELS[y].astype(object)
    labels[0], labels[1] = "once", "only"
    with pytest.warns(UserWarning, match="'once' of y, 'only' of y") as caught:
        model = method(GaussianNB()).fit(X, labels)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert model.classes_.tolist() == ["common", "less", "once", "only", "rare"]
    assert len(model.offsets_) == 5
    # Their sample is never predicted right, whatever the offset.
    assert max(np.max(scores) for scores in [model.cv_scores_]) <= 3 / 5


@all_methods
def test_a_training_part_with_one_class(method):
    X = np.arange(12.0)[:, None]
    y = np.array(["a"] * 11 + ["b"])
    with pytest.warns(UserWarning, match="absent from the training part.*'b' of y"):
        model = method(LogisticRegression(), cv=3).fit(X, y)
    assert model.cv_scores_.max() <= 0.5  # its only sample is missed
    assert model.predict_proba(X).shape == (12, 2)


def test_a_training_part_with_one_class_of_several_targets(several):
    X, Y = several
    Y = Y.copy()
    Y[:, 1] = 0
    Y[7, 1] = 1
    with pytest.warns(UserWarning, match="absent.*: 1 of target 1"):
        LogitAdjustedClassifier(small_forest()).fit(X, Y)
    base = MultiOutputClassifier(LogisticRegression())
    with pytest.raises(ValueError, match=r"less than two classes of target 1.*MultiOutputClassif"):
        LogitAdjustedClassifier(base).fit(X, Y)


@all_methods
def test_a_frozen_estimator_is_not_fitted_again(data, method):
    X, y = data
    base = GaussianNB().fit(X[:200], LABELS[y[:200]])
    model = method(FrozenEstimator(base)).fit(X[200:], LABELS[y[200:]])
    assert model.estimator_.estimator is base
    p = base.predict_proba(X[200:]).tolist()
    offsets = model.offsets_.tolist()
    score = naive.balanced_accuracy_of_offsets(p, y[200:].tolist(), [1] * 100, offsets)
    assert score == pytest.approx(
        model.cv_scores_[2] if method is OffsetTunedClassifier else model.cv_scores_.max()
    )


def test_a_frozen_estimator_may_know_more_classes(data):
    X, y = data
    base = FrozenEstimator(GaussianNB().fit(X, LABELS[y]))
    rows = y < 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for method in METHODS:
            model = method(base).fit(X[rows], LABELS[y[rows]])
            assert model.classes_.tolist() == LABELS.tolist()
            assert np.isfinite(model.offsets_).all()
    model = LogitAdjustedClassifier(base, taus=[1]).fit(X[rows], LABELS[y[rows]])
    assert model.offsets_[2] == model.offsets_[1] > model.offsets_[0]  # as rare as the rarest seen


def test_folds_may_be_listed_and_fitted_side_by_side(data):
    X, y = data
    splits = list(StratifiedKFold(3).split(X, y))
    one = OffsetTunedClassifier(GaussianNB(), cv=StratifiedKFold(3)).fit(X, y)
    listed = OffsetTunedClassifier(GaussianNB(), cv=splits, n_jobs=2).fit(X, y)
    assert listed.offsets_.tolist() == one.offsets_.tolist()
    LogitAdjustedClassifier(GaussianNB(), cv=LeaveOneOut()).fit(X[:60], y[:60] > 0)


def test_an_integer_means_the_folds_of_multi_output_stratified_k_fold(several):
    X, Y = several
    cv = MultiOutputStratifiedKFold(4)
    for y in (Y, Y[:, 0]):
        for one, other in zip(
            *(
                np.atleast_1d(OffsetTunedClassifier(small_forest(), cv=c).fit(X, y).cv_scores_)
                for c in (4, cv)
            ),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)


# ------------------------------------------------------------------------------------- weights


class Recorder(ClassifierMixin, BaseEstimator):
    """A classifier that keeps what it was given, for all copies in one place."""

    seen: list = []  # noqa: RUF012

    def fit(self, X, y, sample_weight=None, note=None):
        self.classes_ = np.unique(y)
        self.seen.append((X, y, sample_weight, note))
        return self

    def predict_proba(self, X):
        self.seen.append(X)
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        return np.full((n, len(self.classes_)), 1 / len(self.classes_))


@pytest.fixture
def seen():
    Recorder.seen.clear()
    return Recorder.seen


def test_weights_reach_the_classifier_fold_by_fold(seen, data):
    X, y = data
    weight = np.arange(1.0, 301.0)
    LogitAdjustedClassifier(Recorder(), cv=StratifiedKFold(3)).fit(X, y, weight, note="whole")
    fits = [call for call in seen if isinstance(call, tuple)]
    assert len(fits) == 4
    parts = [np.arange(300), *(train for train, _ in StratifiedKFold(3).split(X, y))]
    for (X_fit, y_fit, given, note), rows in zip(fits, parts, strict=True):
        np.testing.assert_array_equal(X_fit, X[rows])
        np.testing.assert_array_equal(y_fit, y[rows])
        np.testing.assert_array_equal(given, weight[rows])
        assert note == "whole"


def test_weights_count_in_shares_and_metric(data):
    X, y = data
    weight = np.random.default_rng(0).uniform(0.1, 3, 300)
    cv = StratifiedKFold(3)
    model = LogitAdjustedClassifier(GaussianNB(), taus=[1], cv=cv).fit(X, y, weight)
    shares = np.bincount(y, weight) / weight.sum()
    np.testing.assert_allclose(model.offsets_, -np.log(shares), rtol=1e-12)
    p = cross_val_predict(
        GaussianNB(), X, y, cv=cv, method="predict_proba", params={"sample_weight": weight}
    )
    expected = naive.balanced_accuracy_of_offsets(
        p.tolist(), y.tolist(), weight.tolist(), model.offsets_.tolist()
    )
    assert model.cv_scores_[0] == pytest.approx(expected, rel=1e-12)
    by_function = clone(model).set_params(scoring=balanced_accuracy_score).fit(X, y, weight)
    assert by_function.cv_scores_[0] == pytest.approx(expected, rel=1e-12)


def test_a_classifier_that_takes_no_weights(data):
    X, y = data
    weight = np.where(y == 0, 0.1, 1)
    model = LogitAdjustedClassifier(KNeighborsClassifier())
    with pytest.warns(UserWarning, match="KNeighborsClassifier does not take sample_weight") as w:
        model.fit(X, y, weight)
    assert w[0].filename == __file__
    assert model.estimator_.n_samples_fit_ == 300


def test_metadata_routing(seen, data):
    X, y = data
    groups = np.arange(300) % 10
    weight = np.arange(1.0, 301.0)
    with sklearn.config_context(enable_metadata_routing=True):
        base = Recorder().set_fit_request(sample_weight=True, note=False)
        cv = GroupKFold(5).set_split_request(groups=True)
        model = PriorThresholdClassifier(base, cv=cv).fit(X, y, sample_weight=weight, groups=groups)
        assert model.get_metadata_routing().consumes("fit", ["groups"]) == {"groups"}
        fits = [call for call in seen if isinstance(call, tuple)]
        for (_, _, given, _), (train, _) in zip(fits[1:], cv.split(X, y, groups), strict=True):
            np.testing.assert_array_equal(given, weight[train])
        with pytest.raises(TypeError, match="note"):
            model.fit(X, y, note="no")
        model = PriorThresholdClassifier(GaussianNB()).fit(X, y)  # nothing to route
        assert model.T_ in (1, 2, 3, 4, 5)


# ---------------------------------------------------------------------------------- containers


@pytest.mark.parametrize(
    "put",
    [
        lambda X: X.tolist(),
        lambda X: pd.DataFrame(X, columns=list("abcd"), index=np.arange(300)[::-1]),
        lambda X: pl.DataFrame(X, schema=list("abcd")),
        scipy.sparse.csr_array,
        scipy.sparse.coo_array,
        lambda X: X.reshape(300, 1, 2, 2),
    ],
    ids=["list", "pandas", "polars", "csr", "coo", "images"],
)
def test_samples_reach_the_classifier_in_their_container(seen, data, put):
    X, y = data
    given = put(X)
    model = LogitAdjustedClassifier(Recorder(), cv=3).fit(given, y)
    model.predict(given)
    fits = [call for call in seen if isinstance(call, tuple)]
    assert fits[0][0] is given
    assert seen[-1] is given
    for part, *_ in fits[1:]:
        assert type(part) is type(given) or scipy.sparse.issparse(given)
        assert scipy.sparse.issparse(part) == scipy.sparse.issparse(given)
        assert np.shape(part)[1:] == np.shape(given)[1:]


@all_methods
def test_names_of_features(data, method):
    X, y = data
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = method(GaussianNB()).fit(frame, pd.Series(LABELS[y]))
    assert model.n_features_in_ == 4
    assert model.feature_names_in_.tolist() == list("abcd")
    assert method(GaussianNB()).fit(X, y).n_features_in_ == 4
    model.fit(X, y)
    assert not hasattr(model, "feature_names_in_")


def test_images_and_our_own_network(images):
    base = CRLClassifier("mlp", max_epochs=2, random_state=0, device="cpu", logit_adjustment=None)
    model = OffsetTunedClassifier(base, cv=3).fit(*images)
    assert model.predict(images.X).shape == (33,)


@all_methods
def test_inside_and_around_pipelines_and_searches(data, method):
    X, y = data
    model = method(make_pipeline(StandardScaler(), LogisticRegression()))
    search = GridSearchCV(model, {"estimator__logisticregression__C": [0.1, 1]}, cv=2)
    search.fit(X, y)
    assert search.best_estimator_.estimator_[-1].C in (0.1, 1)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(search.best_estimator_)).predict(X), search.predict(X)
    )


def test_a_column_of_labels(data):
    X, y = data
    flat = LogitAdjustedClassifier(small_forest()).fit(X, y)
    with pytest.warns(DataConversionWarning) as caught:
        model = LogitAdjustedClassifier(small_forest()).fit(X, y[:, None])
    assert len(caught) == 1
    assert model.predict(X).tolist() == flat.predict(X).tolist()


# ------------------------------------------------------------------------------ several targets


@all_methods
def test_every_target_is_adjusted_by_itself(several, method):
    X, Y = several
    base = MultiOutputClassifier(GaussianNB())
    cv = StratifiedKFold(3).split(X, Y[:, 0])
    splits = list(cv)
    model = method(base, cv=splits).fit(X, Y)
    predicted, probabilities = model.predict(X), model.predict_proba(X)
    assert isinstance(model.offsets_, list)
    assert not hasattr(model, "decision_function")
    for target in range(2):
        alone = method(GaussianNB(), cv=splits).fit(X, Y[:, target])
        assert model.classes_[target].tolist() == alone.classes_.tolist()
        np.testing.assert_allclose(model.offsets_[target], alone.offsets_, rtol=1e-12)
        np.testing.assert_allclose(model.cv_scores_[target], alone.cv_scores_, rtol=1e-12)
        np.testing.assert_allclose(probabilities[target], alone.predict_proba(X), rtol=1e-12)
        assert predicted[:, target].tolist() == alone.predict(X).tolist()
        for name in ("tau_", "T_"):
            if hasattr(alone, name):
                assert getattr(model, name)[target] == getattr(alone, name)
    expected = metrics.balanced_accuracy_score(Y, predicted)
    assert model.score(X, Y) == expected


@all_methods
def test_missing_labels_and_labels_of_any_type_in_a_data_frame(several, method):
    X, Y = several
    frame = pd.DataFrame({"kind": LABELS[Y[:, 0]], "wet": Y[:, 1] == 1})
    frame["wet"] = frame["wet"].astype(object)
    frame.loc[::3, "kind"] = None
    frame.loc[1::3, "wet"] = None
    base = MultiOutputCRLClassifier(n_members=1, max_epochs=3, random_state=0, device="cpu")
    model = method(base, cv=3).fit(X, frame)
    predicted = model.predict(X)
    assert predicted.columns.tolist() == ["kind", "wet"]
    assert set(predicted["kind"]) <= set(LABELS)
    known = frame["kind"].notna().to_numpy()
    counts = [int((frame["kind"] == label).sum()) for label in LABELS]
    shares = np.array(counts) / known.sum()
    if method is PriorThresholdClassifier:
        np.testing.assert_allclose(model.offsets_[0], -model.T_[0] * shares, rtol=1e-12)
    assert 0 <= model.score(X, frame) <= 1


def test_a_label_that_stands_for_none(several):
    X, Y = several
    Y = Y.copy()
    Y[::5, 0] = -1
    base = MultiOutputCRLClassifier(
        n_members=1, max_epochs=2, random_state=0, missing_label=-1, device="cpu"
    )
    model = LogitAdjustedClassifier(base, cv=2, missing_label=-1).fit(X, Y)
    assert model.classes_[0].tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match=r"target 0.*not among the classes \[0, 1, 2\]: \[-1\]"):
        LogitAdjustedClassifier(base, cv=2).fit(X, Y)


@pytest.mark.parametrize("base", [small_forest(), KNeighborsClassifier()])
def test_classifiers_that_know_several_targets(several, base):
    X, Y = several
    model = OffsetTunedClassifier(base).fit(X, Y)
    assert model.predict(X).shape == (300, 2)
    assert [p.shape for p in model.predict_proba(X)] == [(300, 3), (300, 2)]
    assert model.score(X, Y) > metrics.balanced_accuracy_score(Y, base.fit(X, Y).predict(X)) - 0.1


# ------------------------------------------------------------------------------------ bad input


BAD = [
    ({"estimator": SVC()}, "with predict_proba.*SVC.*CalibratedClassifierCV"),
    ({"estimator": None}, "estimator must be a classifier; got None"),
    ({"estimator": GaussianNB}, "estimator must be a classifier; got <class"),
    ({"estimator": StandardScaler()}, "with predict_proba"),
    ({"cv": 1}, "cv must be an integer of at least 2.*1"),
    ({"cv": 0.2}, "cv must be an integer.*0.2"),
    ({"cv": None}, "cv must be an integer.*None"),
    ({"cv": "prefit"}, "cv must be.*'prefit'"),
    ({"cv": 301}, "cv=301 folds.*n_samples=300"),
    ({"cv": ShuffleSplit(2, random_state=0)}, "every row out exactly once.*row .* 0 times"),
    ({"cv": [(np.arange(9), np.arange(9, 20))]}, "every row out exactly once.*row 0 out 0 times"),
    ({"scoring": "no such"}, "'no such' is not a valid scoring value"),
    ({"scoring": 3}, "scoring must be.*3"),
    ({"scoring": None}, "scoring must be.*None"),
    ({"scoring": "roc_auc_ovr"}, "must judge predicted labels.*'roc_auc_ovr'"),
    ({"scoring": lambda y_true, y_pred: float("nan")}, "finite number.*nan"),
    ({"scoring": lambda y_true, y_pred: [1]}, r"finite number.*\[1\]"),
]
BAD_OF_ONE = [
    (PriorThresholdClassifier, {"exponents": []}, r"exponents must be.*\[\]"),
    (PriorThresholdClassifier, {"exponents": 3}, "exponents must be.*3"),
    (PriorThresholdClassifier, {"exponents": "12"}, "exponents must be.*'12'"),
    (PriorThresholdClassifier, {"exponents": [1, -1]}, r"exponents\[1\].*-1"),
    (LogitAdjustedClassifier, {"taus": ()}, r"taus must be.*\(\)"),
    (LogitAdjustedClassifier, {"taus": [0, float("nan")]}, r"taus\[1\].*nan"),
    (LogitAdjustedClassifier, {"taus": [np.inf]}, r"taus\[0\].*inf"),
    (LogitAdjustedClassifier, {"taus": ["one"]}, r"taus\[0\].*'one'"),
    (OffsetTunedClassifier, {"shrinkage": -1}, "shrinkage.*-1"),
    (OffsetTunedClassifier, {"shrinkage": None}, "shrinkage.*None"),
]


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [(m, *bad) for m in METHODS for bad in BAD] + BAD_OF_ONE,
    ids=lambda value: getattr(value, "__name__", steady(value)),
)
def test_a_bad_parameter_changes_nothing(data, method, settings, message):
    X, y = data
    model = method(GaussianNB()).fit(X, y)
    model.set_params(**settings)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is before[name] for name in before)


class Strange(DummyClassifier):
    """A classifier whose probabilities are none."""

    def __init__(self, table):
        super().__init__()
        self.table = table

    def predict_proba(self, X):
        return np.tile(self.table, (len(X), 1))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([0.5, 0.5], r"column for every class, \[\(3,\)\].*got \[\(2,\)\]"),
        ([0.5, np.nan, 0.5], r"finite.*nan.*row 0"),
        ([1.5, -0.5, 0], r"not negative.*-0.5"),
        ([0, 0, 0], r"not all 0"),
    ],
)
@all_methods
def test_probabilities_that_are_none(data, method, table, message):
    with pytest.raises(ValueError, match=message):
        method(Strange(table)).fit(*data)


@all_methods
def test_bad_data(data, several, method):
    X, y = data
    model = method(GaussianNB())
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, y[:100])
    with pytest.raises(ValueError, match=r"sample_weight must have shape \(300,\)"):
        model.fit(X, y, np.ones(7))
    with pytest.raises(ValueError, match="non-negative"):
        model.fit(X, y, -np.ones(300))
    labels = LABELS[y].astype(object)
    labels[3] = None
    with pytest.raises(ValueError, match="no label at row 3"):
        model.fit(X, labels)
    with pytest.raises(ValueError, match="1d array"):
        model.fit(*several)
    X, Y = several
    network = MLPClassifier(max_iter=20, tol=1, random_state=0)
    with pytest.raises(ValueError, match=r"lists with an array.*MultiOutputClassifier"):
        method(network).fit(X, (Y > 0).astype(int))
    assert not hasattr(model, "classes_")
