"""Networks that train on sampled data: what is sampled, when, and what stays as it was."""

import pickle
import sys
import warnings

import naive
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from ids import steady
from imblearn.combine import SMOTEENN, SMOTETomek
from imblearn.over_sampling import (
    ADASYN,
    SMOTE,
    BorderlineSMOTE,
    RandomOverSampler,
)
from imblearn.pipeline import make_pipeline as make_imblearn_pipeline
from imblearn.under_sampling import (
    ClusterCentroids,
    EditedNearestNeighbours,
    NearMiss,
    RandomUnderSampler,
    TomekLinks,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NearestNeighbors
from test_classifier import Recorder, assert_same_weights, recorded
from torch import nn
from torch.utils.data import Dataset

from sk_crl import CRLClassifier, MultiOutputCRLClassifier
from sk_crl._samples import Samples
from sk_crl.baselines import MultiOutputResampledClassifier, ResampledClassifier
from sk_crl.baselines._evening import LEAST_PULL, _Evening, even_out
from sk_crl.baselines._sampling import sample_one_target

FAST = {"max_epochs": 2, "batch_size": 32, "random_state": 0, "device": "cpu"}


def resampled(sampler="over", **parameters):
    return ResampledClassifier(sampler=sampler, **FAST | {"module__hidden_units": 8} | parameters)


def several(sampler="over", **parameters):
    hidden = {"module__hidden_units": 8}
    return MultiOutputResampledClassifier(sampler=sampler, **FAST | hidden | parameters)


def trained_and_validated(model):
    """The data that a fit with a Recorder trained on and validated on."""
    return recorded(model).data_[0]


def sample(X, y, sampler, weight=None, seed=0):
    """Sample rows of coded labels as a fit would."""
    y = np.asarray(y)
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=float)
    classes = np.arange(y.max() + 1)
    samples = Samples(X, np.arange(len(y)), y[:, None], weight)
    return sample_one_target(samples, sampler, classes, "y", seed, "ResampledClassifier")


def counted(*sizes):
    """Rows of 2 features, as far apart as their classes, and their labels."""
    y = np.repeat(np.arange(len(sizes)), sizes)
    X = np.random.default_rng(0).normal(size=(len(y), 2)) + 5 * y[:, None]
    return X.astype(np.float32), y


# --------------------------------------------------------------------------------------- one target


@given(st.lists(st.integers(1, 30), min_size=2, max_size=5), st.integers(0, 2**31 - 1))
def test_over_replicates_to_the_largest_class_and_loses_no_row(sizes, seed):
    X, y = counted(*sizes)
    sampled = sample(X, y, "over", seed=seed)
    assert np.bincount(sampled.codes[:, 0]).tolist() == [max(sizes)] * len(sizes)
    assert sampled.X is X
    assert set(sampled.rows) == set(range(len(y)))
    assert_array_equal(sampled.codes[:, 0], y[sampled.rows])


@given(st.lists(st.integers(1, 30), min_size=2, max_size=5), st.integers(0, 2**31 - 1))
def test_down_keeps_a_subset_as_large_as_the_smallest_class(sizes, seed):
    X, y = counted(*sizes)
    sampled = sample(X, y, "down", seed=seed)
    assert np.bincount(sampled.codes[:, 0]).tolist() == [min(sizes)] * len(sizes)
    assert sampled.X is X
    assert len(set(sampled.rows)) == len(sampled.rows)
    assert_array_equal(sampled.codes[:, 0], y[sampled.rows])


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(26)))
def test_counts_do_not_depend_on_the_order_of_rows(order):
    X, y = counted(17, 6, 3)
    for sampler in ["over", "down", "smote"]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            one = sample(X, y, sampler)
            other = sample(X[list(order)], y[list(order)], sampler)
        assert_array_equal(np.bincount(one.codes[:, 0]), np.bincount(other.codes[:, 0]))


