"""*System*: what is installed, installing on a click and with consent, settings, diagnostics."""

from __future__ import annotations

import json
import sys
import tomllib
from types import SimpleNamespace

import pytest

from panel.panel_fixtures import OpenPanel


@pytest.fixture
def without_monai(monkeypatch: pytest.MonkeyPatch, slicer_panel_environment: SimpleNamespace) -> None:
    from ConvNeXtSegLib.setup import requirements

    real = requirements._installed
    monkeypatch.setattr(requirements, "_installed", lambda name: None if name == "monai" else real(name))


def _yes() -> int:
    import qt

    return qt.QMessageBox.Yes


def _no() -> int:
    import qt

    return qt.QMessageBox.No


def test_requirements_are_those_of_the_engine_without_slicers_own(slicer_panel_environment, repository) -> None:
    from ConvNeXtSegLib.setup.requirements import requirements

    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = {line for line in project["dependencies"] if not line.startswith(("numpy", "SimpleITK"))}
    assert set(requirements()) == own
    assert requirements()[0].startswith("torch"), "torch before anything that depends on it"


def test_what_is_installed_is_said_without_importing_it(open_panel: OpenPanel) -> None:
    text = open_panel.panel.system.ui.requirementsLabel.text
    assert text.startswith("Everything that is needed is installed: torch 2.")
    assert not open_panel.panel.system.ui.installButton.isEnabled()
    open_panel.panel.system.open()
    open_panel.save("13-system")


@pytest.mark.parametrize("slicer_version", ["5.10", "5.12"])
def test_a_click_asks_and_installs_what_is_missing_freezing_the_rest(
    without_monai, open_panel: OpenPanel, slicer_panel_environment, dialogs, slicer_version, monkeypatch
) -> None:
    from ConvNeXtSegLib.setup import slicer_packages

    constraints = []
    real = slicer_packages._pip_install

    def spy(lines, path) -> None:
        constraints.extend(path.read_text(encoding="utf-8").splitlines())
        real(lines, path)

    monkeypatch.setattr(slicer_packages, "_pip_install", spy)
    system = open_panel.panel.system
    assert "monai missing" in system.ui.requirementsLabel.text
    dialogs.will_answer(_yes())
    system.ui.installButton.click()
    (asked,) = dialogs.shown
    assert "monai>=1.5" in asked.text
    assert "numpy" not in asked.text
    assert "monai>=1.5" in str(slicer_panel_environment.installed)
    assert any(line.startswith("numpy==") for line in constraints)
    assert any(line.startswith("torch==") for line in constraints)
    assert not any(line.startswith("monai==") for line in constraints)
    assert system.messages.text.startswith("The requirements are installed.")


def test_nothing_is_installed_without_consent(
    without_monai, open_panel: OpenPanel, slicer_panel_environment, dialogs
) -> None:
    dialogs.will_answer(_no())
    open_panel.panel.system.ui.installButton.click()
    assert list(slicer_panel_environment.installed) == []
    assert open_panel.panel.system.ui.installButton.isEnabled()


def test_without_the_pytorch_extension_the_message_says_where_to_get_it(
    monkeypatch, open_panel: OpenPanel, dialogs
) -> None:
    from ConvNeXtSegLib.setup import requirements

    monkeypatch.setattr(requirements, "_installed", lambda name: None if name == "torch" else "99.0")
    open_panel.panel.system.refresh()
    dialogs.will_answer(_yes())
    open_panel.panel.system.ui.installButton.click()
    what, _why, what_next = open_panel.panel.system.messages.text.splitlines()
    assert what == "The PyTorch extension is not installed."
    assert "Extensions Manager" in what_next
    assert "torch" not in vars(sys.modules["slicer"])


