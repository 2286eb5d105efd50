"""The speed of everything that has a goal, in one table.

Every row is a ratio of two times that were taken side by side in one run: the methods of a work
take turns, and a ratio is taken within a turn. The table shows the median of the repeats, the least
and the greatest, beside what the ratio should not exceed. Where two methods claim to do the same
work, that is checked before they are timed: equal values and gradients of losses, equal epochs and
training losses of fits. One thread, unless a row says otherwise.

    python benchmarks/speed.py --data FOLDER
    python benchmarks/speed.py --only loss resnet32 --device cuda
    SK_CRL_FUSED=0 python benchmarks/speed.py --only fit loss targets
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np
import torch
from common import add_data_option, print_table, spread, use_one_thread
from rows.default import default_rows
from rows.fit import fit_rows, predict_rows, wide_fit_rows
from rows.imports import import_rows
from rows.loss import loss_rows, targets_rows
from rows.metric_learning import MEMORY_BATCHES, metric_learning_memory, metric_learning_rows
from rows.resnet32 import resnet32_rows
from rows.stream import stream_rows
from timing import Row, Setting, add_timing_options

from sk_crl.loss._fused import fused_loops

WORKS: dict[str, Callable[[Setting], Iterator[Row]]] = {
    "fit": fit_rows,
    "wide-fit": wide_fit_rows,
    "default": default_rows,
    "loss": loss_rows,
    "metric-learning": metric_learning_rows,
    "targets": targets_rows,
    "resnet32": resnet32_rows,
    "predict": predict_rows,
    "import": import_rows,
    "stream": stream_rows,
}
HEAD = ["work", "method", "beside", "goal", "ratio, median [least, greatest]", "time"]


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_data_option(parser)
    add_timing_options(parser, repeats=9)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=WORKS,
        default=list(WORKS),
        metavar="NAME",
        help=f"works to measure: {', '.join(WORKS)} (default: all)",
    )
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: PyTorch finds no GPU.")
    if arguments.device == "cuda" and arguments.clock == "cpu":
        parser.error("--clock cpu does not see a GPU's work; use --clock wall.")
    use_one_thread()
    setting = Setting(arguments.data, arguments.device, arguments.repeats, arguments.clock)
    print(f"{device_name(setting)}, {setting.repeats} repeats, {setting.clock} time:\n")
    print_table(HEAD, (cells(row) for name in arguments.only for row in WORKS[name](setting)))
    if "metric-learning" in arguments.only:
        print("Peak memory of a step at instance level, without fused loops, MiB:\n")
        head = ["", *(f"batch {n_samples}" for n_samples in MEMORY_BATCHES)]
        print_table(head, metric_learning_memory(setting))


def device_name(setting: Setting) -> str:
    """Say where the tensors are, and on a CPU whether the loss is compiled."""
    if setting.on_gpu:
        return torch.cuda.get_device_name()
    return f"CPU with{'out' if fused_loops('class', torch.float32) is None else ''} fused loops"


def cells(row: Row) -> list[str]:
    """Write a row of the table."""
    goal = "" if row.goal is None else f"≤ {row.goal:g}"
    seconds = float(np.median(row.seconds))
    time = duration(seconds)
    if row.n_samples:
        time += f", {row.n_samples / seconds:,.0f} samples/s"
    return [row.work, row.method, row.peer, goal, spread(row.ratios, digits=3), time]


def duration(seconds: float) -> str:
    """Write a time in seconds or milliseconds."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.2f} ms"


if __name__ == "__main__":
    main()
