"""Rectification in fused loops: where it is used, and that it is what tensors compute.

That both are the equations, `test_loss`, `test_gradients` and `test_known_bugs` show.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_classifier import assert_same_weights, weights
from test_gradients import tied_batch
from test_loss import LEVELS, SCOPES, assert_same, seeds, value_and_gradients
from torch.utils._pytree import tree_map_only
from ways import without_loops

from sk_crl.loss import ClassRectificationLoss, _fused, class_rectification, minority_classes
from sk_crl.loss._class_level import ClassLevelLabels
from sk_crl.loss._fused import FusedLabels, fused_loops
from sk_crl.loss._instance_level import InstanceLevelLabels

if fused_loops("class", torch.float32) is None:
    pytest.skip("no fused loops: Numba is not there, or switched off", allow_module_level=True)

ROOT = Path(__file__).parents[1]


def run_python(code, **environment):
    """Run code in a fresh interpreter in which every warning is an error; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def found_afresh():
    """Look for the loops anew, in the test and after it."""
    _fused._wanted_numba.cache_clear()
    fused_loops.cache_clear()
    yield
    _fused._wanted_numba.cache_clear()
    fused_loops.cache_clear()


# --------------------------------------------------------------------------- the same numbers


@given(
    seed=seeds,
    counts=st.lists(st.lists(st.integers(0, 40), min_size=2, max_size=6), min_size=1, max_size=3),
    n_different=st.sampled_from([2, 7, 999]),
    scope=st.sampled_from(SCOPES),
    kappa=st.sampled_from([1, 2, 5, 25, None]),
    rho=st.sampled_from([0.2, 0.5, 0.9]),
    margin=st.sampled_from([0.0, 0.1317, 0.5719, 2.0]),
)
@settings(derandomize=True, deadline=None, max_examples=200)
def test_loops_are_tensors(seed, counts, n_different, scope, kappa, rho, margin):
    """Of samples that tie any may be mined, so that only the sum of their gradients is compared."""
    n_samples = max(sum(sizes) for sizes in counts) + 1
    batch, copied = tied_batch(seed, n_samples, counts, n_different)
    options = {"scope": scope, "kappa": kappa, "rho": rho, "margin": margin}
    in_loops = value_and_gradients(class_rectification, *batch, **options)
    with without_loops():
        by_tensors = value_and_gradients(class_rectification, *batch, **options)
    sums = [torch.zeros_like(g).index_add_(0, copied, g) for _, g, _ in (in_loops, by_tensors)]
    assert_same([in_loops[0], sums[0]], [by_tensors[0], sums[1]], 1e-11)


@given(
    seed=seeds,
    counts=st.lists(st.lists(st.integers(0, 20), min_size=2, max_size=5), min_size=1, max_size=3),
    n_different=st.sampled_from([2, 7, 999]),
    scope=st.sampled_from(SCOPES),
    kappa=st.sampled_from([1, 2, 5, 25, None]),
    margin=st.sampled_from([None, 0.0, 0.1317, 2.0]),
    own=st.booleans(),
    normalize=st.booleans(),
)
@settings(derandomize=True, deadline=None, max_examples=200)
def test_loops_over_features_are_tensors(
    seed, counts, n_different, scope, kappa, margin, own, normalize
):
    n_samples = max(sum(sizes) for sizes in counts) + 1
    (scores, targets, n_classes, features), copied = tied_batch(
        seed, n_samples, counts, n_different
    )
    features = features[copied] if own else features[copied, 0]
    batch = scores, targets, n_classes, features
    options = {"level": "instance", "scope": scope, "kappa": kappa, "margin": margin}
    options["normalize"] = normalize
    in_loops = value_and_gradients(class_rectification, *batch, **options)
    with without_loops():
        by_tensors = value_and_gradients(class_rectification, *batch, **options)
    sums = [torch.zeros_like(g).index_add_(0, copied, g) for _, _, g in (in_loops, by_tensors)]
    assert_same([in_loops[0], sums[0]], [by_tensors[0], sums[1]], 1e-11)


