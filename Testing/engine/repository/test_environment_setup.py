"""The set-up script: what it finds missing, what it repairs, what it leaves alone, what it says."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


@pytest.fixture()
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The script's module, working in an empty checkout."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    sys.modules.pop("environment", None)
    import environment

    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    (tmp_path / "scripts").mkdir()
    for step in environment.STEPS:
        (tmp_path / "scripts" / f"requirements-{step}.txt").write_text(f"# why\n{step}-package==1.0\n")
    yield environment
    sys.modules.pop("environment", None)


def _packages(environment) -> Path:
    if sys.platform == "win32":
        return environment.VENV / "Lib" / "site-packages"
    return environment.VENV / "lib" / "python3.11" / "site-packages"


def _installed(environment, name: str, version: str, *, complete: bool = True) -> Path:
    folder = _packages(environment) / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if complete:
        (folder / "RECORD").write_text("")
    return folder


def test_pins_that_are_installed_are_not_missing_whatever_their_build(environment) -> None:
    _installed(environment, "Torch_Package", "1.0+cpu")
    _installed(environment, "runtime-package", "0.9")
    assert environment._missing(environment._pins("torch")) == {}
    assert environment._missing(environment._pins("runtime")) == {"runtime-package": "1.0"}
    assert environment._missing(environment._pins("test")) == {"test-package": "1.0"}


def test_an_interrupted_installation_counts_as_missing_and_is_cleared(environment) -> None:
    half = _installed(environment, "torch-package", "1.0", complete=False)
    assert environment._missing(environment._pins("torch")) == {"torch-package": "1.0"}
    # Were its description left, pip would take the package for installed.
    assert not half.exists()


def test_a_complete_environment_needs_no_pip_and_says_nothing(environment, monkeypatch, capsys) -> None:
    for step in environment.STEPS:
        _installed(environment, f"{step}-package", "1.0")
    monkeypatch.setattr(environment, "_make_virtual_environment", lambda: False)
    monkeypatch.setattr(environment, "_project_is_installed", lambda: True)
    monkeypatch.setattr(environment, "_pip", lambda *arguments: pytest.fail(f"pip was called with {arguments}"))
    assert environment.prepare(tests=True) == environment.python()
    assert capsys.readouterr().out == ""


def test_torch_comes_first_and_alone_gets_its_own_index(environment, monkeypatch, capsys) -> None:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(environment, "_make_virtual_environment", lambda: True)
    monkeypatch.setattr(environment, "_pip", lambda *arguments: calls.append(arguments))
    environment.prepare(tests=True, torch_index="https://example.org/cpu")
    steps = [next((word for word in call if word.endswith(".txt")), call[-1]) for call in calls]
    assert [Path(step).name for step in steps[:4]] == [
        "requirements-torch.txt", "requirements-runtime.txt", "requirements-test.txt", "requirements-reference.txt",
    ]  # fmt: skip
    assert [("--index-url" in call) for call in calls] == [True, False, False, False, False]
    assert [("--no-deps" in call) for call in calls] == [False, False, False, True, True]
    assert "--editable" in calls[4]
    assert "ready after" in capsys.readouterr().out


def test_the_demonstration_needs_no_test_packages(environment, monkeypatch) -> None:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(environment, "_make_virtual_environment", lambda: False)
    monkeypatch.setattr(environment, "_pip", lambda *arguments: calls.append(arguments))
    environment.prepare()
    assert not any("requirements-test.txt" in word for call in calls for word in call)
    assert not any("requirements-reference.txt" in word for call in calls for word in call)


def test_a_folder_that_is_no_environment_is_left_untouched(environment) -> None:
    environment.VENV.mkdir()
    (environment.VENV / "thesis.txt").write_text("mine")
    with pytest.raises(environment.SetUpProblem, match="left untouched"):
        environment.prepare()
    assert (environment.VENV / "thesis.txt").read_text() == "mine"


def test_an_old_python_is_told_so_in_plain_words(environment, monkeypatch) -> None:
    monkeypatch.setattr(environment.sys, "version_info", (3, 9, 2, "final", 0))
    with pytest.raises(environment.SetUpProblem, match=r"needs Python 3\.11 or newer; this is Python 3\.9"):
        environment.prepare()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("WARNING: Retrying … NewConnectionError: Failed to establish a new connection", "could not be reached"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: No matching distribution found for slicer-core==5.12.4.0", "does not exist for this Python"),
    ],
)
def test_pips_failures_are_told_in_plain_words(environment, monkeypatch, said: str, told: str) -> None:
    def failing(command, **_options):
        return environment.subprocess.CompletedProcess(command, 1, stdout=None, stderr=said)

    monkeypatch.setattr(environment.subprocess, "run", failing)
    with pytest.raises(environment.SetUpProblem, match=told):
        environment._pip("anything")


def test_an_old_python_can_read_the_scripts_far_enough_to_say_so() -> None:
    for name in ("environment.py", "demo.py", "test.py", "system_libraries.py"):
        ast.parse((SCRIPTS / name).read_text(encoding="utf-8"), feature_version=(3, 7))


def test_every_needed_library_is_named_with_its_package(monkeypatch, capsys) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import system_libraries

    monkeypatch.setattr(system_libraries.sys, "platform", "linux")
    monkeypatch.setattr(system_libraries, "_loads", lambda library: library != "libEGL.so.1")
    told = system_libraries.provide(install=False)
    assert "sudo apt-get install libegl1." in told
    monkeypatch.setattr(system_libraries, "_loads", lambda library: True)
    assert system_libraries.provide(install=False) == ""
