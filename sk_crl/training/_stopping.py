"""Early stopping that returns to the best epoch."""

from __future__ import annotations

from skorch.callbacks import EarlyStopping


class StoppingAtBest(EarlyStopping):
    """skorch's early stopping, which returns to the best weights, and to how these decide."""

    def on_train_end(self, net, **kwargs):
        """Return to the best epoch."""
        super().on_train_end(net, **kwargs)
        if self.best_epoch_:
            net.decide_as_after(self.best_epoch_)
