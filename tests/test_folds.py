"""Who trains on what in an ensemble, when each member stops, and who counts in the end."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sk_crl import CRLClassifier, MultiOutputCRLClassifier
from sk_crl._averaging import Averaging
from sk_crl._checks import draw_seed
from sk_crl._decision import Decision
from sk_crl._distribution import ClassDistribution
from sk_crl._layout import ColumnLayout
from sk_crl._samples import Samples
from sk_crl._stratification import fold_codes
from sk_crl.loss import ClassRectificationLoss
from sk_crl.training import _member_net
from sk_crl.training._choosing import choose_variants
from sk_crl.training._data import CodedData
from sk_crl.training._folds import Folds, LeftOutBatches, MemberBatches
from sk_crl.training._member_net import LEAST_GAIN
from sk_crl.training._validation import validate_targets

CPU = torch.device("cpu")


@st.composite
def splits(draw):
    """Folds, all of them with rows, and how often each of them is left out."""
    n_folds = draw(st.integers(2, 5))
    more = draw(st.lists(st.integers(0, n_folds - 1), max_size=20))
    fold = draw(st.permutations([*range(n_folds), *more]))
    return Folds(torch.tensor(fold), n_folds, n_folds * draw(st.integers(1, 2)))


def coded(n_samples, n_targets=2, weight=None, seed=0):
    """Samples whose only feature is their number, with labels of which some are missing."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(-1, 2, (n_samples, n_targets))
    codes[:, 0] = np.arange(n_samples) % 2
    X = np.arange(n_samples, dtype=np.float32)[:, None]
    weight = np.ones(n_samples) if weight is None else weight
    return CodedData.from_samples(Samples(X, np.arange(n_samples), codes, weight), CPU, 0)


def criterion_of(folds, n_targets=2, **more):
    return ClassRectificationLoss([[3, 2]] * (n_targets * folds.n_members), **more)