def test_smote_adds_rows_between_neighbours_of_a_class():
    X, y = counted(40, 12)
    sampled = sample(X, y, "smote")
    assert_array_equal(sampled.X[:52], X)
    new = sampled.X[52:]
    assert_array_equal(sampled.codes[52:, 0], np.ones(28))
    ours = X[y == 1]
    # On a line between two rows, distances to both add up to theirs.
    legs = np.linalg.norm(new[:, None] - ours, axis=2)
    whole = np.linalg.norm(ours[:, None] - ours, axis=2)
    detour = legs[:, :, None] + legs[:, None, :] - whole
    assert detour.min(axis=(1, 2)).max() < 1e-5
    assert not (new[:, None] == X).all(axis=2).any()


SAMPLERS = [
    RandomOverSampler(random_state=3),
    RandomOverSampler(random_state=3, shrinkage=0.5),
    RandomUnderSampler(random_state=3),
    SMOTE(random_state=3),
    BorderlineSMOTE(random_state=3),
    ADASYN(random_state=3),
    SMOTEENN(random_state=3),
    SMOTETomek(random_state=3),
    NearMiss(),
    TomekLinks(),
    EditedNearestNeighbours(),
    ClusterCentroids(random_state=3),
    make_imblearn_pipeline(TomekLinks(), SMOTE(random_state=3)),
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=steady)
def test_any_sampler_makes_what_it_makes_by_itself(sampler):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [60, 25, 15])
    X = (rng.normal(size=(100, 3)) + y[:, None]).astype(np.float32)  # classes overlap
    before = repr(sampler), {k: v for k, v in vars(sampler).items() if k.endswith("_")}
    sampled = sample(X, y, sampler)
    expected_X, expected_y = clone(sampler).fit_resample(X, y)
    assert_array_equal(sampled.X[sampled.rows], expected_X.astype(np.float32))
    assert_array_equal(sampled.codes[:, 0], expected_y)
    assert (repr(sampler), {k: v for k, v in vars(sampler).items() if k.endswith("_")}) == before


@pytest.mark.parametrize(
    "sampler", [NearMiss(), TomekLinks(), EditedNearestNeighbours()], ids=steady
)
def test_samplers_that_choose_go_by_index(sampler):
    X, y = counted(30, 12)
    sampled = sample(X, y, sampler, weight=np.arange(1, 43))
    assert sampled.X is X
    assert_array_equal(sampled.weight, sampled.rows + 1)


def test_smoothed_copies_are_new_rows():
    X, y = counted(30, 12)
    sampled = sample(X, y, RandomOverSampler(shrinkage=0.5))
    assert not (sampled.X[42:, None] == X).all(axis=2).any()


# --------------------------------------------------------------------------- classes of a few rows


def test_small_classes_get_fewer_neighbours_and_single_rows_are_copied_with_one_warning():
    X, y = counted(20, 8, 3, 1)
    sampler = SMOTE()
    with pytest.warns(UserWarning, match="needs more neighbours") as caught:
        sampled = sample(X, y, sampler)
    (warning,) = caught
    assert str(warning.message) == (
        "SMOTE needs more neighbours than there are: k_neighbors is lowered from 5 to 2 in this "
        "fit, for y has 31 rows, 3 of them of class 2; classes [3] of y have a single row each, "
        "which is copied rather than interpolated."
    )
    assert np.bincount(sampled.codes[:, 0]).tolist() == [20] * 4
    assert_array_equal(sampled.X[sampled.codes[:, 0] == 3], np.repeat(X[-1:], 20, axis=0))
    assert sampler.k_neighbors == 5
    fewer = SMOTE(k_neighbors=2, random_state=0).fit_resample(X[:-1], y[:-1])
    assert_array_equal(sampled.X[: len(fewer[0])], fewer[0])


@pytest.mark.parametrize(
    ("sampler", "lowered"),
    [
        (SMOTE(k_neighbors=NearestNeighbors(n_neighbors=6)), "k_neighbors is lowered from 6 to 4"),
        (BorderlineSMOTE(), "k_neighbors is lowered from 5 to 3"),
        (BorderlineSMOTE(k_neighbors=2, m_neighbors=30), "m_neighbors is lowered from 30 to 23"),
        (ADASYN(), "n_neighbors is lowered from 5 to 3"),
        (NearMiss(n_neighbors=5), "n_neighbors is lowered from 5 to 4"),
        (SMOTEENN(), "k_neighbors is lowered from 5 to 3"),
        (SMOTETomek(smote=SMOTE(k_neighbors=9)), "k_neighbors is lowered from 9 to 3"),
        (EditedNearestNeighbours(n_neighbors=30), "n_neighbors is lowered from 30 to 23"),
    ],
    ids=steady,
)
def test_every_sampler_gets_as_many_neighbours_as_there_are(sampler, lowered):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(24, 2)).astype(np.float32), np.repeat([0, 1], [20, 4])
    parameters = repr(sampler.get_params())
    with pytest.warns(UserWarning, match=lowered) as caught:
        sample(X, y, sampler)
    assert len(caught) == 1
    assert repr(sampler.get_params()) == parameters


