"""From a click on *Install requirements* to installed requirements: what is missing, consent, and the right way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from slicer.i18n import tr as _

from convnextseg_engine.errors import ConvNeXtSegError, InputError
from convnextseg_engine.models.home import home_folder

from ..process.python_finder import chosen_python
from .private_folder import PrivateInstallation
from .requirements import RequirementState, requirement_states
from .settings import Settings
from .slicer_packages import install_into_slicer


class Installer:
    """Installs what is missing, after asking.

    Args:
        settings: Where to install.
        confirm: Asks a yes/no question.
        into_slicer: Installs requirement lines into Slicer.
        python: Returns the Python of the workers for a path under *System* (empty: Slicer's own).
    """

    def __init__(
        self,
        settings: Settings,
        confirm: Callable[[str], bool],
        into_slicer: Callable[[list[str]], None] = install_into_slicer,
        python: Callable[[str], Path] = chosen_python,
    ):
        self._settings, self._confirm = settings, confirm
        self._into_slicer, self._python = into_slicer, python
        self._running: PrivateInstallation | None = None

    def states(self) -> list[RequirementState]:
        """Return what is there of each requirement, as the workers will see it."""
        return requirement_states(self._settings.private_folder)

    def missing(self) -> list[str]:
        """Return the requirement lines that are not satisfied."""
        return [state.requirement for state in self.states() if not state.satisfied]

    @property
    def complete(self) -> bool:
        """Whether all requirements are there, or another Python answers for them."""
        return bool(self._settings.python_path) or not self.missing()

    def require(self) -> None:
        """Raise :class:`InputError` unless :attr:`complete`."""
        if not self.complete:
            raise InputError(
                _("Python packages that the network needs are missing."),
                reason=_("Missing: {packages}.").format(packages=", ".join(self.missing())),
                remedy=_("Open System below and click “Install requirements…”; it asks before it does anything."),
                code="requirements-missing",
            )

    @property
    def running(self) -> bool:
        """Whether an installation is going on."""
        return self._running is not None

    def install(self, on_line: Callable[[str], None], on_done: Callable[[ConvNeXtSegError | None], None]) -> None:
        """Ask, and install what is missing.

        Args:
            on_line: Called with what the installation says meanwhile.
            on_done: Called once with None or with what went wrong; not called if the person declines.

        Raises:
            InputError: If another Python was chosen: it is not ours to change.
        """
        if self._settings.python_path:
            raise InputError(
                _("Requirements are not installed into another Python."),
                reason=_("It was chosen under System and may serve other programs."),
                remedy=_("Install them there with: pip install {lines}.").format(lines=" ".join(self.missing())),
                code="other-python",
            )
        missing = self.missing()
        if not missing:
            on_done(None)
        elif not self._confirm(self._question(missing)):
            return
        elif self._is_private:
            self._install_privately(missing, on_line, on_done)
        else:
            try:
                self._into_slicer(missing)
            except ConvNeXtSegError as error:
                on_done(error)
            else:
                on_done(None)

    def cancel(self) -> None:
        """End an installation that is going on, as when Slicer closes."""
        if self._running is not None:
            self._running.cancel()

    @property
    def _is_private(self) -> bool:
        return bool(self._settings.private_folder or self._settings.wheel_folder)

    def _question(self, missing: list[str]) -> str:
        packages = ", ".join(missing)
        if self._is_private:
            where = self._folder()
            text = _("These Python packages are missing: {packages}.\n\nInstall them into {where}?")
            return text.format(packages=packages, where=where)
        text = _(
            "These Python packages are missing: {packages}.\n\nInstall them into Slicer? This downloads up to 3 GB"
            " (PyTorch) and takes some minutes. Slicer's own packages are not changed."
        )
        return text.format(packages=packages)

    def _folder(self) -> str:
        return self._settings.private_folder or str(home_folder() / "packages")

    def _install_privately(
        self,
        missing: list[str],
        on_line: Callable[[str], None],
        on_done: Callable[[ConvNeXtSegError | None], None],
    ) -> None:
        def finished(error: ConvNeXtSegError | None) -> None:
            self._running = None
            on_done(error)

        self._settings.private_folder = self._folder()
        self._running = PrivateInstallation(
            [str(self._python(""))], self._folder(), self._settings.wheel_folder, missing, on_line, finished
        )
        self._running.start()
