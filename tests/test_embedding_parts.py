"""The parts of LMLE and Triplet-kNN against their naive twins."""

import naive_embedding as naive
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from sk_crl.baselines._clusters import cluster_classes, decide
from sk_crl.baselines._quintuplets import (
    choose_quintuplets,
    quintuplet_margins,
    triple_header_hinge,
)
from sk_crl.baselines._rounds import Round, quintuplet_batches
from sk_crl.baselines._triplet_knn import SemiHardTripletLoss
from sk_crl.training._draws import draw_balanced

few = settings(derandomize=True, deadline=None, max_examples=30)
seeds = st.integers(0, 2**32 - 1)


def make_labels(seed, n=16, n_classes=3, missing=0.2):
    """Random codes from 0 on, some of them missing, and clusters inside every class."""
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=n - n_classes)])
    codes[n_classes:][rng.random(n - n_classes) < missing] = -1
    clusters = np.where(codes >= 0, 2 * codes + rng.integers(2, size=n), -1)
    return torch.from_numpy(codes), torch.from_numpy(clusters)


def make_features(seed, n=16, d=4):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(n, d, generator=generator, dtype=torch.float64))


def with_missing(quintuplets):
    return [[-1 if i is None else i for i in row] for row in quintuplets]


@few
@given(seeds)
def test_quintuplets_equal_their_description(seed):
    features, (codes, clusters) = make_features(seed), make_labels(seed)
    anchors = (codes >= 0).nonzero()[:, 0]
    expected = [
        naive.quintuplet(features, codes.tolist(), clusters.tolist(), a) for a in anchors.tolist()
    ]
    chosen = choose_quintuplets(features, codes, clusters, anchors)
    assert chosen.tolist() == with_missing(expected)


def test_quintuplets_are_the_same_in_parts(monkeypatch):
    features, (codes, clusters) = make_features(0, 40), make_labels(0, 40)
    anchors = (codes >= 0).nonzero()[:, 0]
    at_once = choose_quintuplets(features, codes, clusters, anchors)
    monkeypatch.setattr("sk_crl.baselines._quintuplets._CHUNK", 3 * 40)
    assert torch.equal(choose_quintuplets(features, codes, clusters, anchors), at_once)


def test_who_is_alone_is_its_own_farthest():
    features = torch.eye(4, dtype=torch.float64)
    codes, clusters = torch.tensor([0, 1, 1, 1]), torch.tensor([0, 1, 1, 2])
    chosen = choose_quintuplets(features, codes, clusters, torch.arange(4))
    assert chosen[0, :4].tolist() == [0, 0, -1, 0], "no other cluster in a class of one row"
    assert chosen[3, 1] == 3, "alone in its cluster"


@few
@given(seeds, st.floats(0, 1))
def test_margins_and_loss_equal_the_equations(seed, strength):
    features, (codes, clusters) = make_features(seed), make_labels(seed)
    anchors = (codes >= 0).nonzero()[:, 0]
    rows = [codes.tolist(), clusters.tolist()]
    expected_margins = [naive.margins(*rows, a, strength) for a in anchors.tolist()]
    sizes = [(known[anchors, None] == known).sum(1) for known in (codes, clusters)]
    margins = quintuplet_margins(*sizes, len(anchors), len(codes[anchors].unique()), strength)
    torch.testing.assert_close(margins.double(), torch.tensor(expected_margins).double())

    quintuplets = [naive.quintuplet(features, *rows, a) for a in anchors.tolist()]
    results = []
    for loss, *arguments in [
        (naive.triple_header_hinge, quintuplets, expected_margins),
        (
            triple_header_hinge,
            torch.tensor(with_missing(quintuplets)),
            torch.tensor(expected_margins, dtype=torch.float64),
        ),
    ]:
        points = features.clone().requires_grad_()
        value = loss(points, *arguments)
        value.backward()
        results.append((value.detach(), points.grad))
    assert results[0][0] > 0, "the example must exercise the loss"
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@few
@given(seeds, st.integers(1, 9))
def test_decision_equals_its_description(seed, n_neighbors):
    rng = np.random.default_rng(seed)
    features, centers = (
        torch.from_numpy(rng.normal(size=(12, 3))),
        torch.from_numpy(rng.normal(size=(9, 3))),
    )
    classes = torch.from_numpy(np.sort(rng.integers(4, size=9)))
    expected = [naive.decide(x, centers, classes.tolist(), n_neighbors) for x in features]
    assert decide(features, centers, classes, 4, n_neighbors).tolist() == expected


def test_decision_is_the_same_in_parts(monkeypatch):
    features, centers = make_features(0, 50), make_features(1, 12)
    classes = torch.arange(12) // 4
    at_once = decide(features, centers, classes, 3, 5)
    assert len(at_once.unique()) == 3
    monkeypatch.setattr("sk_crl.baselines._clusters._CHUNK", 100)
    assert torch.equal(decide(features, centers, classes, 3, 5), at_once)