@pytest.mark.parametrize("sampler", [SMOTE(k_neighbors=3), ADASYN(n_neighbors=3), NearMiss()])
def test_as_many_neighbours_as_there_are_warn_of_nothing(sampler):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(24, 2)).astype(np.float32), np.repeat([0, 1], [20, 4])
    assert len(sample(X, y, sampler).codes) != len(y)


def test_classes_that_are_not_sampled_do_not_lower_neighbours():
    X, y = counted(20, 8, 3, 1)
    sampled = sample(X, y, SMOTE(sampling_strategy={1: 15}))
    assert np.bincount(sampled.codes[:, 0]).tolist() == [20, 15, 3, 1]


def test_single_rows_on_disk_are_read_as_they_are(tmp_path):
    X, y = counted(20, 8, 1)
    np.save(tmp_path / "X.npy", (100 * X).astype(np.int64))
    with pytest.warns(UserWarning, match="single row"):
        sampled = sample(np.load(tmp_path / "X.npy", mmap_mode="r"), y, "smote")
    assert sampled.X.dtype == np.float32
    assert_array_equal(sampled.X[-20:], np.repeat((100 * X[-1:]).astype(np.int64), 20, axis=0))


def test_single_rows_beside_one_class_are_copied():
    X, y = counted(6, 1)
    with pytest.warns(UserWarning, match=r"classes \[1\] of y have a single row each"):
        sampled = sample(X, y, "smote")
    assert np.bincount(sampled.codes[:, 0]).tolist() == [6, 6]


def test_warning_names_the_line_that_fits():
    X, y = counted(20, 3)
    with pytest.warns(UserWarning, match="needs more neighbours") as caught:
        resampled("smote").fit(X, y)
    assert caught[0].filename == __file__


def test_a_class_that_a_sampler_leaves_nothing_of_is_told():
    X, y = counted(20, 20, 3)
    X[y == 2] = X[:3]  # its neighbours are of another class
    sampler = EditedNearestNeighbours(sampling_strategy=[2])
    with pytest.warns(UserWarning, match=r"left no sample of classes \[2\] of y: ") as caught:
        model = resampled(sampler).fit(X, y)
    assert caught[0].filename == __file__
    assert model.class_counts_[2] == 0 < model.class_counts_[:2].min()
    assert model.classes_.tolist() == [0, 1, 2]


def test_a_sampler_that_leaves_nothing_is_refused():
    X, y = counted(20, 20)
    X[:] = np.random.default_rng(0).permutation(X)
    sampler = EditedNearestNeighbours(sampling_strategy="all")
    with pytest.raises(ValueError, match=r"must leave samples to train on; Edited.* left none"):
        resampled(sampler).fit(X, y)


@pytest.mark.parametrize("logit_adjustment", [None, "predict"])
def test_the_prior_before_sampling_is_not_known(logit_adjustment):
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.repeat([0, 1], [30, 10])
    model = ResampledClassifier(target_prior="training", logit_adjustment=logit_adjustment)
    with pytest.raises(ValueError, match="target_prior"):
        model.fit(X, y)


# ---------------------------------------------------------------------------------- several targets


def coded(most_targets=4):
    """Class codes of several targets, with missing ones, every row with a label."""
    shape = st.tuples(st.integers(2, 40), st.integers(2, most_targets))
    codes = shape.flatmap(lambda s: arrays(np.int64, s, elements=st.integers(-1, 3)))
    return codes.filter(lambda c: (c >= 0).any(axis=1).all())


def unevenness(codes):
    return naive.unevenness(codes.tolist())


