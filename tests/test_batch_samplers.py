"""Batch samplers by themselves: what an epoch shows, and in which batches."""

import math
from itertools import pairwise

import naive
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from sk_crl.training import (
    AtLeastPerClass,
    BalancedBatches,
    BatchSampler,
    DynamicBatches,
    StratifiedBatches,
)
from sk_crl.training._draws import ClassIndex
from sk_crl.training._samplers import find_batch_sampler

pytestmark = pytest.mark.usefixtures("untouched_generators")

some = settings(max_examples=60, deadline=None)
SAMPLERS = [
    StratifiedBatches(),
    BalancedBatches(),
    DynamicBatches("linear"),
    AtLeastPerClass(1),
]
by_sampler = pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@st.composite
def labelled(draw, most_targets=1, may_miss=False):
    """Codes with small and absent classes, a batch size up to their number, and a seed."""
    n_samples = draw(st.integers(1, 60))
    targets = []
    for _ in range(draw(st.integers(1, most_targets))):
        # Absent codes among those that occur, and none above the largest.
        known = draw(st.lists(st.integers(0, 6), min_size=1, max_size=5, unique=True))
        choices = [-1, *known] if may_miss else known
        targets.append(
            draw(st.lists(st.sampled_from(choices), min_size=n_samples, max_size=n_samples))
        )
    codes = torch.tensor(targets).t()
    return codes, draw(st.integers(1, n_samples)), draw(st.integers(0, 1000))


several = labelled(most_targets=3, may_miss=True)
with_labels = several.filter(lambda case: bool((case[0] >= 0).any()))


def counts_of(codes, n=7):
    """Number of samples of every class of one target."""
    return torch.bincount(codes[codes >= 0], minlength=n)


# ------------------------------------------------------------------------------------ stratified


@some
@given(several)
def test_stratified_batches_hold_every_sample_once(case):
    codes, batch_size, seed = case
    order = StratifiedBatches().order(codes, batch_size, 0, 1, seeded(seed))
    assert order.sort().values.tolist() == list(range(len(codes)))


@some
@given(several)
def test_stratified_batches_hold_every_share_rounded_down_or_up(case):
    codes, batch_size, seed = case
    order = StratifiedBatches().order(codes, batch_size, 0, 1, seeded(seed))
    labels = [tuple(row) for row in codes.tolist()]
    for batch in order.split(batch_size):
        in_batch = [labels[row] for row in batch]
        for label in set(labels):
            # Whole numbers, for quotients round.
            share, rest = divmod(labels.count(label) * len(batch), len(labels))
            assert in_batch.count(label) in (share, share + (rest > 0))


def test_stratified_batches_shuffle_what_is_alike():
    codes = torch.tensor([0] * 60 + [1] * 20)[:, None]
    orders = [StratifiedBatches().order(codes, 16, 0, 1, seeded(seed)) for seed in range(200)]
    first = torch.stack([order[:16] for order in orders]).flatten().bincount(minlength=80)
    # Each sample is in the first of 5 batches 40 times on average, with a deviation of 5.7.
    assert first.min() > 15
    assert first.max() < 70


def test_stratified_batches_of_several_targets_do_not_favour_one():
    """Where every combination is one of a kind, each target comes first in some epochs."""
    codes = torch.cartesian_prod(*[torch.arange(7)] * 2)
    found = set()
    for seed in range(20):
        order = StratifiedBatches().order(codes, 7, 0, 1, seeded(seed))
        found |= {
            target
            for target in range(2)
            if all(codes[batch, target].unique().numel() == 7 for batch in order.split(7))
        }
    assert found == {0, 1}


# ---------------------------------------------------------------------------- draws by their class


@some
@given(labelled())
def test_balanced_batches_hold_classes_alike(case):
    codes, batch_size, seed = case
    order = BalancedBatches().order(codes, batch_size, 0, 1, seeded(seed))
    assert len(order) == len(codes)
    there = counts_of(codes[:, 0]) > 0
    for batch in order.split(batch_size):
        counts = counts_of(codes[batch, 0])[there]
        assert counts.max() - counts.min() <= 1


