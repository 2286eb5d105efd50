"""pandas, imported where a data frame is made."""

from __future__ import annotations

from typing import Any

from sk_crl._extras import import_extra


def import_pandas() -> Any:
    """Import pandas; where it is missing, say how to get it."""
    return import_extra("pandas", "evaluation", "sk_crl.evaluation, whose results are data frames,")
