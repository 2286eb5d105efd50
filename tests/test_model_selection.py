"""Splits that keep the classes of several targets in proportion."""

import warnings

import numpy as np
import pytest
import sklearn
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.multioutput import MultiOutputClassifier

from sk_crl._stratification import fold_codes, split_codes
from sk_crl.model_selection import MultiOutputStratifiedKFold, MultiOutputStratifiedShuffleSplit

FEW = r"Classes with fewer samples than n_splits"
SPLITTERS = [
    MultiOutputStratifiedKFold(3, shuffle=True, random_state=0),
    MultiOutputStratifiedShuffleSplit(3, random_state=0),
]


def members(codes):
    """For every class of every target that occurs, the mask of its rows."""
    return [column == label for column in codes.T for label in np.unique(column[column >= 0])]


def class_counts(codes, parts):
    """Samples of every class (rows) in every part (columns)."""
    return np.array([[mask[part].sum() for part in parts] for mask in members(codes)])


def quiet_split(cv, Y):
    """The splits of labels that may be too few for a warning to matter."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", FEW)
        return list(cv.split(np.empty(len(Y)), Y))


@st.composite
def codes_of(draw, max_targets=3, missing=True):
    """Class codes of few rows, with rare classes and missing labels."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_samples, n_targets = draw(st.integers(4, 60)), draw(st.integers(1, max_targets))
    columns = []
    for _ in range(n_targets):
        n_classes = draw(st.integers(1, 8))
        shares = rng.dirichlet(np.full(n_classes, 0.5))
        columns.append(rng.choice(n_classes, size=n_samples, p=shares))
    codes = np.column_stack(columns)
    if missing and draw(st.booleans()):
        codes[rng.random(codes.shape) < 0.3] = -1
    return codes


@pytest.fixture
def labels():
    """240 samples of three targets that depend on each other, with rare classes and holes."""
    rng = np.random.default_rng(0)
    codes = np.column_stack([rng.choice(4, size=240, p=[0.6, 0.25, 0.1, 0.05]) for _ in range(3)])
    codes[:, 2] = (codes[:, 0] + codes[:, 1]) // 2
    codes[rng.random(codes.shape) < 0.1] = -1
    return codes


# ---------------------------------------------------------------------------- folds


@given(codes_of(), st.integers(2, 6), st.booleans())
@settings(max_examples=60, deadline=None)
def test_folds_partition_the_rows_evenly(codes, n_splits, shuffle):
    codes[0, 0] = 0  # at least one label
    n_splits = min(n_splits, len(codes))
    cv = MultiOutputStratifiedKFold(n_splits, shuffle=shuffle)
    splits = quiet_split(cv, np.where(codes < 0, np.nan, codes))
    assert len(splits) == n_splits
    tests = np.concatenate([test for _, test in splits])
    assert sorted(tests) == list(range(len(codes)))
    sizes = [len(test) for _, test in splits]
    assert max(sizes) - min(sizes) <= 1
    for train, test in splits:
        assert sorted([*train, *test]) == list(range(len(codes)))
        assert (np.diff(train) > 0).all()
        assert (np.diff(test) > 0).all()


