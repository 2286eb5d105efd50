"""Metrics that count every class alike: against loops, properties, containers, errors, scorers."""

import pickle
import re

import numpy as np
import pytest
import scipy.sparse
import sklearn
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as skm
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import sk_crl
from sk_crl.metrics import (
    balanced_accuracy,
    balanced_accuracy_score,
    class_sensitivities,
    top_k_balanced_accuracy_score,
    top_k_balanced_accuracy_scorer,
)

SETS = [["a", "b", "c", "d"], [3, 5, 8], [False, True], [0.0, 1.0, 2.0]]
few_examples = settings(max_examples=60, deadline=None)


# The definitions, as loops ------------------------------------------------------------------------


def naive_sensitivities(true, hits, weight, labels):
    """The weight of every class's hits, by the weight of its samples."""
    sensitivities = []
    for label in labels:
        right = total = 0
        for t, hit, w in zip(true, hits, weight, strict=True):
            if t is not None and t == label:
                total += w
                right += w * hit
        sensitivities.append(right / total if total else float("nan"))
    return sensitivities


def mean_of_present(sensitivities):
    present = [s for s in sensitivities if s == s]
    return sum(present) / len(present)


def is_among_the_k_highest(scores, place, k):
    """Take the best k times over, of equal ones the last."""
    left = list(range(len(scores)))
    for _ in range(k):
        best = max(left, key=lambda j: (scores[j], j))
        if best == place:
            return True
        left.remove(best)
    return False


# Tables -------------------------------------------------------------------------------------------


class Case:
    """Labels of several targets, with holes, predictions, scores and weights."""

    def __init__(self, true, predicted, scores, weight, classes):
        self.true, self.predicted, self.scores = true, predicted, scores
        self.weight, self.classes = weight, classes

    def columns(self):
        return zip(self.true.T, self.predicted.T, self.scores, self.classes, strict=True)

    def take(self, rows):
        scores = [table[rows] for table in self.scores]
        return Case(self.true[rows], self.predicted[rows], scores, self.weight[rows], self.classes)

    def all_scores(self, **options):
        """Everything that can be measured, as one list of floats."""
        options = {"sample_weight": self.weight} | options
        pair = (self.true, self.predicted)
        return [
            balanced_accuracy_score(*pair, **options),
            *balanced_accuracy_score(*pair, multioutput="raw_values", **options),
            *np.concatenate(class_sensitivities(*pair, labels=self.classes, **options)),
            top_k_balanced_accuracy_score(
                self.true, self.scores, k=1, labels=self.classes, **options
            ),
        ]


@st.composite
def cases(draw, n_targets=None, missing=True, sets=SETS, weighted=True):
    n = draw(st.integers(1, 12))
    chosen = draw(
        st.lists(
            st.sampled_from(sets), min_size=n_targets or 1, max_size=n_targets or 3, unique_by=id
        )
    )
    true = np.empty((n, len(chosen)), dtype=object)
    predicted, scores = true.copy(), []
    for t, labels in enumerate(chosen):
        label = st.sampled_from(labels)
        labels_or_none = st.none() | label if missing else label
        true[:, t] = draw(st.lists(labels_or_none, min_size=n, max_size=n))
        predicted[:, t] = draw(st.lists(label, min_size=n, max_size=n))
        entries = st.lists(st.integers(0, 3), min_size=n * len(labels), max_size=n * len(labels))
        scores.append(np.reshape(draw(entries), (n, len(labels))) / 3)
    weights = st.lists(st.integers(0, 3), min_size=n, max_size=n)
    weight = np.array(draw(weights) if weighted else [1] * n)
    counted = (true[weight > 0] != None).any(axis=0)  # noqa: E711
    assume(counted.all() and weight.any())
    return Case(true, predicted, scores, weight, [np.array(labels) for labels in chosen])


# Against the loops --------------------------------------------------------------------------------


@few_examples
@given(cases())
def test_sensitivities_are_those_of_the_loops(case):
    got = class_sensitivities(
        case.true, case.predicted, labels=case.classes, sample_weight=case.weight
    )
    expected = [
        naive_sensitivities(t, t == p, case.weight, labels) for t, p, _, labels in case.columns()
    ]
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@few_examples
@given(cases())
def test_balanced_accuracy_is_that_of_the_loops(case):
    expected = [
        mean_of_present(naive_sensitivities(t, t == p, case.weight, labels))
        for t, p, _, labels in case.columns()
    ]
    options = {"sample_weight": case.weight}
    raw = balanced_accuracy_score(case.true, case.predicted, multioutput="raw_values", **options)
    assert raw.shape == (len(expected),)
    np.testing.assert_allclose(raw, expected, rtol=1e-12)
    score = balanced_accuracy_score(case.true, case.predicted, **options)
    assert type(score) is float
    assert score == pytest.approx(np.mean(expected), rel=1e-12)


@few_examples
@given(cases(), st.data())
def test_top_k_is_that_of_the_loops(case, data):
    k = data.draw(st.integers(1, min(map(len, case.classes)) - 1))
    expected = []
    for true, _, scores, labels in case.columns():
        places = [None if label is None else labels.tolist().index(label) for label in true]
        hits = [
            place is not None and is_among_the_k_highest(row, place, k)
            for row, place in zip(scores, places, strict=True)
        ]
        expected.append(mean_of_present(naive_sensitivities(true, hits, case.weight, labels)))
    options = {"k": k, "labels": case.classes, "sample_weight": case.weight}
    raw = top_k_balanced_accuracy_score(case.true, case.scores, multioutput="raw_values", **options)
    np.testing.assert_allclose(raw, expected, rtol=1e-12)
    score = top_k_balanced_accuracy_score(case.true, case.scores, **options)
    assert type(score) is float
    assert score == pytest.approx(np.mean(expected), rel=1e-12)


