"""Statistics of comparisons: against published numbers, and twins that read like formulas."""

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from sk_crl.evaluation import (
    CriticalDifference,
    critical_difference,
    gain_by_imbalance,
    paired_differences,
    rank_table,
    score_table,
    to_latex,
    to_markdown,
)
from sk_crl.evaluation._differences import holm

# Table 6 of Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 2006:
# areas under the ROC curve. For voting, the table prints 0.975 twice and ranks them 2 and 3.
DEMSAR = pd.DataFrame(
    {
        "adult": [0.763, 0.768, 0.771, 0.798],
        "breast cancer": [0.599, 0.591, 0.590, 0.569],
        "breast cancer wisconsin": [0.954, 0.971, 0.968, 0.967],
        "cmc": [0.628, 0.661, 0.654, 0.657],
        "ionosphere": [0.882, 0.888, 0.886, 0.898],
        "iris": [0.936, 0.931, 0.916, 0.931],
        "liver disorders": [0.661, 0.668, 0.609, 0.685],
        "lung cancer": [0.583, 0.583, 0.563, 0.625],
        "lymphography": [0.775, 0.838, 0.866, 0.875],
        "mushroom": [1.000, 1.000, 1.000, 1.000],
        "primary tumor": [0.940, 0.962, 0.965, 0.962],
        "rheum": [0.619, 0.666, 0.614, 0.669],
        "voting": [0.972, 0.981, 0.9752, 0.975],
        "wine": [0.957, 0.978, 0.946, 0.970],
    },
    index=["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"],
)


def long(table, split=0, metric="balanced_accuracy"):
    """A frame of fits from a table of data sets (rows) by methods (columns)."""
    frame = table.rename_axis(index="dataset", columns=None).reset_index()
    frame = frame.melt("dataset", var_name="method", value_name=metric)
    return frame.assign(split=split, imbalance_ratio=2.0)


