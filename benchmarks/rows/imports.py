"""Rows: what an import costs, in a fresh process each."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
from timing import CLOCKS, Row, Setting

PEER = "import torch, sklearn.base"
OURS = {"import sk_crl": 1.1, "from sk_crl import CRLClassifier": 1.1}  # and their goals


def import_rows(setting: Setting) -> Iterator[Row]:
    """Measure imports in turn, after a first round that brings the files into memory."""
    statements = [PEER, *OURS]
    rounds = [
        [seconds(statement, setting.clock) for statement in statements]
        for _ in range(setting.repeats + 1)
    ]
    times = dict(zip(statements, np.array(rounds[1:]).T, strict=True))
    for statement, goal in OURS.items():
        ratios = times[statement] / times[PEER]
        yield Row("import", statement, PEER, goal, ratios, times[statement])


def seconds(statement: str, clock: str) -> float:
    """Run a statement in a fresh interpreter, whose own start does not count."""
    name = CLOCKS[clock].__name__
    code = f"from time import {name} as now; start = now(); {statement}; print(now() - start)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)
