"""What the tests share: small tables, containers, generators that must stay as they are."""

import os
import random
from pathlib import Path
from typing import NamedTuple

# Small data train fastest, and repeatably, on one thread: two processes of tests with two threads
# each wait for one another. Libraries look once, when they are loaded; other processes inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from ways import without_loops

from sk_crl import CRLClassifier
from sk_crl.loss._fused import fused_loops

torch.set_num_threads(1)


class Table(NamedTuple):
    X: np.ndarray
    y: np.ndarray


@pytest.fixture
def table():
    """120 samples of 4 features, all different, in three classes of 80, 28 and 12."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [80, 28, 12])
    X = rng.normal(size=(120, 4))
    X[:, 0] += 4 * y
    X[:, 1] -= 4 * (y == 1)
    order = rng.permutation(120)
    return Table(X[order].astype(np.float32), y[order])


@pytest.fixture
def images():
    """33 images, one more than two batches of 16: 2 channels, 8 × 8 pixels, in two classes."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [24, 9])
    X = rng.normal(size=(33, 2, 8, 8)).astype(np.float32)
    X[y == 1, :, 2:6, 2:6] += 2
    order = rng.permutation(33)
    return Table(X[order], y[order])


def _readonly_memmap(X, folder):
    path = folder / f"X{len(list(folder.iterdir()))}.npy"
    np.save(path, X)
    return np.load(path, mmap_mode="r")


def _pandas_frame(X, _):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(X, columns=[f"feature_{i}" for i in range(X.shape[1])])


def _polars_frame(X, _):
    polars = pytest.importorskip("polars")
    return polars.DataFrame(X, schema=[f"feature_{i}" for i in range(X.shape[1])])


CONTAINERS = {
    "float32": lambda X, _: X.astype(np.float32),
    "fortran": lambda X, _: np.asfortranarray(X, dtype=np.float32),
    "strided": lambda X, _: np.repeat(X, 2, axis=0)[::2].astype(np.float32, copy=False),
    "float64": lambda X, _: X.astype(np.float64),
    "float16": lambda X, _: X.astype(np.float16),
    "int": lambda X, _: X.astype(np.int64),
    "list": lambda X, _: X.tolist(),
    "readonly": lambda X, _: _frozen(X.astype(np.float32)),
    "memmap": lambda X, folder: _readonly_memmap(X.astype(np.float32), folder),
    "memmap_float64": lambda X, folder: _readonly_memmap(X.astype(np.float64), folder),
    "pandas": _pandas_frame,
    "polars": _polars_frame,
}


def _frozen(X):
    X.flags.writeable = False
    return X


@pytest.fixture(params=CONTAINERS)
def container(request, tmp_path):
    """A function that puts whole numbers of up to 2,048 into one kind of container."""
    return lambda X: CONTAINERS[request.param](X, tmp_path)


def generator_states():
    """The states of all global generators."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return random.getstate(), (name, keys.tolist(), rest), torch.get_rng_state().tolist()


@pytest.fixture
def untouched_generators():
    """Fail the test if it leaves a global generator in another state."""
    before = generator_states()
    yield
    assert generator_states() == before, "a global generator was touched"


@pytest.fixture(scope="session")
def data_folder():
    """The folder of the real data, which are no part of the package."""
    folder = os.environ.get("SK_CRL_DATA")
    if not folder:
        pytest.skip("no real data: set SK_CRL_DATA to the folder that holds tabular/*.npz")
    assert (Path(folder) / "tabular").is_dir(), f"SK_CRL_DATA={folder} has no folder tabular/"
    return Path(folder)


@pytest.fixture(scope="module", params=["loops", "tensors"])
def both_ways(request):
    """Both in turn: fused loops, where rectification has them, and tensors alone."""
    if request.param == "loops":
        if fused_loops("class", torch.float32) is None:
            pytest.skip("no fused loops: Numba is not there, or switched off")
        yield
    else:
        with without_loops():
            yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Set the global generators: what draws without a `random_state` draws the same in every run.

    Rivals of other libraries do, and may fail on an unlucky draw: a bag that lacks a class. A hook,
    because fixtures of whole modules are made before any of a single test.
    """
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)


def pytest_collection_modifyitems(items):
    """Run only one way what has no other: fused loops are for two of the six losses."""
    items[:] = [item for item in items if not _has_one_way(item)]


def _has_one_way(item):
    params = item.callspec.params if hasattr(item, "callspec") else {}
    other_comparison = params.get("comparison", "relative") != "relative"
    return params.get("both_ways") == "tensors" and other_comparison


def _make_fast(n_members):
    def make(**settings):
        defaults = {"max_epochs": 3, "batch_size": 32, "random_state": 0, "device": "cpu"}
        if "module" not in settings:
            defaults["module__hidden_units"] = (8,)
        return CRLClassifier(**{"n_members": n_members} | defaults | settings)

    return make


@pytest.fixture
def fast():
    """A function that makes a single network which trains in hundredths of a second."""
    return _make_fast(1)


@pytest.fixture
def fast_ensemble():
    """A function that makes an ensemble of three such networks, made for tables."""
    return _make_fast(3)


@pytest.fixture(params=[1, 3], ids=["single", "ensemble"])
def either(request):
    """Both in turn, for what users may rely on whichever is trained."""
    return _make_fast(request.param)
