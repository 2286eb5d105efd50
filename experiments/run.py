"""The paper's experiments: a command for every table and figure.

    python experiments/run.py table9 --data FOLDER --jobs 2       # train what is missing
    python experiments/run.py table9 --report                     # print the table, draw it

Every finished cell (a network trained by a method, with a seed) is kept in a CSV of `results/` at
once, and tables that need the same cell share it. Training is kept after every epoch: a call that
was killed is simply made again. docs/experiments.md lists all tables, and the data that they need.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from cells import Results
from entries import Choice, Scores, report
from paper_tables import TABLES
from presets import PRESETS
from running import Places, run
from sources import MissingDataError, find

HERE = Path(__file__).parent
FIGURES = HERE.parent / "docs" / "images"


def main(arguments: list[str] | None = None) -> None:
    """Read the command line; train what is missing, or report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "table", nargs="+", choices=TABLES, metavar="TABLE", help=f"of {', '.join(TABLES)}"
    )
    folder = os.environ.get("SK_CRL_DATA")
    parser.add_argument("--data", type=Path, default=folder, help="folder of the data sets")
    parser.add_argument("--preset", choices=PRESETS, default="cpu", help="schedule of training")
    parser.add_argument("--network", nargs="+", default=[], help="instead of the table's own")
    parser.add_argument("--epochs", type=int, help="instead of the preset's")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, from 0 on")
    parser.add_argument(
        "--stand-in", action="store_true", help="product photos instead of X-Domain"
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:<index>")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder of CSVs")
    parser.add_argument(
        "--checkpoints", type=Path, default=HERE / "checkpoints", help="folder of what is under way"
    )
    parser.add_argument("--report", action="store_true", help="print and draw; train nothing")
    parser.add_argument("--figures", type=Path, default=FIGURES, help="folder of the figures")
    asked = parser.parse_args(arguments)
    choice = Choice(asked.preset, asked.seeds, tuple(asked.network), asked.epochs, asked.stand_in)
    tables = [TABLES[name](choice) for name in asked.table]
    if asked.report:
        from drawing import draw  # matplotlib is not needed to train

        scores = Scores(Results(asked.results), choice)
        for table in tables:
            print(report(table, scores), end="\n\n")
            path = draw(table, scores, asked.figures)
            if path:
                print(f"Drawn: {path}", end="\n\n")
        return
    cells = list(dict.fromkeys(cell for table in tables for cell in table.cells(choice)))
    try:
        for family in dict.fromkeys(cell.family for cell in cells):
            find(family, asked.data)
    except MissingDataError as missing:
        sys.exit(str(missing))
    places = Places(asked.data, asked.results, asked.checkpoints)
    run(cells, places, asked.device, asked.jobs)


if __name__ == "__main__":
    main()
