"""A network for tables: embeddings of numbers and of categories before fully connected layers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sk_crl._checks import check_integer
from sk_crl.networks._fully_connected import list_widths, make_head, run_head

SPREAD = 0.3  # deviation of the frequencies that cosines start with, in waves per unit


class TableNetwork(nn.Module):
    r"""Fully connected network on embeddings of the columns of a table.

    A number :math:`x` is embedded as itself beside a few :math:`\cos(v x + b)` with frequencies
    and phases that are learned (the periodic embeddings of Gorishniy et al., beside the number as
    in RealMLP), a category as a row of a learned table. On all of them stand layers with SiLU.

    Parameters
    ----------
    n_features : int
        Number of columns: those of numbers first, scaled to about -3 to 3, then those of codes.
    n_classes : int or sequence of int
        Number of classes; for several targets those of each.
    cardinalities : sequence of int, default=()
        Number of codes, from 0, of every column of codes.
    hidden_units : int or sequence of int, default=(128, 128)
        Width of every hidden layer; empty for a model that is linear in the embeddings.
    number_units : int, default=4
        Width of the embedding of a number, the number itself being one of them; 1 for no more.
    category_units : int, default=8
        Width of the embedding of a category, at most. Columns of few categories are embedded as
        wide as these are many, and start as if they were one-hot. Code 0, of what is unknown,
        starts as zeros.
    branch_units : int, default=0
        For several targets: width of a feature layer that each has of its own, see `Branches`. 0
        for none.
    dropout : float, default=0.0
        Dropout after every hidden layer, in [0, 1).

    Raises
    ------
    ValueError
        For widths that are no positive integers and a dropout outside its range.

    References
    ----------
    D. Holzmüller, L. Grinsztajn and I. Steinwart. Better by Default: Strong Pre-Tuned MLPs and
    Boosted Trees on Tabular Data. NeurIPS 2024.

    Y. Gorishniy, I. Rubachev and A. Babenko. On Embeddings for Numerical Features in Tabular Deep
    Learning. NeurIPS 2022.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.networks import TableNetwork
    >>> network = TableNetwork(n_features=5, n_classes=3, cardinalities=(4, 2))
    >>> scores, feature = network(torch.tensor([[0.5, -1.0, 2.0, 3.0, 1.0]]))
    >>> scores.shape, feature.shape
    (torch.Size([1, 3]), torch.Size([1, 128]))
    """

    def __init__(
        self,
        n_features: int,
        n_classes: int | Sequence[int],
        cardinalities: Sequence[int] = (),
        hidden_units: int | Sequence[int] = (128, 128),
        number_units: int = 4,
        category_units: int = 8,
        branch_units: int = 0,
        dropout: float = 0.0,
    ):
        super().__init__()
        widths = list_widths(hidden_units)
        check_integer("number_units", number_units, 1)
        check_integer("category_units", category_units, 1)
        self.n_numbers = n_features - len(cardinalities)
        self.numbers = NumberEmbedding(self.n_numbers, number_units)
        self.categories = nn.ModuleList(
            nn.Embedding(n_codes, min(max(n_codes - 1, 1), category_units))
            for n_codes in cardinalities
        )
        for table in self.categories:
            _start_as_one_hot(table)
        n_embedded = self.n_numbers * number_units
        n_embedded += sum(table.embedding_dim for table in self.categories)
        inputs = [n_embedded, *widths]
        self.hidden = nn.ModuleList(map(nn.Linear, inputs, widths))
        for layer in self.hidden:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        self.dropout = dropout
        self.head = make_head(inputs[-1], n_classes, branch_units, dropout)

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Compute scores and the feature before them.

        Parameters
        ----------
        X : Tensor of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        scores : Tensor of shape (n_samples, n_classes)
            One score for every class, those of all targets side by side.
        feature : Tensor of shape (n_samples, d) or (n_samples, n_targets, branch_units)
            Input of the last layer, shared by the targets or one for each.
        """
        numbers, codes = X[:, : self.n_numbers], X[:, self.n_numbers :].long()
        embedded = [table(codes[:, place]) for place, table in enumerate(self.categories)]
        feature = torch.cat([self.numbers(numbers), *embedded], 1)
        for layer in self.hidden:
            feature = F.silu(layer(feature))
            if self.dropout:
                feature = F.dropout(feature, self.dropout, self.training)
        return run_head(self.head, feature)


def _start_as_one_hot(table: nn.Embedding) -> None:
    """Start with zeros for code 0, and one-hot or random vectors of mean squared length 1."""
    n_codes, units = table.weight.shape
    with torch.no_grad():
        if n_codes - 1 <= units:
            table.weight.copy_(torch.eye(n_codes, units + 1)[:, 1:])
        else:
            table.weight.normal_(std=1 / math.sqrt(units))
            table.weight[0] = 0


class NumberEmbedding(nn.Module):
    """Every number beside a few learned cosines of it.

    Parameters
    ----------
    n_numbers : int
        Number of columns.
    units : int
        Width of an embedding, the number itself included.
    """

    def __init__(self, n_numbers: int, units: int):
        super().__init__()
        n_cosines = units - 1
        self.frequency = nn.Parameter(2 * math.pi * SPREAD * torch.randn(n_cosines, n_numbers))
        self.phase = nn.Parameter(math.pi * (2 * torch.rand(n_cosines, n_numbers) - 1))

    def forward(self, X: Tensor) -> Tensor:
        """Embed numbers, (n_samples, n_numbers), as (n_samples, n_numbers * units)."""
        cosines = torch.cos(X[:, None] * self.frequency + self.phase)
        return torch.cat([X[:, None], cosines], 1).flatten(1)
