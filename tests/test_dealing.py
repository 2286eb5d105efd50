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
    originals=st.lists(st.integers(0, 9), min_size=1, max_size=40),
    n_folds=st.integers(2, 6),
    seed=st.integers(0, 3),
)
def test_copies_go_together(originals, n_folds, seed):
    originals = np.array([10, *originals])
    X = np.column_stack([originals // 2, originals % 2]).astype(np.float32)
    y = originals % 3
    fold = deal_folds(samples_of(X, y), n_folds, np.random.default_rng(seed))
    for original in set(originals.tolist()):
        assert len(set(fold[originals == original].tolist())) == 1
    assert sorted(set(fold.tolist())) == list(range(min(n_folds, len(set(originals.tolist())))))


def test_copies_of_a_single_row_have_to_part():
    X, y = np.zeros((6, 2), dtype=np.float32), np.zeros(6, dtype=int)
    fold = deal_folds(samples_of(X, y), 3, np.random.default_rng(0))
    assert np.bincount(fold).tolist() == [2, 2, 2]


def test_rows_that_differ_in_their_labels_are_no_copies():
    X, y = np.zeros((8, 2), dtype=np.float32), np.arange(8) % 2
    fold = deal_folds(samples_of(X, y), 4, np.random.default_rng(0))
    assert len(set(fold.tolist())) == 2
    assert set(fold[y == 0].tolist()).isdisjoint(fold[y == 1].tolist())


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
