"""Batch samplers that draw samples by their classes, in shares that they set."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor

from sk_crl._checks import check_choice, check_real
from sk_crl.training._batch_sampler import BatchSampler
from sk_crl.training._draws import ClassIndex, draw_by_class

SCHEDULES = ("convex", "linear", "concave", "composite")


class DrawnBatches(BatchSampler):
    """Base of samplers that draw samples by their classes."""

    @abstractmethod
    def _shares(self, index: ClassIndex, epoch: int, n_epochs: int) -> Tensor:
        """Share out draws among the classes of all targets, (n_classes,), adding up to 1."""

    def order(
        self, codes: Tensor, batch_size: int, epoch: int, n_epochs: int, generator: torch.Generator
    ) -> Tensor:
        """Draw as many samples as there are.

        Parameters
        ----------
        codes : Tensor of int64, shape (n_samples, n_targets)
            Class codes, -1 where a label is missing.
        batch_size : int
            Samples in a batch.
        epoch : int
            Epochs that the network has been trained for.
        n_epochs : int
            Epochs that training is planned to take; training that goes on can take more.
        generator : torch.Generator
            Source of the draws, on the CPU.

        Returns
        -------
        Tensor of int64, shape (n_samples,)
            The samples drawn.
        """
        index = ClassIndex.of(codes)
        shares = self._shares(index, epoch, n_epochs)
        return draw_by_class(index, shares, len(codes), batch_size, generator)

    def frequencies(self, codes: Tensor, epoch: int, n_epochs: int) -> Tensor:
        """Say how often each sample is expected to be drawn, up to a factor.

        Parameters
        ----------
        codes : Tensor of int64, shape (n_samples, n_targets)
            Class codes, -1 where a label is missing.
        epoch : int
            Epochs that the network has been trained for.
        n_epochs : int
            Epochs that training is planned to take; training that goes on can take more.

        Returns
        -------
        Tensor of shape (n_samples,)
            The share of every sample in the draws.
        """
        index = ClassIndex.of(codes)
        return index.frequencies(self._shares(index, epoch, n_epochs))


class BalancedBatches(DrawnBatches):
    r"""Batches that hold equally many samples of every class, give or take one.

    An epoch draws as many samples as there are. Those of a class come round in a random order:
    some of a large class are left out, and those of a small one come again when all of them have
    been seen.

    Of several targets, every batch is shared out evenly among the targets, and a target's part
    evenly among the classes that it has. So a sample is drawn with a probability proportional to
    the sum, over the targets that it has a label of, of one over the size of its class times the
    number of classes. A row has a class in every target, so no target is quite even then.

    The network learns the prior of what it is shown: logit adjustment has nothing to correct for
    with one target and, with several, what is left of each target's imbalance. The same holds for
    class rectification, which no class is in the minority for: with ``alpha=None`` its weight is
    that of the imbalance left, 0 for one target. (An explicit `alpha` holds; ``scope="all"`` goes
    with it.)

    See Also
    --------
    BatchSampler : Their base.
    sk_crl.baselines.ResampledClassifier : Sampling once, before training.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.training import BalancedBatches
    >>> codes = torch.tensor([0] * 10 + [1] * 2)[:, None]
    >>> order = BalancedBatches().order(codes, 6, 0, 1, torch.Generator().manual_seed(0))
    >>> [batch.bincount().tolist() for batch in codes[order, 0].split(6)]
    [[3, 3], [3, 3]]
    """

    def _shares(self, index: ClassIndex, epoch: int, n_epochs: int) -> Tensor:
        """Share out draws among the classes of all targets."""
        return index.even_shares()


class DynamicBatches(DrawnBatches):
    r"""From the class shares of the data, in the first epoch, to equal ones, towards the last.

    The sampling scheduler of Dynamic Curriculum Learning (Wang, Gan, Yang, Wu and Yan, ICCV 2019):
    in epoch :math:`l` of :math:`L` the shares are those of the data to the power of
    :math:`g(l)`, normalised,

    .. math:: D_l \propto D_{train}^{g(l)}, \qquad
              g_{convex}(l) = \cos\frac{\pi l}{2 L}, \quad
              g_{linear}(l) = 1 - \frac{l}{L}, \quad
              g_{concave}(l) = \lambda^l, \quad
              g_{composite}(l) = \tfrac12 \cos\frac{\pi l}{L} + \tfrac12 .

    Every batch has these shares, rounded to whole samples, and an epoch draws as many samples as
    there are; those of a class come round in a random order. The paper picks samples of a batch,
    and weighs the others, for every attribute apart. Here, they are drawn: of several targets,
    every batch is shared out evenly among the targets, and a target's part by the shares of its
    classes, as `BalancedBatches` does.

    Logit adjustment corrects for the prior of the epoch that the network comes from: the last or,
    with early stopping, the best (and the counts of several calls of `partial_fit` add up). The
    weight of class rectification falls with the imbalance of the epoch (Eq. 8) unless `alpha` is
    given; the paper's own schedule is ``alpha_decay="cosine"`` beside a given `alpha`.

    Epochs are counted over all training of a network, :math:`L` being `max_epochs`: the schedule
    goes on where ``warm_start`` or `partial_fit` do, and after its end classes are equal.

    Parameters
    ----------
    schedule : {"convex", "linear", "concave", "composite"}, default="convex"
        How :math:`g` falls: from slow to fast, evenly, from fast to slow, or slowly at both ends.
    decay : float, default=0.95
        The :math:`\lambda` of ``schedule="concave"``, in (0, 1). The paper leaves it open; with
        0.95, 0.6 % of :math:`g` is left after 100 epochs.

    See Also
    --------
    BatchSampler : Their base.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.training import DynamicBatches
    >>> codes = torch.tensor([0] * 90 + [1] * 10)[:, None]
    >>> sampler = DynamicBatches(schedule="linear")
    >>> for epoch in range(4):
    ...     order = sampler.order(codes, 100, epoch, 4, torch.Generator().manual_seed(0))
    ...     print(codes[order, 0].bincount().tolist())
    [90, 10]
    [83, 17]
    [75, 25]
    [63, 37]
    """

    def __init__(self, schedule: str = "convex", decay: float = 0.95):
        self.schedule = schedule
        self.decay = decay

    def exponent(self, epoch: int, n_epochs: int) -> float:
        """Compute g, the power that the shares of the data are raised to.

        Parameters
        ----------
        epoch : int
            Epochs l that the network has been trained for.
        n_epochs : int
            Epochs L that training is planned to take.

        Returns
        -------
        float
            1 in the first epoch, and less in every later one until the planned end.

        Raises
        ------
        ValueError
            For a schedule or a decay that is none.
        """
        check_choice("schedule", self.schedule, SCHEDULES)
        check_real("decay", self.decay, 0, 1, "()")
        if epoch >= n_epochs:
            return 0.0
        if self.schedule == "convex":
            return math.cos(math.pi / 2 * epoch / n_epochs)
        if self.schedule == "linear":
            return 1 - epoch / n_epochs
        if self.schedule == "concave":
            return self.decay**epoch
        return (math.cos(math.pi * epoch / n_epochs) + 1) / 2

    def _shares(self, index: ClassIndex, epoch: int, n_epochs: int) -> Tensor:
        """Share out draws among the classes of all targets."""
        g = self.exponent(epoch, n_epochs)
        return index.shares_of((index.counts > 0) * index.counts.double() ** g)
