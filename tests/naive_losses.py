"""The losses of other authors once more, as loops that read like their equations, in float64."""

import torch
from naive import ZERO, softmax


def focal(z, y, counts, gamma):
    """Lin et al. (2017), Eq. 4, without their alpha."""
    (p,) = softmax([z])
    return -((1 - p[y]) ** gamma) * p[y].log()


def cross_entropy(z, y):
    (p,) = softmax([z])
    return -p[y].log()


def effective_number(n, beta):
    """Cui et al. (2019), Eq. 2: the sum of beta^(j - 1), j from 1 to n."""
    return sum(beta ** (j - 1) for j in range(1, n + 1))


def class_weights(counts, beta):
    """Their Sec. 4: inverse to the effective number, here with mean 1 over the classes present."""
    inverse = [1 / effective_number(n, beta) if n else 0.0 for n in counts]
    present = [w for w in inverse if w]
    return [w * len(present) / sum(present) for w in inverse]


def margins(counts, max_margin):
    """Cao et al. (2019), Eq. 13: C / n^(1/4), the largest being max_margin."""
    rarest = min(n for n in counts if n)
    inverse = [1 / max(n, rarest) ** 0.25 for n in counts]
    return [max_margin * m / max(inverse) for m in inverse]


def ldam(z, y, counts, max_margin, scale):
    """Their Eq. 12-13, of scores z = scale * cosine: e^(z_y - s D_y) over itself and the others."""
    z = list(z)
    lowered = (z[y] - scale * margins(counts, max_margin)[y]).exp()
    return -(lowered / (lowered + sum(z[j].exp() for j in range(len(z)) if j != y))).log()


def balanced_softmax(z, y, counts):
    """Ren et al. (2020), Eq. 4: n_y e^(z_y) over the sum of n_j e^(z_j)."""
    rarest = min(n for n in counts if n)
    terms = [max(n, rarest) * z[j].exp() for j, n in enumerate(counts)]
    return -(terms[y] / sum(terms)).log()


def over_targets(scores, codes, weight, class_counts, of_sample, of_class=None):
    """Sum over targets the weighted mean of the samples' losses."""
    total, first = ZERO, 0
    for j, counts in enumerate(class_counts):
        z = scores[:, first : first + len(counts)]
        first += len(counts)
        rows = [i for i in range(len(z)) if codes[i, j] >= 0]
        factors = [1.0] * len(counts) if of_class is None else of_class(counts)
        w = [weight[i, j] * factors[codes[i, j]] for i in rows]
        losses = [of_sample(z[i], int(codes[i, j]), counts) for i in rows]
        if sum(w):
            total = total + sum(a * b for a, b in zip(w, losses, strict=True)) / sum(w)
    return torch.as_tensor(total)
