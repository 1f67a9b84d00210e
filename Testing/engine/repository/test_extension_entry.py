"""What the Slicer Extensions Index checks automatically on a pull request, checked here first."""

from __future__ import annotations

import json
import re
from pathlib import Path

import SimpleITK as sitk

# As the index's own check reads it: one quoted string on the set() call.
SET = r'set\({}\s+"([^"]+)"\)'


def _set(text: str, name: str) -> str:
    found = re.findall(SET.format(name), text)
    assert len(found) == 1, f"{name} must be set once, to one quoted string"
    return found[0]


def _entry(repository: Path) -> dict:
    return json.loads((repository / "Resources" / "ExtensionsIndex" / "ConvNeXtSeg.json").read_text(encoding="utf-8"))


def test_entry_has_the_keys_of_the_schema_and_agrees_with_cmake(repository: Path) -> None:
    entry, cmake = _entry(repository), (repository / "CMakeLists.txt").read_text(encoding="utf-8")
    required = {"$schema", "category", "scm_url"}
    optional = {"scm_revision", "scm_type", "build_dependencies", "build_subdirectory", "enabled", "tier"}
    assert required <= entry.keys() <= required | optional
    assert re.search(r"^project\(ConvNeXtSeg\)$", cmake, re.MULTILINE)
    assert entry["build_dependencies"] == _set(cmake, "EXTENSION_DEPENDS").split()
    assert entry["category"] == _set(cmake, "EXTENSION_CATEGORY") == "Segmentation"
    homepage = _set(cmake, "EXTENSION_HOMEPAGE")
    assert entry["scm_url"] == homepage + ".git"
    assert homepage.rsplit("/", 1)[1].startswith("Slicer")
    assert "## NEXT_MODULE" in cmake


def test_pictures_that_cmake_names_are_in_the_repository(repository: Path) -> None:
    cmake = (repository / "CMakeLists.txt").read_text(encoding="utf-8")
    owner_and_name = _set(cmake, "EXTENSION_HOMEPAGE").removeprefix("https://github.com/")
    prefix = f"https://raw.githubusercontent.com/{owner_and_name}/main/"
    urls = [_set(cmake, "EXTENSION_ICONURL"), *_set(cmake, "EXTENSION_SCREENSHOTURLS").split()]
    for url in urls:
        assert url.startswith(prefix) and url.endswith(".png")
        assert (repository / url.removeprefix(prefix)).read_bytes().startswith(b"\x89PNG")


def test_icons_have_the_size_that_slicer_asks_for(repository: Path) -> None:
    for place in ("Resources/ConvNeXtSeg.png", "ConvNeXtSeg/Resources/Icons/ConvNeXtSeg.png"):
        assert sitk.ReadImage(str(repository / place)).GetSize() == (128, 128)


def test_licence_is_apache_in_full(repository: Path) -> None:
    text = (repository / "LICENSE.txt").read_text(encoding="utf-8")
    assert "Apache License" in text and "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
