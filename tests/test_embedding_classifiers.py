"""LMLE, Triplet-kNN and HOG + kNN as estimators."""

import pickle
import sys
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from sk_crl.baselines import HOGKNNClassifier, LMLEClassifier, TripletKNNClassifier

pytestmark = pytest.mark.usefixtures("untouched_generators")

SIZES = [120, 39, 23, 16, 13, 10, 9, 8, 7, 6]  # the paper's power law


class Convolutions(nn.Module):
    """A network with batch normalisation and dropout, which returns scores alone."""

    def __init__(self, n_classes, width=4):
        super().__init__()
        n_columns = n_classes if isinstance(n_classes, int) else sum(n_classes)
        self.layers = nn.Sequential(
            nn.Conv2d(2, width, 3),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(36 * width, n_columns),
        )

    def forward(self, X):
        return self.layers(X)


def lmle(**settings):
    defaults = {"n_clusters": 3, "max_epochs": 4, "batch_size": 32, "random_state": 0}
    return LMLEClassifier(**defaults | {"device": "cpu"} | settings)


def triplet_knn(**settings):
    defaults = {"max_epochs": 4, "batch_size": 32, "random_state": 0}
    return TripletKNNClassifier(**defaults | {"device": "cpu"} | settings)


both = pytest.mark.parametrize("make", [lmle, triplet_knn])


def imbalanced_digits(n_splits):
    """Splits of digits, thinned by a power law; the digits take turns in being rare."""
    X, y = load_digits(return_X_y=True)
    splits = StratifiedShuffleSplit(n_splits, test_size=0.3, random_state=0).split(X, y)
    for i, (train, test) in enumerate(splits):
        sizes = zip(np.roll(np.arange(10), i), SIZES, strict=True)
        kept = np.concatenate([train[y[train] == c][:size] for c, size in sizes])
        yield X[kept] / 16, y[kept], X[test] / 16, y[test]


def test_lmle_learns_imbalanced_digits():
    """It beats the nearest neighbours of the pixels, and what its own network was born with."""
    lmle_512 = LMLEClassifier(module__hidden_units=512, random_state=0)
    models = [
        lmle_512,
        clone(lmle_512).set_params(lr=1e-9),
        *(KNeighborsClassifier(k) for k in (1, 3, 5)),
    ]
    scores = np.array(
        [
            [
                100 * balanced_accuracy_score(y_test, model.fit(X, y).predict(X_test))
                for model in models
            ]
            for X, y, X_test, y_test in imbalanced_digits(10)
        ]
    )
    gains = scores[:, :1] - scores[:, 1:]
    assert (gains.mean(axis=0) > 0.5).all(), gains.mean(axis=0)
    standard_errors = gains.std(axis=0, ddof=1) / np.sqrt(len(gains))
    assert (gains.mean(axis=0) > 2 * standard_errors).all()
    assert ((gains > 0).sum(axis=0) >= 7).all(), gains


def test_triplets_draw_a_class_together(table):
    """Noise that kNN suffers from is learned away."""
    X = np.column_stack([table.X, 20 * np.random.default_rng(0).normal(size=(120, 4))]) / 20
    train, test = np.arange(120) < 80, np.arange(120) >= 80
    model = triplet_knn(max_epochs=60, lr=3e-3, batch_size=80).fit(X[train], table.y[train])
    plain = KNeighborsClassifier(5).fit(X[train], table.y[train])
    of_plain = balanced_accuracy_score(table.y[test], plain.predict(X[test]))
    assert model.score(X[test], table.y[test]) > of_plain + 0.2


@both
def test_embedding_has_unit_length_and_the_scores_do_not_train(table, make):
    untrained = make(lr=1e-12).fit(table.X, table.y)
    model = make(lr=0.01).fit(table.X, table.y)
    np.testing.assert_allclose(np.linalg.norm(model.features(table.X), axis=-1), 1, rtol=1e-5)
    weights = zip(
        untrained.module_.named_parameters(), model.module_.named_parameters(), strict=True
    )
    for (name, before), (_, after) in weights:
        is_head = name.startswith("head.")
        assert torch.equal(before, after) == is_head, name
    assert len(model.loss_curve_) == model.n_iter_ == 4


