"""CTK's widgets: only what moc lists, with the behaviour a panel relies on."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.usefixtures("slicer_panel_environment")


def test_a_collapsible_button_hides_its_contents_and_says_so(spin):
    import ctk
    import qt

    section, seen = ctk.ctkCollapsibleButton(), []
    form = qt.QFormLayout(section)
    edit, hidden = qt.QLineEdit(), qt.QLineEdit()
    form.addRow("a", edit)
    form.addRow("b", hidden)
    hidden.setVisible(False)
    assert section.connect("contentsCollapsed(bool)", seen.append)
    section.show()
    section.collapsed = True
    assert not edit.visible
    section.collapsed = False
    assert edit.visible
    assert not hidden.visible
    assert seen == [True, False]
    section.click()
    assert section.collapsed is True


def test_a_section_that_starts_collapsed_stays_so_when_shown(spin):
    import ctk
    import qt

    section = ctk.ctkCollapsibleGroupBox()
    section.collapsed = True
    layout, label = qt.QVBoxLayout(section), qt.QLabel("inside")
    layout.addWidget(label)
    section.show()
    spin()
    assert not label.visible
    section.collapsed = False
    assert label.visible


@pytest.mark.parametrize("class_name", ["ctkSliderWidget", "ctkDoubleSpinBox"])
def test_numbers_are_held_within_their_limits(class_name):
    import ctk

    widget, seen = getattr(ctk, class_name)(), []
    widget.minimum, widget.maximum, widget.singleStep, widget.decimals = 1, 9, 0.5, 1
    assert widget.connect("valueChanged(double)", seen.append)
    widget.value = 4.5
    widget.setValue(100.0)
    assert seen == [4.5, 9.0]
    assert widget.value == 9.0
    for plain_method in ("setMinimum", "setRange", "setSingleStep", "spinBox"):
        with pytest.raises(AttributeError):
            getattr(widget, plain_method)


def test_the_second_overload_of_a_spin_box_carries_its_text():
    import ctk

    box, seen = ctk.ctkDoubleSpinBox(), []
    assert box.connect("valueChanged(QString)", seen.append)
    box.value = 2.0
    assert seen == ["2.00"]


def test_a_path_edit_follows_its_text_and_its_dialog(dialogs, tmp_path):
    import ctk

    edit, seen = ctk.ctkPathLineEdit(), []
    edit.currentPathChanged.connect(seen.append)
    edit.currentPath = "/somewhere"
    dialogs.will_answer(str(tmp_path))
    edit.browse()
    assert edit.currentPath == str(tmp_path)
    assert seen == ["/somewhere", str(tmp_path)]
    with pytest.raises(AttributeError):
        edit.setNameFilters(["*.nrrd"])


def test_a_directory_button_says_when_its_directory_changes(dialogs, tmp_path):
    import ctk

    button, seen = ctk.ctkDirectoryButton(), []
    button.directoryChanged.connect(seen.append)
    dialogs.will_answer(str(tmp_path), None)
    button.browse()
    button.browse()
    assert button.directory == str(tmp_path)
    assert seen == [str(tmp_path)]


def test_a_combo_box_shows_its_default_text():
    import ctk

    box = ctk.ctkComboBox()
    box.defaultText = "No model"
    box.addItem("a", "model@v1")
    box.setCurrentUserDataAsString("model@v1")
    assert box.currentUserDataAsString == "model@v1"
    with pytest.raises(AttributeError):
        box.setDefaultText("x")
