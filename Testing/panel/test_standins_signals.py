"""Signals follow PythonQt: rules 7 to 13, 36 and 37."""

from __future__ import annotations

import functools
import threading

import pytest

pytestmark = pytest.mark.usefixtures("slicer_panel_environment")


def test_rule_07_connecting_by_text_or_by_attribute():
    import qt

    button, seen = qt.QPushButton(), []
    assert button.connect("clicked()", lambda: seen.append("text")) is True
    assert button.clicked.connect(lambda: seen.append("attribute")) is True
    button.click()
    assert seen == ["text", "attribute"]


def test_rule_08_a_wrong_signature_is_only_a_false(capsys):
    import ctk
    import qt

    import slicer

    selector = slicer.qMRMLNodeComboBox()
    assert selector.connect("currentNodeChanged(QObject*)", print) is False
    assert "does not exist" in capsys.readouterr().err
    assert selector.connect("currentNodeChanged(vtkMRMLNode*)", print) is True
    assert qt.QPushButton().connect("clicked(int)", print) is False
    assert ctk.ctkSliderWidget().connect("valueChanged(int)", print) is False
    with pytest.raises(AttributeError):
        _ = selector.noSuchSignal


def test_rule_09_overloads_are_chosen_by_text_and_those_qt6_dropped_are_gone():
    import qt

    combo, seen = qt.QComboBox(), []
    assert combo.connect("currentIndexChanged(int)", seen.append)
    assert combo.connect("currentIndexChanged(QString)", seen.append) is False
    combo.currentTextChanged.connect(seen.append)
    combo.addItems(["a", "b"])
    combo.setCurrentIndex(1)
    assert seen == [0, "a", 1, "b"]
    with pytest.raises(TypeError, match="not subscriptable"):
        _ = combo.currentIndexChanged[int]


def test_rule_10_arguments_are_cut_to_what_the_function_takes():
    import qt

    button, seen = qt.QPushButton(), []
    button.clicked.connect(lambda: seen.append("none"))
    button.clicked.connect(lambda name="default": seen.append(name))
    button.connect("clicked()", lambda name="default": seen.append(name))
    button.clicked.connect(functools.partial(lambda *given: seen.append(given), "partial"))
    button.click()
    assert seen == ["none", False, "default", ("partial", False)]


def test_rule_10_a_bound_slot_gets_all_arguments_and_refuses_too_many(slot_errors):
    import qt

    button, dialog = qt.QPushButton(), qt.QDialog()
    button.clicked.connect(dialog.close)
    button.click()
    assert [type(error) for error in slot_errors.take()] == [ValueError]


def test_rule_11_connect_takes_one_argument_and_disconnect_an_equal_callable():
    import qt

    class Listener:
        def __init__(self):
            self.count = 0

        def hear(self):
            self.count += 1

    button, listener = qt.QPushButton(), Listener()
    with pytest.raises(ValueError, match="wrong number of arguments"):
        button.clicked.connect(listener.hear, qt.Qt.QueuedConnection)
    button.clicked.connect(listener.hear)
    button.click()
    assert button.clicked.disconnect(listener.hear) is True
    assert button.clicked.disconnect(listener.hear) is False
    button.click()
    assert listener.count == 1


def test_rule_12_emitting_and_calling_a_signal():
    import qt

    button, seen = qt.QPushButton(), []
    button.clicked.connect(lambda checked: seen.append(checked))
    button.clicked.emit(True)
    button.clicked(False)
    assert seen == [True, False]


def test_rule_13_signals_of_python_subclasses():
    import qt

    class Worker(qt.QObject):
        done = qt.Signal(int)
        told = qt.Signal(object)

    worker, seen = Worker(), []
    worker.done.connect(seen.append)
    assert worker.connect("done(int)", seen.append) is True
    assert worker.connect("done(QString)", seen.append) is False
    worker.done.emit(5)
    message = {"dice": 0.9}
    worker.told.connect(lambda value: seen.append(value))
    worker.told.emit(message)
    assert seen == [5, 5, message]
    with pytest.raises(TypeError):
        qt.Signal([int], [str])


def test_rule_36_errors_in_slots_do_not_reach_the_emitter_but_are_remembered(slot_errors, spin, capsys):
    import qt

    def fail():
        raise KeyError("gone")

    button = qt.QPushButton()
    button.clicked.connect(fail)
    button.click()
    qt.QTimer.singleShot(0, fail)
    spin()
    assert [type(error) for error in slot_errors.take()] == [KeyError, KeyError]
    assert "KeyError: 'gone'" in capsys.readouterr().err


def test_errors_in_observers_of_mrml_are_remembered_too(scene, slot_errors):
    def fail(caller, event):
        raise ValueError("in an observer")

    tag = scene.AddObserver(scene.EndCloseEvent, fail)
    scene.Clear(False)
    scene.RemoveObserver(tag)
    assert [str(error) for error in slot_errors.take()] == ["in an observer"]


def test_rule_37_gui_objects_belong_to_the_main_thread():
    import qt

    label, raised = qt.QLabel("a"), []

    def touch():
        try:
            label.setText("b")
        except RuntimeError as error:
            raised.append(str(error))

    thread = threading.Thread(target=touch)
    thread.start()
    thread.join()
    assert raised and "QLabel touched in thread" in raised[0]
    assert label.text == "a"
