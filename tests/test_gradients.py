"""The gradient of the loss, which is written by hand: against slopes, the twin, and itself."""

from contextlib import contextmanager

import naive
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_known_bugs import LargestTensor
from test_loss import (
    COMPARISONS,
    SCOPES,
    assert_same,
    make_batch,
    seeds,
    six_losses,
    value_and_gradients,
)
from torch.autograd import gradcheck
from ways import without_loops

from sk_crl.loss import ClassRectificationLoss, _class_level, class_rectification

pytestmark = pytest.mark.usefixtures("both_ways")

# Three targets of 2, 4 and 3 classes; labels are missing in the first and the last.
HOLES = {"n": 13, "counts": [[6, 3], [6, 2, 3, 2], [8, 0, 3]]}
COUNTS = [[90, 10], [60, 20, 15, 5], [80, 5, 15]]
CLASS_WEIGHT = [[1, 3], [0.5, 2, 2, 0], [1, 1, 4]]
MIXES = {
    "default": {},
    "adjusted": {"tau": 1.0, "rectify": "adjusted"},
    "cross-entropy adjusted": {"tau": 0.5},
    "class weights": {"class_weight": CLASS_WEIGHT},
    "all": {"tau": 0.7, "class_weight": CLASS_WEIGHT, "scope": "all", "alpha": [0.9, 0.0, 0.3]},
}


def make_loss(level, comparison, mix="default"):
    options = {"level": level, "comparison": comparison, "kappa": 2, "bins": 10}
    return ClassRectificationLoss(COUNTS, **options | MIXES[mix]).double()


def variables(seed=32):
    """Scores and features to differentiate by, and targets with holes, away from every kink."""
    scores, targets, _, features = make_batch(seed, **HOLES)
    return scores.requires_grad_(), targets, features.requires_grad_()


# --------------------------------------------------------------------------- slopes


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("comparison", COMPARISONS)
def test_gradient_of_the_mixed_loss_is_the_slope(comparison, mix):
    scores, targets, _ = variables()
    weight = torch.linspace(0, 2, len(scores), dtype=torch.float64)  # of the first none at all
    loss = make_loss("class", comparison, mix)
    assert gradcheck(lambda s: loss(s, targets, sample_weight=weight), scores)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_gradient_of_the_mixed_loss_is_the_slope_at_instance_level(comparison):
    scores, targets, features = variables()
    loss = make_loss("instance", comparison, "all")
    few = features.detach()[..., :2].requires_grad_()
    assert gradcheck(lambda s, f: loss(s, targets, f), (scores, few))


@six_losses
def test_a_sum_over_targets_may_weigh_them(level, comparison):
    """Each target's gradient comes with its own factor, of either sign, or none."""
    scores, targets, features = variables()
    options = {"level": level, "comparison": comparison, "kappa": 2, "bins": 10}
    value = class_rectification(scores, targets, (2, 4, 3), features, **options)
    by = scores if level == "class" else features
    rows = [torch.autograd.grad(v, by, retain_graph=True)[0] for v in value]
    assert all(row.any() for row in rows)
    (actual,) = torch.autograd.grad(value, by, torch.tensor([2.0, 0.0, -3.0], dtype=torch.float64))
    torch.testing.assert_close(actual, 2 * rows[0] - 3 * rows[2], rtol=1e-12, atol=1e-15)


@six_losses
def test_a_second_derivative_is_refused(level, comparison):
    """The gradient has no graph: as a constant it would make a second derivative that is wrong."""
    scores, targets, features = variables()
    loss = make_loss(level, comparison)
    s, f = scores.tanh(), features.tanh()
    term = class_rectification(s, targets, (2, 4, 3), f, level=level, comparison=comparison)
    for value in (loss(s, targets, f), term.sum()):
        by = scores if level == "class" else features
        (gradient,) = torch.autograd.grad(value, by, create_graph=True)
        with pytest.raises(RuntimeError, match=r"differentiated once|_cdist_backward"):
            gradient.square().sum().backward()


def test_no_graph_without_need():
    scores, targets, _ = variables()
    loss = make_loss("class", "relative")
    assert not loss(scores.detach(), targets).requires_grad
    with torch.no_grad():
        assert not loss(scores, targets).requires_grad


# --------------------------------------------------------------------------- linearize


