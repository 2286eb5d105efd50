"""Weights from files: what matches, what is refused, and how estimators use them."""

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from sk_crl import CRLClassifier, MultiOutputCRLClassifier
from sk_crl.networks import MLP, FashionNet, ResNet32, ResNet50, load_weights

SHAPE = (3, 32, 32)


def resnet32(n_classes=4, seed=0, **settings):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ResNet32(SHAPE, n_classes, **settings)


def copies(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(module, state):
    return all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


@pytest.fixture(params=["torch", "legacy", "safetensors", "safetensors without its suffix"])
def write(request, tmp_path):
    """A function that writes tensors to a file, in each format."""

    def write(state, name="weights"):
        if request.param == "torch":
            torch.save(state, path := tmp_path / f"{name}.pth")
        elif request.param == "legacy":
            path = tmp_path / f"{name}.pth"
            torch.save(state, path, _use_new_zipfile_serialization=False)
        else:
            suffix = ".safetensors" if request.param == "safetensors" else ""
            save_file(state, path := tmp_path / f"{name}{suffix}")
        return path

    return write


@pytest.mark.parametrize("as_path", [Path, str])
def test_everything_matches(write, as_path):
    source, network = resnet32(), resnet32(seed=1)
    report = load_weights(network, as_path(write(source.state_dict())))
    assert same(network, source.state_dict())
    assert set(report.matched) == source.state_dict().keys()
    assert (report.mismatched, report.missing, report.unexpected) == ({}, (), ())
    assert str(report).endswith("read 188 of 188 tensors.")


def test_heads_of_other_sizes_stay_as_they_were(write):
    source, network = resnet32(n_classes=9), resnet32(seed=1)
    before = copies(network)
    report = load_weights(network, write(source.state_dict()))
    assert report.mismatched == {"fc.weight": ((9, 64), (4, 64)), "fc.bias": ((9,), (4,))}
    assert "fc.weight (9, 64) in the file, (4, 64) in the network" in str(report)
    assert torch.equal(network.fc.weight, before["fc.weight"])
    assert torch.equal(network.conv1.weight, source.conv1.weight)


def test_missing_and_unknown_tensors_are_reported(write):
    state = resnet32().state_dict()
    del state["conv1.weight"], state["bn1.num_batches_tracked"]
    network = resnet32(seed=1)
    before = copies(network)
    report = load_weights(network, write(state | {"else.weight": torch.zeros(2)}))
    assert report.missing == ("conv1.weight",)  # a count of batches is missed by nobody
    assert report.unexpected == ("else.weight",)
    assert "Missing in the file (1): conv1.weight" in str(report)
    assert "Unknown to the network (1): else.weight" in str(report)
    assert torch.equal(network.conv1.weight, before["conv1.weight"])


def test_long_lists_are_shortened(write):
    state = resnet32().state_dict()
    report = load_weights(resnet32(), write({"conv1.weight": state["conv1.weight"]}))
    assert len(report.missing) > 100
    assert str(report).endswith("...")
    assert len(str(report)) < 600


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "network.", "module._orig_mod."])
def test_prefixes_are_taken_off(write, prefix):
    source, network = resnet32(), resnet32(seed=1)
    path = write({prefix + name: value for name, value in source.state_dict().items()})
    assert len(load_weights(network, path).matched) == 188
    assert same(network, source.state_dict())


def test_prefixes_of_ones_own(write):
    source, network = resnet32(), resnet32(seed=1)
    path = write({"encoder." + name: value for name, value in source.state_dict().items()})
    with pytest.raises(ValueError, match=r"No tensor of the file fits the network ResNet32.*conv1"):
        load_weights(network, path)
    load_weights(network, path, prefixes=["encoder."])
    assert same(network, source.state_dict())


def test_names_that_the_network_has_keep_their_prefix(write):
    source = nn.ModuleDict({"module": nn.Linear(2, 2)})
    target = nn.ModuleDict({"module": nn.Linear(2, 2)})
    load_weights(target, write(source.state_dict()))
    assert same(target, source.state_dict())


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_weights_in_a_checkpoint(tmp_path, key):
    source, network = resnet32(), resnet32(seed=1)
    torch.save({"epoch": 7, key: source.state_dict()}, tmp_path / "checkpoint.tar")
    load_weights(network, tmp_path / "checkpoint.tar")
    assert same(network, source.state_dict())


def test_half_precision_is_widened(write):
    source, network = resnet32(), resnet32(seed=1)
    half = {name: value.half() for name, value in source.state_dict().items()}
    load_weights(network, write(half))
    assert network.conv1.weight.dtype is torch.float32
    assert torch.equal(network.conv1.weight, half["conv1.weight"].float())


# --------------------------------------------------------------------------------- what is refused


class Dangerous:
    def __reduce__(self):
        return os.system, ("touch executed",)


def pickled_code(path):
    path.write_bytes(pickle.dumps({"conv1.weight": Dangerous()}))


def code_of_torch(path):
    torch.save({"conv1.weight": torch.zeros(2), "other": Dangerous()}, path)


def truncated(path):
    torch.save(resnet32().state_dict(), path)
    path.write_bytes(path.read_bytes()[:-1000])


def truncated_safetensors(path):
    save_file(resnet32().state_dict(), path)
    path.write_bytes(path.read_bytes()[:-1000])


def arrays(path):
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3))


