"""Networks trained under other losses: the losses, and the classifiers around them."""

import pickle
import warnings

import naive_losses as naive
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ids import steady
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from test_classifier import assert_same_weights, weights
from torch import nn
from torch.autograd import gradcheck

from sk_crl import ClassRectificationLoss, CRLClassifier, MultiOutputCRLClassifier
from sk_crl._layout import ColumnLayout
from sk_crl.baselines import LossClassifier, MultiOutputLossClassifier
from sk_crl.baselines._build_loss import LOSSES, build_loss
from sk_crl.loss._of_scores import LossOfScores

FAST = {"max_epochs": 4, "batch_size": 32, "random_state": 0, "device": "cpu"}
HIDDEN = {"module__hidden_units": 8}
COUNTS = [[90, 10], [60, 20, 0, 5], [80, 5, 15]]  # a class that nobody has seen yet


def fast(loss="focal", kind=LossClassifier, **parameters):
    hidden = {} if "module" in parameters else HIDDEN
    return kind(loss=loss, **FAST | hidden | parameters)


def several(loss="focal", **parameters):
    return fast(loss, MultiOutputLossClassifier, **parameters)


@pytest.fixture
def two_targets(table):
    """The table's classes and the sign of a feature, with labels missing in both."""
    X, y = table
    Y = np.column_stack([y, X[:, 2] > 0.7]).astype(float)
    Y[:9, 0] = np.nan
    Y[5:20, 1] = np.nan
    return X, Y


# --------------------------------------------------------------------------- the losses

# Settings, and the twin of a sample's loss and of the weights of classes.
TWINS = {
    "focal": ({}, lambda *a: naive.focal(*a, gamma=2), None),
    "focal half": ({"gamma": 0.5}, lambda *a: naive.focal(*a, gamma=0.5), None),
    "class_balanced": (
        {},
        lambda z, y, _: naive.cross_entropy(z, y),
        lambda counts: naive.class_weights(counts, 0.999),
    ),
    "class_balanced 0": ({"beta": 0.0}, lambda z, y, _: naive.cross_entropy(z, y), None),
    "class_balanced .9": (
        {"beta": 0.9},
        lambda z, y, _: naive.cross_entropy(z, y),
        lambda counts: naive.class_weights(counts, 0.9),
    ),
    "ldam": ({}, lambda *a: naive.ldam(*a, max_margin=0.5, scale=30), None),
    "ldam small": (
        {"max_margin": 0.7, "scale": 1},
        lambda *a: naive.ldam(*a, max_margin=0.7, scale=1),
        None,
    ),
    "ldam at once": (
        {"deferred": 0, "beta": 0.99, "scale": 2},
        lambda *a: naive.ldam(*a, max_margin=0.5, scale=2),
        lambda counts: naive.class_weights(counts, 0.99),
    ),
    "balanced_softmax": ({}, naive.balanced_softmax, None),
}


def make_batch(seed, n=11):
    """Scores, codes and weights of three targets; labels are missing, weights may be 0."""
    rng = np.random.default_rng(seed)
    seen = [np.flatnonzero(counts) for counts in COUNTS]
    codes = np.column_stack([rng.choice([-1, *classes], n) for classes in seen])
    weight = rng.choice([0.0, 0.5, 1.0, 2.5], (n, 1)) * (codes >= 0)
    scores = torch.tensor(rng.normal(0, 2, (n, 9)), requires_grad=True)
    return scores, torch.tensor(codes), torch.tensor(weight)


def make_loss(name):
    chosen, *_ = TWINS[name]
    loss = build_loss(name.partition(" ")[0], [np.array(c, dtype=float) for c in COUNTS], chosen)
    if hasattr(loss, "begin_epoch"):
        loss.begin_epoch(0, 10)
    return loss


