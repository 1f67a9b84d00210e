"""Faults before and around a segmentation: which image is which, where it lies, and which cases are done."""

from __future__ import annotations

from .planting import Fault

_ENGINE = "ConvNeXtSeg/convnextseg_engine"
_TESTS = "Testing/engine"

FAULTS = (
    Fault(
        "an image with contrast agent is taken for one without",
        f"{_ENGINE}/images/sequences/recognise.py",
        'return Recognition("T1c", reason=f"{known}, and {by}: with contrast agent.")',
        'return Recognition("T1", reason=f"{known}, and {by}: with contrast agent.")',
        (f"{_TESTS}/sequences/test_recognise.py::test_the_reason_names_the_words_that_decided",),
    ),
    Fault(
        "a channel is moved the wrong way",
        f"{_ENGINE}/preparing/rigid.py",
        "        back = self.inverse()\n",
        "        back = self\n",
        (f"{_TESTS}/preparing/test_rigid.py::test_folding_it_into_the_geometry_is_resampling_through_it",),
    ),
    Fault(
        "the brain is removed and the rest stays",
        f"{_ENGINE}/preparing/brain_mask.py",
        "array[~inside] = 0",
        "array[inside] = 0",
        (f"{_TESTS}/preparing/test_brain_mask.py::test_outside_it_is_exactly_zero_and_inside_nothing_changes",),
    ),
    Fault(
        "a cohort segments again what is done",
        f"{_ENGINE}/cohort/results.py",
        "        if not path.is_file():\n",
        "        if True:\n",
        (f"{_TESTS}/cohort/test_cohort_run.py::test_a_second_run_does_only_what_is_left",),
    ),
    Fault(
        "an old result passes for one of images that have changed since",
        f"{_ENGINE}/cohort/results.py",
        '        if report.get("inputs") != case.fingerprint():\n',
        "        if False:\n",
        (f"{_TESTS}/cohort/test_cohort_run.py::test_changed_images_are_told_and_nothing_is_overwritten",),
    ),
)
