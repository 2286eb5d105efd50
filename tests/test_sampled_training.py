"""Training with a batch sampler, and with a weight of class rectification that decays."""

import pickle
from typing import ClassVar

import naive
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from torch.utils.data import TensorDataset

from sk_crl import MultiOutputCRLClassifier
from sk_crl.baselines import ResampledClassifier
from sk_crl.loss import ClassRectificationLoss
from sk_crl.training import AtLeastPerClass, BatchSampler, DynamicBatches, StratifiedBatches

pytestmark = pytest.mark.usefixtures("untouched_generators")

NAMES = ["stratified", "balanced", "dynamic"]
COUNTS = [80, 28, 12]  # of the table


class LossSettings(Callback):
    """Records what the loss goes by in every epoch; fits use copies, so the list is the class's."""

    seen: ClassVar[list] = []

    def on_train_begin(self, net, **kwargs):
        self.seen.clear()

    def on_epoch_end(self, net, **kwargs):
        loss = net.criterion_
        self.seen.append((loss.alpha.tolist(), loss.omega.tolist(), loss._adjustment.tolist()))


class Recorder(BatchSampler):
    """Shuffles, records what it is told, and takes liberties with it."""

    def __init__(self):
        self.n_orders_ = 0

    def order(self, codes, batch_size, epoch, n_epochs, generator):
        self.n_orders_ += 1
        LOG.append((codes.tolist(), batch_size, epoch, n_epochs, generator.device.type))
        codes.fill_(-1)
        return torch.randperm(len(codes), generator=generator)


LOG = []


class Fixed:
    """Returns what it is given, and has no base."""

    def __init__(self, returned):
        self.returned = returned

    def order(self, codes, batch_size, epoch, n_epochs, generator):
        return self.returned


def removed_prior(model):
    """What is subtracted from the scores, as shares."""
    return model.net_.predict_nonlinearity.offsets.neg().softmax(0).tolist()


# ------------------------------------------------------------------------------------------ orders


@pytest.mark.parametrize("sampler", [*NAMES, AtLeastPerClass(2)], ids=str)
def test_samplers_learn(table, fast, sampler):
    model = fast(batch_sampler=sampler, max_epochs=60).fit(*table)
    assert model.score(*table) > 0.9
    assert len(model.loss_curve_) == 60


@pytest.mark.parametrize("sampler", [*NAMES, AtLeastPerClass(2)], ids=str)
def test_fits_of_one_seed_are_equal(table, fast, sampler):
    models = [fast(batch_sampler=sampler).fit(*table) for _ in range(2)]
    one, other = (model.predict_proba(table.X) for model in models)
    assert np.array_equal(one, other)
    again = pickle.loads(pickle.dumps(clone(models[0]).fit(*table)))
    assert np.array_equal(again.predict_proba(table.X), one)
    reseeded = fast(batch_sampler=sampler, random_state=1).fit(*table)
    assert not np.array_equal(reseeded.predict_proba(table.X), one)


def test_names_stand_for_samplers(table, fast):
    named = fast(batch_sampler="dynamic").fit(*table)
    given = fast(batch_sampler=DynamicBatches()).fit(*table)
    assert np.array_equal(named.predict_proba(table.X), given.predict_proba(table.X))


def test_a_sampler_is_told_of_epochs_and_stays_as_it_was(table, fast):
    sampler = Recorder()
    LOG.clear()
    model = fast(batch_sampler=sampler, max_epochs=3).fit(*table)
    codes = table.y[:, None].tolist()
    assert [(codes, 32, epoch, 3, "cpu") for epoch in range(3)] == LOG
    assert sampler.n_orders_ == 0
    assert np.array_equal(model.batch_prior_, model.prior_), "it cannot write into the codes"
    assert model.batch_sampler is sampler
    LOG.clear()
    model.set_params(warm_start=True, max_epochs=2).fit(*table)
    assert [(epoch, n_epochs) for _, _, epoch, n_epochs, _ in LOG] == [(3, 2), (4, 2)]
    LOG.clear()
    model.partial_fit(*table)
    assert [(epoch, n_epochs) for _, _, epoch, n_epochs, _ in LOG] == [(5, 2)]


def test_batches_are_no_larger_than_the_data(table, fast):
    LOG.clear()
    fast(batch_sampler=Recorder(), batch_size=1000, max_epochs=1).fit(*table)
    assert LOG[0][1] == 120


