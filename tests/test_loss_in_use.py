"""The loss in the hands of others: states, dtypes, modes, schedules."""

import pandas as pd
import pytest
import torch

from sk_crl import CRLClassifier
from sk_crl._layout import _pad_index
from sk_crl.loss import ClassRectificationLoss, PreparedLabels, class_rectification
from sk_crl.training._validation import validate

COUNTS = [[90, 10], [50, 30, 20]]


def batch(n_samples=30):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(n_samples, 5, generator=generator)
    targets = [torch.randint(k, (n_samples,), generator=generator) for k in (2, 3)]
    return scores, torch.stack(targets, dim=1)


def test_settings_are_no_part_of_the_state():
    rectifying = ClassRectificationLoss(COUNTS, alpha=0.5)
    plain = ClassRectificationLoss(COUNTS, alpha=0.0)
    expected = plain(*batch())
    plain.load_state_dict(rectifying.state_dict())
    assert plain(*batch()) == expected


def test_alpha_can_be_scheduled():
    loss = ClassRectificationLoss(COUNTS, alpha=0.0)
    given = torch.tensor([0.1, 0.2])
    loss.alpha = given
    given[0] = 0.9
    assert loss.alpha.tolist() == pytest.approx([0.1, 0.2])
    rectification = class_rectification(*batch(), [2, 3])
    expected = torch.lerp(cross_entropies(), rectification, torch.tensor([0.1, 0.2])).sum()
    torch.testing.assert_close(loss(*batch()), expected)


def cross_entropies():
    scores, targets = batch()
    parts = zip(scores.split([2, 3], dim=1), targets.T, strict=True)
    return torch.stack([torch.nn.functional.cross_entropy(s, t) for s, t in parts])


@pytest.mark.parametrize("alpha", [[0.1], [0.1, 0.2, 0.3], 1.5, [-0.1, 0.2]])
def test_an_alpha_that_does_not_fit(alpha):
    loss = ClassRectificationLoss(COUNTS, alpha=0.3)
    with pytest.raises(ValueError, match=r"alpha must be .* 2 of them"):
        loss.alpha = alpha
    assert loss.alpha.tolist() == pytest.approx([0.3, 0.3])


def test_inference_first_and_training_after():
    _pad_index.cache_clear()
    scores, targets = batch()
    with torch.inference_mode():
        class_rectification(scores, targets, [2, 3])
    scores = scores.clone().requires_grad_()
    class_rectification(scores, targets, [2, 3]).sum().backward()
    assert scores.grad.abs().sum() > 0


def test_zero_features_in_half_precision_have_a_finite_gradient():
    features = torch.ones(8, 4, dtype=torch.float16)
    features[0] = 0
    features.requires_grad_()
    targets = torch.tensor([0, 0, 0, 1, 1, 1, 1, 1])
    class_rectification(
        torch.zeros(8, 2), targets, features=features, level="instance"
    ).sum().backward()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("settings", [{}, {"tau": 1.0, "rectify": "adjusted"}], ids=str)
def test_a_loss_in_double_precision_takes_single_precision(settings):
    scores, targets = batch()
    expected = ClassRectificationLoss(COUNTS, **settings)(scores, targets)
    value = ClassRectificationLoss(COUNTS, **settings).double()(scores, targets)
    torch.testing.assert_close(value, expected)


def test_class_counts_as_a_series():
    counts = pd.Series([9, 1], index=["common", "rare"])
    assert ClassRectificationLoss(counts).omega == ClassRectificationLoss([9, 1]).omega


def test_a_batch_size_of_zero():
    with pytest.raises(ValueError, match="batch_size"):
        ClassRectificationLoss(COUNTS).prepare(batch()[1], batch_size=0)


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
@pytest.mark.parametrize(
    "settings", [{}, {"kappa": 3}, {"level": "instance"}], ids=["class", "few hard", "instance"]
)
def test_compiles_as_one_graph(settings):
    """Also a check of the shapes that no label decides, which accelerators work with."""
    torch.compiler.reset()  # what other tests have compiled counts towards a limit
    loss = ClassRectificationLoss(COUNTS, **settings)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager", dynamic=True)
    for n_samples in (30, 33):
        features = torch.linspace(-1, 1, n_samples * 4).view(n_samples, 4).sin()
        scores, targets = batch(n_samples)
        torch.testing.assert_close(
            value_and_gradients(compiled, scores, targets, features),
            value_and_gradients(loss, scores, targets, features),
        )
        torch.testing.assert_close(
            compiled(scores, targets, features), loss(scores, targets, features)
        )


def value_and_gradients(function, scores, targets, features):
    inputs = [tensor.clone().requires_grad_() for tensor in (scores, features)]
    value = function(inputs[0], targets, inputs[1])
    return value, *torch.autograd.grad(value, inputs, allow_unused=True, materialize_grads=True)


def test_minority_classes_whatever_the_scale_of_the_weights():
    X = torch.randn(100, 2, generator=torch.Generator().manual_seed(0)).numpy()
    y = ["common"] * 80 + ["rare"] * 20
    for weight in (1.0, 0.01):
        model = CRLClassifier(max_epochs=1).fit(X, y, sample_weight=[weight] * 100)
        assert model.minority_classes_.tolist() == ["rare"]


def test_a_target_without_labels_does_not_lower_the_validation_loss():
    log_probabilities = torch.full((4, 2, 2), 0.5).log()
    codes = torch.tensor([[0, -1], [1, -1], [0, -1], [1, -1]])
    assert validate(log_probabilities, codes).log_loss == pytest.approx(0.6931, abs=1e-4)


def test_prepared_in_single_precision_computed_in_double():
    scores, targets = batch()
    loss = ClassRectificationLoss(COUNTS, alpha=0.5)
    (labels,) = loss.prepare(targets, batch_size=30)
    assert isinstance(labels, PreparedLabels)
    torch.testing.assert_close(loss.compute(scores.double(), labels).float(), loss(scores, targets))
