"""The displays: the data behind every artist, their order and their words; no pictures compared."""

import itertools

import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from matplotlib import colors
from matplotlib import pyplot as plt
from matplotlib.text import Text
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import sk_crl.displays
from sk_crl import CRLClassifier, MultiOutputCRLClassifier
from sk_crl.baselines import LMLEClassifier
from sk_crl.displays import (
    ClassDistributionDisplay,
    CriticalDifferenceDisplay,
    FeatureEmbeddingDisplay,
    GainByImbalanceDisplay,
    SensitivityDisplay,
    TrainingHistoryDisplay,
)
from sk_crl.displays._figure import GREY, VERMILION
from sk_crl.evaluation import critical_difference, gain_by_imbalance
from sk_crl.metrics import class_sensitivities

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def ax_of(n=1):
    """Axes of the user's own, in a figure of a column's width."""
    _, axes = plt.subplots(1, n, figsize=(3.5, 3))
    return axes


def tick_names(ax, which="x"):
    axis = ax.xaxis if which == "x" else ax.yaxis
    return [label.get_text() for label in axis.get_ticklabels()]


def legend_names(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def boxes(texts, figure):
    """Where texts stand in a drawn figure, in points."""
    figure.draw_without_rendering()
    written = [text for text in texts if text.get_text() and text.get_visible()]
    scale = 72 / figure.dpi
    return {  # an annotation's own extent has the line to its point in it
        text.get_text(): np.array(Text.get_window_extent(text).extents) * scale for text in written
    }


def overlapping(texts, figure):
    """Texts whose boxes, which have the room between lines in them, share more than that."""
    return [
        (a, b)
        for (a, one), (b, other) in itertools.combinations(boxes(texts, figure).items(), 2)
        if (np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]) > 1.5).all()
    ]


@pytest.fixture(scope="module")
def trained():
    """A table of three classes and a classifier trained on it, with validation scores."""
    rng = np.random.default_rng(0)
    y = np.repeat(["big", "middle", "small"], [80, 28, 12])
    X = rng.normal(size=(120, 4)) + 4 * np.eye(4)[np.unique(y, return_inverse=True)[1]]
    model = CRLClassifier(module__hidden_units=6, max_epochs=6, random_state=0, device="cpu")
    return X, y, model.fit(X, y, X_val=X, y_val=y)


@pytest.fixture(scope="module")
def trained_on_two(trained):
    """Labels of two targets with holes, in a frame, and a classifier trained on them."""
    X, y, _ = trained
    Y = pd.DataFrame({"size": y, "even": np.arange(120) % 3 == 0})
    Y.loc[:9, "size"] = None
    model = MultiOutputCRLClassifier(
        n_members=1, module__hidden_units=6, module__branch_units=3, max_epochs=3, random_state=0,
        device="cpu",
    )  # fmt: skip
    return X, Y, model.fit(X, Y)


# ------------------------------------------------------------------------------ class distribution


def minorities_by_hand(counts, rho):
    """Eq. 3 of a training set: from the smallest up, while they hold rho of it at most."""
    taken, minority = 0, [False] * len(counts)
    for c in sorted(range(len(counts)), key=lambda c: counts[c]):
        taken += counts[c]
        if taken > rho * sum(counts):
            break
        minority[c] = True
    return minority


def bars(ax):
    """Height and colour of every bar, from left to right."""
    shown = sorted(ax.patches, key=lambda bar: bar.get_x())
    return [bar.get_height() for bar in shown], [
        colors.to_hex(bar.get_facecolor()).upper() for bar in shown
    ]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=8), st.sampled_from([0.25, 0.5, 1.0]))
def test_bars_are_class_sizes_in_order_and_minorities_are_marked(counts, rho):
    display = ClassDistributionDisplay.from_labels(
        np.repeat(np.arange(len(counts)), counts), rho=rho
    )
    minority = minorities_by_hand(counts, rho)
    order = sorted(range(len(counts)), key=lambda c: -counts[c])
    heights, colours = bars(display.ax_)
    assert heights == [counts[c] for c in order]
    assert colours == [VERMILION if minority[c] else GREY for c in order]
    assert tick_names(display.ax_) == [str(c) for c in order]
    omega = 1 - sum(counts) / (len(counts) * max(counts))
    assert display.omega[0] == pytest.approx(omega, abs=1e-12)
    assert display.ax_.get_title(loc="left") == f"Ω = {display.omega[0]:.2f}"
    assert display.ax_.get_yscale() == "log"
    assert display.ax_.get_ylim()[0] < min(counts)
    assert display.ax_.get_ylim()[1] > max(counts)
    assert (display.ax_.get_legend() is not None) == any(minority)
    plt.close("all")


@pytest.mark.parametrize(
    ("y", "names"),
    [
        (["a", "b", "b", None, "a", "b"], ["b", "a"]),
        (np.array([True, False, False]), ["False", "True"]),
        (np.array([2.0, np.nan, 7.0, 7.0]), ["7", "2"]),
        (pd.Series(["x", "y", "y"], dtype="category"), ["y", "x"]),
        (pl.Series([1, None, 3, 3]), ["3", "1"]),
        (np.array(["$a$ to $b$", "_c", "_c"], dtype=object), [" _c", r"\$a\$ to \$b\$"]),
    ],
)
def test_labels_of_any_type(y, names):
    display = ClassDistributionDisplay.from_labels(y)
    display.figure_.draw_without_rendering()
    assert tick_names(display.ax_) == names
    assert bars(display.ax_)[0][1] in (1, 2)


def test_a_label_that_stands_for_none_is_not_counted():
    display = ClassDistributionDisplay.from_labels([0, 0, 1, -1, -1, -1], missing_label=-1)
    assert bars(display.ax_)[0] == [2, 1]


def test_class_sizes_of_a_classifier(trained):
    X, y, model = trained
    search = GridSearchCV(
        make_pipeline(StandardScaler(), model), {"crlclassifier__eta": [0.5]}, cv=2
    )
    for fitted in (
        model,
        make_pipeline(StandardScaler(), clone(model)).fit(X, y),
        search.fit(X, y),
    ):
        display = ClassDistributionDisplay.from_estimator(fitted)
        assert bars(display.ax_) == bars(ClassDistributionDisplay.from_labels(y).ax_)
        assert display.omega == [model.omega_]
        assert display.classes[0][display.is_minority[0]].tolist() == ["middle", "small"]


