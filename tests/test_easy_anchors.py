"""Easy anchors: the likeliest samples of each class, against the twin and by what they are for."""

from copy import deepcopy

import naive
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_gradients import COUNTS, rows_of, tied_batch, variables
from test_known_bugs import LargestTensor
from test_loss import (
    CLASS_WEIGHT,
    COMPARISONS,
    LEVELS,
    NOTHING_TO_RECTIFY,
    ONE_TARGET,
    RAGGED,
    SCOPES,
    SIX,
    TRAINING_COUNTS,
    assert_same,
    graph_of,
    make_batch,
    seeds,
    six_losses,
    value_and_gradients,
)
from torch.autograd import gradcheck

from sk_crl import CRLClassifier, MultiOutputCRLClassifier
from sk_crl.loss import ClassRectificationLoss, class_rectification
from sk_crl.loss import _class_level as class_level_module
from sk_crl.loss import _inputs as inputs_module
from sk_crl.loss import _profile as profile_module


def of_binary(members, others):
    """Scores, codes, and class 1 with these probabilities among its members and the others."""
    p = torch.tensor([*members, *others], dtype=torch.float64)
    return torch.stack([(1 - p).log(), p.log()], 1), torch.tensor(
        [1] * len(members) + [0] * len(others)
    )


# --------------------------------------------------------------------------- against the twin


@pytest.mark.parametrize("rows", ["class", "anchor"])
@pytest.mark.parametrize("data", [ONE_TARGET, RAGGED], ids=["one target", "ragged targets"])
@pytest.mark.parametrize("kappa", [1, 2, 3, 25, None])
@pytest.mark.parametrize("scope", SCOPES)
@six_losses
def test_equals_the_equations(level, comparison, scope, kappa, data, rows):
    batch = make_batch(3, **data)
    options = {"level": level, "comparison": comparison, "scope": scope, "kappa": kappa}
    expected = value_and_gradients(naive.class_rectification, *batch, **options, anchors="easy")
    with rows_of(rows):
        actual = value_and_gradients(class_rectification, *batch, **options, anchors="easy")
    assert expected[0].any(), "the example must exercise the loss"
    assert_same(actual, expected, 1e-10)


@pytest.mark.parametrize("kappa", [25, None])
@six_losses
def test_they_are_not_all_anchors(level, comparison, kappa):
    """Although the class has no more than kappa samples: half of them are."""
    batch = make_batch(38, n=40, counts=[[28, 12]])
    options = {"level": level, "comparison": comparison, "kappa": kappa}
    of_all, of_easy = (
        class_rectification(*batch, **options, anchors=anchors) for anchors in ("all", "easy")
    )
    assert not torch.isclose(of_all, of_easy, rtol=1e-3)


