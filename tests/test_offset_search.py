"""The search for offsets against brute force."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from sk_crl.baselines._offset_tuned import shrink
from sk_crl.baselines._search import Scores, ascend, few_edges, find_breakpoints, middle_of_best

ROUNDING = 1e-12


@st.composite
def problems(draw, n_classes, most_rows):
    """Tiny tables of probabilities with ties and zeros, true classes, weights."""
    n = draw(st.integers(1, most_rows))
    row = st.lists(st.integers(0, 5), min_size=n_classes, max_size=n_classes).filter(any)
    table = np.array([draw(row) for _ in range(n)], dtype=np.float64)
    table /= table.sum(axis=1, keepdims=True)
    codes = draw(st.lists(st.integers(0, n_classes - 1), min_size=n, max_size=n))
    weight = draw(st.lists(st.sampled_from([1.0, 1.0, 0.5, 3.0]), min_size=n, max_size=n))
    offsets = draw(
        st.lists(st.sampled_from([0.0, 0.7, -1.3]), min_size=n_classes, max_size=n_classes)
    )
    return table, codes, weight, offsets


def scores_of(table, codes, weight):
    with np.errstate(divide="ignore"):
        return Scores(np.log(table), np.array(codes), np.array(weight))


@settings(deadline=None, max_examples=200)
@given(problem=problems(3, 8))
def test_predictions_and_balanced_accuracy(problem):
    table, codes, weight, offsets = problem
    scores = scores_of(table, codes, weight)
    predicted = scores.predict(np.array(offsets))
    assert predicted.tolist() == [naive.offset_decision(p, offsets) for p in table.tolist()]
    expected = naive.balanced_accuracy_of_offsets(table.tolist(), codes, weight, offsets)
    assert scores.values() @ (predicted == scores.codes) == pytest.approx(expected, abs=ROUNDING)


@settings(deadline=None, max_examples=200)
@given(problem=problems(2, 10))
def test_no_threshold_of_two_classes_is_better(problem):
    table, codes, weight, start = problem
    offsets = ascend(scores_of(table, codes, weight), np.array(start)).tolist()
    found = naive.balanced_accuracy_of_offsets(table.tolist(), codes, weight, offsets)
    best = naive.best_of_one_offset(table.tolist(), codes, weight, start, 1)
    assert found == pytest.approx(best, abs=ROUNDING)


@settings(deadline=None, max_examples=100)
@given(problem=problems(3, 6))
def test_no_change_of_one_offset_of_three_classes_is_better(problem):
    table, codes, weight, start = problem
    table = table.tolist()
    offsets = ascend(scores_of(np.array(table), codes, weight), np.array(start)).tolist()
    found = naive.balanced_accuracy_of_offsets(table, codes, weight, offsets)
    for c in range(3):
        best = naive.best_of_one_offset(table, codes, weight, offsets, c)
        assert found == pytest.approx(best, abs=ROUNDING)
    assert found >= naive.balanced_accuracy_of_offsets(table, codes, weight, start) - ROUNDING
    assert found <= naive.best_of_all_offsets(table, codes, weight) + ROUNDING


def test_three_classes_reach_the_best_of_all_offsets():
    rng = np.random.default_rng(0)
    n_reached = 0
    for _ in range(20):
        codes = rng.permutation([0, 0, 0, 0, 0, 1, 1, 2])
        table = rng.dirichlet([1, 1, 1], 8) + 0.5 * np.eye(3)[codes] * [1, 0.5, 0.2]
        table /= table.sum(axis=1, keepdims=True)
        weight = np.ones(8)
        offsets = ascend(scores_of(table, codes, weight), np.zeros(3))
        problem = table.tolist(), codes.tolist(), weight.tolist()
        found = naive.balanced_accuracy_of_offsets(*problem, offsets.tolist())
        n_reached += found > naive.best_of_all_offsets(*problem) - ROUNDING
    assert n_reached >= 15  # coordinate ascent may stop at a lesser summit


@settings(deadline=None, max_examples=100)
@given(problem=problems(3, 12))
def test_a_metric_given_as_a_function_is_climbed_as_well(problem):
    table, codes, weight, start = problem
    scores = scores_of(table, codes, weight)

    def accuracy(predicted):
        return float(np.mean(predicted == scores.codes))

    def balanced(predicted):
        return float(scores.values() @ (predicted == scores.codes))

    exact = balanced(scores.predict(ascend(scores, np.array(start))))
    tried = balanced(scores.predict(ascend(scores, np.array(start), balanced)))
    assert tried == pytest.approx(exact, abs=ROUNDING)
    found = ascend(scores, np.array(start), accuracy)
    assert accuracy(scores.predict(found)) >= accuracy(scores.predict(np.array(start)))


def test_a_metric_given_as_a_function_never_gets_worse_among_many_rows():
    rng = np.random.default_rng(0)
    codes = rng.choice(3, p=[0.8, 0.15, 0.05], size=2000)
    table = rng.dirichlet([4, 2, 1], 2000) + np.eye(3)[codes] * 0.3
    scores = scores_of(table / table.sum(axis=1, keepdims=True), codes, np.ones(2000))
    calls = []

    def macro_f1(predicted):
        calls.append(f1_score(codes, predicted, average="macro", zero_division=0))
        return calls[-1]

    offsets = ascend(scores, np.zeros(3), macro_f1)
    assert macro_f1(scores.predict(offsets)) > calls[0]
    assert len(calls) <= 1 + 2 * 100 * 3 * 102 + 1
    assert len(few_edges(find_breakpoints(scores.log_probabilities, offsets, 0)[0])) == 101


@pytest.mark.parametrize(
    ("levels", "now", "middle"),
    [
        ([0, 1, 0, 0], 7.0, 0.5),
        ([0, 1, 1, 0], 7.0, 1.5),  # neighbours as good are one interval
        ([0, 1, 0, 1], 2.5, 4.0),  # without an end: a step beyond the last breakpoint
        ([0, 1, 0, 1], 9.0, 9.0),  # or where it is
        ([1, 0, 1, 0], -5.0, -5.0),
        ([1, 0, 1, 0], 0.4, -1.0),  # the nearer of two equally good ones
        ([1, 0, 1, 0], 0.6, 2.0),
        ([1, 1, 1, 1], 0.3, 0.3),
    ],
)
def test_the_middle_of_the_best_interval(levels, now, middle):
    edges = np.array([-np.inf, 0.0, 1.0, 3.0, np.inf])
    assert middle_of_best(edges, np.array(levels, dtype=float), now) == middle


def test_shrinkage_moves_each_class_as_far_as_it_has_samples():
    start, found = np.array([5.0, 1.0, 3.0, 2.0]), np.array([1.0, 2.0, 3.0, 9.0])
    counts = np.array([30.0, 90.0, 10.0, 0.0])
    # Against the second class, which is the largest: from 4, 0, 2, 1 to -1, 0, 1, 7.
    expected = [4 - 5 * 30 / 60, 0, 2 - 1 * 10 / 40, 1]
    np.testing.assert_allclose(shrink(found, start, counts, 30), expected, rtol=1e-14)
    np.testing.assert_allclose(shrink(found, start, counts, 0), [-1, 0, 1, 1], rtol=1e-14)
