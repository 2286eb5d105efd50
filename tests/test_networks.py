"""The paper's networks: sizes, shapes, training, and what they share with published ones."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d
from torch.testing import assert_close

from sk_crl import CRLClassifier, MultiOutputCRLClassifier
from sk_crl.networks import (
    DARN,
    DDAN,
    MTCT,
    PANDA,
    ANet,
    Branches,
    CifarNet,
    DeepID2,
    DenseNet40,
    FashionNet,
    ResNet32,
    ResNet50,
)
from sk_crl.networks._build import NETWORKS, named_network
from sk_crl.networks._cifarnet import LocalResponseNorm
from sk_crl.networks._image_network import by_pixel
from sk_crl.networks._parts import LocallyShared
from sk_crl.networks._resnet import BasicBlock

OF_TABLES = ("mlp", "table")
IMAGE_NETWORKS = {name: named_network(name) for name in NETWORKS if name not in OF_TABLES}
SMALL = {"fashionnet": {"units": 16}}  # rather than 4096, twice
NETWORK = pytest.mark.parametrize("name", IMAGE_NETWORKS)


def build(name, input_shape, n_classes, **settings):
    """Build a network by name, always with the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return IMAGE_NETWORKS[name](input_shape, n_classes, **SMALL.get(name, {}) | settings)


def n_weights(network):
    return sum(p.numel() for p in network.parameters())


def on_paper(network, *args, **settings):
    """Build a network without numbers, which is enough to count them."""
    with torch.device("meta"):
        return network(*args, **settings)


# ------------------------------------------------------------------------------- numbers of weights


@pytest.mark.parametrize(
    ("network", "n_classes", "published", "unit"),
    [
        (ResNet32, 10, 0.46, 1e6),  # He et al., Table 6
        (DenseNet40, 10, 1.0, 1e6),  # Huang et al., Table 2
        (ResNet50, 1000, 25_557_032, 1),  # torchvision
        (FashionNet, 1000, 138_357_544, 1),  # VGG-16 of torchvision
    ],
)
def test_published_numbers_of_weights(network, n_classes, published, unit):
    n_digits = len(str(published).partition(".")[2])
    counted = n_weights(on_paper(network, (3, 32, 32), n_classes)) / unit
    assert round(counted, n_digits) == published


def test_cifarnet_has_the_published_number_of_weights():
    # TensorFlow's tutorial has 1,068,298, on images of 24 pixels a side: maps of 6, not 8.
    counted = n_weights(on_paper(CifarNet, (3, 32, 32), 10))
    assert counted - 64 * (8 * 8 - 6 * 6) * 384 == 1_068_298


def test_number_of_weights_of_resnet32_by_layers():
    widths = [16] * 11 + [32] * 10 + [64] * 10  # of 31 convolutions, with a scale and a shift each
    convolutions = sum(9 * i * o + 2 * o for i, o in zip([3, *widths], widths, strict=False))
    assert convolutions == 463_504
    assert n_weights(on_paper(ResNet32, (3, 32, 32), 100)) == convolutions + 64 * 100 + 100


def test_number_of_weights_of_densenet_by_layers():
    counted, width = 3 * 16 * 9, 16
    for block in range(3):
        if block:
            counted += 2 * width + width * width
        for _ in range(12):
            counted += 2 * width + 9 * width * 12
            width += 12
    counted += 2 * width + width * 100 + 100
    assert width == 448
    assert n_weights(on_paper(DenseNet40, (3, 32, 32), 100)) == counted


def test_convolutions_of_fashionnet_are_those_of_vgg16():
    features = on_paper(FashionNet, (3, 32, 32), 10, units=16).features
    assert n_weights(features) == 14_714_688
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in features) == 13


def test_deepid2_has_the_sizes_of_the_original():
    network = on_paper(DeepID2, (3, 55, 47), [2] * 40)
    assert network.fc1.in_features == 60 * 5 * 4 + 80 * 4 * 3
    assert network.fc1.out_features == 160
    assert network.head.widths == (64,)


@pytest.mark.parametrize("network", [MTCT, DARN, DDAN])
def test_five_units_of_three_convolutions(network):
    convolutions = [
        layer
        for layer in on_paper(network, (3, 64, 64), (2, 3)).trunk
        if isinstance(layer, torch.nn.Conv2d)
    ]
    sizes = [layer.kernel_size[0] for layer in convolutions]
    assert sizes == [5, 1, 1] + [3, 1, 1] * 4


