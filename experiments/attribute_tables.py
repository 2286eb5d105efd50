"""Attributes of faces and clothes: Tables 3 to 7, Fig. 6 and 8, and what training costs."""

from __future__ import annotations

from typing import NamedTuple

from entries import Choice, Entry, Row, Table
from methods import ADJUSTED, THRESHOLD, TOP_5, method_named
from presets import find_preset
from sources import DEEPFASHION_GROUPS, XDOMAIN_TARGETS


class Attributes(NamedTuple):
    """A data set with many targets, ordered by imbalance.

    Attributes
    ----------
    data : str
        Its name.
    title : str
        Its name for readers.
    network : str
        The base network.
    rivals : dict
        Titles of other networks, which cross-entropy trains, and their names.
    ratios : dict
        The targets, and the sizes of their largest classes over their smallest.
    n_bottom : int
        How many of them are the less imbalanced ones.
    """

    data: str
    title: str
    network: str
    rivals: dict[str, str]
    ratios: dict[str, int]
    n_bottom: int

    def entry(self, method: str, **settings) -> Entry:
        """Make an entry of the base network."""
        return Entry(self.data, self.network, method, **settings)

    def crl(self, choice: Choice, **settings) -> Entry:
        """Make an entry of class rectification as the paper sets it."""
        eta = find_preset(self.data, self.network, choice.preset).eta
        return self.entry(method_named("crl", eta=eta), **settings)


# Names of the official files, in the paper's order, with its ratios.
_CELEBA = {
    **dict.fromkeys(("Attractive", "Mouth_Slightly_Open", "Smiling", "Wearing_Lipstick"), 1),
    **{"High_Cheekbones": 1, "Male": 1, "Heavy_Makeup": 2, "Wavy_Hair": 2},
    **dict.fromkeys(("Oval_Face", "Pointy_Nose", "Arched_Eyebrows", "Black_Hair"), 3),
    **{"Big_Lips": 3, "Big_Nose": 3, "Young": 4, "Straight_Hair": 4, "Brown_Hair": 4},
    **{"Bags_Under_Eyes": 4, "Wearing_Earrings": 4, "No_Beard": 5, "Bangs": 6, "Blond_Hair": 6},
    **{"Bushy_Eyebrows": 6, "Wearing_Necklace": 7, "Narrow_Eyes": 8, "5_o_Clock_Shadow": 8},
    **{"Receding_Hairline": 11, "Wearing_Necktie": 13, "Eyeglasses": 14, "Rosy_Cheeks": 14},
    **{"Goatee": 15, "Chubby": 16, "Sideburns": 17, "Blurry": 18, "Wearing_Hat": 19},
    **{"Double_Chin": 20, "Pale_Skin": 22, "Gray_Hair": 23, "Mustache": 24, "Bald": 43},
}
# Counted on the training part.
_FASHION = {
    "season": 7,
    "gender": 31,
    "masterCategory": 1332,
    "usage": 1810,
    "articleType": 2212,
    "baseColour": 3100,
    "subCategory": 4852,
}
CELEBA = Attributes("celeba", "CelebA", "deepid2", {"PANDA": "panda", "ANet": "anet"}, _CELEBA, 20)
XDOMAIN = Attributes(
    "xdomain",
    "X-Domain",
    "mtct",
    {"DDAN": "ddan", "FashionNet": "fashionnet", "DARN": "darn"},
    XDOMAIN_TARGETS,
    1,
)
FASHION = XDOMAIN._replace(
    data="fashion", title="product photos", rivals={}, ratios=_FASHION, n_bottom=2
)


def clothes(choice: Choice) -> Attributes:
    """X-Domain, or what stands in for it, with the network that was chosen."""
    return _with_network(FASHION if choice.stand_in else XDOMAIN, choice)


def _with_network(attributes: Attributes, choice: Choice) -> Attributes:
    return attributes._replace(network=choice.networks[0]) if choice.networks else attributes


def _by_target(attributes: Attributes, entry: Entry) -> dict[str, Entry]:
    """Make an entry for every target, and one for their mean."""
    return {name: entry._replace(targets=(name,)) for name in attributes.ratios} | {"mean": entry}


def _all_methods(name: str, title: str, attributes: Attributes, choice: Choice) -> Table:
    """Compare all methods, target by target."""
    rivals = {
        title: Entry(attributes.data, network, "ce") for title, network in attributes.rivals.items()
    }
    if attributes.data == "celeba":
        rivals = {"Triplet-kNN": attributes.entry("triplet-knn"), **rivals}
    base = {"deepid2": "DeepID2", "mtct": "MTCT"}.get(attributes.network, attributes.network)
    rows = rivals | {
        base: attributes.entry("ce"),
        "Over-Sampling": attributes.entry("over"),
        "Down-Sampling": attributes.entry("down"),
        "Cost-Sensitive": attributes.entry("cost"),
        "Threshold-Adjustment": attributes.entry("ce", decision=THRESHOLD),
        "LMLE": attributes.entry("lmle"),
        "CRL": attributes.crl(choice),
        "CRL η = 0.5": attributes.entry(method_named("crl", eta=0.5)),
        "prior removed": attributes.entry("ce", decision=ADJUSTED),
        "CRL, prior removed": attributes.crl(choice, decision=ADJUSTED),
        "CRL η = 0.5, prior removed": attributes.entry(
            method_named("crl", eta=0.5), decision=ADJUSTED
        ),
    }
    made = [Row(title, _by_target(attributes, entry)) for title, entry in rows.items()]
    return Table(name, title, made)


