"""The base of batch samplers."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from sklearn.base import BaseEstimator
from torch import Tensor


class BatchSampler(BaseEstimator, ABC):
    """Base of batch samplers, also of your own.

    Any object with a method `order` will do; with this base its parameters can be searched over,
    as ``batch_sampler__*``. A fit uses a copy.

    A further method ``frequencies(codes, epoch, n_epochs)`` may say how often, up to a factor, the
    sampler is expected to show each sample in an epoch: a Tensor of shape (n_samples,). Logit
    adjustment and the weight of class rectification go by the class shares that follow. Where the
    method is missing they are counted in the order.

    See Also
    --------
    StratifiedBatches : Batches with the class shares of the data.
    BalancedBatches : Batches with equal class shares.
    AtLeastPerClass : Batches with some samples of every class.
    DynamicBatches : From the shares of the data to equal ones.

    Examples
    --------
    Every epoch shows a random half of the samples:

    >>> import torch
    >>> from sklearn.datasets import make_classification
    >>> from sk_crl import CRLClassifier
    >>> from sk_crl.training import BatchSampler
    >>> class HalfOfThem(BatchSampler):
    ...     def order(self, codes, batch_size, epoch, n_epochs, generator):
    ...         return torch.randperm(len(codes), generator=generator)[: len(codes) // 2]
    >>> X, y = make_classification(200, weights=[0.9], random_state=0)
    >>> model = CRLClassifier(batch_sampler=HalfOfThem(), max_epochs=5, random_state=0)
    >>> model.fit(X, y).n_iter_
    5
    """

    @abstractmethod
    def order(
        self, codes: Tensor, batch_size: int, epoch: int, n_epochs: int, generator: torch.Generator
    ) -> Tensor:
        """Order the samples of an epoch; `batch_size` in succession make a batch.

        Parameters
        ----------
        codes : Tensor of int64, shape (n_samples, n_targets)
            Class codes, on the CPU, -1 where a label is missing.
        batch_size : int
            Samples in a batch, at most n_samples; the last may have fewer.
        epoch : int
            Epochs that the network has been trained for.
        n_epochs : int
            Epochs that training is planned to take; training that goes on can take more.
        generator : torch.Generator
            Source of all that is random, on the CPU.

        Returns
        -------
        Tensor of int64, shape (n_drawn,)
            Rows of `codes`, each as often as it is wanted. A single one left over for the last
            batch is dropped.
        """