# Properties ---------------------------------------------------------------------------------------


@few_examples
@given(cases(), st.data())
def test_order_of_rows_does_not_matter(case, data):
    rows = np.array(data.draw(st.permutations(range(len(case.weight)))))
    np.testing.assert_allclose(case.take(rows).all_scores(), case.all_scores(), rtol=1e-12)


@few_examples
@given(cases(), st.data())
def test_names_of_labels_do_not_matter(case, data):
    renamed = Case(
        case.true.copy(), case.predicted.copy(), case.scores, case.weight, list(case.classes)
    )
    for t, labels in enumerate(case.classes):
        new = np.array(data.draw(st.permutations([f"label {i}" for i in range(len(labels))])))
        renamed.classes[t] = new  # in any order: the columns of the scores stay where they are
        name = {None: None} | dict(zip(labels.tolist(), new.tolist(), strict=True))
        renamed.true[:, t] = [name[label] for label in case.true[:, t]]
        renamed.predicted[:, t] = [name[label] for label in case.predicted[:, t]]
    np.testing.assert_allclose(renamed.all_scores(), case.all_scores(), rtol=1e-12)


@few_examples
@given(cases(), cases(n_targets=1), st.data())
def test_rows_without_labels_or_weight_are_as_good_as_absent(case, further, data):
    n_more, n_targets = len(further.weight), len(case.classes)
    rows = np.array(
        data.draw(
            st.lists(st.sampled_from(range(len(case.weight))), min_size=n_more, max_size=n_more)
        )
    )
    more = case.take(rows)
    kind = data.draw(st.sampled_from(["no label", "no weight"]))
    if kind == "no label":
        more.true[:] = None
        more.predicted[:] = None
        more.scores = [np.full(table.shape, np.nan) for table in more.scores]
    else:
        more.weight[:] = 0
    longer = Case(
        np.vstack([case.true, more.true]),
        np.vstack([case.predicted, more.predicted]),
        [np.vstack(pair) for pair in zip(case.scores, more.scores, strict=True)],
        np.concatenate([case.weight, more.weight]),
        case.classes,
    )
    assert longer.true.shape == (len(case.weight) + n_more, n_targets)
    np.testing.assert_array_equal(longer.all_scores(), case.all_scores())


@few_examples
@given(cases())
def test_weight_counts_as_repetition(case):
    repeated = case.take(np.repeat(np.arange(len(case.weight)), case.weight))
    plain = repeated.all_scores(sample_weight=None)
    np.testing.assert_allclose(case.all_scores(), plain, rtol=1e-12)


@few_examples
@given(cases())
def test_targets_are_scored_on_their_own_and_averaged(case):
    options = {"sample_weight": case.weight}
    raw = balanced_accuracy_score(case.true, case.predicted, multioutput="raw_values", **options)
    top = top_k_balanced_accuracy_score(
        case.true, case.scores, k=1, labels=case.classes, multioutput="raw_values", **options
    )
    for t, (true, predicted, scores, labels) in enumerate(case.columns()):
        assert raw[t] == balanced_accuracy_score(true, predicted, **options)
        alone = top_k_balanced_accuracy_score(true, scores, k=1, labels=labels, **options)
        assert top[t] == alone
    assert balanced_accuracy_score(case.true, case.predicted, **options) == np.mean(raw)


@few_examples
@given(cases(n_targets=1))
def test_top_1_is_the_balanced_accuracy_of_the_highest_scores(case):
    (labels,), (scores,) = case.classes, case.scores
    reversed_argmax = scores.shape[1] - 1 - scores[:, ::-1].argmax(axis=1)
    expected = balanced_accuracy_score(
        case.true[:, 0], labels[reversed_argmax], sample_weight=case.weight
    )
    got = top_k_balanced_accuracy_score(
        case.true[:, 0], scores, k=1, labels=labels, sample_weight=case.weight
    )
    assert got == expected


# Against scikit-learn -----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
@few_examples
@given(cases(n_targets=1, missing=False))
def test_one_target_is_that_of_scikit_learn(case):
    true, predicted = (np.array(Y[:, 0].tolist()) for Y in (case.true, case.predicted))
    expected = skm.balanced_accuracy_score(true, predicted, sample_weight=case.weight)
    got = balanced_accuracy_score(true, predicted, sample_weight=case.weight)
    assert got == pytest.approx(expected, rel=1e-12)


@few_examples
@given(cases(n_targets=1, missing=False, weighted=False))
def test_sensitivities_are_the_recalls_of_scikit_learn(case):
    true, predicted = (np.array(Y[:, 0].tolist()) for Y in (case.true, case.predicted))
    expected = skm.recall_score(true, predicted, average=None, zero_division=np.nan)
    np.testing.assert_array_equal(class_sensitivities(true, predicted), expected)