@pytest.mark.parametrize("mix", MIXES)
@six_losses
def test_linearize_is_the_loss_and_its_gradient(level, comparison, mix):
    scores, targets, features = variables()
    loss = make_loss(level, comparison, mix)
    (labels,) = loss.prepare(targets, batch_size=len(targets), dtype=torch.float64)
    value = loss.compute(scores, labels, features)
    expected = torch.autograd.grad(
        value, (scores, features), allow_unused=True, materialize_grads=True
    )
    linear = loss.linearize(scores, labels, features)
    assert not linear.value.requires_grad
    assert torch.equal(linear.value, value)
    linear.backward()
    assert torch.equal(scores.grad, expected[0])
    assert torch.equal(
        torch.zeros_like(features) if level == "class" else features.grad, expected[1]
    )


@pytest.mark.parametrize("level", ["class", "instance"])
def test_linearize_a_batch_without_anchors(level):
    """A class of one sample has no positives; features have a gradient all the same, of 0."""
    loss = ClassRectificationLoss([8, 2], level=level)
    scores = torch.zeros(4, 2, requires_grad=True)
    features = torch.eye(4, requires_grad=True)
    (labels,) = loss.prepare(torch.tensor([0, 0, 0, 1]), batch_size=4)
    loss.linearize(scores, labels, features).backward()
    expected = (1 - loss.alpha) / 4 * torch.tensor([[-0.5, 0.5]] * 3 + [[0.5, -0.5]])
    torch.testing.assert_close(scores.grad, expected)
    assert level == "class" or not features.grad.any()


@pytest.mark.parametrize("frozen", ["scores", "features"])
def test_linearize_where_only_one_of_two_has_a_graph(frozen):
    scores, targets, features = variables()
    loss = make_loss("instance", "relative")
    (labels,) = loss.prepare(targets, batch_size=len(targets), dtype=torch.float64)
    loss.linearize(scores, labels, features).backward()
    expected = {"scores": features.grad, "features": scores.grad}[frozen].clone()
    scores.grad = features.grad = None
    {"scores": scores, "features": features}[frozen].requires_grad_(False)
    loss.linearize(scores, labels, features).backward()
    assert torch.equal({"scores": features.grad, "features": scores.grad}[frozen], expected)


@pytest.mark.parametrize("of_labels", [torch.float32, torch.float64])
@pytest.mark.parametrize("of_scores", [torch.bfloat16, torch.float32, torch.float64])
@six_losses
def test_labels_prepared_in_another_precision(level, comparison, of_scores, of_labels):
    """Each gradient has the type of what it is the gradient of; half precision is widened first."""
    scores, targets, features = (v.detach() for v in variables())
    loss = ClassRectificationLoss(COUNTS, level=level, comparison=comparison, kappa=2)
    (labels,) = loss.prepare(targets, batch_size=len(targets), dtype=of_labels)
    scores, features = (v.to(of_scores).requires_grad_() for v in (scores, features))
    linear = loss.linearize(scores, labels, features)
    assert linear.gradients[0].dtype == linear.tensors[0].dtype
    linear.backward()
    exact = [v.detach().double().requires_grad_() for v in (scores, features)]
    value = make_loss(level, comparison)
    value.rectification = loss.rectification
    expected = value(exact[0], targets, exact[1])
    expected.backward()
    # Half precision has 8 bits, in which gradients come back.
    rtol = 2**-8 if of_scores == torch.bfloat16 else 1e-4
    torch.testing.assert_close(linear.value.double(), expected.detach(), rtol=1e-4, atol=1e-5)
    for variable, reference in zip((scores, features), exact, strict=True):
        if reference.grad is not None:
            assert variable.grad.dtype == of_scores
            torch.testing.assert_close(variable.grad.double(), reference.grad, rtol=rtol, atol=1e-6)


# --------------------------------------------------------------------------- rows at class level


