"""Estimators that train an ensemble: what users see of it."""

import copy
import pickle
import re
import warnings
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ids import steady
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.utils.class_weight import compute_sample_weight
from skorch.callbacks import BatchScoring, Callback, EpochScoring
from torch import nn
from torch.utils.data import TensorDataset

from sk_crl import CRLClassifier, MultiOutputCRLClassifier
from sk_crl._ensembling import MEMBERS
from sk_crl.networks import MLP, TableNetwork
from sk_crl.networks._members import Members
from sk_crl.training._data import CodedData
from sk_crl.training._sources import make_source

SMALL = {"module__hidden_units": (8,), "max_epochs": 3, "random_state": 0, "device": "cpu"}


def ensemble(**settings):
    """A classifier that makes an ensemble in hundredths of a second."""
    return CRLClassifier(**SMALL | settings)


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [80, 28, 12])
    X = rng.normal(size=(120, 4)).astype(np.float32) + y[:, None]
    return ensemble().fit(X, y), X, y


def same(model, state):
    """Whether a model holds the same objects as before."""
    return vars(model).keys() == state.keys() and all(vars(model)[k] is state[k] for k in state)


# What is made.


def test_a_table_is_given_to_an_ensemble(fitted):
    model, X, _ = fitted
    assert isinstance(model.module_, Members)
    assert model.n_networks_ == 2 * MEMBERS  # with class rectification, and without
    assert type(model.module_._template[0].network) is TableNetwork
    assert model.net_.folds.n_folds == MEMBERS
    assert model.n_features_in_ == X.shape[1]


@pytest.mark.parametrize("settings", [{"eta": 0.3}, {"alpha": 0.2}, {"alpha": 0}], ids=steady)
def test_a_weight_that_is_given_is_that_of_all_members(table, settings):
    model = ensemble(n_members=3, **settings).fit(*table)
    assert model.n_networks_ == 3
    expected = settings.get("alpha", settings.get("eta", 0) * model.omega_)
    assert model.alpha_ == pytest.approx(expected)


def test_classes_of_one_size_need_no_rectification(table):
    model = ensemble(n_members=3).fit(table.X[:40], np.arange(40) % 2)
    assert model.n_networks_ == 3
    assert model.alpha_ == 0


def test_the_weight_is_that_of_the_members_chosen(fitted):
    model, _, _ = fitted
    share = model.alpha_ / (0.4 * model.omega_)
    assert share == pytest.approx(model._variant_weight[1, 0])
    counts = model.net_.averaging.weight[:, 0]
    assert_allclose(counts[MEMBERS:].sum(), share, rtol=1e-6)
    assert_allclose(counts.sum(), 1, rtol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {"n_members": 1},
        {"module": "mlp"},
        {"module": MLP},
        {"logit_adjustment": "predict"},
        {"logit_adjustment": None},
        {"early_stopping": True},
        {"warm_start": True},
        {"batch_sampler": "balanced"},
        {"precision": "bfloat16"},
    ],
    ids=steady,
)
def test_what_speaks_of_one_network_makes_one(table, settings):
    model = ensemble(**settings).fit(*table)
    assert type(model.module_) is MLP
    assert model.n_networks_ == 1
    assert model._encoder is None
    assert model.n_iter_ == 3


@pytest.mark.parametrize(
    "settings", [{"class_weight": {0: 2}}, {"callbacks": [Callback()]}], ids=steady
)
def test_what_ensembles_have_too_makes_one(table, settings):
    model = ensemble(**settings).fit(*table)
    assert type(model.module_) is Members
    assert model.n_networks_ == 2 * MEMBERS


def test_validation_data_make_one_network(table):
    model = ensemble().fit(*table, X_val=table.X, y_val=table.y)
    assert type(model.module_) is MLP


def test_partial_fit_makes_one_network(table):
    model = ensemble().partial_fit(*table, classes=[0, 1, 2])
    assert type(model.module_) is MLP
    assert model.partial_fit(*table).n_iter_ == 2


def test_partial_fit_does_not_go_on_with_an_ensemble(fitted):
    model, X, y = fitted
    state = dict(vars(model))
    with pytest.raises(AttributeError, match="no attribute 'partial_fit'") as caught:
        model.partial_fit(X, y)
    assert re.search(r"trains a single network.*n_members=1", str(caught.value.__cause__))
    assert same(model, state)
    new = ensemble(n_members=3)
    assert not hasattr(new, "partial_fit")
    assert hasattr(new.set_params(n_members=1), "partial_fit")
    with pytest.raises(NotFittedError):
        new.predict(X)


@pytest.mark.parametrize(
    "settings",
    [
        {"early_stopping": True},
        {"warm_start": True},
        {"batch_sampler": "balanced"},
        {"compile": True},
        {"precision": "bfloat16"},
    ],
    ids=steady,
)
def test_what_only_a_single_network_has(table, settings):
    (name,) = settings
    with pytest.raises(
        ValueError, match=rf"^{name} works with a single .*3. Set n_members=1 or leave it"
    ):
        ensemble(n_members=3, **settings).fit(*table)


