"""Training: batches of tensors, the skorch net, validation."""

# What can be monitored -> its name in a net's history, and whether less of it is better.
MONITORS = {
    "balanced_log_loss": ("valid_loss", True),
    "balanced_accuracy": ("valid_balanced_accuracy", False),
}
# What products of the network may be computed in.
PRECISIONS = ("float32", "bfloat16")