@given(
    seed=seeds,
    counts=st.lists(st.lists(st.integers(0, 7), min_size=2, max_size=4), min_size=1, max_size=2),
    n_different=st.sampled_from([1, 2, 5, 99]),
    six=st.sampled_from(SIX),
    scope=st.sampled_from(SCOPES),
    kappa=st.sampled_from([1, 2, 3, None]),
)
@example(  # of two targets, with scores that tie in places whose rounding differs
    seed=109,
    counts=[[0, 0, 0, 0], [0, 2, 3, 5]],
    n_different=2,
    six=("instance", "relative"),
    scope="minority",
    kappa=1,
)
@settings(derandomize=True, deadline=None, max_examples=150)
def test_ties_and_any_counts_equal_the_equations(seed, counts, n_different, six, scope, kappa):
    """Of samples that tie any may be mined, so that only their sum is compared with the twin's."""
    n = max(sum(sizes) for sizes in counts) + 1
    batch, copied = tied_batch(seed, n, counts, n_different)
    level, comparison = six
    options = {"level": level, "comparison": comparison, "scope": scope, "kappa": kappa}
    options["anchors"] = "easy"
    # Nowhere at a kink: copies have distance 0, at class level no node where these are even.
    if comparison == "distribution":
        options["bins"] = 10
        if level == "instance":
            batch, copied = make_batch(seed, n, counts), torch.arange(n)
    else:
        options["margin"] = 0.3717
    values = {}
    for kind in ("anchor", "class"):
        with rows_of(kind):
            values[kind] = value_and_gradients(class_rectification, *batch, **options)
    assert_same(values["anchor"], values["class"], 1e-12)
    expected = value_and_gradients(naive.class_rectification, *batch, **options)
    torch.testing.assert_close(values["class"][0], expected[0], rtol=1e-10, atol=1e-7)
    for one, other in zip(values["class"][1:], expected[1:], strict=True):
        sums = [torch.zeros_like(g).index_add_(0, copied, g) for g in (one, other)]
        torch.testing.assert_close(*sums, rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("scores", [0.0, 9e3], ids=["equal", "saturated"])
def test_of_equally_likely_samples_the_last_are_anchors(comparison, scores):
    """Features differ where probabilities do not, so that the choice is seen."""
    _, targets, n_classes, features = make_batch(4, n=14, counts=[[9, 5]])
    scores = torch.full((14, 1), scores, dtype=torch.float64) * torch.tensor([1.0, -1.0])
    batch = scores, targets, n_classes, features
    options = {"level": "instance", "comparison": comparison, "anchors": "easy", "scope": "all"}
    expected = value_and_gradients(naive.class_rectification, *batch, **options)
    assert_same(value_and_gradients(class_rectification, *batch, **options), expected, 1e-10)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sample_weight": True, "class_weight": True, "kappa": 2},
        {"tau": 2.0, "rectify": "adjusted"},
        {"level": "instance", "tau": 2.0, "sample_weight": True},
        {"level": "instance", "tau": 2.0, "rectify": "adjusted", "comparison": "absolute"},
    ],
    ids=lambda options: " ".join(options) or "defaults",
)
@pytest.mark.parametrize("data", [ONE_TARGET, RAGGED], ids=["one target", "ragged targets"])
def test_mix_equals_the_equations(data, options):
    scores, targets, n_classes, features = make_batch(17, **data)
    scores.requires_grad_()
    features.requires_grad_()
    counts = TRAINING_COUNTS[len(n_classes)]
    options = {"anchors": "easy", "scope": "all", **options}
    weight = None
    if options.pop("sample_weight", False):
        weight = torch.linspace(0, 2, len(scores), dtype=torch.float64)
        weight[[2, 5, 11]] = 0.0
    if "class_weight" in options:
        options["class_weight"] = CLASS_WEIGHT[len(n_classes)]
    expected = naive.mixed_loss(
        scores, targets, counts, features, None if weight is None else weight.tolist(), **options
    )
    value = ClassRectificationLoss(counts, **options)(scores, targets, features, weight)
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-6)
    arguments = {"inputs": (scores, features), "allow_unused": True, "materialize_grads": True}
    actual_gradients = torch.autograd.grad(value, **arguments)
    assert_same(actual_gradients, torch.autograd.grad(expected, **arguments), 1e-6)


def test_the_adjusted_scores_say_who_is_easy():
    """Of class 1 the first is likelier by the scores, the second once the prior is added to them.

    The first shares its probability with class 2, which is rare, the second with class 0.
    """
    targets = torch.tensor([1, 1, 0, 0, 0])
    scores = torch.tensor([[0, 2, 1.9], [0.5, 2, -3], [3, 0, 0], [3, 0, 0], [3, 0, 0.0]])
    features = torch.tensor([[1, 0.0], [0, 1], [-1, 1], [0.5, 1], [0, 1.5]])
    options = {"tau": 1.0, "level": "instance", "alpha": 1.0, "margin": 0.5}
    values = {}
    for rectify in ("unadjusted", "adjusted"):
        loss = ClassRectificationLoss([6, 5, 0.01], rectify=rectify, anchors="easy", **options)
        values[rectify] = loss(scores, targets, features).item()
    u = torch.nn.functional.normalize(features)
    told = {"unadjusted": scores, "adjusted": scores + torch.tensor([6, 5, 0.01]).log()}
    for rectify, value in values.items():
        easy = told[rectify].softmax(1)[:2, 1].argmax()
        to_negatives = (u[easy] - u[2:]).norm(dim=1)
        hinge = (0.5 + (u[0] - u[1]).norm() - to_negatives).clamp(min=0)
        assert value == pytest.approx(hinge.mean().item(), rel=1e-5)
    assert values["unadjusted"] != pytest.approx(values["adjusted"], rel=1e-3)


# --------------------------------------------------------------------------- what they are


def test_by_hand():
    """Of probabilities 0.9 and 0.2 only the first is an anchor; the negative has 0.5."""
    scores, targets = of_binary([0.9, 0.2], [0.5, 0.1, 0.1])
    value = class_rectification(scores, targets, kappa=1, anchors="easy")
    assert value.item() == pytest.approx(0.5 + 0.7 - 0.4)
    of_all = class_rectification(scores, targets, kappa=1)
    assert of_all.item() == pytest.approx((0.5 + 0.7 - 0.4 + 0.5 + 0.7 + 0.3) / 2)