@settings(deadline=None, max_examples=30)
@given(folds=splits(), batch_size=st.integers(1, 12), seed=st.integers(0, 9))
def test_every_member_sees_each_of_its_rows_once_an_epoch(folds, batch_size, seed):
    n = len(folds.fold)
    data = coded(n, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    batches = MemberBatches(data, folds, batch_size, criterion_of(folds), generator)
    seen = [[] for _ in range(folds.n_members)]
    sizes = []
    for X, codes, labels in batches:
        sizes.append(len(X))
        assert X.shape == (len(X), folds.n_members, 1)
        codes = codes.view(len(X), folds.n_members, 2)
        weight = -labels.by_label[:, 0].view(folds.n_members, 2, len(X)).permute(2, 0, 1)
        for m in range(folds.n_members):
            is_row = codes[:, m, 0] >= 0  # the first target has labels everywhere
            rows = X[:, m, 0].long()
            assert (codes[~is_row, m] == -1).all()
            assert (folds.fold[rows] != m % folds.n_folds).all()  # padding has rows of its own, too
            assert torch.equal(codes[is_row, m], data.y[rows[is_row]])
            assert torch.equal(weight[:, m] > 0, codes[:, m] >= 0)
            seen[m] += rows[is_row].tolist()
    n_longest = max(sum(f != m for f in folds.fold.tolist()) for m in range(folds.n_folds))
    size = min(batch_size, n_longest)
    left_alone = int(n_longest > 1 and n_longest % size == 1)  # a single one sits it out
    assert sizes[:-1] == [size] * (len(sizes) - 1)
    assert sum(sizes) == n_longest - left_alone
    for m, rows in enumerate(seen):
        own = [i for i, f in enumerate(folds.fold.tolist()) if f != m % folds.n_folds]
        assert len(set(rows)) == len(rows)
        assert set(rows) <= set(own)
        assert len(rows) == min(len(own), sum(sizes))


@settings(deadline=None, max_examples=30)
@given(folds=splits(), seed=st.integers(0, 9))
def test_every_row_is_left_out_by_one_member_of_every_kind(folds, seed):
    data = coded(len(folds.fold), seed=seed)
    left = [[] for _ in range(folds.n_members)]
    for X, codes in LeftOutBatches(data, folds):
        codes = codes.view(len(X), folds.n_members, 2)
        for m in range(folds.n_members):
            is_row = codes[:, m, 0] >= 0
            assert (codes[~is_row, m] == -1).all()
            rows = X[:, m, 0].long()
            assert (folds.fold[rows] == m % folds.n_folds).all()
            assert torch.equal(codes[is_row, m], data.y[rows[is_row]])
            left[m] += rows[is_row].tolist()
    for m, rows in enumerate(left):
        assert rows == [i for i, f in enumerate(folds.fold.tolist()) if f == m % folds.n_folds]
    of_kinds = [left[m : m + folds.n_folds] for m in range(0, folds.n_members, folds.n_folds)]
    for members in of_kinds:
        assert sorted(row for rows in members for row in rows) == list(range(len(data)))


def test_members_shuffle_apart_and_anew_every_epoch():
    folds = Folds(torch.arange(40) % 2, 2, 4)
    generator = torch.Generator().manual_seed(0)
    first, second = folds.shuffled(generator), folds.shuffled(generator)
    orders = {tuple(column.tolist()) for epoch in (first, second) for column in epoch.t()}
    assert len(orders) == 8
    assert torch.equal(folds.shuffled(torch.Generator().manual_seed(0)), first)


@settings(deadline=None, max_examples=20)
@given(folds=splits(), data=st.data())
def test_names_of_folds_do_not_matter(folds, data):
    """Under other numbers of the folds, the members trade places."""
    renamed = torch.tensor(data.draw(st.permutations(range(folds.n_folds))))
    other = Folds(renamed[folds.fold], folds.n_folds, folds.n_folds)
    assert torch.equal(other.is_left_out[:, renamed], folds.is_left_out[:, : folds.n_folds])


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_sample_weights_reach_the_loss_of_every_member(alpha):
    n = 21
    weight = np.linspace(0.1, 2, n)
    data = coded(n, weight=weight)
    folds = Folds(torch.arange(n) % 3, 3, 6)
    loss = criterion_of(folds, alpha=alpha)
    generator = torch.Generator().manual_seed(0)
    one = ClassRectificationLoss([[3, 2]] * 2, alpha=alpha)
    for X, _, labels in MemberBatches(data, folds, 5, loss, generator):
        scores = torch.sin(torch.arange(len(X) * 24.0)).view(len(X), 24)
        expected = 0.0
        for m in range(6):
            rows = X[:, m, 0].long()
            of_rows = torch.from_numpy(weight)[rows].float()
            expected += one(scores[:, 4 * m : 4 * m + 4], data.y[rows], sample_weight=of_rows)
        torch.testing.assert_close(loss.compute(scores, labels), expected)


def test_samples_of_one_target_and_weights():
    data = coded(12, n_targets=1, weight=np.linspace(1, 2, 12))
    folds = Folds(torch.arange(12) % 3, 3, 3)
    generator = torch.Generator().manual_seed(0)
    loss = criterion_of(folds, n_targets=1, alpha=0)
    for X, codes, labels in MemberBatches(data, folds, 4, loss, generator):
        assert torch.equal(codes, data.y[X[..., 0].long()])
        rows = X[..., 0].long()
        weight = data.sample_weight[rows]
        torch.testing.assert_close(-labels.by_label[:, 0].t(), weight / weight.sum(0))


# Choosing and averaging.


def naive_validation(log_p, codes, class_weight=None, sample_weight=None):
    """Mean over classes of the weighted mean surprise, and of the accuracy, of every target."""
    weight = np.ones(len(codes)) if sample_weight is None else sample_weight.numpy()
    losses, accuracies = [], []
    for t in range(codes.shape[1]):
        of_class = {}
        for row, code, of_row in zip(
            log_p[:, t].tolist(), codes[:, t].tolist(), weight, strict=True
        ):
            if code >= 0:
                right = float(row.index(max(row)) == code)
                of_class.setdefault(code, []).append((-row[code], right, of_row))
        weights = {c: 1.0 if class_weight is None else float(class_weight[t, c]) for c in of_class}
        total = sum(weights.values())
        if not total:
            losses.append(float("nan"))
            accuracies.append(float("nan"))
            continue
        for values, place in ((losses, 0), (accuracies, 1)):
            means = {}
            for c, rows in of_class.items():
                values_of_rows, weights_of_rows = [r[place] for r in rows], [r[2] for r in rows]
                means[c] = np.average(values_of_rows, weights=weights_of_rows)
            values.append(sum(weights[c] * means[c] for c in of_class) / total)
    return torch.tensor(losses).double(), torch.tensor(accuracies).double()


def some_predictions(seed, n_variants=1, n=15, n_targets=3, widest=3):
    rng = np.random.default_rng(seed)
    log_p = torch.from_numpy(rng.normal(size=(n_variants, n, n_targets, widest))).float()
    codes = torch.from_numpy(rng.integers(-1, widest, (n, n_targets)))
    return log_p.log_softmax(3), codes


@pytest.mark.parametrize("sample_weight", [None, torch.linspace(0.1, 3, 15).double()])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_validation_equals_its_twin(seed, is_weighted, sample_weight):
    (log_p,), codes = some_predictions(seed)
    codes[:, 1] = codes[:, 1].where(codes[:, 1] < 2, -1)  # a class that does not occur
    weight = None
    if is_weighted:
        weight = torch.tensor([[1.0, 2, 0], [0.5, 3, 1], [0, 0, 0]])
    actual = validate_targets(log_p, codes, weight, sample_weight)
    twin = naive_validation(log_p, codes, weight, sample_weight)
    for values, expected in zip(actual, twin, strict=True):
        torch.testing.assert_close(values, expected, equal_nan=True, atol=1e-6, rtol=1e-6)
    assert actual[0][2].isnan() == is_weighted


def test_validation_of_a_target_without_labels():
    (log_p,), codes = some_predictions(0)
    codes[:, 1] = -1
    for values in validate_targets(log_p, codes):
        assert values.isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("n_variants", [1, 2])
@pytest.mark.parametrize("seed", range(6))
def test_choice_equals_its_twin(seed, n_variants, is_weighted):
    log_p, codes = some_predictions(seed, n_variants, n=8)
    weight = torch.tensor([[1.0, 2, 0], [0.5, 3, 1], [4, 1, 1]]) if is_weighted else None
    choices = [[1.0]] if n_variants == 1 else [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]
    losses = []
    for choice in choices:
        p = sum(share * kind.double().exp() for share, kind in zip(choice, log_p, strict=True))
        losses.append(naive_validation(p.log(), codes, weight)[0])
    expected = [choices[int(best)] for best in torch.stack(losses).argmin(0)]
    chosen = choose_variants(log_p, codes, weight)
    assert chosen.T.tolist() == expected
    assert (chosen.sum(0) == 1).all()


def test_choices_differ_between_targets():
    log_p, codes = some_predictions(0, 2, n=12)
    right = F.one_hot(codes.clamp(min=0), 3).double().mul(4).log_softmax(2).float()
    log_p[0, :, 0], log_p[1, :, 1] = right[:, 0], right[:, 1]
    # Each kind is right about one class and wrong about the others: together they are better.
    wrong = -right[:, 2].exp()
    log_p[0, :, 2] = torch.where(codes[:, 2:] == 0, right[:, 2], wrong).log_softmax(1)
    log_p[1, :, 2] = torch.where(codes[:, 2:] == 0, wrong, right[:, 2]).log_softmax(1)
    assert choose_variants(log_p, codes).T.tolist() == [[1, 0], [0, 1], [0.5, 0.5]]


def test_ties_go_to_the_first_kind():
    log_p, codes = some_predictions(1)
    twice = torch.cat([log_p, log_p])
    assert choose_variants(twice, codes).T.tolist() == [[1, 0]] * 3
    codes[:, 1] = -1  # of a target without labels nothing is known
    assert choose_variants(twice, codes)[:, 1].tolist() == [1, 0]


def test_average_is_that_of_probabilities():
    layout, n_members, n = ColumnLayout((2, 3)), 3, 6
    rng = np.random.default_rng(0)
    scores = torch.from_numpy(rng.normal(size=(n, 15)))
    weight = torch.tensor([[0.5, 0.0], [0.25, 1.0], [0.25, 0.0]])
    priors = [np.array([3.0, 1]), np.array([1.0, 5, 2])] * n_members
    decision = Decision.without_prior(
        ColumnLayout((2, 3) * n_members), [ClassDistribution(p) for p in priors], 0.5
    )
    actual = Averaging(layout, decision, weight)(scores.float()).exp()
    expected = torch.zeros(n, 5, dtype=torch.float64)
    for m in range(n_members):
        for target, columns in enumerate((slice(0, 2), slice(2, 5))):
            own = scores[:, 5 * m + columns.start : 5 * m + columns.stop]
            share = torch.from_numpy(priors[target] / priors[target].sum())
            odds = own.exp() / share**0.5
            p = odds / odds.sum(1, keepdim=True)
            expected[:, columns] += weight[m, target] * p
    torch.testing.assert_close(actual.double(), expected, atol=1e-6, rtol=1e-5)


# Members against networks that are trained alone.


class Small(nn.Module):
    """A small network without dropout, which nothing but its first weights draws."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.hidden, self.head = nn.Linear(n_features, 6), nn.Linear(6, n_classes)

    def forward(self, X):
        feature = self.hidden(X).tanh()
        return self.head(feature), feature


def overlapping(n=60, seed=0):
    rng = np.random.default_rng(seed)
    y = (np.arange(n) % 5 == 0).astype(int)
    return (rng.normal(size=(n, 3)) + y[:, None]).astype(np.float32), y


def trained_alone(estimator, X, y, weight=None):
    """Train every member by itself, in plain PyTorch, on the batches that the ensemble makes.

    Returns the best weights of every member, and the epoch that each of them is from.
    """
    net, seed = estimator.net_, draw_seed(estimator.random_state)
    n_folds, n_members = net.folds.n_folds, net.folds.n_members
    fold = fold_codes(y[:, None], n_folds, np.random.default_rng(seed))
    folds = Folds(torch.from_numpy(fold), n_folds, n_members)
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(seed)
        networks = [Small(X.shape[1], 2) for _ in range(n_members)]
    generator = torch.Generator().manual_seed(seed)
    weight = np.ones(len(y)) if weight is None else weight
    X, labels, weight = torch.from_numpy(X), torch.from_numpy(y), torch.from_numpy(weight).float()
    optimizers = [torch.optim.Adam(n.parameters(), estimator.lr) for n in networks]
    losses = []
    for m in range(n_members):
        rows = fold != m % n_folds
        losses.append(
            ClassRectificationLoss(
                np.bincount(y[rows], weight.numpy()[rows], minlength=2),
                eta=0.4 if estimator.eta == "auto" else estimator.eta,
                alpha=0.0 if n_members > n_folds and m < n_folds else estimator.alpha,
                tau=1.0,
                rectify="adjusted",
            )
        )
    best = [np.inf] * n_members
    to_beat = [np.inf] * n_members
    waits = [0] * n_members
    kept = [None] * n_members
    curve = []
    epochs = [0] * n_members
    size = estimator._size_of_batches(int((fold != 0).sum()))
    for epoch in range(estimator._max_epochs):
        order = folds.shuffled(generator)
        size = min(size, len(order))
        if len(order) % size == 1:
            order = order[:-1]
        total = 0.0
        for batch in order.split(size):
            for m, network in enumerate(networks):
                rows = batch[:, m]
                rows = rows[rows >= 0]
                optimizers[m].zero_grad()
                scores, _ = network(X[rows])
                loss = losses[m](scores, labels[rows], sample_weight=weight[rows])
                loss.backward()
                optimizers[m].step()
                total += loss.item() * len(batch)
        curve.append(total / (len(order) * n_members))
        for m, network in enumerate(networks):
            if waits[m] >= estimator.patience:
                continue
            out = fold == m % n_folds
            with torch.no_grad():
                log_p = network(X[out])[0].log_softmax(1)
            surprise = -log_p[torch.arange(len(log_p)), labels[out]]
            of_classes = [
                (surprise * weight[out])[labels[out] == c].sum()
                / weight[out][labels[out] == c].sum()
                for c in labels[out].unique()
            ]
            score = float(sum(of_classes) / len(of_classes))
            waits[m] += 1
            if score < best[m]:
                best[m], epochs[m] = score, epoch + 1
                kept[m] = {k: v.clone() for k, v in network.state_dict().items()}
                if score < to_beat[m] - LEAST_GAIN:
                    to_beat[m], waits[m] = score, 0
        if min(waits) >= estimator.patience:
            break
    return kept, epochs, curve


@pytest.mark.parametrize(
    "settings",
    [
        {"n_members": 3, "lr": 0.02, "patience": 3},
        {"n_members": 2, "alpha": 0.4, "lr": 0.05, "patience": 2},
        {"n_members": 4, "eta": 0.3, "lr": 0.02, "patience": 1, "batch_size": 9},
        {"n_members": 3, "lr": 0.05, "patience": 4, "weight": True},
    ],
    ids=str,
)
def test_members_are_networks_trained_alone(settings):
    X, y = overlapping()
    settings = dict(settings)
    weight = np.linspace(0.2, 1, len(y)) if settings.pop("weight", False) else None
    model = CRLClassifier(Small, max_epochs=25, random_state=1, device="cpu", **settings).fit(
        X, y, weight
    )
    kept, epochs, curve = trained_alone(model, X, y, weight)
    assert len(set(epochs)) > 1  # each has stopped by itself
    assert model.n_iter_ == len(curve)
    np.testing.assert_allclose(model.loss_curve_, curve, rtol=1e-3)
    state = model.module_.state_dict()
    for m, network in enumerate(kept):
        for name, value in network.items():
            torch.testing.assert_close(
                state[f"network/{name.replace('.', '/')}"][m], value, atol=2e-4, rtol=2e-3
            )


class Scripted:
    """A net whose members' scores are those of a script."""

    def __init__(self, script, patience=2, monitor="valid_loss"):
        self.folds = type("F", (), {"n_members": len(script[0])})
        self.patience, self.monitor = patience, monitor
        self.module_ = type("M", (), {"network": nn.Module()})
        weight = nn.Parameter(torch.zeros(len(script[0]), 1))
        self.module_.network.register_parameter("weight", weight)
        self.script = script

    def run(self):
        """Run epoch by epoch; return the epochs that members are from, and how many there were."""
        callback = _member_net.MembersAtBest()
        callback.on_train_begin(self)
        for epoch, scores in enumerate(self.script, start=1):
            with torch.no_grad():
                self.module_.network.weight.fill_(epoch)
            self.history = {(-1, f"{self.monitor}_of_members"): scores}
            try:
                callback.on_epoch_end(self)
            except KeyboardInterrupt:
                break
        callback.on_train_end(self)
        return self.module_.network.weight[:, 0].tolist(), epoch


NAN = float("nan")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        # The first stops after the third epoch, the second goes on; later scores do not count.
        ([(3, 3), (4, 2), (4, 1), (0, 0.5), (0, 0.4), (0, 1), (0, 1)], ([1, 5], 7)),
        # Gains below the least one are kept, but do not make it wait any longer.
        ([(1,), (1 - 4e-4,), (1 - 8e-4,), (0,)], ([3], 3)),
        # Many small gains together are one that counts.
        ([(1,), (1 - 8e-4,), (1 - 16e-4,), (1 - 24e-4,), (1 - 25e-4,), (0,)], ([5], 5)),
        # Equal scores are no gain.
        ([(1, 1), (1, 1), (1, 1), (0, 0)], ([1, 1], 3)),
        # What has no score keeps its last weights, and waits for the others.
        ([(3, NAN), (2, NAN), (1, NAN), (1, NAN), (1, NAN), (0, NAN)], ([3, 5], 5)),
        ([(NAN, NAN), (NAN, NAN), (NAN, NAN)], ([2, 2], 2)),
        # The last epoch ends it, too.
        ([(3, 1), (2, 2)], ([2, 1], 2)),
    ],
)
def test_when_members_stop(script, expected):
    assert Scripted(script).run() == expected


