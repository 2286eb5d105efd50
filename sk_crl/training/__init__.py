"""Training: batches of tensors, the skorch net, early stopping."""
