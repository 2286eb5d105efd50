"""Style that tools can check."""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from numpydoc.validate import validate

ROOT = Path(__file__).parents[1]
PUBLIC_MODULES = [
    "sk_crl",
    "sk_crl.loss",
    "sk_crl.networks",
    "sk_crl.training",
    "sk_crl.datasets",
    "sk_crl.metrics",
    "sk_crl.model_selection",
    "sk_crl.evaluation",
    "sk_crl.displays",
    "sk_crl.baselines",
]

# Codes of numpydoc that we do not follow, and why.
IGNORED = {
    "ES01": "a summary that says all needs no second paragraph",
    "SA01": "see-also sections stand where there is something to see",
    "RT03": "'self' needs no description",
}
# Further codes for single objects.
IGNORED_AT = {
    "sk_crl.CRLClassifier": {"PR02": "**kwargs is left out of the signature that is shown"},
    "sk_crl.MultiOutputCRLClassifier": {"PR02": "as above"},
    "sk_crl.baselines.LMLEClassifier": {"PR02": "as above"},
    "sk_crl.baselines.TripletKNNClassifier": {"PR02": "as above"},
    "sk_crl.baselines.ResampledClassifier": {
        "PR01": "parameters of the class that it extends are described there",
        "PR02": "as above",
    },
    "sk_crl.baselines.MultiOutputResampledClassifier": {"PR01": "as above", "PR02": "as above"},
    "sk_crl.baselines.LossClassifier": {"PR01": "as above", "PR02": "as above"},
    "sk_crl.baselines.MultiOutputLossClassifier": {"PR01": "as above", "PR02": "as above"},
}
IGNORED_AT_METHODS = {"EX01": "methods are shown at work in the example of their class"}


@pytest.mark.parametrize("command", [["check"], ["format", "--check", "--diff"]])
def test_ruff(command):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def documented():
    """Paths of all public classes and functions, and of the public methods that they define."""
    for module in PUBLIC_MODULES:
        names = importlib.import_module(module).__all__
        for name in names:
            thing = getattr(importlib.import_module(module), name)
            if not (inspect.isclass(thing) or inspect.isfunction(thing)):
                continue
            yield f"{module}.{name}"
            for method, member in inspect.getmembers(thing, inspect.isfunction):
                ours = member.__module__.startswith("sk_crl")
                if inspect.isclass(thing) and ours and not method.startswith("_"):
                    yield f"{module}.{name}.{method}"


def is_method(path):
    return path.rpartition(".")[0] not in PUBLIC_MODULES


@pytest.mark.parametrize("path", list(documented()))
def test_numpydoc(path):
    ignored = IGNORED.keys() | IGNORED_AT.get(path, {}).keys()
    if is_method(path):
        ignored |= IGNORED_AT_METHODS.keys()
    errors = [error for error in validate(path)["errors"] if error[0] not in ignored]
    assert not errors, f"{path}: {errors}"


def test_every_exception_to_numpydoc_is_needed():
    found = {path: {code for code, _ in validate(path)["errors"]} for path in documented()}
    for code in IGNORED:
        assert any(code in codes for codes in found.values()), f"{code} is ignored for nothing"
    for path, codes in IGNORED_AT.items():
        assert codes.keys() <= found[path]
    for code in IGNORED_AT_METHODS:
        assert any(code in codes for path, codes in found.items() if is_method(path))
