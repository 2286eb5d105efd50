"""Run the notebooks of this folder afresh, and save them with what they show.

    pip install -e ".[test]"
    python examples/run_notebooks.py

Where `SK_CRL_DATA` is unset, the first two notebooks fetch their tables from the internet. Times of
execution and versions are not saved, so that only new results make a difference.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def run(path: Path) -> nbformat.NotebookNode:
    """Execute a notebook from its top, in its own folder; raise what a cell raises."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    }
    client = NotebookClient(
        notebook,
        timeout=600,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    notebook.metadata["language_info"] = {"name": "python"}  # the kernel has added its version
    return notebook


def main() -> None:
    """Read the command line, run, save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of this folder")
    parser.add_argument("--to", type=Path, help="folder to save them in, default: where they are")
    arguments = parser.parse_args()
    for path in arguments.notebooks or sorted(HERE.glob("*.ipynb")):
        nbformat.write(run(path), (arguments.to or path.parent) / path.name)
        print(path.name)


if __name__ == "__main__":
    main()
