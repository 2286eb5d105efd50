"""The class rectification term: profile, mining and comparison put together (Eq. 3-16)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from sk_crl._checks import check_choice, check_integer, check_real
from sk_crl._layout import ColumnLayout
from sk_crl.loss._class_level import ClassLevelLabels, rectify_class_level
from sk_crl.loss._comparison import (
    Pairs,
    Tangent,
    absolute_comparison,
    distribution_comparison,
    relative_comparison,
)
from sk_crl.loss._fused import (
    FusedLabels,
    FusedSettings,
    can_fuse,
    rectify_features_fused,
    rectify_probabilities_fused,
)
from sk_crl.loss._inputs import by_class, check_features, check_scores, check_targets, pad_scores
from sk_crl.loss._instance_level import (
    InstanceLevelLabels,
    by_target,
    feature_distances,
    rectify_instance_level,
)
from sk_crl.loss._linear import Linearization
from sk_crl.loss._profile import most_anchors, profile_labels
from sk_crl.loss._softmax import through_softmax

LEVELS = ("class", "instance")
COMPARISONS = ("relative", "absolute", "distribution")
SCOPES = ("minority", "all")
ANCHORS = ("all", "easy")

RectifiedLabels = ClassLevelLabels | FusedLabels | InstanceLevelLabels


@dataclass(frozen=True)
class Rectification:
    """One of the six class rectification losses, with its settings checked.

    The parameters are those of `class_rectification`.
    """

    kappa: int | None = 25
    rho: float = 0.5
    level: str = "class"
    comparison: str = "relative"
    margin: float | None = None
    scope: str = "minority"
    anchors: str = "all"
    normalize: bool = True
    bins: int = 100

    def __post_init__(self):
        check_choice("level", self.level, LEVELS)
        check_choice("comparison", self.comparison, COMPARISONS)
        check_choice("scope", self.scope, SCOPES)
        check_choice("anchors", self.anchors, ANCHORS)
        if self.kappa is not None:
            check_integer("kappa", self.kappa, 1, "or None for no mining")
        check_real("rho", self.rho, 0, 1, "(]")
        if self.margin is not None:
            check_real("margin", self.margin, 0, math.inf, "[)")
        check_integer("bins", self.bins, 2)
        if self.comparison == "distribution" and self.level == "instance" and not self.normalize:
            raise ValueError(
                "comparison='distribution' at level='instance' needs normalize=True: its histogram "
                "runs over the distances that unit features can have, [0, 2]."
            )

    def margins(self, n_classes: Sequence[int]) -> tuple[float, ...]:
        """List every target's margin: the one given, or the paper's (Eq. 12 at instance level)."""
        if self.margin is not None:
            return (float(self.margin),) * len(n_classes)
        if self.level == "class":
            return (0.5,) * len(n_classes)
        if self.comparison != "relative":
            return (1.0,) * len(n_classes)
        if self.normalize:  # the chord of Eq. 12's arc, which no two unit vectors exceed
            return tuple(min(2 * math.sin(math.pi / k), 1.0) for k in n_classes)
        return tuple(2 * math.pi / k for k in n_classes)

    def prepare(self, codes: Tensor, layout: ColumnLayout, scale: Tensor) -> RectifiedLabels | None:
        """Prepare labels, (n_targets, n_samples), for losses that are multiplied by a scale each.

        Returns
        -------
        ClassLevelLabels, FusedLabels, InstanceLevelLabels or None
            None where there are no anchors; fused loops look for them only later.
        """
        if self.fuses(codes, layout):
            # A copy, for the caller's own may change.
            codes = codes.clone(memory_format=torch.contiguous_format)
            return FusedLabels(codes, scale.double())
        profile = profile_labels(
            codes, layout.widest, self.rho, self.scope, self.anchors, self.kappa
        )
        if not profile.classes.shape[1]:
            return None
        if self.level == "instance":
            return InstanceLevelLabels.from_profile(profile, scale)
        kappa = self._most_hard(codes)
        return ClassLevelLabels.from_profile(profile, kappa, scale, self._ranks_all, layout)

    def fuses(self, codes: Tensor, layout: ColumnLayout) -> bool:
        """Tell whether fused loops compute the loss of these labels, (n_targets, n_samples)."""
        kappa = self._most_hard(codes)
        return self._ranks_all and can_fuse(codes, layout.widest, kappa, self.level)

    @property
    def _ranks_all(self) -> bool:
        """Whether all anchors are compared relatively, which takes less than a look at each."""
        return self.comparison == "relative" and self.anchors == "all"

    def _most_hard(self, codes: Tensor) -> int:
        """Bound the hard samples of each kind by the samples, (n_targets, n_samples)."""
        n_samples = codes.shape[1]
        return n_samples if self.kappa is None else int(min(self.kappa, n_samples))

    def _fused_settings(self, labels: FusedLabels, layout: ColumnLayout) -> FusedSettings:
        """Collect the settings for loops."""
        rho = 1.0 if self.scope == "all" else float(self.rho)
        margin = np.array(self.margins(layout.n_classes))
        return FusedSettings(self._most_hard(labels.codes), rho, margin)

    def n_prepared(self, batch_size: int, layout: ColumnLayout) -> int:
        """Bound the numbers that `prepare` makes of a batch, to the order of magnitude."""
        n_positives = batch_size if self.kappa is None else min(self.kappa + 1, batch_size)
        n_pairs = most_anchors(batch_size, self.rho, self.scope) * n_positives
        return layout.n_targets * (batch_size * layout.widest + n_pairs)

    def at_class_level(
        self, p: Tensor, labels: ClassLevelLabels | FusedLabels, layout: ColumnLayout
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute every target's loss, and its derivatives by the logarithms of probabilities.

        Parameters
        ----------
        p : Tensor of shape (n_targets, widest, n_samples)
            Softmax probabilities.
        labels : ClassLevelLabels or FusedLabels
            The labels, from `prepare`.
        layout : ColumnLayout
            The targets' classes.

        Returns
        -------
        loss : Tensor of shape (n_targets,)
            The loss.
        rows : Tensor of int64, shape (n_targets, n_anchor_classes)
            The classes whose samples are anchors, as rows of those of all targets.
        by_log_p : Tensor of shape (n_targets, n_anchor_classes, n_samples)
            Its derivatives by the logarithms of their probabilities.
        """
        if isinstance(labels, FusedLabels):
            return rectify_probabilities_fused(p, labels, self._fused_settings(labels, layout))
        compare = self._comparison(layout, p)
        of_rows = p.flatten(0, 1).index_select(0, labels.rows.flatten())
        of_rows = of_rows.view(len(p), -1, p.shape[2])
        loss, by_log_p = rectify_class_level(of_rows, labels, compare)
        return loss, labels.rows, by_log_p

    def at_instance_level(
        self, features: Tensor, labels: InstanceLevelLabels | FusedLabels, layout: ColumnLayout
    ) -> Linearization:
        """Compute every target's loss, and its derivatives by distances or by compared features.

        Parameters
        ----------
        features : Tensor of shape (n_samples, d) or (n_samples, n_targets, d)
            Features, shared by the targets or one per target.
        labels : InstanceLevelLabels or FusedLabels
            The labels, from `prepare`.
        layout : ColumnLayout
            The targets' classes.

        Returns
        -------
        Linearization
            The losses, as functions of what has the graph of the features.
        """
        features = by_target(features, self.normalize)
        if isinstance(labels, FusedLabels):
            settings = self._fused_settings(labels, layout)
            loss, gradient = rectify_features_fused(features.detach(), labels, settings)
            return Linearization(loss, (features.expand(len(loss), -1, -1),), (gradient,))
        distances = feature_distances(features, labels.anchors)
        compare = self._comparison(layout, distances)
        with torch.no_grad():
            loss, gradient = rectify_instance_level(distances, labels, self.kappa, compare)
        return Linearization(loss, (distances,), (gradient,))

    def _comparison(self, layout: ColumnLayout, like: Tensor) -> Callable[[Pairs], Tangent]:
        """Choose the comparison and settle all but its pairs."""
        if self.comparison == "distribution":
            low, high = (-1.0, 1.0) if self.level == "class" else (0.0, 2.0)
            return partial(distribution_comparison, low=low, high=high, bins=self.bins)
        margins = self.margins(layout.n_classes)
        margin: float | Tensor = margins[0]
        if len(set(margins)) > 1:
            margin = like.new_tensor(margins)[:, None, None, None]
        compare = relative_comparison if self.comparison == "relative" else absolute_comparison
        return partial(compare, margin=margin)


