"""One test for every bug found in public implementations, on examples to be checked by eye.

Most use one batch of two classes. Its table holds the probability of class 1, the minority, of
which the first two samples are; the other three are of class 0, so that rho * n is 2.5.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sk_crl.loss import ClassRectificationLoss, class_rectification, minority_classes

pytestmark = pytest.mark.usefixtures("both_ways")

TARGETS = torch.tensor([1, 1, 0, 0, 0])
SIX = [
    (level, comparison)
    for level in ("class", "instance")
    for comparison in ("relative", "absolute", "distribution")
]


def scores_of(*probabilities):
    """Scores with these probabilities: rows of all classes, or the numbers of class 1 of two."""
    rows = torch.tensor(probabilities, dtype=torch.float64)
    if rows.dim() == 1:
        rows = torch.stack([1 - rows, rows], 1)
    return rows.log()


def loss_of(*probabilities, **options):
    return class_rectification(scores_of(*probabilities), TARGETS, **options).item()


def test_gradient_detached_or_zero():
    """Bug: hard samples or scores are detached, so that the loss never trains anything.

    All six triplets of .9, .6 (anchors) with .5, .3, .2 are active. By p: anchor .9 gives its
    positive .6 a slope of -1 a triplet, itself 0, its negative 1; anchor .6 gives itself -2, its
    positive .9 a slope of 1, its negative 1.
    """
    p = torch.tensor([0.9, 0.6, 0.5, 0.3, 0.2], dtype=torch.float64)
    scores = scores_of(*p.tolist()).requires_grad_()
    class_rectification(scores, TARGETS).sum().backward()
    by_p = torch.tensor([3.0, -9.0, 2.0, 2.0, 2.0], dtype=torch.float64) / 6
    by_score = by_p * p * (1 - p)
    torch.testing.assert_close(scores.grad, torch.stack([-by_score, by_score], 1))


def test_omega_reversed():
    """Bug: the imbalance is measured from the smallest class, or as smallest over largest.

    43 + 1 samples, where two classes of 43 would be 86: 42 of 86 are missing.
    """
    assert ClassRectificationLoss([43, 1]).omega.item() == pytest.approx(42 / 86)
    assert ClassRectificationLoss([5, 5]).omega.item() == 0


def test_fixed_batch_size():
    """Bug: rho * n with the nominal batch size, also in the last, short batch.

    Of the last three samples two are of class 0, more than half of 3, and one is of class 1.
    """
    loss = ClassRectificationLoss([6, 4], alpha=1.0)
    assert loss(scores_of(0.9, 0.6, 0.5, 0.3, 0.2, 0.1, 0.1, 0.1), torch.arange(8) % 2) > 0
    assert loss(scores_of(0.5, 0.4, 0.3), torch.tensor([1, 0, 0])) == 0


def test_absent_class_counted_as_minority():
    """Bug: a class with no sample in the batch is the smallest of all, and so a minority."""
    assert minority_classes(torch.tensor([0, 3, 5])).tolist() == [False, True, False]
    of_two = class_rectification(scores_of(0.9, 0.6, 0.5, 0.3, 0.2), TARGETS)
    rows = [[0.0, 1 - p, p] for p in (0.9, 0.6, 0.5, 0.3, 0.2)]
    of_three = class_rectification(scores_of(*rows).clamp(min=-1e4), TARGETS + 1)
    torch.testing.assert_close(of_three, of_two)


def test_singleton_class_kept():
    """Bug: an anchor without any positive divides by zero triplets."""
    assert minority_classes(torch.tensor([1, 3, 8])).tolist() == [False, True, False]
    targets = torch.tensor([1, 0, 0, 0, 0])
    assert class_rectification(scores_of(0.9, 0.6, 0.5, 0.3, 0.2), targets).item() == 0


def test_budget_not_cumulative():
    """Bug: every class of at most rho * n samples is a minority; they must be so *together*.

    Each of four classes of 4 is below half of 16, but only two of them are so together. The
    singleton is dropped after it has spent its share of half of 12.
    """
    four = minority_classes(torch.tensor([4, 4, 4, 4]))
    assert four.tolist() == [True, True, False, False]
    spent = minority_classes(torch.tensor([1, 5, 6])), minority_classes(torch.tensor([1, 1, 5, 5]))
    assert spent[0].tolist() == [False, True, False]
    assert spent[1].tolist() == [False, False, False, False]


@pytest.mark.parametrize("kappa", [1, 25, None])
def test_anchor_among_its_positives(kappa):
    """Bug: the anchor is a sample of its class, and mined as its own positive, at distance 0.

    The anchors .9 and .6 have each other: 0.3 apart. Negatives all .5, so 0.4 and 0.1 below.
    """
    hinges = [0.5 + 0.3 - 0.4, 0.5 + 0.3 - 0.1]
    assert loss_of(0.9, 0.6, 0.5, 0.5, 0.5, kappa=kappa) == pytest.approx(sum(hinges) / 2)
    positive = 0.3**2
    negative = (0.1**2 + 0.4**2) / 2
    value = loss_of(0.9, 0.6, 0.5, 0.5, 0.5, kappa=kappa, comparison="absolute")
    assert value == pytest.approx((positive + negative) / 2)


def test_anchor_among_its_positives_at_instance_level():
    """The same on a line: class 1 sits at 0 and 1, class 0 at 3, 4 and 6; the margin is 4.

    4 + 1 - d over the negatives is 2, 1, -1 for the anchor at 0 and 3, 2, 0 for the one at 1.
    """
    features = torch.tensor([[0.0], [1.0], [3.0], [4.0], [6.0]], dtype=torch.float64)
    options = {"level": "instance", "normalize": False, "margin": 4.0}
    value = class_rectification(torch.zeros(5, 2), TARGETS, features=features, **options)
    assert value.item() == pytest.approx((2 + 1 + 3 + 2) / 6)


def test_easiest_negatives():
    """Bug: the negatives with the *lowest* score on the anchor's class are mined.

    The one hardest negative is .5, the easiest .2.
    """
    hinges = [0.5 + 0.3 - (0.9 - 0.5), 0.5 + 0.3 - (0.6 - 0.5)]
    assert loss_of(0.9, 0.6, 0.2, 0.5, 0.3, kappa=1) == pytest.approx(sum(hinges) / 2)


def test_easiest_positives():
    """The same bug at the other end: of three positives, the hardest is the lowest *other* one."""
    targets = torch.tensor([1, 1, 1, 0, 0, 0, 0])
    scores = scores_of(0.9, 0.8, 0.6, 0.5, 0.5, 0.5, 0.5)
    value = class_rectification(scores, targets, kappa=1).item()
    hinges = [0.5 + 0.3 - 0.4, 0.5 + 0.2 - 0.3, 0.5 + 0.2 - 0.1]  # .9 & .6, .8 & .6, .6 & .8
    assert value == pytest.approx(sum(hinges) / 3)


THREE_CLASSES = [
    [0.1, 0.1, 0.8],
    [0.3, 0.2, 0.5],
    [0.6, 0.1, 0.3],
    [0.8, 0.1, 0.1],
    [0.7, 0.1, 0.2],
]
# On class 2: positives .8 and .5, negatives .3, .1 and .2.
HINGES_ON_CLASS_2 = [0.3, 0.1, 0.2, 0.6, 0.4, 0.5]


def test_scores_of_different_columns_compared():
    """Bug: each sample's score on *its own* class, instead of all on the anchor's class.

    On their own class the negatives would have .6, .8 and .7.
    """
    value = class_rectification(scores_of(*THREE_CLASSES), torch.tensor([2, 2, 0, 0, 0])).item()
    assert value == pytest.approx(sum(HINGES_ON_CLASS_2) / 6)


def test_position_of_class_used_for_its_label():
    """Bug: the second class *present* is looked up in column 1, though its label is 2.

    In column 1 the anchors have .1 and .2, the negatives .1; two other targets shift the columns.
    """
    present = torch.tensor([2, 2, 0, 0, 0])
    unlabelled = torch.full((5,), -1)
    targets = torch.stack([TARGETS, present, unlabelled], 1)
    scores = torch.cat(
        [scores_of(0.9, 0.6, 0.5, 0.3, 0.2), scores_of(*THREE_CLASSES), torch.zeros(5, 2)], 1
    )
    value = class_rectification(scores, targets, (2, 3, 2))
    assert value.tolist() == pytest.approx([2.3 / 6, sum(HINGES_ON_CLASS_2) / 6, 0.0])


def test_absolute_value_of_the_negative_distance():
    """Bug: a negative far *above* the anchor counts as far away, though it is the worst mistake.

    Negative .8 over the anchors .4 and .3: d is -.4 and -.5.
    """
    hinges = [0.5 + 0.1 + 0.4, 0.5 + 0.1 + 0.5]
    assert loss_of(0.4, 0.3, 0.8, 0.1, 0.1, kappa=1) == pytest.approx(sum(hinges) / 2)
    positive = 0.1**2
    negative = (0.9**2 + 1.0**2) / 2
    value = loss_of(0.4, 0.3, 0.8, 0.1, 0.1, kappa=1, comparison="absolute")
    assert value == pytest.approx((positive + negative) / 2)
    # As a distribution: no negative is farther than any positive, so the overlap is whole.
    value = loss_of(0.4, 0.3, 0.8, 0.1, 0.1, kappa=1, comparison="distribution")
    assert value == pytest.approx(1)


def test_hinge_on_a_mean_of_triplets():
    """Bug: easy triplets pay for hard ones, when the hinge is taken after the mean or sum.

    .5 + .1 - d over the negatives .85, .1, .05 is .55, -.2, -.25 for anchor .9 and
    .65, -.1, -.15 for anchor .8.
    """
    value = loss_of(0.9, 0.8, 0.85, 0.1, 0.05)
    assert value == pytest.approx((0.55 + 0.65) / 6)


def test_mean_over_active_triplets_only():
    """Bug: dividing by the triplets inside the margin, of which here are two of six, or none."""
    assert loss_of(0.9, 0.8, 0.85, 0.1, 0.05) != pytest.approx((0.55 + 0.65) / 2)
    assert loss_of(0.9, 0.8, 0.85, 0.1, 0.05) == pytest.approx((0.55 + 0.65) / 6)
    assert loss_of(0.9, 0.8, 0.1, 0.1, 0.1) == 0


def test_instance_mining_transposed():
    """Bug: every candidate picks its hardest *anchors*, instead of every anchor its candidates.

    On a line, class 0 sits at 0, 4 and 10, class 1 at 2, 7 and 100. Farthest positive and nearest
    negative: 10 and 2 away for the sample at 0, 6 and 2 for 4, 10 and 3 for 10.
    """
    features = torch.tensor([[0.0], [4.0], [10.0], [2.0], [7.0], [100.0]], dtype=torch.float64)
    value = class_rectification(
        torch.zeros(6, 2),
        torch.tensor([0, 0, 0, 1, 1, 1]),
        features=features,
        level="instance",
        normalize=False,
        kappa=1,
        margin=1.0,
    )
    assert value.item() == pytest.approx(((1 + 10 - 2) + (1 + 6 - 2) + (1 + 10 - 3)) / 3)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("comparison", ["relative", "absolute"])
def test_square_root_of_distance_zero(comparison, normalize):
    """Bug: the slope of a square root at 0 is infinite, and infinity times 0 is NaN.

    An anchor coincides with its positive and with a negative; the others lie at distance 1.
    """
    features = torch.tensor([[1.0, 0], [1, 0], [1, 0], [0.5, 0.75**0.5], [0.5, 0.75**0.5]])
    features.requires_grad_()
    value = class_rectification(
        torch.zeros(5, 2),
        TARGETS,
        features=features,
        level="instance",
        comparison=comparison,
        normalize=normalize,
        margin=0.5,
    ).sum()
    value.backward()
    # 2 of 6 triplets (negative pairs) are active, with the margin alone.
    expected = {"relative": 0.5 / 3, "absolute": 0.5**2 / 3 / 2}[comparison]
    assert value.item() == pytest.approx(expected, abs=1e-3)
    assert features.grad.isfinite().all()


class LargestTensor(TorchDispatchMode):
    """Remember the elements of the largest storage made, backward pass included."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                size = leaf.untyped_storage().nbytes() // leaf.element_size()
                self.elements = max(self.elements, size)
        return result


