"""The loss once more, as loops that read like the equations of the paper.

Numbers are float64 torch scalars, so that autograd through a twin is the reference gradient. What
is merely *selected* (classes, hard samples, histogram nodes) carries no gradient, as in the paper.
"""

from fractions import Fraction
from itertools import pairwise
from math import cos, exp, inf, log, pi, sin
from typing import NamedTuple

import torch

ROUNDING = 1e-9  # crossings that differ by less are one
ZERO = torch.zeros((), dtype=torch.float64)


class Anchor(NamedTuple):
    """The distances of one anchor to its hard positives and to its hard negatives."""

    to_positives: list
    to_negatives: list


def mean(values):
    """The mean, and 0 where there is nothing to take it of."""
    return sum(values) / len(values) if values else ZERO


def softmax(scores):
    """Eq. 1: the probability p[i][c] of class c for sample i."""
    table = []
    for row in scores:
        exponentials = [(score - row.detach().max()).exp() for score in row]
        table.append([value / sum(exponentials) for value in exponentials])
    return table


def minority_classes(counts, rho):
    """Eq. 3: the smallest classes that together hold at most rho of all samples, 2 or more each."""
    budget = Fraction(str(rho)) * sum(counts)
    spent, taken = 0, []
    for c in sorted(range(len(counts)), key=lambda c: counts[c]):
        spent += counts[c]
        if spent > budget:
            break
        taken.append(c)
    return [c for c in taken if counts[c] >= 2]


def rectified_classes(codes, n_classes, rho, scope):
    """The classes whose samples are anchors: the minority classes, or all (Table 12)."""
    counts = [codes.count(c) for c in range(n_classes)]
    if scope == "all":
        return [c for c in range(n_classes) if counts[c] >= 2]
    return minority_classes(counts, rho)


def members_and_others(codes, c):
    """The samples of class c, and those of every other class; a missing label is in neither."""
    members = [i for i, code in enumerate(codes) if code == c]
    others = [i for i, code in enumerate(codes) if code not in (c, -1)]
    return members, others


