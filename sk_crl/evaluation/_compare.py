"""Many methods on many data sets, side by side."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import Any

from sk_crl._checks import check_boolean, check_integer
from sk_crl.evaluation._comparison import Comparison
from sk_crl.evaluation._data import read_cv, read_data
from sk_crl.evaluation._methods import read_methods
from sk_crl.evaluation._pandas import import_pandas
from sk_crl.evaluation._records import Records
from sk_crl.evaluation._scoring import read_scoring


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
          fit of a process loads; not other processes, a GPU's memory, or memory of earlier fits
          that is used again because the C library could not give it back. NaN where the kernel
          does not tell, as outside Linux, and in threads. To read it, the process's peak is reset.
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
    comparison = Comparison(read_methods(methods), read_scoring(scoring), sensitivities)
    comparison.plan(read_data(data), read_cv(cv), random_state, allow_missing_classes, path)
    with nullcontext() if path is None else Records(path) as records:
        if records is not None:
            comparison.resume(records, retry_failed)
        comparison.run(n_jobs, records, verbose)
    comparison.warn_of_failures()
    return comparison.frame()
