"""Batch samplers: which samples an epoch shows, and in which batches."""

from __future__ import annotations

from typing import Any

import torch
from sklearn.base import clone
from torch import Tensor

from sk_crl._checks import check_integer
from sk_crl._names import unknown_name
from sk_crl.training._batch_sampler import BatchSampler
from sk_crl.training._drawn import BalancedBatches, DrawnBatches, DynamicBatches
from sk_crl.training._draws import ClassIndex
from sk_crl.training._stratified import deal_stratified
from sk_crl.training._topped_up import top_up


class StratifiedBatches(BatchSampler):
    """Batches with the class shares of the data, every sample once an epoch.

    A class that makes up a share s of the data has s · batch_size samples in each full batch,
    rounded down or up, and the last batch, which may be shorter, has its share likewise.

    Of several targets, the shares are those of the combinations of labels, a missing one counting
    as a label. So every target is stratified, as far as rows share their combination with others;
    rows of rare combinations are dealt out next to those that they have the first labels in common
    with, which target is first being drawn anew every epoch. (Stratifying all targets' classes at
    once, as the splitters of `sk_crl.model_selection` do, would take longer than the epoch.)

    Logit adjustment has the same to correct for as without a sampler.

    See Also
    --------
    BatchSampler : Their base.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.training import StratifiedBatches
    >>> codes = torch.tensor([0] * 8 + [1] * 4)[:, None]
    >>> order = StratifiedBatches().order(codes, 6, 0, 1, torch.Generator().manual_seed(0))
    >>> [batch.bincount().tolist() for batch in codes[order, 0].split(6)]
    [[4, 2], [4, 2]]
    """

    def order(
        self, codes: Tensor, batch_size: int, epoch: int, n_epochs: int, generator: torch.Generator
    ) -> Tensor:
        """Order the samples of an epoch.

        Parameters
        ----------
        codes : Tensor of int64, shape (n_samples, n_targets)
            Class codes, -1 where a label is missing.
        batch_size : int
            Samples in a batch.
        epoch, n_epochs : int
            Of no effect here.
        generator : torch.Generator
            Source of the order, on the CPU.

        Returns
        -------
        Tensor of int64, shape (n_samples,)
            Every sample once.
        """
        return deal_stratified(codes, batch_size, generator)

    def frequencies(self, codes: Tensor, epoch: int, n_epochs: int) -> Tensor:
        """Say how often each sample is shown: equally often.

        Parameters
        ----------
        codes : Tensor of int64, shape (n_samples, n_targets)
            Class codes.
        epoch, n_epochs : int
            Of no effect here.

        Returns
        -------
        Tensor of shape (n_samples,)
            Ones.
        """
        return torch.ones(len(codes), dtype=torch.float64)


class AtLeastPerClass(BatchSampler):
    r"""Shuffled batches, topped up to at least so many samples of every class.

    Classes that lack samples get, in place of samples of the batch's largest classes, others of
    their own. All classes that the data have are topped up, those of every target. A class with
    fewer samples shows them again. A last batch that is too short for all is lengthened.

    Logit adjustment and the weight of class rectification go by the class shares of the batches as
    they are, counted in every epoch.

    Parameters
    ----------
    m : int, default=2
        Least number of samples of every class in a batch. Class rectification compares samples of
        a class with each other, and so needs 2.

    See Also
    --------
    BatchSampler : Their base.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.training import AtLeastPerClass
    >>> codes = torch.tensor([0] * 10 + [1] * 2)[:, None]
    >>> order = AtLeastPerClass(m=2).order(codes, 6, 0, 1, torch.Generator().manual_seed(0))
    >>> [batch.bincount().tolist() for batch in codes[order, 0].split(6)]
    [[4, 2], [4, 2]]
    """

    def __init__(self, m: int = 2):
        self.m = m

    def order(
        self, codes: Tensor, batch_size: int, epoch: int, n_epochs: int, generator: torch.Generator
    ) -> Tensor:
        """Order the samples of an epoch.

        Parameters
        ----------
        codes : Tensor of int64, shape (n_samples, n_targets)
            Class codes, -1 where a label is missing.
        batch_size : int
            Samples in a batch.
        epoch, n_epochs : int
            Of no effect here.
        generator : torch.Generator
            Source of the order, on the CPU.

        Returns
        -------
        Tensor of int64, shape (n_drawn,)
            The samples, n_samples or a few more.

        Raises
        ------
        ValueError
            For an `m` below 1, and where a batch is too small for `m` samples of every class.
        """
        check_integer("m", self.m, 1)
        index = ClassIndex.of(codes)
        n_there = int((index.counts > 0).sum())
        if self.m * n_there > batch_size:
            raise ValueError(
                f"batch_size must be at least {self.m * n_there}, for m={self.m} samples of each "
                f"of {n_there} classes (of all targets), and no more than there are training "
                f"samples; batches have {batch_size} of {len(codes)} samples. Raise batch_size or "
                "lower m."
            )
        return top_up(index, int(self.m), batch_size, generator)


_BY_NAME = {
    "stratified": StratifiedBatches,
    "balanced": BalancedBatches,
    "dynamic": DynamicBatches,
}


def find_batch_sampler(batch_sampler: Any) -> BatchSampler | None:
    """Find the sampler of a name, or copy the one that is given.

    Raises
    ------
    ValueError
        For an unknown name.
    TypeError
        For what is no sampler.
    """
    if batch_sampler is None:
        return None
    if isinstance(batch_sampler, str):
        if batch_sampler not in _BY_NAME:
            raise ValueError(unknown_name("batch_sampler", batch_sampler, _BY_NAME))
        return _BY_NAME[batch_sampler]()
    if isinstance(batch_sampler, type) or not callable(getattr(batch_sampler, "order", None)):
        raise TypeError(
            f"batch_sampler must be None, one of {', '.join(map(repr, _BY_NAME))}, or an object "
            f"with a method order such as BalancedBatches(); got {batch_sampler!r}."
        )
    return clone(batch_sampler, safe=False)


def evens_out(batch_sampler: Any) -> bool:
    """Whether a sampler, which may be a name, is there to even classes out."""
    return isinstance(find_batch_sampler(batch_sampler), DrawnBatches)
