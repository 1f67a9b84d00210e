"""The framework of planted faults itself: it breaks the copy only, and a fault that cannot be planted is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.planting import CannotPlant, Fault, planted, run_tests

SOURCE = "def add(a, b):\n    return a + b\n"
TEST = "from sums import add\n\ndef test_add():\n    assert add(2, 3) == 5\n"
TESTS = ("Testing/test_sums.py",)


@pytest.fixture()
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "ConvNeXtSeg").mkdir()
    (tmp_path / "Testing").mkdir()
    (tmp_path / "ConvNeXtSeg" / "sums.py").write_text(SOURCE)
    (tmp_path / "Testing" / "test_sums.py").write_text(TEST)
    return tmp_path


def _fault(old: str, new: str) -> Fault:
    return Fault("adds wrongly", "ConvNeXtSeg/sums.py", old, new, TESTS)


def test_a_planted_fault_turns_its_test_red(checkout: Path) -> None:
    assert run_tests(checkout, TESTS, checkout)[0]
    with planted(_fault("a + b", "a - b"), checkout):
        green, said = run_tests(checkout, TESTS, checkout)
    assert not green
    assert "test_add" in said
    assert (checkout / "ConvNeXtSeg" / "sums.py").read_text() == SOURCE


@pytest.mark.parametrize(("old", "new"), [("a * b", "a - b"), ("a", "b"), ("a + b", "a + b")])
def test_a_fault_that_does_not_fit_the_source_is_an_error(checkout: Path, old: str, new: str) -> None:
    with pytest.raises(CannotPlant), planted(_fault(old, new), checkout):
        pytest.fail("the fault was planted")
    assert (checkout / "ConvNeXtSeg" / "sums.py").read_text() == SOURCE


def test_a_selection_without_tests_is_an_error_and_not_a_red_test(checkout: Path) -> None:
    with pytest.raises(RuntimeError, match="status"):
        run_tests(checkout, ("Testing/test_sums.py::test_gone",), checkout)