@some
@given(
    labelled(),
    st.sampled_from(["convex", "linear", "concave", "composite"]),
    st.integers(1, 30).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))),
)
def test_dynamic_batches_hold_the_shares_of_the_paper(case, schedule, epochs):
    codes, batch_size, seed = case
    order = DynamicBatches(schedule, decay=0.9).order(codes, batch_size, *epochs, seeded(seed))
    g = naive.sampling_schedule(schedule, *epochs, decay=0.9)
    shares = naive.scheduled_shares(counts_of(codes[:, 0]).tolist(), g)
    assert len(order) == len(codes)
    for batch in order.split(batch_size):
        for share, count in zip(shares, counts_of(codes[batch, 0]).tolist(), strict=True):
            exact = share * len(batch)
            assert math.floor(exact + 1e-9) <= count <= math.ceil(exact - 1e-9)


@pytest.mark.parametrize("schedule", ["convex", "linear", "concave", "composite"])
def test_schedules_fall_from_one(schedule):
    sampler = DynamicBatches(schedule, decay=0.8)
    g = [sampler.exponent(epoch, 10) for epoch in range(10)]
    assert g == [naive.sampling_schedule(schedule, epoch, 10, 0.8) for epoch in range(10)]
    assert g[0] == 1
    assert all(later < earlier for earlier, later in pairwise(g))
    assert g[-1] < 0.17
    assert sampler.exponent(10, 10) == sampler.exponent(25, 10) == 0, "the schedule is over"


def test_the_first_dynamic_epoch_shows_every_sample_once():
    codes = torch.tensor([0] * 30 + [1] * 10)[:, None]
    order = DynamicBatches().order(codes, 8, 0, 5, seeded())
    assert order.sort().values.tolist() == list(range(40))


@some
@given(labelled(), st.sampled_from([BalancedBatches(), DynamicBatches("linear")]))
def test_samples_of_a_class_come_round(case, sampler):
    codes, batch_size, seed = case
    order = sampler.order(codes, batch_size, 2, 4, seeded(seed))
    shown = order.bincount(minlength=len(codes))
    for code in codes.unique():
        of_class = shown[codes[:, 0] == code]
        assert of_class.max() - of_class.min() <= 1


@some
@given(with_labels)
def test_frequencies_of_several_targets(case):
    """Draw a target, then one of its classes, then a sample."""
    codes, _, _ = case
    targets = [column for column in codes.t().tolist() if max(column) >= 0]
    expected = [
        sum(
            1 / len(targets) / len({c for c in column if c >= 0}) / column.count(column[row])
            for column in targets
            if column[row] >= 0
        )
        for row in range(len(codes))
    ]
    frequencies = BalancedBatches().frequencies(codes, 0, 1)
    assert frequencies.tolist() == pytest.approx(expected, abs=1e-12)
    assert frequencies.sum().item() == pytest.approx(1)


@pytest.mark.parametrize("sampler", [BalancedBatches(), DynamicBatches()], ids=repr)
def test_samples_are_drawn_as_often_as_expected(sampler):
    codes = torch.tensor(
        [[0, 0], [0, 1], [0, 1], [0, -1], [1, 0], [2, 0], [-1, 0], [-1, -1], [0, 0], [1, 1]]
    )
    shown = sum(
        sampler.order(codes, 4, 1, 3, seeded(seed)).bincount(minlength=10) for seed in range(2000)
    )
    expected = 10 * sampler.frequencies(codes, 1, 3)
    # Independent draws would deviate by no more than 0.03 a sample and epoch.
    assert (shown / 2000).tolist() == pytest.approx(expected.tolist(), abs=0.06)
    assert shown[7] == 0, "a row without a label teaches nothing"


# ---------------------------------------------------------------------------- at least so many


@some
@given(with_labels, st.integers(1, 3))
def test_at_least_so_many_of_every_class_in_each_batch(case, m):
    codes, batch_size, seed = case
    present = [(t, c) for t, column in enumerate(codes.t()) for c in column.unique() if c >= 0]
    sampler = AtLeastPerClass(m)
    if m * len(present) > batch_size:
        with pytest.raises(ValueError, match=f"batch_size must be at least {m * len(present)}"):
            sampler.order(codes, batch_size, 0, 1, seeded(seed))
        return
    order = sampler.order(codes, batch_size, 0, 1, seeded(seed))
    *full, last = order.split(batch_size)
    assert len(full) == (len(codes) - 1) // batch_size
    assert len(last) >= len(codes) - batch_size * len(full)
    for batch in (*full, last):
        for target, code in present:
            rows = batch[codes[batch, target] == code]
            assert len(rows) >= m
            n_there = int((codes[:, target] == code).sum())
            if len(codes.t()) == 1 and len(rows) == m:
                assert rows.unique().numel() == min(m, n_there), "others are taken first"


