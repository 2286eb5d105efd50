"""What a loss is given: checks, and the layout that it works on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sk_crl._layout import ColumnLayout
from sk_crl.loss._profile import reads_are_free

# The score of a class that a target does not have: its probability is 0, its logarithm finite.
_NEVER = -1e30


def pad_scores(scores: Tensor, layout: ColumnLayout) -> Tensor:
    """Lay scores out as (n_samples, n_targets, widest); classes that are not there never happen."""
    return layout.pad(scores, fill=_NEVER)


def by_class(padded: Tensor) -> Tensor:
    """Lay padded scores out as (n_targets, widest, n_samples), a contiguous row for every class."""
    return padded.permute(1, 2, 0).contiguous()


def check_scores(scores: Tensor, layout: ColumnLayout) -> Tensor:
    """Check that scores have the layout's columns; widen half precision."""
    if scores.ndim != 2 or scores.shape[1] != layout.n_columns:
        raise ValueError(
            f"scores must have shape (n_samples, {layout.n_columns}), a column for every class of "
            f"n_classes={list(layout.n_classes)}; got shape {tuple(scores.shape)}."
        )
    return _at_least_float32("scores", scores)


def check_targets(targets: Tensor, n_samples: int, layout: ColumnLayout) -> Tensor:
    """Check targets; return them as int64 of shape (n_samples, n_targets)."""
    codes = targets[:, None] if targets.ndim == 1 and layout.n_targets == 1 else targets
    expected = (n_samples, layout.n_targets)
    if tuple(codes.shape) != expected or codes.is_floating_point():
        raise ValueError(
            f"targets must hold integer codes of shape {expected}"
            + (f" or {expected[:1]}" if layout.n_targets == 1 else "")
            + f"; got {targets.dtype} of shape {tuple(targets.shape)}."
        )
    codes = codes.long()
    # Elsewhere than on a CPU, reading the labels would make the device and the host wait.
    if reads_are_free(codes):
        _check_codes(codes, layout)
    return codes


def check_features(features: Tensor | None, n_samples: int, layout: ColumnLayout) -> Tensor:
    """Check features, shared or one for every target; widen half precision."""
    expected = f"({n_samples}, d) or ({n_samples}, {layout.n_targets}, d)"
    if features is None:
        raise ValueError(
            "level='instance' compares features; got features=None. Pass the input of the last "
            f"linear layer, of shape {expected}, or use level='class'."
        )
    shared = features.ndim == 2 and features.shape[0] == n_samples
    for_each = features.ndim == 3 and features.shape[0] == n_samples
    if not (shared or (for_each and features.shape[1] == layout.n_targets)):
        raise ValueError(f"features must have shape {expected}; got shape {tuple(features.shape)}.")
    return _at_least_float32("features", features)


def _check_codes(codes: Tensor, layout: ColumnLayout) -> None:
    """Raise ValueError, naming the target, where a code is not a class of its target."""
    if not codes.numel():
        return
    # Two numbers tell, mostly.
    low, high = codes.aminmax()
    if int(low) >= -1 and int(high) < min(layout.n_classes):
        return
    limits = torch.tensor(layout.n_classes, device=codes.device)
    strange = (codes < -1) | (codes >= limits)
    if strange.any():
        sample, target = strange.nonzero()[0].tolist()
        raise ValueError(
            f"targets must be codes from 0 to {layout.n_classes[target] - 1} for target {target}, "
            f"or -1 for a missing label; got {codes[sample, target].item()} for sample {sample}."
        )


def _at_least_float32(name: str, values: Tensor) -> Tensor:
    """Check that values are floating-point numbers; widen half precision.

    Margins and hinges need the digits that float16 and bfloat16 lack.
    """
    if not values.is_floating_point():
        raise ValueError(
            f"{name} must be floating-point numbers; got {values.dtype}. Convert them, as by "
            f"{name}.float()."
        )
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def check_sample_weight(sample_weight: Tensor, n_samples: int, n_targets: int) -> Tensor:
    """Check weights of samples, or of their labels; return (n_samples, 1) or one for each label."""
    shape = tuple(sample_weight.shape)
    if shape not in ((n_samples,), (n_samples, n_targets)):
        raise ValueError(
            f"sample_weight must have shape ({n_samples},), one for every sample, or "
            f"({n_samples}, {n_targets}), one for each of its labels; got shape {shape}."
        )
    weight = sample_weight[:, None] if sample_weight.ndim == 1 else sample_weight
    if reads_are_free(weight):
        strange = ~(weight.isfinite() & (weight >= 0))
        if strange.any():
            sample, target = strange.nonzero()[0].tolist()
            of = f", target {target}" if n_targets > 1 and len(shape) == 2 else ""
            raise ValueError(
                "sample_weight must be finite and non-negative; got "
                f"{weight[sample, target].item()} for sample {sample}{of}."
            )
    return weight


def check_alpha(alpha: Tensor | float | Sequence[float], layout: ColumnLayout) -> Tensor:
    """Check a weight of class rectification for all targets or for each; return one for each."""
    n_targets = layout.n_targets
    for_each = f", or {n_targets} of them, one for every target" if n_targets > 1 else ""
    expected = f"alpha must be a number in [0, 1]{for_each}"
    try:
        given = torch.as_tensor(alpha, dtype=torch.float64, device="cpu")
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{expected}; got {alpha!r}.") from error
    in_range = bool(((given >= 0) & (given <= 1)).all())
    if given.shape not in ((), (n_targets,)) or not in_range or isinstance(alpha, bool):
        raise ValueError(f"{expected}; got {given.tolist()}.")
    return given.expand(n_targets).clone()


def per_target(name: str, values: ArrayLike | Sequence[ArrayLike]) -> list[ArrayLike]:
    """Make a list of one of a single target's row."""
    is_sequence = isinstance(values, Iterable) and not isinstance(values, Mapping | Set | str)
    rows = list(values) if is_sequence else []
    if not rows:
        raise ValueError(
            f"{name} must hold a number for every class, or such a sequence for every target; got "
            f"{values!r}."
        )
    return rows if np.ndim(rows[0]) else [np.asarray(rows)]


def check_class_weight(
    class_weight: ArrayLike | Sequence[ArrayLike], layout: ColumnLayout
) -> list[NDArray[np.float64]]:
    """Check the weights of every target's classes."""
    rows = per_target("class_weight", class_weight)
    weights = [np.asarray(row, dtype=np.float64) for row in rows]
    if tuple(map(np.size, weights)) != layout.n_classes:
        raise ValueError(
            f"class_weight must have one weight for every class, {layout.n_classes}; got "
            f"{tuple(map(np.size, weights))}."
        )
    for target, weight in enumerate(weights):
        if not (np.isfinite(weight) & (weight >= 0)).all() or not weight.any():
            raise ValueError(
                "class_weight must be finite and non-negative, and above 0 for a class of every "
                f"target; got {weight.tolist()} for target {target}."
            )
    return weights
