"""CIFAR-100: Tables 8 and 9, Fig. 2 and 10."""

from __future__ import annotations

from entries import Choice, Entry, Row, Table
from methods import ADJUSTED, ARG_MAX, THRESHOLD, method_named
from presets import find_preset

BALANCED, IMBALANCED = "cifar100-bln1.0", "cifar100-imb1.0"
NETWORKS = ("cifarnet", "resnet32", "densenet40")
GAMMAS = (0.2, 0.4, 0.6, 0.8, 1.0)


def crl_of_paper(network: str, choice: Choice) -> str:
    """Name class rectification as the paper sets it for a network."""
    return method_named("crl", eta=find_preset("cifar100", network, choice.preset).eta)


def table8(choice: Choice) -> Table:
    """Networks trained on all of CIFAR-100, which is balanced."""
    networks = choice.networks or NETWORKS
    methods = {"CE": "ce", "CRL": method_named("crl", alpha=0.5)}
    rows = [
        Row(title, {network: Entry("cifar100", network, method) for network in networks})
        for title, method in methods.items()
    ]
    gains = {
        network: rows[1].entries[network]._replace(less=rows[0].entries[network])
        for network in networks
    }
    return Table("table8", "Table 8: CIFAR-100, balanced", [*rows, Row("gain", gains)])


def table9(choice: Choice) -> Table:
    """Networks trained on balanced and on imbalanced CIFAR-100, and rivals beside them."""
    networks = choice.networks or NETWORKS
    strong = method_named("crl", eta=0.5)
    rows = {
        "balanced": (BALANCED, "ce", {}),
        "imbalanced": (IMBALANCED, "ce", {}),
        "imbalanced + CRL": (IMBALANCED, "", {}),
        "prior removed": (IMBALANCED, "ce", {"decision": ADJUSTED}),
        "CRL η = 0.5, prior removed": (IMBALANCED, strong, {"decision": ADJUSTED}),
        "over-sampling": (IMBALANCED, "over", {}),
        "down-sampling": (IMBALANCED, "down", {}),
        "cost-sensitive": (IMBALANCED, "cost", {}),
        "threshold": (IMBALANCED, "ce", {"decision": THRESHOLD}),
    }
    made = []
    for title, (data, method, settings) in rows.items():
        entries = {
            network: Entry(data, network, method or crl_of_paper(network, choice), **settings)
            for network in networks
        }
        if title in ("balanced", "imbalanced"):
            entries["HOG + kNN"] = Entry(data, "none", "hog-knn")
        made.append(Row(title, entries))
    return Table("table9", "Table 9: CIFAR-100, balanced and imbalanced (γ = 1)", made)


def table9_gains(choice: Choice) -> Table:
    """Gains over cross-entropy in Table 9, seed by seed."""
    networks = choice.networks or NETWORKS
    weak, strong = (method_named("crl", eta=eta) for eta in (0.01, 0.5))
    base, adjusted = ("ce", ARG_MAX), ("ce", ADJUSTED)
    rows = {
        "CRL η = 0.01": (weak, ARG_MAX, base),
        "CRL η = 0.5": (strong, ARG_MAX, base),
        "prior removed": ("ce", ADJUSTED, base),
        "over-sampling": ("over", ARG_MAX, base),
        "down-sampling": ("down", ARG_MAX, base),
        "cost-sensitive": ("cost", ARG_MAX, base),
        "threshold": ("ce", THRESHOLD, base),
        "CRL η = 0.01, prior removed, over prior removed": (weak, ADJUSTED, adjusted),
        "CRL η = 0.5, prior removed, over prior removed": (strong, ADJUSTED, adjusted),
    }
    made = []
    for title, (method, decision, less) in rows.items():
        entries = {
            network: Entry(
                IMBALANCED, network, method, decision, less=Entry(IMBALANCED, network, *less)
            )
            for network in networks
        }
        made.append(Row(title, entries))
    return Table("table9-gains", "Gains over cross-entropy, CIFAR-100^imb(1)", made)


def figure2(choice: Choice) -> Table:
    """Whose features Fig. 2 shows: a network trained on balanced and imbalanced data, and CRL."""
    network = choice.networks[0] if choice.networks else "resnet32"
    rows = {
        "balanced": Entry(BALANCED, network, "ce"),
        "imbalanced": Entry(IMBALANCED, network, "ce"),
        "imbalanced + CRL": Entry(IMBALANCED, network, crl_of_paper(network, choice)),
    }
    made = [Row(title, {network: entry}) for title, entry in rows.items()]
    return Table("figure2", "Fig. 2: the networks whose features are shown", made)


def figure10(choice: Choice) -> Table:
    """Gains of class rectification on differently imbalanced data."""
    network = choice.networks[0] if choice.networks else "resnet32"
    rows = []
    for gamma in GAMMAS:
        data = f"cifar100-imb{gamma}"
        base = Entry(data, network, "ce")
        rectified = Entry(data, network, crl_of_paper(network, choice))
        gain = rectified._replace(less=base)
        rows.append(Row(f"γ = {gamma}", {"CE": base, "CRL": rectified, "gain": gain}))
    return Table("figure10", f"Fig. 10: CIFAR-100^imb(γ), {network}", rows)