@given(codes_of(max_targets=1, missing=False), st.integers(2, 6), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_one_target_is_spread_as_by_scikit_learn(codes, n_splits, shuffle, as_column):
    y = codes[:, 0]
    assume(np.bincount(y).max() >= n_splits)  # less is an error for scikit-learn
    cv = MultiOutputStratifiedKFold(n_splits, shuffle=shuffle)
    ours = quiet_split(cv, codes if as_column else y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        theirs = list(StratifiedKFold(n_splits).split(y, y))
    counts, expected = (class_counts(codes, [test for _, test in s]) for s in (ours, theirs))
    np.testing.assert_array_equal(np.sort(counts, axis=1), np.sort(expected, axis=1))
    assert sorted(len(test) for _, test in ours) == sorted(len(test) for _, test in theirs)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_order_of_rows_targets_and_classes_does_not_matter_to_evenness(seed):
    rng = np.random.default_rng(seed)
    codes = np.random.default_rng(0).choice(3, size=(300, 3), p=[0.7, 0.2, 0.1])
    codes = codes[rng.permutation(300)][:, rng.permutation(3)]
    codes = np.column_stack([rng.permutation(3)[column] for column in codes.T])
    folds = fold_codes(codes, 5)
    counts = class_counts(codes, [folds == fold for fold in range(5)])
    assert np.ptp(counts, axis=1).max() <= 2
    # The bar is one that folds of chance do not meet.
    chance = [test for _, test in KFold(5).split(codes)]
    assert np.ptp(class_counts(codes, chance), axis=1).max() > 4


def test_rare_classes_are_spread_over_folds():
    rng = np.random.default_rng(0)
    codes = np.zeros((200, 3), dtype=np.int64)
    for target in range(3):
        rare = rng.choice(200, size=9, replace=False)
        codes[rare, target] = np.repeat([1, 2, 3], [2, 3, 4])
    for seed in range(20):
        folds = fold_codes(codes, 5, np.random.default_rng(seed))
        counts = class_counts(codes, [folds == fold for fold in range(5)])
        assert (counts[counts.sum(axis=1) <= 4] <= 1).all()


def test_missing_labels_take_no_part_and_their_rows_do():
    # All labels of the second target stand in the first half, and none in the second.
    codes = np.zeros((120, 2), dtype=np.int64)
    codes[::3, 0] = 1
    codes[:60, 1] = np.arange(60) % 2
    codes[60:, 1] = -1
    codes[110:] = -1
    folds = fold_codes(codes, 4)
    counts = class_counts(codes, [folds == fold for fold in range(4)])
    assert np.ptp(counts, axis=1).max() <= 1
    assert np.bincount(folds).tolist() == [30] * 4


def test_a_target_without_labels_takes_no_part(labels):
    with_empty = np.column_stack([labels, np.full(len(labels), -1)])
    np.testing.assert_array_equal(fold_codes(with_empty, 5), fold_codes(labels, 5))


def test_as_many_folds_as_samples():
    codes = np.array([[0], [0], [1], [1], [1]])
    assert sorted(fold_codes(codes, 5)) == [0, 1, 2, 3, 4]


def test_folds_without_shuffle_keep_the_order_of_alike_samples():
    codes = np.array([[0]] * 10 + [[1]])
    assert fold_codes(codes, 5).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 0]


def test_with_shuffle_any_fold_may_be_the_larger_one():
    codes = np.zeros((11, 1), dtype=np.int64)
    larger = [
        np.bincount(fold_codes(codes, 5, np.random.default_rng(i))).argmax() for i in range(50)
    ]
    assert set(larger) == {0, 1, 2, 3, 4}


# ---------------------------------------------------------------------------- random splits


@given(codes_of(), st.data())
@settings(max_examples=100, deadline=None)
def test_training_part_holds_every_class(codes, data):
    n_samples = len(codes)
    n_test = data.draw(st.integers(1, n_samples - 1))
    n_train = data.draw(st.integers(1, n_samples - n_test))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    train, test = split_codes(codes, n_test, rng, n_train)
    assert (len(train), len(test)) == (n_train, n_test)
    assert not set(train) & set(test)
    assert {*train, *test} <= set(range(n_samples))
    for part in (train, test):
        assert (np.diff(part) > 0).all()
    counts = class_counts(codes, [train])
    if n_train >= len(counts):
        assert counts.all()


@given(codes_of(max_targets=1), st.data())
@settings(max_examples=100, deadline=None)
def test_test_part_holds_every_class_of_two(codes, data):
    n_classes = len(members(codes))
    assume(n_classes and len(codes) >= 2 * n_classes)
    n_test = data.draw(st.integers(n_classes, len(codes) - n_classes))
    train, test = split_codes(codes, n_test, np.random.default_rng(0))
    counts = class_counts(codes, [train, test])
    assert counts[:, 0].all()
    assert counts[counts.sum(axis=1) >= 2, 1].all()
    assert not counts[counts.sum(axis=1) == 1, 1].any()


def test_test_part_holds_classes_that_only_a_clever_choice_leaves_it():
    # a: rows 0, 1; b: rows 2, 3; c: rows 0, 2 - which must not both be trained on, or tested on.
    codes = np.array([[0, 2], [0, 3], [1, 2], [1, 3]])
    for seed in range(30):
        train, test = split_codes(codes, 2, np.random.default_rng(seed))
        assert class_counts(codes, [train, test]).tolist() == [[1, 1]] * 4


def test_samples_nobody_asked_for_do_not_cost_a_part_its_classes():
    codes = np.repeat([0, 1, 2], [96, 3, 1])[:, None]
    for seed in range(20):
        train, test = split_codes(codes, 10, np.random.default_rng(seed), n_train=10)
        counts = class_counts(codes, [train, test])
        assert counts[:, 0].all()
        assert counts[:2, 1].all()
        assert counts[2, 1] == 0


@pytest.mark.parametrize("test_share", [0.1, 0.3, 0.5, 0.8])
def test_classes_are_in_proportion(labels, test_share):
    n_test = round(test_share * len(labels))
    deviations = []
    for seed in range(5):
        _, test = split_codes(labels, n_test, np.random.default_rng(seed))
        total = np.array([mask.sum() for mask in members(labels)])
        deviations.append(abs(class_counts(labels, [test])[:, 0] - test_share * total))
    assert np.max(deviations) < 2
    assert np.mean(deviations) < 0.5


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({}, (216, 24)),
        ({"test_size": 0.25}, (180, 60)),
        ({"test_size": 50}, (190, 50)),
        ({"train_size": 0.5}, (120, 120)),
        ({"train_size": 200}, (200, 40)),
        ({"test_size": 30, "train_size": 0.5}, (120, 30)),
        ({"test_size": 0.101}, (215, 25)),
    ],
)
def test_sizes_are_those_asked(labels, sizes, expected):
    cv = MultiOutputStratifiedShuffleSplit(3, random_state=0, missing_label=-1, **sizes)
    splits = list(cv.split(labels, labels))
    assert len(splits) == cv.get_n_splits() == 3
    assert [(len(train), len(test)) for train, test in splits] == [expected] * 3