@few_examples
@given(cases(n_targets=1, missing=False, sets=SETS[:2]), st.data())
def test_top_k_is_that_of_scikit_learn_with_weights_that_balance(case, data):
    k = data.draw(st.integers(1, len(case.classes[0]) - 1))
    case = case.take(np.flatnonzero(case.weight))
    true = np.array(case.true[:, 0].tolist())
    total = {label: case.weight[true == label].sum() for label in true}
    balancing = case.weight / np.array([total[label] for label in true])
    options = {"k": k, "labels": case.classes[0]}
    expected = skm.top_k_accuracy_score(true, case.scores[0], sample_weight=balancing, **options)
    got = top_k_balanced_accuracy_score(true, case.scores[0], sample_weight=case.weight, **options)
    assert got == pytest.approx(expected, rel=1e-12)


def test_predicted_classes_without_true_samples_cause_no_warning():
    with pytest.warns(UserWarning, match="not in y_true"):
        skm.balanced_accuracy_score(["a", "b"], ["a", "c"])
    assert balanced_accuracy_score(["a", "b"], ["a", "c"]) == 0.5


def test_many_classes_of_few_samples_are_no_regression():
    y = np.arange(40)
    assert balanced_accuracy_score(y, y) == 1
    assert class_sensitivities(y, y, labels=np.arange(50)).tolist()[:40] == [1] * 40
    scores = np.eye(50)[:40]
    assert top_k_balanced_accuracy_score(y, scores, k=1, labels=np.arange(50)) == 1


# Labels and containers ----------------------------------------------------------------------------


def test_labels_are_those_of_both_and_sorted_unless_given():
    true, predicted = ["b", "b", "a"], ["b", "c", "a"]
    np.testing.assert_array_equal(class_sensitivities(true, predicted), [1, 0.5, np.nan])
    given_order = class_sensitivities(true, predicted, labels=["z", "b", "a"])
    np.testing.assert_array_equal(given_order, [np.nan, 0.5, 1])


def test_scores_belong_to_labels_in_the_order_given():
    scores = [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]
    labels = ["c", "a", "b"]
    for k, expected in ((1, 0), (2, 0.5)):
        got = top_k_balanced_accuracy_score(["a", "b"], scores, k=k, labels=labels)
        assert got == expected


def test_labels_of_scores_are_those_of_y_true_unless_given():
    scores = [[0.5, 0.3, 0.2]] * 3
    assert top_k_balanced_accuracy_score(["c", "a", "b"], scores, k=2) == pytest.approx(2 / 3)


def test_a_single_column_is_one_target_of_several():
    column, flat = [["a"], ["b"], ["b"]], ["a", "b", "a"]
    assert balanced_accuracy_score(column, flat) == 0.75
    assert balanced_accuracy_score(column, flat, multioutput="raw_values").tolist() == [0.75]
    (only,) = class_sensitivities(column, flat, labels=[["a", "b"]])
    assert only.tolist() == [1, 0.5]
    (only,) = class_sensitivities(column, flat, labels=np.array(["a", "b"]))
    assert only.tolist() == [1, 0.5]
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    for table in (scores, [scores], scores.tolist(), scores[np.newaxis]):
        assert top_k_balanced_accuracy_score(column, table, k=1) == 0.75
        assert top_k_balanced_accuracy_score(flat, table, k=1) == 1


TRUE = [["red", 1, True], ["blue", None, False], ["red", 2, None], ["blue", 2, True]]
PREDICTED = [["red", 1, True], ["red", 1, False], ["red", 1, True], ["blue", 2, False]]
EXPECTED = [0.75, 0.75, 0.75]


def as_pandas(rows):
    pandas = pytest.importorskip("pandas")
    colour, size, sold = zip(*rows, strict=True)
    return pandas.DataFrame(
        {
            "colour": pandas.Categorical(colour),
            "size": pandas.array(size, dtype="Int64"),
            "sold": pandas.array(sold, dtype="boolean"),
        }
    )


def as_pandas_objects(rows):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(rows, columns=["colour", "size", "sold"])


def as_polars(rows):
    polars = pytest.importorskip("polars")
    return polars.DataFrame(rows, schema=["colour", "size", "sold"], orient="row")


def as_objects(rows):
    return np.array(rows, dtype=object)


TABLES = [list, as_objects, as_pandas, as_pandas_objects, as_polars]


@pytest.mark.parametrize("of_true", TABLES)
@pytest.mark.parametrize("of_predicted", TABLES)
def test_tables_of_any_kind(of_true, of_predicted):
    pair = of_true(TRUE), of_predicted(PREDICTED)
    assert balanced_accuracy_score(*pair, multioutput="raw_values").tolist() == EXPECTED
    got = class_sensitivities(*pair, labels=[["blue", "red"], [1, 2], [False, True]])
    assert [s.tolist() for s in got] == [[0.5, 1], [1, 0.5], [1, 0.5]]
    scores = [
        [[0.1, 0.9], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]],
        [[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.1, 0.9]],
        [[0.1, 0.9], [0.9, 0.1], [0.1, 0.9], [0.9, 0.1]],
    ]
    got = top_k_balanced_accuracy_score(pair[0], scores, k=1, multioutput="raw_values")
    assert got.tolist() == EXPECTED


def as_series(values):
    return pytest.importorskip("pandas").Series(values)


def as_polars_series(values):
    return pytest.importorskip("polars").Series(values)


COLUMNS = [list, np.array, as_objects, as_series, as_polars_series]


