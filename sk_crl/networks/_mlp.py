"""The multi-layer perceptron, the default of a single network."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from sk_crl.networks._fully_connected import list_widths, make_head, run_head


class MLP(nn.Module):
    """Fully connected network with ReLU.

    Parameters
    ----------
    n_features : int
        Number of inputs of a sample, all its dimensions together.
    n_classes : int or sequence of int
        Number of classes; for several targets those of each.
    hidden_units : int or sequence of int, default=(100,)
        Width of every hidden layer; empty for a linear model.
    branch_units : int, default=16
        For several targets: width of the feature layer that each has of its own, after the hidden
        layers that all share (see `Branches`; the paper's have 64). 0 for none.
    dropout : float, default=0.0
        Dropout after every hidden layer and every feature layer, in [0, 1).

    Raises
    ------
    ValueError
        For widths that are no positive integers and a dropout outside its range.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.networks import MLP
    >>> scores, feature = MLP(n_features=20, n_classes=3, hidden_units=(64, 32))(torch.zeros(5, 20))
    >>> scores.shape, feature.shape
    (torch.Size([5, 3]), torch.Size([5, 32]))

    Two targets:

    >>> scores, features = MLP(n_features=20, n_classes=(3, 2))(torch.zeros(5, 20))
    >>> scores.shape, features.shape
    (torch.Size([5, 5]), torch.Size([5, 2, 16]))
    """

    def __init__(
        self,
        n_features: int,
        n_classes: int | Sequence[int],
        hidden_units: int | Sequence[int] = (100,),
        branch_units: int = 16,
        dropout: float = 0.0,
    ):
        super().__init__()
        widths = list_widths(hidden_units)
        inputs = [n_features, *widths]
        self.hidden = nn.ModuleList(map(nn.Linear, inputs, widths))
        self.dropout = dropout
        self.head = make_head(inputs[-1], n_classes, branch_units, dropout)

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Compute scores and the feature before them.

        Parameters
        ----------
        X : Tensor of shape (n_samples, ...)
            Samples.

        Returns
        -------
        scores : Tensor of shape (n_samples, n_classes)
            One score for every class, those of all targets side by side.
        feature : Tensor of shape (n_samples, d) or (n_samples, n_targets, branch_units)
            Input of the last layer, shared by the targets or one for each.
        """
        feature = X.flatten(1)
        for layer in self.hidden:
            feature = F.relu(layer(feature), inplace=True)
            if self.dropout:
                feature = F.dropout(feature, self.dropout, self.training)
        return run_head(self.head, feature)
