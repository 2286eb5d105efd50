"""From an estimator's parameters to the net that trains its network."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import Callback

from sk_crl._averaging import Averaging
from sk_crl._decision import Decision
from sk_crl._distribution import ClassDistribution
from sk_crl._layout import ColumnLayout
from sk_crl.networks import MLP
from sk_crl.networks._build import ScoresAndFeatures
from sk_crl.networks._members import Members, ScoresAndFeaturesOfMembers
from sk_crl.networks._way_back import knows_way_back
from sk_crl.training import MONITORS
from sk_crl.training._folds import Folds
from sk_crl.training._member_net import MemberNet, MembersAtBest
from sk_crl.training._net import CRLNet
from sk_crl.training._optimizer import find_optimizer
from sk_crl.training._progress import EpochProgress
from sk_crl.training._stopping import StoppingAtBest, StoppingInTime

if TYPE_CHECKING:
    from sk_crl._base import NetworkClassifier
    from sk_crl._ensembling import Ensembling, Member
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
    """Make the skorch net, not yet initialized.

    Raises
    ------
    ValueError
        For a callback that monitors validation where there is none.
    """
    if not has_validation:
        _check_monitors(estimator.callbacks or [])
    stopping = []
    if has_validation and estimator.early_stopping:
        monitor, less_is_better = MONITORS[estimator.monitor]
        at_best = StoppingAtBest(
            monitor=monitor,
            patience=estimator.patience,
            threshold=0,
            threshold_mode="abs",
            lower_is_better=less_is_better,
            load_best=True,
        )
        stopping.append(("early_stopping", at_best))
    removed = _removed(estimator)
    layout = network.layout
    return CRLNet(
        network,
        criterion=criterion,
        predict_nonlinearity=Decision.without_prior(layout, distributions, removed),
        removed=removed,
        validation_weight=_validation_weight(estimator, class_weight, layout),
        by_hand=_goes_back_by_hand(estimator, network, criterion),
        callbacks=_callbacks(estimator, stopping),
        **_settings(estimator, layout),
    )


def make_member_net(
    estimator: Ensembling,
    networks: list[ScoresAndFeatures],
    members: list[Member],
    folds: Folds,
    device: torch.device,
) -> MemberNet:
    """Make the skorch net of an ensemble, not yet initialized."""
    n_members, one = len(members), networks[0]
    distributions = [d for member in members for d in member.distributions]
    layout = ColumnLayout(one.layout.n_classes * n_members)
    titles = [f"{title}, member {m}" for m in range(n_members) for title in one.titles]
    together = Members(networks, len(estimator._sample_shape))
    network = ScoresAndFeaturesOfMembers(together, layout, titles)
    class_weight = estimator._class_weights(members[0].distributions)
    named_weight = _validation_weight(estimator, class_weight, one.layout)
    # A class that a member has not seen only gets worse with training, and would stop it at once.
    validation_weight = layout.table([d.counts > 0 for d in distributions])
    if named_weight is not None:
        validation_weight *= named_weight.repeat(n_members, 1)
    return MemberNet(
        network.to(device),
        criterion=estimator._members_criterion(members).to(device),
        predict_nonlinearity=Decision(one.layout, torch.zeros(one.layout.n_columns)),
        validation_weight=validation_weight,
        folds=folds,
        averaging=Averaging(
            one.layout,
            Decision.without_prior(layout, distributions, _removed(estimator)),
            torch.full((n_members, one.layout.n_targets), 1 / n_members),
        ),
        monitor=MONITORS[estimator.monitor][0],
        patience=int(estimator.patience),
        callbacks=_callbacks(estimator, [("members", MembersAtBest())]),
        batch_size=estimator._size_of_batches(int((folds.fold != 0).sum())),
        max_epochs=estimator._max_epochs,
        device=str(device),
        use_caching=True,  # to predict anew, callbacks would ask members for what they trained on
        **_settings(estimator, one.layout),
    )


def _settings(estimator: NetworkClassifier, layout: ColumnLayout) -> dict[str, Any]:
    """List the settings that a single network and an ensemble share."""
    optimizer, settings = find_optimizer(estimator.optimizer, estimator._prefixed("optimizer__"))
    return {
        "optimizer": optimizer,
        "lr": estimator.lr,
        "classes": np.arange(layout.widest),
        "n_epochs": estimator._max_epochs,
        "precision": estimator.precision,
        "train_split": None,
        "verbose": 0,
        **{f"optimizer__{name}": value for name, value in settings.items()},
    }


def _callbacks(estimator: NetworkClassifier, stopping: list[tuple[str, Callback]]) -> list:
    """List the callbacks, the user's first."""
    callbacks = deepcopy(list(estimator.callbacks or []))
    if estimator.verbose:
        callbacks.append(("progress", EpochProgress()))
    callbacks.extend(stopping)
    if estimator.max_time is not None:
        callbacks.append(("max_time", StoppingInTime(estimator.max_time)))
    return callbacks


def _check_monitors(callbacks: Sequence[Callback | tuple[str, Callback]]) -> None:
    """Refuse callbacks that would not find what they monitor after the first epoch."""
    validated = {name + best for name, _ in MONITORS.values() for best in ("", "_best")}
    for callback in callbacks:
        callback = callback[1] if isinstance(callback, tuple) else callback
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and monitor in validated:
            raise ValueError(
                f"The callback {type(callback).__name__} monitors {monitor!r}, which needs "
                "validation data; got none. Call fit with early_stopping=True or with X_val and "
                "y_val, or give the callback monitor='train_loss'."
            )


def _removed(estimator: NetworkClassifier) -> float:
    """Say how much of the prior is removed at prediction."""
    return estimator.tau if estimator._correction == "predict" else 0.0


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
