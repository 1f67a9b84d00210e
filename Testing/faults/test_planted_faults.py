"""Each planted fault must turn a test red."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import engine_faults, inference_faults, network_faults, scene_faults, study_faults, worker_faults
from faults.planting import Fault, copied_checkout, planted, run_tests

FAULTS = tuple(
    fault
    for module in (scene_faults, worker_faults, engine_faults, inference_faults, study_faults, network_faults)
    for fault in module.FAULTS
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, intact between faults."""
    return copied_checkout(Path(__file__).resolve().parents[2], tmp_path_factory.mktemp("planted"))


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_planted_fault_is_noticed(fault: Fault, copy: Path, repository: Path, request: pytest.FixtureRequest) -> None:
    if fault.needs_shared:
        request.getfixturevalue("shared")  # says so where it is missing, instead of a test that seems to notice nothing
    with planted(fault, copy):
        green, said = run_tests(copy, fault.tests, repository.parent / "shared")
    assert not green, f"no test noticed this: {fault.name}\n{said}"
