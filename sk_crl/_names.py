"""Messages for names that are not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """Say that `name` is unknown, and which known one is nearest or, failing that, all of them.

    Examples
    --------
    >>> from sk_crl._names import unknown_name
    >>> unknown_name("parameter", "kapa", ["eta", "kappa"])
    "Unknown parameter 'kapa'; did you mean 'kappa'?"
    """
    known = sorted(known)
    if not known:
        return f"Unknown {kind} {name!r}; there is none to set."
    near = get_close_matches(str(name), known, n=1)
    advice = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}."
    return f"Unknown {kind} {name!r}; {advice}"
