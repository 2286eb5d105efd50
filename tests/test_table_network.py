"""The network for tables: a twin in plain Python, and what it is told."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sk_crl import CRLClassifier, MultiOutputCRLClassifier
from sk_crl.networks import Branches, TableNetwork


def built(*args, seed=0, **more):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return TableNetwork(*args, **more).double()


def rows(n, n_numbers, cardinalities, seed=0):
    rng = np.random.default_rng(seed)
    codes = [rng.integers(0, k, n) for k in cardinalities]
    return torch.from_numpy(np.column_stack([rng.normal(size=(n, n_numbers)), *codes]))


def product(weight, bias, inputs):
    return [
        sum(w * x for w, x in zip(row, inputs, strict=True)) + b
        for row, b in zip(weight, bias, strict=True)
    ]


def naive(network, x):
    """Scores and feature of one row, number by number."""
    state = {name: value.tolist() for name, value in network.state_dict().items()}
    numbers, codes = x[: network.n_numbers], x[network.n_numbers :]
    embedded = list(numbers)
    for v, b in zip(state["numbers.frequency"], state["numbers.phase"], strict=True):
        embedded += [math.cos(v[j] * number + b[j]) for j, number in enumerate(numbers)]
    for place, code in enumerate(codes):
        embedded += state[f"categories.{place}.weight"][int(code)]
    feature = embedded
    for layer in range(len(network.hidden)):
        weight, bias = state[f"hidden.{layer}.weight"], state[f"hidden.{layer}.bias"]
        feature = [h / (1 + math.exp(-h)) for h in product(weight, bias, feature)]
    return product(state["head.weight"], state["head.bias"], feature), feature


@settings(deadline=None, max_examples=25)
@given(
    n_numbers=st.integers(0, 3),
    cardinalities=st.lists(st.integers(1, 5), max_size=2),
    hidden=st.lists(st.integers(1, 4), max_size=2),
    number_units=st.integers(1, 3),
    category_units=st.integers(1, 3),
    n_classes=st.sampled_from([2, (2, 3)]),
)
def test_equals_its_twin(n_numbers, cardinalities, hidden, number_units, category_units, n_classes):
    n_features = n_numbers + len(cardinalities)
    if not n_features:
        return
    network = built(n_features, n_classes, cardinalities, hidden, number_units, category_units)
    X = rows(3, n_numbers, cardinalities)
    scores, features = network(X)
    for x, own, feature in zip(X.tolist(), scores, features, strict=True):
        expected, expected_feature = naive(network, x)
        np.testing.assert_allclose(own.detach(), expected, atol=1e-9)
        np.testing.assert_allclose(feature.detach(), expected_feature, atol=1e-9)


def test_categories_of_few_codes_have_narrow_embeddings():
    network = built(4, 2, (1, 5, 20), (), category_units=8)
    # Code 0, of what is unknown, starts as zeros and needs no direction of its own.
    assert [table.weight.shape for table in network.categories] == [(1, 1), (5, 4), (20, 8)]
    assert network.n_numbers == 1
    assert network.head.in_features == 4 + 1 + 4 + 8


def test_embeddings_start_as_one_hot_where_they_are_wide_enough():
    one, few, many = built(3, 2, (1, 4, 400), (), category_units=8).categories
    assert one.weight.tolist() == [[0]]
    assert few.weight.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert not many.weight[0].any()
    assert many.weight[1:].square().sum(1).mean().item() == pytest.approx(1, rel=0.1)
    assert many.weight[1:].mean().item() == pytest.approx(0, abs=0.05)


def test_all_codes_are_exact():
    network = built(1, 2, (1000,), (), category_units=2)
    X = torch.arange(1000.0)[:, None]
    assert torch.equal(network(X)[1], network.categories[0].weight)


def test_branches_of_several_targets():
    network = built(3, (2, 4), (), 6, branch_units=5)
    assert isinstance(network.head, Branches)
    scores, features = network(rows(7, 3, ()))
    assert (scores.shape, features.shape) == ((7, 6), (7, 2, 5))
    assert built(3, 2, (), 6, branch_units=5).head.out_features == 2  # one target has none


def test_dropout_is_for_training():
    network = built(3, 2, dropout=0.5)
    X = rows(7, 3, ())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert not torch.equal(network(X)[0], network(X)[0])
    network.eval()
    assert torch.equal(network(X)[0], built(3, 2)(X)[0])


def test_every_parameter_learns():
    network = built(5, 3, (4, 2), (6, 6))
    scores, _ = network(rows(50, 3, (4, 2)))
    scores.square().sum().backward()
    assert all(p.grad.any() for p in network.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_units": 0}, "hidden_units must be a positive integer"),
        ({"hidden_units": (8, -1)}, "hidden_units must be a positive integer"),
        ({"hidden_units": "128"}, "hidden_units must be a positive integer"),
        ({"hidden_units": 1.5}, "hidden_units must be a positive integer"),
        ({"number_units": 0}, "number_units must be an integer of at least 1"),
        ({"category_units": 0}, "category_units must be an integer of at least 1"),
        ({"branch_units": -1}, "branch_units must be an integer of at least 0"),
        ({"dropout": 1.0}, r"dropout must be a number in \[0, 1\)"),
    ],
)
def test_settings_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        TableNetwork(4, 2, **options)


@pytest.mark.parametrize("n_members", [1, 2])
def test_columns_of_categories_alone(n_members):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (80, 2))
    y = ((X[:, 0] == 2) & (X[:, 1] > 0)).astype(int)
    model = CRLClassifier(
        "table", n_members=n_members, categorical_features=[0, 1], max_epochs=60, random_state=0
    ).fit(X, y)
    assert model.score(X, y) == 1


def test_what_it_is_told_by_a_classifier():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    X[:, 1] = rng.integers(0, 4, 60)
    X[::5, 2] = np.nan
    Y = np.column_stack([np.arange(60) % 4 == 0, np.arange(60) % 3])
    settings = {"max_epochs": 1, "random_state": 0, "categorical_features": [False, True, False]}
    for model in (
        CRLClassifier("table", **settings).fit(X, Y[:, 1]),
        MultiOutputCRLClassifier("table", module__branch_units=3, **settings).fit(X, Y),
    ):
        network = model.module_
        assert network.n_numbers == 3  # two columns of numbers, and where one of them is missing
        assert [table.num_embeddings for table in network.categories] == [5]
        assert model.n_features_in_ == 3
    assert network.head.layout.n_classes == (2, 3)


def test_names_of_other_settings_are_suggested():
    model = CRLClassifier(module__number_unit=3)
    with pytest.raises(ValueError, match="number_units"):
        model.fit(np.zeros((4, 2)), [0, 1, 0, 1])