WRONG = {
    "pickled code": pickled_code,
    "code of torch": code_of_torch,
    "a whole network": lambda path: torch.save(resnet32(), path),
    "a tensor": lambda path: torch.save(torch.zeros(3), path),
    "numbers": lambda path: torch.save({"lr": 0.1}, path),
    "nothing": lambda path: torch.save({}, path),
    "truncated": truncated,
    "truncated safetensors": truncated_safetensors,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("epoch,loss\n1,0.5\n"),
    "zeros": lambda path: path.write_bytes(bytes(100)),
    "arrays": arrays,
}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_file_of_weights(tmp_path, monkeypatch, kind, suffix):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"weights{suffix}"
    WRONG[kind](path)
    network = resnet32()
    before = copies(network)
    with pytest.raises(ValueError, match=f"weights{suffix} is no file of weights: it .*Expected"):
        load_weights(network, path)
    assert same(network, before)
    assert not Path("executed").exists()


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no_such"):
        load_weights(resnet32(), tmp_path / "no_such.pth")
    with pytest.raises(IsADirectoryError):
        load_weights(resnet32(), tmp_path)


def test_an_open_file_is_not_taken_for_a_path(tmp_path):
    with open(tmp_path / "other", "wb") as file:
        with pytest.raises(TypeError, match="by its path, a str or path-like; got"):
            load_weights(MLP(3, 2), file.fileno())
        os.fstat(file.fileno())  # raises where it has been closed


def test_nothing_that_fits_changes_nothing(write):
    network = resnet32()
    before = copies(network)
    with pytest.raises(ValueError, match="No tensor of the file fits the network ResNet32"):
        load_weights(network, write({"conv1.weight": torch.zeros(1, 2)}))
    assert same(network, before)


def test_without_safetensors_its_extra_is_named(tmp_path, monkeypatch):
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(ImportError, match=r"pip install 'sk-crl\[weights\]'"):
        load_weights(resnet32(), tmp_path / "a.safetensors")


# ------------------------------------------------------------------------- networks and estimators


def test_a_network_reports_what_it_read(write):
    source = resnet32(n_classes=9)
    network = ResNet32(SHAPE, 4, weights=write(source.state_dict()))
    assert set(network.load_report.mismatched) == {"fc.weight", "fc.bias"}
    assert torch.equal(network.layer3[4].conv2.weight, source.layer3[4].conv2.weight)
    assert resnet32().load_report is None


def test_branches_in_place_of_the_head_are_no_surprise(write):
    network = ResNet32(SHAPE, (2, 3), weights=write(resnet32(n_classes=9).state_dict()))
    assert "fc.feature_weight" in network.load_report.missing


def test_what_else_is_lacking_is_warned_of(write):
    path = write(resnet32().state_dict())
    with pytest.warns(UserWarning, match=r"Not all weights were found.*\n.*\n.*conv1") as caught:
        ResNet32((1, 32, 32), 4, weights=path)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(("network", "head"), [(ResNet50, "fc"), (FashionNet, "classifier.6")])
def test_files_of_torchvision_for_other_classes(tmp_path, network, head):
    small = {"units": 8} if network is FashionNet else {}
    torch.save(network(SHAPE, 7, **small).state_dict(), tmp_path / "imagenet.pth")
    report = network(SHAPE, 3, **small, weights=tmp_path / "imagenet.pth").load_report
    assert set(report.mismatched) == {f"{head}.weight", f"{head}.bias"}


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b"], [8, 4])
    return rng.normal(size=(12, *SHAPE)).astype(np.float32), y


def untrained(kind=CRLClassifier, **settings):
    settings = {"max_epochs": 1, "random_state": 0, "device": "cpu", "lr": 1e-30} | settings
    return kind("resnet32", optimizer="sgd", **settings)


@pytest.mark.parametrize("as_path", [Path, str])
def test_estimators_start_from_weights(write, pictures, as_path):
    source = resnet32(n_classes=2)
    model = clone(untrained(module__weights=as_path(write(source.state_dict()))))
    model.fit(*pictures)
    assert torch.equal(model.module_.conv1.weight, source.conv1.weight)
    assert len(model.module_.load_report.matched) == 188
    assert len(pickle.loads(pickle.dumps(model)).module_.load_report.matched) == 188


def test_several_targets_start_from_weights(write, pictures):
    X, y = pictures
    source = resnet32(n_classes=2)
    model = untrained(MultiOutputCRLClassifier, module__weights=write(source.state_dict()))
    model.fit(X, np.column_stack([y, y[::-1]]))
    assert torch.equal(model.module_.conv1.weight, source.conv1.weight)


def test_weights_are_searched_over(write, pictures):
    grid = {"module__weights": [None, str(write(resnet32(n_classes=2).state_dict()))]}
    search = GridSearchCV(untrained(), grid, cv=2, error_score="raise").fit(*pictures)
    assert len(search.cv_results_["params"]) == 2


def test_the_weights_of_a_fitted_estimator_load(tmp_path, pictures):
    first = untrained(lr=1e-3).fit(*pictures)
    first.net_.save_params(f_params=tmp_path / "net.pt")
    second = untrained(module__weights=tmp_path / "net.pt", random_state=1).fit(*pictures)
    assert len(second.module_.load_report.matched) == 188
    assert torch.equal(first.module_.fc.weight, second.module_.fc.weight)


def test_a_file_that_fails_changes_nothing(tmp_path, pictures):
    model = untrained().fit(*pictures)
    before = model.predict_proba(pictures[0])
    (tmp_path / "text.pth").write_text("no weights")
    model.set_params(module__weights=tmp_path / "text.pth")
    with pytest.raises(ValueError, match="is no file of weights"):
        model.fit(*pictures)
    assert np.array_equal(model.predict_proba(pictures[0]), before)


def test_files_of_torch_need_no_safetensors(tmp_path, monkeypatch):
    torch.save(resnet32().state_dict(), tmp_path / "weights.pth")
    for name in ("safetensors", "safetensors.torch"):
        monkeypatch.setitem(sys.modules, name, None)
    assert ResNet32(SHAPE, 4, weights=tmp_path / "weights.pth").load_report.missing == ()
