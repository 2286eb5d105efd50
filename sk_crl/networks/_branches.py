"""A branch for every target, all of them in one product a layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sk_crl._checks import check_integer, check_real
from sk_crl._layout import ColumnLayout


class Branches(nn.Module):
    """Feature layers and an output layer for every target, on the output of a shared trunk.

    In the spirit of the paper's networks for many attributes, each of which has a layer of 64
    features (FC2) and an output layer of its own.

    Parameters
    ----------
    n_inputs : int
        Width of the trunk's output.
    n_classes : sequence of int
        Number of classes of every target.
    units : int or sequence of int, default=64
        Width of every target's feature layer; of several layers that of each, from the trunk to the
        output.
    dropout : float, default=0.0
        Dropout of these layers, in [0, 1).

    Raises
    ------
    ValueError
        For widths and numbers of classes that are no positive integers.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.networks import Branches
    >>> scores, features = Branches(100, n_classes=(2, 5, 3), units=16)(torch.zeros(4, 100))
    >>> scores.shape, features.shape
    (torch.Size([4, 10]), torch.Size([4, 3, 16]))

    Branches of three layers, as those of MTCT:

    >>> branches = Branches(100, n_classes=(2, 5, 3), units=(32, 16))
    >>> scores, features = branches(torch.zeros(4, 100))
    >>> scores.shape, features.shape
    (torch.Size([4, 10]), torch.Size([4, 3, 16]))
    """

    def __init__(
        self,
        n_inputs: int,
        n_classes: Sequence[int],
        units: int | Sequence[int] = 64,
        dropout: float = 0.0,
    ):
        super().__init__()
        widths = list(units) if isinstance(units, Sequence | np.ndarray) else [units]
        if not widths:
            raise ValueError("units must hold a width for every layer of a branch; got none.")
        for width in widths:
            check_integer("units", width, 1)
        check_real("dropout", dropout, 0, 1, "[)")
        check_integer("n_inputs", n_inputs, 1)
        n_classes = list(n_classes)
        if not n_classes:
            raise ValueError("n_classes must hold a number of classes for every target; got none.")
        for n in n_classes:
            check_integer("n_classes", n, 1)
        self.layout = ColumnLayout(tuple(int(n) for n in n_classes))
        self.widths = tuple(map(int, widths))
        self.units = self.widths[-1]
        self.dropout = dropout
        n_targets, widest = self.layout.n_targets, self.layout.widest
        first = self.widths[0]
        self.feature_weight = nn.Parameter(torch.empty(n_targets * first, n_inputs))
        self.feature_bias = nn.Parameter(torch.empty(n_targets * first, 1))
        steps = list(pairwise(self.widths))
        self.further_weights = nn.ParameterList(torch.empty(n_targets, o, i) for i, o in steps)
        self.further_biases = nn.ParameterList(torch.empty(n_targets, o, 1) for _, o in steps)
        # One matrix for every target, as wide as the widest needs, so that one product serves all.
        self.weight = nn.Parameter(torch.empty(n_targets, widest, self.units))
        self.bias = nn.Parameter(torch.empty(n_targets, widest, 1))
        for n, weight, bias in (
            (n_inputs, self.feature_weight, self.feature_bias),
            *zip(self.widths[:-1], self.further_weights, self.further_biases, strict=True),
            (self.units, self.weight, self.bias),
        ):
            bound = 1 / math.sqrt(n)  # that of nn.Linear
            nn.init.uniform_(weight, -bound, bound)
            nn.init.uniform_(bias, -bound, bound)

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Compute scores and the features before them.

        Parameters
        ----------
        X : Tensor of shape (n_samples, n_inputs)
            Output of the trunk.

        Returns
        -------
        scores : Tensor of shape (n_samples, sum(n_classes))
            The scores of all targets side by side.
        features : Tensor of shape (n_samples, n_targets, units)
            Input of every target's output layer.
        """
        # Samples come last on the way, which saves transposing between the products, and in the
        # loss, which compares samples class by class.
        features = torch.addmm(self.feature_bias, self.feature_weight, X.t()).relu_()
        features = self._dropped(features.unflatten(0, (-1, self.widths[0])))
        for weight, bias in zip(self.further_weights, self.further_biases, strict=True):
            features = self._dropped(torch.baddbmm(bias, weight, features).relu_())
        scores = torch.baddbmm(self.bias, self.weight, features)
        return self.layout.unpad(scores.permute(2, 0, 1)), features.permute(2, 0, 1)

    def _dropped(self, features: Tensor) -> Tensor:
        """Drop features in training."""
        return F.dropout(features, self.dropout, self.training) if self.dropout else features
