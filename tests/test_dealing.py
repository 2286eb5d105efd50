"""How an ensemble deals samples out to folds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import RandomOverSampler

from sk_crl import CRLClassifier
from sk_crl._dealing import _find_originals, deal_folds
from sk_crl._samples import Samples
from sk_crl._stratification import fold_codes


def samples_of(X, y, rows=None):
    rows = np.arange(len(X)) if rows is None else rows
    return Samples(X, rows, np.asarray(y)[rows].reshape(len(rows), -1), np.ones(len(rows)))


@settings(deadline=None, max_examples=60)
@given(
    drawn=st.lists(st.integers(0, 7), min_size=20, max_size=40),
    n_chance=st.integers(0, 2),
    n_folds=st.integers(2, 6),
    seed=st.integers(0, 3),
)
def test_copies_go_with_their_row(drawn, n_chance, n_folds, seed):
    """Rows 0 to 7 of the smaller classes are there once and more; few of the largest are twice."""
    place = np.array([*range(8), *drawn, *(row % 8 for row in range(16)), *range(8, 40)])
    place = np.append(place, np.arange(8, 8 + n_chance))
    X = np.column_stack([place // 2, place % 2]).astype(np.float32)
    y = np.where(place < 8, 1 + place % 2, 0)
    fold = deal_folds(samples_of(X, y), n_folds, np.random.default_rng(seed))
    for row in range(8):
        assert len(set(fold[place == row].tolist())) == 1
    assert sorted(set(fold.tolist())) == list(range(n_folds))
    sizes = np.bincount(fold[y == 0], minlength=n_folds)
    assert sizes.max() - sizes.min() <= 2


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 9), names=st.permutations(range(3)))
def test_names_of_classes_do_not_matter(seed, names):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(40, 2)).astype(np.float32), np.repeat([0, 1, 2], [24, 8, 8])
    rows = np.append(np.arange(40), rng.choice(np.arange(24, 40), 30))
    samples = samples_of(X[rows], y[rows])
    renamed = samples._replace(codes=np.array(names)[samples.codes])
    originals = _find_originals(samples)
    assert np.array_equal(_find_originals(renamed), originals)
    assert np.array_equal(X[rows[originals]], X[rows])


def test_equal_rows_of_the_largest_class_are_samples_in_their_own_right():
    """Where values are few, rows of all classes are equal by chance."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 3, (80, 2)).astype(np.float32), np.repeat([0, 1], [60, 20])
    fold = deal_folds(samples_of(X, y), 4, np.random.default_rng(0))
    assert np.array_equal(fold, fold_codes(y[:, None], 4, np.random.default_rng(0)))


def test_a_class_of_equal_rows_is_spread_over_the_folds():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 2)).astype(np.float32), np.repeat([0, 1, 2], [50, 30, 10])
    X[y == 2] = 0
    fold = deal_folds(samples_of(X, y), 5, np.random.default_rng(0))
    assert np.bincount(fold[y == 2]).tolist() == [2] * 5


def test_rows_that_differ_in_their_labels_are_no_copies():
    X = np.repeat(np.arange(4, dtype=np.float32)[:, None], 2, axis=0)
    y = np.tile([0, 1], 4)
    fold = deal_folds(samples_of(X, y), 4, np.random.default_rng(0))
    assert np.array_equal(fold, fold_codes(y[:, None], 4, np.random.default_rng(0)))


@pytest.mark.parametrize("shape", [(30, 2), (30, 2, 1)], ids=str)
def test_without_copies_of_rows_folds_are_stratified_as_ever(shape):
    X = np.arange(60, dtype=np.float32).reshape(shape)
    rows, y = np.arange(29, 3, -1), np.arange(30) % 4
    if len(shape) == 3:  # images are not compared
        X[:] = 0
    fold = deal_folds(samples_of(X, y, rows), 5, np.random.default_rng(0))
    expected = fold_codes(y[rows, None], 5, np.random.default_rng(0))
    assert np.array_equal(fold, expected)


def test_over_sampled_noise_is_not_mistaken_for_signal():
    """Networks know copies of their own rows by heart: out of fold these must not count."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 5)), (np.arange(200) % 8 == 0).astype(int)
    model = CRLClassifier(n_members=4, max_epochs=30, random_state=0)
    model.fit(*RandomOverSampler(random_state=0).fit_resample(X, y))
    assert model.best_validation_score_ < -0.65  # chance is -0.693, and what copies tell -0.17
