"""Data that need not fit into memory: arrays on disk and PyTorch's data sets."""

import pickle
import threading
import tracemalloc
import weakref

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.model_selection import cross_validate
from skorch.callbacks import EpochScoring
from test_bad_input import rejected
from test_classifier import Recorder, ScoresOnly, SmallCNN, assert_same_weights, recorded
from test_known_bugs import LargestTensor
from torch.utils._pytree import tree_leaves
from torch.utils.data import ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset

from sk_crl import ClassRectificationLoss, CRLClassifier, MultiOutputCRLClassifier
from sk_crl.training import _data as data_module
from sk_crl.training import _sources as sources_module
from sk_crl.training._random import own_random_state
from sk_crl.training._sources import map_ahead

pytestmark = pytest.mark.usefixtures("untouched_generators")

LABELS = np.array(["common", "rare", "rarest"])


class Listed(Dataset):
    """What a list holds."""

    def __init__(self, items, targets=None):
        self.items = items
        if targets is not None:
            self.targets = targets

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch):
    """Gather and prepare so little at a time that small data take several goes as well."""
    monkeypatch.setattr(sources_module, "_CHUNK", 200)
    monkeypatch.setattr(data_module, "_MOST_BATCHES", 3)
    monkeypatch.setattr(data_module, "_PREDICTED", 100)


@pytest.fixture
def on_disk(tmp_path):
    """A function that writes an array to a file of its own and maps it into memory."""

    def save(X, mode="r"):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
        np.save(path, X)
        return np.load(path, mmap_mode=mode)

    return save


@pytest.fixture
def whole(table):
    """The samples of `table` as numbers that every type holds."""
    return table._replace(X=(table.X.clip(-3, 9) * 10 + 30).round())


@pytest.fixture
def several(whole):
    """The same with three targets; labels of the last two are missing here and there."""
    X, y = whole
    Y = np.column_stack([y, X[:, 2] > 37, X[:, 3] > 30]).astype(float)
    Y[::5, 1] = Y[::7, 2] = np.nan
    return whole._replace(y=Y)


def as_records(X):
    """Samples behind a byte each, as many formats have them."""
    records = np.zeros(len(X), dtype=[("label", "u1"), ("x", "<f4", X.shape[1:])])
    records["x"] = X
    return records


def make_several(**settings):
    defaults = {"max_epochs": 3, "batch_size": 32, "random_state": 0, "device": "cpu"}
    return MultiOutputCRLClassifier(**{"n_members": 1} | defaults | settings)


def assert_same_fits(one, other, X_one, X_other):
    """Check that two models are the same bit for bit, and that their predictions are."""
    assert_same_weights(one, other)
    assert one.loss_curve_ == other.loss_curve_
    assert_array_equal(np.hstack(one.class_counts_), np.hstack(other.class_counts_))
    probabilities = zip(one.predict_proba(X_one), other.predict_proba(X_other), strict=True)
    assert all(np.array_equal(a, b) for a, b in probabilities)


# ----------------------------------------------------------------------------- forms of samples

MEMMAPS = {
    "float32": lambda X, on_disk: on_disk(X.astype(np.float32)),
    "float64": lambda X, on_disk: on_disk(X.astype(np.float64)),
    "float16": lambda X, on_disk: on_disk(X.astype(np.float16)),
    "uint8": lambda X, on_disk: on_disk(X.astype(np.uint8)),
    "uint16": lambda X, on_disk: on_disk(X.astype(np.uint16)),
    "int64": lambda X, on_disk: on_disk(X.astype(np.int64)),
    "fortran": lambda X, on_disk: on_disk(np.asfortranarray(X, dtype=np.float32)),
    "part": lambda X, on_disk: on_disk(np.repeat(X, 2, axis=0))[::2],
    "columns": lambda X, on_disk: on_disk(np.repeat(X, 2, axis=1))[:, ::2],
    "field of records": lambda X, on_disk: on_disk(as_records(X))["x"],
    "r+": lambda X, on_disk: on_disk(X, mode="r+"),
    "c": lambda X, on_disk: on_disk(X, mode="c"),
}
DATASETS = {
    "tensors": lambda X, y: TensorDataset(torch.tensor(X), torch.tensor(y)),
    "arrays": lambda X, y: Listed(list(zip(X, y, strict=True))),
    "lists": lambda X, y: Listed([[x, label] for x, label in zip(X, y, strict=True)]),
    "bytes": lambda X, y: TensorDataset(torch.tensor(X).byte(), torch.tensor(y)),
    "more": lambda X, y: TensorDataset(torch.tensor(X), torch.tensor(y), torch.tensor(X)),
    "targets": lambda X, y: Listed(list(X.astype(np.float32)), y),
    "tensor targets": lambda X, y: Listed(list(torch.tensor(X)), torch.tensor(y)),
    "list targets": lambda X, y: Listed([(x, None) for x in X], y.tolist()),
    "subset": lambda X, y: Subset(DATASETS["arrays"](X[::-1], y[::-1]), range(len(X))[::-1]),
    "joined": lambda X, y: ConcatDataset(
        [DATASETS["tensors"](X[:50], y[:50]), DATASETS["tensors"](X[50:], y[50:])]
    ),
}