def test_splits_of_one_seed_differ_from_each_other(labels):
    cv = MultiOutputStratifiedShuffleSplit(2, random_state=0, missing_label=-1)
    (_, first), (_, second) = cv.split(labels, labels)
    assert set(first) != set(second)


@pytest.mark.parametrize(
    ("n_test", "n_train"), [(0, None), (4, None), (5, None), (2, 3), (-1, None), (2, 0)]
)
def test_split_codes_refuses_sizes_that_do_not_fit(n_test, n_train):
    with pytest.raises(ValueError, match="4 rows cannot be split into"):
        split_codes(np.zeros((4, 1), dtype=np.int64), n_test, np.random.default_rng(0), n_train)


def test_codes_stay_as_they_are(labels):
    before = labels.copy()
    labels.flags.writeable = False
    fold_codes(labels, 3, np.random.default_rng(0))
    split_codes(labels, 30, np.random.default_rng(0))
    np.testing.assert_array_equal(labels, before)


def test_more_classes_than_16_bits_count():
    codes = np.repeat(np.arange(70_000), 2)[:, None]
    folds = fold_codes(codes, 2)
    np.testing.assert_array_equal(folds.reshape(-1, 2).sum(axis=1), np.ones(70_000))


def test_many_rare_classes_in_many_rows():
    # More than the search for swaps, which is bounded, would find one by one.
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.append(np.zeros(99_100, dtype=np.int64), np.arange(900) % 300 + 1))
    train, test = split_codes(codes[:, None], 2_000, rng)
    assert set(codes[train]) == set(codes[test]) == set(range(301))


# ---------------------------------------------------------------------------- containers


def _pandas(codes):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(codes, columns=["a", "b", "c"]).astype("Int64").mask(codes < 0)


def _pandas_mixed(codes):
    pandas = pytest.importorskip("pandas")
    names = np.array(["w", "x", "y", "z", None], dtype=object)
    data = {"a": names[codes[:, 0]], "b": np.where(codes[:, 1] < 0, np.nan, codes[:, 1])}
    return pandas.DataFrame(data | {"c": pandas.Categorical(names[codes[:, 2]])})


def _polars(codes):
    polars = pytest.importorskip("polars")
    rows = [[None if code < 0 else code for code in row] for row in codes.tolist()]
    return polars.DataFrame(rows, schema=["a", "b", "c"], orient="row")