@pytest.mark.parametrize("of_true", COLUMNS)
@pytest.mark.parametrize("of_predicted", COLUMNS)
@pytest.mark.parametrize(
    ("true", "predicted", "missing_label"),
    [
        (["a", "b", "b", "?"], ["a", "b", "a", "b"], "?"),
        ([0, 1, 1, -1], [0, 1, 0, 0], -1),
        ([0.0, 1.0, 1.0, float("nan")], [0, 1, 0, 0], None),
        ([False, True, True, True], [0, 1, 0, 1], None),
    ],
)
def test_columns_of_any_kind(of_true, of_predicted, true, predicted, missing_label):
    pair = of_true(true), of_predicted(predicted)
    last = 2 if missing_label is None and true[-1] is True else 1
    expected = [1, last / (last + 1)]
    options = {"missing_label": missing_label}
    np.testing.assert_array_equal(class_sensitivities(*pair, **options), expected)
    assert balanced_accuracy_score(*pair, **options) == np.mean(expected)
    scores = np.array([[1, 0], [0, 1], [1, 0], [last == 1, last == 2]], dtype=float)
    got = top_k_balanced_accuracy_score(pair[0], scores, k=1, **options)
    assert got == np.mean(expected)


@pytest.mark.parametrize("of_true", [np.array, scipy.sparse.csr_matrix, scipy.sparse.csc_array])
@pytest.mark.parametrize("of_predicted", [np.array, scipy.sparse.csr_array])
def test_indicators(of_true, of_predicted):
    true = of_true([[1, 0], [0, 0], [1, 1], [0, 1]])
    predicted = of_predicted([[1, 0], [0, 0], [0, 1], [0, 0]])
    got = balanced_accuracy_score(true, predicted, multioutput="raw_values")
    assert got.tolist() == [0.75, 0.75]


def test_scores_of_any_kind():
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    true = ["a", "b", "b", "c"]
    scores = np.array([[3, 2, 1], [3, 1, 2], [1, 3, 2], [1, 3, 2]])
    for table in (
        scores,
        scores.tolist(),
        scores.astype(np.float16),
        pandas.DataFrame(scores, columns=[*"abc"]),
        polars.DataFrame(scores),
    ):
        assert top_k_balanced_accuracy_score(true, table, k=2) == pytest.approx(5 / 6)


def test_infinite_or_fractional_predictions_do_not_matter_without_a_label():
    true = np.array([0.0, 1.0, np.nan, np.nan, np.nan])
    assert balanced_accuracy_score(true, [0, 1, 0.5, np.inf, np.nan]) == 1
    scores = [[1, 0], [0, 1], [np.nan, 1], [np.inf, 0], [0, -np.inf]]
    assert top_k_balanced_accuracy_score(true, scores, k=1) == 1


def test_inputs_stay_as_they_are():
    true, predicted = as_pandas(TRUE), as_pandas(PREDICTED)
    before = true.copy(), predicted.copy()
    weight = np.ones(4)
    weight.flags.writeable = False
    balanced_accuracy_score(true, predicted, sample_weight=weight)
    assert true.equals(before[0])
    assert predicted.equals(before[1])


# Errors -------------------------------------------------------------------------------------------


def refuses(message, function, *args, **options):
    with pytest.raises(ValueError, match=message) as caught:
        function(*args, **options)
    assert not re.search(r"\bnp\.\w+\(|\barray\(\[", str(caught.value))


def frame(**columns):
    return pytest.importorskip("pandas").DataFrame(columns)


@pytest.mark.parametrize("function", [balanced_accuracy_score, class_sensitivities])
@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [
        ([[0, None], [1, None]], [[0, 1], [1, 0]], "y_true, target 1, must have a label.* none"),
        ([None, None], [0, 1], "y_true must have a label in at least one row.*got none"),
        ([], [], "y_true must have a label.*got none"),
        (None, [0, 1], "y_true must be labels; got None"),
        ([0, 1], None, "y_pred must be labels; got None"),
        ([[0, 1], [1, 0]], [0, 1], "as many targets; got 2 and 1"),
        ([0, 1], [[0, 1], [1, 0]], "as many targets; got 1 and 2"),
        ([0, 1], [0, 1, 1], "as many rows; got 2 and 3"),
        ([0, 1, 0], [0, None, None], "y_pred must have a label wherever.*row 1, and at 2 such"),
        ([[0, 1], [1, 0]], [[0, 1], [1, np.nan]], "y_pred, target 1, must have a label.*row 1"),
        (["a", "b"], [0, 1], "y_pred must hold labels of the same type as y_true.*'a'; got 0"),
        (
            [["a", 0], ["b", 1]],
            [["a", "a"], ["b", "b"]],
            "y_pred, target 1, must hold labels of the same type.*such as 0; got 'a'",
        ),
        ([0.5, 1.5], [0, 1], "Unknown label type: y_true is continuous.* 0.5"),
        ([[0, 0.5], [1, 2]], [[0, 1], [1, 2]], "type: y_true, target 1, is continuous"),
        ([0, 1], [0.2, 0.7], "type: y_pred is continuous"),
        ([[0, 1], [1, 0]], [[0, 0.1], [1, 0]], "type: y_pred, target 1, is continuous"),
        ([0, np.inf], [0, 1], "y_true contains infinity"),
        ([0, 1], [0, np.inf], "y_pred contains infinity"),
        (np.zeros((2, 2, 2)), np.zeros((2, 2, 2)), "y_true must have shape"),
        ([[0, 1], [1]], [[0, 1], [1, 0]], "y_true must have shape"),
    ],
)
def test_labels_that_cannot_be_compared(function, true, predicted, message):
    refuses(message, function, true, predicted)


