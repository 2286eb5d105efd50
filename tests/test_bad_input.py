"""Bad input: a clear error, and nothing is changed by it."""

import re
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback
from torch import nn

from sk_crl import CRLClassifier
from sk_crl.networks import MLP
from sk_crl.training import AtLeastPerClass, BalancedBatches, DynamicBatches

pytestmark = pytest.mark.usefixtures("untouched_generators")

LABELS = np.array(["a", "b", "c"])


@pytest.fixture
def ensemble(table, fast_ensemble):
    """An ensemble that was fitted to the same."""
    return fast_ensemble().fit(table.X, LABELS[table.y])


@pytest.fixture(params=["fitted", "ensemble"])
def either_fitted(request):
    """Both in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def fitted(table, fast):
    """A classifier that was fitted with validation data, on labels "a", "b" and "c"."""
    y = LABELS[table.y]
    return fast().fit(table.X, y, X_val=table.X[:40], y_val=y[:40])


@contextmanager
def rejected(model, X, error, message):
    """Expect an error that changes nothing about `model`, and whose message shows plain values."""
    attributes, parameters = dict(vars(model)), model.get_params()
    was_fitted = hasattr(model, "net_")
    if was_fitted:
        probabilities = model.predict_proba(X)
        history = model.net_.history.to_list()
        counts, losses = model.class_counts_.copy(), list(model.loss_curve_)
    with pytest.raises(error, match=message) as caught:
        yield
    assert not re.search(r"\bnp\.\w+\(|\barray\(\[", str(caught.value))
    assert vars(model).keys() == attributes.keys()
    assert all(vars(model)[name] is attributes[name] for name in attributes)
    assert model.get_params() == parameters
    if was_fitted:
        assert np.array_equal(model.predict_proba(X), probabilities)
        assert model.net_.history.to_list() == history
        assert np.array_equal(model.class_counts_, counts)
        assert model.loss_curve_ == losses
        assert not any(m._forward_pre_hooks for m in model.net_.module_.modules())
    else:
        with pytest.raises(NotFittedError):
            model.predict(X)


def test_the_helper_notices_changes(table, fitted):
    def change_and_fail():
        fitted.class_counts_[0] += 1
        raise ValueError("no")

    def expect_no_change():
        with rejected(fitted, table.X, ValueError, "no"):
            change_and_fail()

    with pytest.raises(AssertionError):
        expect_no_change()


def with_nan(X, value=np.nan):
    X = X.copy()
    X[7, 2] = X[30, 1] = value
    return X


# ------------------------------------------------------------------------------------- parameters

BAD_PARAMETERS = [
    ({"kappa": -1}, "kappa.*at least 1.*-1"),
    ({"kappa": 0}, "kappa.*at least 1.*0"),
    ({"kappa": 2.5}, "kappa.*integer.*2.5"),
    ({"kappa": float("nan")}, "kappa.*integer.*nan"),
    ({"kappa": float("inf")}, "kappa.*integer.*inf"),
    ({"kappa": "many"}, "kappa.*'many'"),
    ({"rho": 0}, r"rho.*\(0, 1\].*0"),
    ({"rho": -0.5}, r"rho.*\(0, 1\].*-0.5"),
    ({"rho": 1.01}, r"rho.*\(0, 1\].*1.01"),
    ({"rho": float("nan")}, r"rho.*nan"),
    ({"rho": "half"}, r"rho.*'half'"),
    ({"rho": None}, r"rho.*None"),
    ({"eta": -0.1}, "eta.*-0.1"),
    ({"eta": float("nan")}, "eta.*nan"),
    ({"eta": float("inf")}, "eta.*inf"),
    ({"eta": "0.5"}, "eta.*'0.5'"),
    ({"eta": None}, "eta.*None"),
    ({"alpha": -0.1}, r"alpha.*\[0, 1\].*-0.1"),
    ({"alpha": 1.1}, r"alpha.*\[0, 1\].*1.1"),
    ({"alpha": float("nan")}, "alpha.*nan"),
    ({"alpha": "auto"}, "alpha.*'auto'"),
    ({"alpha_decay": "linear"}, "alpha_decay.*None, 'cosine'.*'linear'"),
    ({"alpha_decay": 0.5}, "alpha_decay.*None, 'cosine'.*0.5"),
    ({"margin": -0.5}, "margin.*-0.5"),
    ({"margin": float("nan")}, "margin.*nan"),
    ({"margin": "wide"}, "margin.*'wide'"),
    ({"bins": 1}, "bins.*at least 2.*1"),
    ({"bins": 9.5}, "bins.*integer.*9.5"),
    ({"bins": "many"}, "bins.*'many'"),
    ({"level": "klass"}, "level.*'class', 'instance'.*'klass'"),
    ({"level": None}, "level.*'class', 'instance'.*None"),
    ({"comparison": "triplet"}, "comparison.*'relative'.*'triplet'"),
    ({"scope": "some"}, "scope.*'minority', 'all'.*'some'"),
    ({"anchors": "hard"}, "anchors.*'all', 'easy'.*'hard'"),
    ({"level": ["class"]}, "level.*'class', 'instance'"),
    (
        {"level": "instance", "comparison": "distribution", "normalize": False},
        "normalize=True",
    ),
    ({"logit_adjustment": "prior"}, "logit_adjustment.*'loss', 'predict'.*'prior'"),
    ({"logit_adjustment": "both"}, "logit_adjustment.*'loss', 'predict'.*'both'"),
    ({"tau": -1}, "tau.*-1"),
    ({"tau": float("nan")}, "tau.*nan"),
    ({"tau": float("inf")}, "tau.*inf"),
    ({"tau": -1, "logit_adjustment": "loss"}, "tau.*-1"),
    ({"rectify": "both"}, "rectify must be one of 'auto', 'unadjusted', 'adjusted'; got 'both'"),
    ({"rectify": "adjusted"}, "'auto', 'predict' for a single network. Set it to 'loss', or leave"),
    ({"rectify": "adjusted", "logit_adjustment": None}, "rectify.*logit_adjustment"),
    ({"max_epochs": 0}, "max_epochs.*at least 1.*0"),
    ({"max_epochs": 1.5}, "max_epochs.*integer.*1.5"),
    ({"max_epochs": True}, "max_epochs.*integer.*True"),
    ({"max_epochs": None}, "max_epochs.*integer.*None"),
    ({"batch_size": 0}, "batch_size.*at least 1.*0"),
    ({"batch_size": -1}, "batch_size.*at least 1.*-1"),
    ({"batch_size": "all"}, "batch_size.*integer.*or 'auto'.*'all'"),
    ({"batch_sampler": "balancd"}, "batch_sampler 'balancd'; did you mean 'balanced'"),
    ({"batch_sampler": "none"}, "batch_sampler 'none'; expected.*dynamic, stratified"),
    ({"batch_sampler": 3}, r"batch_sampler.*'balanced'.*BalancedBatches\(\).*3"),
    ({"batch_sampler": BalancedBatches}, r"batch_sampler.*an object.*class.*BalancedBatches"),
    ({"batch_sampler": AtLeastPerClass(0)}, "m must be an integer of at least 1; got 0"),
    ({"batch_sampler": AtLeastPerClass(50)}, "batch_size must be at least 150"),
    ({"batch_sampler": DynamicBatches("cosine")}, "schedule.*'composite'; got 'cosine'"),
    ({"patience": 0}, "patience.*at least 1.*0"),
    ({"precision": "float16"}, "precision.*'float32', 'bfloat16'.*'float16'"),
    ({"precision": 32}, "precision.*'float32', 'bfloat16'.*32"),
    ({"precision": None}, "precision.*'float32', 'bfloat16'.*None"),
    ({"precision": torch.bfloat16}, "precision.*'float32', 'bfloat16'.*torch.bfloat16"),
    ({"compile": None}, "compile.*True, False or the name.*None"),
    ({"compile": 1}, "compile.*True, False or the name.*1"),
    ({"compile": "aot_eagr"}, "compile 'aot_eagr'; did you mean 'aot_eager'"),
    ({"compile": ""}, "compile ''; expected.*inductor"),
    ({"num_workers": -1}, "num_workers.*at least 0.*-1"),
    ({"num_workers": 1.5}, "num_workers.*integer.*1.5"),
    ({"num_workers": None}, "num_workers.*integer.*None"),
    ({"lr": 0}, "lr.*0"),
    ({"lr": -1e-3}, "lr.*-0.001"),
    ({"lr": float("nan")}, "lr.*nan"),
    ({"lr": float("inf")}, "lr.*inf"),
    ({"lr": "fast"}, "lr.*'fast'"),
    ({"validation_fraction": 0}, r"validation_fraction.*\(0, 1\).*0"),
    ({"validation_fraction": 1}, r"validation_fraction.*\(0, 1\).*1"),
    ({"validation_fraction": 12}, r"validation_fraction.*\(0, 1\).*12"),
    ({"validation_fraction": 0.999, "early_stopping": True}, "validation_fraction=0.999.*lower"),
    ({"monitor": "accuracy"}, "monitor.*'balanced_log_loss', 'balanced_accuracy'.*'accuracy'"),
    ({"class_weight": "inverse"}, "class_weight.*'balanced', 'exp'.*'inverse'"),
    ({"class_weight": [1, 2, 3]}, "class_weight.*dict"),
    ({"class_weight": {"d": 2.0}}, r"class_weight.*'a', 'b', 'c'.*'d'"),
    ({"class_weight": {1: 2.0}}, r"class_weight.*'a', 'b', 'c'.*1"),
    ({"class_weight": {"b": -1.0}}, "class_weight.*-1.0"),
    ({"class_weight": {"b": float("nan")}}, "class_weight.*nan"),
    ({"class_weight": {"b": "heavy"}}, "class_weight.*'heavy'"),
    ({"random_state": "zero"}, "random_state.*'zero'"),
    ({"random_state": 1.5}, "random_state.*1.5"),
    ({"random_state": -1}, "random_state.*-1"),
    ({"device": "tpu9"}, "[Dd]evice 'tpu9'.*'auto', 'cpu', 'cuda'"),
    ({"device": ""}, "[Dd]evice ''.*'auto', 'cpu', 'cuda'"),
    ({"device": None}, "[Dd]evice None.*'auto', 'cpu', 'cuda'"),
    ({"device": 3.5}, "[Dd]evice 3.5.*'auto', 'cpu', 'cuda'"),
    ({"device": "meta"}, "[Dd]evice 'meta'.*'auto', 'cpu', 'cuda'"),
    ({"device": "cuda:99"}, "[Dd]evice 'cuda:99'"),
    ({"optimizer": "adm"}, "optimizer 'adm'; did you mean 'adamw?'"),
    ({"optimizer": "sgd", "optimizer__momentun": 0.9}, "did you mean 'optimizer__momentum'"),
    ({"optimizer": torch.optim.SGD, "optimizer__dampning": 0.9}, "mean 'optimizer__dampening'"),
    ({"optimizer": "sgd", "optimizer__momentum": -0.9}, "momentum.*-0.9"),
    ({"module": "mpl"}, "module 'mpl'; did you mean 'mlp'"),
    ({"module__hiden_units": 5}, "'module__hiden_units'; did you mean 'module__hidden_units'"),
    ({"module": MLP, "module__drop_out": 0.5}, "did you mean 'module__dropout'"),
    ({"module__dropout": 1.5}, "dropout.*1.5"),
    ({"module__hidden_units": (8, -1)}, "hidden_units.*-1"),
    ({"module__hidden_units": 0}, "hidden_units.*0"),
    ({"module__hidden_units": 2.5}, "hidden_units.*2.5"),
    ({"module__hidden_units": "many"}, "hidden_units.*'many'"),
]  # fmt: skip


def described(settings):
    return "-".join(f"{name}={value!r}" for name, value in settings.items())


@pytest.mark.parametrize(
    ("settings", "message"),
    BAD_PARAMETERS,
    ids=[described(settings) for settings, _ in BAD_PARAMETERS],
)
def test_bad_parameter(table, fitted, settings, message):
    fitted.set_params(**settings)
    with rejected(fitted, table.X, (ValueError, TypeError), message):
        fitted.fit(table.X, LABELS[table.y])


# What asks for a single network, whatever it is, and what is right in an ensemble.
OF_ONE = {"batch_sampler", "compile", "early_stopping", "precision"}
BAD_FOR_ENSEMBLES = [
    pair
    for pair in BAD_PARAMETERS
    if not OF_ONE & pair[0].keys() and pair[0] != {"rectify": "adjusted"}
]


@pytest.mark.parametrize(
    ("settings", "message"),
    BAD_FOR_ENSEMBLES,
    ids=[described(settings) for settings, _ in BAD_FOR_ENSEMBLES],
)
def test_bad_parameter_of_an_ensemble(table, ensemble, settings, message):
    ensemble.set_params(**settings)
    with rejected(ensemble, table.X, (ValueError, TypeError), message):
        ensemble.fit(table.X, LABELS[table.y])


@pytest.mark.parametrize(
    ("settings", "message"),
    [p for p in BAD_PARAMETERS if "alpha" in p[0] or "device" in p[0]],
    ids=str,
)
def test_bad_parameter_of_the_first_fit(table, fast, settings, message):
    model = fast(**settings)
    with rejected(model, table.X, (ValueError, TypeError), message):
        model.fit(*table)


@pytest.mark.parametrize("settings", [{"kappa": -1}, {"lr": 0}, {"device": "tpu9"}], ids=described)
@pytest.mark.parametrize("warm_start", [True, False])
def test_bad_parameter_in_going_on(table, fitted, settings, warm_start):
    fitted.set_params(warm_start=warm_start, **settings)
    with rejected(fitted, table.X, ValueError, next(iter(settings))):
        fitted.partial_fit(table.X, LABELS[table.y])
    with rejected(fitted, table.X, ValueError, next(iter(settings))):
        fitted.fit(table.X, LABELS[table.y])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": 3}, "optimizer.*'adam'.*3"),
        ({"optimizer": None}, "optimizer.*'adam'.*None"),
        ({"module": 3}, "module.*nn.Module.*3"),
        ({"module": None}, "module.*nn.Module.*None"),
        ({"module": lambda: 3}, "must build an nn.Module.*3"),
        ({"module": lambda: MLP}, "must build an nn.Module.*MLP"),
        ({"callbacks": 3}, "callbacks"),
        ({"callbacks": Callback()}, "callbacks.*list"),
    ],
    ids=[
        *["optimizer_3", "optimizer_None", "module_3", "module_None", "builds_3", "builds_class"],
        *["callbacks_3", "one_callback"],
    ],
)
def test_parameter_of_a_bad_type(table, fitted, settings, message):
    parameters = {"module__hidden_units"} & fitted.get_params().keys()
    model = CRLClassifier()
    vars(model).update({k: v for k, v in vars(fitted).items() if k not in parameters})
    model.set_params(**settings)
    with rejected(model, table.X, (TypeError, ValueError), message):
        model.fit(table.X, LABELS[table.y])


def test_module_instance(table, fitted):
    with torch.random.fork_rng():
        fitted.set_params(module=MLP(4, 3))
    with rejected(fitted, table.X, TypeError, "(?s)MLP.*class rather than an instance"):
        fitted.fit(table.X, LABELS[table.y])


def test_optimizer_instance(table, fitted):
    fitted.set_params(optimizer=torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.1))
    with rejected(fitted, table.X, TypeError, "optimizer must be a name"):
        fitted.fit(table.X, LABELS[table.y])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, and so no error")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", torch.device("cuda")])
def test_no_cuda(table, fitted, device):
    fitted.set_params(device=device)
    with rejected(fitted, table.X, ValueError, "[Dd]evice.*cuda.*cannot be used here"):
        fitted.fit(table.X, LABELS[table.y])


# ------------------------------------------------------------------------------------- samples


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_located(table, fitted, value):
    X, y = with_nan(table.X, value), LABELS[table.y]
    what = "NaN" if np.isnan(value) else "inf"
    where = f"{what}.*row 7, column 2; 2 of its 480"
    with rejected(fitted, table.X, ValueError, where):
        fitted.fit(X, y)
    with rejected(fitted, table.X, ValueError, where):
        fitted.fit(X.tolist(), y)
    with rejected(fitted, table.X, ValueError, where):
        fitted.partial_fit(X, y)
    for method in [fitted.predict, fitted.predict_proba, fitted.decision_function]:
        with rejected(fitted, table.X, ValueError, where):
            method(X)
    with rejected(fitted, table.X, ValueError, where):
        fitted.score(X, y)


def test_infinities_of_both_signs_are_located(table, fitted):
    X = with_nan(table.X, np.inf)
    X[7, 3] = -np.inf
    with rejected(fitted, table.X, ValueError, "inf.*row 7, column 2; 3 of"):
        fitted.fit(X, LABELS[table.y])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_missing_values_are_located_by_name(table, fast, library):
    frame = pytest.importorskip(library).DataFrame
    names = ["age", "height", "weight", "noise"]
    named = frame(dict(zip(names, table.X.T, strict=True)))
    missing = frame(dict(zip(names, with_nan(table.X).T, strict=True)))
    model = fast().fit(named, table.y)
    with rejected(model, named, ValueError, "NaN at row 7, column 'weight'"):
        model.fit(missing, table.y)
    with rejected(model, named, ValueError, "NaN at row 7, column 'weight'"):
        model.predict(missing)
    unfitted = fast()
    with rejected(unfitted, named, ValueError, "NaN at row 7, column 'weight'"):
        unfitted.fit(missing, table.y)


def test_columns_that_share_a_name_are_named(table, either):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(table.X, columns=list("abcd"))
    twice = pandas.DataFrame(table.X, columns=["a", "b", "a", "b"])
    model = either().fit(frame, table.y)
    said = r"X must have a name of its own.*more than one column 'a', 'b'\. Rename or drop"
    with rejected(model, frame, ValueError, said):
        model.fit(twice, table.y)
    with rejected(model, frame, ValueError, said):
        model.predict(twice)


def test_columns_of_validation_data_that_share_a_name_are_named(table, fast):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(table.X, columns=list("abcd"))
    twice = pandas.DataFrame(table.X, columns=list("abca"))
    with pytest.raises(ValueError, match=r"X_val must have a name of its own.*column 'a'"):
        fast().fit(frame, table.y, X_val=twice, y_val=table.y)


def test_the_names_are_those_of_the_new_frame(table, fast):
    pandas = pytest.importorskip("pandas")
    model = fast().fit(pandas.DataFrame(table.X, columns=list("abcd")), table.y)
    missing = pandas.DataFrame(with_nan(table.X), columns=list("wxyz"))
    with rejected(model, pandas.DataFrame(table.X, columns=list("abcd")), ValueError, "column 'y'"):
        model.fit(missing, table.y)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_nulls_are_located(table, fast, library):
    columns = {"age": list(range(120)), "weight": [None if i == 7 else i for i in range(120)]}
    frame = pytest.importorskip(library).DataFrame(columns)
    if library == "pandas":
        frame = frame.astype("Int64")
    model = fast()
    with rejected(model, table.X, ValueError, "NaN at row 7, column 'weight'"):
        model.fit(frame, table.y)


def test_missing_pixels_are_located(images, fast):
    X = images.X.copy()
    X[5, 1, 2, 3] = np.nan
    model = fast().fit(*images)
    with rejected(model, images.X, ValueError, r"NaN at row 5, position \(1, 2, 3\)"):
        model.fit(X, images.y)


def test_values_too_large_for_float32_are_located(table, fitted):
    X = with_nan(table.X.astype(float), 1e300)
    with rejected(fitted, table.X, ValueError, "float32.*row 7, column 2"):
        fitted.fit(X, LABELS[table.y])
    with rejected(fitted, table.X, ValueError, "float32.*row 7, column 2"):
        fitted.predict(X)


def test_large_values_that_float32_holds_are_no_error(table, fast):
    X = np.full((120, 4), 3e38, dtype=np.float32)  # their sum is none that float32 holds
    assert fast().fit(*table).predict(X).shape == (120,)


@pytest.mark.parametrize("n_features", [1, 3, 5])
def test_wrong_number_of_features(table, fitted, n_features):
    X = np.ones((120, n_features))
    message = f"{n_features} features.*expecting 4"
    for method in [fitted.predict, fitted.predict_proba, fitted.decision_function]:
        with rejected(fitted, table.X, ValueError, message):
            method(X)
    with rejected(fitted, table.X, ValueError, message):
        fitted.partial_fit(X, LABELS[table.y])
    with rejected(fitted, table.X, ValueError, message):
        fitted.fit(table.X, LABELS[table.y], X_val=X, y_val=LABELS[table.y])
    fitted.set_params(warm_start=True)
    with rejected(fitted, table.X, ValueError, message):
        fitted.fit(X, LABELS[table.y])


@pytest.mark.parametrize("shape", [(5, 2, 8, 9), (5, 2, 64), (5, 2), (5, 2, 8, 8, 1), (5, 3, 8, 8)])
def test_images_of_another_shape(images, fast, shape):
    model = fast().fit(*images)
    if shape[1] == 2:
        expected = rf"shape \({', '.join(map(str, shape[1:]))},?\).*\(2, 8, 8\)"
    else:
        expected = "3 features.*expecting 2"
    with rejected(model, images.X, ValueError, expected):
        model.predict(np.zeros(shape))
    with rejected(model, images.X, ValueError, expected):
        model.partial_fit(np.zeros(shape), images.y[:5])


def test_other_feature_names(table, either):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(table.X, columns=list("abcd"))
    model = either().fit(frame, table.y)
    with rejected(model, frame, ValueError, "(?s)feature names.*z"):
        model.predict(frame.rename(columns={"d": "z"}))


@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix", "coo_array"])
def test_sparse(table, fitted, kind):
    X = getattr(scipy.sparse, kind)(table.X)
    with rejected(fitted, table.X, TypeError, "[Ss]parse"):
        fitted.fit(X, LABELS[table.y])
    with rejected(fitted, table.X, TypeError, "[Ss]parse"):
        fitted.partial_fit(X, LABELS[table.y])
    with rejected(fitted, table.X, TypeError, "[Ss]parse"):
        fitted.predict(X)
    with rejected(fitted, table.X, TypeError, "[Ss]parse"):
        fitted.fit(table.X, LABELS[table.y], X_val=X, y_val=LABELS[table.y])


@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix", "coo_array"])
def test_sparse_samples_of_an_ensemble(table, ensemble, kind):
    X = getattr(scipy.sparse, kind)(table.X)
    with rejected(ensemble, table.X, TypeError, "[Ss]parse"):
        ensemble.fit(X, LABELS[table.y])
    with rejected(ensemble, table.X, TypeError, "[Ss]parse"):
        ensemble.predict(X)


@pytest.mark.parametrize("n_features", [1, 3, 5])
def test_wrong_number_of_features_of_an_ensemble(table, ensemble, n_features):
    for method in [ensemble.predict, ensemble.predict_proba, ensemble.decision_function]:
        with rejected(ensemble, table.X, ValueError, f"{n_features} features.*expecting 4"):
            method(np.ones((120, n_features)))


def test_infinite_values_of_an_ensemble_are_located(table, ensemble):
    """NaN is a missing value, infinity a mistake."""
    assert np.isfinite(ensemble.predict_proba(with_nan(table.X))).all()
    with rejected(ensemble, table.X, ValueError, "infinity.*column 1"):
        ensemble.fit(with_nan(table.X, np.inf), LABELS[table.y])
    with rejected(ensemble, table.X, ValueError, "infinity.*column 1"):
        ensemble.predict(with_nan(table.X, -np.inf))


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.ones(120), ValueError, "2D array"),
        (np.ones((0, 4)), ValueError, "0 sample"),
        (np.ones((120, 0)), ValueError, "0 feature"),
        (np.ones((120, 4), dtype=complex), ValueError, "[Cc]omplex"),
        (np.full((120, 4), "x", dtype=object), ValueError, "'x'"),
        (3.0, ValueError, "2D array"),
        (None, ValueError, "2D array"),
        ([[1, 2], [3]], ValueError, "inhomogeneous"),
    ],
    ids=["one_dimension", "no_rows", "no_columns", "complex", "str", "number", "None", "ragged"],
)
def test_samples_that_are_no_table(table, either_fitted, X, error, message):
    with rejected(either_fitted, table.X, error, message):
        either_fitted.fit(X, LABELS[table.y])
    with rejected(either_fitted, table.X, error, message):
        either_fitted.predict(X)


# ------------------------------------------------------------------------------------- labels


def test_lengths_that_differ(table, fitted):
    y = LABELS[table.y]
    for method in [fitted.fit, fitted.partial_fit]:
        with rejected(fitted, table.X, ValueError, "y must.*X; got 120 rows for 119 samples"):
            method(table.X[1:], y)
    with rejected(fitted, table.X, ValueError, "y_val.*X_val; got 30 rows for 120 s"):
        fitted.fit(table.X, y, X_val=table.X, y_val=y[:30])


def test_one_class_only(table, fitted, fast):
    with rejected(fitted, table.X, ValueError, "two classes.*one class only: 'a'"):
        fitted.fit(table.X, np.full(120, "a"))
    with rejected(fitted, table.X, ValueError, "one class only: 7"):
        fitted.fit(table.X, np.full(120, 7))
    with rejected(fitted, table.X, ValueError, "one class only: True"):
        fitted.fit(table.X, np.full(120, True))
    unfitted = fast()
    with rejected(unfitted, table.X, ValueError, "one class only: 'a'"):
        unfitted.partial_fit(table.X, np.full(120, "a"), classes=["a"])


def test_one_class_that_has_weight(table, either_fitted):
    with rejected(either_fitted, table.X, ValueError, "one class only: 'c'"):
        either_fitted.fit(table.X, LABELS[table.y], sample_weight=table.y == 2)


@pytest.mark.parametrize("label", ["rare", 99])
def test_class_with_one_sample_in_early_stopping(table, fitted, label):
    y = (LABELS if isinstance(label, str) else np.array([1, 2, 3]))[table.y].astype(
        "U4" if isinstance(label, str) else int
    )
    y[5] = label
    fitted.set_params(early_stopping=True)
    with pytest.warns(UserWarning, match=rf"\[{label!r}\] of y have a single sample each.*X_val"):
        fitted.fit(table.X, y)
    assert label in fitted.classes_
    # Without a split, or with validation data, there is nothing to warn of.
    fitted.fit(table.X, y, X_val=table.X, y_val=y)
    fitted.set_params(early_stopping=False).fit(table.X, y)


def test_class_left_with_one_sample_by_its_weights(table, fitted):
    fitted.set_params(early_stopping=True)
    last = np.flatnonzero(table.y == 2)[1:]
    with pytest.warns(UserWarning, match=r"\['c'\] of y have a single sample"):
        fitted.fit(table.X, LABELS[table.y], np.isin(np.arange(120), last, invert=True))


def test_warm_start_with_a_class_that_has_gone(table, fitted):
    """There is nothing to split of a class that has no samples now."""
    fitted.set_params(warm_start=True, early_stopping=True)
    kept = table.y < 2
    fitted.fit(table.X[kept], LABELS[table.y[kept]])
    assert np.isfinite(fitted.predict_proba(table.X)).all()


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (np.linspace(0, 1, 120), ValueError, "continuous"),
        (
            np.where(np.arange(120) == 3, np.nan, 1.0),
            ValueError,
            "y has no label at row 3.*MultiOutputCRLClassifier",
        ),
        (np.where(np.arange(120) == 3, np.inf, 1.0), ValueError, "y contains inf"),
        (np.zeros((120, 2), dtype=int), ValueError, r"1d array.*\(120, 2\)"),
        (np.array([None, "a", "b"], dtype=object)[np.arange(120) % 3], ValueError, "label|y "),
        (np.array([1, "a", "b"], dtype=object)[np.arange(120) % 3], ValueError, "label"),
        (np.arange(120) + 1j, ValueError, "[Cc]omplex"),
        ([["a"], ["a", "b"]] * 60, ValueError, None),
        (None, ValueError, "requires y"),
        ("a", (ValueError, TypeError), None),
        (3, (ValueError, TypeError), None),
        (scipy.sparse.csr_array(np.eye(120)), (ValueError, TypeError), "[Ss]parse"),
    ],
    ids=[
        *["continuous", "nan", "inf", "two_columns", "None_in_it", "mixed", "complex", "lists"],
        *["none", "str", "number", "sparse"],
    ],
)
def test_labels_that_are_none(table, either_fitted, y, error, message):
    with rejected(either_fitted, table.X, error, message):
        either_fitted.fit(table.X, y)
    if y is not None and hasattr(either_fitted, "partial_fit"):
        with rejected(either_fitted, table.X, (ValueError, TypeError), None):
            either_fitted.partial_fit(table.X, y)


def test_mixed_labels_are_not_left_to_python(table, either_fitted):
    mixed = np.array(["a", 1, None], dtype=object)[table.y]
    with rejected(either_fitted, table.X, (ValueError, TypeError), "(?i)label|class"):
        either_fitted.fit(table.X, mixed)


# ---------------------------------------------------------------------------------- sample weights


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (-np.ones(120), "sample_weight.*non-negative"),
        (np.where(np.arange(120) == 3, -1e-9, 1.0), "sample_weight.*non-negative"),
        (np.where(np.arange(120) == 3, np.nan, 1.0), "sample_weight.*finite"),
        (np.where(np.arange(120) == 3, np.inf, 1.0), "sample_weight.*finite"),
        (np.zeros(120), "sample_weight.*zero for all"),
        (np.ones(119), r"sample_weight.*\(120,\).*\(119,\)"),
        (np.ones((120, 1)), r"sample_weight.*\(120,\).*\(120, 1\)"),
        (np.ones((2, 60)), r"sample_weight.*\(120,\).*\(2, 60\)"),
        ([], r"sample_weight.*\(120,\).*\(0,\)"),
        (["heavy"] * 120, "heavy"),
    ],
    ids=["negative", "one_negative", "nan", "inf", "zero", "short", "column", "matrix", "empty",
         "str"],
)  # fmt: skip
def test_bad_sample_weight(table, either_fitted, weight, message):
    names = [name for name in ("fit", "partial_fit") if hasattr(either_fitted, name)]
    for name in names:
        with rejected(either_fitted, table.X, (ValueError, TypeError), message):
            getattr(either_fitted, name)(table.X, LABELS[table.y], sample_weight=weight)


# --------------------------------------------------------------------------------- validation data


def test_validation_data_in_part(table, fitted):
    y = LABELS[table.y]
    with rejected(fitted, table.X, ValueError, "X_val and y_val.*together"):
        fitted.fit(table.X, y, X_val=table.X)
    with rejected(fitted, table.X, ValueError, "X_val and y_val.*together"):
        fitted.fit(table.X, y, y_val=y)


def test_validation_labels_never_seen(table, fitted):
    y = LABELS[table.y]
    with rejected(fitted, table.X, ValueError, r"y_val.*\['a', 'b', 'c'\].*'d'"):
        fitted.fit(table.X, y, X_val=table.X[:2], y_val=["a", "d"])
    with rejected(fitted, table.X, ValueError, r"'a', 'b', 'c'.*1"):
        fitted.fit(table.X, y, X_val=table.X[:2], y_val=[0, 1])


def test_validation_data_that_are_not_finite(table, fitted):
    y = LABELS[table.y]
    with rejected(fitted, table.X, ValueError, "X_val contains NaN at row 7, column 2"):
        fitted.fit(table.X, y, X_val=with_nan(table.X), y_val=y)


def test_no_validation_data(table, fitted):
    with rejected(fitted, table.X, ValueError, "0 sample"):
        fitted.fit(table.X, LABELS[table.y], X_val=table.X[:0], y_val=LABELS[:0])


def test_too_few_samples_to_split(table, fitted):
    fitted.set_params(early_stopping=True)
    rows = [np.flatnonzero(table.y == c)[0] for c in range(3)]
    with rejected(fitted, table.X, ValueError, "leaves 0 for training on 3 classes"):
        fitted.fit(table.X[rows], LABELS)


# ------------------------------------------------------------------------------------- going on


def test_partial_fit_needs_the_classes_first(table, fast):
    model = fast()
    with rejected(model, table.X, ValueError, "classes.*first call"):
        model.partial_fit(*table)


def test_partial_fit_of_a_label_that_is_no_class(table, fast, fitted):
    model = fast()
    with rejected(model, table.X, ValueError, r"\[0, 1\].*\[2\]"):
        model.partial_fit(*table, classes=[0, 1])
    with rejected(fitted, table.X, ValueError, r"'a', 'b', 'c'.*'d'"):
        fitted.partial_fit(table.X[:2], ["a", "d"])
    with rejected(fitted, table.X, ValueError, r"'a', 'b', 'c'.*0"):
        fitted.partial_fit(table.X, table.y)


@pytest.mark.parametrize("classes", [["a", "b"], ["a", "b", "c", "d"], ["a", "b", "d"], [0, 1, 2]])
def test_partial_fit_with_other_classes(table, fitted, classes):
    with rejected(fitted, table.X, ValueError, r"classes.*first call.*'a', 'b', 'c'"):
        fitted.partial_fit(table.X[:5], LABELS[table.y[:5]], classes=classes)


@pytest.mark.parametrize("classes", [[0.5, 1.5], [[0, 1], [2, 3]], 3, "ab", [], [2]])
def test_classes_that_are_none(table, fast, classes):
    model = fast()
    with rejected(model, table.X, (ValueError, TypeError), None):
        model.partial_fit(*table, classes=classes)


@pytest.mark.parametrize("y", [["a", "d"], [0, 1]], ids=str)
def test_warm_start_with_other_classes(table, fitted, y):
    fitted.set_params(warm_start=True)
    with rejected(fitted, table.X, ValueError, f"'a', 'b', 'c'.*{y[1]}"):
        fitted.fit(table.X[:2], y)


# ------------------------------------------------------------------------------------- modules


class Scripted(nn.Module):
    """Return what a function makes of the samples and their scores."""

    def __init__(self, n_features, n_classes, output):
        super().__init__()
        self.layer = nn.Linear(n_features, n_classes)
        self.output = output

    def forward(self, X):
        return self.output(X, self.layer(X.flatten(1)))


OUTPUTS = {
    "too_few": (lambda X, s: s[:, :2], r"\(32, 3\).*got.*shape \(32, 2\)"),
    "too_many": (lambda X, s: torch.cat([s, s], 1), r"\(32, 3\).*got.*shape \(32, 6\)"),
    "no_classes": (lambda X, s: s[:, 0], r"\(32, 3\).*got.*shape \(32,\)"),
    "one_number": (lambda X, s: s.sum(), r"\(32, 3\).*got.*shape \(\)"),
    "rows_missing": (lambda X, s: s[1:], r"\(32, 3\).*got.*shape \(31, 3\)"),
    "transposed": (lambda X, s: s.T, r"\(32, 3\).*got.*shape \(3, 32\)"),
    "pixels": (lambda X, s: s[:, :, None, None], r"\(32, 3\).*got.*shape \(32, 3, 1, 1\)"),
    "None": (lambda X, s: None, r"\(32, 3\).*got None"),
    "list": (lambda X, s: [s, s], r"\(32, 3\).*got.*list"),
    "dict": (lambda X, s: {"scores": s}, r"\(32, 3\).*got.*dict"),
    "numpy": (lambda X, s: s.detach().numpy(), r"\(32, 3\).*got.*ndarray"),
    "empty_tuple": (lambda X, s: (), r"\(32, 3\).*got.*tuple"),
    "tuple_of_three": (lambda X, s: (s, s, s), r"\(32, 3\).*got.*tuple.*3"),
    "tuple_of_wrong_scores": (lambda X, s: (s[:, :1], s), r"\(32, 3\).*got.*shape \(32, 1\)"),
}


def of_module(model, fitted):
    """Put the fitted state and the settings of another model together."""
    state = {k: v for k, v in vars(fitted).items() if k not in fitted.get_params()}
    vars(model).update(state)
    return model


@pytest.mark.parametrize("kind", OUTPUTS)
def test_module_output(table, fast, fitted, kind):
    output, message = OUTPUTS[kind]
    model = of_module(fast(module=Scripted, module__output=output), fitted)
    with rejected(model, table.X, (ValueError, TypeError), message):
        model.fit(table.X, LABELS[table.y])


FEATURES = {
    "rows_missing": (lambda X, s: (s, X[1:]), r"(?i)features.*32.*\(31, 4\)"),
    "one_dimension": (lambda X, s: (s, X[:, 0]), r"(?i)features.*\(32,\)"),
    "None": (lambda X, s: (s, None), None),
    "list": (lambda X, s: (s, [X, X]), "(?i)features.*1 target.*got"),
}


@pytest.mark.parametrize("kind", FEATURES)
def test_module_features(table, fast, fitted, kind):
    output, message = FEATURES[kind]
    settings = {"module": Scripted, "module__output": output, "level": "instance", "alpha": 0.5}
    model = of_module(fast(**settings), fitted)
    if message is None:  # the input of the last linear layer is taken
        assert model.fit(table.X, LABELS[table.y]).alpha_ == 0.5
        return
    with rejected(model, table.X, (ValueError, TypeError), message):
        model.fit(table.X, LABELS[table.y])


class NoLinear(nn.Module):
    def __init__(self, n_features, n_classes):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_features, n_classes))

    def forward(self, X):
        return X @ self.weight


def test_no_features_to_be_had(table, fast, fitted):
    model = of_module(fast(module=NoLinear, level="instance"), fitted)
    message = r"level='instance'.*nn.Linear.*Return a tuple \(scores, features\)"
    with rejected(model, table.X, ValueError, message):
        model.fit(table.X, LABELS[table.y])


class Broken(nn.Module):
    """Fail in building, or in the third call."""

    def __init__(self, n_features, n_classes, at_once=False):
        super().__init__()
        if at_once:
            raise RuntimeError("a fault of the module's own")
        self.layer = nn.Linear(n_features, n_classes)
        self.calls = 0

    def forward(self, X):
        self.calls += 1
        if self.calls == 3:
            raise RuntimeError("a fault of the module's own")
        return self.layer(X)


@pytest.mark.parametrize("at_once", [True, False])
def test_errors_of_a_module_come_through(table, fast, fitted, at_once):
    model = of_module(fast(module=Broken, module__at_once=at_once, level="instance"), fitted)
    with rejected(model, table.X, RuntimeError, "a fault of the module's own"):
        model.fit(table.X, LABELS[table.y])


def test_module_that_needs_more_than_it_gets(table, fast, fitted):
    model = of_module(fast(module=Scripted), fitted)
    with rejected(model, table.X, (TypeError, ValueError), "output"):
        model.fit(table.X, LABELS[table.y])


class Failing(Callback):
    """Fail at the end of the second epoch."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise RuntimeError("a fault of the callback's own")


