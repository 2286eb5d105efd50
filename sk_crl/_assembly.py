"""From an estimator's parameters to the loss, the network and the net that trains it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import EarlyStopping

from sk_crl._decision import Decision
from sk_crl._distribution import ClassDistribution
from sk_crl._layout import ColumnLayout
from sk_crl.loss import ClassRectificationLoss
from sk_crl.networks._build import ScoresAndFeatures, build_network
from sk_crl.training import MONITORS
from sk_crl.training._net import CRLNet, own_random_state
from sk_crl.training._optimizer import find_optimizer
from sk_crl.training._progress import EpochProgress

if TYPE_CHECKING:
    from sk_crl._base import BaseCRL

__all__ = ["make_loss", "make_net", "make_network", "own_random_state"]


def make_loss(
    estimator: BaseCRL,
    distributions: list[ClassDistribution],
    class_weight: list[NDArray] | None,
) -> ClassRectificationLoss:
    """Make the loss for training data of these class distributions."""
    return ClassRectificationLoss(
        [d.counts for d in distributions],
        eta=estimator.eta,
        alpha=estimator.alpha,
        kappa=estimator.kappa,
        rho=estimator.rho,
        level=estimator.level,
        comparison=estimator.comparison,
        margin=estimator.margin,
        scope=estimator.scope,
        normalize=estimator.normalize,
        bins=estimator.bins,
        class_weight=class_weight,
        tau=estimator.tau if estimator.logit_adjustment == "loss" else 0.0,
        rectify=estimator.rectify,
    )


def make_network(estimator: BaseCRL, layout: ColumnLayout) -> ScoresAndFeatures:
    """Build the network, telling it of the data what it asks for."""
    told = {
        "n_features": int(np.prod(estimator._sample_shape)),
        "input_shape": estimator._sample_shape,
        "n_classes": layout.n_classes[0] if layout.n_targets == 1 else layout.n_classes,
    }
    network = build_network(estimator.module, told, estimator._prefixed("module__"))
    return ScoresAndFeatures(network, layout.n_columns)


def make_net(
    estimator: BaseCRL,
    network: ScoresAndFeatures,
    loss: ClassRectificationLoss,
    distributions: list[ClassDistribution],
    has_validation: bool,
) -> CRLNet:
    """Make the skorch net, not yet initialized."""
    callbacks = deepcopy(list(estimator.callbacks or []))
    if has_validation and estimator.early_stopping:
        monitor, less_is_better = MONITORS[estimator.monitor]
        stopping = EarlyStopping(
            monitor, estimator.patience, 0, "abs", lower_is_better=less_is_better, load_best=True
        )
        callbacks.append(("early_stopping", stopping))
    if estimator.verbose:
        callbacks.append(("progress", EpochProgress()))
    optimizer, settings = find_optimizer(estimator.optimizer, estimator._prefixed("optimizer__"))
    removed = estimator.tau if estimator.logit_adjustment == "predict" else 0.0
    offsets = np.concatenate([-removed * d.log_prior for d in distributions])
    # Class weights that the user names say what counts; those from counts are remedies.
    chosen = isinstance(estimator.class_weight, dict)
    return CRLNet(
        network,
        criterion=loss,
        optimizer=optimizer,
        lr=estimator.lr,
        batch_size=int(estimator.batch_size),
        callbacks=callbacks,
        classes=np.arange(loss.layout.widest),
        predict_nonlinearity=Decision(loss.layout, torch.as_tensor(offsets, dtype=torch.float32)),
        validation_weight=loss.class_weight.cpu() if chosen else None,
        train_split=None,
        verbose=0,
        **{f"optimizer__{name}": value for name, value in settings.items()},
    )