class Labelled(torch.utils.data.Dataset):
    """Samples with their labels."""

    def __init__(self, X, y):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        return self.X[index], self.y[index]


def on_disk(X, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


@both
def test_samples_on_disk_and_in_data_sets_are_as_good_as_in_memory(table, make, tmp_path):
    expected = make().fit(table.X, table.y).features(table.X)
    X = on_disk(table.X, tmp_path)
    np.testing.assert_array_equal(make().fit(X, table.y).features(X), expected)
    X = Labelled(*table)
    np.testing.assert_array_equal(make().fit(X).features(X), expected)


@both
def test_rows_without_any_label_change_nothing(table, make):
    Y = pd.DataFrame({"name": table.y.astype(object), "is_two": (table.y == 2).astype(object)})
    Y.loc[len(Y)] = None
    strange = np.full((1, 4), 1e3, np.float32)
    model = make().fit(np.vstack([table.X, strange]), Y)
    expected = make().fit(table.X, Y[:-1])
    np.testing.assert_array_equal(model.features(table.X), expected.features(table.X))
    assert model.predict(table.X).equals(expected.predict(table.X))


@both
def test_two_fits_are_equal_and_so_is_a_copy(table, make):
    one = make().fit(table.X, table.y)
    other = clone(one).fit(table.X, table.y)
    again = pickle.loads(pickle.dumps(one))
    for model in (other, again, make(random_state=np.random.RandomState(0)).fit(table.X, table.y)):
        is_seeded_alike = not isinstance(model.random_state, np.random.RandomState)
        same = np.array_equal(model.features(table.X), one.features(table.X))
        assert same == is_seeded_alike


def make_targets(y):
    rng = np.random.default_rng(1)
    Y = pd.DataFrame({"name": np.array(["a", "b", "c"])[y], "is_two": y == 2}).astype(object)
    Y.loc[rng.random(len(Y)) < 0.2, "name"] = None
    Y.loc[rng.random(len(Y)) < 0.2, "is_two"] = None
    Y.iloc[0] = None
    return Y


@both
def test_several_targets_with_missing_labels(table, make):
    Y = make_targets(table.y)
    model = make(max_epochs=30, n_neighbors=3).fit(table.X, Y)
    predicted = model.predict(table.X)
    assert list(predicted.columns) == ["name", "is_two"]
    assert predicted["name"].isin(["a", "b", "c"]).all()
    assert predicted["is_two"].isin([True, False]).all()
    assert model.score(table.X, Y) > 0.9
    assert [known.tolist() for known in model.classes_] == [["a", "b", "c"], [False, True]]
    assert model.target_names_in_.tolist() == ["name", "is_two"]
    assert model.n_outputs_ == 2


def test_lmle_decides_every_target_in_features_of_its_own(table):
    model = lmle(n_neighbors=1).fit(table.X, make_targets(table.y))
    assert model.features(table.X).shape == (120, 2, 16)
    assert [len(labels) for labels in model.cluster_labels_] == [9, 6]
    predicted = model.predict(table.X)
    for target, name in enumerate(predicted):
        nearest = KNeighborsClassifier(1).fit(
            model.cluster_centers_[target], model.cluster_labels_[target]
        )
        expected = nearest.predict(model.features(table.X)[:, target])
        assert predicted[name].tolist() == expected.tolist()


def test_triplet_knn_is_nearest_neighbours_among_those_with_a_label(table):
    Y = make_targets(table.y)
    model = triplet_knn(n_neighbors=4, weights="distance").fit(table.X, Y)
    shares = model.predict_proba(table.X)
    for target, name in enumerate(Y):
        known = Y[name].notna().to_numpy()
        nearest = KNeighborsClassifier(4, weights="distance")
        nearest.fit(model.features(table.X[known]), Y[name][known].astype(str))
        np.testing.assert_allclose(
            shares[target], nearest.predict_proba(model.features(table.X)), atol=1e-5
        )


@both
@pytest.mark.parametrize("several", [False, True])
def test_images_and_modules_that_return_scores_alone(images, make, several):
    y = np.column_stack([images.y, images.y]) if several else images.y
    model = make(module=Convolutions, module__width=3, max_epochs=8).fit(images.X, y)
    assert model.predict(images.X).shape == y.shape
    assert model.score(images.X, y) > 0.8
    assert not model.module_.training


def test_rounds_share_the_epochs(table, monkeypatch):
    seen = []
    cluster = LMLEClassifier._cluster

    def counting(self, *arguments):
        seen.append(len(self.loss_curve_))
        return cluster(self, *arguments)

    monkeypatch.setattr(LMLEClassifier, "_cluster", counting)
    lmle(max_epochs=10, n_rounds=4).fit(table.X, table.y)
    assert seen == [0, 3, 6, 8, 10]


# --------------------------------------------------------------------------- going on


in_parts = pytest.mark.parametrize(
    ("make", "part", "whole"),
    [
        (lmle, {"max_epochs": 2, "n_rounds": 1}, {"max_epochs": 4, "n_rounds": 2}),
        (triplet_knn, {"max_epochs": 2}, {"max_epochs": 4}),
    ],
)


@pytest.mark.parametrize("several", [False, True])
@in_parts
def test_fits_that_go_on_are_one(images, make, part, whole, several):
    """With dropout, batch normalisation and Adam's moments, and by way of a pickle."""
    y = np.column_stack([images.y, images.y]) if several else images.y
    expected = make(module=Convolutions, **whole).fit(images.X, y)
    model = make(module=Convolutions, warm_start=True, **part).fit(images.X, y)
    model = pickle.loads(pickle.dumps(model)).fit(images.X, y)
    assert model.loss_curve_ == expected.loss_curve_
    assert model.n_iter_ == 4
    np.testing.assert_array_equal(model.features(images.X), expected.features(images.X))
    np.testing.assert_array_equal(model.predict(images.X), expected.predict(images.X))


class Noisy(Labelled):
    """Samples that are never twice the same."""

    def __getitem__(self, index):
        return self.X[index] + 0.1 * torch.randn(self.X.shape[1]).numpy(), self.y[index]


@in_parts
def test_fits_that_go_on_draw_on(table, make, part, whole):
    """Between them the samples are embedded once more, and a data set may draw for that."""
    samples = Noisy(*table)
    model = make(warm_start=True, **part).fit(samples).fit(samples)
    assert model.loss_curve_ == make(**whole).fit(samples).loss_curve_


@both
def test_going_on_takes_new_settings(table, make):
    model = make(warm_start=True).fit(table.X, table.y)
    before = model.features(table.X)
    model.set_params(lr=1e-12).fit(table.X, table.y)
    np.testing.assert_allclose(model.features(table.X), before, atol=1e-5)
    for settings in ({"lr": 0.01, "optimizer": "sgd"}, {"optimizer__momentum": 0.9}):
        before = model.set_params(**settings).features(table.X)
        assert np.abs(model.fit(table.X, table.y).features(table.X) - before).max() > 1e-4
    assert model.n_iter_ == 16
    model.set_params(warm_start=False).fit(table.X, table.y)
    assert model.n_iter_ == 4


@both
@pytest.mark.parametrize(
    ("settings", "spoil", "message"),
    [
        ({"module__hidden_units": 7}, lambda X, y: (X, y), "weights of the last fit do not fit"),
        ({}, lambda X, y: (X[y != 2], y[y != 2]), r"No row has the classes \[2\] of y"),
        ({}, lambda X, y: (X, np.where(y == 2, 9, y)), "9"),
        ({}, lambda X, y: (X[:, :2], y), "2 features"),
        ({}, lambda X, y: (X, y[:, None]), r"y must have shape \(n_samples,\), as in the last"),
        ({"lr": 1e38}, lambda X, y: (X, y), "diverged"),
        ({"warm_start": 1}, lambda X, y: (X, y), "warm_start must be True or False; got 1"),
    ],
)
def test_what_cannot_go_on_changes_nothing(table, make, settings, spoil, message):
    model = make(warm_start=True).fit(table.X, table.y)
    before, features = dict(vars(model)), model.features(table.X)
    with pytest.raises((ValueError, FloatingPointError), match=message):
        model.set_params(**settings).fit(*spoil(table.X, table.y))
    assert {name: vars(model)[name] for name in before if name not in settings} == {
        name: value for name, value in before.items() if name not in settings
    }
    np.testing.assert_array_equal(model.features(table.X), features)


# --------------------------------------------------------------------------- small data


def test_lmle_warns_once_of_classes_smaller_than_their_clusters(table):
    with pytest.warns(UserWarning, match="have fewer rows than") as caught:
        model = lmle(n_clusters=20).fit(table.X, table.y)
    (message,) = [str(w.message) for w in caught]
    assert message == (
        "Classes [2] of y have fewer rows than n_clusters=20: they get a cluster for each row."
    )
    assert np.bincount(model.cluster_labels_).tolist() == [20, 20, 12]


@both
def test_a_class_of_one_row_is_warned_of_once(table, make):
    y = np.where(np.arange(120) == 7, 9, table.y)
    settings = {"n_clusters": 1} if make is lmle else {}
    with pytest.warns(UserWarning, match="have a single row each") as caught:
        model = make(n_neighbors=1, **settings).fit(table.X, y)
    (message,) = [str(w.message) for w in caught]
    assert message.startswith("Classes [9] of y have a single row each")
    assert np.isfinite(model.loss_curve_).all()
    assert 9 in model.classes_


@pytest.mark.parametrize("make", [triplet_knn, lambda **k: HOGKNNClassifier(**k)])
def test_more_neighbours_than_rows(images, make):
    few = np.flatnonzero(images.y == 0)[:4].tolist() + np.flatnonzero(images.y == 1)[:3].tolist()
    X = images.X[few][:, 0] if make is not triplet_knn else images.X[few]
    settings = {} if make is triplet_knn else {"pixels_per_cell": 4}
    with pytest.warns(UserWarning, match="is more than the rows") as caught:
        model = make(n_neighbors=8, **settings).fit(X, images.y[few])
    (message,) = [str(w.message) for w in caught]
    expected = "n_neighbors=8 is more than the rows with a label of y: all 7 decide."
    assert message == expected
    np.testing.assert_allclose(model.predict_proba(X), [[4 / 7, 3 / 7]] * 7)


def test_more_neighbours_than_centroids(table):
    with pytest.warns(UserWarning, match="is more than the centroids") as caught:
        model = lmle(n_clusters=2, n_neighbors=9).fit(table.X, table.y)
    (message,) = [str(w.message) for w in caught]
    assert message == "n_neighbors=9 is more than the centroids of y: all 6 decide."
    assert len(np.unique(model.predict(table.X))) > 1


# --------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (lmle, {"n_clusters": 0}, "n_clusters must be an integer of at least 1; got 0"),
        (lmle, {"n_rounds": 2.5}, "n_rounds must be an integer"),
        (lmle, {"max_epochs": 3}, "max_epochs must be at least n_rounds=4"),
        (lmle, {"margin_strength": 1.1}, r"margin_strength must be a number in \[0, 1\]"),
        (lmle, {"n_neighbors": True}, "n_neighbors must be an integer"),
        (lmle, {"module": "mpl"}, "mlp"),
        (lmle, {"module__hiden_units": 3}, "hidden_units"),
        (lmle, {"device": "tpu"}, "tpu"),
        (lmle, {"random_state": "x"}, "random_state must be"),
        (triplet_knn, {"margin": 0}, r"margin must be a number in \(0, 4\)"),
        (triplet_knn, {"dimension": -1}, "dimension must be an integer"),
        (triplet_knn, {"weights": "near"}, "weights must be 'uniform', 'distance' or a function"),
        (triplet_knn, {"optimizer__lrr": 1}, "optimizer__lrr"),
        (triplet_knn, {"lr": -1}, "lr must be a number"),
        (triplet_knn, {"batch_size": 0}, "batch_size must be"),
    ],
)
def test_bad_parameters_change_nothing(table, make, settings, message):
    model = make().fit(table.X, table.y)
    before = dict(vars(model))
    bad = clone(model).set_params(**settings)
    with pytest.raises(ValueError, match=message):
        bad.fit(table.X, table.y)
    with pytest.raises(NotFittedError):
        bad.predict(table.X)
    model.set_params(**settings)
    with pytest.raises(ValueError, match=message):
        model.fit(table.X[:, :2], table.y)
    assert {name: vars(model)[name] for name in before if name not in settings} == {
        name: value for name, value in before.items() if name not in settings
    }