@pytest.mark.parametrize("function", [balanced_accuracy_score, class_sensitivities])
def test_frames_of_other_targets(function):
    true = frame(colour=["a", "b"], size=[0, 1])
    message = r"columns of y_pred must be.*\['colour', 'size'\]; got \['size', 'colour'\]"
    refuses(message, function, true, true[["size", "colour"]])
    refuses("got .*'hue'", function, true, true.rename(columns={"colour": "hue"}))
    polars = pytest.importorskip("polars")
    same = polars.DataFrame({"colour": ["a", "b"], "size": [0, 1]})
    function(true, same)
    refuses("columns of y_pred", function, true, same.select("size", "colour"))
    refuses(
        "y_true, target 'size', must have", function, frame(colour=["a"], size=[None]), [[1, 1]]
    )


@pytest.mark.parametrize("multioutput", ["mean", None, ["raw_values"], 0.5])
def test_unknown_multioutput(multioutput):
    message = "multioutput must be one of 'uniform_average', 'raw_values'"
    for_labels = {"multioutput": multioutput}
    refuses(message, balanced_accuracy_score, [0, 1], [0, 1], **for_labels)
    refuses(message, top_k_balanced_accuracy_score, [0, 1], np.eye(2), k=1, **for_labels)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, 1, 1], r"shape \(2,\)"),
        ([[1, 1]], r"shape \(2,\)"),
        ([1, -1], "non-negative"),
        ([1, np.nan], "finite"),
        ([0, 0], "zero for all"),
    ],
)
def test_bad_sample_weight(weight, message):
    options = {"sample_weight": weight}
    for function in (balanced_accuracy_score, class_sensitivities):
        refuses(message, function, [0, 1], [0, 1], **options)
    refuses(message, top_k_balanced_accuracy_score, [0, 1], np.eye(2), k=1, **options)


def test_target_whose_labels_have_no_weight():
    pair = [[0, 0], [1, None]], [[0, 0], [1, 1]]
    refuses("target 1, .* positive weight", balanced_accuracy_score, *pair, sample_weight=[0, 1])


@pytest.mark.parametrize(
    ("true", "labels", "message"),
    [
        (["a", "b"], ["b", "c"], r"y_true holds labels.*\['b', 'c'\]: \['a'\]"),
        (["a", "b"], [0, 1], "y_true holds labels that are not among"),
        ([[0, 0], [1, 3]], [[0, 1], [0, 2]], r"y_true, target 1, holds labels.*: \[3\]"),
        ([[0, 0], [1, 3]], [[0, 1]], "labels must be a list of 2 arrays.*got 1 arrays"),
        ([[0, 0], [1, 3]], [0, 1, 3], "labels must be a list of 2 arrays.*of 1 dimensions"),
        (["a", "b"], [["a", "b"], ["a"]], "labels must be an array of shape.*got 2 arrays"),
        (["a", "b"], "ab", "labels must be an array .*; got a str of 0 dimensions"),
        (["a", "b"], ["a", "b", "a"], "labels must list every label once"),
        ([[0, 1], [1, 3]], [[0, 1], [1, 3, None]], "labels, target 1, must list every label once"),
        (["a", "b"], [], "labels that are not among the classes"),
    ],
)
def test_bad_labels(true, labels, message):
    refuses(message, class_sensitivities, true, true, labels=labels)
    scores = np.zeros((2, 2)) if np.ndim(true) == 1 else [np.zeros((2, 2))] * 2
    refuses(message, top_k_balanced_accuracy_score, true, scores, k=1, labels=labels)


@pytest.mark.parametrize("k", [0, -1, 1.0, "1", None, True])
def test_k_is_an_integer_of_at_least_1(k):
    message = "k must be an integer of at least 1; got"
    refuses(message, top_k_balanced_accuracy_score, [0, 1], np.eye(2), k=k)
    refuses(message, top_k_balanced_accuracy_scorer, k)


@pytest.mark.parametrize("k", [2, 3, np.int64(2)])
def test_k_is_less_than_the_number_of_classes(k):
    message = f"k must be less than the number of classes, 2, .*; got {k}"
    refuses(message, top_k_balanced_accuracy_score, [0, 1], np.eye(2), k=k)
    true = frame(colour=["a", "b", "c"], size=[0, 1, 1])
    scores = [np.eye(3), np.ones((3, 2))]
    message = f"k must be less than the number of classes of target '(size|colour)', .; got {k}"
    refuses(message.replace("; ", ", .*; "), top_k_balanced_accuracy_score, true, scores, k=k)