def easy_ones(members, p_c, anchors, kappa):
    """The anchors of a class: all, or the kappa likeliest members, at most half (Wang et al.)."""
    if anchors == "all":
        return members
    n_easy = min(len(members) // 2, inf if kappa is None else kappa)
    return sorted(members, key=p_c.__getitem__)[len(members) - n_easy :]


def class_level(p, codes, classes, kappa, anchors):
    """Eq. 4, 5 and 10: hard samples by their probability of the anchor's class."""
    mined = []
    for c in classes:
        members, others = members_and_others(codes, c)
        p_c = [row[c] for row in p]
        lowest_first = sorted(members, key=p_c.__getitem__)
        negatives = sorted(others, key=p_c.__getitem__, reverse=True)[:kappa]
        for a in easy_ones(members, p_c, anchors, kappa):
            positives = [i for i in lowest_first if i != a][:kappa]
            to_positives = [abs(p_c[a] - p_c[i]) for i in positives]
            to_negatives = [p_c[a] - p_c[i] for i in negatives]
            mined.append(Anchor(to_positives, to_negatives))
    return mined


def euclidean(f, g):
    """Eq. 11, with gradient 0 where the two points coincide."""
    return torch.linalg.vector_norm(f - g)


def instance_level(f, p, codes, classes, kappa, anchors):
    """Eq. 6, 7 and 11: hard samples by their distance to the anchor in feature space."""
    mined = []
    for c in classes:
        members, others = members_and_others(codes, c)
        for a in easy_ones(members, [row[c] for row in p], anchors, kappa):
            to_positives = [euclidean(f[a], f[i]) for i in members if i != a]
            to_negatives = [euclidean(f[a], f[i]) for i in others]
            farthest, nearest = sorted(to_positives, reverse=True), sorted(to_negatives)
            mined.append(Anchor(farthest[:kappa], nearest[:kappa]))
    return mined


def relative(anchors, margin):
    """Eq. 9: the mean hinge over all triplets."""
    return mean(
        [
            torch.relu(margin + positive - negative)
            for anchor in anchors
            for positive in anchor.to_positives
            for negative in anchor.to_negatives
        ]
    )


def pairs(anchors):
    """The distances of all positive pairs P+ and of all negative pairs P-."""
    positive = [d for anchor in anchors for d in anchor.to_positives]
    negative = [d for anchor in anchors for d in anchor.to_negatives]
    return positive, negative


def absolute(anchors, margin):
    """Eq. 13: the contrastive loss."""
    positive, negative = pairs(anchors)
    return (
        mean([d**2 for d in positive]) + mean([torch.relu(margin - d) ** 2 for d in negative])
    ) / 2


def histogram(distances, low, high, bins):
    """Eq. 14: the share of every node; a distance outside the range counts at its end."""
    step = (high - low) / (bins - 1)
    b = [low + t * step for t in range(bins)]
    h = [0.0] * bins
    for d in distances:
        d = d.clamp(low, high)
        for t in range(bins):
            h[t] += triangle(d, b[t], step) / len(distances)
    return h


def triangle(d, node, step):
    """Eq. 15: the weight of a distance at one node."""
    if node - step <= d.item() <= node:
        return (d - (node - step)) / step
    if node <= d.item() <= node + step:
        return ((node + step) - d) / step
    return 0.0


def distribution(anchors, low, high, bins):
    """Eq. 16: the probability that a negative pair is closer than a positive pair."""
    positive, negative = pairs(anchors)
    if not positive or not negative:
        return ZERO
    h_positive = histogram(positive, low, high, bins)
    h_negative = histogram(negative, low, high, bins)
    return sum(h_positive[t] * sum(h_negative[: t + 1]) for t in range(bins))


def default_margin(level, comparison, normalize, n_classes):
    """Sections 3.3 (I) and (II); Eq. 12, as a chord of the unit circle where features are unit."""
    if level == "class":
        return 0.5
    if comparison == "absolute":
        return 1.0
    return min(2 * sin(pi / n_classes), 1.0) if normalize else 2 * pi / n_classes


def one_target(
    scores,
    codes,
    features=None,
    *,
    kappa=25,
    rho=0.5,
    level="class",
    comparison="relative",
    margin=None,
    scope="minority",
    anchors="all",
    normalize=True,
    bins=100,
):
    """The rectification loss of one target: Eq. 9, 13 or 16."""
    n_classes = scores.shape[1]
    classes = rectified_classes(codes, n_classes, rho, scope)
    p = softmax(scores)
    if level == "class":
        mined = class_level(p, codes, classes, kappa, anchors)
        low, high = -1.0, 1.0
    else:
        f = [row / row.norm() if normalize else row for row in features]
        mined = instance_level(f, p, codes, classes, kappa, anchors)
        low, high = 0.0, 2.0
    if margin is None:
        margin = default_margin(level, comparison, normalize, n_classes)
    if comparison == "relative":
        return relative(mined, margin)
    if comparison == "absolute":
        return absolute(mined, margin)
    return distribution(mined, low, high, bins)


def class_rectification(scores, targets, n_classes=None, features=None, **options):
    """The rectification loss of every target."""
    if n_classes is None:
        n_classes = [scores.shape[1]]
    targets = targets.reshape(len(scores), len(n_classes))
    losses = []
    for j, columns in enumerate(scores.split(tuple(n_classes), dim=1)):
        f = features[:, j] if features is not None and features.dim() == 3 else features
        losses.append(one_target(columns, targets[:, j].tolist(), f, **options))
    return torch.stack(losses)


def imbalance(counts):
    """Omega of Eq. 8: the share that is missing to classes all as large as the largest."""
    return 1 - sum(counts) / (len(counts) * max(counts))


def unevenness(codes, weights=None):
    """The squared coefficient of variation of the class counts, summed over targets."""
    weights = [1.0] * len(codes) if weights is None else weights
    total = 0
    for target in zip(*codes, strict=True):
        classes = sorted(set(target) - {-1})
        counts = [
            sum(w for code, w in zip(target, weights, strict=True) if code == c) for c in classes
        ]
        if counts:
            mean = sum(counts) / len(counts)
            variance = sum((count - mean) ** 2 for count in counts) / len(counts)
            total += variance / mean**2
    return total


def cross_entropy(scores, codes, class_weight, sample_weight):
    """Eq. 2 for one target: the weighted mean of -log p of the true class."""
    p = softmax(scores)
    labelled = [i for i, code in enumerate(codes) if code != -1]
    weights = [sample_weight[i] * class_weight[codes[i]] for i in labelled]
    losses = [-w * p[i][codes[i]].log() for i, w in zip(labelled, weights, strict=True)]
    return sum(losses) / sum(weights) if sum(weights) else ZERO


def mixed_loss(
    scores,
    targets,
    class_counts,
    features=None,
    sample_weight=None,
    *,
    eta=0.5,
    alpha=None,
    class_weight=None,
    tau=0.0,
    rectify="unadjusted",
    **options,
):
    """Eq. 8, summed over targets: alpha * L_crl + (1 - alpha) * L_ce.

    `class_counts` and `class_weight` hold one list for every target; `sample_weight` holds a
    number for every sample, or a list of one for each of its labels.
    """
    n_classes = [len(counts) for counts in class_counts]
    targets = targets.reshape(len(scores), len(n_classes))
    if sample_weight is None:
        sample_weight = [1.0] * len(scores)
    if class_weight is None:
        class_weight = [[1.0] * k for k in n_classes]
    total = ZERO
    for j, raw in enumerate(scores.split(tuple(n_classes), dim=1)):
        counts = torch.tensor(class_counts[j], dtype=torch.float64)
        adjusted = raw + tau * (counts / counts.sum()).log() if tau else raw
        of_target = [w[j] if isinstance(w, list) else w for w in sample_weight]
        weighing = zip(targets[:, j].tolist(), of_target, strict=True)
        codes = [-1 if w == 0 else code for code, w in weighing]
        f = features[:, j] if features is not None and features.dim() == 3 else features
        ce = cross_entropy(adjusted, codes, class_weight[j], of_target)
        crl = one_target(adjusted if rectify == "adjusted" else raw, codes, f, **options)
        a = min(eta * imbalance(class_counts[j]), 1.0) if alpha is None else alpha
        total = total + a * crl + (1 - a) * ce
    return total


def threshold_adjusted(p, shares, exponent):
    """The paper's threshold adjustment of one sample: p_i exp(-r_i)^T, made to sum to 1."""
    adjusted = [p[c] * exp(-shares[c]) ** exponent for c in range(len(p))]
    return [value / sum(adjusted) for value in adjusted]


def logit_adjusted(p, shares, tau):
    """Logit adjustment of one sample (Menon et al., 2021): log p_i - tau log pi_i, as p again."""
    adjusted = [exp(log(p[c]) - tau * log(shares[c])) if p[c] else 0.0 for c in range(len(p))]
    return [value / sum(adjusted) for value in adjusted]


def offset_decision(p, offsets):
    """The class of the highest log p_i + b_i, the first of equal ones; never one of p_i = 0."""
    scores = [log(p[c]) + offsets[c] if p[c] else -inf for c in range(len(p))]
    return scores.index(max(scores))


def balanced_accuracy_of_offsets(table, codes, weight, offsets):
    """Eq. 17-18 of the decisions with offsets, over the classes that there are."""
    sensitivities = []
    for c in sorted(set(codes)):
        rows = [i for i, code in enumerate(codes) if code == c]
        right = [i for i in rows if offset_decision(table[i], offsets) == c]
        sensitivities.append(sum(weight[i] for i in right) / sum(weight[i] for i in rows))
    return sum(sensitivities) / len(sensitivities)


def between(points):
    """A value between any two neighbours of these, and one beyond either end."""
    points = sorted({point for point in points if abs(point) < inf})
    if not points:
        return [0.0]
    distinct = [(low, high) for low, high in pairwise(points) if high - low > ROUNDING]
    middles = [(low + high) / 2 for low, high in distinct]
    return [points[0] - 1, *middles, points[-1] + 1]


def crossing(p, one, other):
    """The offset of class `one`, less that of `other`, from which on it beats it."""
    if not p[one]:
        return inf
    return log(p[other]) - log(p[one]) if p[other] else -inf


def best_of_one_offset(table, codes, weight, offsets, c):
    """The highest balanced accuracy that a change of the offset of class c reaches."""
    others = [j for j in range(len(offsets)) if j != c]
    points = [crossing(p, c, j) + offsets[j] for p in table for j in others]
    tried = [[*offsets[:c], value, *offsets[c + 1 :]] for value in between(points)]
    return max(balanced_accuracy_of_offsets(table, codes, weight, b) for b in tried)


def best_of_all_offsets(table, codes, weight):
    """The highest balanced accuracy that offsets of three classes reach: every cell of the plane.

    The lines b_1 = t, b_2 = t and b_2 - b_1 = t at all crossings t cut the plane into cells; strips
    between neighbouring corners of cells are cut by lines that do not cross in them.
    """
    first = [crossing(p, 1, 0) for p in table]
    second = [crossing(p, 2, 0) for p in table]
    apart = [crossing(p, 2, 1) for p in table]
    corners = [two - d for two in second for d in apart if abs(two) < inf and abs(d) < inf]
    return max(
        balanced_accuracy_of_offsets(table, codes, weight, [0.0, b_1, b_2])
        for b_1 in between([*first, *corners])
        for b_2 in between([*second, *(b_1 + d for d in apart)])
    )


# Dynamic Curriculum Learning (Wang et al., ICCV 2019)


def sampling_schedule(name, epoch, n_epochs, decay):
    """g(l): 1 in the first epoch, towards 0 in the last."""
    return {
        "convex": cos(pi * epoch / (2 * n_epochs)),
        "linear": 1 - epoch / n_epochs,
        "concave": decay**epoch,
        "composite": (cos(pi * epoch / n_epochs) + 1) / 2,
    }[name]


def scheduled_shares(counts, g):
    """D_target = D_train^g, normalised, over the classes that there are."""
    raised = [n**g if n else 0.0 for n in counts]
    return [share / sum(raised) for share in raised]


def decayed_alpha(alpha, epoch, n_epochs):
    """The loss scheduler's cosine, on the weight of class rectification."""
    return alpha * (cos(pi * epoch / n_epochs) + 1) / 2


def tau_normalized(weights, feature, tau):
    """The scores of one sample, w_c / ||w_c||^tau times its feature, without biases."""
    scores = []
    for w in weights:
        norm = sum(value**2 for value in w) ** 0.5
        scores.append(sum(value / norm**tau * f for value, f in zip(w, feature, strict=True)))
    return scores
