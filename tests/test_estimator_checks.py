"""scikit-learn's own checks of an estimator."""

import os
import subprocess
import sys

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from sk_crl import CRLClassifier

# Checks that are expected to fail, and why. No others may.
EXPECTED_FAILED_CHECKS = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a sample of weight 2 stands once in the batches of an epoch, two samples stand twice: "
        "the order of training differs, and mining ignores weights by design"
    ),
}

# Fewer and larger steps where the configuration does not depend on them.
CONFIGURATIONS = [
    CRLClassifier(),
    CRLClassifier(early_stopping=True),
    CRLClassifier(level="instance", max_epochs=40, lr=0.01),
    CRLClassifier(logit_adjustment="loss", max_epochs=40, lr=0.01),
]


def expected_failed_checks(estimator):
    return EXPECTED_FAILED_CHECKS


@parametrize_with_checks(CONFIGURATIONS, expected_failed_checks=expected_failed_checks)
def test_scikit_learn(estimator, check):
    check(estimator)


def name_of(check):
    return getattr(check, "func", check).__name__


@pytest.mark.parametrize("estimator", CONFIGURATIONS, ids=repr)
def test_no_check_is_expected_to_fail_that_passes(estimator):
    checks = [
        (instance, check)
        for instance, check in estimator_checks_generator(estimator)
        if name_of(check) in EXPECTED_FAILED_CHECKS
    ]
    assert {name_of(check) for _, check in checks} == EXPECTED_FAILED_CHECKS.keys()
    for instance, check in checks:
        with pytest.raises((AssertionError, ValueError)):
            check(instance)


def test_at_most_the_equivalence_of_sample_weights_is_expected_to_fail():
    assert EXPECTED_FAILED_CHECKS.keys() <= {"check_sample_weight_equivalence_on_dense_data"}
    assert all(EXPECTED_FAILED_CHECKS.values())


def test_array_api_input():
    """Run what scikit-learn skips unless SCIPY_ARRAY_API is set before SciPy is imported."""
    code = """
import torch; torch.set_num_threads(1)
from sklearn.utils.estimator_checks import estimator_checks_generator
from sk_crl import CRLClassifier
checks = estimator_checks_generator(CRLClassifier(max_epochs=3))
for estimator, check in checks:
    if "array_api" in getattr(check, "func", check).__name__:
        check(estimator)
"""
    environment = os.environ | {"SCIPY_ARRAY_API": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
