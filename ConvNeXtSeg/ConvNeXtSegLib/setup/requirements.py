"""Which Python packages the worker needs, and which of them are there.

Read from package metadata only: importing torch into Slicer's process to see whether it is there would be the very
thing that the worker exists to avoid.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

try:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name
except ImportError:  # Slicer 5.10 has it only inside pip
    from pip._vendor.packaging.requirements import Requirement
    from pip._vendor.packaging.utils import canonicalize_name

REQUIREMENTS_FILE = Path(__file__).resolve().parents[2] / "Resources" / "requirements.txt"
TORCH = "torch"


@dataclass(frozen=True)
class RequirementState:
    """One package.

    Attributes:
        requirement: As in the requirements file, for example ``"monai>=1.5"``.
        name: Its name.
        installed: Version that is there, or None.
        satisfied: Whether that version will do.
    """

    requirement: str
    name: str
    installed: str | None
    satisfied: bool


def requirements() -> list[str]:
    """Return the lines of the requirements file, in the order in which they are to be installed."""
    lines = REQUIREMENTS_FILE.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def requirement_states(private_folder: str = "") -> list[RequirementState]:
    """Return what is there of each requirement.

    Args:
        private_folder: Folder of packages that only the worker sees, looked into first; empty if there is none.
    """
    private = {
        canonicalize_name(found.name): found.version
        for found in (metadata.distributions(path=[private_folder]) if private_folder else ())
    }
    return [_state(Requirement(line), private) for line in requirements()]


def frozen_packages(to_install: Iterable[str]) -> list[str]:
    """Return ``name==version`` of every package that is installed here, except those that are to be installed.

    As pip's constraints they keep an installation from replacing anything that Slicer or another extension brought.
    """
    free = {canonicalize_name(Requirement(line).name) for line in to_install}
    found = {canonicalize_name(d.name): d.version for d in metadata.distributions() if d.name and d.version}
    return sorted(f"{name}=={version}" for name, version in found.items() if name not in free)


def _state(requirement: Requirement, private: dict[str, str]) -> RequirementState:
    installed = private.get(canonicalize_name(requirement.name)) or _installed(requirement.name)
    satisfied = installed is not None and requirement.specifier.contains(installed, prereleases=True)
    return RequirementState(str(requirement), requirement.name, installed, satisfied)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