def test_branches_of_mtct_have_three_layers():
    head = on_paper(MTCT, (3, 32, 32), (2, 3)).head
    assert (head.widths, len(head.further_weights)) == ((128, 64), 1)


# ------------------------------------------------------- names of torchvision, whose weights load


def names_of_resnet50():
    """Names and shapes of torchvision's resnet50, as its files have them."""

    def normalization(name, width):
        for tensor in ("weight", "bias", "running_mean", "running_var"):
            yield f"{name}.{tensor}", (width,)
        yield f"{name}.num_batches_tracked", ()

    yield "conv1.weight", (64, 3, 7, 7)
    yield from normalization("bn1", 64)
    n_in = 64
    for stage, (n_blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)], start=1):
        for block in range(n_blocks):
            name = f"layer{stage}.{block}"
            yield f"{name}.conv1.weight", (width, n_in, 1, 1)
            yield from normalization(f"{name}.bn1", width)
            yield f"{name}.conv2.weight", (width, width, 3, 3)
            yield from normalization(f"{name}.bn2", width)
            yield f"{name}.conv3.weight", (4 * width, width, 1, 1)
            yield from normalization(f"{name}.bn3", 4 * width)
            if block == 0:
                yield f"{name}.downsample.0.weight", (4 * width, n_in, 1, 1)
                yield from normalization(f"{name}.downsample.1", 4 * width)
            n_in = 4 * width
    yield "fc.weight", (1000, 2048)
    yield "fc.bias", (1000,)


def names_of_vgg16():
    """Names and shapes of torchvision's vgg16, as its files have them."""
    n_in = 3
    for place, width in {
        **{0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256},
        **dict.fromkeys([17, 19, 21, 24, 26, 28], 512),
    }.items():
        yield f"features.{place}.weight", (width, n_in, 3, 3)
        yield f"features.{place}.bias", (width,)
        n_in = width
    for place, (n_in, n_out) in {0: (25088, 4096), 3: (4096, 4096), 6: (4096, 1000)}.items():
        yield f"classifier.{place}.weight", (n_out, n_in)
        yield f"classifier.{place}.bias", (n_out,)


@pytest.mark.parametrize(
    ("network", "names"), [(ResNet50, names_of_resnet50), (FashionNet, names_of_vgg16)]
)
def test_tensors_have_the_names_and_shapes_of_torchvision(network, names):
    state = on_paper(network, (3, 224, 224), 1000).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == dict(names())


# ------------------------------------------------------------------------------------------- shapes


@NETWORK
@pytest.mark.parametrize("input_shape", [(3, 32, 32), (1, 55, 47), (4, 33, 64)], ids=str)
@torch.no_grad()
def test_shapes_of_one_target_and_of_several(name, input_shape):
    X = torch.zeros(2, *input_shape)
    scores, feature = build(name, input_shape, 5)(X)
    assert scores.shape == (2, 5)
    assert feature.ndim == 2
    scores, features = build(name, input_shape, (2, 5, 3))(X)
    assert scores.shape == (2, 10)
    shared = name in ("panda", "anet")
    assert features.shape == (2, 512) if shared else features.shape == (2, 3, 64)


@NETWORK
@torch.no_grad()
def test_large_images(name):
    scores, _ = build(name, (3, 224, 224), (2, 3)).eval()(torch.ones(1, 3, 224, 224))
    assert scores.shape == (1, 5)
    assert scores.isfinite().all()


@NETWORK
@torch.no_grad()
def test_scores_come_from_the_features_by_the_last_layer(name):
    X = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    network = build(name, (3, 32, 32), 4).eval()
    scores, feature = network(X)
    head = network._head
    weight, bias = (
        (head.weight[0], head.bias[0, :, 0])
        if isinstance(head, Branches)
        else (head.weight, head.bias)
    )
    assert_close(scores, feature @ weight.t() + bias)


@NETWORK
@pytest.mark.parametrize("shape", [(784,), (), (32, 32), (3, 31, 32), (3, 32, 31), (0, 32, 32)])
def test_what_is_no_image_or_too_small(name, shape):
    with pytest.raises(ValueError, match="height and width of at least 32; got samples of shape"):
        IMAGE_NETWORKS[name](shape, 3)