def test_validation_data_are_of_a_single_network(table):
    with pytest.raises(ValueError, match=r"^X_val and early_stopping work with .*leave them out"):
        ensemble(n_members=3, early_stopping=True).fit(*table, X_val=table.X, y_val=table.y)


@pytest.mark.parametrize("n_members", [0, -1, 1.5, "8", True, float("nan")])
def test_numbers_of_members_that_are_none(table, n_members):
    with pytest.raises(ValueError, match="n_members must be an integer of at least 1, or None"):
        ensemble(n_members=n_members).fit(*table)


@pytest.mark.parametrize("max_time", [0, -1, "x", float("nan"), True])
def test_times_that_are_none(table, max_time):
    with pytest.raises(ValueError, match="max_time must be a number"):
        ensemble(max_time=max_time).fit(*table)


@pytest.mark.parametrize("name", ["max_epochs", "batch_size"])
@pytest.mark.parametrize("value", [0, 1.5, "automatic", None])
def test_numbers_that_are_none(table, name, value):
    with pytest.raises(ValueError, match=rf"{name} must be an integer of at least 1, or 'auto'"):
        ensemble(**{name: value}).fit(*table)


@pytest.mark.parametrize(("n", "size"), [(30, 16), (300, 16), (400, 32), (1600, 128), (4000, 256)])
def test_size_of_batches(n, size):
    model = ensemble(max_epochs=1, n_members=2, alpha=0)
    X = np.random.default_rng(0).normal(size=(n, 2))
    model.fit(X, np.arange(n) % 2)
    assert model.net_.batch_size == size


# Repeatable, and without traces.


@pytest.mark.usefixtures("untouched_generators")
@pytest.mark.parametrize("settings", [{}, {"n_members": 3, "module__dropout": 0.3}], ids=steady)
def test_one_random_state_gives_the_same_bits(table, settings):
    one, two = (ensemble(**settings).fit(*table) for _ in range(2))
    assert_array_equal(one.predict_proba(table.X), two.predict_proba(table.X))
    assert one.loss_curve_ == two.loss_curve_
    other = ensemble(**settings | {"random_state": 1}).fit(*table)
    assert not np.array_equal(other.predict_proba(table.X), one.predict_proba(table.X))


@pytest.mark.parametrize("random_state", [np.random.RandomState, np.random.default_rng])
def test_a_generator_is_drawn_from(table, random_state):
    generator = random_state(0)
    models = [ensemble(n_members=3, random_state=generator).fit(*table) for _ in range(2)]
    again = ensemble(n_members=3, random_state=random_state(0)).fit(*table)
    first, second, third = (m.predict_proba(table.X) for m in (*models, again))
    assert_array_equal(first, third)
    assert not np.array_equal(first, second)


def test_containers_make_no_difference(table, container):
    X = np.round(8 * table.X)
    expected = ensemble(n_members=3, alpha=0.2, module="table").fit(X, table.y)
    model = clone(expected).fit(container(X), table.y)
    assert_array_equal(model.predict_proba(container(X)), expected.predict_proba(X))


def test_labels_of_any_kind(table):
    names = np.array(["few", "many", "some"])[[1, 2, 0]][table.y]
    model = ensemble(n_members=3).fit(table.X, names)
    assert_array_equal(model.classes_, ["few", "many", "some"])
    assert set(model.predict(table.X)) <= set(names)


class Fails(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise RuntimeError("on purpose")


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"n_members": 0}, ValueError),
        ({"eta": -1}, ValueError),
        ({"target_prior": "flat"}, ValueError),
        ({"lr": 1e30}, FloatingPointError),
        ({"n_members": 3, "callbacks": [Fails()]}, RuntimeError),
        ({"n_members": 3, "module": "resnet"}, ValueError),
        ({"categorical_features": ["no such column"]}, (ValueError, TypeError)),
    ],
    ids=steady,
)
def test_a_fit_that_fails_changes_nothing(fitted, settings, error):
    model, X, y = fitted
    model = copy.deepcopy(model)
    expected = model.predict_proba(X)
    generator = np.random.default_rng(0)
    model.set_params(random_state=generator, **settings)
    state, drawn_from = dict(vars(model)), generator.bit_generator.state
    with pytest.raises(error):
        model.fit(X[:100, :3], y[:100])
    assert same(model, state)
    assert generator.bit_generator.state == drawn_from
    model.set_params(target_prior="uniform")
    assert_array_equal(model.predict_proba(X), expected)
    unfitted = ensemble(**settings)
    with pytest.raises(error):
        unfitted.fit(X[:100, :3], y[:100])
    with pytest.raises(NotFittedError):
        unfitted.predict(X)


def test_scores_that_are_lost_after_the_last_step(table):
    """Weights that are finite, and too large for scores, are found before anything is fitted."""
    with pytest.raises(FloatingPointError, match=r"infinite or NaN in epoch 1.*lr"):
        ensemble(n_members=3, lr=1e20, max_epochs=1, batch_size=200).fit(*table)


