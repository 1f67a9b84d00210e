"""Cancel, a dying worker, a closing scene: the panel stays usable and nothing half-done enters the scene."""

from __future__ import annotations

import os
import signal
import time

import pytest

from convnextseg_engine.worker.identity import group_members, identify, is_running
from panel.panel_fixtures import OpenPanel


@pytest.fixture
def warm_panel(open_panel: OpenPanel) -> OpenPanel:
    """A panel whose worker has segmented once; the result is gone from the scene again."""
    open_panel.choose_volumes()
    open_panel.click_segment()
    assert not open_panel.segment.failed, open_panel.segment.messages.text
    for node in open_panel.segmentations:
        open_panel.scene.RemoveNode(node)
    return open_panel


def test_cancel_reacts_at_once_and_keeps_a_worker_that_obeys(warm_panel: OpenPanel) -> None:
    worker = warm_panel.collaborators.segment_worker
    pid = worker.pid
    ui = warm_panel.segment.ui
    ui.segmentButton.click()
    clicked = time.monotonic()
    ui.cancelButton.click()
    assert time.monotonic() - clicked < 0.2
    assert ui.progressLabel.text == "Cancelling…"
    assert not ui.cancelButton.isEnabled()
    warm_panel.save("6-cancelling")
    warm_panel.spin(lambda: not warm_panel.segment.running, timeout=5)
    assert time.monotonic() - clicked < 1.5
    assert ui.segmentButton.isEnabled()
    assert ui.statusLabel.text == "Cancelled. Nothing in the scene was changed."
    assert warm_panel.segmentations == []
    assert worker.pid == pid
    warm_panel.click_segment()
    assert len(warm_panel.segmentations) == 1


def test_a_worker_that_does_not_obey_is_killed_by_its_real_pid(warm_panel: OpenPanel) -> None:
    worker = warm_panel.collaborators.segment_worker
    process = identify(worker.pid)
    ui = warm_panel.segment.ui
    os.kill(worker.pid, signal.SIGSTOP)  # as if it sat in a library call that never returns
    ui.segmentButton.click()
    warm_panel.spin()
    clicked = time.monotonic()
    ui.cancelButton.click()
    warm_panel.spin(lambda: not warm_panel.segment.running, timeout=5)
    assert time.monotonic() - clicked < 2.0
    assert not is_running(process)
    assert group_members(process.pid) == []
    assert "The next run starts the worker anew: about" in ui.statusLabel.text
    assert warm_panel.segmentations == []
    warm_panel.click_segment()
    assert len(warm_panel.segmentations) == 1
    assert worker.pid != process.pid


def test_a_worker_that_dies_in_the_middle_is_explained_and_the_next_click_works(warm_panel: OpenPanel) -> None:
    worker = warm_panel.collaborators.segment_worker
    pid = worker.pid
    os.kill(pid, signal.SIGSTOP)
    warm_panel.segment.ui.segmentButton.click()
    os.kill(pid, signal.SIGKILL)
    warm_panel.spin(lambda: not warm_panel.segment.running, timeout=5)
    what, why, what_next = warm_panel.segment.messages.text.splitlines()
    assert what == "The worker process ended in the middle of the work."
    assert "memory" in why
    assert "Try again" in what_next
    assert warm_panel.segment.ui.segmentButton.isEnabled()
    warm_panel.save("7-worker-died")
    warm_panel.click_segment()
    assert warm_panel.segment.messages.text == ""
    assert len(warm_panel.segmentations) == 1
    assert worker.pid not in (None, pid)


def test_closing_the_scene_in_the_middle_leaves_nothing_behind(warm_panel: OpenPanel) -> None:
    worker = warm_panel.collaborators.segment_worker
    os.kill(worker.pid, signal.SIGSTOP)
    warm_panel.segment.ui.segmentButton.click()
    warm_panel.scene.Clear(False)
    assert not warm_panel.segment.running
    assert warm_panel.segment.ui.segmentButton.isEnabled()
    assert "scene was closed" in warm_panel.segment.ui.statusLabel.text
    warm_panel.spin(lambda: not worker.busy, timeout=5)
    assert warm_panel.segmentations == []
    assert warm_panel.segment.channels.volumes() == {}
    assert warm_panel.panel.review.ui.segmentEditor.segmentationNode() is None
    assert list(warm_panel.collaborators.exchange.open().folder.iterdir()) == []


def test_a_volume_that_is_deleted_meanwhile_is_named(warm_panel: OpenPanel) -> None:
    warm_panel.segment.ui.segmentButton.click()
    warm_panel.scene.RemoveNode(warm_panel.study.volumes["T1"])
    warm_panel.spin(lambda: not warm_panel.segment.running, timeout=30)
    assert "“T1” is no longer in the scene" in warm_panel.segment.messages.text
    assert warm_panel.segmentations == []


def test_closing_the_panel_ends_the_worker(warm_panel: OpenPanel) -> None:
    process = identify(warm_panel.collaborators.segment_worker.pid)
    folder = warm_panel.collaborators.exchange.open().folder
    warm_panel.widget.cleanup()
    assert not is_running(process)
    assert group_members(process.pid) == []
    assert not folder.exists()