@pytest.mark.parametrize(("kappa", "n_easy"), [(1, 1), (2, 2), (3, 3), (4, 3), (25, 3), (None, 3)])
@pytest.mark.parametrize("level", LEVELS)
def test_kappa_and_half_of_the_class_bound_them(level, kappa, n_easy):
    """Of seven samples at most three are anchors."""
    scores, targets = of_binary([0.9, 0.3, 0.8, 0.2, 0.7, 0.4, 0.5], [0.1] * 9)
    loss = ClassRectificationLoss([9, 7], level=level, kappa=kappa, anchors="easy")
    (labels,) = loss.prepare(targets, batch_size=16, dtype=torch.float64)
    if level == "class":
        used = (labels.rectified.weight > 0).any(3).sum()
    else:
        chosen = labels.rectified.choose_anchors(scores.t()[None])
        used = chosen.is_anchor.sum()
        easiest = [0, 2, 4][:n_easy]
        assert sorted(chosen.anchors[chosen.is_anchor].tolist()) == easiest
    assert used == n_easy


@given(
    p=st.lists(st.floats(0.01, 0.99), min_size=4, max_size=12),
    others=st.lists(st.floats(0.01, 0.99), min_size=13, max_size=16),
    kappa=st.integers(1, 2),
)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_no_positive_is_pushed_down(p, others, kappa):
    """What they are for: under Eq. 9 an anchor below its positive lowers the positive.

    With as many hard positives as the harder half of the class has, none is above an easy anchor.
    """
    scores, targets = of_binary(p, others)
    scores.requires_grad_()
    class_rectification(scores, targets, kappa=kappa, anchors="easy").sum().backward()
    assert (scores.grad[: len(p), 1] <= 1e-15).all()
    assert (scores.grad[len(p) :, 1] >= -1e-15).all()


@pytest.mark.parametrize(("anchors", "sign"), [("all", 1), ("easy", 0)])
def test_a_hard_anchor_pushes_its_positive_down(anchors, sign):
    """The second of four is a hard positive of the third and fourth, which are below it."""
    scores, targets = of_binary([0.9, 0.8, 0.3, 0.1], [0.2] * 5)
    scores.requires_grad_()
    class_rectification(scores, targets, kappa=2, anchors=anchors).sum().backward()
    assert scores.grad[1, 1].sign() == sign


@six_losses
def test_the_gradient_is_the_slope(level, comparison):
    """Through anchors, positives and negatives; what is selected by has none."""
    scores, targets, features = variables()
    loss = ClassRectificationLoss(
        COUNTS, level=level, comparison=comparison, kappa=2, bins=10, anchors="easy", alpha=0.8
    ).double()
    if level == "class":
        assert gradcheck(lambda s: loss(s, targets), scores)
    else:
        few = features.detach()[..., :2].requires_grad_()
        assert gradcheck(lambda s, f: loss(s, targets, f), (scores, few))


# --------------------------------------------------------------------------- degenerate batches


@pytest.mark.parametrize("targets", NOTHING_TO_RECTIFY.values(), ids=NOTHING_TO_RECTIFY)
@six_losses
def test_nothing_to_rectify_is_zero_with_a_graph(level, comparison, targets):
    options = {"level": level, "comparison": comparison, "anchors": "easy"}
    value, gradient = graph_of(targets, (3,), **options)
    assert value.tolist() == [0.0]
    assert (gradient == 0).all()


@pytest.mark.parametrize("kappa", [1, 25, None])
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize(
    "targets", [[1] * 6, [0, 0, 1, 1], [2, 2, 2, 0, 0], [0, 0, 0, 1], [-1, 0, 0, 2, 2]], ids=str
)
@six_losses
def test_never_nan(level, comparison, targets, scope, kappa):
    options = {"level": level, "comparison": comparison, "scope": scope, "kappa": kappa}
    value, gradient = graph_of(targets, (3,), **options, anchors="easy")
    assert value.isfinite().all()
    assert gradient.isfinite().all()