def fits(scores):
    """A frame of fits from an array (n_datasets, n_splits, n_methods)."""
    rows = [
        {
            "dataset": f"d{i}",
            "split": j,
            "method": f"m{k}",
            "balanced_accuracy": float(score),
            "imbalance_ratio": 10.0 * (len(scores) - i) + j,
        }
        for (i, j, k), score in np.ndenumerate(scores)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def demsar():
    return long(DEMSAR.T)


# Scores of few values, so that there are ties.
SCORES = st.tuples(st.integers(3, 9), st.integers(1, 3), st.integers(3, 6)).flatmap(
    lambda shape: arrays(float, shape, elements=st.sampled_from([0.1, 0.2, 0.3, 0.7, 0.9]))
)


# ---------------------------------------------------------------------------- ranks


def test_mean_ranks_of_demsar(demsar):
    table = rank_table(demsar)
    assert table["mean_rank"].round(3).to_dict() == {
        "C4.5+m+cf": 1.964,
        "C4.5+m": 2.000,
        "C4.5+cf": 2.893,
        "C4.5": 3.143,
    }
    assert [*table.index] == ["C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5"]
    assert set(table["n_datasets"]) == {14}
    np.testing.assert_allclose(table["mean_score"], DEMSAR.T.mean()[table.index])


def test_critical_difference_of_demsar(demsar):
    found = critical_difference(demsar)
    assert found.methods == ("C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5")
    assert round(found.critical_difference, 2) == 1.25
    assert found.n_datasets == 14
    assert found.groups == (found.methods,)
    at_10 = critical_difference(demsar, alpha=0.1)
    assert round(at_10.critical_difference, 2) == 1.12
    # "C4.5 is significantly worse than C4.5+m and C4.5+m+cf" at 0.10.
    assert at_10.groups == (("C4.5+m+cf", "C4.5+m", "C4.5+cf"), ("C4.5+cf", "C4.5"))
    # Published without the correction for ties: chi-squared 9.28, and F 3.69 from it.
    ranks = DEMSAR.T.rank(axis=1, ascending=False)
    ties = sum((n**3 - n) for _, row in ranks.iterrows() for n in row.value_counts())
    plain = found.statistic * (1 - ties / (14 * (4**3 - 4)))
    assert round(plain, 2) == 9.28
    assert round(13 * plain / (14 * 3 - plain), 2) == 3.69
    assert found.p_value == pytest.approx(stats.chi2.sf(found.statistic, 3))


def naive_ranks(scores):
    """1 + the number of better ones + half the number of others that are as good."""
    return [1 + sum(o > s for o in scores) + (sum(o == s for o in scores) - 1) / 2 for s in scores]


@given(SCORES)
@settings(max_examples=50, deadline=None)
def test_ranks_are_those_of_counting(scores):
    means = [[round(math.fsum(v) / len(v), 12) for v in dataset.T] for dataset in scores]
    expected = np.mean([naive_ranks(row) for row in means], axis=0)
    frame = fits(scores)
    table = rank_table(frame.sample(frac=1, random_state=0))
    np.testing.assert_allclose(
        table.loc[[f"m{k}" for k in range(scores.shape[2])], "mean_rank"], expected
    )
    assert table["mean_rank"].is_monotonic_increasing
    n_best = [sum(row[k] == max(row) for row in means) for k in range(scores.shape[2])]
    assert table["n_best"].sort_index().tolist() == n_best
    reversed_ = rank_table(frame, greater_is_better=False)["mean_rank"].sort_index()
    np.testing.assert_allclose(reversed_, scores.shape[2] + 1 - expected)


@given(SCORES, st.sampled_from([0.01, 0.05, 0.2]))
@settings(max_examples=50, deadline=None)
def test_groups_are_the_largest_of_methods_that_do_not_differ(scores, alpha):
    found = critical_difference(fits(scores), alpha=alpha)
    rank_of = dict(zip(found.methods, found.mean_ranks, strict=True))
    n_methods = len(found.methods)

    def is_alike(group):
        pairs = combinations(group, 2)
        return all(abs(rank_of[a] - rank_of[b]) < found.critical_difference for a, b in pairs)

    alike = [
        set(group)
        for size in range(2, n_methods + 1)
        for group in combinations(found.methods, size)
        if is_alike(group)
    ]
    largest = [group for group in alike if not any(group < other for other in alike)]
    assert sorted(map(sorted, found.groups)) == sorted(map(sorted, largest))
    # Nemenyi's q is the studentized range's, by the square root of 2: its distribution function at
    # the critical difference is 1 - alpha.
    se = math.sqrt(n_methods * (n_methods + 1) / (12 * len(scores)))
    level = stats.studentized_range.cdf(found.critical_difference / se, n_methods, np.inf)
    assert level == pytest.approx(1 - alpha, abs=1e-6)
    assert 0 <= found.p_value <= 1


def test_methods_that_are_alike_everywhere_do_not_differ():
    found = critical_difference(fits(np.full((4, 2, 3), 0.5)))
    assert (found.statistic, found.p_value) == (0, 1)
    assert found.groups == (found.methods,)


def test_methods_far_apart_make_no_group():
    found = CriticalDifference(("a", "b", "c"), (1.0, 2.0, 3.0), 99, 0.05, 0.5, 99.0, 0.0)
    assert found.groups == ()


def test_a_difference_as_large_as_critical_is_significant():
    found = CriticalDifference(("a", "b", "c"), (1.0, 2.0, 3.0), 9, 0.05, 1.0, 9.0, 0.01)
    assert found.groups == ()


def test_rounding_makes_no_winner():
    # 0.1 + 0.2 + 0.3 is not 0.3 + 0.2 + 0.1 to the last bit.
    scores = np.array([[[0.1, 0.3, 0], [0.2, 0.2, 0], [0.3, 0.1, 0]]] * 2)
    table = rank_table(fits(scores))
    assert table["mean_rank"].to_dict() == {"m0": 1.5, "m1": 1.5, "m2": 3.0}
    assert paired_differences(fits(scores), "m0").loc["m1", "ties"] == 2


# ---------------------------------------------------------------------------- missing fits


@pytest.fixture
def holey():
    """Of three methods on four data sets: m1 failed on a split of d0, m2 never ran on d3."""
    frame = fits(np.random.default_rng(0).random((4, 2, 3)))
    is_failed = (frame[["dataset", "method", "split"]] == ["d0", "m1", 1]).all(axis=1)
    frame.loc[is_failed, "balanced_accuracy"] = np.nan
    return frame[(frame["dataset"] != "d3") | (frame["method"] != "m2")]


def test_missing_fits_are_told_of(holey):
    for function in (rank_table, critical_difference):
        with pytest.raises(ValueError, match="lack a split: m1 on d0; m2 on d3"):
            function(holey)
    with pytest.raises(ValueError, match="m1 on d0; m2 on d3"):
        paired_differences(holey, "m0")


def test_data_sets_with_missing_fits_are_dropped_if_asked(holey):
    complete = holey[holey["dataset"].isin(["d1", "d2"])]
    pd.testing.assert_frame_equal(rank_table(holey, missing="drop"), rank_table(complete))
    found = critical_difference(holey, missing="drop")
    assert found == critical_difference(complete)
    table = paired_differences(holey, "m0", missing="drop")
    assert table["n_datasets"].to_dict() == {"m1": 3, "m2": 3}
    without = paired_differences(holey[holey["dataset"] != "d0"], "m0", missing="drop")
    assert table.loc["m1", "difference"] == without.loc["m1", "difference"]
    with pytest.raises(ValueError, match="No data set has the scores"):
        rank_table(holey[holey["dataset"].isin(["d0", "d3"])], missing="drop")


def test_a_method_that_is_missing_ranks_last_if_asked(holey):
    table = rank_table(holey, missing="worst")
    assert set(table["n_datasets"]) == {4}
    worst = holey.assign(balanced_accuracy=holey["balanced_accuracy"].fillna(-9))
    lost = pd.DataFrame([{"dataset": "d3", "method": "m2", "split": s} for s in (0, 1)])
    worst = pd.concat([worst, lost.assign(balanced_accuracy=-9.0)])
    pd.testing.assert_series_equal(table["mean_rank"], rank_table(worst)["mean_rank"])
    assert table["mean_score"].isna().to_dict() == {"m0": False, "m1": True, "m2": True}
    times = rank_table(holey, greater_is_better=False, missing="worst")
    worst["balanced_accuracy"] = worst["balanced_accuracy"].replace(-9, 9)
    expected = rank_table(worst, greater_is_better=False)
    pd.testing.assert_series_equal(times["mean_rank"], expected["mean_rank"])


# ---------------------------------------------------------------------------- differences


def naive_holm(p_values):
    """The i-th smallest of m times m - i + 1, no less than a smaller one's, at most 1."""
    corrected = []
    for p in p_values:
        smaller = [q for q in p_values if q <= p]
        steps = [
            q * sum(other >= q for other in p_values)
            if p_values.count(q) == 1
            else q * (len(p_values) - sum(other < q for other in p_values))
            for q in smaller
        ]
        corrected.append(min(1, max(steps)))
    return corrected


@given(st.lists(st.sampled_from([0, 1e-9, 0.01, 0.013, 0.02, 0.2, 0.6, 1]), min_size=1, max_size=9))
def test_holm_is_its_definition(p_values):
    np.testing.assert_allclose(holm(p_values), naive_holm(p_values), rtol=1e-12)


def test_holm_of_a_known_example():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_wilcoxon_of_demsar(demsar):
    # Section 3.1.3: C4.5 against C4.5+m, R+ = 93 and R- = 12 with both zeros shared out;
    # significant at 0.05. Without the two zeros, 12 differences have the ranks' sum 78.
    row = paired_differences(demsar, "C4.5+m").loc["C4.5"]
    assert (row["wins"], row["losses"], row["ties"]) == (10, 2, 2)
    assert row["p_value"] < 0.05
    assert row["difference"] == pytest.approx((DEMSAR.loc["C4.5+m"] - DEMSAR.loc["C4.5"]).mean())


def naive_signed_rank(differences):
    """Of all ways to sign the ranks, the share whose rank sum is as far from the middle."""
    ranks = stats.rankdata(np.abs(differences))
    middle = ranks.sum() / 2
    seen = abs(ranks[differences > 0].sum() - middle)
    signs = np.array(np.meshgrid(*[[0, 1]] * len(ranks))).reshape(len(ranks), -1)
    return np.mean(abs(ranks @ signs - middle) >= seen - 1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(2, 10))
@settings(max_examples=40, deadline=None)
def test_differences_are_those_of_their_definitions(seed, n_datasets):
    scores = np.random.default_rng(seed).random((n_datasets, 2, 4))
    table = paired_differences(fits(scores), "m2", confidence=0.9)
    assert [*table.index] == ["m0", "m1", "m3"]
    for rival, row in table.iterrows():
        d = scores[:, :, 2].mean(axis=1) - scores[:, :, int(rival[1])].mean(axis=1)
        assert row["difference"] == pytest.approx(d.mean())
        width = stats.t.ppf(0.95, n_datasets - 1) * d.std(ddof=1) / math.sqrt(n_datasets)
        assert row["low"] == pytest.approx(d.mean() - width)
        assert row["high"] == pytest.approx(d.mean() + width)
        assert (row["wins"], row["losses"], row["ties"]) == ((d > 0).sum(), (d < 0).sum(), 0)
        assert row["p_value"] == pytest.approx(naive_signed_rank(d))
        assert row["n_datasets"] == n_datasets
    np.testing.assert_allclose(table["p_holm"], naive_holm(table["p_value"].tolist()))


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        scores = rng.normal([0.3, 0], 1, size=(8, 1, 2))
        row = paired_differences(fits(scores), "m0", confidence=0.8).iloc[0]
        covered += row["low"] <= 0.3 <= row["high"]
    assert stats.binomtest(covered, 300, 0.8).pvalue > 0.01


def test_two_that_always_tie():
    row = paired_differences(fits(np.full((5, 1, 2), 0.5)), "m0").iloc[0]
    assert (row["ties"], row["p_value"], row["p_holm"]) == (5, 1, 1)
    assert (row["low"], row["high"]) == (0, 0)


def test_a_single_data_set_has_no_interval():
    row = paired_differences(fits(np.array([[[0.5, 0.4]]])), "m0").iloc[0]
    assert row["difference"] == pytest.approx(0.1)
    assert math.isnan(row["low"])
    assert math.isnan(row["high"])
    assert row["p_value"] == 1


# ---------------------------------------------------------------------------- gain by imbalance


def test_gains_are_paired_by_split():
    scores = np.random.default_rng(0).random((4, 3, 3))
    table = gain_by_imbalance(fits(scores), "m1", over="m2")
    assert table["dataset"].tolist() == ["d3", "d2", "d1", "d0"]
    assert table["imbalance_ratio"].tolist() == [11.0, 21.0, 31.0, 41.0]
    gains = (scores[..., 1] - scores[..., 2])[::-1]
    np.testing.assert_allclose(table["gain"], gains.mean(axis=1))
    np.testing.assert_allclose(table["gain_std"], gains.std(axis=1, ddof=1))
    np.testing.assert_allclose(table["score"], scores[::-1, :, 1].mean(axis=1))
    np.testing.assert_allclose(table["score_over"], scores[::-1, :, 2].mean(axis=1))
    assert set(table["n_splits"]) == {3}


def test_gains_leave_out_what_is_missing(holey):
    table = gain_by_imbalance(holey, "m1", over="m0").set_index("dataset")
    assert table["n_splits"].to_dict() == {"d3": 2, "d2": 2, "d1": 2, "d0": 1}
    assert math.isnan(table.loc["d0", "gain_std"])
    d0 = holey[(holey["dataset"] == "d0") & (holey["split"] == 0)].set_index("method")
    gain = d0.loc["m1", "balanced_accuracy"] - d0.loc["m0", "balanced_accuracy"]
    assert table.loc["d0", "gain"] == pytest.approx(gain)
    assert "d3" not in gain_by_imbalance(holey, "m2", over="m0")["dataset"].tolist()


# ---------------------------------------------------------------------------- tables


def test_score_table():
    scores = np.random.default_rng(0).random((3, 2, 2))
    table = score_table(fits(scores))
    np.testing.assert_allclose(table["m1", "mean"], scores[..., 1].mean(axis=1))
    np.testing.assert_allclose(table["m0", "std"], scores[..., 0].std(axis=1, ddof=1))
    assert (table.xs("n_splits", axis=1, level=1) == 2).all(axis=None)
    assert table.index.tolist() == ["d0", "d1", "d2"]


def test_markdown_of_missing_scores_and_strange_names(holey):
    frame = holey.replace({"method": {"m1": "a|b"}}).assign(balanced_accuracy=0.5)
    frame.loc[frame["split"] == 1, "balanced_accuracy"] = 0.7
    frame.loc[(frame["dataset"] == "d0") & (frame["method"] == "a|b"), "balanced_accuracy"] = np.nan
    frame.loc[frame.index[[1]], "balanced_accuracy"] = 0.9
    frame.loc[(frame["dataset"] == "d1") & (frame["method"] == "m2"), "balanced_accuracy"] = 0.2
    assert to_markdown(frame, digits=2).splitlines() == [
        r"|  | m0 | a\|b | m2 |",
        "| :-- | --: | --: | --: |",
        "| d0 | **0.60 ± 0.14** | 0.90 (1 of 2) | **0.60 ± 0.14** |",
        "| d1 | **0.60 ± 0.14** | **0.60 ± 0.14** | 0.20 ± 0.00 |",
        "| d2 | **0.60 ± 0.14** | **0.60 ± 0.14** | **0.60 ± 0.14** |",
        "| d3 | **0.60 ± 0.14** | **0.60 ± 0.14** | - |",
        "| mean | **0.60** | - | - |",
    ]


def test_latex_escapes_names_and_keeps_the_numbers_of_markdown():
    frame = fits(np.random.default_rng(0).random((2, 2, 2)))
    names = {"m0": r"100 % of a_b & c # {d} \e ~ ^ $"}
    text = to_latex(frame.replace({"method": names}))
    escaped = (
        r"100 \% of a\_b \& c \# \{d\} \textbackslash{}e \textasciitilde{} "
        r"\textasciicircum{} \$"
    )
    assert rf" & {escaped} & m1 \\" in text
    rows = [line for line in text.splitlines() if "&" in line][1:]
    for row, line in zip(rows, to_markdown(frame).splitlines()[2:], strict=True):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        plain = row.removesuffix(r" \\").replace(r"$\pm$", "±").split(" & ")
        bold = [c.replace(r"\textbf{", "**").replace("}", "**") for c in plain]
        assert bold == cells


def test_a_low_time_is_the_best():
    frame = fits(np.array([[[0.2, 0.1]]])).rename(columns={"balanced_accuracy": "fit_time"})
    text = to_markdown(frame, "fit_time", digits=1, greater_is_better=False)
    assert "| d0 | 0.2 | **0.1** |" in text
    assert "| mean rank | 2.00 | **1.00** |" in text


# ---------------------------------------------------------------------------- errors


FRAME = fits(np.random.default_rng(0).random((3, 2, 3)))


@pytest.mark.parametrize(
    "function",
    [
        rank_table,
        critical_difference,
        lambda *a, **k: paired_differences(a[0], "m0", *a[1:], **k),
        lambda *a, **k: gain_by_imbalance(a[0], "m0", "m1", *a[1:], **k),
        score_table,
        to_markdown,
        to_latex,
    ],
)
def test_frames_that_are_none_are_refused(function):
    with pytest.raises(ValueError, match="Unknown metric 'balanced'; did you mean 'balanced_acc"):
        function(FRAME, "balanced")
    with pytest.raises(ValueError, match="Unknown metric 'method'"):
        function(FRAME, "method")
    with pytest.raises(ValueError, match="more than one fit of 'm0' on split 0 of 'd0'"):
        function(pd.concat([FRAME, FRAME]))
    with pytest.raises(ValueError, match=r"must have the columns.*as compare makes"):
        function(FRAME.drop(columns="split"))
    with pytest.raises(ValueError, match="has none"):
        function(FRAME[:0])
    with pytest.raises(TypeError, match="Expected a data frame"):
        function({"method": [1]})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paired_differences(FRAME, "m9"), "Unknown method 'm9'"),
        (lambda: paired_differences(FRAME[FRAME["method"] == "m0"], "m0"), "another method beside"),
        (lambda: paired_differences(FRAME, "m0", confidence=95), "confidence must be a number in"),
        (lambda: paired_differences(FRAME, "m0", missing="worst"), "missing must be one of"),
        (lambda: gain_by_imbalance(FRAME, "m0", over="M1"), "Unknown method 'M1'"),
        (lambda: gain_by_imbalance(FRAME, "m0", over="m0"), "must differ; both are 'm0'"),
        (
            lambda: gain_by_imbalance(FRAME.drop(columns="imbalance_ratio"), "m0", "m1"),
            "Unknown metric 'imbalance_ratio'",
        ),
        (lambda: rank_table(FRAME, missing="best"), "missing must be one of"),
        (lambda: rank_table(FRAME, greater_is_better=1), "must be True or False"),
        (lambda: critical_difference(FRAME, alpha=0), r"alpha must be a number in \(0, 1\)"),
        (lambda: critical_difference(FRAME[FRAME["method"] != "m0"]), "got 2 methods on 3"),
        (lambda: critical_difference(FRAME[FRAME["dataset"] == "d0"]), "got 3 methods on 1"),
        (lambda: to_markdown(FRAME, digits=-1), "digits must be an integer"),
        (lambda: to_latex(FRAME, greater_is_better="yes"), "must be True or False"),
    ],
)
def test_settings_that_are_none_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