def test_from_ensemble_to_network_and_back(fitted):
    model, X, y = fitted
    model = copy.deepcopy(model)
    expected = model.predict_proba(X)
    model.set_params(n_members=1).fit(X, y)
    assert type(model.module_) is MLP
    assert not hasattr(model, "validation_scores_")
    one = ensemble(n_members=1).fit(X, y)
    assert_array_equal(model.predict_proba(X), one.predict_proba(X))
    assert model.alpha_ == one.alpha_
    model.set_params(n_members=None).fit(X, y)
    assert_array_equal(model.predict_proba(X), expected)


@pytest.mark.parametrize("n_members", [None, 1, 3])
def test_an_ensemble_is_no_start_for_a_network(fitted, n_members):
    model, X, y = fitted
    model = copy.deepcopy(model).set_params(warm_start=True, n_members=n_members)
    state = dict(vars(model))
    message = r"^warm_start goes on with a single network.*ensemble of 16 networks.*n_members=1"
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert same(model, state)


# Predictions and fitted attributes.


def test_predictions_are_the_most_probable(fitted):
    model, X, y = fitted
    probabilities = model.predict_proba(X)
    assert probabilities.dtype == np.float32
    assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert_array_equal(model.predict(X), model.classes_[probabilities.argmax(1)])
    assert model.score(X, y) == balanced_accuracy_score(y, model.predict(X))


def test_rows_are_predicted_each_by_itself(fitted):
    model, X, _ = fitted
    together = model.predict_proba(X)
    alone = np.concatenate([model.predict_proba(row[None]) for row in X[:20]])
    assert_allclose(alone, together[:20], atol=1e-6)
    order = np.random.default_rng(0).permutation(len(X))
    assert_allclose(model.predict_proba(X[order]), together[order], atol=1e-6)
    assert_allclose(model.predict_proba(np.tile(X, (40, 1)))[-120:], together, atol=1e-6)


def member(model, m):
    """The network of one member, on its own."""
    network = copy.deepcopy(model.module_._template[0])
    state = model.module_.state_dict()
    names = network.state_dict()
    network.load_state_dict({name: state[name.replace(".", "/")][m] for name in names})
    return network.eval()