def test_more_accuracy_is_better():
    script = [(0.5, 0.9), (0.7, 0.8), (0.6, 0.8), (0.6, 1)]
    assert Scripted(script, monitor="valid_balanced_accuracy").run() == ([2, 1], 4)
    assert Scripted(script[:3], monitor="valid_balanced_accuracy").run() == ([2, 1], 3)


def test_no_leak_between_members():
    """Other labels in the fold that a member leaves out change nothing that it learns."""
    X, y = overlapping()
    base = CRLClassifier(
        Small, n_members=3, eta=0.4, max_epochs=2, random_state=0, patience=9, device="cpu"
    )
    fold = fold_codes(y[:, None], 3, np.random.default_rng(draw_seed(base.random_state)))
    calls = []

    def fixed(codes, n_splits, rng):
        calls.append(n_splits)
        return fold

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sk_crl._dealing.fold_codes", fixed)
        patch.setattr(_member_net.MembersAtBest, "on_train_end", lambda self, net, **_: None)
        expected = base.fit(X, y).module_.state_dict()
        for m in range(3):
            scrambled = np.where(fold == m, 1 - y, y)
            state = base.fit(X, scrambled).module_.state_dict()
            for name, value in state.items():
                assert torch.equal(value[m], expected[name][m])
                others = [i for i in range(3) if i != m]
                assert not torch.equal(value[others], expected[name][others])
    assert calls == [3] * 4


