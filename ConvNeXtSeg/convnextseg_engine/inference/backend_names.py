"""How backends are called; importable without torch, so that a typing error shows at once."""

from __future__ import annotations

from ..errors import InputError

BACKENDS = ("auto", "torch", "openvino")


def checked_backend_name(backend: str, device: str = "auto") -> str:
    """Return ``backend`` if it exists and can run on ``device``; raises :class:`InputError` otherwise."""
    if backend not in BACKENDS:
        raise InputError(
            f"The backend “{backend}” is not known.", remedy=f"Use {', '.join(BACKENDS)}.", code="unknown-backend"
        )
    if backend == "openvino" and device not in ("auto", "cpu"):
        raise InputError(
            f"The backend openvino does not run on {device}.",
            reason="ConvNeXtSeg uses OpenVINO on the CPU only.",
            remedy="Choose cpu as device, or auto as backend.",
            code="backend-and-device",
        )
    return backend