def test_samples_at_the_edge_of_the_margin_have_no_slope():
    """On a line, whose whole numbers meet the margin: class 1 at 0 and 1, class 0 beyond."""
    features = torch.tensor([[0.0], [1.0], [3.0], [4.0], [2.0]]).requires_grad_()
    targets = torch.tensor([1, 1, 0, 0, 0])
    options = {"level": "instance", "normalize": False, "margin": 2.0}
    value = class_rectification(torch.zeros(5, 2), targets, features=features, **options)
    value.backward()
    # 2 + 1 - d: the anchor at 0 has 0, -1, 1, the one at 1 has 1, 0, 2.
    assert value.item() == pytest.approx((1 + 1 + 2) / 6)
    slopes = 6 * features.grad[:, 0]
    assert slopes.tolist() == pytest.approx([-1 - 2 + 1, 1 + 2 + 2, -1, 0, -2])


def test_distances_of_nearly_equal_features_keep_their_digits():
    """Single precision against double: of ``|a|² + |b|² - 2ab`` hardly any would be left."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(60) % 3
    features = (100 + torch.randn(60, 8, generator=generator)).double()
    options = {"level": "instance", "scope": "all", "normalize": False, "margin": 1.0}
    expected = class_rectification(torch.zeros(60, 3), targets, features=features, **options)
    actual = class_rectification(torch.zeros(60, 3), targets, features=features.float(), **options)
    torch.testing.assert_close(actual.double(), expected, rtol=1e-6, atol=0)


def test_distances_of_many_features_keep_their_digits():
    """Single precision against double."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(60) % 3
    features = torch.rand(60, 4096, generator=generator, dtype=torch.float64)
    scores = torch.zeros(60, 3, dtype=torch.float64)
    options = {"level": "instance", "scope": "all"}
    expected = value_and_gradients(class_rectification, scores, targets, (3,), features, **options)
    single = scores.float(), targets, (3,), features.float()
    actual = value_and_gradients(class_rectification, *single, **options)
    torch.testing.assert_close(actual[0].double(), expected[0], rtol=1e-6, atol=0)
    scale = expected[2].abs().max()
    torch.testing.assert_close(actual[2].double() / scale, expected[2] / scale, rtol=0, atol=2e-6)


@given(
    codes=st.lists(st.integers(-1, 6), min_size=1, max_size=60),
    rho=st.floats(0.01, 1) | st.sampled_from([0.29, 0.1, 1 / 3, 1.0]),
)
@settings(derandomize=True, deadline=None, max_examples=200)
def test_minority_classes_are_found_without_sorting(codes, rho):
    from sk_crl.loss._fused_loops import _minority_sizes

    counts = torch.bincount(torch.tensor(codes) + 1, minlength=8)[1:]
    sizes = np.zeros(7, np.int64)
    n_found = _minority_sizes(np.array(codes), rho, sizes)
    expected = counts * minority_classes(counts, rho)
    assert sizes.tolist() == expected.tolist()
    assert n_found == expected.count_nonzero()