def test_a_single_sample_left_over_is_dropped(table, fast):
    order = torch.arange(120).repeat(2)[:129]

    class Sizes(Callback):
        def on_batch_begin(self, net, batch, training):
            sizes.append(len(batch[0]))

    sizes = []
    fast(batch_sampler=Fixed(order), callbacks=[Sizes()], max_epochs=1).fit(*table)
    assert sizes == [32, 32, 32, 32]


def test_only_what_is_drawn_is_learned(table, fast):
    rows = np.flatnonzero(table.y < 2)
    model = fast(batch_sampler=Fixed(rows), max_epochs=30, logit_adjustment=None).fit(*table)
    assert set(model.predict(table.X)) == {0, 1}
    assert model.batch_prior_.tolist() == pytest.approx([80 / 108, 28 / 108, 0])


@pytest.mark.parametrize("name", NAMES)
def test_data_sets_are_sampled_by_index(images, fast, name):
    X = torch.from_numpy(images.X)
    dataset = TensorDataset(X, torch.from_numpy(images.y))
    settings = {"batch_sampler": name, "batch_size": 16}
    of_dataset = fast(**settings).fit(dataset, images.y)
    of_array = fast(**settings).fit(images.X, images.y)
    assert of_dataset.loss_curve_ == pytest.approx(of_array.loss_curve_)


def test_samplers_are_searched_over(table, fast):
    grid = {"batch_sampler": [None, "balanced", StratifiedBatches()]}
    search = GridSearchCV(fast(), grid, cv=2).fit(*table)
    assert len(search.cv_results_["params"]) == 3
    inner = GridSearchCV(fast(batch_sampler=AtLeastPerClass()), {"batch_sampler__m": [1, 3]}, cv=2)
    assert inner.fit(*table).best_estimator_.batch_sampler.m in (1, 3)
    model = fast(batch_sampler=DynamicBatches()).set_params(batch_sampler__schedule="linear")
    assert model.batch_sampler.schedule == "linear"
    assert clone(model).batch_sampler is not model.batch_sampler


# ------------------------------------------------------------------------------------ the prior


@pytest.mark.parametrize("where", ["loss", "predict"])
def test_balanced_batches_leave_no_prior_to_correct(table, fast, where):
    plain = fast(batch_sampler="balanced", logit_adjustment=None).fit(*table)
    corrected = fast(batch_sampler="balanced", logit_adjustment=where).fit(*table)
    expected = pytest.approx(plain.predict_proba(table.X), abs=1e-5)
    assert corrected.predict_proba(table.X) == expected
    assert corrected.batch_prior_.tolist() == [1 / 3] * 3
    assert corrected.alpha_ == 0
    assert corrected.omega_ > 0.3, "that of the data"
    assert corrected.class_counts_.tolist() == COUNTS


@pytest.mark.parametrize("schedule", ["convex", "linear", "concave", "composite"])
def test_dynamic_batches_have_the_prior_of_the_last_epoch_removed(table, fast, schedule):
    sampler = DynamicBatches(schedule, decay=0.7)
    model = fast(batch_sampler=sampler, max_epochs=4).fit(*table)
    expected = naive.scheduled_shares(COUNTS, naive.sampling_schedule(schedule, 3, 4, 0.7))
    assert model.batch_prior_.tolist() == pytest.approx(expected)
    assert removed_prior(model) == pytest.approx(expected, rel=1e-5)
    assert model.prior_.tolist() == pytest.approx([n / 120 for n in COUNTS])


def test_dynamic_batches_have_the_prior_of_the_best_epoch_removed(table, fast):
    settings = {"early_stopping": True, "patience": 2, "lr": 0.3, "max_epochs": 40}
    model = fast(batch_sampler=DynamicBatches("linear"), **settings).fit(*table)
    best = int(np.argmax(model.validation_scores_))
    assert best < model.n_iter_ - 1, "the last epoch is not the best"
    counts = model.net_.history[best]["class_counts"][0]
    assert model.batch_prior_.tolist() == pytest.approx([n / sum(counts) for n in counts])
    assert removed_prior(model) == pytest.approx(model.batch_prior_.tolist(), rel=1e-5)


