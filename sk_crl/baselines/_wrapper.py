"""What it takes to stand around another classifier: its tags, its labels, what its fit is told."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Tags, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import column_or_1d, has_fit_parameter

from sk_crl._labels import Labels, read_labels, read_single_target


class ClassifierWrapper(MetaEstimatorMixin, BaseEstimator):
    """Base of what wraps a classifier."""

    estimator: Any
    cv: Any = None  # where there is cross-validation
    missing_label: float | str | None

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags, tags.target_tags = inner.input_tags, inner.target_tags
        if inner.classifier_tags is not None:
            tags.classifier_tags = inner.classifier_tags
        return tags

    def _check_estimator(self) -> None:
        """Raise ValueError unless there is a classifier with probabilities."""
        if isinstance(self.estimator, type) or not hasattr(self.estimator, "fit"):
            raise ValueError(f"estimator must be a classifier; got {self.estimator!r}.")
        if not hasattr(self.estimator, "predict_proba"):
            raise ValueError(
                "estimator must be a classifier with predict_proba, whose probabilities "
                f"{type(self).__name__} adjusts; {self.estimator!r} has none. Wrap it in "
                "sklearn.calibration.CalibratedClassifierCV."
            )

    def _read_labels(self, y: Any) -> tuple[Labels, Any]:
        """Read the labels; one column of a classifier for one target loses its dimension."""
        labels = read_labels(y, self.missing_label)
        takes_one = get_tags(self.estimator).target_tags.single_output
        if labels.template is None:
            return read_single_target(y, missing_label=self.missing_label), y
        if len(labels.columns) == 1 and takes_one:
            y = column_or_1d(y, warn=True)
            return read_single_target(y, missing_label=self.missing_label), y
        return labels, y

    def _route(self, params: dict[str, Any]) -> tuple[dict, dict]:
        """Say what the classifier's `fit` is told, and what the splitter."""
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", **params)
            return routed["estimator"]["fit"], routed["splitter"]["split"]
        if "sample_weight" in params and not has_fit_parameter(self.estimator, "sample_weight"):
            if not isinstance(self.estimator, FrozenEstimator):
                warnings.warn(
                    f"{type(self.estimator).__name__} does not take sample_weight: it is fitted "
                    "without the weights, which serve to adjust it alone.",
                    UserWarning,
                    stacklevel=4,
                )
            params = {name: value for name, value in params.items() if name != "sample_weight"}
        return params, {}

    def _encode(self, labels: Labels, classes: list[NDArray]) -> NDArray[np.int64]:
        """Turn labels into the codes of the fitted classifier's classes."""
        if len(classes) != len(labels.columns):
            raise ValueError(
                f"y has {len(labels.columns)} targets, but {type(self.estimator).__name__} has "
                f"learned {len(classes)}. Its predict_proba and classes_ must be lists with an "
                "array for every target: wrap it in sklearn.multioutput.MultiOutputClassifier."
            )
        return labels.codes(classes)

    def get_metadata_routing(self) -> MetadataRouter:
        """Say what metadata go to the classifier and to the splitter.

        Returns
        -------
        MetadataRouter
            As scikit-learn's user guide on metadata routing describes it.
        """
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        to_split = MethodMapping().add(caller="fit", callee="split")
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(estimator=self.estimator, method_mapping=to_fit)
            .add(splitter=self.cv, method_mapping=to_split)
        )