def test_class_counts_are_those_of_a_members_own_rows():
    X, y = overlapping()
    y[:7] = 2
    made = []
    real = CRLClassifier._members_criterion

    class Spy(CRLClassifier):
        def _members_criterion(self, members):
            made.extend(members)
            return real(self, members)

    weight = np.linspace(0.5, 2, len(y))
    model = Spy(Small, n_members=4, max_epochs=1, random_state=0, device="cpu")
    model.fit(X, y, weight)
    fold = model.net_.folds.fold.numpy()
    assert len(made) == 8
    for m, ((distribution,), _) in enumerate(made):
        own = fold != m % 4
        np.testing.assert_allclose(
            distribution.counts, np.bincount(y[own], weight[own], minlength=3)
        )
    adjustment = model.net_.criterion_._adjustment  # log-priors, those of the members, too
    for m, ((distribution,), _) in enumerate(made):
        np.testing.assert_allclose(adjustment[m], np.log(distribution.prior), rtol=1e-5)


@pytest.mark.parametrize(("n_members", "sizes"), [(3, [1, 1, 2]), (8, [1, 1, 1, 1])])
def test_fewer_rows_than_members(n_members, sizes):
    X, y = overlapping(4)
    y[0] = 1
    model = CRLClassifier(Small, n_members=n_members, eta=0.3, max_epochs=2, random_state=0)
    model.fit(X, y)
    assert model.net_.folds.n_members == model.module_.n_members == len(sizes)
    assert sorted(np.bincount(model.net_.folds.fold)) == sizes
    assert np.isfinite(model.predict_proba(X)).all()


