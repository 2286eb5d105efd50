"""What a trained network makes of samples, for every target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted
from torch import nn
from torch.utils.data import Dataset

from sk_crl._network_estimator import NetworkEstimator

if TYPE_CHECKING:
    from sk_crl.training._data import CodedData
    from sk_crl.training._net import CRLNet

_REGISTER = 16  # numbers of float32 in the widest vector register of a CPU


class NetworkPredictor(NetworkEstimator):
    """Base of estimators that predict from a trained net, `net_`."""

    net_: CRLNet
    num_workers: int

    def _unlabelled(self, X) -> CodedData:
        """Check samples to predict from."""
        # Imported here, so that only those who predict need skorch.
        from sk_crl.training._data import CodedData

        check_is_fitted(self, "net_")
        X = self._encoded_samples(self._checked_samples(X, reset=False))
        return CodedData.unlabelled(X, torch.device(self.net_.device), self.num_workers)

    def _scores_of_targets(self, X) -> Sequence[torch.Tensor]:
        """Predict the scores that decide, (n_samples, n_classes) of every target."""
        data = self._unlabelled(X)
        scores = self.net_.scores(data)
        adjusted = self.net_.predict_nonlinearity.adjust(scores)
        if not adjusted.isfinite().all():
            row = int((~adjusted.isfinite()).any(1).nonzero()[0])
            raise FloatingPointError(
                f"The network's scores are infinite or NaN, first for row {row} of X. Scale the "
                "features, for instance with StandardScaler."
            )
        return adjusted.split(self._targets.layout.n_classes, dim=1)

    def _probabilities(self, X) -> list[NDArray[np.float32]]:
        """Predict the probability of every class, of every target."""
        return [_softmax(scores).numpy() for scores in self._scores_of_targets(X)]

    def _codes(self, X) -> NDArray[np.int64]:
        """Predict class codes, (n_samples, n_targets)."""
        return np.column_stack([s.argmax(1).numpy() for s in self._scores_of_targets(X)])

    def features(self, X: ArrayLike | Dataset) -> NDArray[np.float32]:
        """Compute the features that the network makes its scores of.

        They are what the module returns beside its scores, or else, in a single network, the input
        of its last linear layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...), or Dataset
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, d) or (n_samples, n_targets, d)
            Features that all targets share, or those of every target; those of the members of an
            ensemble side by side.

        Raises
        ------
        ValueError
            Where the module returns scores alone, and they come from no linear layer or from an
            ensemble.
        """
        data = self._unlabelled(X)
        return self.net_.features(data).numpy()

    @property
    def module_(self) -> nn.Module:
        """The trained network."""
        return self.net_.module_.network


def _softmax(scores: torch.Tensor) -> torch.Tensor:
    """Compute the softmax of every row, (n_samples, n_classes).

    Below a register's width operations on the whole array are faster than PyTorch's softmax, which
    goes row by row.
    """
    if scores.shape[1] >= _REGISTER:
        return scores.softmax(1)
    p = (scores - scores.amax(1, keepdim=True)).exp_()
    return p.div_(p.sum(1, keepdim=True))
