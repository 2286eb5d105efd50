"""scikit-learn's own checks of the estimators."""

import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from sk_crl import CRLClassifier, MultiOutputCRLClassifier
from sk_crl.baselines import (
    HOGKNNClassifier,
    LMLEClassifier,
    LogitAdjustedClassifier,
    LossClassifier,
    MultiOutputLossClassifier,
    MultiOutputResampledClassifier,
    OffsetTunedClassifier,
    PriorThresholdClassifier,
    ResampledClassifier,
    RetrainedHeadClassifier,
    TauNormalizedClassifier,
    TripletKNNClassifier,
)
from sk_crl.training import DynamicBatches

# Checks that are expected to fail, and why. No others may.
EXPECTED_FAILED_CHECKS = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a sample of weight 2 stands once in the batches of an epoch, two samples stand twice: "
        "the order of training differs, and mining ignores weights by design"
    ),
}

ONE_DIMENSION = (
    "labels of one dimension are refused, as the tags of the estimator say, and the check gives it "
    "no others"
)
LISTS = "a list with an array for every target, as wide as it has classes, is compared to an array"
EXPECTED_FAILED_CHECKS_OF_SEVERAL_TARGETS = EXPECTED_FAILED_CHECKS | {
    "check_classifiers_one_label": ONE_DIMENSION,
    "check_classifiers_one_label_sample_weights": ONE_DIMENSION,
    "check_classifiers_classes": ONE_DIMENSION,
    "check_classifiers_regression_target": ONE_DIMENSION,
    "check_class_weight_classifiers": ONE_DIMENSION,
    "check_classifiers_train": "predictions of shape (n, 1) are expected to have shape (n,)",
    "check_methods_sample_order_invariance": LISTS,
}

# Around a classifier whose answers are lists, of those of several targets.
EXPECTED_FAILED_CHECKS_AROUND_SEVERAL_TARGETS = {
    "check_classifiers_one_label": ONE_DIMENSION,
    "check_classifiers_one_label_sample_weights": ONE_DIMENSION,
    "check_classifiers_classes": ONE_DIMENSION,
    "check_classifiers_train": "predictions of shape (n, 1) are expected to have shape (n,)",
    "check_methods_sample_order_invariance": LISTS,
    "check_estimator_sparse_array": LISTS,
    "check_estimator_sparse_matrix": LISTS,
}

EXPECTED_FAILED_CHECKS_OF_EMBEDDINGS = {
    "check_supervised_y_2d": (
        "labels of two dimensions get a network with a branch for every target, and those of one "
        "dimension a network without branches"
    ),
}

# What they fail with, so that no other failure hides behind an expected one.
FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (AssertionError, "Not equal to tolerance"),
    "check_classifiers_one_label": (AssertionError, "only one class"),
    "check_classifiers_one_label_sample_weights": (AssertionError, "failed when fitted on one lab"),
    "check_classifiers_classes": (ValueError, "target; got shape|y must have at least two dim"),
    "check_classifiers_regression_target": (AssertionError, "Unknown label type"),
    "check_class_weight_classifiers": (ValueError, "a column for every target; got shape"),
    "check_classifiers_train": (AssertionError, "^$"),  # a bare assert of the shape
    "check_methods_sample_order_invariance": (IndexError, "list index out of range"),
    "check_estimator_sparse_array": (AssertionError, "fail gracefully on sparse data"),
    "check_estimator_sparse_matrix": (AssertionError, "fail gracefully on sparse data"),
    "check_supervised_y_2d": (AssertionError, "Not equal to tolerance"),
}


