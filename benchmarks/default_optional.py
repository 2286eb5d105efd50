"""Rivals of other libraries, which run where these are installed.

All are balanced by prior correction, which costs no further fit, as some of them are slow: they
decide by their probabilities over the class shares of the training part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder
from study_methods import make_features
from under_prior import UnderPrior

Make = Callable[[NDArray[np.bool_]], UnderPrior]

# The error, by which these networks stop otherwise, is that of the largest class for long.
BY_LOG_LOSS = {"val_metric_name": "cross_entropy"}


def coded(categorical: NDArray[np.bool_], classifier: Any, with_holes: bool = True) -> Any:
    """Make a data frame for a classifier: categories in its first columns, then numbers.

    A category that the training part does not have is one of its own, as is a hole.
    """
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1
    )
    fill = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    columns = ColumnTransformer(
        [
            ("categories", encoder, categorical),
            ("numbers", "passthrough" if with_holes else fill, ~categorical),
        ]
    )
    frame = FunctionTransformer(as_frame, kw_args={"n_categorical": int(categorical.sum())})
    return make_pipeline(columns, frame, classifier)


def as_frame(X: NDArray, n_categorical: int) -> pd.DataFrame:
    """Make a data frame of numbers, its first columns those of categories."""
    frame = pd.DataFrame(np.asarray(X, dtype=np.float64)).add_prefix("x")
    first = frame.columns[:n_categorical]
    return frame.astype(dict.fromkeys(first, "int")).astype(dict.fromkeys(first, "category"))


def lightgbm(categorical: NDArray[np.bool_]) -> Any:
    """Make LightGBM's trees."""
    from lightgbm import LGBMClassifier

    return coded(
        categorical,
        LGBMClassifier(
            n_estimators=200,
            learning_rate=0.05,
            subsample=0.8,
            subsample_freq=1,
            colsample_bytree=0.8,
            reg_lambda=1.0,
            n_jobs=1,
            verbosity=-1,
        ),
    )


def xgboost(categorical: NDArray[np.bool_]) -> Any:
    """Make XGBoost's trees; it refuses categories that it has not seen, so each is a feature."""
    from xgboost import XGBClassifier

    trees = XGBClassifier(
        n_estimators=200, learning_rate=0.05, subsample=0.8, colsample_bytree=0.8, n_jobs=1
    )
    return make_pipeline(*make_features(categorical), trees)


def catboost(categorical: NDArray[np.bool_]) -> Any:
    """Make CatBoost's trees; it cannot be cloned with a list of categorical features."""
    from catboost import CatBoostClassifier

    trees = CatBoostClassifier(iterations=300, thread_count=1, allow_writing_files=False, verbose=0)
    return make_pipeline(*make_features(categorical), trees)


def realmlp(categorical: NDArray[np.bool_]) -> Any:
    """Make pytabkit's RealMLP with its tuned defaults, for fewer epochs; it takes no holes."""
    from pytabkit import RealMLP_TD_Classifier

    network = RealMLP_TD_Classifier(
        device="cpu", n_threads=1, n_epochs=192, use_ls=False, **BY_LOG_LOSS
    )
    return coded(categorical, network, with_holes=False)


def tabm(categorical: NDArray[np.bool_]) -> Any:
    """Make pytabkit's TabM, smaller and for fewer epochs than its default; it takes no holes."""
    from pytabkit import TabM_D_Classifier

    network = TabM_D_Classifier(
        device="cpu",
        n_threads=1,
        tabm_k=16,
        d_block=128,
        n_blocks=2,
        n_epochs=50,
        **BY_LOG_LOSS,
    )
    return coded(categorical, network, with_holes=False)


def corrected(
    make: Callable[[NDArray[np.bool_]], Any],
) -> Make:
    """Correct the prior of a method."""
    return lambda categorical: UnderPrior(make(categorical), corrected=True)


OPTIONAL: dict[str, Make] = {
    "LightGBM": corrected(lightgbm),
    "XGBoost": corrected(xgboost),
    "CatBoost": corrected(catboost),
    "RealMLP": corrected(realmlp),
    "TabM": corrected(tabm),
}

LIBRARIES = {
    "LightGBM": "lightgbm",
    "XGBoost": "xgboost",
    "CatBoost": "catboost",
    "RealMLP": "pytabkit",
    "TabM": "pytabkit",
}