def test_the_loss_goes_by_the_classes_of_the_epoch(table, fast):
    settings = {"logit_adjustment": "loss", "max_epochs": 4, "eta": 0.8}
    sampler = DynamicBatches("linear")
    model = fast(batch_sampler=sampler, callbacks=[LossSettings()], **settings).fit(*table)
    for epoch, (alpha, omega, adjustment) in enumerate(LossSettings.seen):
        shares = naive.scheduled_shares(COUNTS, 1 - epoch / 4)
        expected = 1 - 1 / (3 * max(shares))
        assert omega == pytest.approx([expected], abs=1e-6)
        assert alpha == pytest.approx([0.8 * expected], abs=1e-6)
        assert np.exp(adjustment[0]).tolist() == pytest.approx(shares, rel=1e-5)
    assert model.alpha_ == pytest.approx(0.8 * model.omega_)
    assert removed_prior(model) == pytest.approx([1 / 3] * 3), "the correction is applied once"


def test_stratified_batches_have_the_prior_of_the_data_removed(table, fast):
    model = fast(batch_sampler="stratified").fit(*table)
    plain = fast().fit(*table)
    assert removed_prior(model) == removed_prior(plain)
    assert model.alpha_ == plain.alpha_
    assert np.array_equal(plain.batch_prior_, plain.prior_)


def test_classes_are_counted_where_a_sampler_does_not_say(table, fast):
    model = fast(batch_sampler=AtLeastPerClass(8), max_epochs=2).fit(*table)
    counts = model.net_.history[-1]["class_counts"][0]
    assert sum(counts) == 120
    assert min(counts) == 4 * 8
    assert removed_prior(model) == pytest.approx([n / 120 for n in counts], rel=1e-5)


def test_sample_weights_count(table, fast):
    weight = np.where(table.y == 1, 3.0, 1.0)
    model = fast(batch_sampler="balanced").fit(*table, sample_weight=weight)
    assert model.batch_prior_.tolist() == pytest.approx([1 / 5, 3 / 5, 1 / 5])


@pytest.mark.parametrize("weight", [1e-30, 0.3, 1e37])
def test_the_scale_of_sample_weights_does_not(table, fast, weight):
    model = fast(batch_sampler="balanced").fit(*table, sample_weight=np.full(120, weight))
    assert model.batch_prior_.tolist() == [1 / 3] * 3
    assert model.alpha_ == 0


def test_partial_fits_add_up_what_they_show(table, fast):
    model = fast(batch_sampler="balanced")
    few = np.flatnonzero(table.y < 2)[:30]
    model.partial_fit(table.X[few], table.y[few], classes=[0, 1, 2])
    assert model.batch_prior_.tolist() == pytest.approx([0.5, 0.5, 0])
    model.partial_fit(*table)
    assert model.batch_prior_.tolist() == pytest.approx([55 / 150, 55 / 150, 40 / 150])
    assert removed_prior(model) == pytest.approx(model.batch_prior_.tolist(), rel=1e-5)
    assert model.class_counts_.sum() == 150


def test_features_are_compared_once_batches_have_a_minority(table, fast):
    """The data are even, and the sampler makes a class rare."""
    even = np.concatenate([np.flatnonzero(table.y == code)[:12] for code in range(3)])
    X, y = table.X[even], table.y[even]
    rows = np.concatenate([np.arange(36), np.arange(24)])
    model = fast(batch_sampler=Fixed(rows), level="instance", eta=1.0).fit(X, y)
    assert model.omega_ == 0
    assert model.alpha_ == pytest.approx(1 - 60 / (3 * 24))


def test_a_sampler_works_on_what_was_sampled_before(table):
    pytest.importorskip("imblearn")
    settings = {"max_epochs": 2, "random_state": 0, "device": "cpu"}
    model = ResampledClassifier(sampler="down", batch_sampler="stratified", **settings)
    model.fit(*table)
    assert model.class_counts_.tolist() == [12, 12, 12]
    assert model.net_.history[0]["class_counts"] == [[12, 12, 12]]


# ------------------------------------------------------------------------------- several targets


