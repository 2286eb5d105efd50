"""Samplers of imbalanced-learn that look for neighbours, where classes are too small for them."""

from __future__ import annotations

import numbers
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from sk_crl._labels import short


class Adapted(NamedTuple):
    """What a sampler can do, and what is left to copying.

    Attributes
    ----------
    sampler : sampler object
        The sampler, with fewer neighbours where it has to be.
    given : ndarray of bool, shape (n_samples,)
        Rows to give to it.
    copied : ndarray of int64
        Rows to add beside what it returns: those that it is not given, as often as it would have
        made new ones of their class.
    """

    sampler: Any
    given: NDArray[np.bool_]
    copied: NDArray[np.int64]


def adapt_to_small_classes(sampler: Any, X: NDArray, y: NDArray, title: str) -> Adapted:
    """Lower the neighbours that a sampler asks for to those there are, and warn once.

    Parameters
    ----------
    sampler : sampler object
        A sampler of imbalanced-learn, which is changed.
    X : ndarray of shape (n_samples, n_features)
        Features.
    y : ndarray of shape (n_samples,)
        Labels.
    title : str
        What the warning calls them.
    """
    labels, counts = np.unique(y, return_counts=True)
    given, copied = np.ones(len(y), dtype=bool), np.empty(0, dtype=np.int64)
    smote = _interpolating_part(sampler)
    messages = []
    if smote is not None:
        made = clone(smote).fit(X, y).sampling_strategy_  # how many of every class
        n_made = np.array([made.get(label, 0) for label in labels])
        is_single = (counts == 1) & (n_made > 0)
        if is_single.any():
            given = ~np.isin(y, labels[is_single])
            rows = np.flatnonzero(~given)
            copied = np.repeat(rows, 1 + n_made[np.searchsorted(labels, y[rows])])
            wanted = dict(zip(labels, counts + n_made, strict=True))
            others = [label for label in made if label not in labels[is_single]]
            smote.set_params(sampling_strategy={label: wanted[label] for label in others})
            messages.append(
                f"classes {short(labels[is_single])} of {title} have a single row each, which is "
                "copied rather than interpolated"
            )
        counts, labels = counts[(n_made > 0) & ~is_single], labels[(n_made > 0) & ~is_single]
    if len(counts):
        messages[:0] = _lower(smote or sampler, labels, counts, int(given.sum()), title)
    if messages:
        warnings.warn(
            f"{type(smote or sampler).__name__} needs more neighbours than there are: "
            f"{'; '.join(messages)}.",
            stacklevel=6,
        )
    return Adapted(sampler, given, copied)


def _interpolating_part(sampler: Any) -> Any:
    """Find what interpolates between neighbours of one class, if anything does."""
    from imblearn.combine import SMOTEENN, SMOTETomek
    from imblearn.over_sampling import ADASYN, SMOTE

    if isinstance(sampler, SMOTEENN | SMOTETomek):
        if sampler.smote is None:  # what they would make themselves
            own = {name: getattr(sampler, name) for name in ("sampling_strategy", "random_state")}
            sampler.set_params(smote=SMOTE(**own))
        return sampler.smote
    return sampler if isinstance(sampler, ADASYN) or hasattr(sampler, "k_neighbors") else None


def _lower(sampler: Any, labels: NDArray, counts: NDArray, n_rows: int, title: str) -> list[str]:
    """Lower parameters that ask for too many neighbours; say which."""
    from imblearn.over_sampling import ADASYN
    from imblearn.under_sampling import NearMiss

    smallest = int(counts.min())
    # A row is no neighbour of its own; but NearMiss looks from one class into another.
    in_class = smallest if isinstance(sampler, NearMiss) else smallest - 1
    looks_into_classes = isinstance(sampler, ADASYN | NearMiss)
    limits = {
        "k_neighbors": in_class,
        "n_neighbors": in_class if looks_into_classes else n_rows - 1,
        "m_neighbors": n_rows - 1,
    }
    messages = []
    for name, limit in limits.items():
        asked = getattr(sampler, name, None)
        owner, parameter = sampler, name
        if hasattr(asked, "n_neighbors"):  # a search of the user's, which counts the row itself
            owner, parameter, asked = asked, "n_neighbors", asked.n_neighbors
            limit += not isinstance(sampler, NearMiss)
        if isinstance(asked, numbers.Integral) and asked > max(limit, 1):
            owner.set_params(**{parameter: max(limit, 1)})
            of = f", {smallest} of them of class {short(labels[[counts.argmin()]])[1:-1]}"
            messages.append(
                f"{name} is lowered from {asked} to {max(limit, 1)} in this fit, for {title} has "
                f"{n_rows} rows{of}"
            )
    return messages