@pytest.mark.parametrize("name", TWINS)
@settings(deadline=None)
@given(seed=st.integers(0, 2**31 - 1))
def test_loss_and_gradient_are_those_of_the_twin(name, seed):
    scores, codes, weight = make_batch(seed)
    _, of_sample, of_class = TWINS[name]
    expected = naive.over_targets(scores, codes, weight, COUNTS, of_sample, of_class)
    actual = make_loss(name)(scores, codes, weight)
    # Numbers for classes are kept in float32.
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-8)
    if weight.any():
        gradients = [torch.autograd.grad(value, scores)[0] for value in (actual, expected)]
        torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", TWINS)
def test_gradient_is_the_slope(name):
    scores, codes, weight = make_batch(7)
    loss = make_loss(name)
    assert gradcheck(lambda s: loss(s, codes, weight), scores)


@pytest.mark.parametrize("gamma", [0, 0.001, 0.5, 1, 2])
def test_focal_loss_of_samples_that_are_certain(gamma):
    loss = build_loss("focal", [np.array([5.0, 5.0])], {"gamma": gamma})
    scores = torch.tensor([[80.0, -80.0], [-80.0, 80.0]], requires_grad=True)
    value = loss(scores, torch.tensor([[0], [0]]), torch.ones(2, 1))
    value.backward()
    assert value.item() == pytest.approx(80)  # one is right for certain, one as wrong as can be
    assert_allclose(scores.grad, [[0, 0], [-0.5, 0.5]], atol=1e-6)


def test_weights_of_classes_have_mean_1_over_those_present():
    loss = build_loss("class_balanced", [np.array(c, dtype=float) for c in COUNTS], {})
    assert_allclose(loss.class_weight.sum(1), [2, 3, 3], rtol=1e-6)
    assert loss.class_weight[1, 2] == 0


def test_largest_margin_is_that_of_the_rarest_class():
    loss = build_loss("ldam", [np.array(c, dtype=float) for c in COUNTS], {"max_margin": 0.4})
    assert_allclose(loss.margin.amax(1), [12, 12, 12], rtol=1e-6)
    assert loss.margin[0].argmax() == 1
    assert loss.margin[1, 2] == loss.margin[1, 3]  # unseen, hence as rare as the rarest


@pytest.mark.parametrize("deferred", [0, 0.07, 0.57, 0.8, 1])
def test_classes_are_weighed_after_their_share_of_the_epochs(deferred):
    loss = build_loss("ldam", [np.array([90.0, 10.0])], {"deferred": deferred})
    weighs = []
    for epoch in range(100):
        loss.begin_epoch(epoch, 100)
        weighs.append(loss.reweighs)
    assert weighs == [epoch >= round(100 * deferred) for epoch in range(100)]
    for epoch in (100, 170):  # training that goes on stays as it ended: never means never
        loss.begin_epoch(epoch, 100)
        assert loss.reweighs == (deferred < 1)


# --------------------------------------------------------------------------- as a criterion


@pytest.mark.parametrize("name", ["class_balanced", "ldam", "balanced_softmax"])
def test_losses_go_by_the_classes_that_batches_show(name):
    X, y = make_classification(400, weights=[0.9], flip_y=0, random_state=0)
    shared = {"max_epochs": 2, "module__hidden_units": 8, "random_state": 0}
    even = LossClassifier(loss=name, batch_sampler="balanced", **shared).fit(X, y)
    counts = [np.full(2, 200.0)]
    expected = build_loss(name, counts, {})
    for table, known in zip(even.net_.criterion_.loss.buffers(), expected.buffers(), strict=True):
        # Effective numbers of samples are not proportional to counts, their equality is.
        assert_allclose(table, known, rtol=1e-5)


def criterion(name, class_weight=None):
    layout = ColumnLayout(tuple(map(len, COUNTS)))
    return LossOfScores(lambda _: make_loss(name), COUNTS, layout, class_weight)


