"""The classes that are minorities of a whole training set."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from sk_crl._distribution import ClassDistribution
from sk_crl.loss import minority_classes


def training_minorities(distribution: ClassDistribution, rho: float) -> NDArray[np.bool_]:
    """Find the classes that Eq. 3 would call minorities if the training set were one batch.

    Parameters
    ----------
    distribution : ClassDistribution
        The training set's classes.
    rho : float
        Share of samples that the minority classes hold together at most, in (0, 1].

    Returns
    -------
    ndarray of bool, shape (n_classes,)
        True for the minority classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_crl._distribution import ClassDistribution
    >>> from sk_crl._minorities import training_minorities
    >>> training_minorities(ClassDistribution(np.array([60.0, 0, 25, 14, 1])), rho=0.5)
    array([False, False,  True,  True,  True])
    """
    # Eq. 3 drops classes with a single sample in a *batch*, which are nothing special in a training
    # set; and the scale of sample weights has no say.
    prior = torch.as_tensor(distribution.prior)
    counts = 2 * prior / prior[prior > 0].min()
    return minority_classes(counts, rho).numpy()
