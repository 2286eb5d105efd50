"""Fingerprints: the same for what is equal, in any process; another for whatever differs."""

import functools
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ids import steady
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, make_scorer
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sk_crl import CRLClassifier
from sk_crl.evaluation._fingerprint import fingerprint
from sk_crl.metrics import balanced_accuracy, top_k_balanced_accuracy_scorer
from sk_crl.networks import MLP

ROOT = Path(__file__).parents[1]

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
KEYS = st.booleans() | st.integers() | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner) | st.sets(KEYS)
    ),
    max_leaves=15,
)


def pipeline(C=1.0, k=3, units=(8,), lr=0.1):
    """A big pipeline, in which parameters hide deep."""
    network = CRLClassifier(MLP, module__hidden_units=units, lr=lr, optimizer=torch.optim.SGD)
    columns = ColumnTransformer(
        [("scaled", StandardScaler(), [0, 1]), ("log", FunctionTransformer(np.log1p), slice(2, 4))]
    )
    search = GridSearchCV(
        LogisticRegression(), {"C": [C, 2]}, cv=StratifiedKFold(3), scoring=balanced_accuracy
    )
    return make_pipeline(columns, SelectKBest(f_classif, k=k), search, network)


def canonical(value):
    """What a value holds, in an order of its own, with the types of all."""
    kind = type(value).__name__
    if isinstance(value, dict):
        return kind, sorted((canonical(key), canonical(item)) for key, item in value.items())
    if isinstance(value, set):
        return kind, sorted(map(canonical, value))
    return kind, [canonical(v) for v in value] if isinstance(value, list | tuple) else repr(value)


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_copies_have_the_same_fingerprint(value):
    assert fingerprint(value) == fingerprint(pickle.loads(pickle.dumps(value)))


@given(VALUES, VALUES)
@settings(max_examples=200, deadline=None)
def test_other_values_have_another(one, other):
    same = canonical(one) == canonical(other)
    assert (fingerprint(one) == fingerprint(other)) == same


def test_it_does_not_matter_which_equal_objects_are_one():
    shared = (8, 9)
    one, other = tuple(range(8, 10)), tuple(range(8, 10))
    assert one is not other
    assert fingerprint([shared, shared]) == fingerprint([one, other])
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


@pytest.mark.parametrize(
    "pair",
    [
        (1, True),
        (1, 1.0),
        ("1", 1),
        (0.0, -0.0),
        ([1, 2], (1, 2)),
        ([[1], 2], [[1, 2]]),
        (["ab", "c"], ["a", "bc"]),
        (np.arange(3), np.arange(3.0)),
        (np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2)),
        (np.arange(3), [0, 1, 2]),
        (np.array(["a", None], dtype=object), np.array(["a", "None"], dtype=object)),
        (sparse.eye_array(3, format="csr"), sparse.eye_array(4, format="csr")),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1.0]})),
        (polars.DataFrame({"a": [1]}), polars.DataFrame({"a": [2]})),
        (pd.Series(["a", None], dtype="category"), pd.Series(["a", "b"], dtype="category")),
        (torch.zeros(3), torch.ones(3)),
        (np.random.RandomState(0), np.random.RandomState(1)),
        (np.random.default_rng(0), np.random.default_rng(1)),
        (f_classif, np.log1p),
        (lambda x: x + 1, lambda x: x + 2),
        (lambda x=1: x, lambda x=2: x),
        ((lambda a: lambda x: x + a)(1), (lambda a: lambda x: x + a)(2)),
        (functools.partial(f_classif, 1), functools.partial(f_classif, 2)),
        (re.compile("a"), re.compile("b")),
        (np.add, np.subtract),
        (np, os),
        (torch.float32, torch.float64),
        (slice(1, 2), slice(1, 3)),
        (get_scorer("f1_macro"), get_scorer("f1_micro")),
        (make_scorer(f_classif, beta=1), make_scorer(f_classif, beta=2)),
        (top_k_balanced_accuracy_scorer(2), top_k_balanced_accuracy_scorer(3)),
        (pipeline(), pipeline(C=1.1)),
        (pipeline(), pipeline(k=4)),
        (pipeline(), pipeline(units=(9,))),
        (pipeline(), pipeline(lr=0.2)),
        (RandomForestClassifier(), LogisticRegression()),
    ],
    ids=lambda pair: steady(pair)[:40],
)
def test_what_differs_has_another_fingerprint(pair):
    one, other = pair
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(one) == fingerprint(one)


def test_classes_inside_functions_are_their_methods():
    def make(number):
        class Net:
            def forward(self):
                return 1

        class Other(Net):
            def forward(self):
                return 2

        return Net if number == 1 else Other

    assert fingerprint(make(1)) == fingerprint(make(1))
    assert fingerprint(make(1)) != fingerprint(make(2))


def test_what_was_learned_does_not_count():
    X, y = np.arange(8.0).reshape(-1, 1), np.arange(8) % 2
    model = make_pipeline(StandardScaler(), LogisticRegression())
    before = fingerprint(model)
    assert fingerprint(model.fit(X, y)) == before


def test_layouts_of_the_same_numbers_are_the_same():
    X = np.arange(12.0).reshape(3, 4)
    for same in (np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2]):
        assert fingerprint(same) == fingerprint(X)
    assert fingerprint(sparse.csc_array(X)) == fingerprint(sparse.csr_array(X))


def test_an_object_that_holds_itself():
    one, other = [1], [1]
    one.append(one)
    other.append(other)
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(one) != fingerprint([1, [1]])


def test_what_cannot_be_kept_is_refused():
    with pytest.raises(TypeError, match="generator"):
        fingerprint({"a": (i for i in range(3))})


def test_other_processes_find_the_same():
    code = """
import sys; sys.path.insert(0, "tests")
from test_fingerprint import *
print(fingerprint([pipeline(), get_scorer("f1_macro"), {"a", "b", "c"}, np.arange(3)]))
"""
    # With a seed for hashes that is not this process's own.
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ
        | {"PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    own = fingerprint([pipeline(), get_scorer("f1_macro"), {"a", "b", "c"}, np.arange(3)])
    assert found == f"{own}\n"
