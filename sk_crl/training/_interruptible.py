"""A skorch net that tells a callback's wish to stop from the user's Ctrl-C."""

from __future__ import annotations

import dis
import signal

from skorch import NeuralNetClassifier


class PlannedStop(KeyboardInterrupt):
    """The end of training with an epoch, by the wish of a callback."""


def is_planned(interrupt: KeyboardInterrupt) -> bool:
    """Whether code has raised an interrupt, as callbacks of skorch do to stop; else it is Ctrl-C.

    Ctrl-C comes from outside, at any other instruction than one that raises, or from a handler.
    """
    last = interrupt.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    handler = signal.getsignal(signal.SIGINT)
    if last.tb_frame.f_code is getattr(handler, "__code__", None):
        return False
    raising = (
        instruction.offset
        for instruction in dis.get_instructions(last.tb_frame.f_code)
        if instruction.opname == "RAISE_VARARGS"
    )
    return last.tb_lasti in raising


class InterruptibleNet(NeuralNetClassifier):
    """A net whose training callbacks stop by raising KeyboardInterrupt in `on_epoch_end`.

    skorch ends training in silence by an interrupt of any origin. Here all callbacks hear of the
    epoch before one of them stops, and any other interrupt is raised again in the end: what is half
    trained must not pass for trained.

    Parameters
    ----------
    **kwargs
        The parameters of `skorch.NeuralNetClassifier`.
    """

    interrupt: KeyboardInterrupt | None

    def notify(self, method_name, **cb_kwargs):
        """Tell all callbacks, then stop where one of them has asked to."""
        if method_name != "on_epoch_end":
            super().notify(method_name, **cb_kwargs)
            return
        is_over = False
        self.on_epoch_end(self, **cb_kwargs)
        for _, callback in self.callbacks_:
            try:
                callback.on_epoch_end(self, **cb_kwargs)
            except KeyboardInterrupt as interrupt:
                if not is_planned(interrupt):
                    raise
                is_over = True
        if is_over:
            raise PlannedStop

    def fit_loop(self, *args, **kwargs):
        """Train until the last epoch, a callback or the user ends it."""
        try:
            super().fit_loop(*args, **kwargs)
        except PlannedStop:
            pass
        except KeyboardInterrupt as interrupt:
            self.interrupt = interrupt  # which skorch passes over
            raise
        return self

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Train, and pass the user's interrupt on."""
        self.interrupt = None
        try:
            super().partial_fit(X, y, classes, **fit_params)
        finally:  # callbacks may fail when training ends before its first epoch
            if self.interrupt is not None:
                raise self.interrupt
        return self