@pytest.mark.parametrize("kind", MEMMAPS)
def test_arrays_on_disk(whole, fast, on_disk, kind):
    X, y = whole
    mapped = MEMMAPS[kind](X, on_disk)
    assert isinstance(mapped, np.memmap)
    model = fast().fit(mapped, y, X_val=mapped, y_val=y)
    assert_same_fits(model, fast().fit(X, y, X_val=X, y_val=y), mapped, X)
    assert_array_equal(mapped, X)


@pytest.mark.parametrize(
    "given",
    [
        lambda X, on_disk: on_disk(X.astype(">f4")),
        lambda X, on_disk: on_disk(X[::-1].astype(np.float32))[::-1],
        lambda X, on_disk: on_disk(X.astype(np.longdouble)),
    ],
    ids=["byte order", "backwards", "long double"],
)
def test_arrays_on_disk_that_pytorch_cannot_read_are_read_into_memory(whole, fast, on_disk, given):
    mapped = given(whole.X, on_disk)
    assert_same_fits(fast().fit(mapped, whole.y), fast().fit(*whole), mapped, whole.X)


@pytest.mark.parametrize("kind", DATASETS)
def test_data_sets(whole, fast, kind):
    X, y = whole
    dataset = DATASETS[kind](X, y)
    model = fast().fit(dataset, X_val=dataset)
    assert_same_fits(model, fast().fit(X, y, X_val=X, y_val=y), dataset, X)
    assert model.score(dataset, y) == model.score(X, y)
    assert_array_equal(model.predict(dataset), model.predict(X))
    assert_array_equal(model.decision_function(dataset), model.decision_function(X))


@pytest.mark.parametrize("of_samples", ["memmap", "dataset"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"early_stopping": True, "max_epochs": 5},
        {"level": "instance"},
        {"module": ScoresOnly, "comparison": "distribution"},
        {"class_weight": {"rare": 3.0}, "batch_size": 119},
    ],
    ids=lambda settings: "-".join(settings) or "default",
)
def test_settings(whole, fast, on_disk, of_samples, settings):
    """Rows of weight 0 are passed over wherever the samples are."""
    X, y = whole.X, LABELS[whole.y]
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    given = on_disk(X) if of_samples == "memmap" else Listed(list(X))
    model = fast(**settings).fit(given, y, weight)
    assert_same_fits(model, fast(**settings).fit(X, y, weight), given, X)
    assert model.classes_.tolist() == LABELS.tolist()


@pytest.mark.parametrize("way", ["memmap", "dataset"])
@pytest.mark.parametrize("shape", [(4, 1), (2, 2, 1), (1, 2, 2)], ids=str)
def test_samples_of_any_shape(whole, fast, on_disk, way, shape):
    X, y = whole.X.reshape(-1, *shape), whole.y
    given = on_disk(X.astype(np.uint8)) if way == "memmap" else DATASETS["bytes"](X, y)
    model = fast().fit(given, y)
    assert_same_fits(model, fast().fit(X, y), given, X)
    assert model.n_features_in_ == shape[0]


@pytest.mark.parametrize("way", ["memmap", "dataset"])
def test_images_through_a_convolutional_network(images, fast, on_disk, way):
    X, y = images
    given = on_disk(X) if way == "memmap" else DATASETS["tensors"](X, y)
    settings = {"module": SmallCNN, "level": "instance", "early_stopping": True}
    assert_same_fits(fast(**settings).fit(given, y), fast(**settings).fit(X, y), given, X)


