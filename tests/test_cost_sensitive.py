"""Cost-sensitive class weights for any classifier."""

from math import exp

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight

from sk_crl import CRLClassifier
from sk_crl.baselines import cost_sensitive_weights

Y = {
    "strings": ["b"] * 6 + ["a"] * 3 + ["c"],
    "integers": [7] * 6 + [-2] * 3 + [30],
    "booleans": [True] * 8 + [False] * 2,
}


@pytest.mark.parametrize("y", Y.values(), ids=Y)
def test_weights_are_those_of_the_paper(y):
    weights = cost_sensitive_weights(y)
    assert weights == pytest.approx({c: exp(-y.count(c) / len(y)) for c in y}, rel=1e-15)
    assert [type(label) for label in weights] == [type(y[0])] * len(weights)


@pytest.mark.parametrize("y", Y.values(), ids=Y)
def test_balanced_weights_are_scikit_learns(y):
    classes = np.unique(y)
    expected = compute_class_weight("balanced", classes=classes, y=np.array(y))
    expected = dict(zip(classes.tolist(), expected.tolist(), strict=True))
    assert cost_sensitive_weights(y, "balanced") == pytest.approx(expected, rel=1e-15)


def test_several_targets_with_missing_labels():
    frame = pd.DataFrame({"colour": ["red", "blue", None, "red"], "size": [1, 1, 2, -1]})
    colour, size = cost_sensitive_weights(frame, missing_label=-1)
    assert colour == pytest.approx({"blue": exp(-1 / 3), "red": exp(-2 / 3)})
    assert size == pytest.approx({1: exp(-2 / 3), 2: exp(-1 / 3)})


@pytest.mark.parametrize("kind", ["exp", "balanced"])
def test_any_classifier_takes_them(table, kind):
    X, y = table
    names = np.array(["a", "b", "c"])[y]
    ours = LogisticRegression(class_weight=cost_sensitive_weights(names, kind)).fit(X, names)
    if kind == "balanced":
        theirs = LogisticRegression(class_weight="balanced").fit(X, names)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6)
    assert ours.class_weight.keys() == {"a", "b", "c"}
    both = np.column_stack([y, y > 0])
    forest = RandomForestClassifier(3, class_weight=cost_sensitive_weights(both, kind))
    assert forest.set_params(random_state=0).fit(X, both).predict(X).shape == (120, 2)


@pytest.mark.parametrize("kind", ["exp", "balanced"])
def test_by_name_our_estimators_have_the_same(table, kind):
    settings = {"max_epochs": 1, "random_state": 0, "device": "cpu", "logit_adjustment": None}
    X, y = table
    by_name = CRLClassifier(class_weight=kind, **settings).fit(X, y)
    by_label = CRLClassifier(class_weight=cost_sensitive_weights(y, kind), **settings).fit(X, y)
    np.testing.assert_array_equal(by_name.predict_proba(X), by_label.predict_proba(X))


@pytest.mark.parametrize(
    ("y", "kind", "message"),
    [
        (["a", "b"], "inverse", "kind must be one of 'exp', 'balanced'; got 'inverse'"),
        (["a", "b"], None, "kind must be one of"),
        (None, "exp", "requires y"),
        ([0.5, 1.5], "exp", "continuous"),
        ([[0, None], [1, None]], "exp", "target 1, has no label at all"),
    ],
)
def test_bad_input(y, kind, message):
    with pytest.raises(ValueError, match=message):
        cost_sensitive_weights(y, kind)