def bound(codes, step):
    """The size that sampling for the target that needs it most leads to."""
    counts = [np.bincount(column[column >= 0]) for column in codes.T]
    counts = [n[n > 0] for n in counts if n.any()]
    if step > 0:
        return max(len(codes), max(len(n) * n.max() for n in counts))
    return min(len(codes), min(len(n) * n.min() for n in counts))


@settings(deadline=None)
@given(coded(), st.integers(0, 2**31 - 1))
def test_over_is_never_less_even_and_loses_no_row(codes, seed):
    rows = even_out(codes, 1, np.random.default_rng(seed))
    assert_array_equal(rows[: len(codes)], np.arange(len(codes)))
    assert len(rows) <= bound(codes, 1)
    assert unevenness(codes[rows]) <= unevenness(codes) + 1e-12


@settings(deadline=None)
@given(coded(), st.integers(0, 2**31 - 1))
def test_down_is_never_less_even_and_loses_no_class(codes, seed):
    rows = even_out(codes, -1, np.random.default_rng(seed))
    assert (np.diff(rows) > 0).all()
    assert len(rows) >= bound(codes, -1)
    assert unevenness(codes[rows]) <= unevenness(codes) + 1e-12
    for column in codes.T:
        assert set(column) - {-1} == set(column[rows]) - {-1}


@settings(deadline=None)
@given(coded(), st.sampled_from([1, -1]))
@example(np.array([[0, -1], [0, -1]]), 1)
def test_pulls_are_how_steeply_unevenness_falls(codes, step):
    evening = _Evening(codes, step, np.random.default_rng(0))
    assert evening.unevenness[0] == pytest.approx(unevenness(codes), abs=1e-12)
    n_labels = max((column >= 0).sum() for column in codes.T)
    pulls = 2 * evening.pulls()[evening.columns].sum(axis=1) / n_labels**2
    for row, pull in enumerate(pulls):
        if np.isinf(pull):
            last = [(column == column[row]).sum() == 1 for column in codes.T if column[row] >= 0]
            assert step < 0
            assert any(last)
            continue
        ahead, behind = (
            naive.unevenness(codes.tolist(), np.eye(len(codes))[row] * h + 1) for h in (1e-5, -1e-5)
        )
        assert pull == pytest.approx(-step * (ahead - behind) / 2e-5, abs=1e-6)


@settings(deadline=None)
@given(coded(), st.integers(0, 2**31 - 1))
def test_steps_end_where_none_pulls_or_at_the_bound(codes, seed):
    for step in (1, -1):
        evening = _Evening(codes, step, np.random.default_rng(seed))
        before = -1
        while before != len(evening.taken):
            before = len(evening.taken)
            evening.go()
        there = np.flatnonzero(evening.is_there)
        pulls = evening.pulls()[evening.columns[there]].sum(axis=1)
        at_bound = len(evening.taken) == abs(bound(codes, step) - len(codes))
        assert at_bound or pulls.max() <= LEAST_PULL


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=2, max_size=4), st.integers(0, 2**31 - 1))
def test_one_target_and_missing_ones_come_out_even(sizes, seed):
    _, y = counted(*sizes)
    codes = np.column_stack([y, np.full(len(y), -1)])
    for step, size in [(1, max(sizes)), (-1, min(sizes))]:
        rows = even_out(codes, step, np.random.default_rng(seed))
        assert np.bincount(y[rows]).tolist() == [size] * len(sizes)


@pytest.mark.parametrize("step", [1, -1])
def test_targets_that_can_be_even_come_out_even(step):
    # Every pair of classes has rows, so that both targets can be even.
    pairs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    codes = np.repeat(pairs, [400, 60, 30, 10], axis=0)
    rows = even_out(codes, step, np.random.default_rng(0))
    shares = codes[rows].mean(axis=0)
    assert_allclose(shares, 0.5, atol=0.01)


@pytest.mark.parametrize("step", [1, -1])
def test_rows_are_chosen_by_the_seed_alone(step, untouched_generators):
    codes = np.random.default_rng(0).integers(-1, 3, size=(300, 4)) // 2
    codes = codes[(codes >= 0).any(axis=1)]
    one, same, other = (even_out(codes, step, np.random.default_rng(s)) for s in (0, 0, 1))
    assert_array_equal(one, same)
    assert one.tolist() != other.tolist()


