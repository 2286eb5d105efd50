"""Checks of what users pass, with errors that say what was got and what is expected."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray


def plain(value: Any) -> str:
    """Write a value for a message, NumPy's numbers as Python's."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def check_integer(name: str, value: Any, low: int, otherwise: str = "") -> None:
    """Raise ValueError unless `value` is an integer of at least `low`."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < low:
        also = f", {otherwise}" if otherwise else ""
        raise ValueError(f"{name} must be an integer of at least {low}{also}; got {plain(value)}.")


def check_real(name: str, value: Any, low: float, high: float, brackets: str = "[]") -> None:
    """Raise ValueError unless `value` is a number between `low` and `high`.

    A round bracket, in `brackets`, leaves its end of the interval out.
    """
    is_real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if (
        not is_real
        or not low <= value <= high
        or (brackets[0] == "(" and value == low)
        or (brackets[1] == ")" and value == high)
    ):
        interval = f"{brackets[0]}{low}, {high}{brackets[1]}"
        raise ValueError(f"{name} must be a number in {interval}; got {plain(value)}.")


def check_boolean(name: str, value: Any) -> None:
    """Raise ValueError unless `value` is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False; got {value!r}.")


def check_choice(name: str, value: Any, choices: tuple[str | None, ...]) -> None:
    """Raise ValueError unless `value` is one of `choices`."""
    if not (value is None or isinstance(value, str)) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}.")


def check_finite(name: str, X: NDArray, feature_names: NDArray | None) -> None:
    """Raise ValueError, saying where, if any value of `X` is NaN or infinite."""
    if X.dtype.kind != "f":
        return
    # One sum tells, mostly; only where it does not is it worth looking at every value.
    with np.errstate(over="ignore", invalid="ignore"):
        if X.itemsize <= 4 and np.isfinite(X.sum()):
            return
    first, n_strange = _find_strange(X)
    if first is None:
        return
    value = "NaN" if np.isnan(X[first]) else "infinity, or a value too large for float32,"
    where = f"at row {first[0]}"
    if X.ndim == 2:
        column = first[1] if feature_names is None else repr(str(feature_names[first[1]]))
        where += f", column {column}"
    else:
        where += f", position {first[1:]}"
    raise ValueError(
        f"Input {name} contains {value} {where}; {n_strange} of its {X.size} values are not "
        "finite. Impute missing values first, for instance with sklearn.impute.SimpleImputer in a "
        "pipeline."
    )


def _find_strange(X: NDArray) -> tuple[tuple[int, ...] | None, int]:
    """Find the first value that is no finite float32, and count them, a stretch at a time."""
    first, count = None, 0
    size = max(2**22 // max(X[:1].size, 1), 1)
    for start in range(0, len(X), size):
        with np.errstate(over="ignore"):
            strange = ~np.isfinite(np.asarray(X[start : start + size], dtype=np.float32))
        if first is None and strange.any():
            row, *place = (int(i) for i in np.unravel_index(strange.argmax(), strange.shape))
            first = (start + row, *place)
        count += int(strange.sum())
    return first, count


def check_sample_weight(sample_weight: Any, n_samples: int) -> NDArray[np.float64]:
    """Check sample weights; None is 1 for every sample."""
    if sample_weight is None:
        return np.ones(n_samples)
    given = np.asarray(sample_weight)
    if given.dtype.kind not in "biuf":
        raise ValueError(
            f"sample_weight must hold a number for every sample; got {plain(sample_weight)[:80]}."
        )
    weight = given.astype(np.float64)
    if weight.ndim == 0:
        weight = np.full(n_samples, weight)
    if weight.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have shape ({n_samples},), one number for every row of X; got "
            f"shape {weight.shape}."
        )
    with np.errstate(over="ignore", under="ignore"):  # training knows float32 alone
        single = weight.astype(np.float32)
    strange = ~(np.isfinite(single) & (weight >= 0) & ((single > 0) | (weight == 0)))
    if strange.any():
        row = int(strange.argmax())
        raise ValueError(
            "sample_weight must be finite and non-negative, and 0 or of a size that float32 holds; "
            f"got {weight[row]} at row {row}, and {strange.sum()} such weights in all."
        )
    if not weight.any():
        raise ValueError("sample_weight must not be zero for all samples.")
    return weight


def draw_seed(random_state: Any) -> int:
    """Draw a seed from `random_state`, never from a global generator."""
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(random_state, numbers.Integral) and random_state >= 0:
        return int(np.random.default_rng(int(random_state)).integers(2**31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    raise ValueError(
        "random_state must be None, a non-negative integer, a numpy.random.RandomState or a "
        f"numpy.random.Generator; got {plain(random_state)}."
    )


def generator_state(random_state: Any) -> Any:
    """Read the state of a generator that the user passed; None for all else."""
    if isinstance(random_state, np.random.RandomState):
        return random_state.get_state()
    if isinstance(random_state, np.random.Generator):
        return random_state.bit_generator.state
    return None


def set_generator_state(random_state: Any, state: Any) -> None:
    """Put a generator back to a state it had."""
    if isinstance(random_state, np.random.RandomState):
        random_state.set_state(state)
    elif isinstance(random_state, np.random.Generator):
        random_state.bit_generator.state = state