def test_weighted_class_sizes(trained):
    X, y, model = trained
    weighted = CRLClassifier(n_members=1, max_epochs=1, device="cpu").fit(X, y, np.full(120, 0.3))
    display = ClassDistributionDisplay.from_estimator(weighted)
    assert_allclose(bars(display.ax_)[0], [24, 8.4, 3.6])
    assert display.ax_.get_ylabel() == "Weight of training samples"
    assert ClassDistributionDisplay.from_estimator(model).ax_.get_ylabel() == "Training samples"


def test_a_class_without_samples_has_no_bar_height(trained):
    X, y, _ = trained
    model = CRLClassifier(max_epochs=1, device="cpu").partial_fit(
        X, y, classes=[*np.unique(y), "z"]
    )
    display = ClassDistributionDisplay.from_estimator(model)
    assert bars(display.ax_)[0] == [80, 28, 12, 0]
    display.figure_.draw_without_rendering()


def test_bars_for_every_target(trained_on_two):
    _, Y, model = trained_on_two
    for display in (
        ClassDistributionDisplay.from_labels(Y),
        ClassDistributionDisplay.from_estimator(model),
    ):
        first, second = display.ax_
        assert bars(first)[0] == [70, 28, 12]
        assert bars(second)[0] == [80, 40]
        assert tick_names(second) == ["False", "True"]
        assert first.get_title(loc="left") == f"size, Ω = {model.omega_[0]:.2f}"
        assert second.get_title(loc="left") == "even, Ω = 0.25"
        assert display.figure_ is first.figure is second.figure


@pytest.mark.parametrize("target", ["even", 1, -1])
def test_one_target_of_several(trained_on_two, target):
    _, Y, model = trained_on_two
    for display in (
        ClassDistributionDisplay.from_labels(Y, target=target),
        ClassDistributionDisplay.from_estimator(model, target=target),
    ):
        assert display.target_names == ["even"]
        assert bars(display.ax_)[0] == [80, 40]


def test_targets_of_an_array_are_counted(trained_on_two):
    _, Y, _ = trained_on_two
    display = ClassDistributionDisplay.from_labels(Y.to_numpy())
    assert display.target_names == ["Target 0", "Target 1"]
    assert display.ax_[1].get_title(loc="left") == "Target 1, Ω = 0.25"


def many_targets(n=9):
    rng = np.random.default_rng(0)
    shares = np.linspace(0.5, 0.95, n)
    Y = (rng.random((200, n)) > shares).astype(int)
    return pd.DataFrame(Y, columns=[f"attribute {i}" for i in range(n)])


@pytest.mark.parametrize("given", ["many targets", "one axes", "kind"])
def test_a_row_for_every_target(given):
    Y = many_targets(9 if given == "many targets" else 3)
    ax = ax_of() if given == "one axes" else None
    kind = "rows" if given == "kind" else "auto"
    display = ClassDistributionDisplay.from_labels(Y, ax=ax, kind=kind)
    assert ax is None or display.ax_ is ax
    order = np.argsort(display.omega, kind="stable")
    assert tick_names(display.ax_, "y") == [Y.columns[target] for target in order]
    assert display.ax_.get_xscale() == "log"
    dots = {}
    for collection in display.ax_.collections:
        colour = colors.to_hex(collection.get_facecolor()[0]).upper()
        for size, row in collection.get_offsets():
            dots[int(row), int(size)] = colour == VERMILION
    expected = {}
    for row, target in enumerate(order):
        ones = Y.iloc[:, target].sum()
        for size in (ones, 200 - ones):
            expected[row, int(size)] = size <= 100
    assert dots == expected
    omegas = display.ax_.child_axes[0]
    assert tick_names(omegas, "y") == [f"{display.omega[target]:.2f}" for target in order]


def test_bars_on_request_for_many_targets():
    display = ClassDistributionDisplay.from_labels(many_targets(), kind="bars")
    assert display.ax_.shape == (9,)
    assert len(display.figure_.axes) == 9


def test_class_names_give_way_to_places_where_there_is_no_room():
    few = ClassDistributionDisplay.from_labels(np.repeat(["first", "second"], [3, 2]))
    assert few.ax_.get_xlabel() == ""
    sizes = np.arange(100, 0, -1)
    many = ClassDistributionDisplay.from_labels(np.repeat(np.arange(100), sizes))
    assert many.ax_.get_xlabel() == "Class, by size"
    assert bars(many.ax_)[0] == sizes.tolist()
    assert [many.ax_.patches[i].get_center()[0] for i in (0, -1)] == pytest.approx([1, 100])


@pytest.mark.parametrize(
    ("n", "length", "angle"), [(3, 1, 0), (6, 3, 0), (3, 14, 35), (12, 5, 35), (20, 5, 90)]
)
def test_class_names_do_not_overlap(n, length, angle):
    names = [f"{i:02d}" + "m" * (length - 1) for i in range(n)]
    display = ClassDistributionDisplay.from_labels(np.repeat(names, range(2, n + 2)))
    labels = display.ax_.get_xticklabels()
    assert [label.get_text() for label in labels] == names[::-1]
    assert {label.get_rotation() for label in labels} == {angle}
    display.figure_.draw_without_rendering()
    if angle == 35:  # boxes around slanted text overlap where the text does not
        scale = 72 / display.figure_.dpi
        gap = np.diff(display.ax_.transData.transform([(1, 1), (2, 1)])[:, 0])[0] * scale
        assert gap * np.sin(np.radians(angle)) > labels[0].get_size()
    else:
        assert not overlapping(labels, display.figure_)