def two_targets(table):
    rare = np.where(np.arange(len(table.y)) % 7 == 0, "yes", "no").astype(object)
    rare[::10] = None
    return np.column_stack([table.y.astype(object), rare])


@pytest.mark.parametrize("sampler", ["over", "down"])
def test_several_targets_train_on_more_even_classes(table, sampler):
    Y = two_targets(table)
    plain = MultiOutputCRLClassifier(n_members=1, **FAST).fit(table.X, Y)
    model = several(sampler, callbacks=[Recorder()]).fit(table.X, Y)
    assert (model.omega_ < plain.omega_).all()
    trained, _ = trained_and_validated(model)
    codes = trained.y.numpy()
    for target, counts in enumerate(model.class_counts_):
        assert_array_equal(np.bincount(codes[codes[:, target] >= 0, target]), counts)
    assert (codes == -1).any()  # rows with a missing label stay


@pytest.mark.parametrize("sampler", ["smote", RandomOverSampler(), SMOTE()], ids=steady)
def test_several_targets_refuse_samplers_of_one(table, sampler):
    with pytest.raises(ValueError, match=r"must be 'over' or 'down' for several targets.*got"):
        several(sampler).fit(table.X, two_targets(table))


def test_a_single_column_is_one_target(table):
    model = several(SMOTE(random_state=0)).fit(table.X, table.y[:, None])
    assert model.class_counts_[0].tolist() == [80, 80, 80]


# ------------------------------------------------------------------------ validation data are apart


def test_what_is_validated_on_is_split_off_before(table):
    for sampler in ["over", "down", "smote"]:
        model = resampled(
            sampler, early_stopping=True, validation_fraction=0.25, callbacks=[Recorder()]
        ).fit(*table)
        trained, validated = trained_and_validated(model)
        rows = {row.tobytes() for row in trained.X.numpy()}
        assert not rows & {row.tobytes() for row in validated.X.numpy()}
        plain = CRLClassifier(
            **FAST, early_stopping=True, validation_fraction=0.25, callbacks=[Recorder()]
        ).fit(*table)
        unsampled, same = trained_and_validated(plain)
        assert_array_equal(validated.rows, same.rows)
        counts = np.bincount(trained.y.numpy())
        assert counts.tolist() == model.class_counts_.tolist()
        size = np.bincount(unsampled.y.numpy())
        assert (counts == (size.min() if sampler == "down" else size.max())).all()


def test_no_synthetic_row_is_made_of_validation_rows(table):
    """Classes at points of their own: a row between two points shows both."""
    X = table.X.copy()
    X[:, 2:] = 0
    X[:, 2] = np.arange(len(X)) % 2  # which of two halves
    plain = CRLClassifier(**FAST, early_stopping=True, callbacks=[Recorder()]).fit(X, table.y)
    held_out = trained_and_validated(plain)[1].rows.numpy()
    X[:, 3] = np.isin(np.arange(len(X)), held_out)  # anything made of them is not 0 here
    model = resampled("smote", early_stopping=True, callbacks=[Recorder()]).fit(X, table.y)
    trained, validated = trained_and_validated(model)
    assert_array_equal(validated.rows, held_out)
    assert (trained.X[:, 3] == 0).all()
    assert (validated.X[:, 3] == 1).all()


def test_validation_data_of_the_user_are_not_sampled(table):
    model = resampled(callbacks=[Recorder()]).fit(
        table.X[20:], table.y[20:], X_val=table.X[:20], y_val=table.y[:20]
    )
    _, validated = trained_and_validated(model)
    assert_array_equal(validated.y, table.y[:20])


def test_several_targets_validate_on_other_rows(table):
    for sampler in ["over", "down"]:
        model = several(sampler, early_stopping=True, callbacks=[Recorder()])
        trained, validated = trained_and_validated(model.fit(table.X, two_targets(table)))
        assert not set(trained.rows.tolist()) & set(validated.rows.tolist())
        assert len(set(validated.rows.tolist())) == len(validated.rows)


# ------------------------------------------------------------------------------ samples of any kind


