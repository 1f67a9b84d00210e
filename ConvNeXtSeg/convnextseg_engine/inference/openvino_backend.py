"""Running a network with OpenVINO, on CPUs several times faster than PyTorch as it comes, with the same fp32 result.

Measured for one window of 96³ with MedNeXt-S: 1.3 s against 5.4 s (CPU with AMX) and 4.7 s against 18.5 s (AVX-512),
before ``openvino_graph.py`` halved the time once more on a CPU with AVX2. The largest difference to double precision is
3e-5 of the largest logit.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib import metadata, util
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..durable import place_folder
from .openvino_graph import for_openvino

_POLL_MS = 50
# Counts up when openvino_graph.py makes other graphs, so that a cache does not hold the old ones.
_GRAPH = 2


def openvino_version() -> str | None:
    """Return the installed version of OpenVINO, or None; does not import it."""
    if util.find_spec("openvino") is None:
        return None
    return metadata.version("openvino")


def _silent_openvino() -> Any:
    # Importing OpenVINO and converting a model report to a web service by default. Nothing leaves the computer here:
    # with that package out of reach, OpenVINO takes its own stand-in that sends nothing.
    if "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino


def cpu_capabilities() -> tuple[str, ...]:
    """Return what OpenVINO says that this CPU computes itself, for example ``("FP32", "INT8", "BF16")``."""
    return tuple(_silent_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def cpu_name() -> str:
    """Return what OpenVINO calls this CPU."""
    return str(_silent_openvino().Core().get_property("CPU", "FULL_DEVICE_NAME"))


class OpenVinoBackend:
    """A network compiled for the CPU and one patch size.

    Args:
        network: Maps windows ``(1, C, D, H, W)`` to logits ``(1, R, D, H, W)``.
        inputs: Channels C.
        patch: D, H, W in voxels.
        identity: What the network's values are (a digest of its weights); names the cache entry.
        cache: Folder for converted and compiled models, or None to convert each time.
        precision: What to ask OpenVINO for: ``"f32"``, ``"f16"`` or ``"bf16"``. What it then does is in the attribute
            ``precision``.
    """

    name = "openvino"
    device = "cpu"
    max_window_batch = 1

    def __init__(
        self, network: nn.Module, inputs: int, patch: tuple[int, int, int], identity: str, cache: Path | None,
        precision: str = "f32",
    ):  # fmt: skip
        self._ov = _silent_openvino()
        self._core = self._ov.Core()
        self.fixed_patch = patch
        self.holds_memory = False
        shape = [1, inputs, *patch]
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            # With pinning on, torch in the same process became 2 to 6 times slower (measured).
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": precision,
        }
        entry = None
        if cache is not None:
            key = hashlib.sha256(f"{identity} {shape} {openvino_version()} graph {_GRAPH}".encode()).hexdigest()[:32]
            entry = cache / key
        self._compiled = self._compile(network, shape, settings, entry)
        self._request = self._compiled.create_infer_request()
        # A hint is a wish: the compiled model says what it does.
        kind = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.precision = {"f32": "fp32", "f16": "fp16"}.get(kind, kind)

    def _compile(self, network: nn.Module, shape: list[int], settings: dict[str, Any], entry: Path | None) -> Any:
        file = entry / "model.xml" if entry else None
        if file and file.is_file():
            try:
                return self._core.compile_model(str(file), "CPU", settings | {"CACHE_DIR": str(entry)})
            except RuntimeError:
                shutil.rmtree(entry)  # damaged; it is only a cache, made again below
        model = self._convert(network, shape)
        if file:
            try:
                self._store(model, entry)
            except OSError:
                file = None  # a full or read-only home costs the seconds of converting again, not the result
        if file:
            return self._core.compile_model(str(file), "CPU", settings | {"CACHE_DIR": str(entry)})
        return self._core.compile_model(model, "CPU", settings)

    def _convert(self, network: nn.Module, shape: list[int]) -> Any:
        # Normalisation turns a constant image's rounding errors into signals, so the example is noise; and tracing is
        # not repeated for checking, because each pass over a whole window costs seconds.
        example = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # notes of torch's tracer for those who write networks
            traced = torch.jit.trace(for_openvino(network.eval()), example, check_trace=False)
            return self._ov.convert_model(traced, input=shape)

    def _store(self, model: Any, entry: Path) -> None:
        entry.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix="converting-", dir=entry.parent))
        try:
            self._ov.save_model(model, str(staged / "model.xml"), compress_to_fp16=False)
            with contextlib.suppress(FileExistsError):  # another process was faster with the same content
                place_folder(staged, entry)
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def logits(self, windows: torch.Tensor, check: Callable[[], None]) -> torch.Tensor:
        """Return the network's logits for one window.

        Args:
            windows: float32, shape ``(1, C, D, H, W)``.
            check: Called about 20 times a second; if it raises, the computation is stopped.

        Returns:
            float32 logits ``(1, R, D, H, W)``.
        """
        self._request.set_input_tensor(self._ov.Tensor(windows.contiguous().numpy()))
        self.holds_memory = True
        self._request.start_async()
        try:
            while not self._request.wait_for(_POLL_MS):
                check()
        except BaseException:
            self._request.cancel()
            self._wait_for_end()
            raise
        return torch.from_numpy(self._request.get_output_tensor(0).data.copy())

    def release(self) -> None:
        """Give back the working memory; the next window takes it again."""
        self._compiled.release_memory()
        self.holds_memory = False

    def in_precision(self, precision: str) -> OpenVinoBackend:
        """Return this backend if it computes so; a compiled network computes in one precision only."""
        if precision != self.precision:
            raise ValueError(f"this network was compiled for {self.precision}, not {precision}")
        return self

    def _wait_for_end(self) -> None:
        with contextlib.suppress(RuntimeError):  # OpenVINO reports its own cancellation as an error
            self._request.wait()