def test_a_private_folder_receives_only_what_slicer_lacks(
    without_monai, open_panel: OpenPanel, dialogs, tmp_path, monkeypatch
) -> None:
    """Pip itself is a stand-in here: it says what it was asked, and reports numpy as if it were missing."""
    said = tmp_path / "pip-calls.jsonl"
    fake = tmp_path / "fake" / "pip"
    fake.mkdir(parents=True)
    (fake / "__init__.py").touch()
    (fake / "__main__.py").write_text(
        "import json, sys\n"
        f"open({str(said)!r}, 'a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
        "if '--report' in sys.argv:\n"
        "    names = [('monai', '1.6.1'), ('numpy', '2.9.9')]\n"
        "    entries = [{'metadata': {'name': n, 'version': v}} for n, v in names]\n"
        "    open(sys.argv[sys.argv.index('--report') + 1], 'w').write(json.dumps({'install': entries}))\n"
        "print('working')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(fake.parent))
    system = open_panel.panel.system
    system.ui.wheelFolder.currentPath = str(tmp_path / "wheels")
    system.ui.privateFolder.currentPath = str(tmp_path / "packages")
    dialogs.will_answer(_yes())
    system.ui.installButton.click()
    open_panel.spin(lambda: bool(system.messages.text), timeout=20)
    assert system.messages.text.startswith("The requirements are installed.")
    asked, installed = (json.loads(line) for line in said.read_text().splitlines())
    assert asked[:2] == ["install", "--dry-run"]
    assert "monai>=1.5" in asked
    assert installed[-1] == "monai==1.6.1", "numpy is Slicer's and never installed"
    for arguments in (asked, installed):
        assert "--no-index" in arguments
        assert arguments[arguments.index("--find-links") + 1] == str(tmp_path / "wheels")
    assert installed[installed.index("--target") + 1] == str(tmp_path / "packages")
    assert "--no-deps" in installed


def test_a_failed_private_installation_shows_pips_last_words(
    without_monai, open_panel: OpenPanel, dialogs, tmp_path, monkeypatch
) -> None:
    fake = tmp_path / "fake" / "pip"
    fake.mkdir(parents=True)
    (fake / "__init__.py").touch()
    (fake / "__main__.py").write_text("import sys\nprint('ERROR: no matching distribution')\nsys.exit(1)\n")
    monkeypatch.setenv("PYTHONPATH", str(fake.parent))
    system = open_panel.panel.system
    system.ui.privateFolder.currentPath = str(tmp_path / "packages")
    dialogs.will_answer(_yes())
    system.ui.installButton.click()
    open_panel.spin(lambda: bool(system.messages.text), timeout=20)
    what, why, _next = system.messages.text.splitlines()
    assert what == "The requirements could not be installed into the package folder."
    assert why == "ERROR: no matching distribution"


def test_settings_are_kept_and_change_how_the_worker_is_started(open_panel: OpenPanel, tmp_path) -> None:
    from ConvNeXtSegLib.setup.settings import Settings

    ui = open_panel.panel.system.ui
    ui.idleMinutesSpinBox.setValue(7)
    ui.pythonPath.currentPath = str(tmp_path / "python")
    assert (Settings().idle_minutes, Settings().python_path) == (7, str(tmp_path / "python"))
    open_panel.choose_volumes()
    open_panel.segment.ui.segmentButton.click()
    open_panel.spin(lambda: not open_panel.segment.running, timeout=5)
    assert open_panel.segment.messages.text.startswith("The Python chosen under System cannot be used.")


def test_check_lists_devices_and_diagnostics_name_no_person(open_panel: OpenPanel, monkeypatch) -> None:
    import qt

    system = open_panel.panel.system
    system.ui.checkButton.click()
    open_panel.spin(lambda: system.ui.checkButton.isEnabled(), timeout=240)
    assert "Devices: cpu" in system.ui.deviceInfoLabel.text
    system.ui.diagnosticsButton.click()
    text = qt.QApplication.clipboard().text()
    assert "ConvNeXtSeg 0." in text
    assert '"torch"' in text
    from pathlib import Path

    assert str(Path.home()) not in text
