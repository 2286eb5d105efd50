"""Probabilities under the class shares of the training part, of any classifier, and their scores.

Resampling, class weights and even bags make a classifier that sees classes of even size: its
probabilities are those of a world in which all classes are equally frequent. Multiplied by the
class shares of the training part and scaled to sum to 1 they are those of the data (Bayes), which
a log-loss and a calibration error ask for. Divided by the shares, the probabilities of a plain
classifier decide for the balanced accuracy.
"""

from __future__ import annotations

from time import process_time
from typing import Any

import numpy as np
from comparing import balanced_log_loss
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.metrics import log_loss

from sk_crl.baselines import OffsetTunedClassifier

N_BINS = 15


class UnderPrior(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Any classifier, its probabilities brought to the class shares of the training part.

    Parameters
    ----------
    estimator : classifier
        The classifier.
    even : bool, default=False
        Whether its probabilities are those of equally frequent classes.
    corrected : bool, default=False
        Whether to decide by the probabilities of equally frequent classes, in place of as the
        classifier does: prior correction.
    """

    def __init__(self, estimator: Any, *, even: bool = False, corrected: bool = False) -> None:
        self.estimator = estimator
        self.even = even
        self.corrected = corrected

    def fit(self, X: Any, y: NDArray) -> UnderPrior:
        """Fit the classifier, and count the classes."""
        self.classes_, counts = np.unique(y, return_counts=True)
        self.prior_ = counts / counts.sum()
        start = process_time()
        self.estimator_ = clone(self.estimator).fit(X, y)
        self.seconds_ = process_time() - start
        return self

    def predict(self, X: Any) -> NDArray:
        """Decide."""
        if not self.corrected:
            return self.estimator_.predict(X)
        return self.classes_[self.even_proba(X).argmax(axis=1)]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict probabilities under the class shares of the training part."""
        given = self.given_proba(X)
        return scaled(given * self.prior_) if self.even else given

    def even_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict probabilities of equally frequent classes."""
        given = self.given_proba(X)
        return given if self.even else scaled(given / self.prior_)

    def given_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict what the classifier itself does, in double precision."""
        return scaled(np.asarray(self.estimator_.predict_proba(X), dtype=np.float64))


class OffsetDecision(OffsetTunedClassifier):
    """Tuned offsets that decide, beside the probabilities of the classifier as they are."""

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict what the classifier does, without the offsets."""
        return self.estimator_.predict_proba(X)


def scaled(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale every row to the sum 1."""
    return weights / weights.sum(axis=1, keepdims=True)


def calibration_error(y: NDArray, probabilities: NDArray, classes: NDArray) -> float:
    """Compute the expected calibration error of the likeliest class, in 15 bins of equal width.

    The mean over bins, by their samples, of how far the mean probability of the likeliest class is
    from the share of samples that are of it (Guo et al.: *On calibration of modern neural
    networks*, ICML 2017).
    """
    confidence = probabilities.max(axis=1)
    is_right = classes[probabilities.argmax(axis=1)] == y
    # Bins are closed above, so that a certain prediction is in the last one.
    bins = np.clip(np.ceil(confidence * N_BINS).astype(int) - 1, 0, N_BINS - 1)
    gaps = np.bincount(bins, weights=confidence - is_right, minlength=N_BINS)
    return float(np.abs(gaps).sum() / len(y))


# Scorers of UnderPrior.


def calibration(model: UnderPrior, X: Any, y: NDArray) -> float:
    """Score the calibration error under the class shares of the training part."""
    return calibration_error(y, model.predict_proba(X), model.classes_)


def even_log_loss(model: UnderPrior, X: Any, y: NDArray) -> float:
    """Score the log-loss in which classes count alike, of probabilities that suit it."""
    return balanced_log_loss(y, model.even_proba(X))


def given_log_loss(model: UnderPrior, X: Any, y: NDArray) -> float:
    """Score the log-loss of what the classifier itself predicts."""
    return log_loss(y, model.given_proba(X))


def given_calibration(model: UnderPrior, X: Any, y: NDArray) -> float:
    """Score the calibration error of what the classifier itself predicts."""
    return calibration_error(y, model.given_proba(X), model.classes_)


def cpu_seconds(model: UnderPrior, X: Any, y: NDArray) -> float:
    """Tell the processor's time that training took, which other work beside it does not change."""
    return model.seconds_
