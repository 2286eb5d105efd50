"""The epochs that a batch sampler draws, and the class counts that they show."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sk_crl.training._batch_sampler import BatchSampler


class SampledEpochs:
    """What a batch sampler shows of some samples.

    Parameters
    ----------
    sampler : BatchSampler
        The sampler.
    codes : Tensor of int64, shape (n_samples, n_targets)
        Class codes, on the CPU, -1 where a label is missing.
    weight : Tensor of float64, shape (n_samples,)
        Sample weights, which class counts go by.
    n_classes : tuple of int
        Number of classes of every target.
    before : list of Tensor of shape (n_classes,), optional
        What the network has been shown before, of every target, which counts are added to.
    """

    def __init__(
        self,
        sampler: BatchSampler,
        codes: Tensor,
        weight: Tensor,
        n_classes: tuple[int, ...],
        before: list[Tensor] | None = None,
    ):
        self.sampler = sampler
        self.codes = codes
        self.weight = weight
        self.n_classes = n_classes
        self.before = before

    def draw(
        self, batch_size: int, epoch: int, n_epochs: int, generator: torch.Generator
    ) -> tuple[Tensor, list[Tensor]]:
        """Draw the order of an epoch.

        Returns
        -------
        Tensor of int64, shape (n_drawn,)
            The samples, batch by batch.
        list of Tensor of float64, shape (n_classes,)
            How much weight the classes of every target are expected to have in it.

        Raises
        ------
        ValueError
            Where the sampler returns what is no order of rows, or what are no frequencies.
        """
        n_samples = len(self.codes)
        # Copies, for a sampler of the user's may write into what it is given.
        order = self.sampler.order(self.codes.clone(), batch_size, epoch, n_epochs, generator)
        order = self._checked(order)
        if hasattr(self.sampler, "frequencies"):
            of_samples = self.sampler.frequencies(self.codes.clone(), epoch, n_epochs)
            of_samples = self._checked_frequencies(of_samples)
            of_samples = of_samples * (n_samples / of_samples.sum())
        else:
            of_samples = order.bincount(minlength=n_samples).double()
        return order, self._class_counts(of_samples)

    def _checked(self, order: Any) -> Tensor:
        """Check the order that a sampler returned."""
        rows, n_samples = _tensor(order), len(self.codes)
        if rows is not None:
            is_integer = not (rows.is_floating_point() or rows.is_complex())
            is_list = rows.ndim == 1 and len(rows) and is_integer and rows.dtype != torch.bool
            if is_list and 0 <= rows.min() <= rows.max() < n_samples:
                return rows.to("cpu", torch.int64)
        raise ValueError(
            f"{self.sampler!r}: order must return rows, integers from 0 to {n_samples - 1}, in "
            f"one dimension and at least one; got {_described(order)}."
        )

    def _checked_frequencies(self, of_samples: Any) -> Tensor:
        """Check what a sampler expects, and return it as numbers of float64."""
        given, n_samples = _tensor(of_samples), len(self.codes)
        if given is not None and given.shape == (n_samples,) and not given.is_complex():
            frequencies = given.to("cpu", torch.float64)
            is_number = frequencies.isfinite() & (frequencies >= 0)
            if is_number.all() and 0 < frequencies.sum() < torch.inf:
                return frequencies
        raise ValueError(
            f"{self.sampler!r}: frequencies must return a number for each of {n_samples} samples, "
            "in one dimension, finite and not negative, and not all of them 0; got "
            f"{_described(of_samples)}."
        )

    def _class_counts(self, of_samples: Tensor) -> list[Tensor]:
        """Count the classes of every target, by weight, samples being shown so often."""
        weight = of_samples * self.weight
        counts = []
        for target, n_classes in enumerate(self.n_classes):
            of_target = self.codes[:, target]
            known = of_target >= 0
            shown = of_target[known].bincount(weight[known], minlength=n_classes)
            if self.before is not None:
                shown = shown + self.before[target]
            # To 24 bits, so that classes that are to be equal do not differ by errors of rounding.
            mantissa, exponent = shown.double().frexp()
            counts.append((mantissa * 2**24).round().ldexp(exponent - 24))
        return counts


def _tensor(returned: Any) -> Tensor | None:
    """Make a tensor of what a sampler returned; None where that cannot be."""
    try:
        return torch.as_tensor(returned)
    except (TypeError, ValueError, RuntimeError):
        return None


def _described(returned: Any) -> str:
    """Write what a sampler returned for a message, shortened."""
    shape = f" of shape {tuple(returned.shape)}" if isinstance(returned, Tensor) else ""
    text = repr(returned)
    text = text if len(text) <= 200 else f"{text[:200]}..."
    return f"the {type(returned).__name__}{shape} {text}"
