"""The fits of a comparison: planned and checked, taken over from a file, done, put into a frame."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import numpy as np
from sklearn.exceptions import FitFailedWarning
from sklearn.utils.parallel import Parallel, delayed

from sk_crl.evaluation._data import DataSet
from sk_crl.evaluation._fingerprint import fingerprint
from sk_crl.evaluation._fit import Fit, describe_error, failed, run_fit
from sk_crl.evaluation._frame import make_frame
from sk_crl.evaluation._methods import seeded
from sk_crl.evaluation._records import Key, Records
from sk_crl.evaluation._responses import check_responses
from sk_crl.evaluation._scoring import SENSITIVITIES

MOST_LISTED = 10  # failed fits in the warning


class Comparison:
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
        scorers = {name: _known_by("Scorer", name, s) for name, s in self.scorers.items()}
        if self.sensitivities:
            scorers[SENSITIVITIES] = SENSITIVITIES
        estimators = {name: _known_by("Method", name, m) for name, m in self.methods.items()}
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
        if verbose:
            from tqdm.auto import tqdm  # which warns in notebooks without widgets
        else:
            from tqdm import tqdm
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


def _known_by(kind: str, name: str, value: Any) -> str:
    """Find a fingerprint; where there is none, say of what."""
    try:
        return fingerprint(value)
    except TypeError as error:
        raise TypeError(
            f"{kind} {name!r} holds what cannot be told apart in another call, so its fits cannot "
            f"be kept in a file: {error}. Replace it, or leave path out."
        ) from error


def _keyed(fit: Fit, function: Callable, *arguments: Any) -> tuple[Key, dict[str, Any]]:
    """Call a function, and say of which fit the result is."""
    return fit.key, function(*arguments)


def _seed(random_state: int | None, dataset: str, number: int) -> int | None:
    """Derive the seed of a split, which does not depend on what else is compared."""
    if random_state is None:
        return None
    name = int.from_bytes(sha256(dataset.encode()).digest()[:8], "big")
    return int(np.random.SeedSequence([random_state, name, number]).generate_state(1)[0] >> 1)
