"""How imbalanced CelebA's 40 attributes are, and how much each is rectified (Eq. 8).

The paper trains one network for all of them. What class rectification weighs in the loss of an
attribute, alpha = eta * Omega, follows from its own counts in the training images: next to nothing
for attributes that half of the faces have, nearly eta / 2 for baldness.

    python examples/celeba_imbalance.py FOLDER/multioutput/celeba_attributes.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from sk_crl.loss import ClassRectificationLoss


def main() -> None:
    """Read the command line, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("labels", type=Path, help="celeba_attributes.npz")
    parser.add_argument("--eta", type=float, default=0.5, help="default: 0.5")
    arguments = parser.parse_args()
    names, labels = load(arguments.labels)

    counts = np.stack([len(labels) - labels.sum(0), labels.sum(0)], axis=1)
    loss = ClassRectificationLoss(counts.tolist(), eta=arguments.eta)
    ratio = counts.max(1) / counts.min(1)

    print(f"{len(labels):,} training images, eta = {arguments.eta}\n")
    print("attribute             have it     1 :   Omega   alpha")
    for i in np.argsort(-ratio):
        print(
            f"{names[i]:20s} {counts[i, 1]:8,d} {ratio[i]:7.1f} {loss.omega[i]:7.3f} "
            f"{loss.alpha[i]:7.3f}"
        )


def load(path: Path) -> tuple[list[str], np.ndarray]:
    """Load the attributes' names, and the labels (0 or 1) of the training images."""
    with np.load(path) as file:
        names = file["label_names"].tolist()
        labels = np.unpackbits(file["Y_packed"], axis=1)[:, : len(names)]
        return names, labels[file["partition"] == 0].astype(int)


if __name__ == "__main__":
    main()
