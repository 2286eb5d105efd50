"""How training went: loss and validation score of every epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_crl._checks import check_choice
from sk_crl.displays._figure import COLORS, COLUMN, Display, tidy, written
from sk_crl.displays._reading import named_estimators, require_part

# How a monitored score is drawn: what the axis says, and whether it is turned round.
_SCORES = {
    "balanced_log_loss": ("Balanced log-loss\n(validation)", -1),
    "balanced_accuracy": ("Balanced accuracy\n(validation, %)", 100),
    None: ("Score\n(validation)", 1),
}


class TrainingHistoryDisplay(Display):
    r"""Training loss and monitored validation score of every epoch, the best epoch marked.

    Make one by `from_estimator`.

    Parameters
    ----------
    loss_curves : dict of str to sequence of float
        Training loss of every epoch, by the estimator's name.
    validation_scores : dict of str to sequence of float, optional
        Validation score of the last of these epochs, higher is better, of those that have any.
    monitor : {"balanced_log_loss", "balanced_accuracy"}, optional
        What the score is. A log-loss is drawn as the loss it is, lower is better.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of 2 Axes
        The axes of the loss and, where there are validation scores, of these.
    figure_ : matplotlib Figure
        The figure.

    Raises
    ------
    ValueError
        For estimators without a loss curve, or that monitor different scores.
    ImportError
        Where matplotlib is missing: install the extra ``displays``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_crl import CRLClassifier
    >>> from sk_crl.displays import TrainingHistoryDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> model = CRLClassifier(early_stopping=True, max_epochs=5, random_state=0).fit(X / 16, y)
    >>> display = TrainingHistoryDisplay.from_estimator(model)
    >>> [ax.get_ylabel() for ax in display.ax_]
    ['Training loss', 'Balanced log-loss\n(validation)']
    """

    def __init__(
        self,
        loss_curves: Mapping[str, ArrayLike],
        validation_scores: Mapping[str, ArrayLike] | None = None,
        *,
        monitor: str | None = None,
    ):
        check_choice("monitor", monitor, tuple(_SCORES))
        self.loss_curves = {name: _numbers(name, curve) for name, curve in loss_curves.items()}
        self.validation_scores = {}
        for name, scores in (validation_scores or {}).items():
            self.validation_scores[name] = _numbers(name, scores)
            n_epochs = len(self.loss_curves.get(name, ()))
            if len(scores) > n_epochs:
                raise ValueError(
                    f"{name!r} must have a training loss for every validation score; got "
                    f"{n_epochs} losses and {len(scores)} scores."
                )
        self.monitor = monitor

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, curves: str | None = None, ax: Any = None
    ) -> TrainingHistoryDisplay:
        """Draw the training of fitted estimators.

        Parameters
        ----------
        estimator : estimator, or dict of str to estimator
            Fitted estimators with a ``loss_curve_``, or pipelines and searches around such; several
            by name. Those with ``validation_scores_`` show these, too.
        curves : {"loss", "validation"}, optional
            What to draw, see `plot`.
        ax : matplotlib Axes or array of 2 Axes, optional
            Where to draw, see `plot`.

        Returns
        -------
        TrainingHistoryDisplay
        """
        cls._check_ready()
        estimators = named_estimators(estimator)
        losses, scores, monitors = {}, {}, {}
        for name, given in estimators.items():
            fitted = require_part(given, "loss_curve_", "Fit it first.")
            losses[name] = fitted.loss_curve_
            if getattr(fitted, "validation_scores_", None) is not None:
                scores[name] = fitted.validation_scores_
                monitor = getattr(fitted, "monitor", None)
                monitors[name] = monitor if monitor in _SCORES else None
        if len(set(monitors.values())) > 1:
            got = ", ".join(f"{name!r}: {monitor}" for name, monitor in monitors.items())
            raise ValueError(
                f"The estimators must monitor the same score to be drawn together; got {got}."
            )
        monitor = next(iter(monitors.values()), None)
        return cls(losses, scores, monitor=monitor).plot(ax, curves=curves)

    def plot(self, ax: Any = None, *, curves: str | None = None) -> TrainingHistoryDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or array of 2 Axes, optional
            Where to draw; by default a new figure.
        curves : {"loss", "validation"}, optional
            Draw one of the two only; by default all there is.

        Returns
        -------
        TrainingHistoryDisplay
            This display, with the attributes `ax_` and `figure_`.
        """
        check_choice("curves", curves, (None, "loss", "validation"))
        if curves == "validation" and not self.validation_scores:
            raise ValueError(
                "There are no validation scores to draw: fit with early_stopping=True or X_val."
            )
        panels = [curves] if curves else ["loss", *(["validation"] * bool(self.validation_scores))]
        axes = self._open(ax, len(panels), 0.58 * COLUMN, n_columns=1)
        for panel, one in zip(panels, axes, strict=True):
            (self._draw_losses if panel == "loss" else self._draw_scores)(one)
            one.set_xlabel("Epoch")
            one.xaxis.get_major_locator().set_params(integer=True)
            if len(self.loss_curves) > 1 or panel == "validation":
                one.legend(fontsize="x-small", frameon=False, handlelength=1.5)
            tidy(one)
        return self

    def _style(self, name: str) -> dict[str, Any]:
        """Tell colour and dashes of an estimator, the same in both axes."""
        place = list(self.loss_curves).index(name)
        color = COLORS[place % len(COLORS)]
        dashes = ("-", "--", ":", "-.")[place % 4] if len(self.loss_curves) > 1 else "-"
        return {"color": color, "linestyle": dashes, "linewidth": 1.2}

    def _draw_losses(self, ax: Any) -> None:
        for name, curve in self.loss_curves.items():
            ax.plot(np.arange(1, len(curve) + 1), curve, label=written(name), **self._style(name))
        ax.set_ylabel("Training loss")

    def _draw_scores(self, ax: Any) -> None:
        label, factor = _SCORES[self.monitor]
        for name, scores in self.validation_scores.items():
            n_epochs = len(self.loss_curves[name])
            epochs = np.arange(n_epochs - len(scores) + 1, n_epochs + 1)  # a warm start has more
            best = int(scores.argmax())
            ax.plot(
                epochs,
                factor * scores,
                marker="o",
                markersize=5,
                markevery=[best],
                label=f"{written(name)} (best: epoch {epochs[best]})",
                **self._style(name),
            )
        ax.set_ylabel(label)


def _numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Read a curve of at least one epoch."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError(
            f"The curve of {name!r} must hold a number for every epoch; got shape {array.shape}."
        )
    return array
