"""Attributes of wrapped objects follow PythonQt: rules 1 to 6 and 16 to 19 of Testing/standins/README.md."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.usefixtures("slicer_panel_environment")


def test_rule_01_a_property_is_an_attribute_and_hides_its_getter():
    import qt

    edit, combo = qt.QLineEdit("abc"), qt.QComboBox()
    assert edit.text == "abc"
    assert combo.count == 0
    with pytest.raises(TypeError, match="not callable"):
        edit.text()
    edit.text = "x"
    assert edit.property("text") == "x"


def test_rule_02_getters_with_another_name_stay_methods():
    import qt

    button = qt.QCheckBox()
    button.setChecked(True)
    assert button.checked is True
    assert button.isChecked() is True
    assert callable(button.parent)
    assert button.parent() is None


def test_rule_03_plain_setters_of_ctk_and_slicer_classes_do_not_exist():
    import ctk
    import qt

    import slicer

    button, slider = ctk.ctkCollapsibleButton(), ctk.ctkSliderWidget()
    with pytest.raises(AttributeError, match="ctkCollapsibleButton has no attribute named 'setCollapsed'"):
        button.setCollapsed(True)
    with pytest.raises(AttributeError):
        slider.setMaximum(5)
    with pytest.raises(AttributeError):
        slicer.qMRMLNodeComboBox().setNodeTypes(["vtkMRMLNode"])
    button.collapsed, slider.maximum = True, 5
    assert button.collapsed is True
    assert slider.maximum == 5.0
    qt.QSlider().setMaximum(5)


def test_rule_04_an_unknown_attribute_cannot_be_made_or_read():
    import qt

    label = qt.QLabel()
    with pytest.raises(AttributeError, match="creating new attributes on C\\+\\+ objects is not allowed"):
        label.myData = 1
    with pytest.raises(AttributeError, match="QLabel has no attribute named 'myData'"):
        _ = label.myData
    label.setProperty("myData", 1)
    assert label.myData == 1
    label.myData = 2
    assert label.property("myData") == 2


def test_rule_04_a_python_subclass_holds_attributes_of_its_own_but_no_second_property():
    import qt

    class Panel(qt.QWidget):
        def __init__(self):
            super().__init__()
            self.cases = 3

    panel = Panel()
    assert panel.cases == 3
    with pytest.raises(AttributeError, match="Property 'x' of Panel object is not writable"):
        panel.x = 3


def test_rule_05_what_cannot_be_written_says_so():
    import qt

    import slicer

    button = qt.QPushButton()
    with pytest.raises(AttributeError, match="is not writable"):
        slicer.app.slicerHome = "x"
    with pytest.raises(AttributeError, match="Signal 'clicked' can not be overwritten"):
        button.clicked = print
    with pytest.raises(AttributeError, match="Slot 'click' can not be overwritten"):
        button.click = print
    with pytest.raises(AttributeError, match="EnumValue 'Ok' can not be overwritten"):
        qt.QMessageBox().Ok = 1
    with pytest.raises(AttributeError, match="Property 'value' of type 'int' does not accept an object of type str"):
        qt.QSpinBox().value = "7"


def test_rule_06_isinstance_sees_no_inheritance():
    import qt

    button = qt.QPushButton()
    assert isinstance(button, qt.QPushButton)
    assert type(button) is qt.QPushButton
    assert not isinstance(button, qt.QWidget)
    assert button.inherits("QWidget")
    assert button.isWidgetType()
    assert button.className() == "QPushButton"


def test_rule_16_a_trailing_underscore_finds_the_method_and_nothing_else():
    import qt

    widget = qt.QWidget()
    widget.raise_()
    with pytest.raises(AttributeError):
        _ = widget.visible_


def test_rule_17_enums_are_plain_ints_on_the_class():
    import qt

    both = qt.Qt.AlignLeft | qt.Qt.AlignTop
    assert type(both) is int
    assert both == 0x21
    assert not hasattr(qt.Qt.AlignLeft, "name")
    with pytest.raises(AttributeError):
        _ = qt.QMessageBox.StandardButton.Ok
    label = qt.QLabel()
    label.setAlignment(both)
    assert label.alignment == both
    assert isinstance(label.alignment, int)
    with pytest.raises(ValueError, match="wrong arguments"):
        label.setAlignment("left")


def test_rule_18_flag_enums_of_ctk_are_reachable():
    import ctk

    edit = ctk.ctkPathLineEdit()
    edit.filters = ctk.ctkPathLineEdit.Files | ctk.ctkPathLineEdit.Dirs
    assert edit.filters == 3
    with pytest.raises(AttributeError):
        _ = ctk.ctkPathLineEdit.Filters.Files


def test_rule_19_name_is_an_alias_of_object_name():
    import qt

    button = qt.QPushButton()
    button.name = "apply"
    assert button.objectName == "apply"
    with pytest.raises(TypeError):
        button.objectName()
