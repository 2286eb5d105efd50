"""Cross-validated ensembles of networks, for raw tables or any samples, in place of one network."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn
from torch.utils.data import Dataset

from sk_crl._checks import check_choice, check_integer
from sk_crl._dealing import deal_folds
from sk_crl._distribution import ClassDistribution
from sk_crl._parameters import replace_kwargs
from sk_crl._samples import Samples
from sk_crl._table_columns import is_table
from sk_crl._taking_tables import TakingTables
from sk_crl._training_parameters import is_auto
from sk_crl.training._choosing import choose_variants, mix
from sk_crl.training._validation import validate

if TYPE_CHECKING:
    from sk_crl.loss._criterion import Criterion
    from sk_crl.training._net import CRLNet

MEMBERS = 8  # of each kind in an ensemble, and folds, unless `n_members` says otherwise
EPOCHS_OF_MEMBERS, EPOCHS_OF_ONE = 300, 100
BATCH_OF_ONE = 128
TARGET_PRIORS = ("uniform", "training")
# Batches of an ensemble: as many samples as leave an epoch about six steps, within bounds.
STEPS_OF_EPOCH = 6
SMALLEST_BATCH, LARGEST_BATCH = 16, 256


class Member(NamedTuple):
    """A network of an ensemble.

    Attributes
    ----------
    distributions : list of ClassDistribution
        The classes that it trains on, of every target.
    eta : float
        Its weight of class rectification per unit of imbalance.
    """

    distributions: list[ClassDistribution]
    eta: float


class Ensembling(TakingTables):
    """Train a single network, or an ensemble whose members each leave out a fold."""

    _may_be_auto = ("max_epochs", "batch_size")
    # Of the last fit, or of the one that is going on:
    _n_members: int
    _reasons_for_single: list[str]  # what works with a single network only
    _removed_prior: list[torch.Tensor] | None  # of every target; None without a correction

    @replace_kwargs(by=TakingTables.__init__)
    def __init__(
        self,
        module: str | Callable[..., nn.Module] = "auto",
        *,
        n_members: int | None = None,
        logit_adjustment: str | None = "auto",
        target_prior: str = "uniform",
        max_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        **kwargs,
    ):
        self.n_members = n_members
        self.target_prior = target_prior
        super().__init__(
            module,
            logit_adjustment=logit_adjustment,
            max_epochs=max_epochs,
            batch_size=batch_size,
            **kwargs,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan |= self.module == "auto" and self._may_make_ensemble()
        return tags

    # What is made: an ensemble, or one network.

    def _may_make_ensemble(self) -> bool:
        """Whether the parameters ask for an ensemble, or leave that to the samples."""
        if self.n_members is not None:
            return self.n_members != 1
        return self.module == "auto" and not self._find_reasons_for_single()

    def _find_reasons_for_single(self, has_validation: bool = False) -> list[str]:
        """List what is asked for that works with a single network only."""
        asked = {
            "X_val": has_validation,
            "early_stopping": bool(self.early_stopping),
            "warm_start": bool(self.warm_start),
            "batch_sampler": self.batch_sampler is not None,
            "compile": bool(self.compile),
            "precision": self.precision == "bfloat16",  # vmap passes over autocast
        }
        if self.n_members is None:
            asked["logit_adjustment"] = self.logit_adjustment != "auto"
        return [name for name, is_asked in asked.items() if is_asked]

    def _choose_members(self, X: Any, asked: list[str]) -> int:
        """Choose how many folds samples are cut into; 1 stands for a single network."""
        if self.n_members is not None:
            check_integer("n_members", self.n_members, 1, "or None")
        if self.n_members is None:
            return MEMBERS if self.module == "auto" and not asked and is_table(X) else 1
        if self.n_members > 1 and asked:
            works, it = ("works", "it") if len(asked) == 1 else ("work", "them")
            raise ValueError(
                f"{' and '.join(asked)} {works} with a single network only; got n_members="
                f"{self.n_members}. Set n_members=1 or leave {it} out."
            )
        return self.n_members

    def _built_module(self) -> str | Callable[..., nn.Module]:
        if self.module != "auto":
            return self.module
        is_fitted = hasattr(self, "_n_members")
        is_several = self._n_members > 1 if is_fitted else self._may_make_ensemble()
        return "table" if is_several else "mlp"

    @property
    def _correction(self) -> str | None:
        if self.logit_adjustment != "auto":
            return self.logit_adjustment
        # A network that is stopped early has not learned the prior well enough to remove it later.
        return "loss" if self._n_members > 1 else "predict"

    @property
    def _max_epochs(self) -> int:
        if not is_auto(self.max_epochs):
            return int(self.max_epochs)
        return EPOCHS_OF_MEMBERS if self._n_members > 1 else EPOCHS_OF_ONE

    # The way of a fit.

    def _begin_fit(self, X: Any, has_validation: bool) -> None:
        if self.warm_start and getattr(self, "n_networks_", 1) > 1:
            raise ValueError(
                "warm_start goes on with a single network; the last fit made an ensemble of "
                f"{self.n_networks_} networks. Start afresh with a clone of this estimator with "
                "n_members=1, or set warm_start=False."
            )
        self._reasons_for_single = self._find_reasons_for_single(has_validation)
        self._n_members = self._choose_members(X, self._reasons_for_single)

    def _begin_partial_fit(self) -> None:
        self._reasons_for_single = ["partial_fit"]
        self._n_members = 1

    def _advice_on_tables(self) -> str:
        if self.module != "auto":
            return super()._advice_on_tables()
        asked = ["n_members=1"] if self.n_members == 1 else self._reasons_for_single
        return (
            f"A single network, asked for by {' and '.join(asked)}, takes such values with "
            "module='table' alone; an ensemble does by default. Set module='table', or leave out "
            "what asks for a single network."
        )

    def _check_trains_in_parts(self) -> None:
        if self.n_members not in (None, 1) or getattr(self, "_n_members", 1) > 1:
            raise AttributeError(
                "partial_fit trains a single network, and cannot go on with an ensemble. Set "
                "n_members=1, and start afresh with a clone of this estimator."
            )

    # Predictions: for equal classes, or for the shares that they have in training.

    def _check_own(self) -> None:
        self._check_target_prior(self._strength != 0)

    def _check_target_prior(self, is_corrected: bool) -> None:
        """Raise ValueError for a prior that is none, and for one that cannot be put back."""
        check_choice("target_prior", self.target_prior, TARGET_PRIORS)
        if self.target_prior == "training" and not is_corrected:
            raise ValueError(
                "target_prior='training' puts back the class shares that logit_adjustment takes "
                "out; without a correction, as with logit_adjustment=None or tau=0, predictions "
                "are for the class shares that the network was shown. Leave target_prior out, or "
                "fit with logit_adjustment='predict' or 'loss'."
            )

    @property
    def _strength(self) -> float:
        """How much of the prior is corrected for."""
        return 0.0 if self._correction is None else self.tau

    def _scores_of_targets(self, X: ArrayLike | Dataset) -> Sequence[torch.Tensor]:
        scores = super()._scores_of_targets(X)
        self._check_target_prior(self._removed_prior is not None)
        if self.target_prior == "uniform":
            return scores
        return [s + removed for s, removed in zip(scores, self._removed_prior, strict=True)]

    def _publish(
        self,
        distributions: list[ClassDistribution],
        first: list[ClassDistribution],
        last: list[ClassDistribution],
    ) -> None:
        super()._publish(distributions, first, last)
        self.n_networks_ = self.module_.n_members if self._n_members > 1 else 1
        self._removed_prior = None
        if self._strength:
            self._removed_prior = [
                torch.as_tensor(self._strength * d.log_prior, dtype=torch.float32)
                for d in distributions
            ]

    # Training: all members at once.

    def _train(
        self,
        samples: Samples,
        validation: Samples | None,
        distributions: list[ClassDistribution],
        seed: int,
        max_epochs: int,
        before: CRLNet | None,
        shown: list[ClassDistribution] | None = None,
    ) -> None:
        if self._n_members > 1:
            self._train_members(samples, distributions, seed)
        else:
            super()._train(samples, validation, distributions, seed, max_epochs, before, shown)

    def _train_members(
        self, samples: Samples, distributions: list[ClassDistribution], seed: int
    ) -> None:
        """Train all members, choose among them by what they left out; set the fitted attributes."""
        from sk_crl._assembly import make_member_net
        from sk_crl.training._data import CodedData
        from sk_crl.training._device import check_device
        from sk_crl.training._folds import Folds
        from sk_crl.training._random import own_random_state

        device = check_device(self.device)
        fold = deal_folds(samples, self._n_members, np.random.default_rng(seed))
        n_folds = int(fold.max()) + 1
        of_folds = [self._distributions(samples.take(fold != f)) for f in range(n_folds)]
        members = [
            Member(of_fold, kind) for kind in self._kinds(distributions) for of_fold in of_folds
        ]
        folds = Folds(torch.from_numpy(fold), n_folds, len(members))
        with own_random_state(seed, device) as generator:
            networks = [self._built_network() for _ in members]
            net = make_member_net(self, networks, members, folds, device)
            net.set_params(generator=generator)
            net.initialize()
            data = CodedData.from_samples(samples, device, self.num_workers)
            net.partial_fit((data, data))  # skorch's X stands for both
            log_probabilities = net.left_out_log_probabilities(data)
        # Of a class that lies in one fold alone, all is predicted by members that have seen none.
        seen_by_all = net.validation_weight.view(len(members), *log_probabilities.shape[2:]).amin(0)
        labels = torch.from_numpy(samples.codes), seen_by_all, torch.from_numpy(samples.weight)
        weight = choose_variants(log_probabilities, *labels)
        net.average(weight.repeat_interleave(n_folds, 0) / n_folds)
        self._variant_weight = weight.numpy()
        self._publish_training(net, 0, has_validation=True)
        score = validate(mix(log_probabilities, weight), *labels)
        self.best_validation_score_ = (
            -score.log_loss if self.monitor == "balanced_log_loss" else score.accuracy
        )
        self._publish(distributions, distributions, distributions)
        net.optimizer_.state.clear()  # two thirds of what a pickle holds; nothing goes on from it

    @abstractmethod
    def _kinds(self, distributions: list[ClassDistribution]) -> Sequence[float]:
        """List the kinds of members, by their weight of rectification; all folds train each."""

    @abstractmethod
    def _members_criterion(self, members: list[Member]) -> Criterion:
        """Make what all members train on: the targets of one after those of the other."""

    def _weights_of_members(self, members: list[Member]) -> list[NDArray] | None:
        """Turn `class_weight` into a weight for every class of every member's targets."""
        of_members = [self._class_weights(member.distributions) for member in members]
        if of_members[0] is None:
            return None
        return [weight for of_targets in of_members for weight in of_targets]

    def _size_of_batches(self, n_samples: int) -> int:
        """Choose how many samples make a batch."""
        if not is_auto(self.batch_size):
            return int(self.batch_size)
        if self._n_members == 1:
            return BATCH_OF_ONE
        n_steps = max(n_samples // STEPS_OF_EPOCH, 1)
        return min(max(2 ** int(math.log2(n_steps)), SMALLEST_BATCH), LARGEST_BATCH)
