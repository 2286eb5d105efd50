"""Samplers of imbalanced-learn on checked samples: by index, or by features where they must."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from torch.utils.data import Dataset

from sk_crl._extras import import_extra
from sk_crl._labels import short
from sk_crl._samples import Samples
from sk_crl.baselines._evening import even_out
from sk_crl.baselines._small_classes import adapt_to_small_classes

SAMPLERS = {
    "over": ("imblearn.over_sampling", "RandomOverSampler"),
    "down": ("imblearn.under_sampling", "RandomUnderSampler"),
    "smote": ("imblearn.over_sampling", "SMOTE"),
}
STEPS = {"over": 1, "down": -1}


def check_sampler(sampler: Any) -> None:
    """Raise ValueError unless this is a name or a sampler object."""
    is_named = isinstance(sampler, str) and sampler in SAMPLERS
    if not is_named and (isinstance(sampler, type) or not hasattr(sampler, "fit_resample")):
        raise ValueError(
            f"sampler must be one of {', '.join(map(repr, SAMPLERS))}, or a sampler object of "
            f"imbalanced-learn, with a method fit_resample; got {sampler!r}."
        )


def sample_several_targets(samples: Samples, sampler: Any, seed: int) -> Samples:
    """Replicate or drop rows until all targets are as even as can be."""
    if not isinstance(sampler, str) or sampler not in STEPS:
        raise ValueError(
            "sampler must be 'over' or 'down' for several targets, since imbalanced-learn's "
            f"samplers know one; got {sampler!r}. Fit ResampledClassifier to each target instead."
        )
    return samples.take(even_out(samples.codes, STEPS[sampler], np.random.default_rng(seed)))


def sample_one_target(
    samples: Samples, sampler: Any, classes: NDArray, title: str, seed: int, user: str
) -> Samples:
    """Let a sampler choose among samples, or make new ones.

    Parameters
    ----------
    samples : Samples
        Samples of one target, with a label each.
    sampler : str or sampler object
        The sampler, which stays as it is.
    classes : ndarray of shape (n_classes,)
        The labels that codes stand for.
    title : str
        What messages call the target.
    seed : int
        Seed of samplers that have none of their own.
    user : str
        The estimator that needs imbalanced-learn.

    Raises
    ------
    ImportError
        Where imbalanced-learn is missing.
    ValueError
        For a sampler that needs features, which a data set does not hand out, and for what a
        sampler cannot do.
    """
    y = classes[samples.codes[:, 0]]
    if (y == y[0]).all():
        return samples.take(np.arange(len(y)))  # samplers refuse what has one class
    sampler = _own_copy(sampler, seed, user)
    if _chooses_blindly(sampler):
        # Images, files and data sets are never read, let alone copied.
        sampler.fit_resample(np.arange(len(y))[:, None], y)
        return samples.take(sampler.sample_indices_)
    if isinstance(samples.X, Dataset):
        raise ValueError(
            f"sampler must choose rows without looking at their features where X is a data set, "
            f"which reads a sample at a time: 'over' or 'down'; got {sampler!r}. Pass X as an "
            "array, or another sampler."
        )
    X = np.asarray(samples.X[samples.rows], dtype=np.float32).reshape(len(y), -1)
    sampler, given, copied = adapt_to_small_classes(sampler, X, y, title)
    to_sample = samples.take(given)
    if (y[given] == y[given][:1]).all():
        sampled = to_sample
    else:
        sampled = _sample_features(to_sample, sampler, X[given], y[given], classes)
    return _joined(sampled, samples.take(copied)) if len(copied) else sampled


def check_lost_classes(
    before: Samples, after: Samples, sampler: Any, classes: NDArray, title: str
) -> None:
    """Warn where a sampler has left no sample of a class; raise ValueError where it left none."""
    if not len(after.codes):
        raise ValueError(f"sampler must leave samples to train on; {sampler!r} left none.")
    lost = np.setdiff1d(before.codes, after.codes)
    if len(lost):
        warnings.warn(
            f"sampler={sampler!r} left no sample of classes {short(classes[lost])} of {title}: the "
            "network does not learn them. Lower the neighbours that it asks for, or sample other "
            "classes only (sampling_strategy).",
            stacklevel=5,
        )


def _own_copy(sampler: Any, seed: int, user: str) -> Any:
    """Copy a sampler, or make a named one, and seed what has no seed."""
    import_extra("imblearn", "baselines", f"{user} with sampler={sampler!r}")
    if isinstance(sampler, str):
        module, name = SAMPLERS[sampler]
        sampler = getattr(import_extra(module, "baselines", user), name)()
    sampler = clone(sampler, safe=False)
    if hasattr(sampler, "get_params"):
        parameters = sampler.get_params(deep=True).items()
        unseeded = [n for n, v in parameters if v is None and n.endswith("random_state")]
        sampler.set_params(**dict.fromkeys(unseeded, seed))
    return sampler


def _chooses_blindly(sampler: Any) -> bool:
    """Whether a sampler chooses rows without a look at their features."""
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.under_sampling import RandomUnderSampler

    smooths = getattr(sampler, "shrinkage", None) is not None
    return type(sampler) in (RandomOverSampler, RandomUnderSampler) and not smooths


def _sample_features(
    samples: Samples, sampler: Any, X: NDArray, y: NDArray, classes: NDArray
) -> Samples:
    """Give features to a sampler; take what it returns, by index if it only chose."""
    try:
        sampled_X, sampled_y = sampler.fit_resample(X, y)
    except (ValueError, RuntimeError) as error:
        labels, counts = np.unique(y, return_counts=True)
        raise ValueError(
            f"{sampler!r} cannot sample the classes {short(labels)}, which have {short(counts)} "
            f"rows: {error} Pass another sampler, such as 'smote', or other parameters of it."
        ) from error
    chosen = getattr(sampler, "sample_indices_", None)
    if chosen is not None and np.array_equal(X[chosen], sampled_X):
        return samples.take(chosen)
    codes = np.searchsorted(classes, sampled_y).clip(max=len(classes) - 1)
    if not len(sampled_y) or (classes[codes] != sampled_y).any():
        raise ValueError(
            f"{sampler!r} must return labels that are among the classes {short(classes)}; got "
            f"{short(np.unique(sampled_y))}."
        )
    shape = (len(codes), *samples.X.shape[1:])
    weight = _weights(samples, sampler, np.array_equal(X, sampled_X[: len(X)]), codes)
    X = np.asarray(sampled_X, dtype=np.float32).reshape(shape)
    return Samples(X, np.arange(len(X)), codes[:, None], weight)


def _weights(samples: Samples, sampler: Any, keeps_all: bool, codes: NDArray) -> NDArray:
    """Find weights for what a sampler returned: new rows weigh what their class does on average."""
    weight = samples.weight
    if (weight == weight[0]).all():
        return np.full(len(codes), weight[0])
    if not keeps_all:
        raise ValueError(
            f"sample_weight must be the same for all rows where a sampler makes new ones and does "
            f"not tell which old ones it keeps; got {sampler!r} and weights from {weight.min()} to "
            f"{weight.max()}. Leave sample_weight out."
        )
    before = samples.codes[:, 0]
    total = np.bincount(before, weight, codes.max() + 1)
    mean = total / np.maximum(np.bincount(before, minlength=codes.max() + 1), 1)
    return np.concatenate([weight, mean[codes[len(weight) :]]])


def _joined(one: Samples, other: Samples) -> Samples:
    """Put samples of two sources into one."""
    if one.X is other.X:
        rows, X = np.concatenate([one.rows, other.rows]), one.X
    else:
        # What is on disk may be of another type.
        X = np.concatenate([one.X[one.rows], other.X[other.rows]], dtype=np.float32)
        rows = np.arange(len(X))
    codes = np.concatenate([one.codes, other.codes])
    return Samples(X, rows, codes, np.concatenate([one.weight, other.weight]))
