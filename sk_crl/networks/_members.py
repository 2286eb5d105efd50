"""Several networks of one kind as one, every layer of all of them in one product."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from sk_crl.networks._build import ScoresAndFeatures


class Members(nn.Module):
    """Networks of one kind, with weights of their own, each for samples of its own.

    Their tensors are stacked, with members first, and PyTorch's `vmap` runs all of them at once.
    To all else they are one network, whose targets are those of the first member, then those of the
    second, and so on.

    Parameters
    ----------
    networks : sequence of ScoresAndFeatures
        The members: equal but for the values of their tensors.
    sample_ndim : int, default=1
        Number of axes of a sample.

    Examples
    --------
    >>> import torch
    >>> from sk_crl._layout import ColumnLayout
    >>> from sk_crl.networks import MLP
    >>> from sk_crl.networks._build import ScoresAndFeatures
    >>> from sk_crl.networks._members import Members
    >>> layout = ColumnLayout((3,))
    >>> members = Members([ScoresAndFeatures(MLP(20, 3), layout, ["y"]) for _ in range(8)])
    >>> scores, features = members(torch.zeros(5, 8, 20))  # 5 samples for each
    >>> scores.shape, features.shape
    (torch.Size([5, 24]), torch.Size([5, 8, 100]))
    >>> scores, features = members(torch.zeros(5, 20))  # 5 samples for all of them
    >>> scores.shape
    torch.Size([5, 24])
    """

    def __init__(self, networks: Sequence[ScoresAndFeatures], sample_ndim: int = 1):
        super().__init__()
        self.n_members = len(networks)
        self.sample_ndim = sample_ndim
        parameters, buffers = stack_module_state(list(networks))
        # The names of tensors hold dots, which those of parameters must not.
        self._names = {name: name.replace(".", "/") for name in [*parameters, *buffers]}
        for name, value in parameters.items():
            self.register_parameter(
                self._names[name], nn.Parameter(value.detach(), value.requires_grad)
            )
        for name, value in buffers.items():
            self.register_buffer(self._names[name], value)
        # Not a submodule: its own tensors count for nothing.
        self._template = [deepcopy(networks[0])]

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute the scores and the features of all members.

        Parameters
        ----------
        X : Tensor of shape (n_samples, n_members, ...) or (n_samples, ...)
            Samples of every member, or those that all of them are given.

        Returns
        -------
        scores : Tensor of shape (n_samples, n_members * n_columns)
            Those of all members side by side.
        features : Tensor of shape (n_samples, n_members * n_targets, d), or None
            The features before them, where the networks return any.
        """
        template = self._template[0].train(self.training)
        tensors = {name: getattr(self, own) for name, own in self._names.items()}
        axis = 1 if X.ndim > self.sample_ndim + 1 else None

        def compute(tensors: dict[str, Tensor], X: Tensor) -> tuple[Tensor, ...]:
            scores, features = functional_call(template, tensors, (X,))
            return (scores,) if features is None else (scores, features)

        run = torch.vmap(compute, in_dims=(0, axis), out_dims=1, randomness="different")
        scores, *returned = run(tensors, X)
        features = returned[0] if returned else None
        if features is not None:
            if features.ndim == 3:  # those that the targets of a member share
                features = features[:, :, None].expand(-1, -1, template.layout.n_targets, -1)
            features = features.flatten(1, 2)
        return scores.flatten(1), features


class ScoresAndFeaturesOfMembers(ScoresAndFeatures):
    """The scores of all `Members`, and the features that each of them returns by itself."""

    def with_features(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores, (n_samples, n_columns), and features."""
        scores, features = self._unpacked(self.network(X), len(X))
        if features is None:
            raise ValueError(
                "level='instance' and features() need features, which the module must return in an "
                "ensemble; got scores alone. Return a tuple (scores, features), use level='class', "
                "or set n_members=1: from a single network the input of the last linear layer is "
                "taken."
            )
        return scores, features
