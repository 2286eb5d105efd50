"""Class imbalance by a power law, cut from labelled data (Sec. 4.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_crl._checks import check_boolean, check_integer, check_real, draw_seed
from sk_crl._labels import LabelColumn, is_text, read_labels, short


def power_law_sizes(
    n_classes: int,
    gamma: float = 1.0,
    *,
    largest: int = 500,
    smallest: int = 25,
    refit: bool = True,
) -> NDArray[np.int64]:
    r"""Compute the class sizes of a power law, from the largest class to the smallest.

    .. math:: f(i) = \frac{a}{i^\gamma + b}, \qquad i = 1, \dots, K

    with a and b from the largest and the smallest class (Dong, Gong and Zhu: *Imbalanced Deep
    Learning by Minority Class Incremental Rectification*, Sec. 4.3).

    Parameters
    ----------
    n_classes : int
        Number of classes K.
    gamma : float, default=1.0
        The exponent, positive.
    largest, smallest : int, default=500, 25
        Samples of the first and of the last class; the paper's by default.
    refit : bool, default=True
        Fit a and b to both sizes for every `gamma`, the literal reading, under which a smaller
        `gamma` bends the law more: more classes are small. False keeps those of ``gamma=1``, so
        that `gamma` is the degree of imbalance: a smaller one leaves the last class larger.

    Returns
    -------
    ndarray of int64, shape (n_classes,)
        The sizes, rounded, each at least 1.

    Raises
    ------
    ValueError
        For sizes below 1, a largest class that is smaller than the smallest, and `gamma` not
        above 0.

    Examples
    --------
    >>> from sk_crl.datasets import power_law_sizes
    >>> power_law_sizes(5, largest=100, smallest=10)
    array([100,  31,  18,  13,  10])
    >>> int(power_law_sizes(100).sum())  # the paper's CIFAR-100^imb(1)
    8072
    """
    check_integer("n_classes", n_classes, 1)
    check_integer("smallest", smallest, 1)
    check_integer("largest", largest, smallest, "the size of the smallest class")
    check_real("gamma", gamma, 0, math.inf, "()")
    check_boolean("refit", refit)
    if largest == smallest or n_classes == 1:
        return np.full(n_classes, largest)
    rank = np.arange(1, n_classes + 1, dtype=np.float64)
    last = n_classes ** (gamma if refit else 1.0)
    b = (smallest * last - largest) / (largest - smallest)
    sizes = largest * (1 + b) / (rank**gamma + b)
    return np.maximum(np.rint(sizes), 1).astype(np.int64)


def make_power_law_imbalance(
    y: ArrayLike,
    gamma: float = 1.0,
    *,
    largest: int | None = None,
    smallest: int | None = None,
    balanced: bool = False,
    refit: bool = True,
    order: str | Sequence | None = None,
    random_state: Any = None,
) -> NDArray[np.int64]:
    r"""Choose samples so that class sizes follow a power law, as in the paper's simulations.

    With the defaults, and all 500 training images of every class, these are CIFAR-100^imb(γ) and,
    with ``balanced=True``, CIFAR-100^bln(γ) of Dong, Gong and Zhu (Sec. 4.3).

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels of any kind; samples without a label (NaN, None, NA) are not chosen.
    gamma : float, default=1.0
        Exponent of the law, see `power_law_sizes`.
    largest : int, optional
        Samples of the first class; by default all that it has.
    smallest : int, optional
        Samples of the last class; by default a twentieth of the first one's, as in the paper.
    balanced : bool, default=False
        Choose as many samples in all, but of every class the same number, give or take one where
        the number of classes does not divide them.
    refit : bool, default=True
        How `gamma` is read, see `power_law_sizes`.
    order : {None, "size", "random"} or sequence of labels, default=None
        Which class is the first, the second and so on: sorted labels, by size from the largest to
        the smallest, at random, or the labels in the order given, all of them.
    random_state : int, RandomState, Generator or None, default=None
        Source of the choice.

    Returns
    -------
    ndarray of int64, shape (n_chosen,)
        Rows, in their order. Select with them from arrays, frames, or by
        `torch.utils.data.Subset`.

    Raises
    ------
    ValueError
        For a class that has fewer samples than the law asks for, and parameters outside their
        range.

    See Also
    --------
    power_law_sizes : The sizes by themselves.
    imblearn.datasets.make_imbalance : Samples of every class as told.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sk_crl.datasets import make_power_law_imbalance
    >>> X, y = load_digits(return_X_y=True)
    >>> rows = make_power_law_imbalance(y, largest=120, random_state=0)
    >>> np.bincount(y[rows])
    array([120,  39,  23,  16,  13,  10,   9,   8,   7,   6])
    >>> rows = make_power_law_imbalance(y, largest=120, balanced=True, random_state=0)
    >>> np.bincount(y[rows])
    array([26, 25, 25, 25, 25, 25, 25, 25, 25, 25])
    """
    labels = read_labels(y)
    if len(labels.columns) != 1:
        raise ValueError(
            f"y must hold the labels of one target; got those of {len(labels.columns)}."
        )
    check_boolean("balanced", balanced)
    (column,) = labels
    classes = column.classes()
    if not len(classes):
        raise ValueError("y must hold labels; got none.")
    codes = column.codes(classes)
    counts = np.bincount(codes[codes >= 0], minlength=len(classes))
    rng = np.random.default_rng(draw_seed(random_state))
    ranked = _ranked(order, classes, counts, rng)
    if largest is None:
        largest = int(counts[ranked[0]])
    check_integer("largest", largest, 1, "or None")
    if smallest is None:
        smallest = max(round(largest / 20), 1)
    sizes = power_law_sizes(len(classes), gamma, largest=largest, smallest=smallest, refit=refit)
    if balanced:
        each, rest = divmod(int(sizes.sum()), len(sizes))
        sizes = each + (np.arange(len(sizes)) < rest)
    lacking = np.flatnonzero(counts[ranked] < sizes)
    if len(lacking):
        place = lacking[0]
        raise ValueError(
            f"Class {short(classes[[ranked[place]]])[1:-1]} has {counts[ranked[place]]} samples, "
            f"but as number {place + 1} of {len(classes)} it must have {sizes[place]} "
            f"({len(lacking)} classes have too few). Lower largest (now {largest}) or smallest "
            f"(now {smallest}), or choose another order, such as 'size'."
        )
    chosen = [
        rng.choice(np.flatnonzero(codes == c), size, replace=False)
        for c, size in zip(ranked, sizes, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def _ranked(
    order: Any, classes: NDArray, counts: NDArray, rng: np.random.Generator
) -> NDArray[np.int64]:
    """List classes from the first to the last, by their codes."""
    if order is None:
        return np.arange(len(classes))
    if isinstance(order, str):
        if order == "size":
            return np.argsort(-counts, kind="stable")
        if order == "random":
            return rng.permutation(len(classes))
    elif np.ndim(order) == 1:
        named = np.asarray(order)
        if len(named) == len(classes) and is_text(named) == is_text(classes):
            column = LabelColumn("order", named, np.zeros(len(named), dtype=bool))
            codes = column.codes(classes, "order")
            if len(np.unique(codes)) == len(classes):
                return codes
    raise ValueError(
        "order must be None, 'size', 'random', or a list of all labels, each of them once: "
        f"{short(classes)}; got {order!r}."
    )