class Pictures(Dataset):
    def __init__(self, X, y):
        self.X, self.targets = X, y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        return self.X[index], self.targets[index]


def flat_network(n_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(128, n_classes))


@pytest.mark.parametrize("sampler", ["over", "down"])
def test_images_are_sampled_by_index(images, sampler):
    model = ResampledClassifier(flat_network, sampler=sampler, callbacks=[Recorder()], **FAST)
    trained, _ = trained_and_validated(model.fit(*images))
    assert np.shares_memory(trained.source.X.numpy(), images.X)
    assert_array_equal(trained.y, images.y[trained.rows])
    assert len(trained.rows) == {"over": 48, "down": 18}[sampler]


@pytest.mark.parametrize("sampler", ["over", "down"])
def test_files_and_data_sets_are_sampled_by_index(images, sampler, tmp_path):
    np.save(tmp_path / "X.npy", images.X)
    on_disk = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = ResampledClassifier(flat_network, sampler=sampler, **FAST)
    in_memory = clone(model).fit(*images)
    assert_same_weights(clone(model).fit(on_disk, images.y), in_memory)
    assert_same_weights(clone(model).fit(Pictures(*images)), in_memory)


def test_interpolated_images_have_the_shape_of_images(images):
    model = ResampledClassifier(flat_network, sampler="smote", callbacks=[Recorder()], **FAST)
    trained, _ = trained_and_validated(model.fit(*images))
    assert trained.X.shape == (48, 2, 8, 8)
    assert_array_equal(trained.X[:33], images.X)
    flat = SMOTE(random_state=0).fit_resample(images.X.reshape(33, -1), images.y)[0]
    assert trained.X[33:].flatten(1).numpy().std() == pytest.approx(flat[33:].std(), rel=0.1)


def test_data_sets_refuse_samplers_that_look_at_features(images):
    model = ResampledClassifier(flat_network, sampler="smote", **FAST)
    with pytest.raises(ValueError, match=r"where X is a data set.*got SMOTE"):
        model.fit(Pictures(*images))


@pytest.mark.parametrize("labels", [["a", "b", "c"], [10, 20, 30], [-1.0, 0.0, 7.0]])
def test_strategies_are_told_by_label(table, labels):
    y = np.array(labels)[table.y]
    model = resampled(RandomOverSampler(sampling_strategy={labels[2]: 50})).fit(table.X, y)
    assert model.class_counts_.tolist() == [80, 28, 50]
    model = resampled(SMOTE(sampling_strategy={labels[2]: 50})).fit(table.X, y)
    assert model.class_counts_.tolist() == [80, 28, 50]
    assert set(model.predict(table.X)) <= set(labels)


def test_booleans_are_labels(table):
    for sampler in ["over", "smote", "down"]:
        model = resampled(sampler).fit(table.X, table.y == 2)
        assert len(set(model.class_counts_)) == 1


# ------------------------------------------------------------------------------------------ weights


def test_sampled_rows_keep_their_weights(table):
    weight = np.random.default_rng(0).uniform(0.5, 2, 120)
    for sampler in ["over", "down"]:
        model = resampled(sampler, callbacks=[Recorder()]).fit(*table, sample_weight=weight)
        trained, _ = trained_and_validated(model)
        expected = weight[trained.rows] / weight[trained.rows].max()
        assert_allclose(trained.sample_weight, expected, rtol=1e-6)
        sums = np.bincount(table.y[trained.rows], weight[trained.rows])
        assert_allclose(model.class_counts_, sums, rtol=1e-12)


def test_interpolated_rows_weigh_as_their_class_does_on_average():
    X, y = counted(20, 8, 1)
    weight = np.random.default_rng(0).uniform(0.5, 2, 29)
    with pytest.warns(UserWarning, match="single row"):
        sampled = sample(X, y, "smote", weight)
    assert_array_equal(sampled.weight[:28], weight[:28])
    of_class = sampled.codes[28:, 0]
    assert_allclose(sampled.weight[28:][of_class == 1], weight[y == 1].mean(), rtol=1e-12)
    assert_array_equal(sampled.weight[28:][of_class == 2], np.full(20, weight[-1]))


