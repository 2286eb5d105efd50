"""A progress bar over epochs."""

from __future__ import annotations

from skorch.callbacks import Callback


class EpochProgress(Callback):
    """Show a bar that advances every epoch, with the losses of the last one."""

    def on_train_begin(self, net, **kwargs):
        """Open the bar."""
        from tqdm.auto import tqdm  # which warns in notebooks without widgets: not if no bar shows

        self.bar_ = tqdm(total=net.max_epochs, unit="epoch")

    def on_epoch_end(self, net, **kwargs):
        """Advance it."""
        shown = ("train_loss", "valid_loss", "valid_balanced_accuracy")
        last = net.history[-1]
        self.bar_.set_postfix({k: f"{last[k]:.4f}" for k in shown if k in last}, refresh=False)
        self.bar_.update()

    def on_train_end(self, net, **kwargs):
        """Close it."""
        self.bar_.close()

    def __getstate__(self):
        return {}
