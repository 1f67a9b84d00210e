"""Runs inside Slicer, started by ``run_in_slicer.py``: runs the shipped self-tests and writes down how each one ended.

The results go into the file that ``CONVNEXTSEG_SELFTEST_LOG`` names, one JSON object a line, and not to the console: on
Windows Slicer has none, and Slicer's own messages would lie in between.
"""

from __future__ import annotations

import json
import os
import unittest

import slicer


class LoggedResult(unittest.TestResult):
    """Writes one line per test, flushed at once, so that a crash of Slicer shows which test it was in."""

    def __init__(self, log):
        super().__init__()
        self._log = log

    def write(self, **line):
        """Append one JSON line."""
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()

    def startTest(self, test):
        """Write that a test starts."""
        super().startTest(test)
        self.write(event="start", test=test.id())

    def addSuccess(self, test):
        """Write that a test passed."""
        super().addSuccess(test)
        self.write(event="passed", test=test.id())

    def addError(self, test, err):
        """Write that a test, or the fixture of a class, broke."""
        super().addError(test, err)
        self.write(event="failed", test=test.id(), details=self.errors[-1][1])

    def addFailure(self, test, err):
        """Write that a test failed."""
        super().addFailure(test, err)
        self.write(event="failed", test=test.id(), details=self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        """Write a failed part of a test; the parts that pass are not written one by one."""
        super().addSubTest(test, subtest, err)
        if err is not None:
            details = f"{subtest.id()}\n{self._exc_info_to_string(err, test)}"
            self.write(event="failed", test=test.id(), details=details)

    def addSkip(self, test, reason):
        """Write that a test was skipped, and why."""
        super().addSkip(test, reason)
        self.write(event="skipped", test=test.id(), details=reason)

    def addExpectedFailure(self, test, err):
        """Write an expected failure as passed."""
        super().addExpectedFailure(test, err)
        self.write(event="passed", test=test.id())

    def addUnexpectedSuccess(self, test):
        """Write an unexpected success as failed, as unittest counts it."""
        super().addUnexpectedSuccess(test)
        self.write(event="failed", test=test.id(), details="expected to fail, but passed")


class ModuleIsLoaded(unittest.TestCase):
    """Slicer itself found the module and made it: without this, the rest would only test files."""

    def test_slicer_has_loaded_the_module(self):
        """Slicer lists the module among its own."""
        self.assertTrue(hasattr(slicer.modules, "convnextseg"), "Slicer did not load the module ConvNeXtSeg")


def suite():
    """Return every test of the package ``ConvNeXtSegLib.selftest``, behind the check that the module is loaded."""
    from ConvNeXtSegLib.selftest import suite as shipped

    return unittest.TestSuite([unittest.defaultTestLoader.loadTestsFromTestCase(ModuleIsLoaded), shipped()])


def run():
    """Run all tests and end Slicer with status 0 only if every one passed."""
    with open(os.environ["CONVNEXTSEG_SELFTEST_LOG"], "a", encoding="utf-8") as log:  # noqa: PTH123
        result = LoggedResult(log)
        try:
            suite().run(result)
        except Exception as error:
            result.write(event="failed", test="finding the self-tests", details=f"{type(error).__name__}: {error}")
        result.write(event="done", run=result.testsRun, slicer=slicer.app.applicationVersion)
    slicer.util.exit(0 if result.wasSuccessful() and result.testsRun else 1)


run()