def test_rows_of_weight_zero_are_absent(table):
    weight = (table.y != 1).astype(float)
    there = table.y != 1
    one = resampled().fit(*table, sample_weight=weight)
    assert one.class_counts_.tolist() == [80, 80]
    assert_same_weights(one, resampled().fit(table.X[there], table.y[there]))


def test_weights_cannot_follow_where_rows_are_not_told(table):
    weight = np.linspace(1, 2, 120)
    with pytest.raises(ValueError, match=r"sample_weight must be the same.*got SMOTEENN.* 1.0 to"):
        resampled(SMOTEENN()).fit(*table, sample_weight=weight)
    model = resampled(SMOTEENN(), callbacks=[Recorder()]).fit(*table, sample_weight=np.full(120, 2))
    assert trained_and_validated(model)[0].sample_weight is None


# ------------------------------------------------------------------------------ chance and training


@pytest.mark.parametrize(
    "sampler", [RandomOverSampler(random_state=5), SMOTE(random_state=5), NearMiss()], ids=steady
)
def test_equals_a_pipeline_of_imbalanced_learn(table, sampler):
    plain = CRLClassifier(alpha=0, logit_adjustment=None, **FAST)
    pipeline = make_imblearn_pipeline(clone(sampler), plain).fit(*table)
    model = ResampledClassifier(sampler=sampler, **FAST).fit(*table)
    assert_same_weights(model, pipeline[-1])
    assert_array_equal(model.class_counts_, pipeline[-1].class_counts_)


@pytest.mark.parametrize("sampler", ["over", "down", "smote", SMOTEENN(smote=SMOTE())], ids=steady)
def test_the_seed_of_the_estimator_decides_and_no_global_generator(
    table, sampler, untouched_generators
):
    def rows(seed):
        model = resampled(sampler, random_state=seed, callbacks=[Recorder()]).fit(*table)
        return trained_and_validated(model)[0].X.numpy()

    assert_array_equal(rows(0), rows(0))
    assert not np.array_equal(rows(0), rows(1))
    rows(None)


def test_the_sampler_seed_goes_first(table):
    def rows(seed):
        sampler = RandomOverSampler(random_state=7)
        model = resampled(sampler, random_state=seed, callbacks=[Recorder()]).fit(*table)
        return trained_and_validated(model)[0].rows

    assert_array_equal(rows(0), rows(1))


def test_a_generator_of_the_sampler_stays_where_it_was(table):
    generator = np.random.RandomState(0)
    before = generator.get_state()[1].tolist()
    resampled(RandomOverSampler(random_state=generator)).fit(*table)
    assert generator.get_state()[1].tolist() == before


def test_fitted_attributes_are_those_of_the_sampled_data(table):
    model = resampled().fit(*table)
    assert model.class_counts_.tolist() == [80, 80, 80]
    assert model.omega_ == 0
    assert_allclose(model.prior_, 1 / 3)
    assert model.alpha_ == 0


def test_logit_adjustment_removes_the_prior_of_the_sampled_data(table):
    sampler = RandomOverSampler(sampling_strategy={2: 40})
    plain = resampled(sampler).fit(*table)
    adjusted = resampled(sampler, logit_adjustment="predict").fit(*table)
    assert_same_weights(plain, adjusted)
    removed = plain.decision_function(table.X) - np.log(np.array([80, 28, 40]) / 148)
    assert_allclose(adjusted.decision_function(table.X), removed, rtol=1e-5, atol=1e-5)


def test_warm_start_and_partial_fit_sample_what_they_are_given(table):
    model = resampled(warm_start=True).fit(*table)
    model.fit(*table)
    assert model.n_iter_ == 4
    assert model.class_counts_.tolist() == [80, 80, 80]
    model = resampled()
    model.partial_fit(*table, classes=[0, 1, 2]).partial_fit(*table)
    assert model.class_counts_.tolist() == [160, 160, 160]
    model.partial_fit(table.X[table.y == 0], table.y[table.y == 0])  # one class: as it is
    assert model.class_counts_.tolist() == [240, 160, 160]


