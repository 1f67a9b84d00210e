"""Arrays between processes, and what is left of them."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convnextseg_engine.errors import InputError, ResourceError
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.worker.exchange import Exchange, sweep
from convnextseg_engine.worker.identity import identify

OBLIQUE = Grid((5, 4, 3), (0.7, 0.8, 2.5), (-10.5, 20.25, 3.125), (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1))


@pytest.fixture
def exchange(tmp_path: Path):
    exchange = Exchange.create(tmp_path)
    yield exchange
    exchange.close()
    assert not exchange.folder.exists()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64", "bool"])
def test_an_array_and_its_grid_come_back_equal(exchange, dtype):
    array = (np.arange(60).reshape(3, 4, 5) % 7).astype(dtype)
    ref = exchange.put_array("T1c", array, OBLIQUE)
    opened, grid = Exchange(exchange.folder).open_array(ref)
    assert isinstance(opened, np.memmap)
    assert opened.dtype == array.dtype and np.array_equal(opened, array)
    assert grid == OBLIQUE


def test_views_with_gaps_and_arrays_without_a_grid_are_written_as_they_look(exchange):
    array = np.arange(240, dtype=np.int16).reshape(6, 8, 5)[::2, ::2].T
    opened, grid = exchange.open_array(exchange.put_array("curve", array))
    assert np.array_equal(opened, array) and grid is None


def test_who_writes_to_a_mapped_array_changes_nobody_elses(exchange):
    ref = exchange.put_array("T1", np.zeros((3, 4, 5), np.float32), OBLIQUE)
    mine, _ = exchange.open_array(ref)
    mine[:] = 7
    assert not exchange.open_array(ref)[0].any()


def test_only_the_user_can_read_and_names_tell_nothing(exchange):
    ref = exchange.put_array("Doe^Jane 1970 T1c", np.zeros(4))
    path = Path(ref["path"])
    assert stat.S_IMODE(exchange.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "doe" not in str(ref).lower() and "t1c" not in path.name.lower()


def test_private_even_under_a_permissive_umask(tmp_path):
    before = os.umask(0)
    try:
        exchange = Exchange.create(tmp_path)
        path = Path(exchange.put_array("T1", np.zeros(4))["path"])
    finally:
        os.umask(before)
    assert stat.S_IMODE(exchange.folder.stat().st_mode) == 0o700 and stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_others_could_read_is_refused(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)
    with pytest.raises(InputError, match="others could read"):
        Exchange(folder)
    with pytest.raises(InputError, match="does not exist"):
        Exchange(tmp_path / "missing")
    (tmp_path / "link").symlink_to(Exchange.create(tmp_path).folder)
    with pytest.raises(InputError):
        Exchange(tmp_path / "link")


def test_files_outside_the_folder_are_not_opened(exchange, tmp_path):
    outside = tmp_path / "secret.npy"
    np.save(outside, np.zeros(3))
    link = exchange.folder / "link.npy"
    link.symlink_to(outside)
    for path in (outside, link, exchange.folder / ".." / "secret.npy", exchange.folder / "missing.npy"):
        with pytest.raises(InputError) as caught:
            exchange.open_array({"path": str(path), "grid": None})
        assert caught.value.code == "exchange-file"
    with pytest.raises(InputError):
        exchange.open_array({})


def test_an_array_that_does_not_fit_its_grid_is_refused_on_both_sides(exchange):
    with pytest.raises(ValueError, match="does not fit"):
        exchange.put_array("T1", np.zeros((5, 4, 3)), OBLIQUE)
    ref = exchange.put_array("T1", np.zeros((5, 4, 3)))
    with pytest.raises(InputError, match="its grid says"):
        exchange.open_array({**ref, "grid": OBLIQUE.to_dict()})


def test_objects_are_never_pickled(exchange):
    with pytest.raises(ValueError, match="objects"):
        exchange.put_array("T1", np.array([{}, []], dtype=object))
    planted = exchange.folder / "planted.npy"
    np.save(planted, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError):
        exchange.open_array({"path": str(planted), "grid": None})


def test_a_full_disk_is_told_in_words_and_leaves_no_half_file(exchange, monkeypatch):
    def write_half(file, *_args, **_options):
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np.lib.format, "write_array", write_half)
    with pytest.raises(ResourceError) as caught:
        exchange.put_array("T1", np.zeros(1000))
    assert "No space left" in caught.value.reason and caught.value.remedy
    assert list(exchange.folder.iterdir()) == []


def test_a_discarded_file_is_gone_and_may_be_discarded_again(exchange):
    ref = exchange.put_array("T1", np.zeros(4))
    mapped, _ = exchange.open_array(ref)
    exchange.discard(ref)
    exchange.discard(ref)
    assert list(exchange.folder.iterdir()) == [] and mapped.shape == (4,)


def test_starting_sweeps_the_folders_of_dead_processes_and_no_others(tmp_path):
    script = (
        "import sys, numpy as np\nfrom convnextseg_engine.worker.exchange import Exchange\n"
        "exchange = Exchange.create(sys.argv[1])\nexchange.put_array('T1', np.zeros(9))\n"
        "print(exchange.folder, flush=True)\nsys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, env=environment) as other:
        folder = Path(other.stdout.readline().strip())
        mine = Exchange.create(tmp_path)
        assert folder.is_dir(), "its owner lives"
        other.kill()
        other.wait()
    assert folder.is_dir(), "its owner was killed and could not tidy up"
    newer = Exchange.create(tmp_path)
    assert not folder.exists()
    assert mine.folder.is_dir() and newer.folder.is_dir()


def test_a_reused_pid_does_not_protect_a_stale_folder(tmp_path):
    me = identify(os.getpid())
    stale = tmp_path / f"convnextseg-exchange-{me.pid}-{int(me.started) - 1}-0123456789abcdef"
    stale.mkdir(mode=0o700)
    assert sweep(tmp_path) == [stale]


def test_sweeping_touches_nothing_that_is_not_ours(tmp_path):
    target = tmp_path / "precious"
    target.mkdir()
    (target / "file").write_text("x", encoding="utf-8")
    dead = "convnextseg-exchange-999999999-1-0123456789abcdef"
    (tmp_path / dead).symlink_to(target)
    for name in ("convnextseg-exchange-notes", "convnextseg-exchange-999999999-1-0123456789abcdef-copy"):
        (tmp_path / name).mkdir()
    assert sweep(tmp_path) == []
    assert (target / "file").exists() and len(list(tmp_path.iterdir())) == 4