@pytest.mark.parametrize("logit_adjustment", ["loss", "predict", None])
def test_predictions_are_the_mean_of_the_members(table, logit_adjustment):
    model = ensemble(n_members=3, logit_adjustment=logit_adjustment, tau=0.5).fit(*table)
    X = torch.from_numpy(model._encoder.transform(table.X))
    n_members = model.n_networks_
    mean = np.zeros((len(X), 3))
    fold = model.net_.folds.fold.numpy()
    features = []
    for m in range(n_members):
        scores, feature = member(model, m)(X)
        features.append(feature.detach().numpy())
        scores = scores.detach().double().numpy()
        if logit_adjustment == "predict":  # of what the member itself was trained on
            counts = np.bincount(table.y[fold != m % 3], minlength=3)
            scores = scores - 0.5 * np.log(counts / counts.sum())
        odds = np.exp(scores)
        weight = model._variant_weight[m // 3, 0] / 3
        mean += weight * odds / odds.sum(1, keepdims=True)
    assert_allclose(model.predict_proba(table.X), mean, atol=1e-6)
    assert_allclose(model.features(table.X), np.concatenate(features, 1), atol=1e-5)


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("tau", [1.0, 0.5])
@pytest.mark.parametrize("logit_adjustment", ["loss", "predict"])
def test_predictions_for_the_prior_of_training(table, logit_adjustment, tau, n_members):
    model = ensemble(n_members=n_members, logit_adjustment=logit_adjustment, tau=tau).fit(*table)
    uniform = model.predict_proba(table.X).astype(np.float64)
    odds = uniform * model.prior_**tau
    expected = odds / odds.sum(1, keepdims=True)
    model.set_params(target_prior="training")
    assert_allclose(model.predict_proba(table.X), expected, rtol=2e-5, atol=1e-7)
    assert_array_equal(model.predict(table.X), expected.argmax(1))
    # What the network was trained under counts, not what is set afterwards.
    model.set_params(tau=0.1, logit_adjustment="predict")
    assert_allclose(model.predict_proba(table.X), expected, rtol=2e-5, atol=1e-7)
    model.set_params(target_prior="flat")
    with pytest.raises(ValueError, match="target_prior must be one of 'uniform', 'training'"):
        model.predict(table.X)


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize(
    "settings",
    [
        {"logit_adjustment": None},
        {"logit_adjustment": None, "class_weight": "balanced"},
        {"tau": 0},
    ],
    ids=steady,
)
def test_without_a_correction_no_prior_can_be_put_back(table, settings, n_members):
    message = r"target_prior='training' puts back .*Leave target_prior out, or fit with logit_adj"
    model = ensemble(n_members=n_members, target_prior="training", **settings)
    with pytest.raises(ValueError, match=message):
        model.fit(*table)
    if n_members == 1:
        with pytest.raises(ValueError, match=message):
            model.partial_fit(*table, classes=[0, 1, 2])
    model.set_params(target_prior="uniform").fit(*table)
    # What the network was trained under counts, not what is set afterwards.
    model.set_params(target_prior="training", logit_adjustment="predict", tau=1.0)
    with pytest.raises(ValueError, match=message):
        model.predict(table.X)


def test_attributes(fitted):
    model, X, _ = fitted
    assert model.n_iter_ == len(model.loss_curve_) == len(model.validation_scores_) == 3
    history = model.net_.history
    assert model.loss_curve_ == history[:, "train_loss"]
    assert model.validation_scores_ == [-loss for loss in history[:, "valid_loss"]]
    for epoch in history:
        assert len(epoch["valid_loss_of_members"]) == 2 * MEMBERS
        assert epoch["valid_loss"] == pytest.approx(np.mean(epoch["valid_loss_of_members"]))
    assert_array_equal(model.class_counts_, [80, 28, 12])
    assert_array_equal(model.minority_classes_, [1, 2])
    assert_array_equal(model.batch_prior_, model.prior_)
    assert model.features(X).shape == (120, 8 * 2 * MEMBERS)


def test_best_validation_score_is_that_of_out_of_fold_predictions(fitted):
    model, X, y = fitted
    encoded = torch.from_numpy(model._encoder.transform(X))
    fold = model.net_.folds.fold.numpy()
    predicted = np.zeros((len(y), 3))
    for m in range(2 * MEMBERS):
        rows = fold == m % MEMBERS
        scores = member(model, m)(encoded[rows])[0].detach()  # of members that adjust their loss
        predicted[rows] += model._variant_weight[m // MEMBERS, 0] * scores.softmax(1).numpy()
    of_classes = [-np.log(predicted[y == c, place]).mean() for place, c in enumerate(np.unique(y))]
    assert model.best_validation_score_ == pytest.approx(-np.mean(of_classes), rel=1e-4)


@pytest.mark.parametrize("n_members", [1, 3])
def test_time_ends_training_with_the_epoch(table, n_members, monkeypatch):
    now = iter([100.0, 101.0, 102.0, 103.5, 104.0])
    clock = SimpleNamespace(monotonic=lambda: next(now))
    monkeypatch.setattr("sk_crl.training._stopping.time", clock)
    model = ensemble(n_members=n_members, max_epochs=20, max_time=3.0).fit(*table)
    assert model.n_iter_ == 3
    assert model.predict(table.X).shape == (120,)


def test_losses_are_means_over_the_members(table):
    """The members of an ensemble of equal networks lose what one of them does."""
    model = ensemble(n_members=6, alpha=0, max_epochs=1, lr=1e-12, batch_size=200).fit(*table)
    losses = []
    X = torch.from_numpy(model._encoder.transform(table.X))
    fold = model.net_.folds.fold.numpy()
    for m in range(6):
        own = fold != m
        prior = np.bincount(table.y[own]) / own.sum()
        scores = member(model, m)(X[own])[0].detach() + torch.from_numpy(np.log(prior))
        losses.append(nn.functional.cross_entropy(scores, torch.from_numpy(table.y[own])).item())
    assert model.loss_curve_ == [pytest.approx(np.mean(losses), rel=1e-4)]


def test_scores_of_the_monitor(table):
    model = ensemble(n_members=3, monitor="balanced_accuracy", patience=1, max_epochs=30)
    model.fit(*table)
    assert model.validation_scores_ == model.net_.history[:, "valid_balanced_accuracy"]
    assert 0 < model.best_validation_score_ <= 1
    assert model.n_iter_ < 30


# In company.


def test_copies_and_pickles(fitted):
    model, X, _ = fitted
    expected = model.predict_proba(X)
    for duplicate in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert_array_equal(duplicate.predict_proba(X), expected)
        assert_array_equal(duplicate.features(X), model.features(X))
    unfitted = clone(model)
    assert unfitted.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        unfitted.predict(X)


def test_pickles_hold_no_state_of_the_optimizer(table):
    """Nothing goes on with an ensemble, and Adam's state is as large as two networks."""
    settings = {"module__hidden_units": (64, 64), "alpha": 0, "n_members": 6}
    model = ensemble(**settings).fit(*table)
    weights = sum(p.nbytes for p in model.module_.parameters())
    assert len(pickle.dumps(model)) < 1.5 * weights


def test_grid_search(table):
    search = GridSearchCV(ensemble(n_members=2), {"eta": ["auto", 0.3], "kappa": [1, None]}, cv=2)
    search.fit(*table)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_
    assert best.n_networks_ == (4 if best.eta == "auto" else 2)
    assert best.net_.criterion_.rectification.kappa == best.kappa


def test_several_jobs(table):
    model = ensemble(n_members=2)
    expected = cross_val_score(model, *table, cv=2)
    with parallel_config("threading", n_jobs=2):
        assert_array_equal(cross_val_score(model, *table, cv=2), expected)


def test_processes_that_share_a_large_table(table):
    """joblib maps arrays of more than a megabyte into the processes that work on them."""
    rng = np.random.default_rng(0)
    X = np.column_stack([1e3 * table.X, rng.normal(size=(120, 1200))])
    assert X.nbytes > 2**20
    models = [(f"{seed}", ensemble(random_state=seed, max_epochs=1)) for seed in range(2)]
    one = VotingClassifier(models, voting="soft", n_jobs=1).fit(X, table.y)
    two = clone(one).set_params(n_jobs=2).fit(X, table.y)
    assert [type(model.module_) for model in two.estimators_] == [Members, Members]
    assert_allclose(two.predict_proba(X), one.predict_proba(X), atol=1e-5)


class Notes(Callback):
    """Notes what it hears."""

    def on_train_begin(self, net, **kwargs):
        self.heard = []

    def on_epoch_end(self, net, **kwargs):
        self.heard.append("epoch")

    def on_batch_end(self, net, batch=None, training=None, **kwargs):
        self.heard.append((tuple(batch[0].shape), tuple(batch[1].shape), training))


def test_callbacks_hear_of_every_epoch_and_batch(table):
    notes = Notes()
    settings = {"n_members": 3, "alpha": 0.2, "patience": 1, "batch_size": 40, "lr": 0.1}
    settings["max_epochs"] = 60
    model = ensemble(callbacks=[notes], **settings).fit(*table)
    assert not hasattr(notes, "heard")  # a copy of it was used
    (heard,) = [c.heard for _, c in model.net_.callbacks_ if isinstance(c, Notes)]
    assert 1 < model.n_iter_ < 60
    trained = ((3 * 40, 4), (3 * 40,), True)
    validated = ((120, 4), (120,), False)
    epoch = [trained, trained, validated, "epoch"]
    assert heard == epoch * model.n_iter_
    without = ensemble(**settings).fit(*table)
    assert_array_equal(without.predict_proba(table.X), model.predict_proba(table.X))


def left_out_score(model, X, y):
    """Accuracy of what members predict of the samples that they have left out."""
    codes = torch.from_numpy(np.asarray(y).reshape(len(X), -1))
    data = CodedData(make_source(X, torch.device("cpu")), torch.arange(len(X)), codes)
    predicted = model.net_.left_out_log_probabilities(data)[0].argmax(2)
    return (predicted == codes).double().mean().item()


@pytest.mark.parametrize("use_caching", [True, False])
@pytest.mark.parametrize("scoring", [EpochScoring, BatchScoring])
def test_validation_scores_are_of_what_members_leave_out(table, scoring, use_caching):
    X, y = table.X[:119], table.y[:119]  # folds of different sizes
    callback = scoring("accuracy", lower_is_better=False, name="own", use_caching=use_caching)
    settings = {"n_members": 3, "alpha": 0.2, "module": MLP, "max_epochs": 1}
    model = ensemble(callbacks=[callback], **settings).fit(X, y)
    (score,) = model.net_.history[:, "own"]
    assert score == pytest.approx(left_out_score(model, X, y))
    assert score != pytest.approx(model.score(X, y))


def test_validation_scores_of_several_targets(table):
    y = np.column_stack([table.y, table.y > 0])
    callback = EpochScoring(
        lambda net, X, y: (net.predict(X) == y).mean(), lower_is_better=False, name="own"
    )
    model = MultiOutputCRLClassifier(
        MLP, n_members=3, alpha=0.2, max_epochs=1, callbacks=[callback], random_state=0
    )
    (score,) = model.fit(table.X, y).net_.history[:, "own"]
    assert score == pytest.approx(left_out_score(model, table.X, y))


def test_training_scores_are_of_what_members_train_on(table):
    settings = {"lower_is_better": False, "on_train": True}
    callbacks = [
        EpochScoring("accuracy", name="of_epoch", **settings),
        BatchScoring("accuracy", name="of_batches", **settings),
        EpochScoring(lambda net, X, y: len(y), name="n", **settings),
    ]
    model = ensemble(n_members=3, alpha=0.2, max_epochs=20, lr=0.02, callbacks=callbacks)
    history = model.fit(table.X[:119], table.y[:119]).net_.history
    assert set(history[:, "n"]) == {2 * 119}  # by two members each
    assert history[-1, "of_epoch"] == pytest.approx(history[-1, "of_batches"])
    assert 0.9 < history[-1, "of_epoch"] <= 1


def test_a_bar_shows_every_epoch(table, capsys):
    model = ensemble(n_members=2, verbose=True, max_epochs=20, patience=1).fit(*table)
    shown = capsys.readouterr().err
    assert f"{model.n_iter_}/20" in shown
    assert f"train_loss={model.loss_curve_[-1]:.4f}" in shown


@pytest.mark.parametrize("class_weight", ["balanced", "exp", {0: 1.0, 2: 4.0}])
def test_class_weights(table, class_weight):
    settings = {"n_members": 3, "logit_adjustment": None, "alpha": 0.2}
    model = ensemble(class_weight=class_weight, **settings).fit(*table)
    weight = model.net_.criterion_.class_weight
    assert weight.shape == (3, 3)
    fold = model.net_.folds.fold.numpy()
    for m in range(3):
        counts = np.bincount(table.y[fold != m], minlength=3)
        expected = {
            "balanced": counts.sum() / (3 * counts),
            "exp": np.exp(-counts / counts.sum()),
        }.get(str(class_weight), [1, 1, 4])
        assert_allclose(weight[m], expected, rtol=1e-6)
    # A dict says what counts, in stopping and in choosing.
    counts = [1, 1, 4] if isinstance(class_weight, dict) else [1, 1, 1]
    assert model.net_.validation_weight.tolist() == [counts] * 3


def test_what_the_user_says_counts_in_the_choice(table):
    """Members are chosen by the classes that a dict of weights says count."""
    given = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "sk_crl._ensembling.choose_variants",
            lambda p, codes, weight, _: given.append(weight) or torch.tensor([[1.0], [0.0]]),
        )
        model = ensemble(n_members=2, class_weight={0: 0, 1: 3}).fit(*table)
    assert [weight.tolist() for weight in given] == [[[0, 3, 1]]]
    assert model.alpha_ == 0


def test_weights_of_samples(table):
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.5, 2, 120)
    one = ensemble(n_members=3).fit(*table, weight)
    other = ensemble(n_members=3).fit(*table, 4 * weight)  # their scale does not matter
    assert_allclose(other.predict_proba(table.X), one.predict_proba(table.X), atol=1e-5)
    even = ensemble(n_members=3).fit(*table)
    assert not np.allclose(even.predict_proba(table.X), one.predict_proba(table.X), atol=1e-4)
    assert_allclose(one.class_counts_, np.bincount(table.y, weight))


