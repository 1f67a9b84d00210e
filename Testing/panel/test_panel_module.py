"""The module file: what Slicer reads from it, its life in the module panel, and the shipped self-tests."""

from __future__ import annotations

import ast
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace

import pytest

from panel.panel_fixtures import OpenPanel


def test_the_module_says_what_it_is(slicer_panel_environment: SimpleNamespace) -> None:
    import ConvNeXtSeg

    parent = SimpleNamespace(path=ConvNeXtSeg.__file__)
    ConvNeXtSeg.ConvNeXtSeg(parent)
    assert parent.title == "ConvNeXtSeg"
    assert parent.categories == ["Segmentation"]
    assert parent.contributors == ["ConvNeXtSeg contributors"]
    assert "not for clinical use" in parent.helpText


def test_importing_the_module_imports_no_work(slicer_panel_environment: SimpleNamespace, repository: Path) -> None:
    tree = ast.parse((repository / "ConvNeXtSeg" / "ConvNeXtSeg.py").read_text(encoding="utf-8"))
    top = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert not any(name.startswith(("ConvNeXtSegLib", "convnextseg_engine")) for name in top)


def test_leaving_the_module_frees_views_and_keys_and_entering_takes_them_again(open_panel: OpenPanel) -> None:
    editor = open_panel.panel.review.ui.segmentEditor
    assert editor.mrmlSegmentEditorNode().GetSingletonTag() == "ConvNeXtSeg"
    open_panel.widget.exit()
    assert editor.activeEffect() is None
    open_panel.widget.enter()
    open_panel.scene.Clear(False)
    assert editor.mrmlSegmentEditorNode() is not None
    assert open_panel.segment.model_spec == "a-tiny-model@v1"


def test_reloading_purges_our_packages(open_panel: OpenPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget

    left = []
    monkeypatch.setattr(
        ScriptedLoadableModuleWidget,
        "onReload",
        lambda self: left.extend(name for name in sys.modules if name.startswith(("ConvNeXtSegLib", "convnextseg_"))),
    )
    saved = {n: m for n, m in sys.modules.items() if n.startswith(("ConvNeXtSegLib", "convnextseg_engine"))}
    try:
        open_panel.widget.onReload()
        assert left == []
    finally:
        sys.modules.update(saved)


def test_the_shipped_self_tests_pass_here(slicer_panel_environment: SimpleNamespace, tiny_model, python_slicer) -> None:
    from ConvNeXtSegLib.selftest import suite

    result = unittest.TestResult()
    suite().run(result)
    assert [trace for _test, trace in result.failures + result.errors] == []
    assert result.skipped == []
    assert result.testsRun == 5


def test_texts_are_translated_from_literal_strings(repository: Path) -> None:
    """Slicer's translation tool reads the source: only a literal inside _() is found."""
    calls, wrong = 0, []
    for path in (repository / "ConvNeXtSeg" / "ConvNeXtSegLib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
                calls += 1
                literal = len(node.args) == 1 and isinstance(node.args[0], ast.Constant)
                if not (literal and isinstance(node.args[0].value, str)):
                    wrong.append(f"{path.name}:{node.lineno}")
    assert calls > 50
    assert wrong == []