@both
def test_divergence_is_said(table, make):
    with pytest.raises(FloatingPointError, match=r"Lower lr \(got 1e\+38\)"):
        make(lr=1e38).fit(table.X, table.y)


@both
def test_features_that_coincide_are_warned_of(table, make):
    class Constant(nn.Module):
        def __init__(self, n_classes):
            super().__init__()
            self.first, self.scores = nn.Linear(1, 5), nn.Linear(5, n_classes)

        def forward(self, X):
            return self.scores(self.first(torch.ones(len(X), 1)))

    with pytest.warns(UserWarning, match="features of all training rows coincide") as caught:
        make(module=Constant).fit(table.X, table.y)
    assert len(caught) == 1


def test_lmle_needs_features_that_train(table):
    with pytest.raises(ValueError, match="features of the module do not depend on any weights"):
        lmle(module__hidden_units=()).fit(table.X, table.y)
    triplet_knn(module__hidden_units=()).fit(table.X, table.y)  # its own layer trains


@both
def test_bad_labels(table, make):
    with pytest.raises(ValueError, match="one class only"):
        make().fit(table.X, np.zeros(120))
    with pytest.raises(ValueError, match="no label at row 3"):
        make().fit(table.X, np.where(np.arange(120) == 3, np.nan, table.y))
    with pytest.raises(ValueError, match="one row for every sample"):
        make().fit(table.X, table.y[:5])


