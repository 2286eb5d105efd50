"""Decisions corrected for the class prior, as strongly as cross-validation finds best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_crl._checks import check_real
from sk_crl._distribution import ClassDistribution
from sk_crl.baselines._metric import Metric
from sk_crl.baselines._post_hoc import PostHocClassifier, Tuned
from sk_crl.baselines._search import Scores


class PriorThresholdClassifier(PostHocClassifier):
    r"""Threshold adjustment by class shares, around any classifier.

    Decides by :math:`\arg\max_c p_c \exp(-r_c)^T`, with :math:`r_c` the share of class c in the
    training data and T chosen by cross-validation: the threshold adjustment that Dong, Gong and
    Zhu compare with (*Imbalanced Deep Learning by Minority Class Incremental Rectification*). It
    weighs a class of share 0 at most :math:`e^T` times as much as one of share 1.

    Parameters
    ----------
    estimator : classifier
        Any classifier with `predict_proba`, for one target, or for several where `predict_proba`
        and `classes_` are lists. A `sklearn.frozen.FrozenEstimator` is not fitted again; pass `fit`
        samples that it has not seen, then.
    exponents : sequence of float, default=(1, 2, 3, 4, 5)
        Values of T to choose from, not negative. Of equally good ones the middle one is chosen.
    scoring : str or callable, default="balanced_accuracy"
        What to maximise: a metric of predicted labels by scikit-learn's name, a function of true
        and predicted labels, or a scorer made of one; of every target by itself.
    cv : int, splitter or iterable, default=5
        A number of folds, stratified like those of
        `sk_crl.model_selection.MultiOutputStratifiedKFold`, or splits that hold every row out once.
        Classes may have fewer samples than there are folds.
    n_jobs : int, optional
        Folds to fit at a time.
    missing_label : number or str, optional
        A label that stands for none, beside NaN, None and NA, where the classifier knows it.

    Attributes
    ----------
    estimator_ : classifier
        The classifier, fitted on all samples.
    offsets_ : ndarray of shape (n_classes,), or list of them
        What is added to log-probabilities: :math:`-T r_c`.
    T_ : float, or ndarray of shape (n_targets,)
        The exponent chosen.
    cv_scores_ : ndarray of shape (n_exponents,), or list of them
        The metric of all out-of-fold predictions together, for every exponent.
    classes_ : ndarray of shape (n_classes,), or list of them
        The labels, those of every target where the classifier knows several.
    n_features_in_ : int
        Number of features, where the classifier knows it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where the classifier knows them.

    Raises
    ------
    ValueError
        For a classifier without probabilities, parameters outside their range and data that
        cannot be learned from. A fit that fails leaves the estimator as it was.

    See Also
    --------
    LogitAdjustedClassifier : Takes the prior itself out.
    OffsetTunedClassifier : Tunes an offset for every class.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sk_crl.baselines import PriorThresholdClassifier
    >>> X, y = make_classification(1000, weights=[0.95], random_state=0)
    >>> model = PriorThresholdClassifier(LogisticRegression()).fit(X, y)
    >>> model.T_
    3.0
    """

    def __init__(
        self,
        estimator: Any,
        *,
        exponents: Sequence[float] = (1, 2, 3, 4, 5),
        scoring: Any = "balanced_accuracy",
        cv: Any = 5,
        n_jobs: int | None = None,
        missing_label: float | str | None = None,
    ):
        super().__init__(
            estimator, scoring=scoring, cv=cv, n_jobs=n_jobs, missing_label=missing_label
        )
        self.exponents = exponents

    def _check_parameters(self) -> None:
        check_grid("exponents", self.exponents)

    def _tune(
        self, scores: Scores, distribution: ClassDistribution, classes: NDArray, metric: Metric
    ) -> Tuned:
        return choose(self.exponents, -distribution.prior, scores, classes, metric)

    def _publish(self, tuned: list[Tuned]) -> None:
        super()._publish(tuned)
        self.T_ = self._chosen([t.chosen for t in tuned])


class LogitAdjustedClassifier(PostHocClassifier):
    r"""Logit adjustment after training, around any classifier.

    Decides by :math:`\arg\max_c \log p_c - \tau \log \pi_c`, with :math:`\pi_c` the share of class
    c in the training data and :math:`\tau` chosen by cross-validation (Menon et al.: *Long-tail
    learning via logit adjustment*, ICLR 2021). With :math:`\tau = 1` this is best for the balanced
    accuracy wherever the probabilities are true.

    `sk_crl.CRLClassifier` and `sk_crl.MultiOutputCRLClassifier` take the prior out by themselves
    (``logit_adjustment="predict"``): around them this classifier chooses how much more to take out,
    most often nothing. Set their ``logit_adjustment=None`` to have the whole choice here.

    Parameters
    ----------
    estimator : classifier
        Any classifier with `predict_proba`, for one target, or for several where `predict_proba`
        and `classes_` are lists. A `sklearn.frozen.FrozenEstimator` is not fitted again; pass `fit`
        samples that it has not seen, then.
    taus : sequence of float, default=(0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2)
        Values of :math:`\tau` to choose from, not negative; 0 adjusts nothing. Of equally good ones
        the middle one is chosen.
    scoring : str or callable, default="balanced_accuracy"
        What to maximise: a metric of predicted labels by scikit-learn's name, a function of true
        and predicted labels, or a scorer made of one; of every target by itself.
    cv : int, splitter or iterable, default=5
        A number of folds, stratified like those of
        `sk_crl.model_selection.MultiOutputStratifiedKFold`, or splits that hold every row out once.
        Classes may have fewer samples than there are folds.
    n_jobs : int, optional
        Folds to fit at a time.
    missing_label : number or str, optional
        A label that stands for none, beside NaN, None and NA, where the classifier knows it.

    Attributes
    ----------
    estimator_ : classifier
        The classifier, fitted on all samples.
    offsets_ : ndarray of shape (n_classes,), or list of them
        What is added to log-probabilities: :math:`-\tau \log \pi_c`.
    tau_ : float, or ndarray of shape (n_targets,)
        The strength chosen.
    cv_scores_ : ndarray of shape (n_taus,), or list of them
        The metric of all out-of-fold predictions together, for every strength.
    classes_ : ndarray of shape (n_classes,), or list of them
        The labels, those of every target where the classifier knows several.
    n_features_in_ : int
        Number of features, where the classifier knows it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where the classifier knows them.

    Raises
    ------
    ValueError
        For a classifier without probabilities, parameters outside their range and data that
        cannot be learned from. A fit that fails leaves the estimator as it was.

    See Also
    --------
    PriorThresholdClassifier : The milder threshold adjustment of the paper.
    OffsetTunedClassifier : Tunes an offset for every class.

    Examples
    --------
    Several targets, in one forest:

    >>> import numpy as np
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sk_crl.baselines import LogitAdjustedClassifier
    >>> X = np.random.default_rng(0).normal(size=(400, 3))
    >>> Y = np.column_stack([X[:, 0] + X[:, 1] > 2, np.digitize(X[:, 2], [-1, 1])])
    >>> forest = RandomForestClassifier(random_state=0)
    >>> model = LogitAdjustedClassifier(forest).fit(X[:300], Y[:300])
    >>> model.tau_.shape, model.predict(X[300:]).shape
    ((2,), (100, 2))
    """

    def __init__(
        self,
        estimator: Any,
        *,
        taus: Sequence[float] = (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2),
        scoring: Any = "balanced_accuracy",
        cv: Any = 5,
        n_jobs: int | None = None,
        missing_label: float | str | None = None,
    ):
        super().__init__(
            estimator, scoring=scoring, cv=cv, n_jobs=n_jobs, missing_label=missing_label
        )
        self.taus = taus

    def _check_parameters(self) -> None:
        check_grid("taus", self.taus)

    def _tune(
        self, scores: Scores, distribution: ClassDistribution, classes: NDArray, metric: Metric
    ) -> Tuned:
        return choose(self.taus, -distribution.log_prior, scores, classes, metric)

    def _publish(self, tuned: list[Tuned]) -> None:
        super()._publish(tuned)
        self.tau_ = self._chosen([t.chosen for t in tuned])


def check_grid(name: str, values: Any) -> None:
    """Raise ValueError unless there are values to choose from, none of them negative."""
    is_list = isinstance(values, Sequence | np.ndarray) and not isinstance(values, str)
    if not is_list or np.ndim(values) == 0 or not len(values):
        raise ValueError(f"{name} must be a list of one or more numbers; got {values!r}.")
    for i, value in enumerate(values):
        check_real(f"{name}[{i}]", value, 0, math.inf, "[)")


def choose(
    grid: Sequence[float], direction: NDArray, scores: Scores, classes: NDArray, metric: Metric
) -> Tuned:
    """Choose how far offsets go in a direction."""
    measure = metric.of_codes(scores.codes, scores.weight, classes)
    cv_scores = np.array([measure(scores.predict(value * direction)) for value in grid])
    chosen = best_of(grid, cv_scores)
    return Tuned(chosen * direction, cv_scores, chosen)


def best_of(grid: Sequence[float], cv_scores: NDArray) -> float:
    """Find the value with the highest score; of equally good ones the middle one."""
    best = np.sort(np.asarray(grid, dtype=np.float64)[cv_scores == cv_scores.max()])
    return float(best[(len(best) - 1) // 2])
