"""Cancel, a dying worker, a closing scene: the panel stays usable and nothing half-done enters the scene."""

from __future__ import annotations

import os
import signal
import time

from convnextseg_engine.worker.identity import ProcessIdentity, group_members, identify, is_running
from panel.panel_fixtures import OpenPanel


def _start(panel: OpenPanel) -> ProcessIdentity:
    """Click, wait until the worker has said hello, and return it; its work is in its first second."""
    panel.choose_volumes()
    panel.segment.ui.segmentButton.click()
    worker = panel.collaborators.segment_worker
    panel.spin(lambda: worker.pid is not None, timeout=60)
    return identify(worker.pid)


def test_cancel_reacts_at_once_and_keeps_a_worker_that_obeys(open_panel: OpenPanel) -> None:
    open_panel.choose_volumes()
    open_panel.click_segment()
    for node in open_panel.segmentations:
        open_panel.scene.RemoveNode(node)
    worker = open_panel.collaborators.segment_worker
    pid = worker.pid
    ui = open_panel.segment.ui
    ui.segmentButton.click()
    clicked = time.monotonic()
    ui.cancelButton.click()
    assert time.monotonic() - clicked < 0.2
    assert ui.progressLabel.text == "Cancelling…"
    assert not ui.cancelButton.isEnabled()
    open_panel.save("6-cancelling")
    open_panel.spin(lambda: not open_panel.segment.running, timeout=5)
    assert time.monotonic() - clicked < 1.5
    assert ui.segmentButton.isEnabled()
    assert ui.statusLabel.text == "Cancelled. Nothing in the scene was changed."
    assert open_panel.segmentations == []
    assert worker.pid == pid
    open_panel.click_segment()
    assert len(open_panel.segmentations) == 1

    # The same worker no longer obeys, as if it sat in a library call that never returns.
    process = identify(pid)
    os.kill(pid, signal.SIGSTOP)
    ui.segmentButton.click()
    ui.cancelButton.click()
    open_panel.spin(lambda: not open_panel.segment.running, timeout=5)
    assert not is_running(process)
    assert "The next run starts the worker anew: about" in ui.statusLabel.text


def test_a_worker_that_does_not_obey_is_killed_by_its_real_pid(open_panel: OpenPanel) -> None:
    process = _start(open_panel)
    os.kill(process.pid, signal.SIGSTOP)
    clicked = time.monotonic()
    open_panel.segment.ui.cancelButton.click()
    open_panel.spin(lambda: not open_panel.segment.running, timeout=5)
    assert time.monotonic() - clicked < 2.0
    assert not is_running(process)
    assert group_members(process.pid) == []
    assert open_panel.collaborators.segment_worker.pid is None
    assert "The next run starts the worker anew." in open_panel.segment.ui.statusLabel.text
    assert open_panel.segmentations == []


def test_a_worker_that_dies_in_the_middle_is_explained_and_the_next_click_works(open_panel: OpenPanel) -> None:
    process = _start(open_panel)
    os.kill(process.pid, signal.SIGKILL)
    open_panel.spin(lambda: not open_panel.segment.running, timeout=5)
    what, why, what_next = open_panel.segment.messages.text.splitlines()
    assert what == "The worker process ended in the middle of the work."
    assert "memory" in why
    assert "Try again" in what_next
    assert open_panel.segment.ui.segmentButton.isEnabled()
    open_panel.save("7-worker-died")
    open_panel.click_segment()
    assert open_panel.segment.messages.text == ""
    assert len(open_panel.segmentations) == 1
    assert open_panel.collaborators.segment_worker.pid not in (None, process.pid)


def test_closing_the_scene_in_the_middle_leaves_nothing_behind(open_panel: OpenPanel) -> None:
    process = _start(open_panel)
    open_panel.scene.Clear(False)
    assert not open_panel.segment.running
    assert open_panel.segment.ui.segmentButton.isEnabled()
    assert "scene was closed" in open_panel.segment.ui.statusLabel.text
    open_panel.spin(lambda: not open_panel.collaborators.segment_worker.busy, timeout=5)
    assert open_panel.segmentations == []
    assert open_panel.segment.channels.volumes() == {}
    assert open_panel.panel.review.ui.segmentEditor.segmentationNode() is None
    assert list(open_panel.collaborators.exchange.open().folder.iterdir()) == []
    assert not is_running(process), "it was importing and could not end by itself in time"


def test_a_volume_that_is_deleted_meanwhile_is_named(open_panel: OpenPanel) -> None:
    _start(open_panel)
    open_panel.scene.RemoveNode(open_panel.study.volumes["T1"])
    open_panel.spin(lambda: not open_panel.segment.running, timeout=240)
    assert "“T1” is no longer in the scene" in open_panel.segment.messages.text
    assert open_panel.segmentations == []


def test_closing_the_panel_ends_the_worker(open_panel: OpenPanel) -> None:
    process = _start(open_panel)
    folder = open_panel.collaborators.exchange.open().folder
    open_panel.widget.cleanup()
    assert not is_running(process)
    assert group_members(process.pid) == []
    assert not folder.exists()