def _objects(codes):
    array = codes.astype(object)
    array[:, 0] = np.array(["w", "x", "y", "z", None], dtype=object)[codes[:, 0]]
    array[:, 1:][codes[:, 1:] < 0] = None
    return array


CONTAINERS = {
    "float array": lambda codes: np.where(codes < 0, np.nan, codes),
    "list": lambda codes: [[None if c < 0 else c for c in row] for row in codes.tolist()],
    "mixed objects": _objects,
    "pandas": _pandas,
    "pandas, mixed": _pandas_mixed,
    "polars": _polars,
}


@pytest.mark.parametrize("cv", SPLITTERS)
@pytest.mark.parametrize("container", CONTAINERS)
def test_containers_hold_the_same_labels(cv, container, labels):
    Y = CONTAINERS[container](labels)
    marked = type(cv)(3, random_state=0, missing_label=-1, **_shuffled(cv))
    expected = list(marked.split(labels, labels))
    for (train, test), (train_0, test_0) in zip(cv.split(labels, Y), expected, strict=True):
        np.testing.assert_array_equal(train, train_0)
        np.testing.assert_array_equal(test, test_0)


def _shuffled(cv):
    return {"shuffle": True} if isinstance(cv, MultiOutputStratifiedKFold) else {}


@pytest.mark.parametrize("cv", SPLITTERS)
def test_sparse_indicators(cv):
    Y = np.random.default_rng(0).integers(0, 2, size=(40, 3))
    dense, sparse_ = (list(cv.split(Y, y)) for y in (Y, sparse.csr_array(Y)))
    for (_, test), (_, expected) in zip(sparse_, dense, strict=True):
        np.testing.assert_array_equal(test, expected)


def test_missing_label_is_a_class_unless_it_is_named():
    y = np.repeat(["a", "b", "?"], [8, 8, 1])
    with pytest.warns(UserWarning, match=r"'\?' of y \(1\)"):
        MultiOutputStratifiedKFold(2).split(y, y)
    MultiOutputStratifiedKFold(2, missing_label="?").split(y, y)  # no warning


# ---------------------------------------------------------------------------- with scikit-learn