def test_channels_that_come_last_are_told_of():
    with pytest.raises(ValueError, match="Put the channels first"):
        ResNet32((32, 32, 3), 10)
    X = np.zeros((4, 32, 32, 3), np.float32)
    with pytest.raises(ValueError, match=r"ResNet32 takes images.*got samples of shape \(32, 32"):
        CRLClassifier("resnet32", device="cpu").fit(X, [0, 0, 1, 1])


@NETWORK
@pytest.mark.parametrize("n_classes", [0, (2, 0)])
def test_numbers_of_classes_are_checked(name, n_classes):
    with pytest.raises(ValueError, match="n_classes must be an integer of at least 1"):
        IMAGE_NETWORKS[name]((3, 32, 32), n_classes)


@pytest.mark.parametrize(
    ("network", "settings", "message"),
    [
        (CifarNet, {"dropout": 1.0}, "dropout must be"),
        (CifarNet, {"branch_units": -1}, "branch_units must be an integer of at least 0"),
        (DenseNet40, {"dropout": -0.1}, "dropout must be"),
        (FashionNet, {"units": 0}, "units must be"),
        (FashionNet, {"dropout": 1.0}, "dropout must be"),
        (MTCT, {"widths": (8, 8)}, "widths must hold a width for each of 5 units"),
        (MTCT, {"widths": (8, 8, 8, 8, 0)}, "widths must be an integer of at least 1"),
        (MTCT, {"branch_units": (8, 0)}, "units must be an integer of at least 1"),
        (MTCT, {"branch_units": ()}, "units must hold a width for every layer"),
        (MTCT, {"batch_norm": "yes"}, "batch_norm must be True or False"),
        (DARN, {"root_units": 0}, "root_units must be"),
        (DDAN, {"alignment_units": 0}, "alignment_units must be"),
        (PANDA, {"part_units": 0}, "part_units must be"),
        (PANDA, {"width": 0}, "width must be"),
        (ANet, {"widths": 64}, "widths must hold a width for each of 4 convolutions"),
        (ANet, {"units": 1.5}, "units must be"),
    ],
    ids=str,
)
def test_settings_are_checked(network, settings, message):
    with pytest.raises(ValueError, match=message):
        network((3, 32, 32), 3, **settings)


def test_several_targets_without_branches_share_the_feature():
    network = build("resnet32", (3, 32, 32), (2, 3), branch_units=0)
    scores, feature = network(torch.zeros(2, 3, 32, 32))
    assert (scores.shape, feature.shape) == ((2, 5), (2, 64))


# -------------------------------------------------------------------------------------------- parts


def test_shortcuts_of_resnet32_have_no_weights():
    block = BasicBlock(16, 32)
    assert {name.split(".")[0] for name, _ in block.named_parameters()} == {
        "conv1",
        "bn1",
        "conv2",
        "bn2",
    }
    X = torch.rand(2, 16, 9, 8)
    shortcut = block.shortcut(X)
    assert torch.equal(shortcut[:, 8:24], X[:, :, ::2, ::2])
    assert not shortcut[:, :8].any()
    assert not shortcut[:, 24:].any()


def test_local_response_normalization_of_cifarnet():
    norm = LocalResponseNorm(12).double()
    X = torch.randn(1, 12, 1, 1, dtype=torch.float64) * 50
    x = X.flatten().tolist()
    for c, value in enumerate(norm(X).flatten().tolist()):
        total = sum(x[other] ** 2 for other in range(12) if abs(other - c) <= 4)
        assert value == pytest.approx(x[c] / (1 + 0.001 / 9 * total) ** 0.75, rel=1e-12)


@pytest.mark.parametrize("n_channels", [1, 3, 64])
def test_local_response_normalization_is_that_of_pytorch(n_channels):
    X = torch.randn(2, n_channels, 3, 5, dtype=torch.float64) * 50
    twin = torch.nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=1.0)
    norms = [LocalResponseNorm(n_channels).double(), twin]
    given = [X.clone().requires_grad_() for _ in norms]
    made = [norm(x) for norm, x in zip(norms, given, strict=True)]
    assert_close(*made)
    upstream = torch.randn_like(X)
    assert_close(
        *[torch.autograd.grad(y, x, upstream)[0] for y, x in zip(made, given, strict=True)]
    )
    assert not LocalResponseNorm(n_channels).state_dict()  # weights of files have none


