"""The methods of the study, made for a training part of given class sizes.

Every method gets the same features. Every method that trains a network trains the same one (two
hidden layers of 128 units, Adam) for the same number of steps: the number of epochs follows from
the rows that it is trained on, those after sampling where it samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from imblearn.ensemble import (
    BalancedBaggingClassifier,
    BalancedRandomForestClassifier,
    EasyEnsembleClassifier,
)
from imblearn.over_sampling import BorderlineSMOTE
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sk_crl import CRLClassifier
from sk_crl.baselines import (
    LMLEClassifier,
    LogitAdjustedClassifier,
    LossClassifier,
    OffsetTunedClassifier,
    PriorThresholdClassifier,
    ResampledClassifier,
    RetrainedHeadClassifier,
    TauNormalizedClassifier,
    TripletKNNClassifier,
)
from sk_crl.training import AtLeastPerClass

PLAIN = "cross-entropy"
ADJUSTED = "logit adjustment"
REFERENCE = "CRL + logit adjustment"

STEPS = 1000
BATCH_SIZE = 128
FOLDS = 3  # of methods that cross-validate inside
LMLE_EPOCHS = (4, 20)  # a round each at least; more than its default make it worse

# Balanced batches leave no imbalance to take a weight or minority classes from.
EVEN = {"alpha": 0.5, "scope": "all"}

NETWORK = {
    "module": "mlp",
    "module__hidden_units": (128, 128),
    "lr": 1e-3,
    "batch_size": BATCH_SIZE,
}


def make_methods(
    class_sizes: Sequence[int], categorical: NDArray[np.bool_], steps: int = STEPS
) -> dict[str, Pipeline]:
    """Make all methods.

    Parameters
    ----------
    class_sizes : sequence of int
        Rows of every class in a training part.
    categorical : ndarray of bool, shape (n_features,)
        Which features are numbers of categories.
    steps : int
        Batches that a network is trained on.

    Returns
    -------
    dict of Pipeline
        By name: the features, then the classifier.
    """
    n_rows, n_classes = sum(class_sizes), len(class_sizes)
    n_over, n_down = n_classes * max(class_sizes), n_classes * min(class_sizes)

    def network(kind: type = CRLClassifier, n_rows: int = n_rows, **parameters: Any) -> Any:
        parameters = {"max_epochs": epochs(n_rows, steps)} | parameters
        return kind(device="cpu", **NETWORK, **parameters)

    plain = network(alpha=0.0, logit_adjustment=None)
    boosting = HistGradientBoostingClassifier()
    over = {"kind": ResampledClassifier, "n_rows": n_over}
    methods = {
        PLAIN: plain,
        "CRL": network(logit_adjustment=None),
        ADJUSTED: network(alpha=0.0),
        REFERENCE: network(),
        "CRL + logit adjustment in the loss": network(logit_adjustment="loss"),
        "CRL + logit adjustment, stratified batches": network(batch_sampler="stratified"),
        "CRL + logit adjustment, 2 of each class": network(batch_sampler=AtLeastPerClass(m=2)),
        "CRL, balanced batches": network(batch_sampler="balanced", **EVEN),
        "DCL": network(
            batch_sampler="dynamic",
            level="instance",
            anchors="easy",
            alpha=0.5,
            alpha_decay="cosine",
        ),
        "focal loss": network(LossClassifier, loss="focal"),
        "class-balanced loss": network(LossClassifier, loss="class_balanced"),
        "LDAM-DRW": network(LossClassifier, loss="ldam"),
        "balanced softmax": network(LossClassifier, loss="balanced_softmax"),
        "classifier re-trained (cRT)": RetrainedHeadClassifier(
            plain, max_epochs=epochs(n_rows, steps // 2)
        ),
        "tau-normalised": TauNormalizedClassifier(plain, cv=FOLDS),
        "class weights, balanced": network(
            alpha=0.0, logit_adjustment=None, class_weight="balanced"
        ),
        "class weights, exp(-share)": network(alpha=0.0, logit_adjustment=None, class_weight="exp"),
        "over-sampling": network(**over, sampler="over"),
        "down-sampling": network(ResampledClassifier, n_down, sampler="down"),
        "SMOTE": network(**over, sampler="smote"),
        "BorderlineSMOTE": network(**over, sampler=BorderlineSMOTE()),
        "prior thresholds, tuned": PriorThresholdClassifier(plain, cv=FOLDS),
        "logit adjustment, tuned": LogitAdjustedClassifier(plain, cv=FOLDS),
        "offsets, tuned": OffsetTunedClassifier(plain, cv=FOLDS),
        "LMLE": network(
            LMLEClassifier, max_epochs=int(np.clip(epochs(n_rows, steps), *LMLE_EPOCHS))
        ),
        "Triplet-kNN": network(TripletKNNClassifier),
        "boosting": boosting,
        "boosting, offsets tuned": OffsetTunedClassifier(boosting, cv=FOLDS),
        "EasyEnsemble": EasyEnsembleClassifier(),
        "random forest, balanced": RandomForestClassifier(class_weight="balanced"),
        "BalancedRandomForest": BalancedRandomForestClassifier(),
        "BalancedBagging": BalancedBaggingClassifier(),
        "kNN": KNeighborsClassifier(),
        "logistic regression, balanced": LogisticRegression(max_iter=2000, class_weight="balanced"),
    }
    return {
        name: make_pipeline(*make_features(categorical), method) for name, method in methods.items()
    }


def epochs(n_rows: int, steps: int) -> int:
    """Find the epochs that make as many steps, or a few more."""
    return math.ceil(steps / math.ceil(n_rows / BATCH_SIZE))


def make_features(categorical: NDArray[np.bool_]) -> list[Any]:
    """Make what turns a table into numbers on one scale, learned from the training part.

    Missing numbers become the median, and a feature of their own says where; a category becomes a
    feature each, those of a single row share one, and one that was not seen in training is none.
    """
    is_category = np.asarray(categorical)
    encoder = OneHotEncoder(
        min_frequency=2, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    transformers = [(encoder, is_category), (imputer, ~is_category)]
    columns = make_column_transformer(*(pair for pair in transformers if pair[1].any()))
    return [columns, StandardScaler()]