def random_batch(n_samples=64, n_classes=(3, 4), dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    targets = [torch.randint(k, (n_samples,), generator=generator) for k in n_classes]
    scores = torch.randn(n_samples, sum(n_classes), generator=generator, dtype=dtype)
    return scores, torch.stack(targets, 1)


COUNTS = [[90, 8, 2], [60, 20, 15, 5]]


@pytest.mark.parametrize(
    "options",
    [{}, {"tau": 1.0}, {"tau": 1.0, "rectify": "adjusted"}, {"level": "instance"}],
    ids=str,
)
@pytest.mark.parametrize("alpha", [0.3, [0.0, 0.8], 1.0])
def test_the_mixed_loss_is_the_same(alpha, options):
    scores, targets = random_batch()
    loss = ClassRectificationLoss(COUNTS, alpha=alpha, **options)

    def compute():
        by = scores.clone().requires_grad_()
        value = loss(by, targets, by)
        value.backward()
        return value.detach(), by.grad

    in_loops = compute()
    with without_loops():
        by_tensors = compute()
    torch.testing.assert_close(in_loops, by_tensors, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n_bad", [1, 64])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("level", LEVELS)
def test_what_is_no_number_makes_a_loss_that_is_none(level, bad, n_bad):
    scores, targets = random_batch()
    features = torch.stack([scores[:, :3], scores[:, 3:6]], 1)
    scores[:n_bad, 0] = bad
    features[:n_bad, 0, 0] = bad
    targets[0] = -1
    batch = scores, targets, (3, 4), features
    in_loops = class_rectification(*batch, level=level).isnan()
    with without_loops():
        assert torch.equal(class_rectification(*batch, level=level).isnan(), in_loops)
    assert in_loops.tolist() == [True, False]


@pytest.mark.parametrize("level", LEVELS)
def test_settings_and_layouts_of_any_kind_are_compiled_once(level):
    """As a grid of NumPy's numbers has them."""
    scores, targets = random_batch()

    def compute(scores=scores, targets=targets, **options):
        return class_rectification(scores, targets, (3, 4), scores, level=level, **options)

    compute()
    before = len(fused_loops(level, torch.float32).signatures)
    compute(rho=1, kappa=np.int32(3), margin=1)
    compute(rho=np.float32(0.5), margin=np.float32(0.1), normalize=False)
    scores, targets = (tensor.t().contiguous().t() for tensor in (scores, targets))
    compute(scores, targets)
    compute(scores[::2], targets[::2], normalize=False)
    assert len(fused_loops(level, torch.float32).signatures) == before


@pytest.mark.parametrize("level", LEVELS)
def test_networks_learn_the_same(table, fast, level):
    settings = {"alpha": 0.5, "logit_adjustment": None, "level": level}
    in_loops = fast(**settings).fit(*table)
    assert_same_weights(in_loops, fast(**settings).fit(*table))
    with without_loops():
        by_tensors = fast(**settings).fit(*table)
    torch.testing.assert_close(weights(in_loops), weights(by_tensors), rtol=1e-4, atol=1e-5)


# --------------------------------------------------------------------------- where they are used


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, FusedLabels),
        ({"scope": "all"}, FusedLabels),
        ({"kappa": None}, FusedLabels),
        ({"comparison": "absolute"}, ClassLevelLabels),
        ({"comparison": "distribution"}, ClassLevelLabels),
        ({"anchors": "easy"}, ClassLevelLabels),
        ({"level": "instance"}, FusedLabels),
        ({"level": "instance", "comparison": "absolute"}, InstanceLevelLabels),
        ({"level": "instance", "anchors": "easy"}, InstanceLevelLabels),
    ],
    ids=str,
)
def test_where_loops_are_used(options, kind):
    _, targets = random_batch()
    loss = ClassRectificationLoss(COUNTS, **options)
    (labels,) = loss.prepare(targets, batch_size=len(targets))
    assert isinstance(labels.rectified, kind)
    by_tensors = InstanceLevelLabels if options.get("level") == "instance" else ClassLevelLabels
    with without_loops():
        (labels,) = loss.prepare(targets, batch_size=len(targets))
    assert isinstance(labels.rectified, by_tensors)


@pytest.mark.parametrize(
    ("n_classes", "kappa", "kind"),
    [
        (30, 128, FusedLabels),
        (30, 250, ClassLevelLabels),
        (30, None, ClassLevelLabels),
        (2, 250, FusedLabels),
        (2, None, FusedLabels),
    ],
)
def test_many_hard_samples_of_many_classes_are_mined_by_tensors(n_classes, kappa, kind):
    loss = ClassRectificationLoss(range(1, n_classes + 1), kappa=kappa)
    (labels,) = loss.prepare(torch.arange(600) % n_classes, batch_size=600)
    assert isinstance(labels.rectified, kind)


@pytest.mark.parametrize(("kappa", "kind"), [(256, FusedLabels), (257, InstanceLevelLabels)])
def test_many_hard_samples_of_an_anchor_are_mined_by_tensors(kappa, kind):
    loss = ClassRectificationLoss([9, 1], level="instance", kappa=kappa)
    (labels,) = loss.prepare(torch.arange(600) % 2, batch_size=600)
    assert isinstance(labels.rectified, kind)


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
@pytest.mark.parametrize("level", LEVELS)
def test_labels_prepared_before_what_is_compiled(level):
    """Dynamo cannot trace the loops: what is compiled takes tensors, of the same labels."""
    scores, targets = random_batch()
    loss = ClassRectificationLoss(COUNTS, level=level)
    (labels,) = loss.prepare(targets, batch_size=len(targets))
    assert isinstance(labels.rectified, FusedLabels)
    torch.compiler.reset()
    compiled = torch.compile(loss.compute, fullgraph=True, backend="aot_eager")
    expected = loss.compute(scores, labels, scores)
    torch.testing.assert_close(compiled(scores, labels, scores), expected)


