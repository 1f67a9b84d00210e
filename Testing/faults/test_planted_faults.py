"""Each planted fault must turn a test red."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import engine_faults, scene_faults, worker_faults
from faults.planting import Fault, copied_checkout, planted, run_tests

FAULTS = (*scene_faults.FAULTS, *worker_faults.FAULTS, *engine_faults.FAULTS)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, intact between faults."""
    return copied_checkout(Path(__file__).resolve().parents[2], tmp_path_factory.mktemp("planted"))


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_planted_fault_is_noticed(fault: Fault, copy: Path, repository: Path) -> None:
    with planted(fault, copy):
        green, said = run_tests(copy, fault.tests, repository.parent / "shared")
    assert not green, f"no test noticed this: {fault.name}\n{said}"