def test_weights_of_labels():
    _, codes, _ = make_batch(3)
    weight = torch.rand(codes.shape, generator=torch.Generator().manual_seed(0))
    (labels,) = criterion("focal").prepare(codes, weight, batch_size=len(codes))
    assert torch.equal(labels.weight, torch.where(codes >= 0, weight, 0.0))
    with pytest.raises(ValueError, match="sample_weight must have shape"):
        criterion("focal").prepare(codes, weight[:, :1], batch_size=len(codes))
    with pytest.raises(ValueError, match=r"sample_weight must be finite"):
        criterion("focal").prepare(codes, -weight, batch_size=len(codes))


@pytest.mark.parametrize("name", TWINS)
def test_linearize_is_the_loss_and_its_gradient(name):
    scores, codes, _ = make_batch(3)
    class_weight = [np.array([1.0, 3]), np.array([0.5, 2, 1, 0]), np.array([1.0, 1, 4])]
    sample_weight = torch.linspace(0, 2, len(codes))
    made = criterion(name, class_weight)
    first, last = made.prepare(codes, sample_weight, batch_size=7)
    assert_array_equal(torch.cat([first.codes, last.codes]), codes)
    for target, of_class in enumerate(class_weight):
        known = codes[:, target] >= 0
        of_label = of_class[codes[:, target].clamp(min=0).numpy()]
        expected = np.where(known, sample_weight.numpy() * of_label, 0)
        assert_allclose(torch.cat([first.weight, last.weight])[:, target], expected, rtol=1e-6)
    value = make_loss(name)(scores[:7], first.codes, first.weight)
    (gradient,) = torch.autograd.grad(value, scores)
    linear = made.linearize(scores[:7], first)
    assert not linear.value.requires_grad
    assert torch.equal(linear.value, value)
    assert torch.equal(linear.gradients[0], gradient[:7])
    with torch.inference_mode():
        blind = made.linearize(scores.detach()[:7] * 1, first)
    assert torch.equal(blind.gradients[0], gradient[:7])


def test_half_precision_is_widened():
    scores, codes, _ = make_batch(3)
    (labels,) = criterion("focal").prepare(codes, batch_size=len(codes))
    half = scores.detach().bfloat16().requires_grad_()
    linear = criterion("focal").linearize(half, labels)
    assert linear.value.dtype == linear.gradients[0].dtype == torch.float32
    linear.backward()
    assert_allclose(half.grad.float(), linear.gradients[0], rtol=1e-2)


# --------------------------------------------------------------------------- fits


@pytest.mark.parametrize("more", [{}, {"class_weight": {1: 3.0}}, {"class_weight": "exp"}])
@pytest.mark.parametrize(
    ("loss", "tau"),
    [
        ({"loss": "focal", "loss__gamma": 0}, 0),
        ({"loss": "class_balanced", "loss__beta": 0}, 0),
        ({"loss": "ldam", "loss__max_margin": 0, "loss__deferred": 1}, 0),
        ({"loss": "balanced_softmax"}, 1),
    ],
    ids=steady,
)
@pytest.mark.filterwarnings("ignore:.*both correct for the class prior:UserWarning")
def test_what_is_cross_entropy_in_the_end_trains_the_same(table, loss, tau, more):
    X, y = table
    sample_weight = np.linspace(0.5, 2, len(y))
    other = fast(**loss, **more).fit(X, y, sample_weight)
    adjusted = {"logit_adjustment": "loss" if tau else None}
    crl = CRLClassifier(n_members=1, alpha=0, **adjusted, **FAST, **HIDDEN, **more).fit(
        X, y, sample_weight
    )
    assert_allclose(other.loss_curve_, crl.loss_curve_, rtol=1e-4)
    assert_allclose(other.predict_proba(X), crl.predict_proba(X), rtol=1e-3, atol=1e-5)