def largest_tensor(n, k, **options):
    """Elements of the largest tensor of one forward and backward pass."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(n, k, generator=generator, requires_grad=True)
    features = torch.randn(n, 8, generator=generator, requires_grad=True)
    targets = torch.randint(k, (n,), generator=generator)
    with LargestTensor() as largest:
        class_rectification(scores, targets, features=features, **options).sum().backward()
    return largest.elements


@pytest.mark.parametrize("kappa", [25, None])
@pytest.mark.parametrize(("level", "comparison"), SIX)
def test_cube_of_the_batch(level, comparison, kappa):
    """Bug: all triplets of a batch at once, or all pairs times all bins: 6.7 GB at B = 256.

    Two equal classes are the worst case: B / 2 anchors with B / 2 positives and negatives.
    """
    n = 128
    options = {"level": level, "comparison": comparison, "kappa": kappa}
    assert largest_tensor(n, 2, **options) <= 4 * n**2 < (n / 2) ** 3


@pytest.mark.parametrize("scope", ["minority", "all"])
@pytest.mark.parametrize("comparison", ["relative", "absolute", "distribution"])
def test_square_of_the_batch_at_class_level(comparison, scope):
    """The same at class level: negatives are shared, so B * kappa numbers are all it takes."""
    n, kappa = 512, 25
    largest = largest_tensor(n, 10, comparison=comparison, scope=scope, kappa=kappa)
    assert largest <= 4 * n * (kappa + 1) < n**2


@pytest.mark.parametrize(("level", "comparison"), SIX)
@pytest.mark.parametrize("targets", [[0, 0, 0], [0, 0, 1], [-1, -1, -1], [0]], ids=str)
def test_no_minority_class(targets, level, comparison):
    """Bug: a mean over no triplets is NaN, or a constant that cannot be propagated back."""
    scores = torch.zeros(len(targets), 2, requires_grad=True)
    features = torch.ones(len(targets), 3, requires_grad=True)
    loss = ClassRectificationLoss([8, 2], alpha=1.0, level=level, comparison=comparison)
    value = loss(scores, torch.tensor(targets), features)
    value.backward()
    assert value == 0
    assert (scores if level == "class" else features).grad.eq(0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("level", "comparison"), SIX)
def test_half_precision_overflow(level, comparison, dtype):
    """Bug: masks of 1e9, or squares of features of 300, are infinite in half precision."""
    normalize = comparison == "distribution"
    generator = torch.Generator().manual_seed(1)
    targets = torch.tensor([0] * 9 + [1] * 4 + [2] * 3)
    scores = torch.randn(16, 3, generator=generator).to(dtype)
    features = (300 * torch.randn(16, 4, generator=generator)).to(dtype)
    options = {"level": level, "comparison": comparison, "normalize": normalize, "kappa": 25}
    expected = class_rectification(scores.double(), targets, None, features.double(), **options)
    scores.requires_grad_()
    features.requires_grad_()
    value = class_rectification(scores, targets, None, features, **options)
    value.float().sum().backward()
    torch.testing.assert_close(value.double(), expected, rtol=1e-2, atol=1e-2)
    assert (scores if level == "class" else features).grad.isfinite().all()
