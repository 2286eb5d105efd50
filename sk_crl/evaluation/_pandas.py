"""pandas, imported where a data frame is made."""

from __future__ import annotations

from typing import Any


def import_pandas() -> Any:
    """Import pandas; where it is missing, say how to get it."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "sk_crl.evaluation gives its results as data frames of pandas, which could not be "
            "imported; install it with: pip install 'sk-crl[evaluation]'"
        ) from error
    return pandas