def test_numbers_of_a_logarithmic_axis_do_not_overlap():
    Y = many_targets()
    big = pd.concat([Y] * 500)
    display = ClassDistributionDisplay.from_labels(big)
    assert not overlapping(display.ax_.get_xticklabels(), display.figure_)
    assert "100,000" in tick_names(display.ax_) or "10,000" in tick_names(display.ax_)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": ["a", "a"]}, "two classes or more.*one class only: 'a'"),
        ({"y": [None, None]}, "no label at all"),
        ({"y": [0.5, 1.5]}, "continuous"),
        ({"y": None}, "y is None"),
        ({"y": [0, 1], "rho": 0}, "rho must be"),
        ({"y": [0, 1], "target": 1}, "integer from -1 to 0; got 1"),
        ({"y": [0, 1], "kind": "pie"}, "kind must be one of"),
        ({"y": [[0, 1], [1, 0]], "target": "a"}, "integer from -2 to 1; got 'a'"),
        ({"y": pd.DataFrame({"abc": [0, 1]}), "target": "abd"}, "did you mean 'abc'"),
        ({"y": pd.DataFrame({"ab": [0, 1]}), "target": 3}, "one of the names 'ab'; got 3"),
        ({"y": pd.DataFrame({"ab": [0, 1]}), "target": True}, "got True"),
    ],
)
def test_bad_labels_and_settings_of_a_class_distribution(arguments, message):
    with pytest.raises(ValueError, match=message):
        ClassDistributionDisplay.from_labels(**arguments)
    assert not plt.get_fignums()


def test_estimators_that_keep_no_counts():
    with pytest.raises(ValueError, match="class_counts_; DecisionTreeClassifier has none"):
        ClassDistributionDisplay.from_estimator(DecisionTreeClassifier())
    with pytest.raises(ValueError, match=r"CRLClassifier has none\. Fit it"):
        ClassDistributionDisplay.from_estimator(CRLClassifier())


# ----------------------------------------------------------------------------- axes and matplotlib


def draw_each(axes=(None,) * 6):
    """One display of each kind."""
    embedding = np.random.default_rng(0).normal(size=(6, 3))
    return [
        ClassDistributionDisplay.from_labels([0, 0, 1], ax=axes[0]),
        SensitivityDisplay.from_predictions([0, 0, 1], [0, 0, 1], ax=axes[1]),
        GainByImbalanceDisplay.from_arrays([2, 3], [1, -1], ax=axes[2]),
        FeatureEmbeddingDisplay.from_features(embedding, [0, 0, 1] * 2, ax=axes[3]),
        TrainingHistoryDisplay({"a": [2, 1]}).plot(axes[4]),
        CriticalDifferenceDisplay.from_ranks({"a": 1, "b": 2}, 0.5, ax=axes[5]),
    ]


def test_every_display_draws_where_it_is_told():
    axes = ax_of(6)
    for display, ax in zip(draw_each(axes), axes, strict=True):
        assert display.ax_ is ax
        assert display.figure_ is ax.figure
    assert len(plt.get_fignums()) == 1


def test_every_display_makes_a_figure_of_its_own():
    displays = draw_each()
    assert {type(display).__name__ for display in displays} == set(sk_crl.displays.__all__)
    assert len({id(display.figure_) for display in displays}) == 6
    for display in displays:
        assert display.plot() is display


def test_axes_that_are_none_and_another_number_of_them():
    for count, ax in ((2, ax_of(2)), (0, [])):
        with pytest.raises(ValueError, match=f"must be 1 matplotlib Axes.*got {count}"):
            ClassDistributionDisplay.from_labels([0, 0, 1], ax=ax)
    with pytest.raises(TypeError, match=r"must be matplotlib Axes; got str.*subplots"):
        ClassDistributionDisplay.from_labels([0, 0, 1], ax="here")


def test_without_matplotlib_errors_name_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    rng = np.random.default_rng(0)
    for name, draw in {
        "ClassDistributionDisplay": lambda: ClassDistributionDisplay.from_labels("not read"),
        "SensitivityDisplay": lambda: SensitivityDisplay.from_predictions(None, None),
        "GainByImbalanceDisplay": lambda: GainByImbalanceDisplay.from_frame(None),
        "FeatureEmbeddingDisplay": lambda: FeatureEmbeddingDisplay.from_features(rng, None),
        "TrainingHistoryDisplay": lambda: TrainingHistoryDisplay({"a": [1]}).plot(),
        "CriticalDifferenceDisplay": lambda: CriticalDifferenceDisplay.from_ranks(None),
    }.items():
        with pytest.raises(ImportError, match=rf"{name} .*pip install 'sk-crl\[displays\]'"):
            draw()


# ------------------------------------------------------------------------------------- sensitivity

Y_TRAIN = np.repeat(["b", "a", "c"], [50, 30, 5])
Y_TRUE = np.array(["a", "a", "a", "a", "b", "b", "c", "c"])
SAID = {
    "plain": np.array(["a", "a", "a", "b", "b", "b", "b", "b"]),
    "CRL": np.array(["a", "a", "b", "b", "b", "a", "c", "c"]),
}


def marks(ax):
    """What every method's marks show, in percent from the top row down, by the legend's name."""
    return {
        line.get_label(): line.get_xdata()[np.argsort(line.get_ydata())].tolist()
        for line in ax.lines
        if not line.get_label().startswith("_")
    }


def test_sensitivities_by_training_size():
    display = SensitivityDisplay.from_predictions(Y_TRUE, SAID, y_train=Y_TRAIN)
    assert marks(display.ax_) == {
        "plain (58.3)": [100, 75, 0],
        "CRL (66.7)": [50, 50, 100],
    }
    assert tick_names(display.ax_, "y") == ["b (50)", "a (30)", "c (5)"]
    bottom, top = display.ax_.get_ylim()
    assert bottom > top  # the largest class is the uppermost row
    assert display.ax_.get_ylabel() == "Class (training samples)"
    assert legend_names(display.ax_) == ["plain (58.3)", "CRL (66.7)"]
    assert display.sensitivities["CRL"][0].tolist() == [0.5, 0.5, 1]


def test_marks_stay_in_their_row():
    said = {str(i): Y_TRUE for i in range(8)}
    display = SensitivityDisplay.from_predictions(Y_TRUE, said)
    rows = np.array([line.get_ydata() for line in display.ax_.lines])
    assert_array_equal(np.rint(rows), [[0, 1, 2]] * 8)
    assert len(np.unique(rows[:, 0])) == 8
    looks = {(line.get_color(), line.get_marker()) for line in display.ax_.lines}
    assert len(looks) == 8