def test_several_targets_with_missing_labels_train_the_same(two_targets):
    X, Y = two_targets
    other = several("balanced_softmax").fit(X, Y)
    adjusted = {"alpha": 0, "logit_adjustment": "loss"}
    crl = MultiOutputCRLClassifier(n_members=1, **adjusted, **FAST, **HIDDEN).fit(X, Y)
    assert_allclose(other.loss_curve_, crl.loss_curve_, rtol=1e-4)
    for one, theirs in zip(other.predict_proba(X), crl.predict_proba(X), strict=True):
        assert_allclose(one, theirs, rtol=1e-3, atol=1e-5)
    assert_array_equal(other.omega_, crl.omega_)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_by_hand_are_those_of_autograd(table, loss):
    by_hand = fast(loss).fit(*table)
    by_autograd = fast(loss, callbacks=[Callback()]).fit(*table)
    assert by_hand.net_.by_hand
    assert not by_autograd.net_.by_hand
    others = weights(by_autograd)
    for name, weight in weights(by_hand).items():
        torch.testing.assert_close(weight, others[name], rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("untouched_generators")
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns(table, two_targets, loss):
    X, y = table
    longer = {"max_epochs": 40, "lr": 0.01}
    model = fast(loss, **longer).fit(X, y)
    assert model.score(X, y) > 0.9
    assert_same_weights(model, clone(model).fit(X, y))
    X, Y = two_targets
    assert several(loss, **longer).fit(X, Y).score(X, Y) > 0.85


def test_attributes_are_those_of_the_data(table):
    X, y = table
    model, crl = fast().fit(X, y), CRLClassifier(n_members=1, **FAST).fit(X, y)
    for name in ("classes_", "class_counts_", "prior_", "omega_"):
        assert_array_equal(getattr(model, name), getattr(crl, name))
    assert not hasattr(model, "alpha_")
    assert not hasattr(model, "minority_classes_")


def test_early_stopping_with_weights_that_count(table):
    X, y = table
    stopping = {"early_stopping": True, "patience": 2, "max_epochs": 200, "lr": 0.05}
    model = fast("balanced_softmax", **stopping).fit(X, y)
    assert model.n_iter_ < 200
    assert model.best_validation_score_ == max(model.validation_scores_)
    one = fast(class_weight={0: 0, 1: 0, 2: 1}, early_stopping=True).fit(X, y)
    assert_array_equal(one.net_.validation_weight, [[0, 0, 1]])


def test_prior_is_removed_where_asked_for(table):
    X, y = table
    plain = fast("focal").fit(X, y)
    adjusted = fast("focal", logit_adjustment="predict", tau=0.5).fit(X, y)
    assert_same_weights(plain, adjusted)
    removed = plain.decision_function(X) - 0.5 * np.log(plain.prior_)
    assert_allclose(adjusted.decision_function(X), removed, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_class_that_comes_later(table, loss):
    X, y = table
    first = y < 2
    model = fast(loss, max_epochs=5)
    for _ in range(5):
        model.partial_fit(X[first], y[first], classes=[0, 1, 2])
    assert np.isfinite(model.predict_proba(X)).all()
    model.partial_fit(X, y)
    assert_array_equal(model.class_counts_, 5 * np.bincount(y[first], minlength=3) + np.bincount(y))


# --------------------------------------------------------------------------- epochs


class Hearing(nn.Module):
    """Cross-entropy of one target that notes the epochs and what it is called with."""

    def __init__(self, class_counts):
        super().__init__()
        self.class_counts, self.epochs, self.calls = class_counts, [], []

    def begin_epoch(self, epoch, n_epochs):
        self.epochs.append((epoch, n_epochs))

    def forward(self, scores, codes, weight):
        self.calls.append((scores.detach(), codes, weight))
        return (weight * -scores.log_softmax(1).gather(1, codes.clamp(min=0))).sum()


def epochs(model):
    return model.net_.criterion_.loss.epochs


def test_epochs_count_over_all_training(table):
    X, y = table
    model = fast(Hearing, warm_start=True, max_epochs=3).fit(X, y)
    assert epochs(model) == [(0, 3), (1, 3), (2, 3)]
    assert epochs(model.set_params(max_epochs=5).fit(X, y)) == [(i, 5) for i in range(3, 8)]
    assert epochs(model.partial_fit(X, y)) == [(8, 5)]
    assert epochs(model.set_params(warm_start=False).fit(X, y)) == [(i, 5) for i in range(5)]


def test_partial_fits_have_the_schedule_of_one_fit(table):
    X, y = table
    model = fast(Hearing, max_epochs=2)
    heard = [epochs(model.partial_fit(X, y, classes=[0, 1, 2])) for _ in range(3)]
    assert heard == [[(0, 2)], [(1, 2)], [(2, 2)]]


def test_class_rectification_hears_of_epochs_too(table, monkeypatch):
    heard = []
    note = lambda _, epoch, n_epochs: heard.append((epoch, n_epochs))  # noqa: E731
    monkeypatch.setattr(ClassRectificationLoss, "begin_epoch", note)
    CRLClassifier(n_members=1, **FAST).fit(*table)
    assert heard == [(0, 4), (1, 4), (2, 4), (3, 4)]


@pytest.mark.parametrize(
    ("batch_sampler", "heard"),
    [("stratified", [0, 1, 2, 3]), ("balanced", [0, 1, 2, 3]), ("dynamic", [3])],
)
def test_a_loss_is_built_anew_only_where_class_counts_change(table, batch_sampler, heard):
    model = fast(Hearing, batch_sampler=batch_sampler).fit(*table)
    assert epochs(model) == [(epoch, 4) for epoch in heard]
    shown = model.net_.history[-1]["class_counts"]
    assert_array_equal(model.net_.criterion_.loss.class_counts, shown)


def test_ldam_weighs_classes_in_its_last_epochs(table):
    X, y = table
    same = fast("ldam", max_epochs=4, loss__deferred=0.75).fit(X, y)
    never = fast("ldam", max_epochs=4, loss__deferred=1).fit(X, y)
    assert same.loss_curve_[:3] == never.loss_curve_[:3]
    assert same.loss_curve_[3] != never.loss_curve_[3]


# --------------------------------------------------------------------------- a loss of one's own


def test_own_loss_is_called_as_documented(two_targets):
    X, Y = two_targets

    class Noting(Hearing):
        def forward(self, scores, codes, weight):
            self.calls.append((scores.detach(), codes, weight))
            return scores.square().mean()

    sample_weight = np.where(np.arange(len(X)) < 30, 0.5, 1.0)
    model = several(Noting, batch_size=len(X), class_weight=[{1: 2.0}, None])
    loss = model.fit(X, Y, sample_weight).net_.criterion_.loss
    assert [counts.shape for counts in loss.class_counts] == [(3,), (2,)]
    assert_array_equal(loss.class_counts[1], model.class_counts_[1])
    scores, codes, weight = loss.calls[0]
    assert scores.shape == (116, 5)  # four rows have no label at all
    assert codes.shape == weight.shape == (116, 2)
    assert (codes == -1).sum(0).tolist() == [5, 11]
    assert not weight[codes == -1].any()
    assert weight[:, 0].unique().tolist() == [0, 0.5, 1, 2]
    total = np.nansum(sample_weight * np.where(Y[:, 0] == 1, 2, 1) * (Y[:, 0] == Y[:, 0]))
    assert weight[:, 0].sum().item() == pytest.approx(total)


def test_own_loss_need_not_ask_for_counts_and_has_settings(table):
    class Scaled(nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, scores, codes, weight):
            losses = -scores.log_softmax(1).gather(1, codes)
            return self.factor * (losses * weight).sum() / weight.sum()

    one = fast(Scaled, loss__factor=1.0).fit(*table)
    two = fast(Scaled, loss__factor=2.0).fit(*table)
    assert two.loss_curve_[0] == pytest.approx(2 * one.loss_curve_[0], rel=0.1)
    with pytest.raises(ValueError, match="loss needs factor: set loss__factor"):
        fast(Scaled).fit(*table)


def test_a_callable_may_return_the_same_module_every_time(table):
    shared = Hearing(None)
    model = fast(lambda: shared, max_epochs=2).fit(*table)
    assert shared.epochs == []
    assert len(epochs(model)) == 2


# --------------------------------------------------------------------------- parameters

RECTIFICATION = [
    "eta",
    "alpha",
    "alpha_decay",
    "kappa",
    "rho",
    "level",
    "comparison",
    "margin",
    "scope",
    "anchors",
    "normalize",
    "bins",
    "rectify",
]


@pytest.mark.parametrize(
    ("kind", "crl"),
    [(LossClassifier, CRLClassifier), (MultiOutputLossClassifier, MultiOutputCRLClassifier)],
)
def test_parameters_are_those_of_training_and_the_loss(kind, crl):
    ours, theirs = kind().get_params(), crl().get_params()
    of_ensembles = {"n_members", "target_prior"}
    assert ours.keys() == theirs.keys() - set(RECTIFICATION) - of_ensembles | {"loss"}
    differ = {name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]}
    assert differ == {"module", "logit_adjustment", "max_epochs", "batch_size"}
    single = crl(n_members=1, logit_adjustment=None)  # which "auto" makes the same
    assert (single._built_module(), ours["logit_adjustment"]) == (ours["module"], None)
    for name in RECTIFICATION:
        with pytest.raises(TypeError, match=f"Unknown parameter '{name}'"):
            kind(**{name: 1})


@pytest.mark.parametrize("name", ["focal", "ldam"])
def test_losses_train_the_network_for_tables_on_tables_as_they_are(name):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=80), "city": rng.choice(["x", "y", "z"], 80)})
    X.loc[3, "a"] = np.nan
    y = (X["city"] == "x").astype(int)
    model = LossClassifier("table", loss=name, max_epochs=40, random_state=0).fit(X, y)
    assert model.score(X, y) == 1
    with pytest.raises(ValueError, match="column 'city' of X holds values that are no numbers"):
        LossClassifier(loss=name).fit(X, y)


