"""How an ensemble deals samples out to folds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import RandomOverSampler

from sk_crl import CRLClassifier
from sk_crl._dealing import deal_folds
from sk_crl._samples import Samples
from sk_crl._stratification import fold_codes


def samples_of(X, y, rows=None):
    rows = np.arange(len(X)) if rows is None else rows
    return Samples(X, rows, np.asarray(y)[rows].reshape(len(rows), -1), np.ones(len(rows)))


@settings(deadline=None, max_examples=60)
@given(
    copied=st.lists(st.integers(0, 7), max_size=30),
    n_others=st.integers(9, 20),
    n_folds=st.integers(2, 6),
    seed=st.integers(0, 3),
)
def test_copies_go_with_their_row(copied, n_others, n_folds, seed):
    """Rows 0 to 7 of the smaller classes are there once and more often."""
    place = np.array([*range(8), *copied, *range(8, 8 + n_others)])
    X = np.column_stack([place // 2, place % 2]).astype(np.float32)
    y = np.where(place < 8, 1 + place % 3, 0)
    fold = deal_folds(samples_of(X, y), n_folds, np.random.default_rng(seed))
    for row in range(8):
        assert len(set(fold[place == row].tolist())) == 1
    assert sorted(set(fold.tolist())) == list(range(n_folds))
    sizes = np.bincount(fold[y == 0], minlength=n_folds)
    assert sizes.max() - sizes.min() <= 2


def test_equal_rows_of_the_largest_class_are_samples_in_their_own_right():
    """Where values are few, rows of all classes are equal by chance."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 3, (80, 2)).astype(np.float32), np.repeat([0, 1], [60, 20])
    fold = deal_folds(samples_of(X, y), 4, np.random.default_rng(0))
    assert np.array_equal(fold, fold_codes(y[:, None], 4, np.random.default_rng(0)))


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