@pytest.mark.parametrize(
    ("true", "scores", "message"),
    [
        ([0, 1, 2], np.zeros((3, 2)), r"y_score must have shape \(3, 3\).*got.*\(3, 2\). Pass lab"),
        ([0, 1, 2], np.zeros((2, 3)), r"y_score must have shape \(3, 3\).*got shape \(2, 3\)"),
        ([0, 1], [0.1, 0.9], "y_score must be an array of shape.*got a list of 1 dimensions"),
        ([0, 1], np.zeros((2, 2, 2)), "y_score must be an array of shape.*got 2 arrays"),
        ([0, 1], [[0.1, np.nan], [1, 2]], r"y_score must be finite.*\[0.1, nan\] at row 0, and 1"),
        ([0, 1], [[0, 1], [np.inf, 2]], "y_score must be finite.* at row 1"),
        ([0, 1], [["a", "b"], ["c", "d"]], "y_score must hold numbers"),
        ([[0, 1], [1, 0]], np.zeros((2, 2)), "y_score must be a list of 2 arrays.*2 dimensions"),
        ([[0, 1], [1, 0]], [np.eye(2)], "y_score must be a list of 2 arrays.*got 1 arrays"),
        ([[0, 1], [1, 0]], [np.eye(2), np.eye(3)], r"y_score, target 1, must have.*\(3, 3\)"),
        (
            [[0, 1], [1, 0]],
            [np.eye(2), np.full((2, 2), np.inf)],
            "y_score, target 1, must be finite",
        ),
        ([[0, None], [1, None]], [np.eye(2)] * 2, "y_true, target 1, must have a label"),
        ([0.5, 1.5], np.eye(2), "type: y_true is continuous"),
        ([0, 1], None, "y_score must be an array"),
    ],
)
def test_bad_scores(true, scores, message):
    refuses(message, top_k_balanced_accuracy_score, true, scores, k=1)


def test_advice_to_pass_labels_only_where_none_were():
    with pytest.raises(ValueError) as caught:
        top_k_balanced_accuracy_score([0, 1], np.eye(2), k=1, labels=[0, 1, 2])
    assert "Pass labels" not in str(caught.value)


# Scorers ------------------------------------------------------------------------------------------


class TreePerTarget(ClassifierMixin, BaseEstimator):
    """A tree for every target, trained on the samples that have its label."""

    def __init__(self, max_depth=2):
        self.max_depth = max_depth

    @staticmethod
    def _columns(Y):
        if hasattr(Y, "columns"):
            return [np.array(Y[name].to_list(), dtype=object) for name in Y.columns]
        return list(np.asarray(Y, dtype=object).T)

    def fit(self, X, Y):
        self.trees_ = []
        for column in self._columns(Y):
            known = [str(label) not in ("None", "nan", "<NA>") for label in column]
            tree = DecisionTreeClassifier(max_depth=self.max_depth, random_state=0)
            labels = np.array(column[known].tolist())
            self.trees_.append(tree.fit(np.asarray(X)[known], labels))
        self.classes_ = [tree.classes_ for tree in self.trees_]
        return self

    def predict(self, X):
        columns = [tree.predict(X).astype(object) for tree in self.trees_]
        return np.column_stack(columns)

    def predict_proba(self, X):
        return [tree.predict_proba(X) for tree in self.trees_]


