"""Mixed precision, and networks and losses in the hands of PyTorch's compiler."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
import torch
from test_classifier import ScoresOnly, SmallCNN, assert_same_weights, weights
from torch import nn

from sk_crl import MultiOutputCRLClassifier
from sk_crl.loss import ClassRectificationLoss

pytestmark = [
    pytest.mark.usefixtures("untouched_generators"),
    pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`"),
]


class TypeRecorder(ScoresOnly):
    """Remember the types that come in and go out."""

    def forward(self, X):
        scores = super().forward(X)
        self.types = {*getattr(self, "types", set()), (X.dtype, scores.dtype)}
        return scores


# ----------------------------------------------------------------------------- mixed precision


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_products_have_the_precision_that_is_asked_for(table, fast, precision):
    model = fast(module=TypeRecorder, precision=precision, early_stopping=True)
    for use in (lambda: model.fit(*table), lambda: model.predict(table.X)):
        use()
        assert model.module_.types == {(torch.float32, getattr(torch, precision))}
    assert all(weight.dtype == torch.float32 for weight in weights(model).values())
    assert all(parameter.grad.dtype == torch.float32 for parameter in model.module_.parameters())
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"level": "instance"},
        {"module": ScoresOnly, "comparison": "absolute"},
        {"early_stopping": True, "logit_adjustment": "loss", "rectify": "adjusted"},
    ],
    ids=lambda settings: "-".join(settings) or "default",
)
def test_bfloat16_learns_what_float32_learns(table, fast, settings):
    fits = [
        fast(max_epochs=15, lr=0.02, precision=precision, **settings).fit(*table)
        for precision in ("bfloat16", "float32")
    ]
    assert fits[0].score(*table) > 0.95
    probabilities = [model.predict_proba(table.X) for model in fits]
    assert probabilities[0].dtype == np.float32
    np.testing.assert_allclose(probabilities[0].sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(*probabilities, atol=0.1)
    assert not np.array_equal(*probabilities)


def test_bfloat16_images_and_several_targets(images, fast):
    model = fast(module=SmallCNN, max_epochs=10, lr=0.02, precision="bfloat16").fit(*images)
    assert model.score(*images) > 0.9
    X, y = images
    both = MultiOutputCRLClassifier(max_epochs=10, lr=0.02, precision="bfloat16", random_state=0)
    probabilities = both.fit(X, np.column_stack([y, 1 - y])).predict_proba(X)
    for of_target in probabilities:
        assert of_target.dtype == np.float32
        np.testing.assert_allclose(of_target.sum(1), 1, atol=1e-6)


def test_bfloat16_is_repeatable_and_goes_on(table, fast):
    model, other = (fast(precision="bfloat16").fit(*table) for _ in range(2))
    kept = pickle.loads(pickle.dumps(other))
    assert_same_weights(model.partial_fit(*table), kept.partial_fit(*table))


# ----------------------------------------------------------------------------- compiled networks


@pytest.mark.parametrize(
    "settings",
    [{"compile": "aot_eager"}, {"compile": "aot_eager", "level": "instance", "module": ScoresOnly}],
    ids=["class", "instance"],
)
def test_compiled_networks_train_alike(table, fast, settings):
    """Also with batches of three sizes, in training and prediction."""
    plain = fast(**settings | {"compile": False}).fit(*table)
    model = fast(**settings).fit(*table)
    assert model.module_._compiled_call_impl is not None
    for name, weight in weights(plain).items():
        torch.testing.assert_close(weights(model)[name], weight, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(table.X), plain.predict_proba(table.X), 1e-3)
    for keep in (deepcopy, lambda model: pickle.loads(pickle.dumps(model))):
        kept = keep(model)
        assert np.array_equal(kept.predict(table.X), model.predict(table.X))
        assert_same_weights(kept, model)
    assert_same_weights(kept.partial_fit(*table), model.partial_fit(*table))


def test_features_of_a_compiled_network(table, fast):
    """Which come from a hook that is not there yet when predictions are compiled."""
    settings = {"module": ScoresOnly, "max_epochs": 1}
    model = fast(compile="aot_eager", **settings).fit(*table)
    model.predict(table.X)
    plain = fast(**settings).fit(*table)
    np.testing.assert_allclose(model.features(table.X), plain.features(table.X), 1e-4, 1e-6)


def test_true_compiles_by_the_default_compiler(table, fast, monkeypatch):
    backends = []
    monkeypatch.setattr(nn.Module, "compile", lambda module, backend: backends.append(backend))
    for asked in (True, np.True_, "aot_eager", False):
        fast(compile=asked, max_epochs=1).fit(*table)
    assert backends == ["inductor", "inductor", "aot_eager"]


# ----------------------------------------------------------------------------- a compiled step


@pytest.mark.parametrize("level", ["class", "instance"])
def test_a_training_step_compiles_as_one_graph(images, level):
    """Network and loss, forwards and backwards, without a break where a device would wait."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = SmallCNN((2, 8, 8), 2)
    loss = ClassRectificationLoss([24, 9], level=level, alpha=0.5, kappa=3)
    X, targets = torch.from_numpy(images.X), torch.from_numpy(images.y)

    def step(network, X, targets):
        features = network.trunk(X)
        return loss(network.head(features), targets, features)

    results = []
    for function in (step, torch.compile(step, fullgraph=True, backend="aot_eager")):
        copied = deepcopy(network)
        value = function(copied, X, targets)
        value.backward()
        gradients = [parameter.grad for parameter in copied.parameters()]
        results.append([value.detach(), *gradients, *copied.buffers()])
    torch.testing.assert_close(*results)
    assert all(gradient.any() for gradient in results[0][1:3])
