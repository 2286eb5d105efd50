"""The paper's tables and figures: which cells they take, and how these are put together."""

from __future__ import annotations

from collections.abc import Callable

from entries import Choice, Entry, Row, Table
from methods import ADJUSTED, THRESHOLD, method_named
from presets import find_preset


def table9(choice: Choice) -> Table:
    """Networks trained on balanced and on imbalanced CIFAR-100."""
    networks = choice.networks or ("cifarnet", "resnet32", "densenet40")
    balanced, imbalanced = "cifar100-bln1.0", "cifar100-imb1.0"
    rows = {
        "balanced": (balanced, "ce", {}),
        "imbalanced": (imbalanced, "ce", {}),
        "imbalanced + CRL": (imbalanced, "crl", {}),
        "imbalanced, prior removed": (imbalanced, "ce", {"decision": ADJUSTED}),
        "imbalanced + CRL η = 0.5, prior removed": (
            imbalanced,
            method_named("crl", eta=0.5),
            {"decision": ADJUSTED},
        ),
        "over-sampling": (imbalanced, "over", {}),
        "down-sampling": (imbalanced, "down", {}),
        "cost-sensitive": (imbalanced, "cost", {}),
        "threshold": (imbalanced, "ce", {"decision": THRESHOLD}),
    }
    made = []
    for title, (data, method, settings) in rows.items():
        entries = {}
        for network in networks:
            if method == "crl":
                eta = find_preset("cifar100", network, choice.preset).eta
                method_of_paper = method_named("crl", eta=eta)
                entries[network] = Entry(data, network, method_of_paper, **settings)
            else:
                entries[network] = Entry(data, network, method, **settings)
        if title in ("balanced", "imbalanced"):
            entries["hog-knn"] = Entry(data, "none", "hog-knn")
        made.append(Row(title, entries))
    return Table("table9", "Table 9: CIFAR-100, balanced and imbalanced (γ = 1)", made)


TABLES: dict[str, Callable[[Choice], Table]] = {"table9": table9}
