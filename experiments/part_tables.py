"""The loss taken apart: Tables 10 to 13, Fig. 11 and 12."""

from __future__ import annotations

from typing import Any

from attribute_tables import CELEBA, Attributes, clothes
from entries import Choice, Entry, Row, Table
from methods import method_named
from presets import find_preset

COMPARISONS = {"Abs": "absolute", "Rel": "relative", "Dis": "distribution"}
DEFAULTS = {
    "level": "class",
    "comparison": "relative",
    "kappa": 25,
    "rho": 0.5,
    "scope": "minority",
}
ETAS = (0.001, 0.005, 0.01, 0.05, 0.1)
KAPPAS = (1, 25, 50, 75, 100, 125, 150, 175)
# On the data that stand in: fewer of them, and a weight beyond the paper's range.
ETAS_IN_SMALL = (0.001, 0.01, 0.1, 0.5)
KAPPAS_IN_SMALL = (1, 25, 100, 175)


def _variant(attributes: Attributes, choice: Choice, **settings: Any) -> Entry:
    """Make an entry of class rectification with other settings; defaults are not named."""
    eta = find_preset(attributes.data, attributes.network, choice.preset).eta_in_parts
    differing = {name: value for name, value in settings.items() if DEFAULTS[name] != value}
    return attributes.entry(method_named("crl", eta=eta, **differing))


def table10(choice: Choice) -> Table:
    """Gains of the six losses over cross-entropy."""
    rows = []
    for title, level in {"Instance Level": "instance", "Class Level": "class"}.items():
        entries = {}
        for attributes in [clothes(choice)] if choice.stand_in else [CELEBA, clothes(choice)]:
            for short, comparison in COMPARISONS.items():
                entry = _variant(attributes, choice, level=level, comparison=comparison)
                name = "X-Domain" if choice.stand_in else attributes.title
                entries[f"{name} {short}"] = entry._replace(less=attributes.entry("ce"))
        rows.append(Row(title, entries))
    return Table("table10", f"Table 10: gain over CE, {_title(choice)}", rows)


def table11(choice: Choice) -> Table:
    """Hard mining and joint learning."""
    attributes = clothes(choice)
    rows = {
        "CRL(HM+JL)": _variant(attributes, choice),
        "CRL(JL)": _variant(attributes, choice, kappa=None),
        "LMLE": attributes.entry("lmle"),
    }
    return _table("table11", "Table 11: hard mining", rows, choice)


def table12(choice: Choice) -> Table:
    """The classes whose samples are anchors, and what they cost."""
    attributes = clothes(choice)
    rows = []
    for title, scope in {"Minority Classes": "minority", "All Classes": "all"}.items():
        entry = _variant(attributes, choice, scope=scope)
        rows.append(Row(title, {"mean": entry, "seconds": entry._replace(quantity="seconds")}))
    return Table("table12", f"Table 12: class scope, {_title(choice)}", rows)


def table13(choice: Choice) -> Table:
    """The share of a batch that is minority classes'."""
    attributes = clothes(choice)
    rows = {f"ρ = {rho:.0%}": _variant(attributes, choice, rho=rho) for rho in (0.1, 0.3, 0.5)}
    return _table("table13", "Table 13: minority classes", rows, choice)


def figure11(choice: Choice) -> Table:
    """The weight of class rectification."""
    attributes = clothes(choice)
    rows = []
    for eta in ETAS_IN_SMALL if choice.stand_in else ETAS:
        entry = attributes.entry(method_named("crl", eta=eta))
        targets = {name: entry._replace(targets=(name,)) for name in attributes.ratios}
        rows.append(Row(f"η = {eta}", targets | {"mean": entry}))
    return Table("figure11", f"Fig. 11: weight of CRL, {_title(choice)}", rows)


def figure12(choice: Choice) -> Table:
    """The number of hard samples."""
    attributes = clothes(choice)
    kappas = KAPPAS_IN_SMALL if choice.stand_in else KAPPAS
    rows = {f"κ = {kappa}": _variant(attributes, choice, kappa=kappa) for kappa in kappas}
    return _table("figure12", "Fig. 12: hard samples", rows, choice)


def _title(choice: Choice) -> str:
    return clothes(choice).title


def _table(name: str, title: str, rows: dict[str, Entry], choice: Choice) -> Table:
    """Make a table of means alone."""
    made = [Row(row, {"mean": entry}) for row, entry in rows.items()]
    return Table(name, f"{title}, {_title(choice)}", made)
