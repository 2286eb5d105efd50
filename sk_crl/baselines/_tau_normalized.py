"""Last layers whose classes' weights are scaled towards one length."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from sk_crl.baselines._metric import Metric
from sk_crl.baselines._network_wrapper import Linear, NetworkWrapper, Seen, see
from sk_crl.baselines._out_of_fold import Respond
from sk_crl.baselines._post_hoc import TunedClassifier
from sk_crl.baselines._prior import best_of, check_grid


class TauNormalizedClassifier(NetworkWrapper, TunedClassifier):
    r"""Normalised weights of a network's last layer, by a strength that cross-validation chooses.

    The weights of frequent classes grow longer. :math:`\tau`-normalisation (Kang et al.:
    *Decoupling representation and classifier for long-tailed recognition*, ICLR 2020) decides by
    :math:`\arg\max_c \tilde w_c^T f(x)` with :math:`\tilde w_c = w_c / \|w_c\|^\tau`, for the
    features :math:`f(x)` that the last layer is given. As in the paper, biases are left out, also
    where :math:`\tau = 0`. It stands in for a correction of the prior:
    ``logit_adjustment="predict"`` of the network's estimator has no effect here, while ``"loss"``
    has shaped the weights already.

    Parameters
    ----------
    estimator : CRLClassifier, MultiOutputCRLClassifier or what extends them
        Trains the network, a single one (``n_members=1``), whose scores are the output of an
        `nn.Linear` layer or of `sk_crl.networks.Branches`. It may stand at the end of a pipeline,
        or be a fitted one in a `sklearn.frozen.FrozenEstimator`; pass `fit` samples that it has not
        seen, then.
    taus : sequence of float, default=(0, 0.25, 0.5, 0.75, 1)
        Values of :math:`\tau` to choose from, not negative, for every target by itself; 0 scales
        nothing. Of equally good ones the middle one is chosen.
    scoring : str or callable, default="balanced_accuracy"
        What to maximise, as in `LogitAdjustedClassifier`.
    cv : int, splitter or iterable, default=5
        Folds or splits that hold every row out once, as there.
    n_jobs : int, optional
        Folds to fit at a time.

    Attributes
    ----------
    estimator_ : estimator
        The estimator, fitted on all samples.
    tau_ : float, or ndarray of shape (n_targets,)
        The strength chosen.
    cv_scores_ : ndarray of shape (n_taus,), or list of them
        The metric of all out-of-fold predictions together, for every strength.
    classes_ : ndarray of shape (n_classes,), or list of them
        The labels, those of every target where there are several.
    n_features_in_ : int
        Number of features, where the estimator knows it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where the estimator knows them.

    Raises
    ------
    ValueError
        For an estimator without such a network, parameters outside their range and data that
        cannot be learned from. A fit that fails leaves the classifier as it was.

    See Also
    --------
    RetrainedHeadClassifier : Trains the last layer again.
    LogitAdjustedClassifier : Takes the prior out of any classifier's probabilities.

    Notes
    -----
    Probabilities are those of the new scores, whose scale depends on :math:`\tau`: they rank, and
    are not calibrated.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sk_crl import CRLClassifier
    >>> from sk_crl.baselines import TauNormalizedClassifier
    >>> X, y = make_classification(600, weights=[0.9], flip_y=0, random_state=0)
    >>> plain = CRLClassifier(n_members=1, alpha=0, max_epochs=30, random_state=0)
    >>> model = TauNormalizedClassifier(make_pipeline(StandardScaler(), plain), cv=3).fit(X, y)
    >>> model.tau_ in model.taus, model.cv_scores_.shape
    (True, (5,))
    """

    def __init__(
        self,
        estimator: Any,
        *,
        taus: Sequence[float] = (0, 0.25, 0.5, 0.75, 1),
        scoring: Any = "balanced_accuracy",
        cv: Any = 5,
        n_jobs: int | None = None,
    ):
        self.estimator = estimator
        self.taus = taus
        self.scoring = scoring
        self.cv = cv
        self.n_jobs = n_jobs

    def _check_parameters(self) -> None:
        check_grid("taus", self.taus)

    def _response(self) -> tuple[Respond, tuple[int, ...]]:
        return partial(_probabilities, taus=list(self.taus)), (len(self.taus),)

    def _tune_target(
        self, table: NDArray, codes: NDArray, classes: NDArray, weight: NDArray, metric: Metric
    ) -> tuple[float, NDArray[np.float64]]:
        measure = metric.of_codes(codes, weight, classes)
        cv_scores = np.array([measure(of_tau.argmax(axis=1)) for of_tau in table])
        return best_of(self.taus, cv_scores), cv_scores

    def _publish(self, tuned: list[tuple[float, NDArray[np.float64]]]) -> None:
        self.tau_ = self._chosen([tau for tau, _ in tuned])
        self.cv_scores_ = self._published([cv_scores for _, cv_scores in tuned])

    def _layers(self, seen: Seen) -> list[Linear]:
        taus = np.atleast_1d(self.tau_)
        layers = seen.layers()
        return [normalized(last, t) for last, t in zip(layers, taus, strict=True)]


def normalized(last: Linear, tau: float) -> Linear:
    """Divide the weights of every class by the tau-th power of their length; drop the biases.

    Raises
    ------
    ValueError
        Where float64 cannot hold them, so that nothing could be told by their scores.
    """
    lengths = np.linalg.norm(last.weight, axis=1)
    lengths = np.where(lengths > 0, lengths, 1.0)  # what is 0 stays so
    with np.errstate(over="ignore", under="ignore"):
        scale = lengths**-tau
        scaled = lengths * scale
    if not (np.isfinite(scaled) & (scaled > 0)).all():
        raise ValueError(
            f"taus must be small enough for weights that float64 can hold; got {tau:g}, for "
            f"lengths from {lengths.min():.3g} to {lengths.max():.3g}. 1 makes all lengths alike."
        )
    return Linear(last.weight * scale[:, None], np.zeros_like(last.bias))


def _probabilities(estimator: Any, X: Any, taus: Sequence[float]) -> list[NDArray[np.float64]]:
    """Predict probabilities with every tau, (n_taus, n_samples, n_classes) of every target."""
    seen = see(estimator, X)
    return [
        np.stack([softmax(normalized(last, t).scores(features), axis=1) for t in taus])
        for last, features in zip(seen.layers(), seen.of_targets(), strict=True)
    ]
