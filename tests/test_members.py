"""Networks of one kind as one: the same numbers as one by one, and a module like any other."""

import copy
import io
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sk_crl._layout import ColumnLayout
from sk_crl.networks import MLP, Branches, CifarNet, TableNetwork
from sk_crl.networks._build import ScoresAndFeatures
from sk_crl.networks._members import Members

N_MEMBERS, N = 3, 7
CODES = (4, 2)  # of the categories behind three numbers


class Lists(nn.Module):
    """Returns scores and features as lists, one tensor for every target."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(5, 4)
        self.heads = nn.ModuleDict({"a head": nn.Linear(4, 2), "another": nn.Linear(4, 3)})

    def forward(self, X):
        feature = self.trunk(X).tanh()
        return [head(feature) for head in self.heads.values()], [feature, 2 * feature]


class ScoresAlone(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, X):
        return self.layer(X)


class Normalised(nn.Module):
    """Batch normalisation and dropout."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Dropout(dropout))
        self.head = nn.Linear(6, 3)

    def forward(self, X):
        feature = self.layers(X).relu()
        return self.head(feature), feature


class Tied(nn.Module):
    """One weight under two names, and a frozen layer."""

    def __init__(self):
        super().__init__()
        self.frozen = nn.Linear(5, 3).requires_grad_(False)
        self.one, self.two = nn.Linear(3, 3), nn.Linear(3, 3)
        self.two.weight = self.one.weight

    def forward(self, X):
        return self.two(self.one(self.frozen(X)).relu())


KINDS = {
    "mlp": (lambda: MLP(5, 3, (6, 4)), (3,)),
    "mlp for several targets": (lambda: MLP(5, (2, 3), (6,), branch_units=0), (2, 3)),
    "mlp with branches": (lambda: MLP(5, (2, 3), (6,), branch_units=4), (2, 3)),
    "deep branches": (lambda: Branches(5, (2, 4), (6, 3)), (2, 4)),
    "table": (lambda: TableNetwork(5, 3, CODES, (6,)), (3,)),
    "table with branches": (lambda: TableNetwork(5, (2, 3), CODES, (6,), branch_units=4), (2, 3)),
    "lists": (Lists, (2, 3)),
    "scores alone": (ScoresAlone, (3,)),
    "batch normalisation": (Normalised, (3,)),
    "tied": (Tied, (3,)),
    "convolutions": (lambda: CifarNet((1, 32, 32), 3), (3,)),
}


def wrapped(module, n_classes):
    return ScoresAndFeatures(module, ColumnLayout(n_classes), [f"t{i}" for i in n_classes])


def made(kind, dtype=torch.float64):
    """Some networks of a kind, and samples for each of them."""
    build, n_classes = KINDS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks = [wrapped(build(), n_classes).to(dtype) for _ in range(N_MEMBERS)]
        shape = (1, 32, 32) if kind == "convolutions" else (5,)
        X = torch.randn(N, N_MEMBERS, *shape, dtype=dtype)
        if kind.startswith("table"):
            X[..., 3] = torch.randint(CODES[0], (N, N_MEMBERS))
            X[..., 4] = torch.randint(CODES[1], (N, N_MEMBERS))
    return networks, X, len(shape)


def naive(networks, X, sample_ndim):
    """Run one network after the other: scores side by side, features of all targets."""
    shared = X.ndim == sample_ndim + 1
    outputs = [network(X if shared else X[:, m]) for m, network in enumerate(networks)]
    scores = torch.cat([scores for scores, _ in outputs], 1)
    if outputs[0][1] is None:
        return scores, None
    features = []
    for network, (_, feature) in zip(networks, outputs, strict=True):
        for target in range(network.layout.n_targets):
            features.append(feature if feature.ndim == 2 else feature[:, target])
    return scores, torch.stack(features, 1)


@pytest.mark.parametrize("shared", [False, True], ids=["samples of each", "samples for all"])
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("kind", KINDS)
def test_members_are_the_networks_one_by_one(kind, training, shared):
    networks, X, ndim = made(kind)
    if kind == "convolutions":
        training = False  # it drops features in training, which no two runs do alike
    X = X[:, 0] if shared else X
    members = Members(networks, ndim).train(training)
    for network in networks:
        network.train(training)
    scores, features = members(X)
    expected, expected_features = naive(networks, X, ndim)
    torch.testing.assert_close(scores, expected)
    if expected_features is None:
        assert features is None
    else:
        torch.testing.assert_close(features, expected_features)
    # Gradients of a sum that weighs every number otherwise.
    slope = torch.linspace(-1, 2, scores.numel(), dtype=scores.dtype).view_as(scores)
    total, twin = (scores * slope).sum(), (expected * slope).sum()
    if features is not None:
        total, twin = total + features.square().sum(), twin + expected_features.square().sum()
    total.backward()
    twin.backward()
    stacked = dict(members.named_parameters())
    for m, network in enumerate(networks):
        for name, parameter in network.named_parameters():
            gradient = stacked[name.replace(".", "/")].grad
            assert (gradient is None) == (parameter.grad is None), name
            if gradient is not None:
                torch.testing.assert_close(gradient[m], parameter.grad)
        for name, buffer in network.named_buffers():  # running statistics have moved alike
            stacked_buffer = members.state_dict()[name.replace(".", "/")]
            torch.testing.assert_close(stacked_buffer[m], buffer)