def test_sizes_of_the_samples_that_are_scored_where_no_others_are_known():
    display = SensitivityDisplay.from_predictions(Y_TRUE, SAID["CRL"])
    assert tick_names(display.ax_, "y") == ["a (4)", "b (2)", "c (2)"]
    assert display.ax_.get_ylabel() == "Class (test samples)"
    assert legend_names(display.ax_) == ["Predictions (66.7)"]


def test_a_class_that_is_not_scored_has_a_row_without_marks():
    display = SensitivityDisplay.from_predictions(Y_TRUE[:6], SAID["CRL"][:6], y_train=Y_TRAIN)
    assert tick_names(display.ax_, "y")[2] == "c (5)"
    assert_array_equal(marks(display.ax_)["Predictions (50.0)"], [50, 50, np.nan])


def test_sensitivities_of_estimators(trained):
    X, y, model = trained
    tree = DecisionTreeClassifier(max_depth=1, random_state=0).fit(X, y)
    pipeline = make_pipeline(FunctionTransformer(), model)
    display = SensitivityDisplay.from_estimator({"tree": tree, "net": pipeline}, X[60:], y[60:])
    assert tick_names(display.ax_, "y") == ["big (80)", "middle (28)", "small (12)"]
    for fitted, (name, shown) in zip((tree, model), marks(display.ax_).items(), strict=True):
        expected = 100 * class_sensitivities(y[60:], fitted.predict(X[60:]))
        assert_allclose(shown, expected)
        assert name.endswith(f"({expected.mean():.1f})")
    alone = SensitivityDisplay.from_estimator(tree, X, y)
    assert tick_names(alone.ax_, "y") == ["big (80)", "middle (28)", "small (12)"]
    assert alone.ax_.get_ylabel() == "Class (test samples)"
    (name,) = legend_names(SensitivityDisplay.from_estimator(pipeline, X, y).ax_)
    assert name.startswith("CRLClassifier (")
    told = SensitivityDisplay.from_estimator(model, X, y, y_train=np.repeat(y, 2))
    assert tick_names(told.ax_, "y") == ["big (160)", "middle (56)", "small (24)"]


def test_sensitivities_of_several_targets(trained_on_two):
    X, Y, model = trained_on_two
    display = SensitivityDisplay.from_estimator(model, X, Y)
    expected = class_sensitivities(Y, model.predict(X))
    for ax, target in zip(display.ax_, expected, strict=True):
        (shown,) = marks(ax).values()
        assert_allclose(shown, 100 * target)
    titles = [ax.get_legend().get_title().get_text() for ax in display.ax_]
    assert [title.split(",")[0] for title in titles] == ["size", "even"]
    one = SensitivityDisplay.from_predictions(Y, model.predict(X), y_train=Y, target="even")
    assert tick_names(one.ax_, "y") == ["False (80)", "True (40)"]
    assert_allclose(next(iter(marks(one.ax_).values())), 100 * expected[1])


def test_weighted_sensitivities_and_a_label_that_stands_for_none():
    display = SensitivityDisplay.from_predictions(
        [0, 0, 1, -1], [0, 1, 1, 0], sample_weight=[3, 1, 1, 1], missing_label=-1
    )
    assert display.sensitivities["Predictions"][0].tolist() == [0.75, 1]
    assert tick_names(display.ax_, "y") == ["0 (2)", "1 (1)"]


def test_names_of_many_classes_do_not_overlap():
    y = np.repeat(np.arange(90), np.arange(90, 0, -1))
    display = SensitivityDisplay.from_predictions(y, y, ax=ax_of())
    assert not overlapping(display.ax_.get_yticklabels(), display.figure_)
    assert 5 < len(tick_names(display.ax_, "y")) < 90
    assert tick_names(display.ax_, "y")[0] == "0 (90)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y_pred": {}}, "y_pred must hold something"),
        ({"y_pred": SAID["CRL"][:3]}, "as many rows; got 8 and 3"),
        ({"y_pred": np.arange(8)}, "labels of the same type"),
        ({"y_pred": SAID, "y_train": [0, 1]}, "y_train must hold labels of the same type.*got 0"),
        ({"y_pred": SAID, "y_train": np.eye(2)}, "y_train must have as many targets.* 1; got 2"),
        ({"y_pred": SAID, "target": "size"}, "target must be an integer"),
    ],
)
def test_bad_predictions(arguments, message):
    with pytest.raises(ValueError, match=message):
        SensitivityDisplay.from_predictions(Y_TRUE, **arguments)
    assert not plt.get_fignums()


def test_training_labels_of_other_targets():
    Y = pd.DataFrame({"a": [0, 1], "b": [0, 1]})
    with pytest.raises(ValueError, match=r"y_train must be those of y_true.*\['b', 'a'\]"):
        SensitivityDisplay.from_predictions(Y, Y, y_train=Y[["b", "a"]])


# -------------------------------------------------------------------------------- gain by imbalance


def points_of(ax):
    """Where dots are, by the legend's name."""
    return {dots.get_label(): dots.get_offsets().data.tolist() for dots in ax.collections}


FRAME = {"imbalance_ratio": [8.0, 30.0, 2.0, 100.0], "gain": [1.5, -2.0, 0.0, 4.0]}


@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame])
def test_gains_of_a_frame(container):
    gain = [points / 100 for points in FRAME["gain"]]
    frame = container(FRAME | {"gain": gain, "set": ["ecoli", "oil", "iris", "yeast"]})
    display = GainByImbalanceDisplay.from_frame(frame, name="set", label="Gain of CRL (points)")
    ax = display.ax_
    assert points_of(ax) == {
        "Better (2)": [[8, 1.5], [100, 4]],
        "Equal (1)": [[2, 0]],
        "Worse (1)": [[30, -2]],
    }
    assert legend_names(ax) == list(points_of(ax))
    assert ax.get_xscale() == "log"
    (zero,) = ax.lines
    assert zero.get_ydata() == [0, 0]
    assert ax.get_ylabel() == "Gain of CRL (points)"
    assert {text.get_text(): text.xy for text in ax.texts} == {
        "ecoli": (8, 1.5),
        "oil": (30, -2),
        "iris": (2, 0),
        "yeast": (100, 4),
    }