@pytest.mark.parametrize(
    ("model", "module", "extra"),
    [
        (triplet_knn(), "pytorch_metric_learning", "baselines"),
        (HOGKNNClassifier(pixels_per_cell=4), "skimage", "images"),
    ],
)
def test_a_missing_library_names_its_extra(monkeypatch, images, model, module, extra):
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    X = images.X if module != "skimage" else images.X[:, 0]
    with pytest.raises(ImportError, match=rf"pip install 'sk-crl\[{extra}\]'"):
        model.fit(X, images.y)
    assert not [name for name in vars(model) if name.endswith("_")]


# --------------------------------------------------------------------------- HOG


def make_pictures():
    """Colour images, (40, 16, 12, 3), of horizontal or vertical stripes."""
    rng = np.random.default_rng(0)
    y = np.repeat(["flat", "upright"], [30, 10])
    row, column = np.indices((16, 12))
    stripes = np.where((y == "flat")[:, None, None], row % 4 < 2, column % 4 < 2)
    return stripes[..., None] + 0.3 * rng.normal(size=(40, 16, 12, 3)), y


def test_hog_features_are_those_of_scikit_image():
    from skimage.feature import hog

    X, y = make_pictures()
    settings = {"orientations": 6, "pixels_per_cell": 4, "cells_per_block": 1}
    model = HOGKNNClassifier(3, **settings).fit(X, y)
    features = np.array(
        [
            hog(
                image,
                orientations=6,
                pixels_per_cell=(4, 4),
                cells_per_block=(1, 1),
                channel_axis=2,
            )
            for image in X.astype(np.float32)
        ]
    )
    expected = KNeighborsClassifier(3).fit(features, y)
    new = make_pictures()[0] + np.random.default_rng(1).normal(size=X.shape)
    of_new = [
        hog(i, orientations=6, pixels_per_cell=(4, 4), cells_per_block=(1, 1), channel_axis=2)
        for i in new.astype(np.float32)
    ]
    np.testing.assert_allclose(model.predict_proba(new), expected.predict_proba(of_new))
    assert model.score(X, y) == 1