@pytest.mark.parametrize("sampler", [*NAMES, AtLeastPerClass(2)], ids=str)
def test_several_targets_with_missing_labels(table, sampler):
    Y = np.column_stack([table.y, table.X[:, 2] > 1]).astype(float)
    Y[:20, 0] = np.nan
    Y[10:40, 1] = np.nan
    settings = {"max_epochs": 3, "batch_size": 32, "random_state": 0, "device": "cpu"}
    model = MultiOutputCRLClassifier(batch_sampler=sampler, **settings).fit(table.X, Y)
    assert [len(prior) for prior in model.batch_prior_] == [3, 2]
    assert removed_prior_of_targets(model) == pytest.approx(np.concatenate(model.batch_prior_))
    if sampler == "balanced":
        plain = MultiOutputCRLClassifier(n_members=1, **settings).fit(table.X, Y)
        for evened, natural in zip(model.batch_prior_, plain.batch_prior_, strict=True):
            assert evened.max() < natural.max() - 0.1
        assert (model.alpha_ < plain.alpha_).all()


def removed_prior_of_targets(model):
    scores = -model.net_.predict_nonlinearity.offsets
    return np.concatenate([of_target.softmax(0) for of_target in scores.split([3, 2])])


@pytest.mark.parametrize("sampler", [*NAMES, AtLeastPerClass(2)], ids=str)
def test_a_target_whose_labels_come_later(table, sampler):
    model = MultiOutputCRLClassifier(
        batch_sampler=sampler, batch_size=32, random_state=0, device="cpu"
    )
    Y = np.column_stack([table.y, np.full(120, np.nan)])
    model.partial_fit(table.X, Y, classes=[[0, 1, 2], [0, 1]])
    assert model.batch_prior_[1].tolist() == [0.5, 0.5], "nothing is known"
    Y[:, 1] = table.X[:, 2] > 1
    model.partial_fit(table.X, Y)
    assert model.batch_prior_[1].min() < 0.5


# ------------------------------------------------------------------------------------------- decay


@pytest.mark.parametrize("max_epochs", [1, 2, 5])
def test_alpha_decays_by_a_cosine(table, fast, max_epochs):
    settings = {"alpha": 0.6, "alpha_decay": "cosine", "max_epochs": max_epochs}
    model = fast(callbacks=[LossSettings()], **settings).fit(*table)
    alphas = [alpha for (alpha,), _, _ in LossSettings.seen]
    expected = [naive.decayed_alpha(0.6, epoch, max_epochs) for epoch in range(max_epochs)]
    assert alphas == pytest.approx(expected, rel=1e-6)
    assert model.alpha_ == 0.6


def test_alpha_decays_with_the_imbalance(table, fast):
    settings = {"batch_sampler": DynamicBatches("linear"), "alpha_decay": "cosine", "eta": 1.0}
    fast(callbacks=[LossSettings()], max_epochs=4, **settings).fit(*table)
    for epoch, ((alpha,), (omega,), _) in enumerate(LossSettings.seen):
        assert alpha == pytest.approx(naive.decayed_alpha(omega, epoch, 4), rel=1e-6)


def test_partial_fits_follow_the_schedules(table, fast):
    settings = {"batch_sampler": "dynamic", "alpha": 0.6, "alpha_decay": "cosine", "max_epochs": 3}
    model = fast(callbacks=[LossSettings()], **settings)
    for epoch in range(5):
        model.partial_fit(*table, classes=[0, 1, 2])
        ((alpha,), _, _) = LossSettings.seen[-1]
        assert alpha == pytest.approx(naive.decayed_alpha(0.6, min(epoch, 3), 3), rel=1e-6)
        g = [naive.sampling_schedule("convex", min(done, 3), 3, 0) for done in range(epoch + 1)]
        shares = np.mean([naive.scheduled_shares(COUNTS, power) for power in g], axis=0)
        assert model.batch_prior_.tolist() == pytest.approx(shares.tolist()), "counts add up"


def test_the_decay_changes_what_is_learned_after_the_first_epoch(table, fast):
    decaying, constant = (
        fast(alpha=0.6, alpha_decay=decay, max_epochs=3).fit(*table) for decay in ("cosine", None)
    )
    assert decaying.loss_curve_[0] == constant.loss_curve_[0]
    assert decaying.loss_curve_[1] != constant.loss_curve_[1]


def test_the_weight_of_each_target_decays():
    loss = ClassRectificationLoss([[90, 10], [60, 40]], alpha=[0.2, 1.0], alpha_decay="cosine")
    loss.begin_epoch(1, 3)
    assert loss.alpha.tolist() == pytest.approx([0.15, 0.75])
    loss.begin_epoch(0, 3)
    assert loss.alpha.tolist() == pytest.approx([0.2, 1.0])
    loss.alpha = 0.4
    loss.begin_epoch(2, 3)
    assert loss.alpha.tolist() == pytest.approx([0.1, 0.1])


