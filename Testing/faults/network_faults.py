"""Faults in networks, and in how other people's weights are read."""

from __future__ import annotations

from .planting import Fault

_ENGINE = "ConvNeXtSeg/convnextseg_engine"
_TESTS = "Testing/engine"

FAULTS = (
    Fault(
        "a foreign pickle reaches one function more than the list allows",
        f"{_ENGINE}/checkpoints/allowed_names.py",
        '    "argparse.Namespace": _namespace,\n',
        '    "argparse.Namespace": _namespace,\n    "builtins.len": len,\n',
        (f"{_TESTS}/checkpoints/test_safe_pickle.py::test_other_types_are_refused_by_name",),
    ),
    Fault(
        "a grown kernel is scaled to keep its sum",
        f"{_ENGINE}/networks/upkern.py",
        "mode=mode, align_corners=False)",
        "mode=mode, align_corners=False) * (tensor[0, 0].numel() / target[0, 0].numel())",
        (f"{_TESTS}/networks/test_upkern.py::test_a_constant_kernel_keeps_its_magnitude",),
    ),
    Fault(
        "ConvUNeXt joins skip and deep features the other way round",
        f"{_ENGINE}/networks/convunext.py",
        "torch.cat([kept, deep], dim=1)",
        "torch.cat([deep, kept], dim=1)",
        (f"{_TESTS}/networks/test_convunext.py::test_outputs_equal_the_reference",),
        needs_shared=True,
    ),
)