@contextmanager
def rows_of(kind):
    """Lay tensors of anchors out in a row for every one of them, or for every class."""
    with without_loops(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(_class_level, "_SPARE_ROOM", {"anchor": 0, "class": torch.inf}[kind])
        yield


def tied_batch(seed, n, counts, n_different):
    """A batch whose samples are copies of a few different ones."""
    scores, targets, n_classes, features = make_batch(seed, n, counts)
    generator = torch.Generator().manual_seed(seed)
    copied = torch.randint(min(n, n_different), (n,), generator=generator)
    return (scores[copied], targets, n_classes, features), copied


@given(
    seed=seeds,
    counts=st.lists(st.lists(st.integers(0, 7), min_size=2, max_size=4), min_size=1, max_size=2),
    n_different=st.sampled_from([1, 2, 5, 99]),
    comparison=st.sampled_from(COMPARISONS),
    scope=st.sampled_from(SCOPES),
    kappa=st.sampled_from([1, 2, 3, None]),
)
@settings(derandomize=True, deadline=None, max_examples=150)
def test_both_layouts_are_the_equations(seed, counts, n_different, comparison, scope, kappa):
    """Of samples that tie any may be mined, so that only their sum is compared with the twin's."""
    n = max(sum(sizes) for sizes in counts) + 1
    batch, copied = tied_batch(seed, n, counts, n_different)
    # Nowhere at a kink: copies have distance 0, which is no node where these are even.
    options = {"comparison": comparison, "scope": scope, "kappa": kappa, "bins": 10}
    if comparison != "distribution":
        options["margin"] = 0.3717
    values = {}
    for kind in ("anchor", "class"):
        with rows_of(kind):
            values[kind] = value_and_gradients(class_rectification, *batch, **options)
    assert_same(values["anchor"], values["class"], 1e-12)
    expected = value_and_gradients(naive.class_rectification, *batch, **options)
    torch.testing.assert_close(values["class"][0], expected[0], rtol=1e-10, atol=1e-10)
    sums = [torch.zeros_like(g).index_add_(0, copied, g) for g in (values["class"][1], expected[1])]
    torch.testing.assert_close(*sums, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_the_layouts_are_what_they_are_called(comparison):
    """A row for each of the classes with anchors, or for each anchor that does not stand aside."""
    loss = ClassRectificationLoss([6, 20], kappa=2, comparison=comparison)
    targets = torch.tensor([0] * 6 + [1] * 20)
    shapes = {}
    for kind in ("anchor", "class"):
        with rows_of(kind):
            (labels,) = loss.prepare(targets, batch_size=26)
        shapes[kind] = tuple(labels.rectified.weight.shape)
    # Of six anchors, four are easier than the two hard positives: one stands for them.
    n_anchors = 3 if comparison == "relative" else 6
    assert shapes == {"class": (1, 1, n_anchors, 3), "anchor": (1, n_anchors, 1, 3)}


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_many_small_classes_beside_a_large_one_need_no_room_for_it(comparison):
    """Anchors get rows of their own where a row for every class would be mostly empty."""
    n_small, n_large, kappa = 100, 200, 20
    targets = torch.cat([torch.arange(n_small).repeat(2), torch.full((n_large,), n_small)])
    scores = torch.randn(400, n_small + 1, generator=torch.Generator().manual_seed(0))
    options = {"comparison": comparison, "scope": "all", "kappa": kappa}
    with LargestTensor() as largest:
        value = class_rectification(scores.requires_grad_(), targets, **options)
        value.sum().backward()
    assert largest.elements <= 2 * len(scores) * scores.shape[1] < n_small * n_large * kappa
    with rows_of("class"):
        torch.testing.assert_close(class_rectification(scores, targets, **options), value)


def test_half_precision_scores_keep_small_gradients():
    """The factor of a loss scaler comes before the gradient is narrowed."""
    generator = torch.Generator().manual_seed(0)
    targets = (torch.rand(256, generator=generator) < 0.1).long()
    loss = ClassRectificationLoss([900, 100])
    (labels,) = loss.prepare(targets, batch_size=256)
    given = (torch.randn(256, 2, generator=generator) * 9).half()
    gradients = []
    for compute in (lambda s: loss(s, targets), lambda s: loss.compute(s, labels)):
        scores = given.clone().requires_grad_()
        (compute(scores) * 1024).backward()
        gradients.append(scores.grad)
    assert torch.equal(*gradients)
    exact = given.float().requires_grad_()
    (loss(exact, targets) * 1024).backward()
    torch.testing.assert_close(gradients[0], exact.grad.half())


def test_a_gradient_without_a_graph_goes_nowhere():
    loss = ClassRectificationLoss([5, 3])
    (labels,) = loss.prepare(torch.tensor([0, 1, 0]), batch_size=3)
    with pytest.raises(ValueError, match=r"require a gradient; got none"):
        loss.linearize(torch.zeros(3, 2), labels).backward()
