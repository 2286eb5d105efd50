"""What is known of every target, and what an estimator says of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_crl._checks import check_choice, check_sample_weight
from sk_crl._labels import LabelColumn, Labels, is_text, read_labels, short, where


class KnownTarget(NamedTuple):
    """The samples of one target that have a label and a weight.

    Attributes
    ----------
    title : str
        What messages call the target: ``"target 3"``, or the labels' name where there is no other.
    rows : ndarray of int
        Which samples they are.
    labels : ndarray of shape (n_rows,)
        Their labels.
    weight : ndarray of shape (n_rows,)
        Their weights, all positive.
    """

    title: str
    rows: NDArray
    labels: NDArray
    weight: NDArray[np.float64]

    def place(self, name: str) -> str:
        """Say in a message where something stands: in `name`, and for which target."""
        return where(name, self.title)

    @property
    def is_one_of_several(self) -> bool:
        """Whether messages must say which target it is."""
        return self.title.startswith("target ")

    def codes(self, listed: NDArray) -> NDArray[np.int64]:
        """Find every label's place in a list of different labels, in any order."""
        order = np.argsort(listed)
        return order[_column(self.labels, self.title).codes(listed[order], "y_true")]


def read_truth(y_true: Any, sample_weight: Any, missing_label: Any) -> tuple[Labels, NDArray]:
    """Read true labels, and a weight for every sample."""
    truth = _read(y_true, missing_label, "y_true")
    return truth, check_sample_weight(sample_weight, len(truth))


def known_targets(truth: Labels, weight: NDArray[np.float64]) -> list[KnownTarget]:
    """Keep of every target the samples that count.

    Raises
    ------
    ValueError
        For a target without any, and for what are no class labels.
    """
    targets = []
    for column in truth:
        rows = np.flatnonzero(~column.is_missing & (weight > 0))
        target = KnownTarget(column.title, rows, column.values[rows], weight[rows])
        if not len(rows):
            raise ValueError(
                f"{target.place('y_true')} must have a label in at least one row of positive "
                "weight; got none. Leave this target out, or score more rows at once."
            )
        _column(target.labels, target.place("y_true")).classes()
        targets.append(target)
    return targets


def predictions(y_pred: Any, truth: Labels, targets: list[KnownTarget], missing_label: Any) -> list:
    """Read the predicted labels of the samples that count, an array for every target.

    Raises
    ------
    ValueError
        Unless they are labels of the same targets and rows, one for every true label.
    """
    predicted = _read(y_pred, missing_label, "y_pred")
    _check_same_targets(truth, predicted)
    pairs = zip(predicted, targets, strict=True)
    return [_predictions_of(target, column) for column, target in pairs]


def label_lists(labels: Any, targets: list[KnownTarget]) -> list[NDArray]:
    """Read the list of labels given for every target, which must hold all true ones.

    Raises
    ------
    ValueError
        For no or too many lists, for a list that is none of different labels, and for true labels
        that are not in it.
    """
    lists = one_for_each(labels, targets, 1, "labels", "(n_classes,)")
    return [_label_list(listed, target) for listed, target in zip(lists, targets, strict=True)]


def one_for_each(
    given: Any, targets: list[KnownTarget], n_dims: int, name: str, shape: str
) -> list[Any]:
    """List the arrays that are given for every target; a single target's needs no list.

    Raises
    ------
    ValueError
        For another number of arrays, or other dimensions.
    """
    depth = _depth(given)
    if len(targets) == 1 and depth == n_dims:
        return [given]
    if depth == n_dims + 1 and len(given) == len(targets):
        return list(given)
    expected = f"an array of shape {shape}"
    if len(targets) > 1:
        expected = f"a list of {len(targets)} arrays of shape {shape}, one for every target"
    got = f"a {type(given).__name__} of {depth} dimensions"
    if depth == n_dims + 1:
        got = f"{len(given)} arrays"
    raise ValueError(f"{name} must be {expected}; got {got}.")


def average(scores: list[float], multioutput: str) -> float | NDArray[np.float64]:
    """Give the scores of all targets, or their mean."""
    return np.array(scores) if multioutput == "raw_values" else float(np.mean(scores))


def check_multioutput(multioutput: Any) -> None:
    """Raise ValueError unless it is known how to bring the targets' scores together."""
    check_choice("multioutput", multioutput, ("uniform_average", "raw_values"))


def _read(Y: Any, missing_label: Any, name: str) -> Labels:
    """Read labels, of which there must be some."""
    if Y is None:
        raise ValueError(f"{name} must be labels; got None.")
    return read_labels(Y, missing_label, name)


def _check_same_targets(truth: Labels, predicted: Labels) -> None:
    """Raise ValueError unless there are predictions of the same targets and rows."""
    for what, n_true, n_predicted in (
        ("targets", len(truth.columns), len(predicted.columns)),
        ("rows", len(truth), len(predicted)),
    ):
        if n_true != n_predicted:
            raise ValueError(
                f"y_true and y_pred must have as many {what}; got {n_true} and {n_predicted}."
            )
    if None not in (truth.names, predicted.names) and truth.names != predicted.names:
        raise ValueError(
            "The columns of y_pred must be those of y_true, in the same order: "
            f"{list(truth.names)}; got {list(predicted.names)}."
        )


def _predictions_of(target: KnownTarget, column: LabelColumn) -> NDArray:
    """Look the predictions of one target up, where there is something to predict."""
    place = target.place("y_pred")
    is_missing = column.is_missing[target.rows]
    if is_missing.any():
        raise ValueError(
            f"{place} must have a label wherever y_true has one; got none at row "
            f"{target.rows[is_missing.argmax()]}, and at {is_missing.sum()} such rows in all."
        )
    labels = column.values[target.rows]
    _column(labels, place).classes()
    if is_text(labels) != is_text(target.labels):
        raise ValueError(
            f"{place} must hold labels of the same type as y_true, such as "
            f"{target.labels.tolist()[0]!r}; got {labels.tolist()[0]!r}."
        )
    return labels


def _label_list(listed: Any, target: KnownTarget) -> NDArray:
    """Read the labels that are listed for one target."""
    column = read_labels(listed, name="labels").columns[0]
    if column.is_missing.any() or len(np.unique(column.values)) < len(column.values):
        raise ValueError(
            f"{target.place('labels')} must list every label once, and none that is missing; got "
            f"{short(np.asarray(listed))}."
        )
    target.codes(column.values)
    return column.values


def _column(labels: NDArray, title: str) -> LabelColumn:
    """Make a column of labels none of which is missing."""
    return LabelColumn(title, labels, np.zeros(len(labels), dtype=bool))


def _depth(given: Any) -> int:
    """Count the dimensions of an array, or of lists of arrays of any length."""
    if isinstance(given, list | tuple):
        return 1 + (_depth(given[0]) if given else 0)
    return np.ndim(given)