def test_gains_of_arrays_without_names():
    display = GainByImbalanceDisplay.from_arrays(FRAME["imbalance_ratio"], FRAME["gain"])
    assert not display.ax_.texts
    assert display.ax_.get_ylabel() == "Gain (points)"
    low, high = display.ax_.get_xlim()
    assert 0 < low < 2 < 100 < high


@pytest.mark.parametrize("own_axes", [False, True])
def test_names_beside_points_hide_neither_points_nor_each_other(own_axes):
    rng = np.random.default_rng(1)
    ratio, gain = 10 ** rng.uniform(0.5, 2.5, 23), rng.normal(1, 3, 23)
    names = [f"data set {i}" for i in range(23)]
    ax = ax_of() if own_axes else None
    display = GainByImbalanceDisplay.from_arrays(ratio, gain, names=names, ax=ax)
    figure, ax = display.figure_, display.ax_
    assert not overlapping(ax.texts, figure)
    dots = ax.transData.transform(np.column_stack([ratio, gain])) * 72 / figure.dpi
    for left, bottom, right, top in boxes(ax.texts, figure).values():
        inside = (dots > [left, bottom]).all(1) & (dots < [right, top]).all(1)
        assert not inside.any()


@pytest.mark.parametrize(
    ("ratio", "gain", "names", "message"),
    [
        ([1, 2], [1], None, "got 2 of imbalance_ratio, 1 of gain"),
        ([1, 2], [1, 2], ["a"], "1 of names"),
        ([0.5, 2], [1, 2], None, "1 or more; got 0.5"),
        ([1, np.inf], [1, 2], None, "imbalance_ratio must be finite; got inf at place 1"),
        ([1, 2], [np.nan, 2], None, "gain must be finite; got nan at place 0"),
        ([[1, 2]], [1, 2], None, r"got shape \(1, 2\)"),
        ([], [], None, "sequence of numbers"),
        (["a"], [1], None, "sequence of numbers"),
    ],
)
def test_bad_gains(ratio, gain, names, message):
    with pytest.raises(ValueError, match=message):
        GainByImbalanceDisplay.from_arrays(ratio, gain, names=names)


def test_columns_that_a_frame_lacks():
    of_compare = pd.DataFrame({"dataset": ["a"], "imbalance_ratio": [1.0], "score": [0.5]})
    message = r"gain_by_imbalance\(frame, method, over\) makes them.*got \['dataset'"
    with pytest.raises(ValueError, match=message):
        GainByImbalanceDisplay.from_frame(of_compare)
    with pytest.raises(ValueError, match="'set'"):
        GainByImbalanceDisplay.from_frame(pd.DataFrame(FRAME), name="set")


# ------------------------------------------------------------------------------- feature embedding


def groups_of(ax):
    """Places of every class, in the order of drawing, the uppermost last."""
    drawn = sorted(ax.collections, key=lambda dots: dots.get_zorder())
    return {dots.get_label(): np.asarray(dots.get_offsets()) for dots in drawn}


def principal_components(features):
    """Two of them and their shares of the variance, by the singular value decomposition."""
    left, sizes, _ = np.linalg.svd(features - features.mean(0), full_matrices=False)
    return left[:, :2] * sizes[:2], 100 * sizes[:2] ** 2 / (sizes**2).sum()


def test_embedding_of_features_by_principal_components(trained):
    X, y, model = trained
    display = FeatureEmbeddingDisplay.from_estimator(model, X, y)
    expected, shares = principal_components(model.features(X).astype(float))
    groups = groups_of(display.ax_)
    assert list(groups) == ["big (80)", "middle (28)", "small (12)"]  # small ones on top
    for label, shown in zip(("big", "middle", "small"), groups.values(), strict=True):
        assert_allclose(np.abs(shown), np.abs(expected[y == label]), atol=1e-5)
    assert display.ax_.get_xlabel() == f"Component 1 ({shares[0]:.0f} % of variance)"
    assert display.ax_.get_ylabel() == f"Component 2 ({shares[1]:.0f} % of variance)"
    assert display.ax_.get_legend().get_title().get_text() == "Class (samples)"


def test_embedding_of_pipelines_and_transformers(trained):
    X, y, _ = trained
    scaler = StandardScaler().fit(X)
    unfitted = CRLClassifier(n_members=1, max_epochs=2, random_state=0, device="cpu")
    scaled = clone(unfitted).fit(scaler.transform(X), y)
    expected = groups_of(
        FeatureEmbeddingDisplay.from_features(scaled.features(scaler.transform(X)), y).ax_
    )
    pipeline = make_pipeline(StandardScaler(), unfitted)
    search = GridSearchCV(pipeline, {"crlclassifier__eta": [0.5]}, cv=2)
    for fitted in (pipeline.fit(X, y), search.fit(X, y)):
        shown = groups_of(FeatureEmbeddingDisplay.from_estimator(fitted, X, y).ax_)
        for name in expected:
            assert_allclose(shown[name], expected[name], atol=1e-4)
    sampling = make_sampling_pipeline(StandardScaler(), RandomOverSampler(random_state=0), unfitted)
    display = FeatureEmbeddingDisplay.from_estimator(sampling.fit(X, y), X, y)
    features = sampling[-1].features(scaler.transform(X))
    assert_allclose(
        np.abs(display.coordinates[0]), np.abs(principal_components(features)[0]), atol=1e-3
    )
    of_transformer = FeatureEmbeddingDisplay.from_estimator(scaler, X, y)
    assert_allclose(
        np.abs(of_transformer.coordinates[0]),
        np.abs(principal_components(scaler.transform(X))[0]),
        atol=1e-9,
    )


