"""The README of an imported model."""

from __future__ import annotations

from typing import Any

from ..labels.contract import LabelContract
from ..models.metadata import Metadata


def model_card(metadata: Metadata, contract: LabelContract, members: int) -> str:
    """Return the model card in Markdown: what was read, what was assumed, where it came from."""
    rows = [
        ("network", metadata.network.get("name", "") + (f", {members} members (folds)" if members > 1 else "")),
        ("input", f"{', '.join(metadata.channels)} at {' × '.join(f'{v:g}' for v in metadata.spacing)} mm"),
        ("window", " × ".join(map(str, metadata.patch)) + " voxels"),
        ("preparation", preparation_in_words(metadata.intensity, metadata.preparation)),
        ("labels", ", ".join(f"{label.name} = {label.value}" for label in contract.labels)),
        ("outputs", f"{contract.outputs}: {', '.join(region.name for region in contract.regions)}"),
        ("licence", metadata.licence),
        ("attribution", metadata.attribution or "not stated by the source"),
    ]
    table = "\n".join(f"| {name} | {_cell(text)} |" for name, text in rows)
    sources = "\n".join(
        f"- `{_cell(source['file'])}`, {source['bytes']} bytes, SHA-256 `{source['sha256']}`"
        for source in metadata.lineage.get("sources", [])
    )
    notes = "\n".join(f"- {note}" for note in metadata.lineage.get("notes", [])) or "- none"
    kind = metadata.lineage.get("kind", "another program")
    return (
        f"# {metadata.title}\n\n**Not for clinical use.** {metadata.intended_use}\n\n"
        f"| | |\n|---|---|\n{table}\n\n"
        f"## Where it comes from\n\nImported by ConvNeXtSeg from: {kind}.\n\n{sources}\n\n"
        f"## What was assumed at import\n\n{notes}\n"
    )


def preparation_in_words(intensity: str, preparation: dict[str, Any]) -> str:
    """Return how images are prepared, in a line: another program's scheme, or intensity steps and array axes."""
    scheme = preparation.get("scheme", "anatomical")
    if scheme != "anatomical":
        return scheme
    steps = [_step_in_words(step) for step in preparation.get("intensity", ())] or [intensity]
    return f"{', then '.join(steps)}; array axes {preparation.get('axes', 'SPL')}"


def _step_in_words(step: dict[str, Any]) -> str:
    if "from" not in step:
        return step["scheme"]
    (low, high), (new_low, new_high) = step["from"], step["to"]
    clipped = ", clipped" if step["clip"] else ""
    return f"{step['scheme']} {low:g} to {high:g} become {new_low:g} to {new_high:g}{clipped}"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("`", "'").split())
