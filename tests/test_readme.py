"""The README's examples run as they stand."""

import re
from pathlib import Path

import matplotlib
from matplotlib import pyplot

matplotlib.use("Agg")

README = Path(__file__).parents[1] / "README.md"
# A block of Python, and the output that is shown right below it, if any.
BLOCKS = re.compile(r"^```python\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", flags=re.M | re.S)


def without_numbers(text):
    """What stays the same where floats are added in another order."""
    return re.sub(r"[\d.]+", "0", re.sub(r"[\s*]", "", text))


def test_python_blocks_run_in_order_and_print_what_is_shown(capsys):
    namespace, printed = {}, []
    for code, shown in BLOCKS.findall(README.read_text()):
        exec(compile(code, str(README), "exec"), namespace)
        printed.append(capsys.readouterr().out)
        if shown:
            assert without_numbers(printed[-1]) == without_numbers(shown)
    pyplot.close("all")
    assert printed[0].startswith("balanced accuracy 0.9")
    assert printed[1].startswith("balanced accuracy 0.9")
    assert printed[2] == "(60, 3)\n"
    assert "mean balanced accuracy 0.9" in printed[4]
    assert namespace["scores"].grad.isfinite().all()


def test_links_and_images_exist():
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", README.read_text())
    assert targets
    assert all((README.parent / target).exists() for target in targets)
