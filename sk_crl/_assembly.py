"""From an estimator's parameters to the net that trains its network."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from sk_crl._averaging import Averaging
from sk_crl._decision import Decision
from sk_crl._distribution import ClassDistribution
from sk_crl._layout import ColumnLayout
from sk_crl.networks import MLP
from sk_crl.networks._build import ScoresAndFeatures
from sk_crl.networks._members import Members
from sk_crl.networks._way_back import knows_way_back
from sk_crl.training import MONITORS
from sk_crl.training._folds import Folds
from sk_crl.training._member_net import MemberNet, MembersAtBest
from sk_crl.training._net import CRLNet
from sk_crl.training._optimizer import find_optimizer
from sk_crl.training._progress import EpochProgress
from sk_crl.training._stopping import StoppingAtBest

if TYPE_CHECKING:
    from sk_crl._base import NetworkClassifier
    from sk_crl._ensembling import Ensembling
    from sk_crl.loss._criterion import Criterion

__all__ = ["make_member_net", "make_net"]


def make_net(
    estimator: NetworkClassifier,
    network: ScoresAndFeatures,
    criterion: Criterion,
    distributions: list[ClassDistribution],
    class_weight: list[NDArray] | None,
    has_validation: bool,
) -> CRLNet:
    """Make the skorch net, not yet initialized."""
    callbacks = deepcopy(list(estimator.callbacks or []))
    if has_validation and estimator.early_stopping:
        monitor, less_is_better = MONITORS[estimator.monitor]
        stopping = StoppingAtBest(
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
    removed = estimator.tau if estimator._correction == "predict" else 0.0
    layout = network.layout
    return CRLNet(
        network,
        criterion=criterion,
        optimizer=optimizer,
        lr=estimator.lr,
        callbacks=callbacks,
        classes=np.arange(layout.widest),
        predict_nonlinearity=Decision.without_prior(layout, distributions, removed),
        removed=removed,
        validation_weight=_validation_weight(estimator, class_weight, layout),
        by_hand=_goes_back_by_hand(estimator, network, criterion),
        n_epochs=estimator._max_epochs,
        precision=estimator.precision,
        train_split=None,
        verbose=0,
        **{f"optimizer__{name}": value for name, value in settings.items()},
    )


def make_member_net(
    estimator: Ensembling,
    networks: list[ScoresAndFeatures],
    members: list[list[ClassDistribution]],
    fold: torch.Tensor,
    n_folds: int,
    device: torch.device,
) -> MemberNet:
    """Make the skorch net of an ensemble, not yet initialized.

    `members` are the classes that every member trains on, of every target; `fold` has the fold of
    every sample.
    """
    n_members, one = len(members), networks[0]
    distributions = [d for of_member in members for d in of_member]
    layout = ColumnLayout(one.layout.n_classes * n_members)
    titles = [f"{title}, member {m}" for m in range(n_members) for title in one.titles]
    network = Members(networks, len(estimator._sample_shape))
    criterion = estimator._members_criterion(members, n_folds).to(device)
    # What stops training comes last, so that all others hear of the epoch first.
    callbacks = deepcopy(list(estimator.callbacks or []))
    if estimator.verbose:
        callbacks.append(("progress", EpochProgress()))
    callbacks.append(("members", MembersAtBest()))
    optimizer, settings = find_optimizer(estimator.optimizer, estimator._prefixed("optimizer__"))
    removed = estimator.tau if estimator._correction == "predict" else 0.0
    averaging = Averaging(
        one.layout,
        Decision.without_prior(layout, distributions, removed),
        torch.full((n_members, one.layout.n_targets), 1 / n_members),
    )
    n_training = int((fold != 0).sum())
    class_weight = estimator._class_weights(members[0])
    return MemberNet(
        ScoresAndFeatures(network, layout, titles).to(device),
        criterion=criterion,
        optimizer=optimizer,
        lr=estimator.lr,
        batch_size=estimator._size_of_batches(n_training),
        max_epochs=estimator._max_epochs,
        callbacks=callbacks,
        classes=np.arange(one.layout.widest),
        predict_nonlinearity=Decision(one.layout, torch.zeros(one.layout.n_columns)),
        validation_weight=_validation_weight(estimator, class_weight, one.layout),
        folds=Folds(fold, n_folds, n_members),
        averaging=averaging,
        monitor=MONITORS[estimator.monitor][0],
        patience=int(estimator.patience),
        max_time=estimator.max_time,
        n_epochs=estimator._max_epochs,
        precision=estimator.precision,
        device=str(device),
        train_split=None,
        verbose=0,
        **{f"optimizer__{name}": value for name, value in settings.items()},
    )


def _goes_back_by_hand(
    estimator: NetworkClassifier, network: ScoresAndFeatures, criterion: Criterion
) -> bool:
    """Whether nobody but the network itself, and the loss by its scores, has a part in gradients.

    Callbacks may hang hooks on the network, and see its graph.
    """
    return (
        estimator._built_module() in ("mlp", MLP)
        and knows_way_back(network.network)
        and not criterion.needs_features
        and not estimator.callbacks
        and not estimator.compile
        and estimator.precision == "float32"
    )


def _validation_weight(
    estimator: NetworkClassifier, class_weight: list[NDArray] | None, layout: ColumnLayout
) -> torch.Tensor | None:
    """Say how much every class counts in validation: as much as a dict of weights says, else 1.

    Weights that the user names say what counts; those from class counts are remedies.
    """
    named = [isinstance(weight, dict) for weight in estimator._class_weight_of_targets()]
    if class_weight is None or not any(named):
        return None
    return torch.where(torch.tensor(named)[:, None], layout.table(class_weight), 1.0)
