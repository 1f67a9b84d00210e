"""The panel runs on real Qt and real MRML, through stand-ins that refuse what Slicer does not offer."""

from panel.panel_fixtures import open_panel, python_slicer, tiny_model, tiny_model_folder
from standins.fixtures import (
    dialogs,
    grab,
    make_widget,
    no_slot_errors,
    no_unannounced_dialogs,
    slicer_panel_environment,
    slicer_version,
    slot_errors,
    spin,
)
from standins.scene_fixtures import mrml, scene

__all__ = [
    "dialogs",
    "grab",
    "make_widget",
    "mrml",
    "no_slot_errors",
    "no_unannounced_dialogs",
    "open_panel",
    "python_slicer",
    "scene",
    "slicer_panel_environment",
    "slicer_version",
    "slot_errors",
    "spin",
    "tiny_model",
    "tiny_model_folder",
]