def test_running_statistics_move_in_training_alone():
    networks, X, _ = made("batch normalisation")
    members = Members(networks)
    before = members.state_dict()["network/layers/1/running_mean"].clone()
    members.eval()(X)
    assert torch.equal(members.state_dict()["network/layers/1/running_mean"], before)
    members.train()(X)
    assert not torch.isclose(members.state_dict()["network/layers/1/running_mean"], before).any()


def test_dropout_differs_between_members_and_stops_in_evaluation():
    one = wrapped(Normalised(dropout=0.5).eval(), (3,))
    members = Members([one] * N_MEMBERS)
    X = torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, second, _ = members.train()(X)[1].unbind(1)
        assert not torch.equal(first, second)
        zeros = (members(X)[1] == 0).float().mean()
        assert zeros > (members.eval()(X)[1] == 0).float().mean()
    expected = one.eval()(X)[1]
    for feature in Members([one] * N_MEMBERS).eval()(X)[1].unbind(1):
        torch.testing.assert_close(feature, expected)


def test_networks_stay_as_they_were():
    networks, X, _ = made("mlp")
    before = [copy.deepcopy(network.state_dict()) for network in networks]
    members = Members(networks)
    with torch.no_grad():
        for parameter in members.parameters():
            parameter.add_(1)
    for network, state in zip(networks, before, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    changed = naive(networks, X, 1)[0]
    assert not torch.isclose(members(X)[0], changed).any()


def test_frozen_parameters_stay_frozen():
    networks, _, _ = made("tied")
    trained = {name: p.requires_grad for name, p in Members(networks).named_parameters()}
    assert trained == {
        "network/frozen/weight": False,
        "network/frozen/bias": False,
        "network/one/weight": True,
        "network/one/bias": True,
        "network/two/bias": True,  # its weight is that of the other
    }


@pytest.mark.parametrize("kind", ["mlp with branches", "table", "batch normalisation"])
def test_state_goes_round(kind):
    networks, X, _ = made(kind)
    members = Members(networks)
    members(X)  # moves running statistics
    file = io.BytesIO()
    torch.save(members.state_dict(), file)
    file.seek(0)
    other = Members([copy.deepcopy(networks[0])] * N_MEMBERS)
    assert not torch.equal(other.eval()(X)[0], members.eval()(X)[0])
    assert not any(other.load_state_dict(torch.load(file)))
    assert torch.equal(other.eval()(X)[0], members.eval()(X)[0])


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))]
)
def test_copies_are_apart(duplicate):
    networks, X, _ = made("batch normalisation")
    members = Members(networks)
    other = duplicate(members)
    expected = members.eval()(X)[0]
    assert torch.equal(other.eval()(X)[0], expected)
    with torch.no_grad():
        next(other.parameters()).add_(1)
    assert torch.equal(members(X)[0], expected)
    assert not torch.equal(other(X)[0], expected)


def test_modules_of_members_hold_each_tensor_once():
    networks, _, _ = made("mlp")
    members = Members(networks)
    n_one = sum(p.numel() for p in networks[0].parameters())
    assert sum(p.numel() for p in members.parameters()) == N_MEMBERS * n_one
    assert [*members.children()] == []
    assert all(len(p) == N_MEMBERS for p in members.parameters())
    assert all(p.is_leaf for p in members.parameters())


def test_scores_that_do_not_fit_are_named():
    networks = [wrapped(MLP(5, 4), (3,)) for _ in range(2)]
    with pytest.raises(ValueError, match=r"scores, a Tensor of shape \(7, 3\).*shape \(7, 4\)"):
        Members(networks)(torch.zeros(N, 5))


def test_one_image_at_a_time_is_not_one_for_each():
    networks, X, ndim = made("convolutions")
    members = Members(networks, ndim).eval()
    assert members(X[:1, 0])[0].shape == members(X[:1])[0].shape == (1, 9)
    expected, _ = naive([network.eval() for network in networks], X[:1], ndim)
    torch.testing.assert_close(members(X[:1])[0], expected)


def test_members_train_apart():
    """A step on the sum of the losses is the step that every network takes alone."""
    networks, X, _ = made("mlp")
    members = Members(networks)
    y = torch.arange(N) % 3
    together = torch.optim.Adam(members.parameters(), lr=0.1)
    for _ in range(3):
        together.zero_grad()
        scores = members(X)[0].view(N, N_MEMBERS, 3)
        sum(F.cross_entropy(scores[:, m], y) for m in range(N_MEMBERS)).backward()
        together.step()
    for m, network in enumerate(networks):
        alone = torch.optim.Adam(network.parameters(), lr=0.1)
        for _ in range(3):
            alone.zero_grad()
            F.cross_entropy(network(X[:, m])[0], y).backward()
            alone.step()
        for name, parameter in network.named_parameters():
            stacked = members.state_dict()[name.replace(".", "/")]
            torch.testing.assert_close(stacked[m], parameter.detach())
