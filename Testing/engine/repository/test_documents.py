"""What the documents promise exists: commands parse, options are real, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from convnextseg_engine.cli.main import parser

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)


def _commands(start: str) -> list[str]:
    """Return every indented command line of the documents that begins with ``start``."""
    return [
        line.strip()
        for path in DOCUMENTS
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("    ") and line.strip().startswith(start)
    ]


@pytest.mark.parametrize("line", sorted(set(_commands("convnextseg "))))
def test_every_command_line_is_understood(line: str) -> None:
    arguments = parser().parse_args(shlex.split(line)[1:])
    assert callable(arguments.run)


def test_the_readme_shows_every_command() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = {line.split()[1] for line in text.splitlines() if line.startswith("    convnextseg ")}
    assert shown == set(re.findall(r"(?m)^    ([a-z]+)(?:  |$)", parser().format_help()))
    assert len(shown) > 5


def test_every_script_and_option_exists() -> None:
    lines = _commands("python3 scripts/")
    assert len(lines) > 5
    helped: dict[str, str] = {}
    for line in lines:
        script = line.split()[1]
        if script not in helped:
            result = subprocess.run(
                [sys.executable, ROOT / script, "--help"], capture_output=True, text=True, check=False
            )
            assert result.returncode == 0, f"{script}: {result.stderr}"
            helped[script] = result.stdout
        for option in re.findall(r"(?<=\s)--[a-z-]+", line):
            assert option in helped[script], f"{script} has no option {option}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_repository_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_no_figure_is_left_to_be_filled_in() -> None:
    assert not [path.name for path in DOCUMENTS if "@@" in path.read_text(encoding="utf-8")]


def test_not_for_clinical_use_is_said_where_the_model_is_shown() -> None:
    for name in ("README.md", "docs/tutorial.md"):
        assert "not for clinical use" in (ROOT / name).read_text(encoding="utf-8").lower()