def several_targets(n=90, seed=0):
    """Features, and labels of a string, an integer and a boolean target."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    colour = np.array(["blue", "green", "red", "white"])[np.digitize(X[:, 0], [-1, 0, 1])]
    size = np.digitize(X[:, 1], [-0.5, 0.8]) * 5
    sold = X[:, 2] + rng.normal(size=n) > 0.5
    Y = np.empty((n, 3), dtype=object)
    for t, column in enumerate([colour, size, sold]):
        Y[:, t] = column.tolist()
    return X, Y


def with_holes(Y):
    Y = Y.copy()
    for t in range(Y.shape[1]):
        Y[t::7, t] = None
    return Y


FOLDS = list(KFold(3).split(np.zeros((90, 1))))


def by_hand(model, X, Y, score):
    """What cross-validation should give."""
    return [score(clone(model).fit(X[a], Y[a]), X[b], Y[b]) for a, b in FOLDS]


def test_balanced_accuracy_of_several_targets_of_different_types():
    X, Y = several_targets()
    model = TreePerTarget()
    got = cross_val_score(model, X, Y, scoring=balanced_accuracy, cv=FOLDS, error_score="raise")
    expected = by_hand(
        model,
        X,
        Y,
        lambda m, A, B: np.mean(
            [
                skm.balanced_accuracy_score(np.array(t.tolist()), np.array(p.tolist()))
                for t, p in zip(B.T, m.predict(A).T, strict=True)
            ]
        ),
    )
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert len(set(got)) > 1


@pytest.mark.parametrize("container", [as_objects, as_pandas, as_pandas_objects, as_polars])
def test_tables_with_holes_in_cross_validation(container):
    X, Y = several_targets()
    Y = with_holes(Y)
    scoring = {"balanced": balanced_accuracy, "top": top_k_balanced_accuracy_scorer(1)}
    table = container(Y.tolist())
    got = cross_validate(TreePerTarget(), X, table, scoring=scoring, cv=FOLDS, error_score="raise")
    for name, metric in (
        ("balanced", lambda m, A, B: balanced_accuracy_score(B, m.predict(A))),
        (
            "top",
            lambda m, A, B: top_k_balanced_accuracy_score(
                B, m.predict_proba(A), k=1, labels=m.classes_
            ),
        ),
    ):
        expected = by_hand(TreePerTarget(), X, Y, metric)
        np.testing.assert_array_equal(got[f"test_{name}"], expected)
        assert 0.3 < min(expected) < 1


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(max_depth=2, random_state=0),
        RandomForestClassifier(5, max_depth=2, random_state=0),
        MultiOutputClassifier(DecisionTreeClassifier(max_depth=2, random_state=0)),
        make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=2, random_state=0)),
    ],
)
@pytest.mark.parametrize("dtype", [int, str])
@pytest.mark.parametrize("cut", [slice(0, 2), slice(1, 2), [1, 2, 1]])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
def test_estimators_of_scikit_learn(model, dtype, cut):
    X, Y = several_targets()
    Y[:, 0] = np.unique(Y[:, 0].tolist(), return_inverse=True)[1]
    Y = Y[:, cut].astype(int).astype(dtype)
    fitted = clone(model).fit(X[:60], Y[:60])
    predicted = np.reshape(fitted.predict(X[60:]), (30, -1))
    expected = [
        skm.balanced_accuracy_score(t, p) for t, p in zip(Y[60:].T, predicted.T, strict=True)
    ]
    assert balanced_accuracy(fitted, X[60:], Y[60:]) == pytest.approx(np.mean(expected))
    top = top_k_balanced_accuracy_scorer(1)(fitted, X[60:], Y[60:])
    # Trees decide for the first of equal probabilities, so that ties make a small difference.
    assert top == pytest.approx(np.mean(expected), abs=0.15)


def test_searches_on_several_targets():
    X, Y = several_targets()
    scoring = {"balanced": balanced_accuracy, "top": top_k_balanced_accuracy_scorer(k=1)}
    grid = {"max_depth": [1, 4]}
    both = GridSearchCV(TreePerTarget(), grid, scoring=scoring, refit="top", cv=FOLDS).fit(X, Y)
    assert both.best_params_ == {"max_depth": 4}
    for name, scorer in scoring.items():
        alone = GridSearchCV(TreePerTarget(), grid, scoring=scorer, cv=FOLDS).fit(X, Y)
        assert alone.best_params_ == {"max_depth": 4}
        expected = [
            cross_val_score(TreePerTarget(depth), X, Y, scoring=scorer, cv=FOLDS).mean()
            for depth in (1, 4)
        ]
        np.testing.assert_allclose(alone.cv_results_["mean_test_score"], expected)
        np.testing.assert_allclose(both.cv_results_[f"mean_test_{name}"], expected)
        assert alone.score(X, Y) == scorer(alone.best_estimator_, X, Y)
        # A search is itself an estimator that a scorer can score.
        assert scorer(alone, X, Y) == alone.score(X, Y)


def one_target(n=90):
    X, Y = several_targets(n)
    return X, np.array(Y[:, 0].tolist())


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_balanced_accuracy_of_one_target_is_that_of_scikit_learn_by_name():
    X, y = one_target()
    model = DecisionTreeClassifier(max_depth=1, random_state=0)
    ours, theirs = (
        cross_val_score(model, X, y, scoring=scoring, cv=3)
        for scoring in (balanced_accuracy, "balanced_accuracy")
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_several_targets_need_the_object():
    X, Y = several_targets()
    Y = Y[:, 1:].astype(int)
    model = DecisionTreeClassifier().fit(X, Y)
    with pytest.raises(ValueError, match="multioutput is not supported"):
        skm.get_scorer("balanced_accuracy")(model, X, Y)
    assert balanced_accuracy(model, X, Y) == 1


def test_balanced_accuracy_stands_in_the_package():
    assert sk_crl.balanced_accuracy is balanced_accuracy


def test_a_label_that_stands_for_none_in_scorers():
    X, Y = several_targets()
    Y = Y[:, 1:].astype(int)
    model = DecisionTreeClassifier(max_depth=2).fit(X, Y)
    filled, holed = np.where(np.arange(90)[:, None] % 5 == 0, -1, Y), Y.astype(object)
    holed[::5] = None
    scorer = skm.make_scorer(balanced_accuracy_score, missing_label=-1)
    assert scorer(model, X, filled) == balanced_accuracy(model, X, holed) < 1
    scorer = top_k_balanced_accuracy_scorer(k=1, missing_label=-1)
    assert scorer(model, X, filled) == top_k_balanced_accuracy_scorer(k=1)(model, X, holed) < 1


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k_knows_classes_that_a_fold_lacks(k):
    X, y = one_target()
    model = GaussianNB().fit(X, y)
    fold = np.flatnonzero(y != "green")
    expected = top_k_balanced_accuracy_score(
        y[fold], model.predict_proba(X[fold]), k=k, labels=model.classes_
    )
    got = top_k_balanced_accuracy_scorer(k)(model, X[fold], y[fold])
    assert got == expected
    with pytest.raises(ValueError, match=r"shape \(.*, 3\).*Pass labels"):
        top_k_balanced_accuracy_score(y[fold], model.predict_proba(X[fold]), k=1)


def test_top_k_refuses_classes_that_training_lacked():
    X, y = one_target()
    model = GaussianNB().fit(X[y != "green"], y[y != "green"])
    with pytest.raises(ValueError, match=r"not among the classes .*: \['green'\]"):
        top_k_balanced_accuracy_scorer(2)(model, X, y)


def test_top_k_of_decision_functions():
    X, y = one_target()
    model = LinearSVC().fit(X, y)
    expected = top_k_balanced_accuracy_score(y, model.decision_function(X), k=2)
    assert top_k_balanced_accuracy_scorer(2)(model, X, y) == expected
    assert (
        expected > top_k_balanced_accuracy_scorer(1)(model, X, y) == balanced_accuracy(model, X, y)
    )


@pytest.mark.parametrize("scorer", [balanced_accuracy, top_k_balanced_accuracy_scorer(k=1)])
def test_scorers_take_sample_weight(scorer):
    X, Y = several_targets()
    model = TreePerTarget().fit(X, Y)
    weight = np.arange(90) % 3
    kept = weight > 0
    repeated = np.repeat(np.arange(90), weight)
    got = scorer(model, X, Y, sample_weight=weight)
    assert got == pytest.approx(scorer(model, X[repeated], Y[repeated]), rel=1e-12)
    assert got != scorer(model, X[kept], Y[kept])


@pytest.mark.parametrize("n_scorers", [1, 2])
def test_searches_fitted_with_sample_weight(n_scorers):
    X, y = one_target()
    scoring = {"top": top_k_balanced_accuracy_scorer(k=2), "balanced": balanced_accuracy}
    scoring = dict(list(scoring.items())[:n_scorers])
    model = DecisionTreeClassifier(max_depth=2, random_state=0)
    search = GridSearchCV(model, {"max_depth": [1, 2]}, scoring=scoring, refit="top", cv=3)
    search.fit(X, y, sample_weight=np.arange(90) % 3)
    assert np.isfinite(search.cv_results_["mean_test_top"]).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: skm.make_scorer(balanced_accuracy_score),
        lambda: top_k_balanced_accuracy_scorer(k=1),
    ],
)
@pytest.mark.parametrize("as_dict", [False, True])
def test_metadata_routing(make, as_dict):
    X, y = one_target()
    X += np.random.default_rng(1).normal(size=X.shape)
    weight = np.where(np.arange(90) % 3, 1.0, 20.0)
    model = DecisionTreeClassifier(max_depth=2, random_state=0)
    expected = []
    for a, b in FOLDS:
        fitted = clone(model).fit(X[a], y[a])
        expected.append(make()(fitted, X[b], y[b], sample_weight=weight[b]))
    with sklearn.config_context(enable_metadata_routing=True):
        model.set_fit_request(sample_weight=False)
        unset, asking = make(), make().set_score_request(sample_weight=True)

        def scores(scorer):
            scoring = {"score": scorer} if as_dict else scorer
            result = cross_validate(
                model, X, y, scoring=scoring, cv=FOLDS, params={"sample_weight": weight}
            )
            return result["test_score"]

        np.testing.assert_array_equal(scores(asking), expected)
        plain = cross_val_score(model, X, y, scoring=unset, cv=FOLDS)
        assert not np.array_equal(plain, expected)
        # What scikit-learn raises has changed.
        with pytest.raises((TypeError, ValueError), match=r"sample_weight"):
            scores(unset)


@pytest.mark.parametrize(
    "scorer",
    [
        balanced_accuracy,
        top_k_balanced_accuracy_scorer(k=1),
        top_k_balanced_accuracy_scorer(k=1, missing_label="?"),
    ],
)
def test_scorers_can_be_pickled_and_cloned_with_a_search(scorer):
    X, Y = several_targets()
    model = TreePerTarget().fit(X, Y)
    search = clone(GridSearchCV(TreePerTarget(), {"max_depth": [2]}, scoring=scorer, cv=FOLDS))
    for copied in (pickle.loads(pickle.dumps(scorer)), search.scoring):
        assert repr(copied) == repr(scorer)
        assert copied(model, X, Y) == scorer(model, X, Y)
    assert repr(scorer) in repr(search).replace("\n", "").replace("             ", "")


def test_scorers_say_what_they_are():
    assert "balanced_accuracy_score" in repr(balanced_accuracy)
    assert repr(top_k_balanced_accuracy_scorer(3)) == "top_k_balanced_accuracy_scorer(k=3)"
    missing = top_k_balanced_accuracy_scorer(3, missing_label="?")
    assert repr(missing) == "top_k_balanced_accuracy_scorer(k=3, missing_label='?')"


def test_a_fold_without_labels_of_a_target_has_no_score():
    X, Y = several_targets()
    Y[FOLDS[1][1], 0] = None
    with pytest.warns(UserWarning, match="y_true, target 0, must have a label"):
        scores = cross_val_score(TreePerTarget(), X, Y, scoring=balanced_accuracy, cv=FOLDS)
    assert np.isnan(scores).tolist() == [False, True, False]


def test_the_example_of_the_scorer_object_is_run():
    import doctest

    from sk_crl.metrics import _scorers

    examples = {test.name: test.examples for test in doctest.DocTestFinder().find(_scorers)}
    assert examples["sk_crl.metrics._scorers.__test__.balanced_accuracy"]


def test_the_scorer_of_the_best_k_refuses_columns_in_another_order():
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    Y = pandas.DataFrame({"u": np.digitize(X[:, 0], [-1, 1]), "v": np.digitize(X[:, 1], [-1, 1])})
    model = RandomForestClassifier(random_state=0).fit(X, Y)
    model.target_names_in_ = np.array(["u", "v"], dtype=object)
    scorer = top_k_balanced_accuracy_scorer(2)
    assert scorer(model, X, Y) > 0.9
    with pytest.raises(ValueError, match=r"columns of y must be \['u', 'v'\].*\['v', 'u'\]"):
        scorer(model, X, Y[["v", "u"]])