@pytest.mark.parametrize("level", LEVELS)
def test_labels_moved_to_another_device(level):
    """Shapes are all that the meta device computes: there is no other where tests run."""
    scores, targets = random_batch()
    loss = ClassRectificationLoss(COUNTS, level=level)
    (labels,) = loss.prepare(targets, batch_size=len(targets))
    assert isinstance(labels.rectified, FusedLabels)
    moved = tree_map_only(torch.Tensor, lambda tensor: tensor.to("meta"), labels)
    scores = scores.to("meta")
    linear = loss.to("meta").linearize(scores, moved, scores)
    assert linear.gradients[0].shape == scores.shape


@pytest.mark.parametrize("level", LEVELS)
def test_labels_are_those_of_when_they_were_prepared(level):
    scores, targets = random_batch(n_classes=(4,))
    loss = ClassRectificationLoss(COUNTS[1], level=level)
    (labels,) = loss.prepare(targets, batch_size=len(targets))
    expected = loss.compute(scores, labels, scores)
    targets.fill_(0)
    assert loss.compute(scores, labels, scores) == expected


def test_each_of_several_batches_has_the_margins_of_its_targets():
    """They differ with the number of classes."""
    scores, targets = random_batch()
    loss = ClassRectificationLoss(COUNTS, level="instance", normalize=False)
    batches = loss.prepare(targets, batch_size=16)
    values = [loss(s, t, s) for s, t in zip(scores.split(16), targets.split(16), strict=True)]
    for labels, one, value in zip(batches, scores.split(16), values, strict=True):
        assert loss.compute(one, labels, one) == value


@pytest.mark.parametrize("level", LEVELS)
def test_other_samples_or_targets_than_the_labels(level):
    scores, targets = random_batch(n_classes=(3, 3))
    single = ClassRectificationLoss(COUNTS[0], level=level)
    (labels,) = single.prepare(targets[:, 0], batch_size=len(targets))
    both = ClassRectificationLoss([COUNTS[0]] * 2, level=level)
    one_more = torch.cat([scores, scores[:1]])
    if level == "class":
        compute, values = single.rectification.at_class_level, one_more[:, :3].t()[None]
    else:
        compute, values = single.rectification.at_instance_level, one_more
    with pytest.raises(ValueError, match=r"prepared for, 64 and 1; got 65 and 1"):
        compute(values, labels.rectified, single.layout)
    for features in (scores, scores.view(-1, 2, 3)):
        with pytest.raises(ValueError, match=r"prepared for, 64 and 1; got 64 and 2"):
            both.compute(scores, labels, features)


@pytest.mark.parametrize("level", LEVELS)
def test_labels_of_another_loss_are_taken_with_the_settings_of_this_one(level):
    scores, targets = random_batch()
    other = ClassRectificationLoss(COUNTS)
    (labels,) = other.prepare(targets, batch_size=len(targets))
    for options in ({"margin": 0.1, "kappa": 3}, {"comparison": "absolute"}, {"scope": "all"}):
        loss = ClassRectificationLoss(COUNTS, level=level, **options)
        expected = loss(scores, targets, scores)
        torch.testing.assert_close(loss.compute(scores, labels, scores), expected)


@pytest.mark.usefixtures("found_afresh")
@pytest.mark.parametrize("level", LEVELS)
def test_another_default_device_is_none_of_the_loss(level):
    scores, targets = random_batch()
    loss = ClassRectificationLoss(COUNTS, level=level)
    expected = loss(scores, targets, scores)
    fused_loops.cache_clear()
    with torch.device("meta"):
        assert loss(scores, targets, scores) == expected


LOSS = """
import torch
from sk_crl.loss import ClassRectificationLoss
torch.manual_seed(0)
loss = ClassRectificationLoss([90, 10])
(labels,) = loss.prepare(torch.tensor([0, 1, 0, 1, 0, 0, 0]), batch_size=7)
print(type(labels.rectified).__name__, loss.compute(torch.randn(7, 2), labels))
"""