def test_embedding_of_several_targets_with_missing_labels(trained_on_two):
    X, Y, model = trained_on_two
    display = FeatureEmbeddingDisplay.from_estimator(model, X, Y)
    features = model.features(X).astype(float)
    assert features.shape == (120, 2, 3)
    for i, rows in enumerate((slice(10, None), slice(None))):
        expected, _ = principal_components(features[rows, i])
        assert_allclose(np.abs(display.coordinates[i]), np.abs(expected), atol=1e-5)
    assert list(groups_of(display.ax_[0])) == ["big (70)", "middle (28)", "small (12)"]
    titles = [ax.get_legend().get_title().get_text() for ax in display.ax_]
    assert titles == ["size (samples)", "even (samples)"]
    one = FeatureEmbeddingDisplay.from_estimator(model, X, Y, target="even")
    assert list(groups_of(one.ax_)) == ["False (80)", "True (40)"]


def test_embedding_and_history_of_a_rival(trained):
    X, y, _ = trained
    model = LMLEClassifier(max_epochs=4, random_state=0, device="cpu").fit(X, y)
    display = FeatureEmbeddingDisplay.from_estimator(model, X, y)
    expected, _ = principal_components(model.features(X).astype(float))
    assert_allclose(np.abs(display.coordinates[0]), np.abs(expected), atol=1e-5)
    (curve,) = TrainingHistoryDisplay.from_estimator(model).ax_.lines
    assert curve.get_ydata().tolist() == model.loss_curve_


def test_embedding_of_chosen_classes(trained):
    X, y, _ = trained
    display = FeatureEmbeddingDisplay.from_features(X, y, classes=["small", "big"])
    assert list(groups_of(display.ax_)) == ["big (80)", "small (12)"]
    expected, _ = principal_components(X[y != "middle"])
    assert_allclose(np.abs(display.coordinates[0]), np.abs(expected), atol=1e-9)


@pytest.mark.usefixtures("untouched_generators")
def test_embedding_by_neighbours_repeats_itself(trained):
    X, y, _ = trained
    first, second = (
        FeatureEmbeddingDisplay.from_features(X, y, method="tsne", random_state=3) for _ in "ab"
    )
    assert_array_equal(first.coordinates[0], second.coordinates[0])
    assert first.ax_.get_xlabel() == "t-SNE 1"
    few = FeatureEmbeddingDisplay.from_features(X[::20], y[::20], method="tsne")
    assert few.coordinates[0].shape == (6, 2)


class FirstTwo(TransformerMixin, BaseEstimator):
    """Keeps the columns asked for."""

    def __init__(self, n=2):
        self.n = n

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X[:, : self.n]


def test_embedding_by_a_transformer_of_ones_own(trained):
    X, y, _ = trained
    method = FirstTwo()
    display = FeatureEmbeddingDisplay.from_features(X, y, method=method)
    assert_array_equal(display.coordinates[0], X[:, :2])
    assert display.ax_.get_ylabel() == "FirstTwo 2"
    assert not hasattr(method, "fitted_")


@pytest.mark.parametrize("n_classes", [1, 2, 8, 9, 24])
def test_classes_differ_in_colour(n_classes):
    y = np.repeat(np.arange(n_classes), np.arange(n_classes + 2, 2, -1))
    X = np.random.default_rng(0).normal(size=(len(y), 2))
    display = FeatureEmbeddingDisplay.from_features(X, y)
    shades = {tuple(dots.get_facecolor()[0]) for dots in display.ax_.collections}
    assert len(shades) == n_classes
    assert len(legend_names(display.ax_)) == n_classes


@pytest.mark.parametrize(
    ("features", "y", "arguments", "message"),
    [
        (np.zeros((4, 1)), [0, 1, 0, 1], {}, r"d of 2 or more; got \(4, 1\)"),
        (np.zeros((3, 2)), [0, 1, 0, 1], {}, r"labels of 4 samples.*got \(3, 2\)"),
        (np.zeros((4, 3, 2)), [0, 1, 0, 1], {}, r"\(4, 1, d\).*got \(4, 3, 2\)"),
        (np.full((4, 2), np.nan), [0, 1, 0, 1], {}, "must be finite"),
        (np.ones((4, 2)), [0, 1, 0, 1], {}, "must differ; got 4 samples"),
        (np.eye(4), [0, 1, 0, 1], {"method": "umap"}, "'pca', 'tsne' or a transformer; got 'umap'"),
        (np.eye(4), [0, 1, 0, 1], {"method": PCA(3)}, r"two columns, shape \(4, 2\).*\(4, 3\)"),
        (np.eye(4), [0, 1, 0, 1], {"classes": [1, 5]}, r"labels of y, \[0, 1\]; got \[5\]"),
        (np.eye(4), [0, 1, 0, 1], {"classes": [1]}, "three labels or more; got 2"),
        (np.eye(4), [0, 1, 0, 1], {"target": 2}, "target must be"),
    ],
)
def test_bad_features(features, y, arguments, message):
    with pytest.raises(ValueError, match=message):
        FeatureEmbeddingDisplay.from_features(features, y, **arguments)
    assert not plt.get_fignums()


def test_estimators_that_make_no_features(trained):
    X, y, _ = trained
    tree = DecisionTreeClassifier().fit(X, y)
    for estimator in (tree, make_pipeline(StandardScaler(), tree).fit(X, y)):
        with pytest.raises(ValueError, match="features or transform; DecisionTreeClassifier has"):
            FeatureEmbeddingDisplay.from_estimator(estimator, X, y)


# -------------------------------------------------------------------------------- training history


def test_losses_and_validation_scores_of_every_epoch(trained):
    _, _, model = trained
    display = TrainingHistoryDisplay.from_estimator(model)
    losses, scores = display.ax_
    (line,) = losses.lines
    assert line.get_xdata().tolist() == [1, 2, 3, 4, 5, 6]
    assert_array_equal(line.get_ydata(), model.loss_curve_)
    (line,) = scores.lines
    assert_allclose(line.get_ydata(), [-score for score in model.validation_scores_])
    best = int(np.argmax(model.validation_scores_))
    assert line.get_markevery() == [best]
    assert legend_names(scores) == [f"CRLClassifier (best: epoch {best + 1})"]
    assert losses.get_legend() is None
    assert losses.get_ylabel() == "Training loss"
    assert scores.get_ylabel() == "Balanced log-loss\n(validation)"


