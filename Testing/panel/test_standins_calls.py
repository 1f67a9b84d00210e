"""Calls and values follow PythonQt: rules 14, 15, 20 to 24 and 29 to 33."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.usefixtures("slicer_panel_environment")


def test_rule_14_no_keyword_arguments():
    import qt

    with pytest.raises(ValueError, match="does not support kwargs"):
        qt.QPushButton("a", checkable=True)
    with pytest.raises(ValueError, match="does not support kwargs"):
        qt.QSettings().value("k", 1, type=int)


def test_rule_15_both_names_of_exec(dialogs):
    import qt

    dialogs.will_answer(1, 0)
    dialog = qt.QDialog()
    dialog.windowTitle = "Consent"
    assert dialog.exec() == 1
    assert dialog.exec_() == 0
    assert [shown.title for shown in dialogs.shown] == ["Consent", "Consent"]


def test_rule_20_single_shot(spin):
    import qt

    seen = []
    qt.QTimer.singleShot(0, lambda: seen.append(1))
    button = qt.QPushButton()
    button.clicked.connect(lambda: seen.append(2))
    qt.QTimer.singleShot(0, button, "click()")
    spin(lambda: len(seen) == 2)
    timer = qt.QTimer()
    with pytest.raises(AttributeError):
        timer.singleShot = True
    timer.setSingleShot(True)
    assert timer.isSingleShot()
    with pytest.raises(ValueError):
        qt.QTimer.singleShot(0, qt.Qt.CoarseTimer, lambda: None)


def test_rule_21_a_process_hands_out_byte_arrays(spin):
    import qt

    process, ends = qt.QProcess(), []
    assert process.connect("finished(int,QProcess::ExitStatus)", lambda code, status: ends.append((code, status)))
    assert process.connect("error(QProcess::ProcessError)", print) is False
    process.start(sys.executable, ["-c", "import sys; print(sys.stdin.read(), end=''); sys.exit(3)"])
    process.write(b"h\xc3\xa9")
    process.closeWriteChannel()
    spin(lambda: ends)
    answer = process.readAllStandardOutput()
    assert not hasattr(answer, "decode")
    assert answer.data().decode() == "hé"
    assert ends == [(3, qt.QProcess.NormalExit)]


def test_rule_22_settings_are_private_and_have_no_type_argument(tmp_path):
    import qt

    import slicer

    qt.QSettings().setValue("ConvNeXtSeg/flag", True)
    assert slicer.util.settingsValue("ConvNeXtSeg/flag", False, converter=slicer.util.toBool) is True
    assert slicer.app.userSettings().fileName().startswith(str(tmp_path))
    with pytest.raises(ValueError):
        qt.QSettings().value("ConvNeXtSeg/flag", False, bool)


def test_rule_23_lists_come_back_as_tuples():
    import qt

    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    assert selector.nodeTypes == ("vtkMRMLScalarVolumeNode",)
    assert isinstance(qt.QWidget().findChildren(qt.QWidget), tuple)


def test_rule_29_file_dialogs_return_the_path_alone(dialogs):
    import qt

    dialogs.will_answer("/data/a.nrrd", ("/data/a.nrrd", "/data/b.nrrd"), None)
    assert qt.QFileDialog.getOpenFileName(None, "Open", "/data", "*.nrrd") == "/data/a.nrrd"
    assert qt.QFileDialog.getOpenFileNames(None, "Open") == ("/data/a.nrrd", "/data/b.nrrd")
    assert qt.QFileDialog.getSaveFileName(None, "Save") == ""


def test_rule_30_message_boxes_return_the_button(dialogs):
    import qt

    dialogs.will_answer(qt.QMessageBox.No)
    answer = qt.QMessageBox.question(None, "Delete", "Really?", qt.QMessageBox.Yes | qt.QMessageBox.No)
    assert answer == qt.QMessageBox.No
    assert dialogs.shown[0].text == "Really?"


def test_an_unannounced_dialog_is_an_error(slicer_panel_environment):
    import qt

    with pytest.raises(AssertionError, match="did not announce"):
        qt.QMessageBox.information(None, "t", "text")
    assert [shown.text for shown in slicer_panel_environment.dialogs.unannounced] == ["text"]
    slicer_panel_environment.dialogs.unannounced.clear()


def test_rule_31_a_signal_blocker_is_no_context_manager():
    import qt

    button, seen = qt.QCheckBox(), []
    button.toggled.connect(seen.append)
    with pytest.raises((TypeError, AttributeError)), qt.QSignalBlocker(button):
        pass
    was = button.blockSignals(True)
    button.setChecked(True)
    button.blockSignals(was)
    assert seen == []


def test_rule_32_no_matching_overload_is_a_value_error():
    import qt

    with pytest.raises(ValueError, match="wrong number of arguments"):
        qt.QLabel().setText()
    with pytest.raises(ValueError, match="Could not find matching overload"):
        qt.QPushButton(1, 2, 3)
    with pytest.raises(ValueError, match="wrong arguments"):
        qt.QProgressBar().setValue("half")
    label = qt.QLabel()
    label.setText(3)
    assert label.text == "3"


def test_rule_33_values_in_and_out():
    import qt

    combo = qt.QComboBox()
    combo.addItem("x", {"a": 1})
    combo.addItem("y", None)
    assert combo.itemData(0) == {"a": 1}
    assert combo.itemData(1) is None
    widget = qt.QWidget()
    widget.resize(30, 40)
    assert widget.size.width() == 30
    assert qt.QSize(1, 2) == qt.QSize(1, 2)
    assert qt.QColor(1, 2, 3).red() == 1


def test_rule_38_qt_is_flat_and_a_missing_class_is_an_error():
    import qt

    assert qt.QAction.__name__ == "QAction"
    for name in ("QtWidgets", "QtCore", "QRegExp", "QDesktopWidget", "QFoo"):
        with pytest.raises(AttributeError, match=f"module 'qt' has no attribute '{name}'"):
            getattr(qt, name)
