"""Training: what batches are made of, the skorch net, validation."""

from sk_crl.training._batch_sampler import BatchSampler
from sk_crl.training._drawn import BalancedBatches, DynamicBatches
from sk_crl.training._samplers import AtLeastPerClass, StratifiedBatches

__all__ = [
    "AtLeastPerClass",
    "BalancedBatches",
    "BatchSampler",
    "DynamicBatches",
    "StratifiedBatches",
]

# What can be monitored -> its name in a net's history, and whether less of it is better.
MONITORS = {
    "balanced_log_loss": ("valid_loss", True),
    "balanced_accuracy": ("valid_balanced_accuracy", False),
}
# What products of the network may be computed in.
PRECISIONS = ("float32", "bfloat16")