def test_settings_of_a_loss_are_parameters(table):
    model = fast("focal", loss__gamma=1.0)
    assert model.get_params()["loss__gamma"] == 1.0
    assert clone(model).set_params(loss__gamma=3.0).loss__gamma == 3.0
    search = GridSearchCV(model, {"loss__gamma": [0.5, 2]}, cv=2).fit(*table)
    assert search.best_estimator_.net_.criterion_.loss.gamma in (0.5, 2)


@pytest.mark.parametrize("loss", LOSSES)
def test_pickle(table, loss):
    X, y = table
    model = fast(loss).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert_same_weights(loaded.partial_fit(X, y), model.partial_fit(X, y))


class Learning(nn.Module):
    def __init__(self):
        super().__init__()
        self.centre = nn.Parameter(torch.zeros(3))


class Vector(nn.Module):
    def forward(self, scores, codes, weight):
        return scores.sum(1)


class Constant(nn.Module):
    def forward(self, scores, codes, weight):
        return torch.zeros(())


class Unrelated(nn.Module):
    def forward(self, scores, codes, weight):
        return torch.ones((), requires_grad=True)


class Complex(nn.Module):
    def forward(self, scores, codes, weight):
        return (scores + 0j).sum()


class NoTensor(nn.Module):
    def forward(self, scores, codes, weight):
        return 1.5


