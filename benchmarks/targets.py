"""What it costs to train 40 targets together, beside 40 models of one target each.

The labels are CelebA's, real; its images are not at hand, and random numbers stand in for them,
which cost as much. One epoch of `fit` in batches of 256, on one thread, together and one after
another in turn:

- 20,000 rows of 64 features through the default network;
- 20,000 rows of 512 features, as deep networks make of faces, through one hidden layer of 512;
- 1,024 images of 32 x 32 pixels through three convolutions.

    python benchmarks/targets.py --data FOLDER
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from common import add_data_option, find_data, print_table, spread, use_one_thread
from multi_output import SmallCNN
from numpy.typing import NDArray
from timing import add_timing_options, interleaved

from sk_crl import CRLClassifier, MultiOutputCRLClassifier


class Job(NamedTuple):
    """Something to train: what it is, its samples, the network's settings."""

    name: str
    X: NDArray
    settings: dict


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_data_option(parser)
    add_timing_options(parser, repeats=5)
    arguments = parser.parse_args()
    path = find_data(arguments.data, "multioutput/celeba_attributes.npz")
    if path is None:
        return
    use_one_thread()
    with np.load(path) as file:
        labels = np.unpackbits(file["Y_packed"], axis=1)[:, :40]
    rows = []
    for job in jobs():
        Y = labels[: len(job.X)].astype(int)
        common = {
            "n_members": 1,
            "max_epochs": 1,
            "batch_size": 256,
            "device": "cpu",
            "random_state": 0,
        }
        settings = common | job.settings

        def together(X=job.X, Y=Y, settings=settings):
            MultiOutputCRLClassifier(**settings).fit(X, Y)

        def apart(X=job.X, Y=Y, settings=settings):
            for y in Y.T:
                CRLClassifier(**settings).fit(X, y)

        times = interleaved({"40 targets": together, "40 models": apart}, *timing(arguments))
        ratio = times["40 targets"] / times["40 models"]
        rows.append([job.name, *(spread(seconds) for seconds in times.values()), spread(ratio)])
    print(f"Seconds of one epoch, {arguments.repeats} repeats, {arguments.clock} time:\n")
    print_table(["", "40 targets", "40 models", "ratio"], rows)


def timing(arguments: argparse.Namespace) -> tuple[int, str]:
    """Read the options of timing."""
    return arguments.repeats, arguments.clock


def jobs() -> Iterator[Job]:
    """List what to train."""
    rng = np.random.default_rng(0)
    yield Job("64 features, default network", rng.normal(size=(20_000, 64)), {})
    features = rng.normal(size=(20_000, 512)).astype(np.float32)
    yield Job("512 features, 512 hidden units", features, {"module__hidden_units": 512})
    images = rng.normal(size=(1024, 3, 32, 32)).astype(np.float32)
    yield Job("images, three convolutions", images, {"module": SmallCNN})


if __name__ == "__main__":
    main()