@few
@given(seeds, st.integers(1, 6))
def test_clusters_divide_every_class(seed, n_clusters):
    features, (codes, _) = make_features(seed).numpy(), make_labels(seed)
    codes = codes.numpy()
    found = cluster_classes(features, codes, n_clusters, seed=0)
    assert ((found.of_samples >= 0) == (codes >= 0)).all()
    labelled = codes >= 0
    assert (found.classes[found.of_samples[labelled]] == codes[labelled]).all()
    for code in range(3):
        n_rows = (codes == code).sum()
        assert (found.classes == code).sum() == min(n_clusters, n_rows)
    for cluster, center in enumerate(found.centers):
        rows = found.of_samples == cluster
        assert found.sizes[cluster] == rows.sum() > 0
        np.testing.assert_allclose(center, features[rows].mean(axis=0))


def test_rows_that_coincide_are_one_cluster():
    features = np.repeat([[0.0, 1.0], [1.0, 0.0], [0.6, 0.8]], [4, 3, 3], axis=0)
    codes = np.repeat([0, 1], [7, 3])
    found = cluster_classes(features, codes, 3, seed=0)
    assert found.classes.tolist() == [0, 0, 1]
    assert sorted(found.sizes.tolist()) == [3, 3, 4]


@few
@given(seeds, st.integers(1, 20))
def test_draws_are_balanced(seed, batch_size):
    codes, _ = make_labels(seed)
    generator = torch.Generator().manual_seed(seed)
    drawn = draw_balanced(codes, 30, batch_size, generator)
    assert drawn.shape == (30, batch_size)
    assert (codes[drawn] >= 0).all()
    for batch in drawn:
        counts = torch.bincount(codes[batch], minlength=3)
        assert counts.max() - counts.min() <= 1


def test_every_sample_is_drawn():
    codes, _ = make_labels(0)
    drawn = draw_balanced(codes, 100, 12, torch.Generator().manual_seed(0))
    assert drawn.unique().tolist() == (codes >= 0).nonzero()[:, 0].tolist()
    drawn = codes[draw_balanced(codes, 600, 1, torch.Generator().manual_seed(0))].flatten()
    counts = drawn.bincount()
    assert counts.min() > 150, "batches of one sample favour no class"


def test_a_batch_sums_the_losses_of_its_targets():
    """Every target has features, clusters and anchors of its own."""
    features = torch.stack([make_features(0), make_features(1)], 1)
    codes = torch.stack([make_labels(0)[0], make_labels(2, n_classes=2)[0]], 1)
    rounds, of_targets = [], []
    for target in range(2):
        of_target, known = features[:, target], codes[:, target]
        clusters = cluster_classes(of_target.numpy(), known.numpy(), 2, seed=0)
        rounds.append(Round.choose(of_target, known, clusters, 0.5))
        of_targets.append((of_target, known.tolist(), clusters.of_samples.tolist()))
    batches = list(quintuplet_batches(rounds, 5, torch.Generator().manual_seed(0)))
    assert len(batches) == 4
    for batch in batches:
        expected = 0
        for (of_target, *rows), places in zip(of_targets, batch.quintuplets, strict=True):
            anchors = batch.samples[places[:, 0]].tolist()
            expected += naive.triple_header_hinge(
                of_target,
                [naive.quintuplet(of_target, *rows, a) for a in anchors],
                [naive.margins(*rows, a, 0.5) for a in anchors],
            )
        loss = batch.loss(features[batch.samples])
        torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("untouched_generators")
@pytest.mark.parametrize("seed", range(5))
def test_semi_hard_loss_equals_its_description(seed):
    codes = torch.stack([make_labels(seed)[0], make_labels(seed + 9, n_classes=2)[0]], 1)
    results = []
    for compute in (
        lambda points: sum(naive.semi_hard_triplets(points, t.tolist(), 0.6) for t in codes.T),
        lambda points: SemiHardTripletLoss(0.6, "this test")(points, codes),
    ):
        points = make_features(seed).requires_grad_()
        value = compute(points)
        value.backward()
        results.append((value.detach(), points.grad))
    assert results[0][0] > 0.1, "the example must exercise the loss"
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    "codes", [[0, 0, 0, 0], [0, 1, 2, 3], [-1, -1, -1, -1], [-1, 0, -1, -1]], ids=str
)
def test_semi_hard_loss_without_triplets_is_zero(codes):
    points = make_features(0, 4).requires_grad_()
    loss = SemiHardTripletLoss(0.2, "this test")(points, torch.tensor(codes)[:, None])
    loss.backward()
    assert loss.item() == 0
    assert (points.grad == 0).all()
