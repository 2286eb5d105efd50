"""Scaled, flipped and cropped images, before any network."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from sk_crl import CRLClassifier
from sk_crl.networks import Augmented, CifarNet


class Seen(nn.Module):
    """Returns no scores but the images that it is given."""

    def __init__(self):
        super().__init__()
        self.parameter = nn.Parameter(torch.zeros(()))

    def forward(self, X):
        return X


def augmented(**settings):
    return Augmented((2, 5, 6), 3, Seen, **{"mean": 0.0, "std": 1.0} | settings)


def images(n=200):
    """Images all of whose pixels differ, and none of which is 0."""
    return 1.0 + torch.arange(n * 60, dtype=torch.float32).reshape(n, 2, 5, 6)


def naive_crop(image, top, left, pad, is_mirrored):
    """Cut a part out of one image with zeros around it, pixel by pixel."""
    out = np.zeros_like(image)
    n_channels, height, width = image.shape
    for c in range(n_channels):
        for i in range(height):
            for j in range(width):
                source = width - 1 - j if is_mirrored else j
                y, x = i + top - pad, source + left - pad
                if 0 <= y < height and 0 <= x < width:
                    out[c, i, j] = image[c, y, x]
    return out


@pytest.mark.parametrize(("flip", "pad"), [(True, 1), (False, 2), (True, 0), (False, 0)])
def test_every_image_is_one_of_its_crops(flip, pad):
    X, made = images(), set()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        out = augmented(flip=flip, pad=pad)(X)
    for image, cut in zip(X.numpy(), out.numpy(), strict=True):
        crops = {
            (top, left, is_mirrored): naive_crop(image, top, left, pad, is_mirrored)
            for top in range(2 * pad + 1)
            for left in range(2 * pad + 1)
            for is_mirrored in ([False, True] if flip else [False])
        }
        (which,) = [key for key, crop in crops.items() if np.array_equal(crop, cut)]
        made.add(which)
    assert made == crops.keys()  # each of them somewhere among so many


def test_prediction_sees_images_as_they_are():
    X = images(4)
    assert torch.equal(augmented().eval()(X), X)


def test_pixels_are_scaled_by_channel():
    X = images(3)
    out = augmented(mean=[1.0, 2.0], std=4.0).eval()(X)
    expected = torch.stack([(X[:, 0] - 1) / 4, (X[:, 1] - 2) / 4], 1)
    assert_close(out, expected)


def test_trains_a_network_repeatably_and_touches_no_generator(untouched_generators):
    X = np.random.default_rng(0).integers(0, 256, (24, 3, 32, 32), dtype=np.uint8)
    y = np.repeat([0, 1], [16, 8])
    models = [
        CRLClassifier(
            Augmented,
            module__network="cifarnet",
            module__pad=2,
            module__dropout=0.0,
            max_epochs=2,
            level="instance",
            random_state=0,
        ).fit(X, y)
        for _ in range(2)
    ]
    first, second = (model.predict_proba(X) for model in models)
    assert np.array_equal(first, second)
    assert isinstance(models[0].module_.network, CifarNet)
    assert models[0].features(X).shape == (24, 192)
    plain = models[0].set_params(module__pad=0, module__flip=False).fit(X, y)
    assert not np.array_equal(plain.predict_proba(X), first)


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((5,), {}, r"takes images, of shape \(channels, height, width\); got .* \(5,\)"),
        ((2, 5, 6), {"flip": 1}, "flip must be True or False"),
        ((2, 5, 6), {"pad": -1}, "pad must be an integer of at least 0; got -1"),
        ((2, 5, 6), {"mean": [1, 2, 3]}, "mean must be a number, or one for each of 2 channels"),
        ((2, 5, 6), {"std": 0}, r"std must be a number in \(0, inf\); got 0"),
        ((2, 5, 6), {"widht": 3}, "module__widht"),
    ],
)
def test_bad_settings_are_told(shape, settings, message):
    with pytest.raises(ValueError, match=message):
        Augmented(shape, 3, Seen, **settings)