def test_several_histories_on_one_axes(trained):
    X, y, model = trained
    short = CRLClassifier(n_members=1, max_epochs=2, random_state=0, device="cpu").fit(X, y)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), short), {"crlclassifier__eta": [0.5]}, cv=2
    )
    display = TrainingHistoryDisplay.from_estimator(
        {"long": model, "short": make_pipeline(short), "found": search.fit(X, y)}
    )
    losses, scores = display.ax_
    assert [len(line.get_xdata()) for line in losses.lines] == [6, 2, 2]
    assert legend_names(losses) == ["long", "short", "found"]
    assert len({(line.get_color(), line.get_linestyle()) for line in losses.lines}) == 3
    assert len(scores.lines) == 1  # the others have no validation data
    assert scores.lines[0].get_color() == losses.lines[0].get_color()


def test_balanced_accuracies_are_drawn_in_percent(trained):
    X, y, _ = trained
    model = CRLClassifier(max_epochs=3, monitor="balanced_accuracy", random_state=0, device="cpu")
    model.fit(X, y, X_val=X, y_val=y)
    display = TrainingHistoryDisplay.from_estimator(model, curves="validation")
    (line,) = display.ax_.lines
    assert_allclose(line.get_ydata(), 100 * np.array(model.validation_scores_))
    assert display.ax_.get_ylabel() == "Balanced accuracy\n(validation, %)"


def test_validation_scores_after_a_warm_start_stand_at_the_last_epochs(trained):
    X, y, _ = trained
    model = CRLClassifier(max_epochs=2, warm_start=True, random_state=0, device="cpu").fit(X, y)
    model.set_params(max_epochs=3).fit(X, y, X_val=X, y_val=y)
    losses, scores = TrainingHistoryDisplay.from_estimator(model).ax_
    assert losses.lines[0].get_xdata().tolist() == [1, 2, 3, 4, 5]
    assert scores.lines[0].get_xdata().tolist() == [3, 4, 5]
    best = 3 + int(np.argmax(model.validation_scores_))
    assert legend_names(scores) == [f"CRLClassifier (best: epoch {best})"]


@pytest.mark.parametrize("early_stopping", [False, True])
def test_histories_of_another_library(trained, early_stopping):
    X, y, _ = trained
    model = MLPClassifier(4, max_iter=3, early_stopping=early_stopping, random_state=0)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    axes = np.ravel(TrainingHistoryDisplay.from_estimator(model).ax_)
    assert_array_equal(axes[0].lines[0].get_ydata(), model.loss_curve_)
    assert len(axes) == 1 + early_stopping
    if early_stopping:
        assert_array_equal(axes[1].lines[0].get_ydata(), model.validation_scores_)
        assert axes[1].get_ylabel() == "Score\n(validation)"


def test_histories_that_cannot_be_drawn(trained):
    X, y, model = trained
    other = CRLClassifier(max_epochs=1, monitor="balanced_accuracy", device="cpu")
    other.fit(X, y, X_val=X, y_val=y)
    draw = TrainingHistoryDisplay.from_estimator
    with pytest.raises(ValueError, match=r"same score.*'a': balanced_log_loss, 'b': balanced_acc"):
        draw({"a": model, "b": other})
    with pytest.raises(ValueError, match="loss_curve_; CRLClassifier has none"):
        draw(CRLClassifier())
    with pytest.raises(ValueError, match="estimator must hold something"):
        draw({})
    with pytest.raises(ValueError, match="curves must be one of"):
        draw(model, curves="score")
    unvalidated = CRLClassifier(n_members=1, max_epochs=1, device="cpu").fit(X, y)
    with pytest.raises(ValueError, match="no validation scores to draw"):
        draw(unvalidated, curves="validation")
    with pytest.raises(ValueError, match=r"2 matplotlib Axes.*got 1"):
        draw(model, ax=ax_of())
    assert draw(model, ax=ax_of(), curves="loss").ax_.get_ylabel() == "Training loss"
    with pytest.raises(ValueError, match="got 1 losses and 2 scores"):
        TrainingHistoryDisplay({"a": [1]}, {"a": [1, 2]})
    with pytest.raises(ValueError, match="'a' must hold a number for every epoch"):
        TrainingHistoryDisplay({"a": []})


# ----------------------------------------------------------------------------- critical difference


def groups_by_hand(ranks, cd):
    """All runs of methods whose ranks differ by less than cd, without those inside another."""
    n = len(ranks)
    runs = [
        list(range(i, j + 1)) for i in range(n) for j in range(i + 1, n) if ranks[j] - ranks[i] < cd
    ]
    return [run for run in runs if not any(set(run) < set(other) for other in runs)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(4, 60), min_size=2, max_size=9), st.integers(0, 40))
def test_groups_are_the_largest_runs_within_the_critical_difference(quarters, cd):
    ranks = {i: quarter / 4 for i, quarter in enumerate(quarters)}
    display = CriticalDifferenceDisplay.from_ranks(ranks, cd / 4)
    assert display.mean_ranks.tolist() == sorted(ranks.values())
    assert display.groups == groups_by_hand(display.mean_ranks, cd / 4)
    plt.close("all")


RANKS = {"SMOTE": 2.4, "CRL": 1.6, "plain": 3.9, "weights": 2.1}


def lines_of(ax, width):
    return [line for line in ax.lines if line.get_linewidth() == width]


@pytest.mark.parametrize("container", [dict, pd.Series])
def test_what_a_diagram_shows(container):
    display = CriticalDifferenceDisplay.from_ranks(container(RANKS), cd=1.0)
    ax = display.ax_
    assert display.names == ["CRL", "weights", "SMOTE", "plain"]
    (bar,) = lines_of(ax, 2.5)
    assert bar.get_xdata().tolist() == [1.6, 2.1, 2.4]
    leads = lines_of(ax, 0.7)
    assert [line.get_xdata()[0] for line in leads] == [1.6, 2.1, 2.4, 3.9]
    placed = {text.get_text(): text for text in ax.texts}
    for name, line in zip(display.names, leads, strict=True):
        edge, row = line.get_xdata()[-1], line.get_ydata()[-1]
        assert placed[name].xy == (edge, row)
        assert placed[f"{RANKS[name]:.2f}"].xy == (edge, row)
        assert line.get_ydata()[0] == 0
    assert [placed[name].get_ha() for name in display.names] == ["right", "right", "left", "left"]
    assert leads[0].get_ydata()[-1] == leads[3].get_ydata()[-1]  # the outer ones are the uppermost
    ruler = next(line for line in lines_of(ax, 1) if len(line.get_xdata()) == 4)
    assert ruler.get_xdata().max() - ruler.get_xdata().min() == pytest.approx(1.0)
    assert "CD = 1.00" in placed
    assert not ax.axison