def test_batches_that_lack_nothing_stay_as_they_are():
    codes = (torch.arange(60) % 2)[:, None]
    order = AtLeastPerClass(1).order(codes, 20, 0, 1, seeded(3))
    assert order.tolist() == torch.randperm(60, generator=seeded(3)).tolist()


def test_largest_classes_make_room():
    codes = torch.tensor([0] * 80 + [1] * 30 + [2] * 10)[:, None]
    natural = torch.randperm(120, generator=seeded(1))
    order = AtLeastPerClass(4).order(codes, 12, 0, 1, seeded(1))
    for before, batch in zip(natural.split(12), order.split(12), strict=True):
        counts, had = counts_of(codes[batch, 0], 3), counts_of(codes[before, 0], 3)
        assert counts.tolist() == [4, 4, 4]
        kept = set(before.tolist()) & set(batch.tolist())
        assert len(kept) >= had.clamp(max=4).sum(), "what is scarce stays"


def test_a_last_batch_that_is_too_short_is_lengthened():
    codes = torch.tensor([0] * 9 + [1] * 4)[:, None]
    order = AtLeastPerClass(3).order(codes, 6, 0, 1, seeded())
    *_, last = order.split(6)
    assert counts_of(codes[last, 0], 2).tolist() == [3, 3]


# --------------------------------------------------------------------------------------- all alike


@by_sampler
def test_orders_come_from_the_generator_alone(sampler):
    codes = torch.tensor([0] * 30 + [1] * 10)[:, None]
    order = sampler.order(codes, 8, 1, 3, seeded(5))
    assert order.tolist() == sampler.order(codes, 8, 1, 3, seeded(5)).tolist()
    assert order.tolist() != sampler.order(codes, 8, 1, 3, seeded(6)).tolist()


@by_sampler
def test_single_samples_and_classes(sampler):
    for codes in (torch.tensor([[3]]), torch.tensor([[0], [0], [0]]), torch.tensor([[5, 0]])):
        size = max(len(codes), codes.shape[1])
        batches = sampler.order(codes, size, 0, 1, seeded())
        assert set(batches.tolist()) == set(range(len(codes)))


@by_sampler
def test_samplers_are_cloned_and_shown(sampler):
    copy = clone(sampler)
    assert type(copy) is type(sampler)
    assert copy.get_params() == sampler.get_params()
    assert isinstance(sampler, BatchSampler)


def test_samplers_by_name():
    assert find_batch_sampler(None) is None
    assert isinstance(find_batch_sampler("stratified"), StratifiedBatches)
    assert isinstance(find_batch_sampler("balanced"), BalancedBatches)
    assert isinstance(find_batch_sampler("dynamic"), DynamicBatches)


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (AtLeastPerClass(0), "m must be an integer of at least 1; got 0"),
        (AtLeastPerClass(1.5), "m must be an integer of at least 1; got 1.5"),
        (AtLeastPerClass(5), r"at least 10, for m=5 samples.* 2 classes.* batches have 8 of 40"),
        (DynamicBatches("cosine"), "schedule must be one of 'convex', 'linear'.*'cosine'"),
        (DynamicBatches(decay=1), r"decay must be a number in \(0, 1\); got 1"),
    ],
    ids=repr,
)
def test_bad_settings(sampler, message):
    codes = torch.tensor([0] * 30 + [1] * 10)[:, None]
    with pytest.raises(ValueError, match=message):
        sampler.order(codes, 8, 0, 1, seeded())


def test_classes_are_numbered_over_all_targets():
    index = ClassIndex.of(torch.tensor([[0, -1], [2, 1], [0, 0]]))
    assert index.ids.tolist() == [[0, 5], [2, 4], [0, 3]]
    assert index.counts.tolist() == [2, 0, 1, 1, 1]
    assert index.target.tolist() == [0, 0, 0, 1, 1]
    assert index.members(torch.tensor([2, 0, 1])).tolist() == [2, 0, 1, 2, 1]
