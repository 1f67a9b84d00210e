"""``convnextseg networks``: the networks that training can start from, by name."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .output import Output, table

if TYPE_CHECKING:
    from ..networks.memory import MemoryCoefficients
    from ..networks.registry import NetworkInfo

# Parameters are counted for four MR sequences and four outputs, as the publications on brain tumours do.
_INPUTS, _OUTPUTS = 4, 4


def add_parser(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser = subparsers.add_parser("networks", help="list and show the networks that can be trained")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    text = "list networks: parameters (4 channels in, 4 out), default window, what extents must be divisible by"
    listing = actions.add_parser("list", parents=[common], help=text, description=f"{text[:1].upper()}{text[1:]}.")
    listing.set_defaults(run=_list)
    text = "show a network: its sizes, what can be chosen, paper, licence, memory"
    show = actions.add_parser("show", parents=[common], help=text, description=f"{text[:1].upper()}{text[1:]}.")
    show.add_argument("network", metavar="NAME", help="a listed name; other kernels and widths as in mednext-b-k7-w16")
    show.set_defaults(run=_show)


def _list(arguments: argparse.Namespace, output: Output) -> None:
    from ..networks.registry import named, names

    rows = [_row(named(name)) for name in names()]
    lines = [["network", "parameters", "dimensions", "window", "divisible by"]]
    lines += [[r["name"], f"{r['parameters']:,}", f"{r['dim']}D", _times(r["patch"]), str(r["divisor"])] for r in rows]
    output.result(rows, table(lines))


def _show(arguments: argparse.Namespace, output: Output) -> None:
    from ..networks.memory import memory_of
    from ..networks.registry import named, supports

    info = named(arguments.network)
    memory = {backend: memory_of(info.network, backend) for backend in ("torch", "openvino")}
    value = _row(info) | {
        "network": info.network,
        "deep_supervision": supports(info.network, "deep_supervision"),
        "checkpointing": supports(info.network, "checkpointing"),
        "memory": {
            backend: asdict(known) | {"peak_bytes": known.peak(info.patch)} for backend, known in memory.items()
        },
    }
    rows = [
        ["network", info.name],
        ["architecture", f"{info.title}, {info.dim}D"],
        ["parameters", f"{value['parameters']:,} ({_INPUTS} channels in, {_OUTPUTS} out)"],
        ["default window", f"{_times(info.patch)} voxels"],
        ["extents", f"divisible by {info.divisor}, at least {info.smallest}"],
        ["deep supervision", "yes" if value["deep_supervision"] else "no"],
        ["checkpointing", "yes" if value["checkpointing"] else "no"],
        ["memory", _memory_in_words(memory["torch"], info.patch)],
        ["paper", info.paper],
        ["known weights", info.licence],
        ["described as", ", ".join(f"{key}={item}" for key, item in info.network.items())],
    ]
    output.result(value, table(rows))


def _memory_in_words(known: MemoryCoefficients, window: tuple[int, int, int]) -> str:
    sure = "measured" if known.measured else "not measured, a cautious guess"
    return f"about {known.peak(window) / 1e9:.1f} GB for one window with PyTorch ({sure})"


def _row(info: NetworkInfo) -> dict[str, Any]:
    from ..networks.cost import parameters

    return {
        "name": info.name,
        "title": info.title,
        "parameters": parameters(info.network, _INPUTS, _OUTPUTS),
        "dim": info.dim,
        "patch": list(info.patch),
        "divisor": info.divisor,
        "smallest": info.smallest,
        "paper": info.paper,
        "licence": info.licence,
    }


def _times(extents: Any) -> str:
    return " × ".join(str(n) for n in extents)
