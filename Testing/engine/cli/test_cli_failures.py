"""Exit statuses 1, 3 and 4, the crash log, and how quickly the command answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.errors import ResourceError
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.inference import segment as segment_module
from engine.inference.tiny_model import head


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make segmenting end in an error."""

    def arrange(error: BaseException) -> None:
        def fail(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(segment_module, "segment", fail)

    return arrange


def test_a_bug_is_status_1_with_plain_words_and_a_log(
    run: Callable, segment_arguments: list, failing: Callable, private_home: Path, tmp_path: Path, study_files: dict
) -> None:
    failing(ZeroDivisionError(f"division by zero in {study_files['T1c']}"))
    ran = run(*segment_arguments, "--output", tmp_path / "SMITH^JANE.nrrd")
    assert ran.status == 1
    assert "this is a bug of ours" in ran.err
    (log,) = (private_home / "logs").iterdir()
    assert str(log) in ran.err
    text = log.read_text()
    assert "Traceback" in text
    assert "ZeroDivisionError" in text
    assert "in run" in text  # the place in the code, which a report needs
    assert study_files["T1c"].name not in text  # file names may name a patient
    assert "SMITH" not in text


def test_a_log_that_cannot_be_written_does_not_hide_the_bug(
    run: Callable, segment_arguments: list, failing: Callable, private_home: Path, tmp_path: Path
) -> None:
    failing(ZeroDivisionError("division by zero"))
    private_home.mkdir()
    (private_home / "logs").write_text("a file where the folder should be")
    ran = run(*segment_arguments, "--output", tmp_path / "m.nrrd")
    assert ran.status == 1
    assert "could not be written" in ran.err


def test_interrupting_is_status_3_and_leaves_nothing(
    run: Callable, segment_arguments: list, failing: Callable, tmp_path: Path
) -> None:
    failing(KeyboardInterrupt())
    ran = run(*segment_arguments, "--json", "--output", tmp_path / "out" / "m.nrrd")
    assert ran.status == 3
    assert ran.values[-1]["code"] == "cancelled"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "error",
    [ResourceError("No memory."), MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")],
)
def test_memory_is_status_4(
    run: Callable, segment_arguments: list, failing: Callable, tmp_path: Path, error: Exception
) -> None:
    failing(error)
    assert run(*segment_arguments, "--output", tmp_path / "m.nrrd").status == 4


def test_help_and_version_are_status_0(run: Callable) -> None:
    for arguments in (["--help"], ["--version"], ["segment", "--help"], ["cases", "add", "--help"]):
        assert run(*arguments).status == 0


@pytest.mark.parametrize("arguments", [[], ["paint"], ["cases"], ["models", "promote"], ["finetune", "--steps", "0"]])
def test_a_wrong_command_is_status_2(run: Callable, arguments: list) -> None:
    ran = run(*arguments)
    assert ran.status == 2
    assert "--help" in ran.err


def _command(repository: Path, *arguments: object) -> list[str]:
    code = (
        f"import sys; sys.path.insert(0, {str(repository / 'ConvNeXtSeg')!r});"
        "from convnextseg_engine.cli.main import main; status = main(sys.argv[1:]);"
        "print('TORCH' if 'torch' in sys.modules else 'LIGHT', file=sys.stderr); sys.exit(status)"
    )
    return [sys.executable, "-c", code, *map(str, arguments)]


@pytest.mark.parametrize("arguments", [["--help"], ["models", "list"], ["segment", "--model", "m"]])
def test_quick_answers_do_not_import_torch(repository: Path, arguments: list) -> None:
    ran = subprocess.run(
        _command(repository, *arguments), capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert ran.returncode in (0, 2)
    assert "LIGHT" in ran.stderr


def test_a_closed_pipe_is_no_error(repository: Path) -> None:
    command = _command(repository, "models", "list", "--json")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    process.wait(60)
    assert "Traceback" not in error
    assert "BrokenPipe" not in error


@pytest.fixture
def long_run(repository: Path, segment_arguments: list, tmp_path: Path) -> Iterator[subprocess.Popen]:
    """A segmentation in a process of its own, with windows enough for a minute."""
    grid = Grid((60, 60, 60), (4.0, 4.0, 4.0), (-118.0, -118.0, -118.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    array = sitk.GetArrayFromImage(head(grid, (0, 0, 0), 20, 400))
    sitk.WriteImage(grid.image(np.maximum(array, 1)), str(tmp_path / "large.nii.gz"))
    images = [part for part in segment_arguments if part != "--image" and "=" not in str(part)]
    command = _command(
        repository, *images, "--image", f"T1={tmp_path / 'large.nii.gz'}", "--output", tmp_path / "out.seg.nrrd"
    )
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        # A shell's background job ignores Ctrl-C and passes that on; a person at a terminal does not start one.
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) if os.name == "posix" else None,
    )
    yield process
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one child process")
def test_ctrl_c_ends_a_running_segmentation_at_once(long_run: subprocess.Popen, tmp_path: Path) -> None:
    for line in long_run.stderr:
        if line.startswith("predict"):
            break
    started = time.monotonic()
    long_run.send_signal(signal.SIGINT)
    error = ""
    for line in long_run.stderr:
        error += line
        if "The run was cancelled." in line:
            break
    answered = time.monotonic() - started
    error += long_run.stderr.read()
    assert long_run.wait(60) == 3
    assert "The run was cancelled." in error
    assert answered < 10  # a second on a free machine; the whole run takes a minute there, and more on a busy one
    assert "Traceback" not in error
    assert not list(tmp_path.glob("*seg.nrrd"))