def test_a_diagram_of_a_comparison():
    scores = {"net": [0.9, 0.8, 0.9, 0.7], "tree": [0.8, 0.7, 0.8, 0.8], "prior": [0.5] * 4}
    frame = pd.DataFrame(scores, index=[*"abcd"]).rename_axis("dataset").reset_index()
    frame = frame.melt("dataset", var_name="method", value_name="balanced_accuracy")
    display = CriticalDifferenceDisplay.from_frame(frame.assign(split=0))
    found = critical_difference(frame.assign(split=0))
    assert display.cd == found.critical_difference
    assert display.names == list(found.methods)
    joined = [tuple(display.names[i] for i in group) for group in display.groups]
    assert joined == list(found.groups) == [("net", "tree"), ("tree", "prior")]
    worst_first = CriticalDifferenceDisplay.from_frame(
        frame.assign(split=0), alpha=0.2, greater_is_better=False
    )
    assert worst_first.names == ["prior", "tree", "net"]
    assert worst_first.cd < display.cd


def test_a_gain_of_a_comparison_is_drawn_in_points():
    frame = pd.DataFrame(
        {
            "dataset": ["a", "a", "b", "b"],
            "method": ["net", "tree", "net", "tree"],
            "split": 0,
            "imbalance_ratio": [30.0, 30.0, 2.0, 2.0],
            "balanced_accuracy": [0.8, 0.75, 0.875, 0.9375],
        }
    )
    gains = gain_by_imbalance(frame, "net", over="tree")
    display = GainByImbalanceDisplay.from_frame(gains, name="dataset")
    assert points_of(display.ax_) == {"Better (1)": [[30, 5]], "Worse (1)": [[2, -6.25]]}


def test_groups_that_are_given():
    groups = [["CRL", "SMOTE"], ["plain", "SMOTE"]]
    display = CriticalDifferenceDisplay.from_ranks(RANKS, groups=groups)
    assert display.groups == [[0, 2], [2, 3]]
    skipping, whole = lines_of(display.ax_, 2.5)
    assert skipping.get_xdata().tolist() == [1.6, 2.4]
    assert skipping.get_marker() == "o"  # it passes by the class weights
    assert whole.get_marker() == "None"
    assert skipping.get_ydata()[0] != whole.get_ydata()[0]
    assert not [text for text in display.ax_.texts if "CD" in text.get_text()]
    both = CriticalDifferenceDisplay.from_ranks(RANKS, 0.3, groups=groups)
    assert both.groups == display.groups
    assert [text for text in both.ax_.texts if text.get_text() == "CD = 0.30"]


def test_bars_of_one_level_do_not_touch():
    ranks = {i: 1 + i / 2 for i in range(20)}
    display = CriticalDifferenceDisplay.from_ranks(ranks, cd=1.6)
    bars = [
        (*line.get_xdata()[[0, -1]], line.get_ydata()[0]) for line in lines_of(display.ax_, 2.5)
    ]
    assert len(bars) == 17
    for (start, end, level), (other, other_end, other_level) in itertools.combinations(bars, 2):
        assert level != other_level or end < other or other_end < start
    lowest = min(level for *_, level in bars)
    assert all(line.get_ydata()[-1] < lowest for line in lines_of(display.ax_, 0.7))


@pytest.mark.parametrize("n", [2, 3, 10, 25])
@pytest.mark.parametrize("own_axes", [False, True])
@pytest.mark.parametrize("spread", [0.01, 1.0])
def test_nothing_that_is_written_overlaps_or_is_cut_off(n, own_axes, spread):
    ranks = {f"method {i}" + " long" * (i % 3): 2 + i * spread for i in range(n)}
    ax = plt.subplots(figsize=(7, 5), layout="constrained")[1] if own_axes else None
    display = CriticalDifferenceDisplay.from_ranks(ranks, cd=1.5, ax=ax)
    texts = [text for text in display.ax_.texts if not text.get_text()[0].isdigit()]
    assert not overlapping(texts, display.figure_)
    size = display.figure_.get_size_inches() * 72
    for left, bottom, right, top in boxes(display.ax_.texts, display.figure_).values():
        assert min(left, bottom) >= -0.5
        assert right <= size[0] + 0.5
        assert top <= size[1] + 0.5


@pytest.mark.parametrize(
    ("ranks", "arguments", "message"),
    [
        ([1, 2], {"cd": 1}, "mapping or a pandas Series.*got a list"),
        ({"a": 1}, {"cd": 1}, r"two methods or more.*got \['a'\]"),
        ({"1": 1, 1: 2}, {"cd": 1}, "different names"),
        (pd.Series([1, 2], index=["a", "a"]), {"cd": 1}, r"different names; got \['a', 'a'\]"),
        ({"a": 0.5, "b": 2}, {"cd": 1}, "mean rank of 'a' must be a number.*got 0.5"),
        ({"a": np.nan, "b": 2}, {"cd": 1}, "mean rank of 'a'.*got nan"),
        (RANKS, {}, "cd or groups must be given"),
        (RANKS, {"cd": -1}, "cd must be a number"),
        (
            RANKS,
            {"groups": [["CRL", "LMLE"]]},
            r"two or more of the methods.*got \['CRL', 'LMLE'\]",
        ),
        (RANKS, {"groups": [["CRL"]]}, r"two or more of the methods.*got \['CRL'\]"),
    ],
)
def test_bad_ranks(ranks, arguments, message):
    with pytest.raises(ValueError, match=message):
        CriticalDifferenceDisplay.from_ranks(ranks, **arguments)
    assert not plt.get_fignums()
