"""What the sections are given to work with; tests hand in fakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import slicer
from convnextseg_engine.models.store import ModelStore

from ..parameters import Parameters
from ..process.exchange_folder import ExchangeFolder
from ..process.python_finder import WorkerLaunch, slicer_launch
from ..process.worker import Worker
from ..process.worker_process import WorkerProcess
from ..setup.installer import Installer
from ..setup.settings import Settings


@dataclass(frozen=True)
class Collaborators:
    """Everything outside the panel that its sections use.

    Attributes:
        scene: Slicer's scene.
        parameters: What the user has chosen, kept in the scene.
        settings: What is set for this computer.
        segment_worker: Segments.
        train_worker: Fine-tunes, so that segmenting stays possible meanwhile.
        exchange: The private folder through which images pass, made at the first use.
        store: Gives the models; opened anew at each use, because other programs may add versions.
        installer: Knows and installs the workers' requirements.
    """

    scene: slicer.vtkMRMLScene
    parameters: Parameters
    settings: Settings
    segment_worker: Worker
    train_worker: Worker
    exchange: ExchangeFolder
    store: Callable[[], ModelStore]
    installer: Installer

    def close(self) -> None:
        """End the workers and everything that was begun for them."""
        self.installer.cancel()
        self.segment_worker.close()
        self.train_worker.close()
        self.exchange.close()
        self.parameters.release()


def real_collaborators(scene: slicer.vtkMRMLScene) -> Collaborators:
    """Return what the panel works with in Slicer."""
    settings = Settings()

    def launch() -> WorkerLaunch:
        return slicer_launch(settings.python_path, settings.private_folder, settings.idle_minutes)

    return Collaborators(
        scene=scene,
        parameters=Parameters(scene),
        settings=settings,
        segment_worker=WorkerProcess("segment", launch),
        train_worker=WorkerProcess("train", launch),
        exchange=ExchangeFolder(),
        store=ModelStore,
        installer=Installer(settings, confirm=slicer.util.confirmYesNoDisplay),
    )
