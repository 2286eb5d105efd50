"""Early stopping that returns to the best epoch, and stopping in time."""

from __future__ import annotations

import time

import torch
from skorch.callbacks import Callback, EarlyStopping


class StoppingAtBest(EarlyStopping):
    """skorch's early stopping, which returns to the best weights, and to how these decide."""

    def on_train_end(self, net, **kwargs):
        """Return to the best epoch."""
        super().on_train_end(net, **kwargs)
        if self.best_epoch_:
            net.decide_as_after(self.best_epoch_)


class StoppingInTime(Callback):
    """Ends training with the epoch in which its time is over.

    Parameters
    ----------
    max_time : float
        Seconds.
    """

    def __init__(self, max_time: float):
        self.max_time = max_time

    def on_train_begin(self, net, **kwargs):
        """Look at the clock, once the loss has compiled what it may have to."""
        n_targets = net.criterion_.layout.n_targets
        unlabelled = torch.full((1, n_targets), -1, device=net.device)
        net.criterion_.prepare(unlabelled, batch_size=1)
        self.started_ = time.monotonic()

    def on_epoch_end(self, net, **kwargs):
        """Look again."""
        if time.monotonic() - self.started_ > self.max_time:
            raise KeyboardInterrupt  # the way to stop in skorch
