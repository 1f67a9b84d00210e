"""Installing requirements into Slicer itself: torch through the PyTorch extension, the rest with pip."""

from __future__ import annotations

import importlib
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from slicer.i18n import tr as _

import slicer
from convnextseg_engine.errors import ConvNeXtSegError, InputError

from .requirements import TORCH, frozen_packages

REQUESTER = "ConvNeXtSeg"


def install_into_slicer(missing: Sequence[str]) -> None:
    """Install requirement lines into Slicer's own Python; waits until it is done.

    Nothing that is installed already is replaced: every present package is a constraint.

    Args:
        missing: Lines of the requirements file.

    Raises:
        InputError: If torch is missing and so is the PyTorch extension.
        ConvNeXtSegError: If an installation fails.
    """
    for line in missing:
        if line.startswith(TORCH):
            _install_torch(line.removeprefix(TORCH))
    rest = [line for line in missing if not line.startswith(TORCH)]
    if not rest:
        return
    with tempfile.TemporaryDirectory(prefix="convnextseg-") as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(frozen_packages(rest)) + "\n", encoding="utf-8")
        try:
            _pip_install(rest, constraints)
        except (subprocess.CalledProcessError, RuntimeError) as error:
            raise _failed(str(error)) from error


def _install_torch(version: str) -> None:
    try:
        extension = importlib.import_module("PyTorchUtils")
    except ImportError:
        raise InputError(
            _("The PyTorch extension is not installed."),
            reason=_("It installs the variant of PyTorch that fits this computer and its graphics card."),
            remedy=_(
                "Install the extension “PyTorch” in the Extensions Manager, restart Slicer, and click again; or choose"
                " a package folder below."
            ),
            code="no-pytorch-extension",
        ) from None
    # The extension imports torch after installing it. That is the only time that Slicer's process sees it, and the
    # person is asked to restart Slicer afterwards.
    if extension.PyTorchUtilsLogic().installTorch(askConfirmation=False, torchVersionRequirement=version) is None:
        raise _failed(_("The PyTorch extension could not install it."))


def _pip_install(lines: list[str], constraints: Path) -> None:
    packaging = _slicer_packaging()
    if packaging is not None:
        packaging.pip_install(lines, constraints=str(constraints), requester=REQUESTER)
    else:
        slicer.util.pip_install(["--constraint", str(constraints), *lines])


def _slicer_packaging():
    """``slicer.packaging``, which exists from Slicer 5.12 on, or None."""
    try:
        return importlib.import_module("slicer.packaging")
    except ImportError:
        return None


def _failed(reason: str) -> ConvNeXtSegError:
    return ConvNeXtSegError(
        _("The requirements could not be installed."),
        reason=reason,
        remedy=_(
            "Check the network connection and try again. On a computer without internet, or if Slicer's folder cannot"
            " be written, choose a package folder below."
        ),
        code="install-failed",
    )
