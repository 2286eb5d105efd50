"""Rows: `CRLClassifier()` with nothing set, an ensemble of 16 networks, beside EasyEnsemble."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import numpy as np
from common import skip
from imblearn.ensemble import EasyEnsembleClassifier
from sklearn.datasets import make_classification
from timing import Method, Row, Setting, compare, threads

from sk_crl import CRLClassifier

SIZES = ((1_000, 20), (20_000, 50))
N_THREADS = 2
MOST_REPEATS = 3  # a fit of the larger one takes a good part of a minute


def default_rows(setting: Setting) -> Iterator[Row]:
    """Measure fitting tables of three classes, on two threads."""
    if (os.cpu_count() or 1) < N_THREADS:
        skip("CRLClassifier()", "the machine has a single processor")
        return
    setting = setting._replace(repeats=min(setting.repeats, MOST_REPEATS))
    for n_samples, n_features in SIZES:
        X, y = make_classification(
            n_samples,
            n_features,
            n_informative=10,
            n_classes=3,
            weights=[0.8, 0.15, 0.05],
            random_state=0,
        )
        X = X.astype(np.float32)
        ours = CRLClassifier(random_state=0, device=setting.device)
        peer = EasyEnsembleClassifier(30, random_state=0, n_jobs=1)
        with threads(N_THREADS):
            yield from compare(
                f"fit, {n_samples:,} x {n_features}, nothing set, two threads",
                Method("EasyEnsembleClassifier(30)", partial(peer.fit, X, y)),
                [Method("CRLClassifier()", partial(ours.fit, X, y))],
                setting,
            )