def test_hog_takes_channels_at_either_end_or_none():
    X, y = make_pictures()
    settings = {"pixels_per_cell": 4, "n_neighbors": 3}
    last = HOGKNNClassifier(**settings).fit(X, y)
    first = HOGKNNClassifier(**settings).fit(np.moveaxis(X, 3, 1), y)
    new = X + 4 * np.random.default_rng(1).normal(size=X.shape)
    shares = last.predict_proba(new)
    assert ((shares > 0) & (shares < 1)).any(), "the example must be hard to decide"
    np.testing.assert_array_equal(first.predict_proba(np.moveaxis(new, 3, 1)), shares)
    grey = HOGKNNClassifier(**settings).fit(X[..., 0], y)
    one = HOGKNNClassifier(**settings).fit(X[:, None, :, :, 0], y)
    np.testing.assert_array_equal(
        one.predict_proba(new[:, None, :, :, 0]), grey.predict_proba(new[..., 0])
    )
    two = HOGKNNClassifier(channels="last", **settings).fit(X[..., :2], y)
    assert two.score(X[..., :2], y) == 1


def test_hog_of_images_on_disk_and_in_a_data_set(tmp_path):
    X, y = make_pictures()
    X = X.astype(np.float32)
    make = partial(HOGKNNClassifier, pixels_per_cell=4)
    expected = make().fit(X, y).predict_proba(X)
    stored = on_disk(X, tmp_path)
    np.testing.assert_array_equal(make().fit(stored, y).predict_proba(stored), expected)
    pairs = Labelled(X, y.astype(str).tolist())
    np.testing.assert_array_equal(make().fit(pairs).predict_proba(pairs), expected)


