"""All tables and figures, by the names that they have on the command line."""

from __future__ import annotations

from collections.abc import Callable

import attribute_tables as attributes
import cifar_tables as cifar
import part_tables as parts
from entries import Choice, Table

TABLES: dict[str, Callable[[Choice], Table]] = {
    "table3": attributes.table3,
    "table4": attributes.table4,
    "table5": attributes.table5,
    "table6": attributes.table6,
    "table7": attributes.table7,
    "table8": cifar.table8,
    "table9": cifar.table9,
    "table9-gains": cifar.table9_gains,
    "table10": parts.table10,
    "table11": parts.table11,
    "table12": parts.table12,
    "table13": parts.table13,
    "figure2": cifar.figure2,
    "figure6": attributes.figure6,
    "figure8": attributes.figure8,
    "figure10": cifar.figure10,
    "figure11": parts.figure11,
    "figure12": parts.figure12,
    "cost": attributes.cost,
}
