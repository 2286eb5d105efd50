"""The validation data that early stopping splits off."""

from __future__ import annotations

import math
import warnings

import numpy as np

from sk_crl._labels import short
from sk_crl._samples import Samples
from sk_crl._stratification import split_codes
from sk_crl._targets import Targets


def split_validation(
    samples: Samples, targets: Targets, fraction: float, seed: int
) -> tuple[Samples, Samples]:
    """Split validation samples off, stratified by all targets.

    Parameters
    ----------
    samples : Samples
        Training samples.
    targets : Targets
        Their targets.
    fraction : float
        Share to split off, at least as many as the target with the most classes has classes.
    seed : int
        Seed of the split.

    Returns
    -------
    training, validation : Samples
        Training samples hold every class, if they are as many as all targets have classes. A class
        with a single sample is in these alone, which a warning says.

    Raises
    ------
    ValueError
        If too few samples are left to train on.
    """
    n_samples, n_classes = len(samples.codes), targets.layout.widest
    n_validation = max(math.ceil(fraction * n_samples), n_classes)
    if n_samples - n_validation < n_classes:
        raise ValueError(
            f"validation_fraction={fraction} of {n_samples} samples leaves "
            f"{n_samples - n_validation} for training on {n_classes} classes; lower it."
        )
    for title, classes, codes in zip(targets.titles, targets.classes, samples.codes.T, strict=True):
        single = classes[np.bincount(codes[codes >= 0], minlength=len(classes)) == 1]
        if len(single):
            warnings.warn(
                f"Classes {short(single)} of {title} have a single sample each: it trains, and "
                "early stopping does not see these classes. Choose the validation data yourself, "
                "with X_val, if it should.",
                stacklevel=4,
            )
    rng = np.random.default_rng(seed)
    training, validation = split_codes(samples.codes, n_validation, rng)
    return samples.take(training), samples.take(validation)
