"""Branches of several layers; those of one are tested with the estimators."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from sk_crl.networks import Branches


def test_branches_of_several_layers_are_those_of_single_targets():
    branches = Branches(6, (2, 4), units=(5, 3)).double()
    X = torch.randn(7, 6, dtype=torch.float64)
    scores, features = branches(X)
    for target, columns in enumerate([slice(2), slice(2, 6)]):
        first, bias = branches.feature_weight.view(2, 5, 6), branches.feature_bias.view(2, 5)
        hidden = (X @ first[target].t() + bias[target]).relu()
        further, bias = branches.further_weights[0], branches.further_biases[0]
        hidden = (hidden @ further[target].t() + bias[target].t()).relu()
        assert_close(features[:, target], hidden)
        n = (2, 4)[target]
        last = hidden @ branches.weight[target, :n].t() + branches.bias[target, :n].t()
        assert_close(scores[:, columns], last)


def test_dropout_of_branches_of_several_layers():
    branches = Branches(50, (2, 2), units=(40, 30), dropout=0.5)
    X = torch.rand(8, 50)
    assert not torch.equal(branches(X)[1], branches(X)[1])
    branches.eval()
    assert torch.equal(branches(X)[1], branches(X)[1])


@pytest.mark.parametrize("units", [(5, 3), [5, 3], np.array([5, 3])], ids=str)
def test_widths_may_be_any_sequence(units):
    branches = Branches(6, (2, 4), units=units)
    assert (branches.widths, branches.units) == ((5, 3), 3)


@pytest.mark.parametrize("units", [0, (5, 0), (5, 1.5), True, "53"])
def test_widths_are_positive_integers(units):
    with pytest.raises(ValueError, match="units must be an integer of at least 1"):
        Branches(6, (2, 4), units=units)


def test_branches_have_layers():
    with pytest.raises(ValueError, match="units must hold a width for every layer of a branch"):
        Branches(6, (2, 4), units=())
