"""Files appear whole or not at all, and one process at a time changes them."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from convnextseg_engine.durable import append_line, place_folder, replacing, write_json
from convnextseg_engine.errors import InputError, describe
from convnextseg_engine.file_lock import locked


def test_a_block_that_fails_leaves_the_old_content(tmp_path):
    path = tmp_path / "a.seg.nrrd"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        assert temporary.parent == path.parent
        assert temporary.name.endswith(".seg.nrrd")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.seg.nrrd"]


def test_json_is_readable_for_people_and_the_same_on_every_system(tmp_path):
    write_json(tmp_path / "a.json", {"name": "Ödem", "values": [1, 2]})
    content = (tmp_path / "a.json").read_bytes()
    assert json.loads(content) == {"name": "Ödem", "values": [1, 2]}
    assert "Ödem".encode() in content
    assert b"\r" not in content


def test_a_line_cut_short_spoils_only_itself(tmp_path):
    log = tmp_path / "log"
    append_line(log, "one")
    with log.open("a") as file:
        file.write("tw")
    append_line(log, "three")
    assert log.read_text() == "one\ntw\nthree\n"


def test_a_folder_is_not_placed_over_another(tmp_path):
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    with pytest.raises(FileExistsError):
        place_folder(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old" / "file").read_text() == "old"
    place_folder(tmp_path / "new", tmp_path / "deep" / "place")
    assert (tmp_path / "deep" / "place" / "file").read_text() == "new"


def test_the_lock_is_held_by_one_thread_at_a_time(tmp_path):
    count, most = 0, 0

    def work():
        nonlocal count, most
        for _ in range(3):
            with locked(tmp_path / "lock"):
                count += 1
                most = max(most, count)
                time.sleep(0.005)  # long enough for another thread to get in, were it let
                count -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (count, most) == (0, 1)


def test_whoever_waits_too_long_is_told_so(tmp_path):
    lock = tmp_path / "lock"
    with locked(lock), pytest.raises(InputError, match="Another process") as caught, locked(lock, timeout_s=0.1):
        pass
    assert caught.value.code == "locked"
    with locked(tmp_path / "lock", timeout_s=0.1):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path, repository):
    script = (
        "import sys, time; from pathlib import Path; from convnextseg_engine.file_lock import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(repository / "ConvNeXtSeg")}
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "lock")], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError), locked(tmp_path / "lock", timeout_s=0.1):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with locked(tmp_path / "lock", timeout_s=5):
        pass


def test_a_full_disk_is_not_called_a_bug():
    error = describe(OSError(errno.ENOSPC, "No space left on device", "/data/x"))
    assert (error.exit_status, error.code) == (4, "disk-full")
    assert "No space left on device: /data/x" in error.reason
    assert describe(OSError(errno.ENAMETOOLONG, "File name too long", "x")).exit_status == 2
    assert describe(FileNotFoundError(errno.ENOENT, "No such file")).exit_status == 1