def test_labels_of_weight_0_are_as_good_as_missing():
    (log_p,), codes = some_predictions(0)
    weight = torch.linspace(0.5, 1, codes.numel()).view(codes.shape)
    weight[::3, 1] = 0
    absent = codes.masked_fill(weight == 0, -1)
    actual = validate_targets(log_p, codes, None, weight)
    for values, expected in zip(actual, validate_targets(log_p, absent, None, weight), strict=True):
        torch.testing.assert_close(values, expected)


def test_a_class_that_a_member_has_not_seen_does_not_stop_it():
    """Single rows of further classes leave the members' best epochs as they are without them."""
    X, y = overlapping(120)
    more = np.arange(6)
    singles = np.concatenate([X, X[more]]), np.concatenate([y, 2 + more])
    fold = fold_codes(y[:, None], 3, np.random.default_rng(0))
    model = CRLClassifier(Small, n_members=3, eta=0, lr=0.02, patience=3, random_state=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sk_crl._dealing.fold_codes", lambda *_: np.append(fold, [0] * len(more)))
        model.fit(*singles)
    history = model.net_.history[:, "valid_loss_of_members"]
    best = np.argmin(history, axis=0)
    assert (best > 1).all()
    weight = model.net_.validation_weight
    assert weight.tolist() == [[1, 1] + [0] * 6, [1] * 8, [1] * 8]
    # Nor do they decide what counts: nobody that predicts them has seen them.
    predicted = sum(
        F.nll_loss(torch.from_numpy(log_p[y == c]), torch.from_numpy(y[y == c]))
        for log_p in [out_of_fold(model, *singles)[: len(y)]]
        for c in (0, 1)
    )
    assert model.best_validation_score_ == pytest.approx(-float(predicted) / 2, rel=1e-4)


def out_of_fold(model, X, y):
    """Predict log-probabilities of every row by the member that has left it out."""
    fold = model.net_.folds.fold.numpy()
    state = model.module_.state_dict()
    log_p = np.zeros((len(y), len(model.classes_)), dtype=np.float32)
    for m in range(model.module_.n_members):
        network = Small(X.shape[1], len(model.classes_))
        network.load_state_dict(
            {name: state[f"network/{name.replace('.', '/')}"][m] for name in network.state_dict()}
        )
        with torch.no_grad():
            scores, _ = network(torch.from_numpy(X[fold == m]))
        log_p[fold == m] = scores.log_softmax(1)
    return log_p


@pytest.mark.parametrize("class_weight", [None, "balanced", "exp", {1: 3.0, 2: 0.0}])
def test_a_class_of_one_row(class_weight):
    X, y = overlapping()
    y[3] = 2
    logit_adjustment = "loss" if class_weight is None else None
    model = CRLClassifier(
        Small,
        n_members=3,
        max_epochs=2,
        random_state=0,
        class_weight=class_weight,
        logit_adjustment=logit_adjustment,
    ).fit(X, y)
    assert model.predict_proba(X).shape == (60, 3)
    assert model.class_counts_[2] == 1
    assert np.isfinite(model.validation_scores_).all()


def test_a_target_with_labels_in_one_fold_only():
    X, y = overlapping(40)
    Y = np.column_stack([y, np.full(40, -1)]).astype(object)
    fold = np.arange(40) % 4
    Y[:, 1] = [int(i % 8 == 0) if i % 4 == 0 else None for i in range(40)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sk_crl._dealing.fold_codes", lambda *_: fold)
        model = MultiOutputCRLClassifier(n_members=4, max_epochs=2, random_state=0).fit(X, Y)
    assert np.isfinite(model.validation_scores_).all()
    for probabilities in model.predict_proba(X):
        np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert model.alpha_[1] == 0  # both classes are as frequent
