"""Where the user's models lie."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from convnextseg_engine.errors import InputError
from convnextseg_engine.models.home import check_writable, home_folder


@pytest.fixture
def nothing_set(monkeypatch):
    for name in ("CONVNEXTSEG_HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)


def test_the_variable_moves_it(monkeypatch, tmp_path):
    monkeypatch.setenv("CONVNEXTSEG_HOME", str(tmp_path / "mine"))
    assert home_folder() == tmp_path / "mine"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONVNEXTSEG_HOME", "relative")
    assert home_folder() == tmp_path / "relative"
    monkeypatch.setenv("CONVNEXTSEG_HOME", "~/mine")
    assert home_folder() == Path.home() / "mine"


@pytest.mark.usefixtures("nothing_set")
@pytest.mark.parametrize(
    ("platform", "parts"),
    [
        ("linux", (".local", "share", "convnextseg")),
        ("darwin", ("Library", "Application Support", "ConvNeXtSeg")),
        ("win32", ("AppData", "Local", "ConvNeXtSeg")),
    ],
)
def test_each_platform_has_its_place(monkeypatch, platform, parts):
    monkeypatch.setattr(sys, "platform", platform)
    assert home_folder() == Path.home().joinpath(*parts)


@pytest.mark.usefixtures("nothing_set")
def test_the_platforms_own_variables_are_followed(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert home_folder() == tmp_path / "convnextseg"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert home_folder() == Path.home() / ".local" / "share" / "convnextseg"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert home_folder() == tmp_path / "ConvNeXtSeg"


def test_a_home_that_cannot_be_written_is_refused(tmp_path):
    check_writable(tmp_path / "new" / "home")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="CONVNEXTSEG_HOME") as refusal:
        check_writable(tmp_path / "file" / "home")
    assert refusal.value.code == "disk"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="only Linux has /proc, where no folder can be made")
def test_a_home_where_no_folder_can_be_made_is_refused():
    with pytest.raises(InputError, match="CONVNEXTSEG_HOME"):
        check_writable(Path("/proc/convnextseg-home"))
