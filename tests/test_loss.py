"""The loss against its naive twin, its invariances, its degenerate batches and its errors."""

from itertools import product
from math import log

import naive
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from sk_crl.loss import ClassRectificationLoss, class_rectification, minority_classes

pytestmark = pytest.mark.usefixtures("both_ways")

LEVELS = ["class", "instance"]
COMPARISONS = ["relative", "absolute", "distribution"]
SIX = list(product(LEVELS, COMPARISONS))
SCOPES = ["minority", "all"]

# Counts of every class in the batch, by target; what is left of the batch has no label.
ONE_TARGET = {"n": 16, "counts": [[7, 4, 3, 2]]}
RAGGED = {"n": 18, "counts": [[12, 4], [6, 4, 3, 2], [10, 0, 4]]}

few = settings(derandomize=True, deadline=None, max_examples=20)
seeds = st.integers(0, 2**32 - 1)
six_losses = pytest.mark.parametrize(("level", "comparison"), SIX)


def make_batch(seed, n, counts, shared_features=False):
    """Random scores, shuffled targets with the given counts, widths, random features."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.full((n, len(counts)), -1)
    for j, sizes in enumerate(counts):
        codes = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        targets[torch.randperm(n, generator=generator)[: len(codes)], j] = codes
    n_classes = tuple(len(sizes) for sizes in counts)
    scores = 2 * torch.randn(n, sum(n_classes), generator=generator, dtype=torch.float64)
    shape = (n, 5) if shared_features else (n, len(counts), 5)
    features = torch.randn(shape, generator=generator, dtype=torch.float64)
    return scores, targets, n_classes, features


def value_and_gradients(function, scores, targets, n_classes, features, **options):
    """The losses of all targets, and the gradients of a sum that weighs each target differently."""
    scores = scores.detach().clone().requires_grad_()
    features = features.detach().clone().requires_grad_()
    value = function(scores, targets, n_classes, features, **options)
    weights = torch.linspace(1, 2, len(value), dtype=value.dtype)
    (value @ weights + 0 * scores.sum() + 0 * features.sum()).backward()
    return value.detach(), scores.grad, features.grad


def assert_same(actual, expected, tolerance):
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=tolerance, atol=tolerance)


# --------------------------------------------------------------------------- against the twin


@pytest.mark.parametrize("data", [ONE_TARGET, RAGGED], ids=["one target", "ragged targets"])
@pytest.mark.parametrize("kappa", [1, 3, 25, None])
@pytest.mark.parametrize(
    ("scope", "rho"), [("minority", 0.3), ("minority", 0.5), ("minority", 0.8), ("all", 0.5)]
)
@six_losses
def test_equals_the_equations(level, comparison, scope, rho, kappa, data):
    batch = make_batch(3, **data)
    options = {"level": level, "comparison": comparison, "scope": scope, "rho": rho, "kappa": kappa}
    expected = value_and_gradients(naive.class_rectification, *batch, **options)
    assert (expected[0] > 0).all(), "the example must exercise the loss"
    assert_same(value_and_gradients(class_rectification, *batch, **options), expected, 1e-10)


@pytest.mark.parametrize(
    "options",
    [
        {"level": "class", "comparison": "relative", "margin": 0.1},
        {"level": "class", "comparison": "absolute", "margin": 0.9},
        {"level": "class", "comparison": "distribution", "bins": 7},
        {"level": "instance", "comparison": "relative", "margin": 0.1},
        {"level": "instance", "comparison": "relative", "normalize": False},
        {"level": "instance", "comparison": "absolute", "margin": 0.3},
        {"level": "instance", "comparison": "absolute", "normalize": False},
        {"level": "instance", "comparison": "distribution", "bins": 2},
    ],
    ids=lambda options: " ".join(map(str, options.values())),
)
def test_options_equal_the_equations(options):
    batch = make_batch(5, **RAGGED)
    expected = value_and_gradients(naive.class_rectification, *batch, **options)
    assert_same(value_and_gradients(class_rectification, *batch, **options), expected, 1e-10)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_features_shared_by_all_targets_equal_the_equations(comparison):
    batch = make_batch(6, **RAGGED, shared_features=True)
    options = {"level": "instance", "comparison": comparison, "kappa": 3}
    expected = value_and_gradients(naive.class_rectification, *batch, **options)
    assert_same(value_and_gradients(class_rectification, *batch, **options), expected, 1e-10)


@given(
    seed=seeds,
    counts=st.lists(st.lists(st.integers(0, 4), min_size=2, max_size=4), min_size=1, max_size=3),
    missing=st.integers(0, 2),
    six=st.sampled_from(SIX),
    scope=st.sampled_from(SCOPES),
    kappa=st.sampled_from([1, 2, 3, None]),
    rho=st.sampled_from([0.1, 0.25, 0.5, 0.75, 1.0]),
)
@settings(few, max_examples=60)
def test_equals_the_equations_whatever_the_counts(seed, counts, missing, six, scope, kappa, rho):
    n = max(sum(sizes) for sizes in counts) + missing
    batch = make_batch(seed, n, counts)
    options = {"level": six[0], "comparison": six[1], "scope": scope, "kappa": kappa, "rho": rho}
    expected = value_and_gradients(naive.class_rectification, *batch, **options, bins=9)
    actual = value_and_gradients(class_rectification, *batch, **options, bins=9)
    assert_same(actual, expected, 1e-9)


@six_losses
def test_saturated_scores_equal_the_equations(level, comparison):
    """Probabilities of exactly 0 and 1: ties everywhere, and distances at the ends of the range."""
    scores = torch.tensor([[9e3, -9e3], [-9e3, 9e3]] * 4, dtype=torch.float64)
    targets = torch.tensor([0, 0, 0, 0, 0, 1, 1, 1])
    features = scores.sign()  # antipodes and coinciding points
    options = {"level": level, "comparison": comparison}
    expected = naive.class_rectification(scores, targets, None, features, **options)
    value, *gradients = value_and_gradients(
        class_rectification, scores, targets, None, features, **options
    )
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-5)
    assert all(gradient.isfinite().all() for gradient in gradients)


@six_losses
def test_tied_samples_are_interchangeable(level, comparison):
    """With every sample twice, it does not matter which of two equals is mined."""
    scores, targets, n_classes, features = make_batch(7, n=8, counts=[[5, 3]])
    doubled = scores.repeat(2, 1), targets.repeat(2, 1), n_classes, features.repeat(2, 1, 1)
    options = {"level": level, "comparison": comparison, "kappa": 3}
    expected = naive.class_rectification(*doubled, **options)
    value = class_rectification(*doubled, **options)
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kappa", [1, 2, 5, 11])
@pytest.mark.parametrize("scope", SCOPES)
def test_anchors_easier_than_all_positives_equal_the_equations(kappa, scope):
    """One anchor stands for them; with the last kappa for none, or for itself."""
    batch = make_batch(34, n=40, counts=[[12, 28], [5, 5, 8, 22], [2, 11, 27]])
    for margin in (0.05, 0.5):
        options = {"kappa": kappa, "scope": scope, "margin": margin}
        expected = value_and_gradients(naive.class_rectification, *batch, **options)
        assert_same(value_and_gradients(class_rectification, *batch, **options), expected, 1e-10)


@pytest.mark.parametrize("kappa", [1, 3, 4, 6, 8])
@pytest.mark.parametrize(
    "members",
    [
        [0] * 9,
        [-2, -1, 0, 0, 0, 0, 1, 2, 3],
        [0, 0, 0, 1, 1, 1, 2, 2, 2],
        [-1, 0, 0, 0, 0, 0, 0, 0, 1],
    ],
    ids=str,
)
def test_tied_anchors_share_as_in_the_equations(members, kappa):
    """Which of two equals is mined is left open; all of them together have the same derivatives."""
    generator = torch.Generator().manual_seed(35)
    others = torch.randn(11, generator=generator, dtype=torch.float64)
    scores = torch.cat([torch.tensor(members, dtype=torch.float64), others])
    scores = torch.stack([torch.zeros_like(scores), scores / 2], 1)
    targets = torch.tensor([1] * len(members) + [0] * len(others))[:, None]
    batch = scores, targets, (2,), torch.zeros(20, 1)
    expected = value_and_gradients(naive.class_rectification, *batch, kappa=kappa)
    value, by_score, _ = value_and_gradients(class_rectification, *batch, kappa=kappa)
    by_group = [
        [sorted(gradient[scores[:, 1] == level, 1].tolist()) for level in scores[:, 1].unique()]
        for gradient in (by_score, expected[1])
    ]
    torch.testing.assert_close(value, expected[0], rtol=1e-10, atol=1e-10)
    for one, other in zip(*by_group, strict=True):
        assert one == pytest.approx(other, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("data", [ONE_TARGET, RAGGED], ids=["one target", "ragged targets"])
@six_losses
def test_single_precision(level, comparison, data):
    scores, targets, n_classes, features = make_batch(8, **data)
    scores, features = scores.float(), features.float()
    options = {"level": level, "comparison": comparison, "kappa": 3}
    expected = value_and_gradients(
        naive.class_rectification, scores.double(), targets, n_classes, features.double(), **options
    )
    actual = value_and_gradients(
        class_rectification, scores, targets, n_classes, features, **options
    )
    assert all(tensor.dtype == torch.float32 for tensor in actual)
    assert_same(actual, expected, 1e-4 if comparison == "distribution" else 1e-5)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_a_million_pairs_in_single_precision(comparison):
    generator = torch.Generator().manual_seed(36)
    scores = torch.randn(3000, 2, generator=generator, dtype=torch.float64)
    targets = (torch.rand(3000, generator=generator) < 0.4).long()
    batch = targets[:, None], (2,), torch.zeros(3000, 1)
    options = {"comparison": comparison, "kappa": None}
    expected = value_and_gradients(class_rectification, scores, *batch, **options)
    actual = value_and_gradients(class_rectification, scores.float(), *batch, **options)
    torch.testing.assert_close(actual[0].double(), expected[0], rtol=1e-5, atol=0)
    atol = 1e-3 * expected[1].abs().max().item()
    torch.testing.assert_close(actual[1].double(), expected[1], rtol=0, atol=atol)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@six_losses
def test_autocast_costs_no_accuracy(level, comparison, dtype):
    scores, targets, n_classes, features = make_batch(9, **RAGGED)
    scores, features = scores.to(dtype), features.to(dtype)
    options = {"level": level, "comparison": comparison, "kappa": 3}
    expected = naive.class_rectification(
        scores.double(), targets, n_classes, features.double(), **options
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, *gradients = value_and_gradients(
            class_rectification, scores, targets, n_classes, features, **options
        )
    torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-5)
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("scope", SCOPES)
@six_losses
def test_gradient_is_the_slope(level, comparison, scope):
    """Finite differences, with random numbers far enough from every kink."""
    scores, targets, n_classes, features = make_batch(10, n=9, counts=[[5, 2], [2, 4, 3]])
    options = {"level": level, "comparison": comparison, "scope": scope, "kappa": 2, "bins": 11}
    variable = scores if level == "class" else features

    def loss(variable):
        s, f = (variable, features) if level == "class" else (scores, variable)
        return class_rectification(s, targets, n_classes, f, **options)

    assert torch.autograd.gradcheck(loss, variable.requires_grad_())


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_any_integer_codes(dtype):
    scores, targets, n_classes, _ = make_batch(11, **ONE_TARGET)
    expected = class_rectification(scores, targets, n_classes)
    assert torch.equal(class_rectification(scores, targets.to(dtype), n_classes), expected)


def test_one_target_in_any_form():
    scores, targets, n_classes, _ = make_batch(12, **ONE_TARGET)
    expected = class_rectification(scores, targets, n_classes)
    assert expected.shape == (1,)
    assert expected > 0
    assert torch.equal(class_rectification(scores, targets[:, 0]), expected)
    assert torch.equal(class_rectification(scores, targets), expected)


def test_arguments_are_left_alone():
    scores, targets, n_classes, features = make_batch(13, **RAGGED)
    before = [tensor.clone() for tensor in (scores, targets, features)]
    for level, comparison in SIX:
        class_rectification(
            scores, targets, n_classes, features, level=level, comparison=comparison
        )
    assert all(map(torch.equal, before, (scores, targets, features)))


# --------------------------------------------------------------------------- the profile (Eq. 3)


@pytest.mark.parametrize(
    ("counts", "rho", "minority"),
    [
        ([2, 3], 0.5, [True, False]),
        ([5, 5], 0.5, [True, False]),  # a tie: the first index
        ([4, 4, 4, 4], 0.5, [True, True, False, False]),
        ([60, 0, 25, 14, 1], 0.5, [False, False, True, True, False]),
        ([3, 7], 0.3, [True, False]),  # exactly the budget
        ([29, 71], 0.29, [True, False]),  # 0.29 * 100 is a rounding error below 29
        ([3, 7], 0.29, [False, False]),
        ([3, 7], 1.0, [True, True]),
        ([1, 1, 5, 5], 0.5, [False, False, False, False]),  # singletons have spent the budget
        ([0, 0, 0], 0.5, [False, False, False]),
    ],
)
def test_minority_classes(counts, rho, minority):
    assert minority_classes(torch.tensor(counts), rho).tolist() == minority
    named = {c for c, is_minority in enumerate(minority) if is_minority}
    assert set(naive.minority_classes(counts, rho)) == named


@given(
    table=st.lists(st.lists(st.integers(0, 9), min_size=4, max_size=4), min_size=1, max_size=5),
    rho=st.sampled_from([0.1, 0.29, 0.3, 0.5, 0.7, 1.0]),
)
@few
def test_minority_classes_of_many_rows(table, rho):
    actual = minority_classes(torch.tensor(table), rho)
    assert actual.dtype == torch.bool
    for row, counts in zip(actual.tolist(), table, strict=True):
        assert [c for c in range(4) if row[c]] == sorted(naive.minority_classes(counts, rho))


# --------------------------------------------------------------------------- invariances

kinds = {
    "six": st.sampled_from(SIX),
    "kappa": st.sampled_from([1, 3, None]),
    "scope": st.sampled_from(SCOPES),
}


def options_of(six, kappa, scope):
    return {"level": six[0], "comparison": six[1], "kappa": kappa, "scope": scope, "bins": 11}


@given(seed=seeds, order=st.permutations(range(18)), **kinds)
@few
def test_order_of_samples_does_not_matter(seed, order, **kind):
    scores, targets, n_classes, features = make_batch(seed, **RAGGED)
    options = options_of(**kind)
    value, *gradients = value_and_gradients(
        class_rectification, scores, targets, n_classes, features, **options
    )
    permuted = value_and_gradients(
        class_rectification, scores[order], targets[order], n_classes, features[order], **options
    )
    assert_same(permuted, [value, *(gradient[order] for gradient in gradients)], 1e-12)


@given(seed=seeds, names=st.permutations(range(4)), **kinds)
@few
def test_names_of_classes_do_not_matter(seed, names, **kind):
    """All counts differ, so no tie between classes is broken by their index."""
    scores, targets, n_classes, features = make_batch(seed, **ONE_TARGET)
    old_of_new = torch.tensor(names)
    new_of_old = old_of_new.argsort()
    options = options_of(**kind)
    value, by_score, by_feature = value_and_gradients(
        class_rectification, scores, targets, n_classes, features, **options
    )
    renamed = value_and_gradients(
        class_rectification,
        scores[:, old_of_new],
        new_of_old[targets],
        n_classes,
        features,
        **options,
    )
    assert_same(renamed, [value, by_score[:, old_of_new], by_feature], 1e-12)


@given(seed=seeds, **kinds)
@few
def test_a_class_that_never_occurs_does_not_matter(seed, **kind):
    """Under a set margin: the default one at instance level is drawn from the number of classes."""
    scores, targets, (k,), features = make_batch(seed, **ONE_TARGET)
    options = options_of(**kind) | {"margin": 0.4}
    impossible = torch.full((len(scores), 1), -1e4, dtype=scores.dtype)
    value, by_score, by_feature = value_and_gradients(
        class_rectification, scores, targets, (k,), features, **options
    )
    wider = torch.cat([scores, impossible], 1)
    actual = value_and_gradients(class_rectification, wider, targets, (k + 1,), features, **options)
    by_wider = torch.cat([by_score, torch.zeros_like(impossible)], 1)
    assert_same(actual, [value, by_wider, by_feature], 1e-12)


@given(seed=seeds, order=st.permutations(range(3)), **kinds)
@few
def test_targets_do_not_meet(seed, order, **kind):
    """Each target has the loss it has alone, whatever stands beside it and in which order."""
    scores, targets, n_classes, features = make_batch(seed, **RAGGED)
    columns = scores.split(n_classes, 1)
    options = options_of(**kind)
    together = class_rectification(
        torch.cat([columns[j] for j in order], 1),
        targets[:, order],
        [n_classes[j] for j in order],
        features[:, order],
        **options,
    )
    alone = [
        class_rectification(columns[j], targets[:, j], None, features[:, j], **options)
        for j in order
    ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-12, atol=1e-12)


@given(seed=seeds, missing=st.lists(st.integers(0, 15), max_size=9, unique=True), **kinds)
@few
def test_a_sample_without_label_is_absent(seed, missing, **kind):
    scores, targets, n_classes, features = make_batch(seed, **ONE_TARGET)
    targets[missing] = -1
    kept = (targets[:, 0] != -1).nonzero()[:, 0]
    options = options_of(**kind)
    value, *gradients = value_and_gradients(
        class_rectification, scores, targets, n_classes, features, **options
    )
    expected = value_and_gradients(
        class_rectification, scores[kept], targets[kept], n_classes, features[kept], **options
    )
    assert_same([value, *(gradient[kept] for gradient in gradients)], expected, 1e-12)
    assert all((gradient[missing] == 0).all() for gradient in gradients)


@given(seed=seeds, **kinds)
@few
def test_common_shift_of_scores_and_scale_of_features_do_not_matter(seed, **kind):
    """Softmax forgets what is added to all scores of a target, a unit vector its length."""
    scores, targets, n_classes, features = make_batch(seed, **ONE_TARGET)
    options = options_of(**kind)
    expected = class_rectification(scores, targets, n_classes, features, **options)
    generator = torch.Generator().manual_seed(seed)
    shift = torch.randn(len(scores), 1, generator=generator, dtype=scores.dtype)
    value = class_rectification(
        scores + shift, targets, n_classes, features * shift.exp()[:, :, None], **options
    )
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-10)


@given(seed=seeds, **kinds)
@few
def test_bounds(seed, **kind):
    """Distances reach 1 to a positive, -1 to a negative score; 2 and 0 between unit features."""
    value = class_rectification(*make_batch(seed, **RAGGED), margin=0.5, **options_of(**kind))
    bound = {"relative": 2.5, "absolute": 2.125, "distribution": 1 + 1e-12}[kind["six"][1]]
    assert ((value >= 0) & (value <= bound)).all()


@six_losses
def test_kappa_beyond_the_batch_mines_all(level, comparison):
    batch = make_batch(14, **RAGGED)
    options = {"level": level, "comparison": comparison, "scope": "all"}
    all_pairs = value_and_gradients(class_rectification, *batch, **options, kappa=None)
    for kappa in (18, 10_000):
        actual = value_and_gradients(class_rectification, *batch, **options, kappa=kappa)
        assert_same(actual, all_pairs, 1e-12)


# --------------------------------------------------------------------------- degenerate batches

NOTHING_TO_RECTIFY = {
    "one class": [1] * 6,
    "a singleton": [0, 0, 0, 0, 1],
    "two singletons": [0, 1],
    "a last batch of one": [1],
    "no label": [-1] * 5,
    "one label": [-1, -1, 2, -1],
    "no sample": [],
}


def graph_of(targets, n_classes, **options):
    """The losses, and their gradient by the tensor that the level looks at, which alone has one."""
    targets = torch.tensor(targets, dtype=torch.int64)
    generator = torch.Generator().manual_seed(15)
    scores = torch.randn(len(targets), sum(n_classes), generator=generator)
    features = torch.randn(len(targets), 4, generator=generator)
    variable = (scores if options["level"] == "class" else features).requires_grad_()
    value = class_rectification(scores, targets, n_classes, features, **options)
    assert value.requires_grad
    value.sum().backward()
    return value, variable.grad


@pytest.mark.parametrize("targets", NOTHING_TO_RECTIFY.values(), ids=NOTHING_TO_RECTIFY)
@six_losses
def test_nothing_to_rectify_is_zero_with_a_graph(level, comparison, targets):
    value, gradient = graph_of(targets, (3,), level=level, comparison=comparison)
    assert value.tolist() == [0.0]
    assert (gradient == 0).all()


@six_losses
def test_no_class_fits_the_budget(level, comparison):
    value, gradient = graph_of([0, 0, 1, 1], (2,), level=level, comparison=comparison, rho=0.3)
    assert value.tolist() == [0.0]
    assert (gradient == 0).all()


@pytest.mark.parametrize("options", [{"scope": "all"}, {"rho": 1.0}], ids=["all", "rho 1"])
@six_losses
def test_one_class_has_no_negatives(level, comparison, options):
    """Triplets and histograms need both sets; Eq. 13 keeps the mean of the set that is there."""
    value, gradient = graph_of([1] * 6, (3,), level=level, comparison=comparison, **options)
    assert gradient.isfinite().all()
    if comparison == "absolute":
        assert value > 0
        assert (gradient != 0).any()
    else:
        assert value.tolist() == [0.0]
        assert (gradient == 0).all()


@pytest.mark.parametrize("scope", SCOPES)
@six_losses
def test_a_target_without_labels_beside_one_with(level, comparison, scope):
    scores, targets, _, features = make_batch(32, n=7, counts=[[0, 0, 0], [4, 3]])
    options = {"level": level, "comparison": comparison, "scope": scope, "margin": 0.5}
    value, by_score, by_feature = value_and_gradients(
        class_rectification, scores, targets, (3, 2), features, **options
    )
    alone = class_rectification(scores[:, 3:], targets[:, 1], None, features[:, 1], **options)
    assert value[0] == 0
    assert alone > 0
    torch.testing.assert_close(value[1:], alone)
    assert (by_score[:, :3] == 0).all()
    assert (by_feature[:, 0] == 0).all()


@pytest.mark.parametrize("kappa", [1, 25, None])
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize(
    "targets",
    [*NOTHING_TO_RECTIFY.values(), [0, 0, 1, 1], [2, 2, 2, 0, 0], [0, 0, 0, 1], [-1, 0, 0, 2, 2]],
    ids=str,
)
@six_losses
def test_never_nan(level, comparison, targets, scope, kappa):
    value, gradient = graph_of(
        targets, (3,), level=level, comparison=comparison, scope=scope, kappa=kappa
    )
    assert value.isfinite().all()
    assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("comparison", "expected"), [("relative", 0.7), ("absolute", 0.245), ("distribution", 1.0)]
)
@pytest.mark.parametrize("fill", [0.0, 1.0, 300.0])
def test_identical_features(comparison, expected, fill):
    """All distances are 0: the hinge is the margin, the histograms coincide."""
    features = torch.full((7, 4), fill, requires_grad=True)
    value = class_rectification(
        torch.zeros(7, 2),
        torch.tensor([0, 0, 0, 0, 1, 1, 1]),
        features=features,
        level="instance",
        comparison=comparison,
        margin=0.7,
    )
    value.sum().backward()
    torch.testing.assert_close(value, torch.tensor([expected]), rtol=0, atol=1e-3)
    assert features.grad.isfinite().all()
    assert features.grad.abs().max() < 10, "coinciding points are no reason for a jump"


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_a_feature_of_zeros(comparison):
    """A dead layer sends zeros, which have no direction."""
    features = make_batch(16, **ONE_TARGET, shared_features=True)[3]
    scores, targets, *_ = make_batch(16, **ONE_TARGET)
    features[:9] = 0
    features.requires_grad_()
    value = class_rectification(
        scores, targets, features=features, level="instance", comparison=comparison
    )
    value.sum().backward()
    assert value.isfinite().all()
    assert features.grad.isfinite().all()


# --------------------------------------------------------------------------- the module (Eq. 8)


@pytest.mark.parametrize(
    ("counts", "omega"),
    [
        ([43, 1], 0.488),
        ([round(2605.26 / (i + 4.2105)) for i in range(1, 101)], 0.838),
        ([7, 7, 7], 0.0),
        ([5, 0], 0.5),
    ],
    ids=["binary 1:43", "CIFAR-100 imb(1)", "balanced", "an absent class"],
)
def test_omega(counts, omega):
    loss = ClassRectificationLoss(counts, eta=0.5)
    assert loss.omega.shape == loss.alpha.shape == (1,)
    assert loss.omega.item() == pytest.approx(omega, abs=1e-3)
    assert loss.omega.item() == pytest.approx(naive.imbalance(counts), abs=1e-6)
    assert loss.alpha.item() == pytest.approx(omega / 2, abs=1e-3)


def test_omega_and_alpha_of_every_target():
    loss = ClassRectificationLoss([[43, 1], [4, 4], [10, 0, 5]], eta=1.5)
    torch.testing.assert_close(loss.omega.double(), torch.tensor([42 / 86, 0.0, 0.5]).double())
    torch.testing.assert_close(loss.alpha.double(), torch.tensor([63 / 86, 0.0, 0.75]).double())


def test_alpha_is_capped_and_overridden():
    assert ClassRectificationLoss([43, 1], eta=3).alpha.tolist() == [1.0]
    loss = ClassRectificationLoss([[5, 5], [43, 1]], alpha=0.5)
    assert loss.alpha.tolist() == [0.5, 0.5]
    assert loss.omega[0] == 0


TRAINING_COUNTS = {1: [[70, 40, 30, 20]], 3: [[120, 40], [60, 40, 30, 20], [100, 10, 40]]}
CLASS_WEIGHT = {1: [[0.5, 1.0, 2.0, 4.0]], 3: [[1.0, 3.0], [0.5, 1.0, 2.0, 4.0], [2.0, 1.0, 0.25]]}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"alpha": 0.3, "scope": "all", "comparison": "absolute"},
        {"class_weight": True},
        {"sample_weight": True},
        {"class_weight": True, "sample_weight": True, "kappa": 2},
        {"label_weight": True, "tau": 1.0},
        {"label_weight": True, "class_weight": True, "level": "instance", "eta": 1.0},
        {"tau": 1.0},
        {"tau": 0.5, "rectify": "adjusted", "class_weight": True},
        {"rectify": "adjusted", "comparison": "distribution", "tau": 1.0, "sample_weight": True},
        {"level": "instance", "eta": 1.0, "sample_weight": True},
        {"level": "instance", "comparison": "absolute", "normalize": False, "tau": 1.0},
    ],
    ids=lambda options: " ".join(options) or "defaults",
)
@pytest.mark.parametrize("data", [ONE_TARGET, RAGGED], ids=["one target", "ragged targets"])
def test_mix_equals_the_equations(data, options):
    scores, targets, n_classes, features = make_batch(17, **data)
    scores.requires_grad_()
    features.requires_grad_()
    counts = TRAINING_COUNTS[len(n_classes)]
    options = dict(options)
    weight = None
    if options.pop("sample_weight", False):
        generator = torch.Generator().manual_seed(18)
        weight = torch.rand(len(scores), generator=generator, dtype=torch.float64)
        weight[[2, 5, 11]] = 0.0
    if options.pop("label_weight", False):
        generator = torch.Generator().manual_seed(18)
        weight = torch.rand(targets.shape, generator=generator, dtype=torch.float64)
        weight[weight < 0.2] = 0.0
    if "class_weight" in options:
        options["class_weight"] = CLASS_WEIGHT[len(n_classes)]
    expected = naive.mixed_loss(
        scores, targets, counts, features, None if weight is None else weight.tolist(), **options
    )
    loss = ClassRectificationLoss(counts, **options)
    value = loss(scores, targets, features, weight)
    assert value.shape == ()
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-6)
    arguments = {"inputs": (scores, features), "allow_unused": True, "materialize_grads": True}
    actual_gradients = torch.autograd.grad(value, **arguments)
    assert_same(actual_gradients, torch.autograd.grad(expected, **arguments), 1e-6)


def test_alpha_mixes_the_two_losses():
    scores, targets, *_ = make_batch(19, **ONE_TARGET)
    ce = cross_entropy(scores, targets[:, 0])
    crl = class_rectification(scores, targets)[0]
    for alpha in (0.0, 0.25, 1.0):
        loss = ClassRectificationLoss([70, 40, 30, 20], alpha=alpha)
        torch.testing.assert_close(loss(scores, targets), alpha * crl + (1 - alpha) * ce)
    balanced = ClassRectificationLoss([40, 40, 40, 40])
    torch.testing.assert_close(balanced(scores, targets), ce)


def test_one_target_in_any_form_of_the_module():
    scores, targets, *_ = make_batch(20, **ONE_TARGET)
    expected = ClassRectificationLoss([[70, 40, 30, 20]])(scores, targets)
    for counts in ((70, 40, 30, 20), np.array([70, 40, 30, 20]), torch.tensor([70, 40, 30, 20])):
        assert torch.equal(ClassRectificationLoss(counts)(scores, targets[:, 0]), expected)


def test_class_weight_is_that_of_torch():
    scores, targets, *_ = make_batch(21, **ONE_TARGET)
    weight = [0.5, 1.0, 2.0, 4.0]
    loss = ClassRectificationLoss([70, 40, 30, 20], alpha=0.0, class_weight=weight)
    expected = cross_entropy(scores, targets[:, 0], torch.tensor(weight, dtype=scores.dtype))
    torch.testing.assert_close(loss(scores, targets), expected)


def test_logit_adjustment_adds_the_log_prior():
    """Equal scores and a prior of 3 : 1 make the posterior 3 : 1, and 9 : 1 under tau = 2."""
    scores, targets = torch.zeros(1, 2), torch.tensor([1])
    for tau, expected in ((0.0, log(2)), (1.0, log(4)), (2.0, log(10))):
        loss = ClassRectificationLoss([3, 1], alpha=0.0, tau=tau)
        assert loss(scores, targets).item() == pytest.approx(expected, rel=1e-6)


def test_rectify_chooses_the_softmax():
    scores, targets, *_ = make_batch(22, **ONE_TARGET)
    counts = [70, 40, 30, 20]
    log_prior = (torch.tensor(counts, dtype=scores.dtype) / 160).log()
    for rectify, rectified in (("unadjusted", scores), ("adjusted", scores + 0.5 * log_prior)):
        loss = ClassRectificationLoss(counts, alpha=1.0, tau=0.5, rectify=rectify)
        expected = class_rectification(rectified, targets)[0]
        torch.testing.assert_close(loss(scores, targets), expected, rtol=1e-6, atol=1e-6)
    assert loss(scores, targets) != class_rectification(scores, targets)[0]


@pytest.mark.parametrize("tau", [0.0, 1.0])
@pytest.mark.parametrize("rectify", ["unadjusted", "adjusted"])
@six_losses
def test_a_class_without_training_samples_breaks_nothing(level, comparison, rectify, tau):
    scores, targets, _, features = make_batch(23, n=9, counts=[[5, 0, 4]], shared_features=True)
    scores.requires_grad_()
    loss = ClassRectificationLoss(
        [50, 0, 40], level=level, comparison=comparison, rectify=rectify, tau=tau
    )
    value = loss(scores, targets, features)
    value.backward()
    assert value.isfinite()
    assert scores.grad.isfinite().all()


@six_losses
def test_sample_weights_do_not_touch_the_rectification(level, comparison):
    scores, targets, n_classes, features = make_batch(24, **RAGGED)
    weight = torch.linspace(0.1, 5, len(scores), dtype=scores.dtype)
    loss = ClassRectificationLoss(TRAINING_COUNTS[3], alpha=1.0, level=level, comparison=comparison)
    expected = class_rectification(
        scores, targets, n_classes, features, level=level, comparison=comparison
    ).sum()
    torch.testing.assert_close(loss(scores, targets, features, weight), expected)


@six_losses
def test_a_sample_of_weight_zero_is_absent(level, comparison):
    """Also as an anchor, as a negative and in the profile: class 1 is minority without it."""
    scores, targets, _, features = make_batch(25, n=9, counts=[[4, 5]], shared_features=True)
    weight = torch.ones(9, dtype=scores.dtype)
    weight[(targets[:, 0] == 1).nonzero()[:2, 0]] = 0
    kept = weight != 0
    loss = ClassRectificationLoss([4, 5], alpha=0.6, level=level, comparison=comparison)
    expected = loss(scores[kept], targets[kept], features[kept])
    torch.testing.assert_close(loss(scores, targets, features, weight), expected)
    assert loss(scores, targets, features) != pytest.approx(expected.item(), abs=1e-4)


@six_losses
def test_no_weight_at_all_is_zero_with_a_graph(level, comparison):
    scores, targets, _, features = make_batch(26, **RAGGED)
    scores.requires_grad_()
    features.requires_grad_()
    loss = ClassRectificationLoss(TRAINING_COUNTS[3], level=level, comparison=comparison)
    no_weight = torch.zeros(len(scores), dtype=scores.dtype)
    for labels, weight in ((targets, no_weight), (torch.full_like(targets, -1), None)):
        scores.grad = None
        value = loss(scores, labels, features, weight)
        value.backward()
        assert value == 0
        assert (scores.grad == 0).all()


@six_losses
def test_no_sample_at_all(level, comparison):
    scores = torch.zeros(0, 2, requires_grad=True)
    loss = ClassRectificationLoss([5, 3], level=level, comparison=comparison)
    value = loss(scores, torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4))
    value.backward()
    assert value == 0


def test_a_class_weight_of_zero_is_no_division_by_zero():
    scores = torch.randn(4, 2, generator=torch.Generator().manual_seed(27), requires_grad=True)
    loss = ClassRectificationLoss([2, 8], alpha=0.0, class_weight=[1.0, 0.0])
    value = loss(scores, torch.tensor([1, 1, 1, 1]))
    value.backward()
    assert value == 0
    assert (scores.grad == 0).all()


def test_only_ratios_of_sample_weights_matter():
    scores, targets, *_ = make_batch(28, **RAGGED)
    loss = ClassRectificationLoss(TRAINING_COUNTS[3])
    weight = torch.linspace(0.1, 5, len(scores), dtype=scores.dtype)
    expected = loss(scores, targets, sample_weight=weight)
    torch.testing.assert_close(loss(scores, targets, sample_weight=7 * weight), expected)
    ones = torch.ones(len(scores))
    torch.testing.assert_close(loss(scores, targets, sample_weight=3 * ones), loss(scores, targets))


@six_losses
def test_labels_prepared_ahead(level, comparison):
    """Of many batches at once; the last one is short and has a budget of its own size."""
    scores, targets, _, features = make_batch(33, **RAGGED)
    scores, features = scores.float(), features.float()
    weight = torch.linspace(0, 5, len(scores), dtype=scores.dtype)
    loss = ClassRectificationLoss(
        TRAINING_COUNTS[3], class_weight=CLASS_WEIGHT[3], level=level, comparison=comparison
    )
    prepared = loss.prepare(targets, weight, batch_size=7)
    parts = [slice(0, 7), slice(7, 14), slice(14, 18)]
    for labels, part in zip(prepared, parts, strict=True):
        torch.testing.assert_close(
            loss.compute(scores[part], labels, features[part]),
            loss(scores[part], targets[part], features[part], weight[part]),
        )


def test_module_under_autocast():
    scores, targets, *_ = make_batch(29, **RAGGED)
    scores = scores.bfloat16().requires_grad_()
    counts = TRAINING_COUNTS[3]
    loss = ClassRectificationLoss(counts, tau=1.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(scores, targets)
    value.backward()
    expected = naive.mixed_loss(scores.detach().double(), targets, counts, tau=1.0)
    torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-5)
    assert scores.grad.isfinite().all()


# --------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kappa": 0}, "kappa"),
        ({"kappa": -3}, "kappa"),
        ({"rho": 0.0}, "rho"),
        ({"rho": 1.5}, "rho"),
        ({"level": "pixel"}, "class.*instance"),
        ({"comparison": "triplet"}, "relative.*absolute.*distribution"),
        ({"scope": "majority"}, "minority.*all"),
        ({"anchors": "hard"}, "anchors.*all.*easy"),
        ({"level": "instance", "comparison": "distribution", "normalize": False}, "normalize"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, dict) else "",
)
def test_bad_options(options, message):
    scores, targets, n_classes, features = make_batch(30, **ONE_TARGET)
    with pytest.raises(ValueError, match=message):
        class_rectification(scores, targets, n_classes, features, **options)
    with pytest.raises(ValueError, match=message):
        ClassRectificationLoss([70, 40, 30, 20], **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eta": -0.1}, "eta"),
        ({"alpha": -0.1}, "alpha"),
        ({"alpha": 1.1}, "alpha"),
        ({"rectify": "sometimes"}, "unadjusted.*adjusted"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, dict) else "",
)
def test_bad_options_of_the_module(options, message):
    with pytest.raises(ValueError, match=message):
        ClassRectificationLoss([70, 40, 30, 20], **options)


@pytest.mark.parametrize(
    "weight", [[1.0, 1.0], [[1.0, 2.0, 1.0], [1.0, 1.0]], [-1.0, 1.0, 1.0], [0.0, 0.0, 0.0], []]
)
def test_a_class_weight_that_does_not_fit(weight):
    with pytest.raises(ValueError, match=r"class_weight must .*; got "):
        ClassRectificationLoss([70, 40, 30], class_weight=weight)


@pytest.mark.parametrize("counts", [[], [[]], 3, [5]], ids=str)
def test_class_counts_that_do_not_fit(counts):
    with pytest.raises(ValueError, match=r"(?s)class.counts must .*; got "):
        ClassRectificationLoss(counts)


@pytest.mark.parametrize("rho", [0.0, -0.5, 1.5, "half"])
def test_a_rho_of_minority_classes_that_does_not_fit(rho):
    with pytest.raises(ValueError, match=r"rho must be a number in \(0, 1\]; got "):
        minority_classes(torch.tensor([3, 7]), rho)


def test_instance_level_asks_for_features():
    scores, targets, n_classes, _ = make_batch(31, **ONE_TARGET)
    with pytest.raises(ValueError, match="features"):
        class_rectification(scores, targets, n_classes, level="instance")
    with pytest.raises(ValueError, match="features"):
        ClassRectificationLoss([70, 40, 30, 20], level="instance")(scores, targets)


@pytest.mark.parametrize("codes", [[0, 1, 2], [0, 1, 3]])
def test_a_code_beyond_the_classes(codes):
    """In a target narrower than the one beside it, too."""
    with pytest.raises(ValueError, match=str(max(codes))):
        class_rectification(torch.zeros(3, 2), torch.tensor(codes))
    targets = torch.tensor([[0, 4], [1, 0], [max(codes), 1]])
    with pytest.raises(ValueError, match=str(max(codes))):
        class_rectification(torch.zeros(3, 7), targets, (2, 5))
    with pytest.raises(ValueError, match=str(max(codes))):
        ClassRectificationLoss([5, 3])(torch.zeros(3, 2), torch.tensor(codes))


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.complex64])
def test_scores_and_features_that_are_no_floating_point_numbers(dtype):
    scores, targets, n_classes, features = make_batch(1, **ONE_TARGET)
    options = {"level": "instance"}
    with pytest.raises(ValueError, match=rf"scores must be floating-point.*got {dtype}.*\.float"):
        class_rectification(scores.to(dtype), targets, n_classes)
    with pytest.raises(ValueError, match=rf"features must be floating-point.*got {dtype}"):
        class_rectification(scores, targets, n_classes, features.to(dtype), **options)


def test_scores_that_do_not_fit_the_classes():
    targets = torch.tensor([0, 1, 1])
    with pytest.raises(ValueError, match=r"(?s)(4.*3|3.*4)"):
        class_rectification(torch.zeros(3, 4), targets, (3,))
    with pytest.raises(ValueError, match=r"(?s)(4.*5|5.*4)"):
        class_rectification(torch.zeros(3, 4), targets[:, None].repeat(1, 2), (2, 3))
    with pytest.raises(ValueError, match=r"(?s)(4.*3|3.*4)"):
        ClassRectificationLoss([5, 3, 1])(torch.zeros(3, 4), targets)


def test_scores_of_one_dimension():
    with pytest.raises(ValueError, match=r"(?i)scores"):
        class_rectification(torch.zeros(3), torch.tensor([0, 1, 1]))
    with pytest.raises(ValueError, match=r"(?i)scores"):
        ClassRectificationLoss([5, 3])(torch.zeros(3), torch.tensor([0, 1, 1]))


def test_targets_that_do_not_fit():
    with pytest.raises(ValueError, match="targets"):
        class_rectification(torch.zeros(3, 4), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="targets"):
        class_rectification(torch.zeros(3, 4), torch.tensor([0, 1, 1]), (2, 2))
    for n in (2, 4):
        with pytest.raises(ValueError, match=r"targets|scores"):
            ClassRectificationLoss([5, 3])(torch.zeros(3, 2), torch.zeros(n, dtype=torch.int64))


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_sample_weights_out_of_range(weight):
    loss = ClassRectificationLoss([4, 2])
    weights = torch.tensor([1.0, weight, 1.0])
    with pytest.raises(ValueError, match=r"sample_weight must be finite.*for sample 1"):
        loss(torch.zeros(3, 2), torch.tensor([0, 1, 0]), sample_weight=weights)


def test_label_weights_that_are_equal_are_sample_weights():
    scores, targets, n_classes, _ = make_batch(23, **RAGGED)
    loss = ClassRectificationLoss(TRAINING_COUNTS[3])
    weight = torch.linspace(0, 2, len(scores), dtype=torch.float64)
    expected = loss(scores, targets, sample_weight=weight)
    of_labels = weight[:, None].expand(-1, len(n_classes))
    assert torch.equal(loss(scores, targets, sample_weight=of_labels), expected)


def test_label_weights_out_of_range():
    loss = ClassRectificationLoss([[4, 2], [3, 3]])
    weights = torch.ones(3, 2)
    weights[2, 1] = -1
    with pytest.raises(ValueError, match=r"finite.*got -1.0 for sample 2, target 1"):
        loss(torch.zeros(3, 4), torch.zeros(3, 2, dtype=torch.int64), sample_weight=weights)
    with pytest.raises(ValueError, match=r"\(3,\).*or \(3, 2\).*got shape \(2, 3\)"):
        loss(torch.zeros(3, 4), torch.zeros(3, 2, dtype=torch.int64), sample_weight=weights.t())


@pytest.mark.parametrize("counts", [{0: 900, 1: 80}, {900, 80}, "98"])
def test_counts_that_are_no_sequence(counts):
    with pytest.raises(ValueError, match="class_counts must hold"):
        ClassRectificationLoss(counts)
