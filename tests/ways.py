"""Two ways to the same loss: fused loops, and tensors alone."""

from contextlib import contextmanager

import pytest

from sk_crl.loss import _fused


@contextmanager
def without_loops():
    """Have tensors do what fused loops do, where there is Numba."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_fused, "fused_loops", lambda level, dtype: None)
        yield