@pytest.fixture
def problem():
    """80 samples of two targets to predict."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    return X, np.column_stack([X[:, 0] > 0, (X[:, 1:] > 1).sum(axis=1)]).astype(int)


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("cv", SPLITTERS)
def test_cross_validation(cv, routing, problem):
    X, Y = problem
    model = MultiOutputClassifier(LogisticRegression())
    with sklearn.config_context(enable_metadata_routing=routing):
        scores = cross_val_score(model, X, Y, cv=cv)
        result = cross_validate(model, X, Y, cv=cv, return_indices=True)
        search = GridSearchCV(model, {"estimator__C": [0.01, 10]}, cv=cv).fit(X, Y)
    expected = [model.fit(X[a], Y[a]).score(X[b], Y[b]) for a, b in cv.split(X, Y)]
    np.testing.assert_allclose(scores, expected)
    np.testing.assert_allclose(result["test_score"], expected)
    for found, (_, test) in zip(result["indices"]["test"], cv.split(X, Y), strict=True):
        np.testing.assert_array_equal(found, test)
    assert search.n_splits_ == 3
    assert search.best_params_ == {"estimator__C": 10}


def test_metadata_reach_the_model_past_the_splitter(problem):
    X, Y = problem
    weight = np.ones(80)
    cv = SPLITTERS[0]
    with sklearn.config_context(enable_metadata_routing=True):
        inner = LogisticRegression().set_fit_request(sample_weight=True)
        model = MultiOutputClassifier(inner)
        search = GridSearchCV(model, {"estimator__C": [1]}, cv=cv).fit(X, Y, sample_weight=weight)
        assert search.n_splits_ == 3
        with pytest.raises(TypeError, match="groups"):
            GridSearchCV(model, {"estimator__C": [1]}, cv=cv).fit(X, Y, groups=weight)
    assert not hasattr(cv, "set_split_request")


def test_cross_val_predict_predicts_every_sample(problem):
    X, Y = problem
    model = MultiOutputClassifier(LogisticRegression())
    assert cross_val_predict(model, X, Y, cv=SPLITTERS[0]).shape == Y.shape
    with pytest.raises(ValueError, match="only works for partitions"):
        cross_val_predict(model, X, Y, cv=SPLITTERS[1])


@pytest.mark.parametrize(
    ("cv", "parameters"),
    [
        (SPLITTERS[0], "missing_label=None, n_splits=3, random_state=0, shuffle=True"),
        (
            MultiOutputStratifiedShuffleSplit(test_size=0.2, missing_label="?"),
            "missing_label='?', n_splits=10, random_state=None, test_size=0.2, train_size=None",
        ),
    ],
)
def test_repr_shows_all_parameters(cv, parameters):
    assert " ".join(repr(cv).split()) == f"{type(cv).__name__}({parameters})"


# ---------------------------------------------------------------------------- determinism


@pytest.mark.parametrize("cv", [*SPLITTERS, MultiOutputStratifiedKFold(3)])
def test_every_call_splits_alike(cv, labels):
    Y = np.where(labels < 0, np.nan, labels)
    for (_, one), (_, other) in zip(cv.split(Y, Y), cv.split(Y, Y), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
@pytest.mark.parametrize("cv", SPLITTERS)
def test_a_generator_goes_on_from_call_to_call(cv, make, labels):
    def tests_of(random_state, calls):
        cv_ = type(cv)(3, random_state=random_state, missing_label=-1, **_shuffled(cv))
        return [[t.tolist() for _, t in cv_.split(labels, labels)] for _ in range(calls)]

    first, second = tests_of(make(0), 2)
    assert first != second
    assert tests_of(make(0), 2) == [first, second]


def test_without_a_seed_calls_differ(labels):
    for cv in (
        MultiOutputStratifiedKFold(shuffle=True, missing_label=-1),
        MultiOutputStratifiedShuffleSplit(1, missing_label=-1),
    ):
        one, other = (next(iter(cv.split(labels, labels)))[1].tolist() for _ in range(2))
        assert one != other


@pytest.mark.usefixtures("untouched_generators")
@pytest.mark.parametrize("random_state", [None, 3, np.random.RandomState(0)])
def test_global_generators_are_left_alone(random_state, labels):
    for cls, settings_ in (
        (MultiOutputStratifiedKFold, {"shuffle": True}),
        (MultiOutputStratifiedShuffleSplit, {}),
    ):
        cv = cls(3, random_state=random_state, missing_label=-1, **settings_)
        assert len(list(cv.split(labels, labels))) == 3


# ---------------------------------------------------------------------------- errors and warnings


@pytest.mark.parametrize("cls", [MultiOutputStratifiedKFold, MultiOutputStratifiedShuffleSplit])
@pytest.mark.parametrize("n_splits", [0, -3, 2.0, "5", True, None])
def test_number_of_splits_must_be_a_positive_integer(cls, n_splits):
    with pytest.raises(ValueError, match=r"n_splits must be an integer of at least \d; got"):
        cls(n_splits)


def test_a_single_fold_is_none():
    with pytest.raises(ValueError, match="n_splits must be an integer of at least 2; got 1"):
        MultiOutputStratifiedKFold(1)


def test_settings_of_folds_are_checked():
    with pytest.raises(ValueError, match="shuffle must be True or False; got 1"):
        MultiOutputStratifiedKFold(shuffle=1)
    with pytest.raises(ValueError, match="random_state=0 has no effect without shuffle"):
        MultiOutputStratifiedKFold(random_state=0)


def test_more_folds_than_samples():
    with pytest.raises(ValueError, match=r"n_splits=5 must not be greater .*; got 4 samples"):
        MultiOutputStratifiedKFold(5).split(np.zeros(4), [0, 1, 0, 1])


@pytest.mark.parametrize("cv", SPLITTERS)
def test_errors_come_with_the_call_of_split(cv):
    X = np.zeros(6)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        cv.split(X, [0, 1, 0, 1])
    with pytest.raises(ValueError, match="y is None"):
        cv.split(X, None)
    with pytest.raises(ValueError, match="y must hold labels to stratify by; got 6 samples"):
        cv.split(X, np.full((6, 2), np.nan))
    with pytest.raises(ValueError, match="target 1"):
        cv.split(X, np.column_stack([np.zeros(6), np.linspace(0, 1, 6)]))
    unseeded = type(cv)(3, random_state="0", **_shuffled(cv))
    with pytest.raises(ValueError, match="random_state must be"):
        unseeded.split(X, [0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"test_size": 20}, "test_size=20 should be either positive and smaller"),
        ({"test_size": 1.5}, "test_size=1.5 should be"),
        ({"train_size": 0}, "train_size=0 should be"),
        ({"test_size": 0.7, "train_size": 0.7}, "The sum of test_size and train_size"),
        ({"test_size": 15, "train_size": 15}, "The sum of train_size and test_size"),
        ({"train_size": 0.01}, "resulting train set will be empty"),
        ({"test_size": "a"}, "Invalid value for test_size"),
    ],
)
def test_sizes_out_of_range(sizes, message):
    cv = MultiOutputStratifiedShuffleSplit(random_state=0, **sizes)
    y = np.arange(20) % 2
    with pytest.raises(ValueError, match=message):
        cv.split(y, y)


@pytest.mark.parametrize("cv", SPLITTERS)
def test_groups_are_ignored_with_a_warning(cv):
    y = np.arange(20) % 2
    with pytest.warns(UserWarning, match=f"groups parameter is ignored by {type(cv).__name__}"):
        splits = cv.split(y, y, groups=y)
    for (_, test), (_, expected) in zip(splits, cv.split(y, y), strict=True):
        np.testing.assert_array_equal(test, expected)


def test_one_warning_names_all_classes_that_are_too_rare():
    Y = [["a", 0]] * 10 + [["b", 1]] * 2 + [["a", None]] * 3 + [["c", 1]]
    with pytest.warns(UserWarning, match=FEW) as caught:
        MultiOutputStratifiedKFold(4).split(Y, Y)
    assert [str(w.message) for w in caught] == [
        "Classes with fewer samples than n_splits=4 are missing from some test folds, and one with "
        "a single sample from the training part of its fold: 'b' of target 0 (2), 'c' of target 0 "
        "(1), 1 of target 1 (3)."
    ]
    assert caught[0].filename == __file__


def test_a_warning_of_many_classes_stays_short():
    y = np.concatenate([np.zeros(60, dtype=int), np.arange(1, 31)])
    with pytest.warns(UserWarning, match=r"1 of y \(1\), .*10 of y \(1\), \.\.\. 30 in all"):
        MultiOutputStratifiedKFold(4).split(y, y)


def test_random_splits_do_not_warn_of_rare_classes():
    y = np.repeat([0, 1, 2], [20, 2, 1])
    ((train, test),) = MultiOutputStratifiedShuffleSplit(1, random_state=0).split(y, y)
    assert set(y[train]) == {0, 1, 2}
    assert set(y[test]) == {0, 1}


# ---------------------------------------------------------------------------- real data


@pytest.mark.parametrize(
    ("path", "even"),
    [
        ("multioutput/mo_thyroid_l7.npz", 0.8),
        ("multioutput/ml_yeast.npz", 0.8),
        ("images/fashion_products_32.npz", 0.95),
    ],
)
def test_real_labels(data_folder, path, even):
    codes = np.load(data_folder / path)["Y"].astype(np.int64)
    total = np.array([mask.sum() for mask in members(codes)])
    cv = MultiOutputStratifiedKFold(shuffle=True, random_state=0, missing_label=-1)
    counts = class_counts(codes, [test for _, test in quiet_split(cv, codes)])
    spread = np.ptp(counts, axis=1)
    assert (spread <= 1).mean() >= even
    assert spread.max() <= 5
    assert (counts[total >= 2].max(axis=1) < total[total >= 2]).all(), "a training part lacks one"

    cv = MultiOutputStratifiedShuffleSplit(2, random_state=0, missing_label=-1)
    for train, test in cv.split(codes, codes):
        assert len(test) == np.ceil(len(codes) / 10)
        counts = class_counts(codes, [train, test])
        assert counts[:, 0].all()
        assert counts[total >= 2, 1].all()
        wanted = np.maximum(total / 10, total >= 2)
        assert (abs(counts[:, 1] - wanted) <= 3).all()