@six_losses
def test_samples_without_label_or_weight_are_absent(level, comparison):
    """Also where they would be the easiest."""
    scores, targets, _, features = make_batch(25, n=13, counts=[[7, 6]], shared_features=True)
    of_one = (targets[:, 0] == 1).nonzero()[:, 0]
    easiest = of_one[(scores[of_one, 1] - scores[of_one, 0]).argsort()[-2:]]
    kept = torch.ones(13, dtype=torch.bool)
    kept[easiest] = False
    loss = ClassRectificationLoss([7, 6], level=level, comparison=comparison, anchors="easy")
    expected = loss(scores[kept], targets[kept], features[kept])
    torch.testing.assert_close(loss(scores, targets, features, kept.double()), expected)
    assert loss(scores, targets, features) != pytest.approx(expected.item(), abs=1e-4)
    targets[easiest] = -1
    torch.testing.assert_close(loss(scores, targets, features), expected)


# --------------------------------------------------------------------------- the way they take


@six_losses
def test_labels_prepared_ahead(level, comparison):
    """Of many batches at once; the last one is short and has a budget of its own size."""
    scores, targets, _, features = make_batch(33, **RAGGED)
    loss = ClassRectificationLoss(
        TRAINING_COUNTS[3], level=level, comparison=comparison, anchors="easy", kappa=2
    )
    prepared = loss.prepare(targets, batch_size=7, dtype=torch.float64)
    for labels, part in zip(prepared, (slice(0, 7), slice(7, 14), slice(14, 18)), strict=True):
        torch.testing.assert_close(
            loss.compute(scores[part], labels, features[part]),
            loss(scores[part], targets[part], features[part]),
        )


@pytest.mark.parametrize("kappa", [1, 2, 25, None])
@pytest.mark.parametrize("scope", SCOPES)
@six_losses
def test_shapes_that_do_not_depend_on_labels(level, comparison, scope, kappa, monkeypatch):
    """As on an accelerator, which never waits for the host."""
    options = {"level": level, "comparison": comparison, "scope": scope, "kappa": kappa}
    for data in (ONE_TARGET, RAGGED):
        batch = make_batch(36, **data)
        expected = value_and_gradients(class_rectification, *batch, **options, anchors="easy")
        with monkeypatch.context() as patch:
            for module in (class_level_module, inputs_module, profile_module):
                patch.setattr(module, "reads_are_free", lambda tensor: False)
            for rows in ("class", "anchor"):
                with rows_of(rows):
                    actual = value_and_gradients(
                        class_rectification, *batch, **options, anchors="easy"
                    )
                assert_same(actual, expected, 1e-12)


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
@pytest.mark.parametrize("level", LEVELS)
def test_the_loss_compiles_as_one_graph(level):
    scores, targets, _, features = make_batch(37, n=20, counts=[[14, 6]])
    loss = ClassRectificationLoss([14, 6], level=level, alpha=0.5, kappa=3, anchors="easy")
    results = []
    for function in (loss, torch.compile(deepcopy(loss), fullgraph=True, backend="aot_eager")):
        variable = (scores if level == "class" else features).clone().requires_grad_()
        s, f = (variable, features) if level == "class" else (scores, variable)
        value = function(s, targets, f)
        value.backward()
        results.append([value.detach(), variable.grad])
    torch.testing.assert_close(*results)
    assert results[0][1].any()


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_there_is_room_for_the_easy_ones_alone(comparison):
    n, kappa = 512, 8
    scores = torch.randn(n, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    targets = (torch.arange(n) % 3 == 0).long()
    options = {"comparison": comparison, "kappa": kappa, "anchors": "easy"}
    with LargestTensor() as largest:
        class_rectification(scores, targets, **options).sum().backward()
    assert largest.elements <= 2 * n < n // 3 * kappa


# --------------------------------------------------------------------------- estimators


@pytest.mark.parametrize("level", LEVELS)
def test_estimators_hand_it_on(table, fast, level):
    X, y = table
    fits = {
        anchors: fast(level=level, alpha=0.6, anchors=anchors).fit(X, y)
        for anchors in ("all", "easy")
    }
    assert fits["easy"].net_.criterion_.rectification.anchors == "easy"
    assert fits["easy"].loss_curve_ != fits["all"].loss_curve_
    default = fast(level=level, alpha=0.6).fit(X, y)
    assert default.loss_curve_ == fits["all"].loss_curve_
    both = MultiOutputCRLClassifier(
        n_members=1, level=level, anchors="easy", alpha=0.6, max_epochs=2, random_state=0
    ).fit(X, np.column_stack([y, 1 - y]))
    assert both.net_.criterion_.rectification.anchors == "easy"
    assert CRLClassifier(anchors="easy").get_params()["anchors"] == "easy"
