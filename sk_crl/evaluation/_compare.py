"""Many methods on many data sets, side by side."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from hashlib import sha256
from typing import Any

import numpy as np
from sklearn.exceptions import FitFailedWarning
from sklearn.utils.parallel import Parallel, delayed

from sk_crl._checks import check_boolean, check_integer
from sk_crl.evaluation._data import DataSet, read_cv, read_data
from sk_crl.evaluation._fingerprint import fingerprint
from sk_crl.evaluation._fit import Fit, describe_error, failed, run_fit
from sk_crl.evaluation._frame import make_frame
from sk_crl.evaluation._methods import read_methods, seeded
from sk_crl.evaluation._pandas import import_pandas
from sk_crl.evaluation._records import Key, Records
from sk_crl.evaluation._responses import check_responses
from sk_crl.evaluation._scoring import SENSITIVITIES, read_scoring

MOST_LISTED = 10  # failed fits in the warning


def compare(
    methods: Any,
    data: Any,
    *,
    cv: Any = 5,
    scoring: Any = None,
    sensitivities: bool = False,
    random_state: int | None = 0,
    n_jobs: int | None = None,
    path: str | os.PathLike | None = None,
    retry_failed: bool = False,
    allow_missing_classes: bool = False,
    verbose: bool = True,
) -> Any:
    """Fit every method on every split of every data set, and score it on the split's test part.

    All methods see the same splits. A fit that fails does not end the comparison. With `path`,
    every finished fit is kept at once, and a call with the same arguments goes on where another
    was stopped, or killed.

    Parameters
    ----------
    methods : dict or sequence of (str, estimator)
        Classifiers by name: estimators, pipelines, searches. They are cloned.
    data : tuple (X, y) or dict
        A data set, which is called ``"data"``, or data sets by name: pairs ``(X, y)``, or functions
        without arguments that return one. Such a function is called twice: for the checks, and
        when the turn of its data set comes, so that few data sets are in memory at once. `y`
        may hold several targets, and missing labels (NaN, None or NA), if the methods take them.
    cv : int, splitter or iterable of (train, test), default=5
        How to split. A number of folds is stratified, also for several targets and with missing
        labels, and keeps the order of the samples.
    scoring : str, callable, list of str, or dict, default=None
        The scorers, as those of scikit-learn's `cross_validate`. The default is
        `sk_crl.balanced_accuracy`, for one target or several.
    sensitivities : bool, default=False
        Whether to keep the sensitivity of every class too, in a column that `by_class` and
        `by_target` make frames of.
    random_state : int or None, default=0
        Seeds every parameter `random_state` of a method, at any depth, that is None: alike for
        all methods of a split, otherwise for every split. Those set to a number, or to a generator,
        stay so. With None, methods whose own are None are left to chance: other numbers each time,
        and a run that goes on is no longer the same as an unbroken one.
    n_jobs : int, default=None
        Fits at a time, by joblib's backend; None is 1, unless
        in a `joblib.parallel_config` context; -1 is all processors.
    path : path-like, default=None
        File of the finished fits, one line of JSON each. Use it for one call at a time.
    retry_failed : bool, default=False
        Whether to do fits again that `path` holds as failed.
    allow_missing_classes : bool, default=False
        Whether a training or a test part may lack a class that the data have.
    verbose : bool, default=True
        Whether to show a progress bar.

    Returns
    -------
    pandas.DataFrame
        A row for every fit, by data set, then split, then method, in the order given. Columns:

        - ``dataset``, ``method``, ``split``: its names and number
        - ``n_train``, ``n_test``: samples of both parts
        - ``n_classes``: classes of the training part, of all targets together
        - ``imbalance_ratio``: the largest class of the training part over the smallest; of several
          targets the largest such ratio
        - one column a scorer, NaN where it failed
        - ``fit_time``, ``score_time``: in seconds
        - ``peak_memory``: growth of the process's resident memory while fitting and scoring, at
          most, in MiB. It counts what PyTorch and NumPy allocate, and libraries that the first
          fit of a process loads; not what earlier fits have left to be used again, other processes,
          or a GPU's memory. NaN where the kernel does not tell, as outside Linux, and in threads.
          To read it, the process's peak is reset.
        - ``error``: None, or the type and message of what went wrong
        - ``sensitivities``: only if asked for

    Raises
    ------
    ImportError
        Without pandas.
    TypeError
        For what is no estimator, data set, scorer or name.
    ValueError
        Before the first fit: for no methods or data, two of one name, unknown scorers, scorers that
        no prediction for the data would suit or that need probabilities or decisions a method
        does not have, data that cannot be split, parts that lack a class, and a `path` that holds
        fits of something else under the same names.

    Warns
    -----
    FitFailedWarning
        Once, at the end, with the fits that failed and why.

    See Also
    --------
    score_table : Means and deviations by data set and method.
    rank_table : Mean ranks.
    critical_difference : Which mean ranks differ.
    paired_differences : What one method gains over each other.

    Notes
    -----
    A finished fit in `path` is known by its names, and by fingerprints of the data, of the rows
    of its split, of the method's class and parameters, of the scorers, and by `random_state`.
    Versions of libraries, and the code of what can be imported, are not among them.

    Examples
    --------
    >>> from sklearn.datasets import load_iris, load_wine
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sk_crl.evaluation import compare
    >>> methods = {"prior": DummyClassifier(), "naive Bayes": GaussianNB()}
    >>> data = {"iris": load_iris(return_X_y=True), "wine": lambda: load_wine(return_X_y=True)}
    >>> frame = compare(methods, data, cv=2, verbose=False)
    >>> frame[["dataset", "method", "split", "n_test", "balanced_accuracy"]].round(2)
      dataset       method  split  n_test  balanced_accuracy
    0    iris        prior      0      75               0.33
    1    iris  naive Bayes      0      75               0.92
    2    iris        prior      1      75               0.33
    3    iris  naive Bayes      1      75               0.96
    4    wine        prior      0      89               0.33
    5    wine  naive Bayes      0      89               0.98
    6    wine        prior      1      89               0.33
    7    wine  naive Bayes      1      89               0.98
    """
    import_pandas()
    flags = {
        "sensitivities": sensitivities,
        "retry_failed": retry_failed,
        "allow_missing_classes": allow_missing_classes,
        "verbose": verbose,
    }
    for name, flag in flags.items():
        check_boolean(name, flag)
    if random_state is not None:
        check_integer("random_state", random_state, 0, "or None")
    comparison = _Comparison(read_methods(methods), read_scoring(scoring), sensitivities)
    comparison.plan(read_data(data), read_cv(cv), random_state, allow_missing_classes, path)
    with nullcontext() if path is None else Records(path) as records:
        if records is not None:
            comparison.resume(records, retry_failed)
        comparison.run(n_jobs, records, verbose)
    comparison.warn_of_failures()
    return comparison.frame()


class _Comparison:
    """What to fit, and what has been found.

    Parameters
    ----------
    methods : dict of estimators
        The methods.
    scorers : dict of callables
        The scorers.
    sensitivities : bool
        Whether to keep the sensitivity of every class.
    """

    def __init__(
        self, methods: dict[str, Any], scorers: dict[str, Callable], sensitivities: bool
    ) -> None:
        self.methods = methods
        self.scorers = scorers
        self.sensitivities = sensitivities
        self.data: list[DataSet] = []
        self.fits: list[Fit] = []
        self.identities: dict[Key, dict[str, Any]] = {}
        self.results: dict[Key, dict[str, Any]] = {}

    def plan(
        self,
        data: list[DataSet],
        cv: Any,
        random_state: int | None,
        allow_missing_classes: bool,
        path: Any,
    ) -> None:
        """Split and check every data set, and list the fits."""
        for name, method in self.methods.items():
            try:
                seeded(method, None)
            except (TypeError, RuntimeError) as error:
                raise TypeError(f"Method {name!r} cannot be cloned: {error}") from error
        self.data = data
        for one in data:
            X, y = one.load()
            one.split(X, y, cv, allow_missing_classes)
            check_responses(self.methods, self.scorers, one, X, y)
            fits = [
                Fit(one.name, method, number, split, one.classes, seed)
                for number, split in enumerate(one.splits)
                for seed in [_seed(random_state, one.name, number)]
                for method in self.methods
            ]
            self.fits += fits
            if path is not None:
                self._identify(fits, fingerprint((X, y)), random_state)

    def _identify(self, fits: list[Fit], data: str, random_state: int | None) -> None:
        """Note what would change the fits of a data set."""
        scorers = {name: fingerprint(scorer) for name, scorer in self.scorers.items()}
        if self.sensitivities:
            scorers[SENSITIVITIES] = SENSITIVITIES
        estimators = {name: fingerprint(method) for name, method in self.methods.items()}
        for fit in fits:
            self.identities[fit.key] = {
                "data": data,
                "rows": fingerprint((fit.split.train, fit.split.test)),
                "estimator": estimators[fit.method],
                "random_state": random_state,
                "scorers": scorers,
            }

    def resume(self, records: Records, retry_failed: bool) -> None:
        """Take the finished fits over."""
        for key, identity in self.identities.items():
            result = records.take(key, identity, identity["scorers"])
            if result is not None and not (retry_failed and result["error"]):
                self.results[key] = result

    def run(self, n_jobs: int | None, records: Records | None, verbose: bool) -> None:
        """Do the fits that are left, and keep each as it comes in."""
        from tqdm.auto import tqdm

        # A batch would be kept together only when all of it is done.
        parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)
        bar = tqdm(total=len(self.fits), initial=len(self.results), unit="fit", disable=not verbose)
        with bar:
            for key, result in parallel(self._tasks()):
                self.results[key] = result
                if records is not None:
                    records.add(key, self.identities[key], result)
                bar.set_postfix_str(f"{key[0]}: {key[1]}", refresh=False)
                bar.update()

    def _tasks(self) -> Iterator[tuple]:
        """Make the tasks, each data set loaded when its turn comes."""
        done = set(self.results)
        for one in self.data:
            left = [fit for fit in self.fits if fit.dataset == one.name and fit.key not in done]
            if not left:
                continue
            try:
                X, y = one.load()
            except Exception as error:
                for fit in left:
                    yield delayed(_keyed)(fit, failed, describe_error(error), self.scorers)
                continue
            for fit in left:
                yield delayed(_keyed)(
                    fit,
                    run_fit,
                    fit,
                    self.methods[fit.method],
                    X,
                    y,
                    self.scorers,
                    self.sensitivities,
                )

    def warn_of_failures(self) -> None:
        """Say in one warning which fits failed, and why."""
        errors = [(*fit.key, self.results[fit.key]["error"]) for fit in self.fits]
        failures = [
            f"{method} on split {number} of {dataset}: {error}"
            for dataset, method, number, error in errors
            if error
        ]
        if failures:
            more = len(failures) - MOST_LISTED
            listed = failures[:MOST_LISTED] + ([f"and {more} more"] if more > 0 else [])
            warnings.warn(
                f"{len(failures)} of {len(self.fits)} fits failed; their scores are NaN, and the "
                "column 'error' says why:\n" + "\n".join(listed),
                FitFailedWarning,
                stacklevel=3,
            )

    def frame(self) -> Any:
        """Put all results into a frame."""
        rows = [(fit.describe(), self.results[fit.key]) for fit in self.fits]
        return make_frame(rows, list(self.scorers), self.sensitivities)


def _keyed(fit: Fit, function: Callable, *arguments: Any) -> tuple[Key, dict[str, Any]]:
    """Call a function, and say of which fit the result is."""
    return fit.key, function(*arguments)


def _seed(random_state: int | None, dataset: str, number: int) -> int | None:
    """Derive the seed of a split, which does not depend on what else is compared."""
    if random_state is None:
        return None
    name = int.from_bytes(sha256(dataset.encode()).digest()[:8], "big")
    return int(np.random.SeedSequence([random_state, name, number]).generate_state(1)[0] >> 1)
