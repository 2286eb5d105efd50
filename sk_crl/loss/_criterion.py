"""What a training loop needs of a loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from sk_crl.loss._linear import Linearization


class Criterion(nn.Module):
    """Base of the losses that networks train under.

    A loop calls `begin_epoch` at the start of every epoch, after `set_class_counts` where a sampler
    draws other classes than the data have, then `prepare` with the labels of many
    of its batches at once, and `linearize` for every batch. What labels alone decide is so computed
    apart from the steps, and a gradient can go back through a network with or without a graph.

    Attributes
    ----------
    needs_features : bool
        Whether `linearize` must be given features.
    advice : str
        What to look at where training diverges, beside the learning rate and the samples.
    """

    needs_features: bool = False
    advice: str = ""

    def begin_epoch(self, epoch: int, n_epochs: int) -> None:
        """Set what changes in the course of training; nothing, unless a loss has a schedule.

        Parameters
        ----------
        epoch : int
            Epochs that the network has been trained for. Training that goes on counts on, so this
            can be `n_epochs` and more: schedules are over then.
        n_epochs : int
            Epochs that training is planned to take.
        """

    def set_class_counts(self, class_counts: Sequence[Sequence[float]]) -> None:
        """Go by other class counts; nothing, unless a loss goes by any.

        Parameters
        ----------
        class_counts : sequence of sequence of float
            Number of samples of every class that batches show, for every target.
        """

    @abstractmethod
    def n_prepared(self, batch_size: int) -> int:
        """Bound the numbers that `prepare` makes of a batch.

        Parameters
        ----------
        batch_size : int
            Samples in a batch.

        Returns
        -------
        int
            How many, to the order of magnitude.
        """

    @abstractmethod
    def prepare(
        self, targets: Tensor, sample_weight: Tensor | None = None, *, batch_size: int
    ) -> Sequence[Any]:
        """Do for many batches at once what depends on their labels alone.

        Parameters
        ----------
        targets : Tensor of int64, shape (n_samples,) or (n_samples, n_targets)
            Class index within each target; -1 where the label is missing.
        sample_weight : Tensor of shape (n_samples,) or (n_samples, n_targets), optional
            Weights of samples, or of each of their labels.
        batch_size : int
            Samples in a batch. Where it does not divide their number the last batch is shorter.

        Returns
        -------
        sequence
            What `linearize` is to be given for every batch.
        """

    @abstractmethod
    def linearize(
        self, scores: Tensor, labels: Any, features: Tensor | None = None
    ) -> Linearization:
        """Compute the loss of a batch together with its gradient; in inference mode, too.

        Parameters
        ----------
        scores : Tensor of shape (n_samples, n_columns)
            Raw scores, the columns of all targets side by side.
        labels : object
            The batch's labels, from `prepare`.
        features : Tensor of shape (n_samples, d) or (n_samples, n_targets, d), optional
            The features before them.

        Returns
        -------
        Linearization
            The loss, and its derivatives by the scores first.
        """