class HOGOfRows(HOGKNNClassifier):
    """HOG + kNN of rows, for checks that know no images: a shaded square for every feature.

    The shading's direction is the feature's value.
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = True, False
        return tags

    def _histograms(self, images):
        angle = np.pi / 2 * np.tanh(images / 5)[:, None, :, None]
        row, column = np.indices((8, 8))[:, None, :, None, :]
        shade = np.cos(angle) * row + np.sin(angle) * column
        return super()._histograms(shade.reshape(len(images), 8, -1))


# Checks set the seed of an estimator, but not of another inside it.
REPEATABLE = {"n_members": 1, "max_epochs": 40, "lr": 0.01, "random_state": 0}

# Fewer and larger steps where the configuration does not depend on them.
CONFIGURATIONS = [
    CRLClassifier(n_members=3, max_epochs=40),
    MultiOutputCRLClassifier(n_members=3, max_epochs=40),
    CRLClassifier(n_members=1),
    CRLClassifier(n_members=1, early_stopping=True),
    CRLClassifier(n_members=1, level="instance", max_epochs=40, lr=0.01),
    CRLClassifier(n_members=1, logit_adjustment="loss", max_epochs=40, lr=0.01),
    CRLClassifier(
        n_members=1, batch_sampler=DynamicBatches(), alpha_decay="cosine", max_epochs=40, lr=0.01
    ),
    MultiOutputCRLClassifier(n_members=1, max_epochs=40, lr=0.01),
    MultiOutputCRLClassifier(n_members=1, early_stopping=True, max_epochs=40, lr=0.01),
    MultiOutputCRLClassifier(n_members=1, level="instance", max_epochs=40, lr=0.01),
    PriorThresholdClassifier(LogisticRegression(max_iter=1000)),
    LogitAdjustedClassifier(LogisticRegression(max_iter=1000)),
    OffsetTunedClassifier(LogisticRegression(max_iter=1000)),
    OffsetTunedClassifier(MultiOutputClassifier(LogisticRegression(max_iter=1000))),
    LMLEClassifier(),
    TripletKNNClassifier(max_epochs=10),
    HOGOfRows(orientations=30, cells_per_block=1),
    ResampledClassifier(),
    ResampledClassifier(sampler="smote", max_epochs=40, lr=0.01),
    ResampledClassifier(sampler="down", early_stopping=True),
    MultiOutputResampledClassifier(max_epochs=40, lr=0.01),
    MultiOutputResampledClassifier(sampler="down", max_epochs=40, lr=0.01),
    LossClassifier(),
    LossClassifier(loss="class_balanced", early_stopping=True),
    LossClassifier(loss="ldam", max_epochs=40, lr=0.01),
    LossClassifier(loss="balanced_softmax", max_epochs=40, lr=0.01),
    MultiOutputLossClassifier(max_epochs=40, lr=0.01),
    MultiOutputLossClassifier(loss="ldam", max_epochs=40, lr=0.01),
    RetrainedHeadClassifier(CRLClassifier(**REPEATABLE), max_epochs=40),
    RetrainedHeadClassifier(MultiOutputCRLClassifier(**REPEATABLE | {"max_epochs": 20})),
    TauNormalizedClassifier(CRLClassifier(**REPEATABLE), cv=2),
    TauNormalizedClassifier(MultiOutputCRLClassifier(**REPEATABLE), cv=2),
]

# Of the small data that checks make.
small_data = pytest.mark.filterwarnings(
    "ignore:Classes .* have fewer rows than n_clusters:UserWarning",
    "ignore:Classes .* have a single row each:UserWarning",
    "ignore:n_neighbors=.* is more than:UserWarning",
)


def expected_failed_checks(estimator):
    if isinstance(estimator, MultiOutputCRLClassifier | MultiOutputLossClassifier):
        return EXPECTED_FAILED_CHECKS_OF_SEVERAL_TARGETS
    if isinstance(estimator, CRLClassifier | LossClassifier):
        return EXPECTED_FAILED_CHECKS
    if isinstance(estimator, LMLEClassifier | TripletKNNClassifier):
        return EXPECTED_FAILED_CHECKS_OF_EMBEDDINGS
    inner = getattr(estimator, "estimator", None)
    if isinstance(inner, CRLClassifier | MultiOutputCRLClassifier):
        expected = dict(expected_failed_checks(inner))
        expected.pop("check_class_weight_classifiers", None)  # for estimators with class weights
        return expected
    if isinstance(inner, MultiOutputClassifier):
        return EXPECTED_FAILED_CHECKS_AROUND_SEVERAL_TARGETS
    return {}


@small_data
@parametrize_with_checks(CONFIGURATIONS, expected_failed_checks=expected_failed_checks)
def test_scikit_learn(estimator, check):
    check(estimator)


def name_of(check):
    return getattr(check, "func", check).__name__


@pytest.mark.filterwarnings("ignore:Classes .* have a single sample:UserWarning")
@small_data
@pytest.mark.filterwarnings("ignore:SMOTE needs more neighbours:UserWarning")
@pytest.mark.parametrize("estimator", CONFIGURATIONS, ids=repr)
def test_no_check_is_expected_to_fail_that_passes(estimator):
    expected = expected_failed_checks(estimator)
    checks = [
        (instance, check)
        for instance, check in estimator_checks_generator(estimator)
        if name_of(check) in expected
    ]
    assert {name_of(check) for _, check in checks} == expected.keys()
    for instance, check in checks:
        error, message = FAILURES[name_of(check)]
        with pytest.raises(error, match=message):
            check(instance)


class OneOfSeveralTargets(MultiOutputCRLClassifier):
    """A column of several targets as the only one, which puts labels of one dimension in and out.

    With it run the checks whose failure has to do with dimensions and lists alone.
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output, tags.target_tags.multi_output = True, False
        tags.classifier_tags.multi_label = False
        return tags

    def fit(self, X, y, sample_weight=None):
        super().fit(X, np.reshape(y, (-1, 1)), sample_weight)
        return self._unlisted()

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        super().partial_fit(X, np.reshape(y, (-1, 1)), classes, sample_weight)
        return self._unlisted()

    def _unlisted(self):
        self.classes_ = self.classes_[0]
        return self

    def predict(self, X):
        return super().predict(X)[:, 0]

    def predict_proba(self, X):
        return super().predict_proba(X)[0]


