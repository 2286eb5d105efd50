"""LMLE and semi-hard triplets once more, as loops that read like their descriptions."""

from math import pi, sin

import torch

ZERO = torch.zeros((), dtype=torch.float64)


def squared(f, g):
    """The squared Euclidean distance."""
    return ((f - g) ** 2).sum()


def quintuplet(features, codes, clusters, anchor):
    """An anchor's quintuplet; None where there is no such sample."""

    def distance(i):
        return squared(features[anchor], features[i]).item()

    everyone = [i for i in range(len(codes)) if codes[i] != -1]
    of_class = [i for i in everyone if codes[i] == codes[anchor]]
    of_cluster = [i for i in of_class if clusters[i] == clusters[anchor]]
    of_other_clusters = [i for i in of_class if clusters[i] != clusters[anchor]]
    of_other_classes = [i for i in everyone if codes[i] != codes[anchor]]
    return [
        anchor,
        max(of_cluster, key=distance),
        min(of_other_clusters, key=distance, default=None),
        max(of_class, key=distance),
        min(of_other_classes, key=distance, default=None),
    ]


def margins(codes, clusters, anchor, s):
    """The three margins of an anchor's quintuplet."""
    labelled = [code for code in codes if code != -1]
    L = len(labelled)
    C = len(set(labelled))
    L_c = labelled.count(codes[anchor])
    size = sum(
        code == codes[anchor] and cluster == clusters[anchor]
        for code, cluster in zip(codes, clusters, strict=True)
    )
    return [2 * sin(pi * s * size / L), 2 * sin(pi * s * (L_c - size) / L), 2 * sin(pi / C)]


def triple_header_hinge(features, quintuplets, all_margins):
    """The mean over quintuplets of three hinges on D1 < D2 < D3 < D4."""
    losses = []
    for (anchor, *others), g in zip(quintuplets, all_margins, strict=True):
        D = [None if i is None else squared(features[anchor], features[i]) for i in others]
        hinges = [
            torch.relu(g[k] + D[k] - D[k + 1])
            for k in range(3)
            if D[k] is not None and D[k + 1] is not None
        ]
        losses.append(sum(hinges, ZERO))
    return sum(losses) / len(losses)


def decide(x, centers, classes, n_neighbors):
    """The class with the largest margin among the nearest centroids."""
    distances = [squared(x, center).item() for center in centers]
    nearest = sorted(range(len(centers)), key=distances.__getitem__)[:n_neighbors]
    margin = {}
    for c in sorted({classes[i] for i in nearest}):
        own = [distances[i] for i in nearest if classes[i] == c]
        others = [distances[i] for i in nearest if classes[i] != c]
        margin[c] = min(others, default=float("inf")) - max(own)
    return max(margin, key=margin.__getitem__)


def semi_hard_triplets(embeddings, codes, margin):
    """The mean hinge over the triplets of a batch whose negatives are semi-hard."""
    losses = []
    labelled = [i for i in range(len(codes)) if codes[i] != -1]
    for a in labelled:
        for p in labelled:
            for n in labelled:
                if a == p or codes[p] != codes[a] or codes[n] == codes[a]:
                    continue
                to_positive = squared(embeddings[a], embeddings[p])
                to_negative = squared(embeddings[a], embeddings[n])
                if to_positive < to_negative <= to_positive + margin:
                    losses.append(margin + to_positive - to_negative)
    return sum(losses) / len(losses) if losses else ZERO