def test_rows_of_little_weight_hardly_count_in_stopping_and_choosing():
    """Wrong labels of a thousandth of the weight cost what those of no weight do."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(240, 4))
    y = (X[:, 0] + 0.3 * rng.normal(size=240) > 0.8).astype(int)
    twice = np.concatenate([X, X]), np.concatenate([y, 1 - y])
    scores = []
    for little in (0, 1e-3):
        model = ensemble(n_members=3, max_epochs=20)
        model.fit(*twice, np.repeat([1, little], 240))
        scores.append(model.best_validation_score_)
    assert scores[1] == pytest.approx(scores[0], abs=0.03)


@pytest.mark.parametrize("eta", [(0, 0), (0.1, 0.3, 0.9), np.array([0.5])], ids=str)
def test_kinds_of_networks(table, eta):
    """There are as many kinds as weights; the mean over those that count is published."""
    model = ensemble(n_members=2, eta=eta).fit(*table)
    assert model.n_networks_ == 2 * len(eta)
    weights = model.net_.criterion_.alpha.view(len(eta), 2)
    omega = model.net_.criterion_.omega.view(len(eta), 2)
    assert_allclose(weights, np.array(eta)[:, None] * omega.numpy(), rtol=1e-5)
    shares = model.net_.averaging.weight.view(len(eta), 2).sum(1).numpy()
    assert shares.sum() == pytest.approx(1)
    assert model.alpha_ == pytest.approx(shares @ np.array(eta) * model.omega_)


def test_balanced_up_to_rounding_is_balanced(table):
    """Weights that even classes out leave sums that differ by rounding."""
    weight = compute_sample_weight("balanced", table.y)
    model = ensemble(n_members=2, eta=(0, 0.5)).fit(*table, weight)
    assert model.omega_ == model.alpha_ == 0
    assert model.n_networks_ == 2


def test_kinds_that_are_the_same_are_trained_once(table):
    by_alpha = ensemble(n_members=2, eta=(0, 0.5), alpha=0.1).fit(*table)
    assert by_alpha.n_networks_ == 2
    assert by_alpha.alpha_ == pytest.approx(0.1)
    balanced = ensemble(n_members=2, eta=(0, 0.5)).fit(table.X[:60], np.arange(60) % 3)
    assert balanced.n_networks_ == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_members": 1, "eta": (0, 0.4)}, "eta must be one number for a single network"),
        ({"n_members": 2, "eta": ()}, r"for an ensemble one or more; got \(\)"),
        ({"n_members": 2, "eta": (0, -1)}, r"eta must be a number in \[0, inf\); got -1"),
        ({"n_members": 2, "eta": np.array(0.5)}, r"eta must be a number .*; got array\(0.5\)"),
        ({"n_members": 2, "eta": "much"}, r"eta must be a number in \[0, inf\); got 'much'"),
        ({"n_members": 2, "alpha": 2}, r"alpha must"),
    ],
    ids=str,
)
def test_wrong_weights_of_rectification(table, settings, message):
    with pytest.raises(ValueError, match=message):
        ensemble(**settings).fit(*table)


def test_rows_of_weight_0_are_as_good_as_absent(table):
    weight = np.ones(120)
    weight[:20] = 0
    X = table.X.copy()
    X[:20] = 1e6  # which would move the scale of all columns
    X[:5] = np.nan
    model = ensemble(n_members=3).fit(X, table.y, weight)
    expected = ensemble(n_members=3).fit(X[20:], table.y[20:])
    assert_array_equal(model.predict_proba(table.X), expected.predict_proba(table.X))


# Other samples than tables.


def test_samples_on_disk(table, tmp_path):
    np.save(tmp_path / "X.npy", table.X)
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    encoded = ensemble().fit(X, table.y)
    assert_array_equal(encoded.predict_proba(X), ensemble().fit(*table).predict_proba(table.X))
    assert type(ensemble(n_members=1).fit(X, table.y).module_) is MLP
    model = ensemble(n_members=3, module="mlp").fit(X, table.y)
    expected = ensemble(n_members=3, module="mlp").fit(*table)
    assert model.n_networks_ == 6
    assert_array_equal(model.predict_proba(X), expected.predict_proba(table.X))


def test_data_sets(table):
    data = TensorDataset(torch.from_numpy(table.X), torch.from_numpy(table.y))
    assert type(ensemble().fit(data).module_) is MLP
    model = ensemble(n_members=3, module="mlp").fit(data)
    expected = ensemble(n_members=3, module="mlp").fit(*table)
    assert_allclose(model.predict_proba(data), expected.predict_proba(table.X), atol=1e-6)


class Convolutions(nn.Module):
    def __init__(self, input_shape, n_classes):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(input_shape[0], 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()
        )
        self.head = nn.Linear(4 * 6 * 6, n_classes)

    def forward(self, X):
        return self.head(self.layers(X))


def test_images(images):
    settings = {"max_epochs": 8, "random_state": 0, "device": "cpu"}
    one = CRLClassifier(**settings, module__hidden_units=(4,)).fit(*images)
    assert type(one.module_) is MLP
    model = CRLClassifier(Convolutions, n_members=3, **settings).fit(*images)
    assert model.n_networks_ == 6
    assert_allclose(model.predict_proba(images.X[:1]), model.predict_proba(images.X)[:1], atol=1e-6)
    assert model.score(*images) > 0.7


def test_images_need_a_module(images):
    message = r"of shape \(33, 2, 8, 8\)\. For images, name a network that takes them in module"
    with pytest.raises(ValueError, match=message):
        ensemble(n_members=3).fit(*images)
    settings = SMALL | {"max_epochs": 1}
    assert CRLClassifier("mlp", n_members=3, **settings).fit(*images).n_networks_ == 6


def test_data_sets_need_a_module(table):
    data = TensorDataset(torch.from_numpy(table.X))
    message = r"X must be a table .*; got a data set\. Set n_members=1 and module='mlp', or another"
    with pytest.raises(TypeError, match=message):
        ensemble(n_members=3).fit(data, table.y)
    assert ensemble(n_members=3, module="mlp").fit(data, table.y).n_networks_ == 6


def test_sparse_tables_are_refused(table):
    with pytest.raises(TypeError, match=r"^Sparse data was passed, .*Use '\.toarray\(\)'"):
        ensemble(n_members=3).fit(sparse.csr_array(table.X), table.y)


def test_tables_as_they_come(table):
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = pandas.DataFrame({"a": 1e5 * table.X[:, 0], "b": table.X[:, 1]})
    X["colour"] = np.array(["red", "green", None], dtype=object)[rng.integers(0, 3, 120)]
    X["is_old"] = table.y > rng.integers(0, 3, 120)
    X.loc[::7, "b"] = np.nan
    model = ensemble(n_members=3).fit(X, table.y)
    assert model.n_features_in_ == 4
    assert_array_equal(model.feature_names_in_, X.columns)
    assert len(model._encoder.cardinalities_) == 2
    new = X.assign(colour="never seen", b=np.nan)
    with pytest.warns(UserWarning, match="No value of column 'colour'"):
        assert np.isfinite(model.predict_proba(new)).all()
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X[["b", "a", "colour", "is_old"]])
    single = ensemble(n_members=1, module="table").fit(X, table.y)
    with pytest.warns(UserWarning, match="No value of column 'colour'"):
        assert np.isfinite(single.predict_proba(new)).all()


SINGLE = {
    "early_stopping": (ensemble(early_stopping=True), "fit"),
    "warm_start and logit_adjustment": (ensemble(warm_start=True, logit_adjustment="loss"), "fit"),
    "n_members=1": (ensemble(n_members=1), "fit"),
    "partial_fit": (ensemble(), "partial_fit"),
}


@pytest.mark.parametrize("asked", SINGLE)
@pytest.mark.parametrize("holes", [False, True], ids=["text", "holes"])
def test_what_asks_for_a_single_network_that_takes_numbers_alone(table, asked, holes):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(table.X, columns=list("abcd"))
    if holes:
        X.loc[3, "c"] = np.nan
    else:
        X["c"] = np.array(["red", "green", "blue"])[table.y]
    fault = (
        r"Input X contains NaN at row 3, column 'c'; 1 of its 480 values .*"
        if holes
        else r"could not convert.*: column 'c' of X holds values that are no numbers\. "
    )
    model, method = SINGLE[asked]
    train = partial(getattr(clone(model), method), X, table.y)
    classes = {"classes": [0, 1, 2]} if method == "partial_fit" else {}
    with pytest.raises(
        ValueError,
        match=rf"^{fault}A single network, asked for by {asked}, .*Set module='table'",
    ):
        train(**classes)
    taking = clone(model).set_params(module="table")
    getattr(taking, method)(X, table.y, **classes)
    assert type(taking.module_) is TableNetwork
    assert np.isfinite(taking.predict_proba(X)).all()


def test_a_module_that_takes_numbers_alone(table):
    X = table.X.astype(object)
    X[:, 2] = "red"
    message = (
        r": column 2 of X holds values that are no .*module='mlp' takes numbers.*module='table'"
    )
    for n_members in (None, 3):
        with pytest.raises(ValueError, match=message):
            ensemble(n_members=n_members, module="mlp").fit(X, table.y)


def test_what_no_network_takes_is_told_as_ever(table):
    X = table.X.copy()
    X[5, 1] = np.inf
    with pytest.raises(ValueError, match=r"contains infinity.* at row 5, column 1"):
        ensemble(n_members=1).fit(X, table.y)


@pytest.mark.parametrize("settings", [{"n_members": 3}, {"n_members": 1, "module": "table"}])
def test_numbers_kept_as_text_are_warned_of_in_fit(table, settings):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame({"a": table.X[:, 0], "b": table.X[:, 1].astype(str)})
    with pytest.warns(UserWarning, match="values of column 'b' of X are numbers kept as text"):
        ensemble(**settings).fit(X, table.y)


# Several targets.


def targets_of(table):
    Y = np.column_stack([table.y, table.X[:, 0] > 1.5]).astype(object)
    Y[:50, 0] = None
    Y[40:70, 1] = np.nan
    return Y


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"n_members": 3, "module": "mlp"},
        {"n_members": 3, "level": "instance"},
        {"n_members": 3, "level": "instance", "module__branch_units": 4, "alpha": [0.1, 0.3]},
    ],
    ids=steady,
)
@pytest.mark.usefixtures("untouched_generators")
def test_several_targets_with_missing_labels(table, settings):
    Y = targets_of(table)
    model = MultiOutputCRLClassifier(**SMALL | settings).fit(table.X, Y)
    folds = settings.get("n_members", MEMBERS)
    assert model.net_.folds.n_folds == folds
    assert len(model.net_.folds.fold) == 110  # ten rows have no label at all
    probabilities = model.predict_proba(table.X)
    assert [p.shape for p in probabilities] == [(120, 3), (120, 2)]
    for p, column in zip(probabilities, model.predict(table.X).T, strict=True):
        assert_allclose(p.sum(1), 1, rtol=1e-5)
        assert_array_equal(column.astype(int), p.argmax(1))
    assert model.alpha_.shape == (2,)
    assert model.features(table.X).shape[:2] == (120, 2)
    again = clone(model).fit(table.X, Y)
    for p, q in zip(probabilities, again.predict_proba(table.X), strict=True):
        assert_array_equal(p, q)


class ScoresAlone(nn.Linear):
    """A network whose features only its own layer knows."""

    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)


def test_features_are_what_members_return(table):
    settings = {"module": ScoresAlone, "max_epochs": 1}
    said = r"must return in an ensemble; got scores alone.*Return a tuple.*n_members=1"
    model = CRLClassifier(n_members=3, **settings).fit(*table)
    with pytest.raises(ValueError, match=said):
        model.features(table.X)
    with pytest.raises(ValueError, match=said):
        model.set_params(level="instance").fit(*table)
    alone = model.set_params(n_members=1).fit(*table)
    assert_allclose(alone.features(table.X), table.X)


def test_every_target_chooses_by_itself(table):
    chosen = torch.tensor([[1.0, 0.5], [0.0, 0.5]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sk_crl._ensembling.choose_variants", lambda *_: chosen)
        model = MultiOutputCRLClassifier(n_members=3, **SMALL).fit(table.X, targets_of(table))
    assert model.alpha_[0] == 0
    assert model.alpha_[1] == pytest.approx(0.5 * 0.4 * model.omega_[1])
    expected = [[1 / 3, 1 / 6]] * 3 + [[0, 1 / 6]] * 3
    assert_allclose(model.net_.averaging.weight, expected, rtol=1e-6)


def test_instance_level_of_one_target(table):
    model = ensemble(n_members=3, level="instance", alpha=0.5).fit(*table)
    assert model.features(table.X).shape == (120, 24)
    without = ensemble(n_members=3, alpha=0).fit(*table)
    assert not np.allclose(model.predict_proba(table.X), without.predict_proba(table.X), atol=1e-4)


# It learns.


def test_it_learns():
    X, y = load_breast_cancer(return_X_y=True)
    kept = np.r_[np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:30]]
    X, X_test, y, y_test = train_test_split(X[kept], y[kept], stratify=y[kept], random_state=0)
    model = CRLClassifier(n_members=4, module__hidden_units=(32,), random_state=0, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y)
    assert model.score(X_test, y_test) > 0.9
    assert model.n_iter_ < 300
    assert model.alpha_ == pytest.approx(0.4 * model.omega_ * model._variant_weight[1, 0])
