"""The paper's experiments: a command for every table and figure.

    python experiments/run.py table9 --data FOLDER --jobs 2       # train what is missing
    python experiments/run.py table9 --report                     # print the table

Every finished cell (a network trained by a method, with a seed) is kept in a CSV of `results/` at
once, and tables that need the same cell share it. Training is kept after every epoch: a call that
was killed is simply made again. docs/experiments.md lists all tables, and the data that they need.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import torch
from cells import Results
from entries import Choice, Scores, report
from paper_tables import TABLES
from running import run
from sources import MissingDataError, load

HERE = Path(__file__).parent


def main() -> None:
    """Read the command line; train what is missing, or report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", nargs="+", choices=TABLES, help="table or figure", metavar="TABLE")
    parser.add_argument("--data", type=Path, default=os.environ.get("SK_CRL_DATA"))
    parser.add_argument("--preset", choices=("cpu", "paper"), default="cpu")
    parser.add_argument("--network", nargs="+", default=[], help="instead of the table's own")
    parser.add_argument("--epochs", type=int, help="instead of the preset's")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, from 0 on")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:<index>")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder of CSVs")
    parser.add_argument("--checkpoints", type=Path, default=HERE / "checkpoints")
    parser.add_argument("--report", action="store_true", help="print tables; train nothing")
    asked = parser.parse_args()
    choice = Choice(asked.preset, asked.seeds, tuple(asked.network), asked.epochs)
    tables = [TABLES[name](choice) for name in asked.table]
    if asked.report:
        scores = Scores(Results(asked.results), choice)
        print("\n\n".join(report(table, scores) for table in tables))
        return
    cells = list(dict.fromkeys(cell for table in tables for cell in table.cells(choice)))
    try:
        load(cells[0].data, asked.data, 0)
    except MissingDataError as missing:
        sys.exit(f"{missing}")
    run(cells, asked.data, asked.results, asked.checkpoints, asked.device, asked.jobs)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
