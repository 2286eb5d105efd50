"""Networks that return scores and the feature before them."""

from sk_crl.networks._branches import Branches
from sk_crl.networks._mlp import MLP

__all__ = ["MLP", "Branches"]
