"""Fixtures that every suite shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return _REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared material beside the checkout (or ``CONVNEXTSEG_SHARED``).

    A user who lacks it sees the test skipped with a message. Where ``CI`` is set the folder must be there: a check
    that silently skips is no check.
    """
    folder = Path(os.environ.get("CONVNEXTSEG_SHARED", _REPOSITORY.parent / "shared"))
    if folder.is_dir():
        return folder
    message = f"the shared test material is missing: {folder} (set CONVNEXTSEG_SHARED to where it lies)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def shared_data(shared: Path) -> Path:
    """The real images: see the README in that folder for licences and splits."""
    return shared / "data"


@pytest.fixture(autouse=True)
def private_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test's model store away from the user's own."""
    home = tmp_path / "convnextseg-home"
    monkeypatch.setenv("CONVNEXTSEG_HOME", str(home))
    return home