def test_hog_of_several_targets_with_missing_labels():
    X, y = make_pictures()
    Y = pd.DataFrame({"stripes": y, "few": np.where(y == "flat", 0.0, 1.0)})
    Y.loc[::5, "few"] = np.nan
    Y.loc[5] = [None, np.nan]
    model = HOGKNNClassifier(3, pixels_per_cell=4).fit(X, Y)
    assert [len(neighbors.classes_) for neighbors in model.neighbors_] == [2, 2]
    assert [neighbors.n_samples_fit_ for neighbors in model.neighbors_] == [39, 32]
    assert model.predict(X)["few"].tolist() == (y != "flat").astype(float).tolist()
    assert [shares.shape for shares in model.predict_proba(X)] == [(40, 2), (40, 2)]


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((20, 64), {}, r"X must hold images, .* got shape \(20, 64\)"),
        ((20, 8, 8), {}, "images of 8 by 8 pixels, smaller than a block of 2 by 2 cells of 8"),
        ((20, 2, 16, 16), {}, r"shape \(2, 16, 16\), with 1 or 3 channels at neither end"),
        ((20, 16, 16), {"channels": "middle"}, "channels must be one of 'auto', 'first', 'last'"),
        ((20, 16, 16), {"orientations": 0}, "orientations must be an integer"),
    ],
)
def test_bad_images(shape, settings, message):
    model = HOGKNNClassifier(**settings)
    with pytest.raises(ValueError, match=message):
        model.fit(np.zeros(shape), np.arange(20) % 2)
    assert not [name for name in vars(model) if name.endswith("_")]


def test_hog_refuses_images_of_another_shape():
    X, y = make_pictures()
    model = HOGKNNClassifier(pixels_per_cell=4).fit(X, y)
    with pytest.raises(ValueError, match=r"fitted with samples of shape \(16, 12, 3\)"):
        model.predict(X[:, :, :8])