RUN_WITH_ONE_TARGET = (
    EXPECTED_FAILED_CHECKS_OF_SEVERAL_TARGETS.keys() - EXPECTED_FAILED_CHECKS.keys()
)


def checks_of_one_target():
    for settings in [{"n_members": 1}, {"early_stopping": True}, {"n_members": 3}]:
        estimator = OneOfSeveralTargets(max_epochs=60, lr=0.01, random_state=0, **settings)
        for instance, check in estimator_checks_generator(estimator):
            if name_of(check) in RUN_WITH_ONE_TARGET:
                yield pytest.param(instance, check, id=f"{name_of(check)}-{settings}")


@pytest.mark.parametrize(("estimator", "check"), list(checks_of_one_target()))
def test_scikit_learn_with_one_of_several_targets(estimator, check):
    check(estimator)


def test_every_check_of_one_target_is_run():
    run = {parameters.id.partition("-")[0] for parameters in checks_of_one_target()}
    assert run == RUN_WITH_ONE_TARGET


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sk_crl", "CRLClassifier"),
        ("sk_crl", "MultiOutputCRLClassifier"),
        ("sk_crl.baselines", "TripletKNNClassifier"),
    ],
)
def test_array_api_input(module, name):
    """Run what scikit-learn skips unless SCIPY_ARRAY_API is set before SciPy is imported."""
    code = f"""
import torch; torch.set_num_threads(1)
from sklearn.utils.estimator_checks import estimator_checks_generator
from {module} import {name}
checks = estimator_checks_generator({name}(max_epochs=3))
for estimator, check in checks:
    if "array_api" in getattr(check, "func", check).__name__:
        check(estimator)
"""
    environment = os.environ | {"SCIPY_ARRAY_API": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