def test_other_parameters_are_those_of_the_crl_classifiers():
    for ours, theirs in [
        (ResampledClassifier(), CRLClassifier()),
        (MultiOutputResampledClassifier(), MultiOutputCRLClassifier()),
    ]:
        changed = {"alpha": 0, "logit_adjustment": None, "sampler": "over"}
        assert ours.get_params() == theirs.get_params() | changed
    model = ResampledClassifier(module__hidden_units=3, optimizer__weight_decay=0.1, lr=0.5)
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(TypeError, match="'sampelr'; did you mean 'sampler'"):
        ResampledClassifier(sampelr="over")


def test_samplers_are_for_single_networks(table):
    """Copies of a row would stand in the folds that members leave out."""
    for model, y in [(resampled(), table.y), (several(), two_targets(table))]:
        before = dict(vars(model.set_params(n_members=3)))
        with pytest.raises(
            ValueError, match=r"^sampler works with a single network only; .*n_members=1"
        ):
            model.fit(table.X, y)
        assert vars(model) == before
        model.set_params(n_members=1).fit(table.X, y)
        again = clone(model).set_params(n_members=None, logit_adjustment="auto").fit(table.X, y)
        assert again.net_.module_.network.hidden[0].out_features == 8  # of an MLP


def test_grid_search_over_samplers(table):
    grid = {"sampler": ["over", "down", "smote", RandomUnderSampler(random_state=0)]}
    search = GridSearchCV(resampled(max_epochs=5), grid, cv=3).fit(*table)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(set(scores)) > 1
    search = GridSearchCV(resampled(SMOTE()), {"sampler__k_neighbors": [1, 3]}, cv=3).fit(*table)
    assert search.best_estimator_.sampler.k_neighbors in (1, 3)


@pytest.mark.parametrize("sampler", ["over", SMOTE(random_state=0)], ids=steady)
def test_pickles(table, sampler):
    model = resampled(sampler).fit(*table)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(table.X), model.predict_proba(table.X))
    assert_same_weights(again.fit(*table), model)


# ---------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("sampler", ["under", None, SMOTE, object(), 3], ids=steady)
@pytest.mark.parametrize("make", [resampled, several])
def test_a_sampler_that_is_none_is_refused(table, make, sampler):
    model = make().fit(table.X, two_targets(table) if make is several else table.y)
    before = dict(vars(model))
    model.sampler = sampler
    with pytest.raises(ValueError, match=r"sampler must be one of 'over', 'down', 'smote'.*got"):
        model.fit(table.X, two_targets(table) if make is several else table.y)
    assert vars(model) == before | {"sampler": sampler}


class Odd:
    """A sampler that is not imbalanced-learn's, without parameters."""

    def __init__(self, labels):
        self.labels = labels

    def fit_resample(self, X, y):
        return X[: len(self.labels)], np.array(self.labels, dtype=int)


def test_samplers_of_others(table):
    model = resampled(Odd([0, 1, 2, 1])).fit(*table)
    assert model.class_counts_.tolist() == [1, 2, 1]
    for labels, got in [([0, 5], r"\[0, 5\]"), ([], r"\[\]")]:
        with pytest.raises(ValueError, match=rf"must return labels that are among.*got {got}"):
            resampled(Odd(labels)).fit(*table)


def test_what_a_sampler_cannot_do_is_told_with_the_sizes_of_the_classes():
    X = np.repeat([[0.0], [5.0]], [40, 6], axis=0)  # no row of one class is near the other
    y = np.repeat([0, 1], [40, 6])
    model = resampled(ADASYN())
    with pytest.raises(ValueError, match=r"ADASYN.* cannot sample .*\[40, 6\].*another sampler"):
        model.fit(X, y)
    assert not hasattr(model, "classes_")


def test_a_strategy_that_does_not_fit_is_imbalanced_learns_error_and_changes_nothing(table):
    model = resampled(RandomOverSampler(sampling_strategy={9: 100}))
    before = dict(vars(model))
    with pytest.raises(ValueError, match="9"):
        model.fit(*table)
    assert vars(model) == before


def test_without_imbalanced_learn_an_error_names_the_extra(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "imblearn", None)
    with pytest.raises(ImportError, match=r"ResampledClassifier with.*pip install 'sk-crl\[basel"):
        resampled().fit(*table)
    several().fit(table.X, two_targets(table))  # needs nothing of it
