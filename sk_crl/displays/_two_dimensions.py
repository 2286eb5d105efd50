"""From an estimator's features to two dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from sk_crl._labels import Labels

_METHODS = ("pca", "tsne")


def features_of(estimator: Any, X: ArrayLike) -> Any:
    """Compute the features that an estimator, its best one, or the last step of it makes.

    Raises
    ------
    ValueError
        Where it makes none.
    """
    if hasattr(estimator, "features"):
        return estimator.features(X)
    if hasattr(estimator, "best_estimator_"):
        return features_of(estimator.best_estimator_, X)
    if hasattr(estimator, "transform"):
        return estimator.transform(X)
    if hasattr(estimator, "steps"):
        for _, step in estimator.steps[:-1]:
            if hasattr(step, "transform"):  # samplers, and steps that pass all through, have none
                X = step.transform(X)
        return features_of(estimator.steps[-1][1], X)
    raise ValueError(
        f"The estimator must have a method features or transform; {type(estimator).__name__} has "
        "neither. Use from_features with features of your own."
    )


def checked_features(features: Any, labels: Labels) -> NDArray:
    """Check that features are there for all samples, and for all targets or each of them.

    Raises
    ------
    ValueError
        For another shape.
    """
    dense = features.toarray() if hasattr(features, "toarray") else features
    array = np.asarray(dense, dtype=np.float64)
    n_targets = len(labels.columns)
    for_each = array.ndim == 3 and array.shape[1] == n_targets
    if (array.ndim != 2 and not for_each) or len(array) != len(labels) or array.shape[-1] < 2:
        raise ValueError(
            f"features must have shape ({len(labels)}, d) or ({len(labels)}, {n_targets}, d) for "
            f"labels of {len(labels)} samples, with d of 2 or more; got {array.shape}."
        )
    if not np.isfinite(array).all():
        raise ValueError("features must be finite; got NaN or infinity.")
    return array


def in_two_dimensions(features: NDArray, method: Any, seed: int) -> tuple[NDArray, tuple[str, str]]:
    """Bring features to two dimensions, and say what these are.

    Raises
    ------
    ValueError
        For features that are all alike, an unknown method, or one that returns other than two
        columns.
    """
    if (features == features[0]).all():
        raise ValueError(f"features must differ; got {len(features)} samples that are all alike.")
    if isinstance(method, str) and method == "pca":
        from sklearn.decomposition import PCA

        pca = PCA(2, random_state=seed)
        embedded = pca.fit_transform(features)
        shares = 100 * pca.explained_variance_ratio_
        first, second = (
            f"Component {i} ({share:.0f} % of variance)" for i, share in enumerate(shares, 1)
        )
        return embedded, (first, second)
    if isinstance(method, str) and method == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(30, (len(features) - 1) / 3)  # the default asks for more samples
        tsne = TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
        return tsne.fit_transform(features), ("t-SNE 1", "t-SNE 2")
    if not hasattr(method, "fit_transform"):
        expected = ", ".join(map(repr, _METHODS))
        raise ValueError(f"method must be {expected} or a transformer; got {method!r}.")
    embedded = np.asarray(clone(method).fit_transform(features))
    if embedded.shape != (len(features), 2):
        raise ValueError(
            f"method must make two columns, shape ({len(features)}, 2); {method!r} made "
            f"{embedded.shape}."
        )
    name = type(method).__name__
    return embedded, (f"{name} 1", f"{name} 2")
