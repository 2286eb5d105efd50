"""A round of Large Margin Local Embedding: what it has chosen, and the loss of its batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sk_crl.baselines._clusters import Clusters
from sk_crl.baselines._quintuplets import (
    choose_quintuplets,
    quintuplet_margins,
    triple_header_hinge,
)
from sk_crl.training._draws import draw_balanced


class Round(NamedTuple):
    """What a round has chosen for one target, for every sample that has a label.

    Attributes
    ----------
    codes : Tensor of int64, shape (n_samples,)
        Class codes, -1 where a label is missing.
    quintuplets : Tensor of int64, shape (n_samples, 5)
        The quintuplets.
    margins : Tensor of shape (n_samples, 3)
        Their margins.
    """

    codes: Tensor
    quintuplets: Tensor
    margins: Tensor

    @classmethod
    def choose(cls, features: Tensor, codes: Tensor, clusters: Clusters, strength: float) -> Round:
        """Choose the quintuplets, and compute their margins."""
        anchors = (codes >= 0).nonzero()[:, 0]
        of_samples = torch.from_numpy(clusters.of_samples).to(codes.device)
        cluster_sizes = torch.from_numpy(clusters.sizes).to(codes.device)
        class_sizes = codes[anchors].bincount()
        quintuplets = codes.new_full((len(codes), 5), -1)
        quintuplets[anchors] = choose_quintuplets(features, codes, of_samples, anchors)
        margins = features.new_zeros((len(codes), 3))
        margins[anchors] = quintuplet_margins(
            class_sizes[codes[anchors]],
            cluster_sizes[of_samples[anchors]],
            len(anchors),
            len(class_sizes),
            strength,
        ).to(features.dtype)
        return cls(codes, quintuplets, margins)


class QuintupletBatch(NamedTuple):
    """The quintuplets of all targets in a batch, and the samples that they are made of.

    Attributes
    ----------
    samples : Tensor of int64, shape (n,)
        The samples, each once.
    quintuplets : Tensor of int64, shape (n_targets, batch_size, 5)
        Places among these samples, -1 where there is none.
    margins : Tensor of shape (n_targets, batch_size, 3)
        The margins.
    """

    samples: Tensor
    quintuplets: Tensor
    margins: Tensor

    def loss(self, features: Tensor) -> Tensor:
        """Compute the sum of all targets' losses.

        Parameters
        ----------
        features : Tensor of shape (n, n_targets, d)
            Features of the samples, of unit length.

        Returns
        -------
        Tensor of shape ()
            The loss.
        """
        targets = zip(features.unbind(1), self.quintuplets, self.margins, strict=True)
        return torch.stack([triple_header_hinge(*target) for target in targets]).sum()


def quintuplet_batches(
    rounds: Sequence[Round], batch_size: int, generator: torch.Generator
) -> Iterator[QuintupletBatch]:
    """Draw the batches of an epoch, with class-balanced anchors of every target's own.

    Parameters
    ----------
    rounds : sequence of Round
        What the round has chosen, for every target.
    batch_size : int
        Anchors of every target in a batch.
    generator : torch.Generator
        Source of the draws, on the CPU.

    Yields
    ------
    QuintupletBatch
        As many as hold all samples once.
    """
    n_batches = -(-len(rounds[0].codes) // batch_size)
    anchors = [draw_balanced(chosen.codes, n_batches, batch_size, generator) for chosen in rounds]
    for drawn in zip(*anchors, strict=True):
        pairs = list(zip(rounds, drawn, strict=True))
        quintuplets = torch.stack([chosen.quintuplets[rows] for chosen, rows in pairs])
        margins = torch.stack([chosen.margins[rows] for chosen, rows in pairs])
        is_there = quintuplets >= 0
        anchor = quintuplets[..., :1]  # stands in for what is missing
        samples, places = quintuplets.where(is_there, anchor).unique(return_inverse=True)
        yield QuintupletBatch(samples, places.where(is_there, -1), margins)
