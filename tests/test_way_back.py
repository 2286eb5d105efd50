"""The default network's way back by hand, against automatic differentiation."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, LRScheduler
from test_classifier import ScoresOnly, assert_same_weights, weights

from sk_crl import CRLClassifier, MultiOutputCRLClassifier
from sk_crl.networks import MLP
from sk_crl.networks._way_back import with_way_back

pytestmark = pytest.mark.usefixtures("untouched_generators")


# --------------------------------------------------------------------------- a single step


@pytest.mark.parametrize("n_samples", [1, 9])
@pytest.mark.parametrize("shape", [(6,), (3, 1, 2)], ids=str)
@pytest.mark.parametrize("n_classes", [3, (2, 4, 3)], ids=str)
@pytest.mark.parametrize("hidden_units", [(), 7, (7, 5), (4, 8, 6)], ids=str)
def test_way_back_is_that_of_autograd(hidden_units, n_classes, shape, n_samples):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = MLP(6, n_classes, hidden_units, branch_units=0).double()
        X = torch.randn(n_samples, *shape, dtype=torch.float64)
        expected, _ = network(X)
        slopes = torch.randn_like(expected)
    gradients = torch.autograd.grad(expected, network.parameters(), slopes)
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, 99.0)  # is written over, not added to
    with torch.inference_mode():
        scores, way_back = with_way_back(network, X)
        way_back(slopes)
    assert not scores.requires_grad
    torch.testing.assert_close(scores, expected.detach(), rtol=1e-13, atol=1e-15)
    for parameter, gradient in zip(network.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-12, atol=1e-14)


def test_way_back_stops_where_a_unit_is_silent():
    """At an input of exactly 0 the slope of the ReLU is 0, as in autograd."""
    with torch.random.fork_rng():
        network = MLP(2, 2, hidden_units=3)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
        parameter.grad = torch.ones_like(parameter)
    with torch.inference_mode():
        _, way_back = with_way_back(network, torch.ones(4, 2))
        way_back(torch.ones(4, 2))
    assert network.head.bias.grad.tolist() == [4, 4]
    assert not network.head.weight.grad.any()
    assert not network.hidden[0].weight.grad.any()
    assert not network.hidden[0].bias.grad.any()


# --------------------------------------------------------------------------- whole fits


def both_ways(model, *data, **more):
    """Fit by hand and, since a callback may look at the graph, by autograd."""
    by_hand = deepcopy(model).fit(*data, **more)
    by_autograd = deepcopy(model).set_params(callbacks=[Callback()]).fit(*data, **more)
    assert by_hand.net_.by_hand
    assert not by_autograd.net_.by_hand
    return by_hand, by_autograd


def assert_close_fits(one, other):
    """Check that two models agree to what float32 holds after some tens of steps."""
    others = weights(other)
    for name, weight in weights(one).items():
        torch.testing.assert_close(weight, others[name], rtol=1e-4, atol=1e-5)
    assert one.loss_curve_ == pytest.approx(other.loss_curve_, rel=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"module": MLP, "module__hidden_units": (8, 6)},
        {"module__hidden_units": ()},
        {"comparison": "absolute", "kappa": 3},
        {"comparison": "distribution", "scope": "all"},
        {"anchors": "easy", "kappa": 5},
        {"alpha": 0.0, "level": "instance"},
        {"logit_adjustment": "loss", "rectify": "adjusted"},
        {"class_weight": "balanced", "logit_adjustment": None},
        {"optimizer": "sgd", "optimizer__momentum": 0.9, "optimizer__weight_decay": 0.1},
        {"optimizer": "lbfgs", "lr": 0.1, "max_epochs": 1},
        {"batch_size": 1, "max_epochs": 1},
        {"early_stopping": True, "verbose": True},
    ],
    ids=lambda settings: "-".join(settings) or "default",
)
def test_fits_are_those_of_autograd(table, fast, settings):
    assert_close_fits(*both_ways(fast(**settings), *table))


def test_fits_of_images_and_of_weights(images, fast):
    weight = np.linspace(0, 2, len(images.y))
    assert_close_fits(*both_ways(fast(), *images, sample_weight=weight))


def test_fits_of_several_targets(table):
    X, y = table
    Y = np.column_stack([y, X[:, 2] > 0.7, X[:, 3] > 0]).astype(float)
    Y[::5, 1] = np.nan
    model = MultiOutputCRLClassifier(
        n_members=1, module__branch_units=0, max_epochs=3, random_state=0
    )
    assert_close_fits(*both_ways(model, X, Y))


class OtherMLP(MLP):
    """A network whose forward pass is no longer that of its base."""

    def forward(self, X):
        scores, feature = super().forward(X)
        return 2 * scores, feature


@pytest.mark.parametrize(
    "settings",
    [
        {"callbacks": [Callback()]},
        {"callbacks": [("schedule", LRScheduler("StepLR", step_size=1))]},
        {"module__dropout": 0.5},
        {"level": "instance"},
        {"module": ScoresOnly},
        {"module": OtherMLP},
        {"precision": "bfloat16"},
        {"compile": "eager"},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_others_have_a_part_in_the_gradient(table, fast, settings, monkeypatch):
    monkeypatch.setattr("sk_crl.training._net.with_way_back", called)
    assert fast(**settings).fit(*table).n_iter_ == 3


def called(network, X):
    raise AssertionError("the way back was taken")


def test_branches_have_no_way_back(table, monkeypatch):
    monkeypatch.setattr("sk_crl.training._net.with_way_back", called)
    Y = np.column_stack([table.y, table.y > 0])
    MultiOutputCRLClassifier(n_members=1, max_epochs=1, random_state=0).fit(table.X, Y)
    with pytest.raises(AssertionError, match="way back was taken"):
        MultiOutputCRLClassifier(n_members=1, module__branch_units=0, max_epochs=1).fit(table.X, Y)


# --------------------------------------------------------------------------- afterwards


def test_going_on_is_that_of_autograd(table, fast):
    by_hand, by_autograd = both_ways(fast(warm_start=True), *table)
    for go_on in (CRLClassifier.fit, CRLClassifier.partial_fit):
        assert_close_fits(go_on(by_hand, *table), go_on(by_autograd, *table))
    assert by_hand.n_iter_ == 7


def test_going_on_the_other_way(table, fast):
    """What the optimizer keeps serves both."""
    by_hand, by_autograd = both_ways(fast(warm_start=True), *table)
    by_hand.set_params(callbacks=[Callback()]).fit(*table)
    by_autograd.set_params(callbacks=None).fit(*table)
    assert by_autograd.net_.by_hand
    assert not by_hand.net_.by_hand
    assert_close_fits(by_hand, by_autograd)


@pytest.mark.parametrize("keep", [deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_kept_models_go_on_bit_for_bit(table, fast, keep):
    model = fast(warm_start=True).fit(*table)
    kept = keep(model)
    for go_on in (CRLClassifier.fit, CRLClassifier.partial_fit):
        assert_same_weights(go_on(kept, *table), go_on(model, *table))
    assert kept.net_.by_hand


def test_the_network_can_be_trained_on_by_others(table, fast):
    """Nothing of inference mode is left in its parameters and gradients."""
    network = fast().fit(*table).module_
    for parameter in network.parameters():
        assert parameter.requires_grad
        assert not parameter.is_inference()
        assert not parameter.grad.is_inference()
    before = [parameter.grad.clone() for parameter in network.parameters()]
    network(torch.from_numpy(table.X))[0].sum().backward()
    pairs = zip(before, network.parameters(), strict=True)
    assert not any(torch.equal(old, parameter.grad) for old, parameter in pairs)
