"""`CRLClassifier()` as it comes, and its rivals with settings of their own that are good.

Every method gets the raw table: holes and numbers of categories as they are, and a mask that says
which features are categories. What it takes to use them is learned inside, from the training part.
All run on one thread.

Class balance is a decision, so every rival gets one that suits it: even samples or bags, class
weights, or offsets of the log-probabilities, tuned out of fold. Those of other libraries, in
`default_optional.py`, correct the prior.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from common import skip
from default_optional import LIBRARIES, OPTIONAL, Make
from imblearn.ensemble import (
    BalancedBaggingClassifier,
    BalancedRandomForestClassifier,
    EasyEnsembleClassifier,
    RUSBoostClassifier,
)
from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC, RandomOverSampler
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier
from study_methods import make_features
from under_prior import OffsetDecision, UnderPrior

from sk_crl import CRLClassifier

REFERENCE = "CRLClassifier()"
EASY_ENSEMBLE = "EasyEnsemble"
BOOSTING = "HistGradientBoosting"
LOGISTIC = "logistic regression"

SMALL_BAGS = {"min_samples_leaf": 5, "max_iter": 50, "l2_regularization": 1.0}
FOLDS = 5  # of the tuned offsets
NEIGHBORS = 5  # of SMOTE


def boosting(categorical: NDArray[np.bool_], **parameters: Any) -> HistGradientBoostingClassifier:
    """Make boosted trees, which take categories and holes as they are.

    Without the penalty leaves of small classes, whose curvature vanishes, grow without bounds.
    """
    return HistGradientBoostingClassifier(
        l2_regularization=1.0, categorical_features=categorical, **parameters
    )


def logistic(categorical: NDArray[np.bool_], **parameters: Any) -> Any:
    """Make a logistic regression."""
    return make_pipeline(
        *make_features(categorical), LogisticRegression(max_iter=2000, **parameters)
    )


def forest(categorical: NDArray[np.bool_], **parameters: Any) -> Any:
    """Make a random forest; leaves of a few rows have probabilities to tune offsets on."""
    forest = RandomForestClassifier(min_samples_leaf=3, **parameters)
    return make_pipeline(*make_features(categorical), forest)


def after(method: Any) -> Make:
    """Put a method of even classes after the features that all share."""
    return lambda categorical: UnderPrior(
        make_pipeline(*make_features(categorical), method), even=True
    )


def smote(categorical: NDArray[np.bool_]) -> UnderPrior:
    """Make boosted trees after SMOTE, in the form of it that suits the table's features.

    Holes are filled, as it measures distances. It looks for neighbours within a class: classes that
    are too small get copies first.
    """
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    few = RandomOverSampler(sampling_strategy=enough_for_neighbors)
    if categorical.all():
        sampler = SMOTEN(k_neighbors=NEIGHBORS)
    elif categorical.any():
        fill = ColumnTransformer(
            [("categories", SimpleImputer(strategy="most_frequent"), categorical)], remainder=fill
        )
        categorical = np.sort(categorical)[::-1]  # the transformer puts categories first
        sampler = SMOTENC(categorical.tolist(), k_neighbors=NEIGHBORS)
    else:
        sampler = SMOTE(k_neighbors=NEIGHBORS)
    return UnderPrior(
        make_sampling_pipeline(fill, few, sampler, boosting(categorical)),
        even=True,
    )


def enough_for_neighbors(y: NDArray) -> dict[Any, int]:
    """Say how many rows of every class SMOTE needs at least, where there are fewer."""
    return {label: NEIGHBORS + 1 for label, n in Counter(y).items() if n <= NEIGHBORS}


def mlp(categorical: NDArray[np.bool_]) -> UnderPrior:
    """Make a network of scikit-learn after random over-sampling."""
    features = make_features(categorical)
    return UnderPrior(
        make_sampling_pipeline(*features, RandomOverSampler(), MLPClassifier()), even=True
    )


def single_network(categorical: NDArray[np.bool_]) -> UnderPrior:
    """Make one network under class rectification, after the features that all share."""
    network = CRLClassifier(module="mlp")
    return UnderPrior(make_pipeline(*make_features(categorical), network), even=True)


def ours(**parameters: Any) -> Make:
    """Make `CRLClassifier` as it comes, but for some arguments."""
    return lambda categorical: UnderPrior(
        CRLClassifier(categorical_features=categorical, **parameters), even=True
    )


OURS: dict[str, Make] = {REFERENCE: ours()}
# What its parts add. It trains two networks a fold, one of them rectified.
ABLATION: dict[str, Make] = {
    "CRLClassifier(eta=(0, 0))": ours(eta=(0, 0)),
    "CRLClassifier(eta=(0.4, 0.4))": ours(eta=(0.4, 0.4)),
    "CRLClassifier(eta=0)": ours(eta=0),
    "CRLClassifier(module__number_units=1)": ours(module__number_units=1),
    "CRLClassifier('table', n_members=1)": ours(module="table", n_members=1),
}

RIVALS: dict[str, Make] = {
    EASY_ENSEMBLE: after(EasyEnsembleClassifier(n_estimators=30)),
    # It boosts stumps, which tell few of many classes apart.
    f"{EASY_ENSEMBLE}, deeper trees": after(
        EasyEnsembleClassifier(30, AdaBoostClassifier(DecisionTreeClassifier(max_depth=3)))
    ),
    "BalancedRandomForest": after(BalancedRandomForestClassifier(n_estimators=500)),
    "RUSBoost": after(
        RUSBoostClassifier(DecisionTreeClassifier(max_depth=4), n_estimators=100, learning_rate=0.1)
    ),
    "BalancedBagging, trees": after(BalancedBaggingClassifier(n_estimators=100)),
    # Bags of the smallest class's size are small: leaves must be, too.
    "BalancedBagging, boosting": after(
        BalancedBaggingClassifier(HistGradientBoostingClassifier(**SMALL_BAGS))
    ),
    "random forest, balanced": lambda categorical: UnderPrior(
        forest(categorical, n_estimators=500, class_weight="balanced_subsample"), even=True
    ),
    "random forest, tuned": lambda categorical: UnderPrior(
        OffsetDecision(forest(categorical, n_estimators=200), cv=FOLDS)
    ),
    BOOSTING: lambda categorical: UnderPrior(boosting(categorical)),
    f"{BOOSTING}, balanced": lambda categorical: UnderPrior(
        boosting(categorical, class_weight="balanced"), even=True
    ),
    f"{BOOSTING}, tuned": lambda categorical: UnderPrior(
        OffsetDecision(boosting(categorical), cv=FOLDS)
    ),
    LOGISTIC: lambda categorical: UnderPrior(logistic(categorical)),
    f"{LOGISTIC}, balanced": lambda categorical: UnderPrior(
        logistic(categorical, class_weight="balanced"), even=True
    ),
    f"{LOGISTIC}, tuned": lambda categorical: UnderPrior(
        OffsetDecision(logistic(categorical), cv=FOLDS)
    ),
    f"SMOTE + {BOOSTING}": smote,
    "over-sampling + MLPClassifier": mlp,
    "CRL, single network": single_network,
}

ALL = OURS | ABLATION | RIVALS | OPTIONAL
GROUPS = {"ours": OURS, "ablation": ABLATION, "rivals": RIVALS, "optional": OPTIONAL}


def find_methods(names: Sequence[str] | None = None) -> dict[str, Make]:
    """Look methods up by their names, or those of their groups; all where there are none.

    Those whose library is not installed are left out, which is said on standard error.

    Raises
    ------
    ValueError
        For a name that is neither.
    """
    found: dict[str, Make] = {}
    for name in GROUPS if names is None else names:
        if name not in GROUPS and name not in ALL:
            raise ValueError(f"No method is called {name!r}; there are {', '.join(ALL)}.")
        found |= GROUPS.get(name) or {name: ALL[name]}
    return {name: make for name, make in found.items() if is_installed(name)}


def is_installed(method: str) -> bool:
    """Whether the library of a method is installed; say so where it is not."""
    library = LIBRARIES.get(method)
    if library is None or find_spec(library) is not None:
        return True
    skip(method, f"{library} is not installed")
    return False
