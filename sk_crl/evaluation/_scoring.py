"""What the methods are scored by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray
from sklearn.metrics import check_scoring, get_scorer, get_scorer_names, make_scorer

from sk_crl._names import unknown_name
from sk_crl.evaluation._methods import check_names
from sk_crl.metrics import balanced_accuracy, class_sensitivities

# Columns of the frame that no scorer may be called.
BEFORE_SCORES = (
    "dataset",
    "method",
    "split",
    "n_train",
    "n_test",
    "n_classes",
    "imbalance_ratio",
)
AFTER_SCORES = ("fit_time", "score_time", "peak_memory", "error")
SENSITIVITIES = "sensitivities"


def read_scoring(scoring: Any) -> dict[str, Callable]:
    """Check scorers, and name each.

    Parameters
    ----------
    scoring : str, callable, list of str, dict or None
        The scorers; None is the balanced accuracy.

    Returns
    -------
    dict of callables
        The scorers by name.

    Raises
    ------
    ValueError
        For unknown names, and for those of other columns.
    TypeError
        For what is no scorer.
    """
    if scoring is None:
        scoring = {"balanced_accuracy": balanced_accuracy}
    elif isinstance(scoring, str):
        scoring = [scoring]
    elif callable(scoring):
        scoring = {"balanced_accuracy" if scoring is balanced_accuracy else "score": scoring}
    if not isinstance(scoring, Mapping):
        if not isinstance(scoring, list | tuple | set):
            raise TypeError(
                "scoring must be a scorer, its name, a list of names, or a dict of scorers by "
                f"name; got {scoring!r}."
            )
        scoring = [(name, name) for name in scoring]
    pairs = list(scoring.items()) if isinstance(scoring, Mapping) else scoring
    check_names("scorer", [name for name, _ in pairs])
    for name, _ in pairs:
        if name in (*BEFORE_SCORES, *AFTER_SCORES, SENSITIVITIES):
            raise ValueError(f"A scorer cannot be called {name!r}, as a column of the frame is.")
    return {name: _scorer(name, scorer) for name, scorer in pairs}


def _scorer(name: str, scorer: Any) -> Callable:
    """Look a scorer up."""
    if callable(scorer):
        return scorer
    if not isinstance(scorer, str):
        raise TypeError(f"Scorer {name!r} must be a function or a name; got {scorer!r}.")
    if scorer not in get_scorer_names():
        raise ValueError(unknown_name("scorer", scorer, get_scorer_names()))
    return get_scorer(scorer)


class Scores:
    """All scorers in one, which predicts once for all and goes on when one of them fails.

    Parameters
    ----------
    scorers : dict of callables
        The scorers.
    classes : list of ndarray or None
        The classes of every target, to find the sensitivity to each; None to leave that.

    Attributes
    ----------
    values : dict of float
        The scores of the last call, NaN where a scorer failed.
    errors : list of str
        What went wrong in it.
    sensitivities : list of ndarray or None
        Of every target, those of its classes.
    """

    def __init__(self, scorers: dict[str, Callable], classes: list[NDArray] | None = None) -> None:
        self.scorers = dict(scorers)
        if classes is not None:
            self.scorers[SENSITIVITIES] = make_scorer(class_sensitivities, labels=classes)
        self.values = dict.fromkeys(scorers, float("nan"))
        self.errors: list[str] = []
        self.sensitivities: list[NDArray] | None = None

    def __call__(self, estimator: Any, X: Any, y: Any) -> dict[str, float]:
        """Score a fitted estimator."""
        together = check_scoring(estimator, scoring=self.scorers, raise_exc=False)
        for name, score in together(estimator, X, y).items():
            if isinstance(score, str):  # of one that failed, the traceback
                self.errors.append(f"{name}: {_last_message(score)}")
            elif name == SENSITIVITIES:
                self.sensitivities = score if isinstance(score, list) else [score]
            else:
                self._take(name, score)
        return self.values

    def _take(self, name: str, score: Any) -> None:
        """Take a score that should be a number."""
        try:
            self.values[name] = float(score)
        except (TypeError, ValueError):
            self.errors.append(f"{name}: TypeError: a scorer must return a number; got {score!r}")


def _last_message(traceback: str) -> str:
    """Find the type and message of the exception at the end of a traceback."""
    lines = traceback.rstrip().splitlines()
    indented = [number for number, line in enumerate(lines) if line.startswith("  ")]
    return " ".join(lines[indented[-1] + 1 :] if indented else lines)
