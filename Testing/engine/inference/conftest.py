from __future__ import annotations

import pytest

from convnextseg_engine.models.folder import ModelFolder
from engine.inference.tiny_model import write_tiny_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