class NaN(nn.Module):
    def forward(self, scores, codes, weight):
        return scores.sum() * torch.nan


class Steep(nn.Module):
    """Its value is finite, 0, and its gradient is not."""

    def forward(self, scores, codes, weight):
        return (scores.sum() * 0).sqrt()


@pytest.mark.parametrize(
    ("loss", "what"), [(NaN, "training loss became nan"), (Steep, "weights became infinite or NaN")]
)
def test_a_loss_of_ones_own_that_diverges_is_named(table, loss, what):
    expected = f"{what} in epoch 1. Check that your loss, {loss.__name__}, is finite .* Lower lr"
    with pytest.raises(FloatingPointError, match=expected):
        fast(loss, batch_size=120).fit(*table)


def test_a_named_loss_that_diverges_is_not_to_blame(table):
    with pytest.raises(FloatingPointError, match=r"in epoch 1\. Lower lr") as raised:
        fast("focal", lr=1e38, optimizer="sgd").fit(*table)
    assert "your loss" not in str(raised.value)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"loss": "focl"}, ValueError, "Unknown loss 'focl'; did you mean 'focal'?"),
        ({"loss": None}, TypeError, "loss must be a name .*; got the NoneType None"),
        ({"loss": nn.Identity()}, TypeError, "Pass the class rather than an instance"),
        ({"loss": lambda: {}}, TypeError, "loss must build an nn.Module"),
        ({"loss": Learning}, ValueError, "no parameters to train.*built one with centre"),
        ({"loss": Vector}, ValueError, r"a Tensor of shape \(\).*Vector returned"),
        ({"loss": Constant}, ValueError, r"can be differentiated; Constant returned tensor\(0"),
        ({"loss": Unrelated}, ValueError, "computed from the scores.*Unrelated returned tensor"),
        ({"loss": Complex}, ValueError, r"a Tensor of shape \(\).*Complex returned tensor"),
        ({"loss": NoTensor}, ValueError, "NoTensor returned 1.5"),
        ({"loss__gama": 1}, ValueError, "'loss__gama'; did you mean 'loss__gamma'?"),
        ({"loss__beta": 0.9}, ValueError, "Unknown parameter 'loss__beta'"),
        ({"loss": "balanced_softmax", "loss__tau": 1}, ValueError, "'loss__tau'; there is none"),
        ({"loss__gamma": -0.1}, ValueError, r"loss__gamma must be a number in \[0, inf\); got -0"),
        ({"loss__gamma": "2"}, ValueError, "loss__gamma must be a number"),
        ({"loss__gamma": float("nan")}, ValueError, "loss__gamma must be a number"),
        ({"loss": "class_balanced", "loss__beta": 1}, ValueError, r"number in \[0, 1\); got 1"),
        ({"loss": "class_balanced", "loss__beta": -0.1}, ValueError, "loss__beta must be"),
        ({"loss": "ldam", "loss__beta": 1.0}, ValueError, "loss__beta must be"),
        ({"loss": "ldam", "loss__max_margin": -1}, ValueError, "loss__max_margin must be"),
        ({"loss": "ldam", "loss__scale": 0}, ValueError, "loss__scale must be"),
        ({"loss": "ldam", "loss__deferred": 1.1}, ValueError, "loss__deferred must be"),
        ({"loss": "ldam", "loss__class_counts": [[1, 1, 1]]}, ValueError, "_counts cannot be set"),
        ({"loss": Hearing, "loss__class_counts": [[1, 1, 1]]}, ValueError, "_counts cannot be set"),
        ({"logit_adjustment": "loss"}, ValueError, "logit_adjustment must be one of None, 'pre"),
    ],
    ids=steady,
)
def test_bad_parameters_change_nothing(table, parameters, error, message):
    X, y = table
    model = fast().fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(error, match=message):
        model.set_params(**parameters).fit(X, y)
    assert_array_equal(model.predict_proba(X), before)


def test_unknown_names_are_refused_at_once():
    with pytest.raises(TypeError, match="Unknown parameter 'los__gamma'; did you mean 'loss__gam"):
        LossClassifier(los__gamma=1)
    with pytest.raises(ValueError, match="Unknown parameter 'loses'; did you mean 'loss'"):
        LossClassifier().set_params(loses="focal")


@pytest.mark.parametrize("more", [{"logit_adjustment": "predict"}, {"class_weight": "exp"}])
@pytest.mark.parametrize("loss", LOSSES)
def test_correcting_twice_is_said(table, loss, more):
    model = fast(loss, **more)
    if loss == "focal":
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.fit(*table)
    else:
        with pytest.warns(UserWarning, match=f"loss='{loss}' and .* rare classes count twice") as w:
            model.fit(*table)
        assert w[0].filename == __file__
