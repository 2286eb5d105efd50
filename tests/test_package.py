"""The package as others see it: what an import costs, what is public, what is shipped."""

import ast
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import requires, version
from importlib.resources import files
from pathlib import Path

import pytest

import sk_crl

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
PUBLIC_NAMES = [
    f"{module}.{name}"
    for module in PUBLIC_MODULES
    for name in importlib.import_module(module).__all__
    if name != "__version__"
]


def run_python(code):
    """Run code in a fresh interpreter in which every warning is an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("code", "further"),
    [
        ("import sk_crl", ["torch", "sklearn"]),
        ("import sk_crl.loss", ["sklearn"]),
        ("import sk_crl, sk_crl.loss, sk_crl.networks, sk_crl.metrics, sk_crl.model_selection", []),
        ("from sk_crl.networks import *", ["safetensors", "sklearn", "torchvision"]),
        ("import sk_crl.evaluation", ["tqdm"]),
        ("import sk_crl.displays", []),
        ("from sk_crl import *; CRLClassifier().get_params()", []),
        ("import sk_crl.baselines", ["torch"]),
        (
            "from sk_crl.baselines import *; LMLEClassifier().get_params()",
            ["pytorch_metric_learning", "skimage"],
        ),
        ("from sk_crl import *; MultiOutputCRLClassifier().get_params()", []),
        ("from sk_crl.baselines import *; ResampledClassifier().get_params()", []),
        ("from sk_crl.baselines import *; LossClassifier().get_params()", []),
    ],
)
def test_import_works_where_nothing_else_can_be_imported(code, further):
    # scikit-learn imports pandas itself where it can, so it is not enough to look what is there.
    missing = ["skorch", "imblearn", "pandas", "polars", "matplotlib", *further]
    run_python(f"import sys; sys.modules.update(dict.fromkeys({missing})); {code}")


@pytest.mark.parametrize(
    "code",
    [
        "import sk_crl.metrics",
        "import sk_crl.model_selection",
        "import sk_crl.evaluation",
        "import sk_crl.displays",
        "from sk_crl.baselines import OffsetTunedClassifier, PriorThresholdClassifier",
        "from sk_crl.baselines import LogitAdjustedClassifier, cost_sensitive_weights",
    ],
)
def test_what_serves_any_classifier_needs_no_torch(code):
    run_python(f"{code}; import sys; assert 'torch' not in sys.modules")


def test_who_asks_for_no_progress_bar_gets_no_warning_about_it():
    # tqdm.auto warns on import in a notebook without widgets.
    run_python(
        """
import sys
from sklearn.datasets import load_iris
from sk_crl import CRLClassifier
from sk_crl.evaluation import compare
compare({"net": CRLClassifier(max_epochs=1)}, load_iris(return_X_y=True), cv=2, verbose=False)
assert "tqdm.auto" not in sys.modules
"""
    )


def test_networks_are_imported_where_they_are_used():
    run_python(
        """
import sys
from sk_crl import CRLClassifier
CRLClassifier(max_epochs=1).fit([[0.0], [1.0]] * 4, [0, 1] * 4)
assert not {f"sk_crl.networks.{n}" for n in ("_image_network", "_resnet")} & sys.modules.keys()
"""
    )


def test_import_writes_no_global_state():
    run_python(
        """
import os, random, sys, warnings, numpy, torch, scipy.stats, sklearn.model_selection, skorch

def state():
    return [
        random.getstate(), repr(numpy.random.get_state()), torch.get_rng_state().tolist(),
        numpy.geterr(), numpy.get_printoptions(), list(warnings.filters), dict(os.environ),
        torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(), torch.is_anomaly_enabled(),
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark,
        sklearn.get_config(), sys.getrecursionlimit(), sys.excepthook, os.getcwd(),
    ]

before = state()
import sk_crl, sk_crl.loss, sk_crl.networks, sk_crl.metrics, sk_crl.training
import sk_crl.model_selection, sk_crl.evaluation, sk_crl.displays
from sk_crl.baselines import *
sk_crl.CRLClassifier, sk_crl.ClassRectificationLoss, sk_crl.balanced_accuracy
import sk_crl.training._net
for one, other in zip(before, state(), strict=True):
    assert one == other, (one, other)
"""
    )


def test_star_import_resolves_every_name():
    namespace = {}
    exec("from sk_crl import *", namespace)
    assert set(sk_crl.__all__) <= namespace.keys()
    for name in sk_crl.__all__:
        assert namespace[name] is getattr(sk_crl, name)


def test_public_names_are_listed_and_others_unknown():
    assert set(sk_crl.__all__) <= set(dir(sk_crl))
    with pytest.raises(AttributeError, match="no_such_name"):
        sk_crl.no_such_name  # noqa: B018


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_names_of_a_module_exist_once(module):
    names = importlib.import_module(module).__all__
    assert len(set(names)) == len(names)
    for name in names:
        assert hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize("path", PUBLIC_NAMES)
def test_public_name_has_docstring_with_example(path):
    module, _, name = path.rpartition(".")
    docstring = inspect.getdoc(getattr(importlib.import_module(module), name))
    assert docstring, f"{path} has no docstring"
    assert ">>> " in docstring, f"{path} has no example"


def test_version_is_that_of_the_metadata():
    assert sk_crl.__version__ == version("sk-crl")


def test_dependencies_have_no_upper_pins():
    assert not [r for r in requires("sk-crl") if "<" in r or "==" in r.partition(";")[0]]


def test_sources_are_typed_and_py_typed_is_shipped(tmp_path):
    assert files("sk_crl").joinpath("py.typed").is_file()
    for name in ["pyproject.toml", "setup.py", "README.md", "LICENSE"]:
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(
        ROOT / "sk_crl", tmp_path / "sk_crl", ignore=shutil.ignore_patterns("__pycache__")
    )
    build = [sys.executable, "setup.py", "-q", "build_py", "-d", "built"]
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    source, built = ROOT / "sk_crl", tmp_path / "built" / "sk_crl"
    shipped = {str(p.relative_to(built)) for p in built.rglob("*") if p.is_file()}
    assert shipped == {str(p.relative_to(source)) for p in source.rglob("*.py")} | {"py.typed"}


def floors():
    """The modules of every floor, from the top, as CONTRIBUTING lists them."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.M)
    listed = [re.findall(r"`(\w+)`", modules) for _, modules in rows]
    return [modules for modules in listed if modules]


def imports(path):
    """The modules of this package that a file imports when it runs."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("sk_crl."):
            yield node.module.split(".")[1]


def test_modules_import_from_floors_below_only():
    floor_of = {module: floor for floor, modules in enumerate(floors()) for module in modules}
    package = ROOT / "sk_crl"
    there = {
        path.relative_to(package).parts[0].removesuffix(".py") for path in package.rglob("*.py")
    }
    assert floor_of.keys() == there - {"__init__"}
    for path in package.rglob("*.py"):
        module = path.relative_to(package).parts[0].removesuffix(".py")
        for imported in imports(path):
            assert floor_of.get(module, 0) <= floor_of[imported], f"{path} imports {imported}"