@pytest.mark.parametrize("way", ["memmap", "tensors", "targets", "rows"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_several_targets(several, on_disk, way, early_stopping):
    X, Y = several
    settings = {"early_stopping": early_stopping}
    rows = [tuple(None if np.isnan(cell) else int(cell) for cell in row) for row in Y]
    given = {
        "memmap": lambda: (on_disk(X.astype(np.uint8)), Y),
        "tensors": lambda: (DATASETS["tensors"](X, Y),),
        "targets": lambda: (DATASETS["targets"](X, Y),),
        "rows": lambda: (Listed(list(zip(X, rows, strict=True))),),
    }[way]()
    expected = make_several(**settings).fit(X, Y)
    assert_same_fits(make_several(**settings).fit(*given), expected, given[0], X)


@pytest.mark.parametrize(
    "labels", [LABELS, LABELS.tolist(), np.array([False, True, True])], ids=str
)
def test_labels_of_any_type_come_with_samples(whole, fast, labels):
    X, y = whole
    items = [(x, labels[code]) for x, code in zip(X, y, strict=True)]
    model = fast().fit(Listed(items))
    expected = fast().fit(X, [label for _, label in items])
    assert_same_fits(model, expected, Listed(items), X)
    assert_array_equal(model.classes_, np.unique(labels))
    assert model.predict(X).dtype == expected.predict(X).dtype


def test_string_labels_of_several_targets_come_with_samples(whole):
    X, y = whole
    rows = [(LABELS[code], "yes" if code else "no") for code in y]
    model = make_several().fit(Listed(list(zip(X, rows, strict=True))))
    assert [classes.tolist() for classes in model.classes_] == [LABELS.tolist(), ["no", "yes"]]
    assert_same_fits(model, make_several().fit(X, rows), X, X)


def test_labels_that_are_passed_are_those_that_count(whole, fast):
    X, y = whole
    wrong = DATASETS["tensors"](X, np.zeros(len(y)))
    assert_same_fits(fast().fit(wrong, y), fast().fit(X, y), wrong, X)


def test_validation_data_of_another_form(whole, fast, on_disk):
    X, y = whole
    expected = fast(early_stopping=True).fit(X, y, X_val=X[:40], y_val=y[:40])
    parts = [
        {"X_val": on_disk(X[:40]), "y_val": y[:40]},
        {"X_val": DATASETS["arrays"](X[:40], y[:40])},
        {"X_val": Listed(list(X[:40])), "y_val": y[:40]},
    ]
    for data in [(X, y), (on_disk(X), y), (DATASETS["tensors"](X, y),)]:
        for part in parts:
            model = fast(early_stopping=True).fit(*data, **part)
            assert model.validation_scores_ == expected.validation_scores_
            assert_same_weights(model, expected)


@pytest.mark.parametrize("way", ["memmap", "dataset"])
def test_going_on(whole, fast, on_disk, way):
    X, y = whole
    given = on_disk(X) if way == "memmap" else DATASETS["tensors"](X, y)
    label = y if way == "memmap" else None
    model, expected = fast(warm_start=True).fit(given, label), fast(warm_start=True).fit(X, y)
    assert_same_fits(model.fit(given, label), expected.fit(X, y), given, X)
    assert_same_fits(model.partial_fit(given, label), expected.partial_fit(X, y), given, X)
    model, expected = fast(), fast()
    model.partial_fit(given, label, classes=[0, 1, 2])
    assert_same_fits(model, expected.partial_fit(X, y, classes=[0, 1, 2]), given, X)


def test_callbacks_are_shown_the_samples(whole, fast, on_disk):
    X, y = whole
    curves = [
        fast(callbacks=[EpochScoring("accuracy", lower_is_better=False, on_train=True)])
        .fit(given, y)
        .net_.history[:, "accuracy"]
        for given in (X, on_disk(X), DATASETS["arrays"](X, y))
    ]
    assert curves[0] == curves[1] == curves[2]


# ----------------------------------------------------------------------------- processes, threads


def test_workers_read_the_same(whole, fast):
    X, y = whole
    dataset = DATASETS["arrays"](X, y)
    model = fast(num_workers=2, max_epochs=1).fit(dataset, X_val=dataset)
    assert_same_fits(model, fast(max_epochs=1).fit(X, y, X_val=X, y_val=y), dataset, X)


def test_cross_validation_in_processes(whole, fast, on_disk):
    X, y = whole
    model = fast()
    expected = cross_validate(model, X, y, cv=2, error_score="raise")
    parallel = cross_validate(model, on_disk(X), y, cv=2, n_jobs=2, error_score="raise")
    assert_array_equal(parallel["test_score"], expected["test_score"])


def threads_of_fit(X, y):
    """How many threads a fit had in this process, which had three, and how many there are then."""
    torch.set_num_threads(3)
    counts = set()

    class Counting(ScoresOnly):
        def forward(self, X):
            counts.add(torch.get_num_threads())
            return super().forward(X)

    CRLClassifier(Counting, max_epochs=1, random_state=0).fit(X, y)
    return counts, torch.get_num_threads()


def test_one_thread_in_a_pool(whole):
    """Its processes share the cores, and nobody else tells them so."""
    pool = joblib.Parallel(2, backend="multiprocessing")
    assert pool(joblib.delayed(threads_of_fit)(*whole) for _ in range(2)) == [({1}, 3)] * 2


def test_as_many_threads_as_the_user_likes_elsewhere():
    torch.set_num_threads(3)
    try:
        with own_random_state(0, torch.device("cpu")):
            assert torch.get_num_threads() == 3
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(1)


def test_map_ahead_is_map():
    assert list(map_ahead(str, range(7))) == list(map(str, range(7)))
    assert list(map_ahead(str, [])) == []


def test_map_ahead_is_one_ahead():
    """The next result is worked on while the caller has the last, and no other."""
    begun = []
    results = map_ahead(begun.append, iter(range(5)))
    assert begun == []
    next(results)
    next(results)
    results.close()
    assert begun == [0, 1, 2]


def test_map_ahead_passes_exceptions_on():
    results = map_ahead(lambda n: 1 // n, [1, 0, 1])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize("end", ["exhausted", "closed", "failed"])
def test_map_ahead_leaves_no_thread(end):
    before = threading.active_count()
    results = map_ahead(lambda n: 1 // n, [1, 1, 1] if end != "failed" else [1, 1, 0])
    next(results)
    if end == "closed":
        results.close()
    elif end == "exhausted":
        assert list(results) == [1, 1]
    else:
        with pytest.raises(ZeroDivisionError):
            list(results)
    assert threading.active_count() == before


@pytest.mark.parametrize("way", ["memmap", "array"])
def test_only_what_is_on_disk_is_read_by_a_thread(whole, fast, on_disk, monkeypatch, way):
    X, y = whole
    gather, readers = sources_module.TensorSource._gather, []

    def seen(source, rows):
        readers.append(threading.current_thread())
        return gather(source, rows)

    monkeypatch.setattr(sources_module.TensorSource, "_gather", seen)
    fast(max_epochs=1).fit(X if way == "array" else on_disk(X), y)
    assert len(readers) > 1
    assert (threading.main_thread() in readers) == (way == "array")


def test_a_fit_that_fails_leaves_no_thread(whole, fast, on_disk):
    before = threading.active_count()
    with pytest.raises(FloatingPointError):
        fast(lr=1e30, optimizer="sgd").fit(on_disk(whole.X), whole.y)
    assert threading.active_count() == before


# ----------------------------------------------------------------------------- memory


class LargestCopy(LargestTensor):
    """Remember the largest storage made, that of an array aside."""

    def __init__(self, original):
        super().__init__()
        self.original = original.ctypes.data

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                storage = leaf.untyped_storage()
                if storage.data_ptr() != self.original:
                    self.elements = max(self.elements, storage.nbytes() // leaf.element_size())
        return result


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_what_is_on_disk_stays_there(fast, on_disk, monkeypatch, dtype):
    """No tensor is larger than a stretch of the file or two, and no array."""
    X = np.random.default_rng(0).integers(0, 9, size=(4000, 1000)).astype(dtype)
    y = X[:, 0] // 5
    monkeypatch.setattr(sources_module, "_CHUNK", X.size // 20)
    monkeypatch.setattr(data_module, "_PREDICTED", X.size // 20)
    mapped, model = on_disk(X), fast(max_epochs=1, early_stopping=True)
    fast(max_epochs=1).fit(X[:64], y[:64])  # what is imported late is none of it
    tracemalloc.start()  # of NumPy's arrays
    try:
        with LargestCopy(mapped) as largest:
            model.fit(mapped, y, sample_weight=np.arange(4000) % 7).predict(mapped)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0 < largest.elements <= X.size / 10
    assert peak < X.size / 2


class Watched(torch.nn.Linear):
    """Return features that nobody asks for, and count those of earlier batches that are kept."""

    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        self.made, self.most_kept = [], 0

    def forward(self, X):
        self.most_kept = max(self.most_kept, sum(made() is not None for made in self.made))
        features = 2 * X
        self.made.append(weakref.ref(features))
        return super().forward(features), features


def test_predictions_keep_no_features(whole, fast, monkeypatch):
    X, y = whole
    monkeypatch.setattr(data_module, "_PREDICTED", 0)
    model = fast(module=Watched, batch_size=8).fit(X, y)
    watched = model.module_
    watched.made.clear()
    watched.most_kept = 0
    model.predict(X)
    assert len(watched.made) == -(-len(X) // 8)
    assert watched.most_kept <= 1


# ----------------------------------------------------------------------------- errors


class Stream(IterableDataset):
    def __iter__(self):
        return iter(())


class Endless(Dataset):
    def __getitem__(self, index):
        return np.zeros(4)


def replaced(X, row, item):
    """A data set whose first sample, or another, is something else."""
    items = list(X)
    items[row] = item
    return Listed(items)


BAD_DATASETS = {
    "stream": (lambda X: Stream(), TypeError, "length and an index.*partial_fit"),
    "no length": (lambda X: Endless(), TypeError, "length and an index.*Endless"),
    "empty": (lambda X: Listed([]), ValueError, "no sample"),
    "other shape": (lambda X: Listed(list(X[:, :3])), ValueError, r"shape \(3,\).*shape \(4,\)"),
    "string": (lambda X: replaced(X, 0, "a"), ValueError, "tensor or an array.*got str"),
    "strings": (lambda X: Listed(list(X.astype(str))), ValueError, "tensor or an array.*ndarray"),
    "None": (lambda X: replaced(X, 0, None), ValueError, "tensor or an array.*got NoneType"),
    "dict": (lambda X: replaced(X, 0, {"x": X[0]}), ValueError, "tensor or an array.*got dict"),
    "list": (lambda X: replaced(X, 0, X[0].tolist()), ValueError, "tensor or an array.*got list"),
    "pair of a list": (
        lambda X: replaced(X, 0, (X[0].tolist(), 1)),
        ValueError,
        r"tensor or an array.*got \(list, int\)",
    ),
    "number": (lambda X: replaced(X, 0, 1.5), ValueError, "tensor or an array.*got float"),
    "complex": (lambda X: Listed(list(X + 1j)), ValueError, "array of real numbers.*ndarray"),
    "ragged": (lambda X: replaced(X, 50, X[0, :3]), RuntimeError, "equal size"),
}


@pytest.mark.parametrize("kind", BAD_DATASETS)
def test_bad_data_sets(whole, fast, kind):
    make, error, message = BAD_DATASETS[kind]
    X, y = whole
    model = fast(warm_start=True).fit(X, y)
    dataset = make(X)
    labels = y[: len(dataset)] if kind not in ("stream", "no length") else y
    with rejected(model, X, error, message):
        model.fit(dataset, labels)
    with rejected(model, X, error, message):
        model.fit(X, y, X_val=dataset, y_val=labels)
    with rejected(model, X, error, message):
        model.predict(dataset)


@pytest.mark.parametrize(
    "make", [lambda X: Listed(list(X)), lambda X: TensorDataset(torch.tensor(X))]
)
def test_no_labels(whole, fast, make):
    X, y = whole
    model = fast().fit(X, y)
    with rejected(model, X, ValueError, "y must be passed.*samples alone; got y=None"):
        model.fit(make(X))
    with rejected(model, X, ValueError, "y must be passed.*samples alone; got y=None"):
        model.fit(X, y, X_val=make(X))


def test_labels_that_do_not_fit_a_data_set(whole, fast):
    X, y = whole
    model = fast(warm_start=True).fit(X, y)
    with rejected(model, X, ValueError, "50 rows for 120 samples"):
        model.fit(Listed(list(X)), y[:50])
    with rejected(model, X, ValueError, "50 rows for 120 samples"):
        model.fit(Listed(list(X), y[:50]))
    with rejected(model, X, ValueError, "not among the classes"):
        model.fit(Listed(list(X), y + 1))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_on_disk_that_are_not_finite_are_located(whole, fast, on_disk, value, dtype):
    X, y = whole
    model = fast().fit(X, y)
    X = X.astype(dtype)
    X[77, 3] = value
    mapped = on_disk(X)
    for attempt in (model.fit, model.partial_fit, lambda X, y: model.predict(X)):
        with rejected(
            model, whole.X, ValueError, "Input X contains.*row 77, column 3; 1 of its 480"
        ):
            attempt(mapped, y)
    with rejected(model, whole.X, ValueError, "Input X_val contains.*row 77"):
        model.fit(*whole, X_val=mapped, y_val=y)


def test_values_on_disk_beyond_single_precision_are_located(whole, fast, on_disk):
    X = whole.X.astype(np.float64)
    X[77, 3] = 1e39
    model = fast().fit(*whole)
    with rejected(model, whole.X, ValueError, "too large for float32, at row 77, column 3; 1 of"):
        model.fit(on_disk(X), whole.y)


def test_targets_that_a_data_set_changes_on_the_way_out(whole, fast):
    items = list(zip(whole.X, whole.y + 10, strict=True))
    assert fast().fit(Listed(items, targets=whole.y)).classes_.tolist() == [10, 11, 12]


def test_reading_a_data_set_moves_no_generator(whole, fast):
    class Noisy(Listed):
        def __getitem__(self, index):
            return self.items[index] + torch.rand(4).numpy(), whole.y[index]

    noisy = Noisy(list(whole.X))
    before = torch.get_rng_state()
    model = fast().fit(noisy)
    model.predict(noisy)
    assert torch.equal(torch.get_rng_state(), before)


def test_labels_are_prepared_for_as_many_batches_as_fit_into_memory():
    """Without mining a batch has pairs without number, almost."""
    loss = ClassRectificationLoss([1000, 900], kappa=None)
    assert loss.rectification.n_prepared(4096, loss.layout) > 4096**2 / 2
    few = ClassRectificationLoss([1000, 900], kappa=25)
    assert few.rectification.n_prepared(4096, few.layout) < 4096 * 100


def test_values_of_a_data_set_that_are_not_finite(whole, fast):
    """They are seen as late as their batch; the fit is undone."""
    X, y = whole
    model = fast().fit(X, y)
    dataset = replaced(X, 77, np.full(4, np.nan))
    with rejected(model, X, FloatingPointError, "training loss became nan in epoch 1"):
        model.fit(dataset, y)
    with rejected(model, X, FloatingPointError, "first for row 77 of X"):
        model.predict(dataset)


def test_shapes_on_disk_that_differ(whole, fast, on_disk):
    X, y = whole
    model = fast().fit(on_disk(X), y)
    with rejected(model, X, ValueError, "3 features.*4 features"):
        model.predict(on_disk(X[:, :3]))
    with rejected(model, X, ValueError, "0 sample"):
        model.fit(on_disk(X[:0]), y[:0])


def test_errors_of_a_data_set_come_through(whole, fast):
    class Broken(Listed):
        def __getitem__(self, index):
            return self.items[index] if index < 100 else 1 / 0

    X, y = whole
    model = fast().fit(X, y)
    with rejected(model, X, ZeroDivisionError, "division by zero"):
        model.fit(Broken(list(X)), y)


class Unkept(Listed):
    """A data set that does not want to be kept."""

    def __reduce__(self):
        raise AssertionError("the data set was kept")


def test_a_kept_model_holds_no_data_set(whole, fast):
    X, y = whole
    model = fast(early_stopping=True).fit(Unkept(list(X)), y)
    kept = pickle.loads(pickle.dumps(model))
    assert_same_fits(kept.partial_fit(X, y), model.partial_fit(X, y), X, X)


class Noisy(Listed):
    """A data set that augments its samples by chance."""

    def __getitem__(self, index):
        sample, label = super().__getitem__(index)
        return torch.as_tensor(sample) + torch.rand(4), label


@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize("given", ["y", "no y"])
def test_chance_in_a_data_set_is_that_of_the_fit(whole, fast, num_workers, given):
    """What a data set draws from PyTorch's generator while it trains goes by `random_state`."""
    X, y = whole
    dataset = Noisy(list(zip(X, y, strict=True)))
    labels = y if given == "y" else None

    def fit(random_state):
        settings = {"callbacks": [Recorder()], "num_workers": num_workers, "max_epochs": 2}
        return fast(random_state=random_state, **settings).fit(dataset, labels)

    with torch.random.fork_rng():  # looking at a sample, and at all for their labels, draws as well
        one, other, unlike = map(fit, (0, 0, 1))
    assert_same_weights(one, other)
    noise = [
        sum(seen.double().sum().item() for seen, _, _ in epoch) - X.sum(dtype=np.float64)
        for model in (one, unlike)
        for epoch in recorded(model).epochs_
    ]
    assert noise == pytest.approx([240] * 4, abs=40)
    assert len(set(np.round(noise, 3))) == 4