def _gains(attributes: Attributes, choice: Choice) -> dict[str, Entry]:
    """Make entries of what LMLE and class rectification gain over the base network."""
    base = attributes.entry("ce")
    strong = attributes.entry(method_named("crl", eta=0.5), decision=ADJUSTED)
    return {
        "LMLE": attributes.entry("lmle", less=base),
        "CRL": attributes.crl(choice, less=base),
        "CRL η = 0.5, prior removed": strong._replace(less=base),
    }


def _of_targets(entry: Entry, targets: tuple[str, ...]) -> Entry:
    """Take these targets alone, of an entry and of what it is compared to."""
    return entry._replace(targets=targets, less=entry.less._replace(targets=targets))


def _gains_of_groups(name: str, title: str, attributes: Attributes, choice: Choice) -> Table:
    """Compare gains on the less and on the more imbalanced targets."""
    names, n_bottom = list(attributes.ratios), attributes.n_bottom
    groups = {
        f"bottom-{n_bottom}": tuple(names[:n_bottom]),
        f"top-{len(names) - n_bottom}": tuple(names[n_bottom:]),
    }
    rows = [
        Row(title, {group: _of_targets(entry, chosen) for group, chosen in groups.items()})
        for title, entry in _gains(attributes, choice).items()
    ]
    return Table(name, title, rows)


def _gains_by_target(name: str, title: str, attributes: Attributes, choice: Choice) -> Table:
    """Show the gains of every target, in the order of imbalance."""
    gains = _gains(attributes, choice)
    rows = [
        Row(
            f"{target} (1:{ratio})",
            {method: _of_targets(entry, (target,)) for method, entry in gains.items()},
        )
        for target, ratio in attributes.ratios.items()
    ]
    return Table(name, title, rows)


def table3(choice: Choice) -> Table:
    """All methods on CelebA."""
    faces = _with_network(CELEBA, choice)
    return _all_methods("table3", "Table 3: CelebA", faces, choice)


def table4(choice: Choice) -> Table:
    """Gains on CelebA's less and more imbalanced attributes."""
    title = "Table 4: gain over the base network, CelebA"
    return _gains_of_groups("table4", title, _with_network(CELEBA, choice), choice)


def figure6(choice: Choice) -> Table:
    """Gains on every attribute of CelebA."""
    title = "Fig. 6: gain over the base network, CelebA"
    return _gains_by_target("figure6", title, _with_network(CELEBA, choice), choice)


def table5(choice: Choice) -> Table:
    """All methods on X-Domain."""
    attributes = clothes(choice)
    return _all_methods("table5", f"Table 5: {attributes.title}", attributes, choice)


def table6(choice: Choice) -> Table:
    """Gains on X-Domain's less and more imbalanced attributes."""
    attributes = clothes(choice)
    title = f"Table 6: gain over the base network, {attributes.title}"
    return _gains_of_groups("table6", title, attributes, choice)


def figure8(choice: Choice) -> Table:
    """Gains on every attribute of X-Domain."""
    attributes = clothes(choice)
    title = f"Fig. 8: gain over the base network, {attributes.title}"
    return _gains_by_target("figure8", title, attributes, choice)


def table7(choice: Choice) -> Table:
    """Class rectification on DeepFashion, the five likeliest attributes of every group."""
    network = choice.networks[0] if choice.networks else "resnet50"
    crl = method_named("crl", eta=find_preset("deepfashion", network, choice.preset).eta)
    rows = []
    for title, method in {"without CRL": "ce", "with CRL": crl}.items():
        entry = Entry("deepfashion", network, method, decision=TOP_5)
        groups = {group: entry._replace(targets=(group,)) for group in DEEPFASHION_GROUPS}
        rows.append(Row(title, groups | {"mean": entry}))
    return Table("table7", "Table 7: DeepFashion", rows)


def cost(choice: Choice) -> Table:
    """Seconds of training by LMLE and by class rectification."""
    columns: dict[str, dict[str, Entry]] = {"LMLE": {}, "CRL": {}, "LMLE / CRL": {}}
    for attributes in [clothes(choice)] if choice.stand_in else [CELEBA, XDOMAIN]:
        for quantity in ("seconds", "epoch seconds"):
            column = f"{'X-Domain' if choice.stand_in else attributes.title}, {quantity}"
            lmle = attributes.entry("lmle", quantity=quantity)
            crl = attributes.crl(choice, quantity=quantity)
            columns["LMLE"][column], columns["CRL"][column] = lmle, crl
            columns["LMLE / CRL"][column] = lmle._replace(over=crl)
    rows = [Row(title, entries) for title, entries in columns.items()]
    title = f"Training cost, {FASHION.title}" if choice.stand_in else "Training cost"
    return Table("cost", title, rows)
