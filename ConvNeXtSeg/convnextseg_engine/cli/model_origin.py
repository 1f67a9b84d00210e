"""What ``convnextseg models show`` says of a model's network, where the model comes from, and what it has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from ..models.folder import ModelFolder
    from ..models.metadata import Metadata

# Of a network's description, what a person asks for first, and how it is called.
_WORDS = {"size": "size", "kernel": "kernel", "width": "width", "norm": "norm", "architecture": "architecture"}


def network_name(model: ModelFolder) -> str:
    """Return the name of the network as ``convnextseg networks list`` has it, or as the model calls it."""
    from ..networks.registry import name_of

    try:
        return name_of(model.metadata.network)
    except InputError:  # of a later version of ConvNeXtSeg
        return str(model.metadata.network.get("name", ""))


def parameter_count(model: ModelFolder) -> int | None:
    """Return the number of parameters of one of the model's networks, or None if this version cannot build it."""
    from ..networks.cost import parameters

    try:
        return parameters(model.metadata.network, len(model.metadata.channels), model.contract.network_outputs)
    except InputError:
        return None


def origin(metadata: Metadata) -> str:
    """Return where a model was imported from, in a few words; empty if it was not.

    Args:
        metadata: Of the first version, from which all others come.
    """
    sources = metadata.lineage.get("sources")
    if not isinstance(sources, list):
        return ""
    files = [str(source["file"]) for source in sources if isinstance(source, dict) and "file" in source]
    listed = f" ({', '.join(files[:3])}{', …' if len(files) > 3 else ''})" if files else ""
    return f"another program: {metadata.lineage.get('kind', 'a file')}{listed}"


def network_in_words(value: dict[str, Any]) -> str:
    """Return name, size and number of parameters of the network on one line.

    Args:
        value: What ``models show --json`` prints.
    """
    network = value["network"]
    parts = [f"{word} {network[key]}" for key, word in _WORDS.items() if key in network]
    parts.append(f"{network.get('dim', 2 if 1 in value['patch'] else 3)}D")
    if value["parameters"] is not None:
        parts.append(f"{value['parameters']:,} parameters")
    members = len(value.get("members", ())) or 1
    parts += [f"{members} members"] * (members > 1)
    family = f"{network.get('name')} " if network.get("name") != value["network_name"] else ""
    return f"{value['network_name']} ({family}{', '.join(parts)})"


def cases_in_words(value: dict[str, Any]) -> str:
    """Return what is known of the cases that a model has seen; zero known cases of an imported model are not none."""
    count = len(value["training_cases"])
    known = f"{count} cases and images, known by hash; none of them may judge it"
    if not value["comes_from"]:
        return known
    unknown = "which cases its source trained it on is not known, so none can be kept from judging it"
    return f"{unknown}; here {known}" if count else unknown