def test_quarters_of_an_image_have_their_own_weights():
    layer = LocallyShared(2, 3).double()
    X = torch.randn(1, 2, 7, 10, dtype=torch.float64)
    made = layer(X)
    assert made.shape == (1, 3, 7, 10)
    quarters = [(slice(3), slice(5)), (slice(3), slice(5, None))]
    quarters += [(slice(3, None), slice(5)), (slice(3, None), slice(5, None))]
    for convolve, (rows, columns) in zip(layer.quarters, quarters, strict=True):
        whole = conv2d(X, convolve.weight, convolve.bias, padding=1)
        assert_close(made[:, :, rows, columns], whole[:, :, rows, columns])


def test_deepid2_sees_the_third_pooling_and_the_fourth_convolution():
    network = build("deepid2", (3, 32, 32), 2)
    X = torch.rand(2, 3, 32, 32)
    assert network.conv4(torch.zeros(1, 60, 2, 2)).shape == (1, 80, 1, 1)
    with torch.no_grad():
        network.fc1.weight[:, -80:] = 0  # the fourth convolution
        without = network(X)[0]
        network.conv4.weight.zero_()
        assert torch.equal(network(X)[0], without)
        network.conv3.weight.zero_()
        assert not torch.equal(network(X)[0], without)


def test_parts_of_panda_are_seen_by_networks_of_their_own():
    network = build("panda", (3, 40, 32), 2)
    lower = torch.zeros(1, 3, 40, 32)
    lower[:, :, 32:] = 1
    with torch.no_grad():
        changed = network(lower)[1] != network(torch.zeros(1, 3, 40, 32))[1]
    assert changed.view(4, 128).any(1).tolist() == [True, False, False, True]


@NETWORK
def test_maps_lie_pixel_by_pixel_and_compute_the_same(name, monkeypatch):
    network = build(name, (3, 32, 32), 3).double().eval()
    assert all(p.is_contiguous() for p in network.parameters())  # which files of weights want
    X = torch.rand(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    outputs = []
    for lay_out in (by_pixel, torch.Tensor.contiguous):
        monkeypatch.setattr("sk_crl.networks._image_network.by_pixel", lay_out)
        net, maps = deepcopy(network), []
        for layer in net.modules():
            if isinstance(layer, torch.nn.Conv2d):
                layer.register_forward_hook(lambda _, X, made, maps=maps: maps.append(made))
        scores, feature = net(X)
        (scores.square().sum() + feature.square().sum()).backward()
        outputs.append([scores, feature, *(p.grad for p in net.parameters())])
        follows = [made.is_contiguous(memory_format=torch.channels_last) for made in maps]
        assert all(follows) == (lay_out is by_pixel)
    assert_close(*outputs)


# ----------------------------------------------------------------------------------------- training


@pytest.fixture(scope="module")
def pictures():
    """Eight images of 3 × 32 × 32, and labels that brightness tells."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [5, 3])
    X = rng.normal(size=(8, 3, 32, 32)) + y[:, None, None, None]
    return X.astype(np.float32), y


def settings_of_training(name, level):
    """Settings with which a few steps on a batch lower the loss: no dropout, small steps."""
    inner = {"dropout": 0.0} if name in ("cifarnet", "anet", "fashionnet") else {}
    if name == "fashionnet":
        inner["units"] = 64
    return {
        "module": name,
        "level": level,
        "lr": 3e-5 if name == "fashionnet" else 3e-4,
        "max_epochs": 3,
        "batch_size": 8,
        "random_state": 0,
        "device": "cpu",
        **{f"module__{key}": value for key, value in inner.items()},
    }


@NETWORK
@pytest.mark.parametrize("level", ["class", "instance"])
def test_training_lowers_the_loss(name, level, pictures):
    X, y = pictures
    model = CRLClassifier(**settings_of_training(name, level)).fit(X, y)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.predict_proba(X).shape == (8, 2)
    assert model.features(X).ndim == 2


@NETWORK
@pytest.mark.parametrize("level", ["class", "instance"])
def test_training_lowers_the_loss_of_several_targets(name, level, pictures):
    X, y = pictures
    Y = np.column_stack([y, np.arange(8) % 3 == 0])
    model = MultiOutputCRLClassifier(**settings_of_training(name, level)).fit(X, Y)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.predict(X).shape == (8, 2)


@NETWORK
def test_networks_are_pickled(name):
    network = build(name, (3, 32, 32), 2).eval()
    again = pickle.loads(pickle.dumps(network))
    X = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(network(X)[0], again(X)[0])
