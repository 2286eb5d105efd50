"""The README's examples run as they stand."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), flags=re.M | re.S)


def test_python_blocks_run_in_order(capsys):
    namespace = {}
    for block in blocks("python"):
        exec(compile(block, str(README), "exec"), namespace)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("balanced accuracy 0.9")
    assert printed[1] == "(60, 3)"
    assert printed[2].split() == ["digit", "is", "seven"]
    assert printed[6].startswith("mean balanced accuracy 0.9")
    assert namespace["scores"].grad.isfinite().all()


def test_links_and_images_exist():
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", README.read_text())
    assert targets
    assert all((README.parent / target).exists() for target in targets)