def class_rectification(
    scores: Tensor,
    targets: Tensor,
    n_classes: Sequence[int] | None = None,
    features: Tensor | None = None,
    *,
    kappa: int | None = 25,
    rho: float = 0.5,
    level: str = "class",
    comparison: str = "relative",
    margin: float | None = None,
    scope: str = "minority",
    anchors: str = "all",
    normalize: bool = True,
    bins: int = 100,
) -> Tensor:
    r"""Compute the class rectification term :math:`L_{crl}` of every target (Eq. 3-16).

    Six losses from three orthogonal parts: a *profile* finds the minority classes of the batch,
    *mining* finds the hard samples of each of their members, a *comparison* makes a number of the
    distances. Half-precision input is computed in float32. The loss can be differentiated once.

    Parameters
    ----------
    scores : Tensor of shape (n_samples, sum(n_classes))
        Raw scores (logits), finite, the columns of all targets side by side.
    targets : Tensor of int, shape (n_samples,) or (n_samples, n_targets)
        Class index within each target; -1 where the label is missing.
    n_classes : sequence of int, optional
        Number of classes of every target; by default one target with as many classes as columns.
    features : Tensor of shape (n_samples, d) or (n_samples, n_targets, d), optional
        The features that ``level="instance"`` compares, shared or one per target.
    kappa : int or None, default=25
        Hard positives and hard negatives per anchor; None turns mining off and compares every
        anchor with the whole batch (the paper's "JL", Table 11).
    rho : float, default=0.5
        Share of the batch that minority classes hold together at most (Eq. 3), in (0, 1].
    level : {"class", "instance"}, default="class"
        Compare predicted probabilities (Eq. 10) or features (Eq. 11).
    comparison : {"relative", "absolute", "distribution"}, default="relative"
        Triplet ranking (Eq. 9), contrastive (Eq. 13) or histogram loss (Eq. 14-16).
    margin : float, optional
        The margin of the relative and absolute comparison. By default 0.5 at class level; at
        instance level 1 for absolute and, for relative, the chord
        :math:`\min(2 \sin(\pi / K), 1)` of Eq. 12's arc, or with ``normalize=False`` the arc
        :math:`2 \pi / K` itself.
    scope : {"minority", "all"}, default="minority"
        Classes whose samples are anchors: minority classes or all (Table 12), each with two
        samples or more in the batch.
    anchors : {"all", "easy"}, default="all"
        Samples of those classes that are anchors: all (Eq. 9), or only the easy ones (Wang et al.:
        *Dynamic Curriculum Learning for Imbalanced Data Classification*, 2019), because a hard
        anchor pulls positives over to its own, wrong side. Easy are, at either level, the `kappa`
        samples with the highest predicted probability of their class (of equal ones the last at
        instance level), but at most half of the class, which is also what None leaves. This count
        is ours: in a batch a minority class seldom has more than `kappa` samples.
    normalize : bool, default=True
        Scale features to unit length at instance level.
    bins : int, default=100
        Nodes :math:`\tau` of the distribution comparison's histograms.

    Returns
    -------
    Tensor of shape (n_targets,)
        Exactly 0, with its graph, for a target with nothing to compare.

    Raises
    ------
    ValueError
        For a setting outside its range, or tensors whose shapes or types do not fit.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.loss import class_rectification
    >>> scores = torch.tensor([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [0.0, 2.0], [1.0, 0.0]])
    >>> targets = torch.tensor([0, 0, 0, 1, 1])
    >>> class_rectification(scores, targets)
    tensor([0.6562])
    """
    rectification = Rectification(
        kappa, rho, level, comparison, margin, scope, anchors, normalize, bins
    )
    layout = ColumnLayout((scores.shape[-1],) if n_classes is None else tuple(n_classes))
    scores = check_scores(scores, layout)
    codes = check_targets(targets, len(scores), layout)
    features = check_features(features, len(scores), layout) if level == "instance" else None
    labels = rectification.prepare(codes.t(), layout, scores.new_ones(layout.n_targets))
    if labels is None:
        tensor = (scores if features is None else features).sum().expand(layout.n_targets, 1, 1)
        value, gradient = tensor.new_zeros(layout.n_targets), torch.zeros_like(tensor)
        return Linearization(value, (tensor,), (gradient,)).attached()
    if level == "instance":
        if anchors == "easy":
            labels = labels.choose_anchors(by_class(pad_scores(scores.detach(), layout)))
        return rectification.at_instance_level(features, labels, layout).attached()
    tensor = by_class(pad_scores(scores, layout))
    p = tensor.detach().softmax(1)
    value, rows, by_log_p = rectification.at_class_level(p, labels, layout)
    gradient = through_softmax(p, rows=(rows, by_log_p))
    return Linearization(value, (tensor,), (gradient,)).attached()
