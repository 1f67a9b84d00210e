"""Objects and their lives follow PythonQt: rules 24 to 28, 34 and 35."""

from __future__ import annotations

import gc

import pytest

pytestmark = pytest.mark.usefixtures("slicer_panel_environment")


def test_rule_24_children_are_found_by_type_and_name_and_as_attributes():
    import ctk
    import qt

    top = qt.QWidget()
    layout = qt.QVBoxLayout(top)
    ok, section = qt.QPushButton(), ctk.ctkCollapsibleButton()
    ok.name, section.name = "ok", "inputs"
    layout.addWidget(ok)
    layout.addWidget(section)
    assert top.findChild(qt.QPushButton, "ok") is ok
    assert top.findChild("ctkCollapsibleButton", "inputs") is section
    assert top.findChildren(qt.QAbstractButton) == (ok, section)
    assert top.ok is ok
    assert top.findChild(qt.QPushButton, "cancel") is None
    with pytest.raises(ValueError):
        top.findChild(int, "ok")


def test_rule_25_a_deleted_object_equals_none_and_refuses_everything():
    import qt

    parent = qt.QWidget()
    label = qt.QLabel("a", parent)
    parent.delete()
    assert not label
    assert label == None  # noqa: E711 (that is the rule)
    assert label is not None
    with pytest.raises(ValueError, match="Trying to read property 'text' from a destroyed QLabel object"):
        _ = label.text
    with pytest.raises(ValueError, match="Trying to call 'setText' on a destroyed QLabel object"):
        label.setText("b")
    with pytest.raises(AttributeError, match="Trying to set property 'text' on a destroyed QLabel object"):
        label.text = "b"


def test_rule_26_an_object_without_parent_dies_with_its_last_reference(spin):
    import qt

    seen = []
    timer = qt.QTimer()
    timer.timeout.connect(lambda: seen.append(1))
    timer.start(0)
    del timer
    spin()
    spin()
    assert seen == []


def test_rule_26_the_python_part_of_a_child_lives_with_its_parent():
    import qt

    class Row(qt.QWidget):
        def __init__(self, case):
            super().__init__()
            self.case = case

    parent = qt.QWidget()
    layout = qt.QVBoxLayout(parent)
    layout.addWidget(Row("case 1"))
    gc.collect()
    assert layout.itemAt(0).widget().case == "case 1"


def test_rule_27_items_belong_to_their_table():
    import qt

    table = qt.QTableWidget()
    table.rowCount, table.columnCount = 2, 1
    table.setItem(0, 0, qt.QTableWidgetItem("a"))
    gc.collect()
    assert table.item(0, 0).text() == "a"
    with pytest.raises(TypeError):
        table.rowCount()


def test_rule_28_layouts_take_widgets_over():
    import ctk
    import qt

    section = ctk.ctkCollapsibleButton()
    form = qt.QFormLayout(section)
    form.addRow("Model", qt.QComboBox())
    assert section.layout() is form
    assert form.rowCount() == 1
    assert form.itemAt(0, qt.QFormLayout.FieldRole).widget().parent() is section


def test_rule_34_a_python_subclass_overrides_virtuals_and_can_call_its_base(spin):
    import qt

    seen = []

    class Filter(qt.QObject):
        def eventFilter(self, watched, event):
            seen.append((watched.className(), event.type()))
            return super().eventFilter(watched, event)

    class Sized(qt.QWidget):
        def sizeHint(self):
            return qt.QSize(321, 123)

    watched, spy = qt.QPushButton(), Filter()
    watched.installEventFilter(spy)
    watched.setEnabled(False)
    assert ("QPushButton", qt.QEvent.EnabledChange) in seen
    frame = qt.QWidget()
    layout = qt.QVBoxLayout(frame)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(Sized())
    assert layout.sizeHint().width() == 321


def test_rule_34_virtuals_of_ctk_classes_cannot_be_overridden():
    import ctk

    called = []

    class Button(ctk.ctkCollapsibleButton):
        def sizeHint(self):
            called.append(1)

    Button()._standin_target.sizeHint()
    assert called == []


UI = """<?xml version="1.0" encoding="UTF-8"?><ui version="4.0"><class>Section</class>
<widget class="qMRMLWidget" name="Section"><layout class="QVBoxLayout" name="rows">
 <item><widget class="ctkCollapsibleButton" name="inputs">
  <property name="text"><string>Inputs</string></property>
  <property name="collapsed"><bool>true</bool></property>{extra}
  <layout class="QFormLayout" name="form"><item row="0" column="1">
   <widget class="qMRMLNodeComboBox" name="volumeSelector">
    <property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
   </widget></item></layout></widget></item></layout></widget>
<customwidgets>
 <customwidget><class>qMRMLWidget</class><extends>QWidget</extends><container>1</container></customwidget>
 <customwidget><class>ctkCollapsibleButton</class><extends>QWidget</extends><container>1</container></customwidget>
 <customwidget><class>qMRMLNodeComboBox</class><extends>QWidget</extends></customwidget>
</customwidgets>
<connections><connection><sender>Section</sender><signal>{signal}</signal>
 <receiver>volumeSelector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection></connections></ui>"""


def _written(tmp_path, extra="", signal="mrmlSceneChanged(vtkMRMLScene*)") -> str:
    path = tmp_path / "section.ui"
    path.write_text(UI.format(extra=extra, signal=signal), encoding="utf-8")
    return str(path)


def test_rule_35_a_ui_file_becomes_a_tree_connected_to_the_scene(tmp_path, scene, spin):
    import ctk

    import slicer

    top = slicer.util.loadUI(_written(tmp_path))
    ui = slicer.util.childWidgetVariables(top)
    assert type(ui.inputs) is ctk.ctkCollapsibleButton
    assert ui.inputs.collapsed is True
    top.setMRMLScene(scene)
    assert ui.volumeSelector.mrmlScene() is scene
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")
    assert ui.volumeSelector.currentNode() is volume
    top.show()
    spin()
    assert not ui.volumeSelector.visible
    ui.inputs.collapsed = False
    assert ui.volumeSelector.visible


@pytest.mark.parametrize(
    ("extra", "signal", "message"),
    [
        ('<property name="folded"><bool>true</bool></property>', "mrmlSceneChanged(vtkMRMLScene*)", "no property"),
        ("", "sceneChanged(vtkMRMLScene*)", "has no signal"),
    ],
)
def test_a_ui_file_cannot_name_what_the_real_classes_lack(tmp_path, extra, signal, message):
    import slicer

    with pytest.raises(AssertionError, match=message):
        slicer.util.loadUI(_written(tmp_path, extra, signal))