def test_numba_is_imported_where_loops_are_used():
    printed = run_python(
        f"""
import sys, torch
from sk_crl import CRLClassifier
from sk_crl.loss import ClassRectificationLoss
loss = ClassRectificationLoss([9, 1], comparison="absolute")
loss.prepare(torch.tensor([0, 1]), batch_size=2)
assert "numba" not in sys.modules
{LOSS}
"""
    )
    assert printed.startswith("FusedLabels")


def test_without_numba_tensors_do_it_all():
    without = run_python(f"import sys; sys.modules['numba'] = None\n{LOSS}")
    assert without.startswith("ClassLevelLabels")
    assert run_python(LOSS, SK_CRL_FUSED="0") == without
    assert run_python(LOSS, NUMBA_DISABLE_JIT="1") == without


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.usefixtures("found_afresh")
def test_each_precision_is_compiled_beforehand(level, dtype):
    before = fused_loops(level, dtype).signatures
    scores, targets = random_batch(dtype=dtype)
    class_rectification(scores, targets, (3, 4), scores, level=level)
    assert fused_loops(level, dtype).signatures == before


@pytest.mark.usefixtures("found_afresh")
def test_compiling_takes_no_time_of_training(table, fast, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("sk_crl.training._stopping.time.monotonic", lambda: clock.now)
    compiled = []

    def compile_slowly(*kind):
        clock.now += 0 if compiled else 100
        compiled.append(fused_loops(*kind))
        return compiled[-1]

    monkeypatch.setattr("sk_crl.loss._fused.fused_loops", compile_slowly)
    assert fast(max_time=50, max_epochs=3).fit(*table).n_iter_ == 3
    assert clock.now == 100


@pytest.mark.usefixtures("found_afresh")
def test_a_numba_that_is_broken_is_told_of_and_done_without(monkeypatch):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "numba":
                raise ImportError("Numba needs NumPy 2.3 or less. Got NumPy 9.9.")

    monkeypatch.delitem(sys.modules, "numba")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.warns(RuntimeWarning, match=r"Numba cannot be imported.*Got NumPy 9\.9"):
        assert fused_loops("class", torch.float32) is None
    assert fused_loops("instance", torch.float32) is None  # without a word


@pytest.mark.usefixtures("found_afresh")
def test_who_insists_on_loops_gets_them_or_an_error(monkeypatch):
    monkeypatch.setenv("SK_CRL_FUSED", "1")
    assert fused_loops("class", torch.float32) is not None
    _fused._wanted_numba.cache_clear()
    fused_loops.cache_clear()
    monkeypatch.setitem(sys.modules, "numba", None)
    for _ in range(2):
        with pytest.raises(ImportError, match=r"SK_CRL_FUSED=1 needs numba.*sk-crl\[fast\]"):
            fused_loops("class", torch.float32)
    monkeypatch.setenv("SK_CRL_FUSED", "off")
    with pytest.raises(ValueError, match=r"SK_CRL_FUSED must be one of '', '0', '1'; got 'off'"):
        fused_loops("class", torch.float32)


@pytest.mark.usefixtures("found_afresh")
@pytest.mark.parametrize(
    ("harm", "level", "dtype"),
    [
        ("no folder", "class", torch.float32),
        ("broken files", "instance", torch.float32),
        ("no room", "class", torch.float64),
    ],
)
def test_where_nothing_can_be_kept_every_process_compiles(
    harm, level, dtype, tmp_path, monkeypatch
):
    import numba

    if dtype != torch.float32:  # which labels are prepared for
        assert fused_loops(level, torch.float32)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    if harm == "no folder":
        (tmp_path / "file").touch()
        monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file"))
        locators = "_UserProvidedCacheLocator"  # neither beside the package nor at home
        monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", locators)
    elif harm == "broken files":
        assert fused_loops(level, dtype).stats.cache_path
        for path in tmp_path.rglob("*.nb?"):
            path.write_bytes(b"")
        fused_loops.cache_clear()
    else:

        def full(*args, **kwargs):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.warns(RuntimeWarning, match=r"set NUMBA_CACHE_DIR to a folder where it can"):
        assert fused_loops(level, dtype).stats.cache_path is None
    scores, targets = random_batch(dtype=dtype)
    batch = scores, targets, (3, 4), scores
    in_loops = class_rectification(*batch, level=level)
    with without_loops():
        torch.testing.assert_close(in_loops, class_rectification(*batch, level=level))