def test_without_decay_the_weight_stays():
    loss = ClassRectificationLoss([90, 10])
    before = loss.alpha
    loss.begin_epoch(7, 8)
    assert torch.equal(loss.alpha, before)


@pytest.mark.parametrize("alpha", [None, 0.3])
def test_a_loss_told_of_class_counts_is_one_made_for_them(alpha):
    settings = {"alpha": alpha, "tau": 1.0}
    told = ClassRectificationLoss([[90, 10, 0], [60, 40]], **settings)
    told.set_class_counts([[30, 50, 20], [10, 20]])
    made = ClassRectificationLoss([[30, 50, 20], [10, 20]], **settings)
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(40, 5, generator=generator)
    codes = torch.randint(0, 2, (40, 2), generator=generator)
    assert torch.equal(told(scores, codes), made(scores, codes))
    assert torch.equal(told.omega, made.omega)
    assert torch.equal(told.alpha, made.alpha)


@pytest.mark.parametrize(
    ("counts", "message"),
    [([50, 50, 1], r"of \(2,\) classes.*\(3,\)"), ([0, 0], "class counts must be"), (3, "3")],
)
def test_a_loss_is_told_of_bad_class_counts(counts, message):
    loss = ClassRectificationLoss([90, 10])
    with pytest.raises(ValueError, match=message):
        loss.set_class_counts(counts)
    assert loss.omega.tolist() == pytest.approx([1 - 100 / 180])


# --------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "returned",
    [
        *map(torch.tensor, ([], [0, 120], [-1, 3], [0.0, 1.0], [[0, 1]], [True, False])),
        None,
        "rows",
        [torch.arange(5), torch.arange(5)],
    ],
    ids=[
        *("empty", "too_large", "negative", "floats", "two_dimensions", "mask"),
        *("none", "text", "list_of_batches"),
    ],
)
def test_what_is_no_order(table, fast, returned):
    model = fast(batch_sampler=Fixed(returned))
    with pytest.raises(ValueError, match="order must return rows, integers from 0 to 119"):
        model.fit(*table)
    assert not hasattr(model, "net_")


@pytest.mark.parametrize("returned", [list(range(120)), np.arange(120), torch.arange(120).int()])
def test_orders_of_any_container(table, fast, returned):
    model = fast(batch_sampler=Fixed(returned), max_epochs=1).fit(*table)
    assert model.net_.history[0]["class_counts"] == [COUNTS]


def test_frequencies_of_any_container(table, fast):
    class Listing(StratifiedBatches):
        def frequencies(self, codes, epoch, n_epochs):
            return [1] * len(codes)

    listed = fast(batch_sampler=Listing(), max_epochs=1).fit(*table)
    assert listed.net_.history[0]["class_counts"] == [COUNTS]


@pytest.mark.parametrize(
    "values",
    [
        torch.ones(3),
        torch.zeros(120),
        torch.tensor([torch.inf] + [1.0] * 119),
        torch.tensor([torch.nan] + [1.0] * 119),
        torch.tensor([-1.0] + [1.0] * 119),
        torch.full((120,), 1e308, dtype=torch.float64),
        None,
    ],
    ids=["few", "zeros", "infinite", "nan", "negative", "huge", "none"],
)
def test_what_are_no_frequencies(table, fast, values):
    class Odd(StratifiedBatches):
        def frequencies(self, codes, epoch, n_epochs):
            return values

    with pytest.raises(ValueError, match="frequencies must return a number for each of 120"):
        fast(batch_sampler=Odd()).fit(*table)


def test_batches_too_small_for_all_classes(table, fast):
    with pytest.raises(ValueError, match=r"at least 36, for m=12 .* of 3 classes"):
        fast(batch_sampler=AtLeastPerClass(12)).fit(*table)


@pytest.mark.parametrize("sampler", ["balanced", DynamicBatches()], ids=str)
def test_class_weights_and_samplers_that_both_even_out(table, fast, sampler):
    model = fast(batch_sampler=sampler, class_weight="balanced", logit_adjustment=None)
    with pytest.warns(UserWarning, match="both even classes out"):
        model.fit(*table)