def test_errors_of_a_callback_come_through(table, fitted):
    fitted.set_params(callbacks=[Failing()], verbose=False)
    with rejected(fitted, table.X, RuntimeError, "a fault of the callback's own"):
        fitted.fit(table.X, LABELS[table.y])


# ------------------------------------------------------------------------------------- divergence


@pytest.mark.parametrize("settings", [{}, {"level": "instance", "alpha": 0.5}, {"alpha": 0}])
def test_divergence_names_the_epoch_and_what_to_lower(table, fitted, settings):
    fitted.set_params(lr=1e10, optimizer="sgd", max_epochs=20, **settings)
    message = r"loss.*(nan|inf).*epoch \d+.*[Ll]ower lr.*10000000000"
    with rejected(fitted, table.X, FloatingPointError, message):
        fitted.fit(table.X, LABELS[table.y])
    fitted.set_params(lr=1e38, batch_size=2)
    with rejected(fitted, table.X, FloatingPointError, r"loss.*(nan|inf).*epoch 4.*[Ll]ower lr"):
        fitted.partial_fit(table.X, LABELS[table.y])


def test_divergence_names_the_right_epoch(table, fast):
    class Poison(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 3:
                for parameter in net.module_.parameters():
                    parameter.data.fill_(torch.nan)

    model = fast(callbacks=[Poison()], max_epochs=5)
    with rejected(model, table.X, FloatingPointError, "nan in epoch 3"):
        model.fit(*table)


def test_divergence_in_warm_start(table, fitted):
    fitted.set_params(warm_start=True, lr=1e10, optimizer="sgd", max_epochs=20)
    with rejected(fitted, table.X, FloatingPointError, r"epoch \d+.*[Ll]ower lr"):
        fitted.fit(table.X, LABELS[table.y])


@pytest.mark.parametrize("early_stopping", [True, False])
def test_divergence_in_the_last_step(table, fitted, early_stopping):
    """The loss of the only batch is finite, and what its step leaves behind is not."""
    fitted.set_params(
        lr=1e38, optimizer="sgd", max_epochs=1, batch_size=120, early_stopping=early_stopping
    )
    with rejected(fitted, table.X, FloatingPointError, "epoch 1.*[Ll]ower lr"):
        fitted.fit(50 * table.X, LABELS[table.y])


def test_divergence_of_a_module_that_returns_nan(table, fast, fitted):
    output = lambda X, scores: scores * torch.nan  # noqa: E731
    model = of_module(fast(module=Scripted, module__output=output), fitted)
    with rejected(model, table.X, FloatingPointError, "loss became nan in epoch 1"):
        model.fit(table.X, LABELS[table.y])


# ------------------------------------------------------------------------------------- afterwards


def test_a_model_can_be_fitted_after_all_that(table, fast):
    model = fast(kappa=-1)
    for X, y in [(table.X, table.y), (with_nan(table.X), table.y), (table.X, table.y * 0)]:
        with pytest.raises(ValueError):
            model.fit(X, y)
        model.set_params(kappa=25)
    expected = fast().fit(*table).predict_proba(table.X)
    assert np.array_equal(model.fit(*table).predict_proba(table.X), expected)


def test_a_failed_first_fit_is_no_fit(table, fast):
    model = fast()
    with rejected(model, table.X, ValueError, "NaN"):
        model.fit(with_nan(table.X), table.y)
    assert not hasattr(model, "n_features_in_")
    assert not hasattr(model, "classes_")
    with pytest.raises(ValueError, match="expecting 4"):
        model.fit(*table).fit(table.X[:, :2], table.y).fit(*table).predict(table.X[:, :2])


# ------------------------------------------------------------------- what would be wrong in silence


def test_masked_labels_are_missing(table, fitted):
    y = np.ma.masked_array(LABELS[table.y], mask=np.arange(120) == 4)
    with rejected(fitted, table.X, ValueError, "y has no label at row 4"):
        fitted.fit(table.X, y)


class InPlace(nn.Module):
    """Works on its input in place, as nn.ReLU(inplace=True) does."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.head = nn.Linear(n_features, n_classes)

    def forward(self, X):
        return self.head(X.mul_(0.5))


def test_a_module_that_works_in_place_leaves_the_data_alone(table, fast):
    X, X_val = table.X.copy(), table.X.copy()
    model = fast(module=InPlace).fit(X, table.y, X_val=X_val, y_val=table.y)
    assert np.array_equal(model.predict_proba(X), model.predict_proba(X))
    assert np.array_equal(X, table.X)
    assert np.array_equal(X_val, table.X)


class InterruptBatch(Callback):
    """Stops in the second batch after it was told to."""

    told = False

    def on_batch_end(self, net, training, **kwargs):
        if training and InterruptBatch.told:
            raise KeyboardInterrupt


@pytest.mark.parametrize("going_on", ["partial_fit", "warm_start"])
def test_going_on_interrupted_in_its_first_epoch_is_undone(table, fast, going_on):
    InterruptBatch.told = False
    model = fast(callbacks=[InterruptBatch()], warm_start=True).fit(*table)
    before = {name: value.clone() for name, value in model.module_.state_dict().items()}
    counts, InterruptBatch.told = model.class_counts_.copy(), True
    with pytest.raises(KeyboardInterrupt):
        (model.fit if going_on == "warm_start" else model.partial_fit)(*table)
    assert np.array_equal(model.class_counts_, counts)
    assert all(torch.equal(before[k], v) for k, v in model.module_.state_dict().items())
    InterruptBatch.told = False


@pytest.mark.parametrize("weight", [1e-50, 1e39])
def test_weights_that_float32_cannot_hold(table, fitted, weight):
    weights = np.where(np.arange(120) == 5, weight, 1.0)
    with rejected(fitted, table.X, ValueError, "sample_weight.*float32.*at row 5"):
        fitted.fit(table.X, LABELS[table.y], weights)


@pytest.mark.parametrize("weights", [["1"] * 120, {"a": 1}, "balanced", [1j] * 120])
def test_weights_that_are_no_numbers(table, fitted, weights):
    with rejected(fitted, table.X, ValueError, "sample_weight must hold a number"):
        fitted.fit(table.X, LABELS[table.y], weights)


class NotANumber(InPlace):
    def forward(self, X):
        scores = self.head(X)
        return scores if self.training else scores * torch.nan


def test_scores_that_are_no_numbers_do_not_decide(table, fast):
    model = fast(module=NotANumber).fit(*table)
    with pytest.raises(FloatingPointError, match=r"first for row 0 of X.*StandardScaler"):
        model.predict(table.X)


@pytest.mark.parametrize("label", [(0, 1, 2), (0,)])
def test_weights_of_labels_that_are_tuples(table, fast, label):
    with pytest.raises(ValueError, match="class_weight names labels that are not among"):
        fast(class_weight={label: 5.0}).fit(*table)


@pytest.mark.parametrize("strange", [Decimal("1.5"), Fraction(1, 3), 2**64])
def test_labels_of_types_that_nobody_expects(table, fitted, strange):
    y = np.array([strange, 1] * 60, dtype=object)
    with rejected(fitted, table.X, ValueError, "Unknown label type: y"):
        fitted.fit(table.X, y)


def test_booleans_among_numbers(table, fitted):
    with rejected(fitted, table.X, ValueError, "y mix booleans with other types"):
        fitted.fit(table.X, np.array([True, 2, 0] * 40, dtype=object))


def test_nullable_labels_keep_their_type(table, fast):
    pandas = pytest.importorskip("pandas")
    large = pandas.Series([2**53, 2**53 + 1, 5] * 40, dtype="Int64")
    assert fast().fit(table.X, large).classes_.tolist() == [5, 2**53, 2**53 + 1]
    flags = pandas.Series([True, False, True] * 40, dtype="boolean")
    assert fast().fit(table.X, flags).classes_.tolist() == [False, True]


@pytest.mark.parametrize("kind", [np.random.RandomState, np.random.default_rng])
def test_a_failing_fit_draws_nothing(table, fast, kind):
    one, other = kind(0), kind(0)
    model = fast(random_state=one)
    with pytest.raises(ValueError, match="y_val holds labels"):
        model.fit(*table, X_val=table.X, y_val=table.y + 7)
    model.fit(*table)
    expected = fast(random_state=other).fit(*table)
    assert np.array_equal(model.predict_proba(table.X), expected.predict_proba(table.X))


def test_a_callable_that_returns_the_same_module_every_time(table, fast):
    with torch.random.fork_rng():
        shared = MLP(4, 3)
    before = {name: value.clone() for name, value in shared.state_dict().items()}
    model = fast(module=lambda: shared).fit(*table)
    fast(module=lambda: shared, lr=0.1).fit(*table)
    assert all(torch.equal(before[k], v) for k, v in shared.state_dict().items())
    assert model.module_ is not shared


def test_changed_settings_of_the_module_that_do_not_fit_its_weights(table, fast, fitted):
    fitted.set_params(warm_start=True, module__hidden_units=(9,))
    with rejected(fitted, table.X, ValueError, "weights of the last fit do not fit"):
        fitted.fit(table.X, LABELS[table.y])
    model = fast(warm_start=True).fit(*table)
    assert model.set_params(module__dropout=0.5).fit(*table).module_.dropout == 0.5


@pytest.mark.parametrize(
    "settings",
    [{"class_weight": "balanced"}, {"class_weight": "exp", "logit_adjustment": "loss"}],
    ids=str,
)
def test_two_corrections_of_the_prior_are_warned_of(table, fast, settings):
    with pytest.warns(UserWarning, match="both correct for the class prior") as caught:
        fast(**settings).fit(*table)
    assert caught[0].filename == __file__


def test_the_warning_of_single_samples_names_the_line_of_the_user(table, fast):
    y = np.where(np.arange(120) == 5, 7, table.y)
    with pytest.warns(UserWarning, match="have a single sample each") as caught:
        fast(early_stopping=True).fit(table.X, y)
    assert caught[0].filename == __file__
