"""From an estimator's parameters to the loss and the net that trains its network."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import EarlyStopping

from sk_crl._decision import Decision
from sk_crl._distribution import ClassDistribution
from sk_crl.loss import ClassRectificationLoss
from sk_crl.networks import MLP
from sk_crl.networks._way_back import knows_way_back
from sk_crl.training import MONITORS
from sk_crl.training._net import CRLNet
from sk_crl.training._optimizer import find_optimizer
from sk_crl.training._progress import EpochProgress

if TYPE_CHECKING:
    from sk_crl._base import BaseCRL
    from sk_crl.networks._build import ScoresAndFeatures

__all__ = ["make_loss", "make_net"]


def make_loss(
    estimator: BaseCRL,
    distributions: list[ClassDistribution],
    class_weight: list[NDArray] | None,
) -> ClassRectificationLoss:
    """Make the loss for training data of these class distributions."""
    return ClassRectificationLoss(
        [d.seen for d in distributions],
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
            monitor=monitor,
            patience=estimator.patience,
            threshold=0,
            threshold_mode="abs",
            lower_is_better=less_is_better,
            load_best=True,
        )
        callbacks.append(("early_stopping", stopping))
    if estimator.verbose:
        callbacks.append(("progress", EpochProgress()))
    optimizer, settings = find_optimizer(estimator.optimizer, estimator._prefixed("optimizer__"))
    removed = estimator.tau if estimator.logit_adjustment == "predict" else 0.0
    offsets = np.concatenate([-removed * d.log_prior for d in distributions])
    return CRLNet(
        network,
        criterion=loss,
        optimizer=optimizer,
        lr=estimator.lr,
        batch_size=int(estimator.batch_size),
        callbacks=callbacks,
        classes=np.arange(loss.layout.widest),
        predict_nonlinearity=Decision(loss.layout, torch.as_tensor(offsets, dtype=torch.float32)),
        validation_weight=_validation_weight(estimator, loss),
        by_hand=_goes_back_by_hand(estimator, network, loss),
        precision=estimator.precision,
        train_split=None,
        verbose=0,
        **{f"optimizer__{name}": value for name, value in settings.items()},
    )


def _goes_back_by_hand(
    estimator: BaseCRL, network: ScoresAndFeatures, loss: ClassRectificationLoss
) -> bool:
    """Whether nobody but the network itself, and the loss by its scores, has a part in gradients.

    Callbacks may hang hooks on the network, and see its graph.
    """
    return (
        estimator.module in ("mlp", MLP)
        and knows_way_back(network.network)
        and not loss.needs_features
        and not estimator.callbacks
        and not estimator.compile
        and estimator.precision == "float32"
    )


def _validation_weight(estimator: BaseCRL, loss: ClassRectificationLoss) -> torch.Tensor | None:
    """Say how much every class counts in validation: as much as a dict of weights says, else 1.

    Weights that the user names say what counts; those from class counts are remedies.
    """
    named = [isinstance(weight, dict) for weight in estimator._class_weight_of_targets()]
    if loss.class_weight is None or not any(named):
        return None
    return torch.where(torch.tensor(named)[:, None], loss.class_weight.cpu(), 1.0)
