"""A branch for every target, all of them in one product."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sk_crl._checks import check_integer, check_real
from sk_crl._layout import ColumnLayout


class Branches(nn.Module):
    """A feature layer and an output layer for every target, on the output of a shared trunk.

    In the spirit of the paper's networks for many attributes, each of which has a layer of 64
    features (FC2) and an output layer of its own.

    Parameters
    ----------
    n_inputs : int
        Width of the trunk's output.
    n_classes : sequence of int
        Number of classes of every target.
    units : int, default=64
        Width of every target's feature layer.
    dropout : float, default=0.0
        Dropout of these features, in [0, 1).

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
    """

    def __init__(
        self, n_inputs: int, n_classes: Sequence[int], units: int = 64, dropout: float = 0.0
    ):
        super().__init__()
        check_integer("units", units, 1)
        check_real("dropout", dropout, 0, 1, "[)")
        check_integer("n_inputs", n_inputs, 1)
        n_classes = list(n_classes)
        if not n_classes:
            raise ValueError("n_classes must hold a number of classes for every target; got none.")
        for n in n_classes:
            check_integer("n_classes", n, 1)
        self.layout = ColumnLayout(tuple(int(n) for n in n_classes))
        self.units = int(units)
        self.dropout = dropout
        n_targets, widest = self.layout.n_targets, self.layout.widest
        self.feature_weight = nn.Parameter(torch.empty(n_targets * self.units, n_inputs))
        self.feature_bias = nn.Parameter(torch.empty(n_targets * self.units, 1))
        # One matrix for every target, as wide as the widest needs, so that one product serves all.
        self.weight = nn.Parameter(torch.empty(n_targets, widest, self.units))
        self.bias = nn.Parameter(torch.empty(n_targets, widest, 1))
        for n, weight, bias in (
            (n_inputs, self.feature_weight, self.feature_bias),
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
        # Samples come last on the way, which saves transposing between the two products, and in
        # the loss, which compares samples class by class.
        features = torch.addmm(self.feature_bias, self.feature_weight, X.t()).relu_()
        features = features.unflatten(0, (-1, self.units))
        if self.dropout:
            features = F.dropout(features, self.dropout, self.training)
        scores = torch.baddbmm(self.bias, self.weight, features)
        return self.layout.unpad(scores.permute(2, 0, 1)), features.permute(2, 0, 1)
