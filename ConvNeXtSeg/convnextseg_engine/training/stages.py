"""Freezing parts of a network, so that what was learned before is kept while the rest learns."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import nn

from ..errors import InputError
from ..networks.slicewise import SliceWise


def freeze(network: nn.Module, names: Collection[str]) -> None:
    """Keep parts of a network from learning; the norms in them keep their running statistics, too.

    Args:
        network: The network.
        names: Dotted names of its parts, for example ``"encoder.stem"`` or ``"enc_block_0"``.

    Raises:
        InputError: If there is no such part; the message lists the network's parts.
    """
    for part in _parts(network, names):
        part.requires_grad_(False)
        part.eval()


def unfreeze(network: nn.Module, names: Collection[str] | None = None) -> None:
    """Let parts of a network, or all of it, learn; raises as :func:`freeze` does."""
    for part in [network] if names is None else _parts(network, names):
        part.requires_grad_(True)
        part.train(network.training)


def frozen_at(step: int, plan: Mapping[str, int | None]) -> tuple[str, ...]:
    """Return the parts that do not learn in ``step`` (0, 1, …); see :attr:`Recipe.freeze`."""
    return tuple(name for name, until in plan.items() if until is None or step < until)


def _parts(network: nn.Module, names: Collection[str]) -> list[nn.Module]:
    inner = network.network if isinstance(network, SliceWise) else network
    known = dict(inner.named_modules())
    for name in names:
        if not name or name not in known:
            top = [part for part, _ in inner.named_children()]
            raise InputError(
                f"The network has no part “{name}” to freeze.",
                reason=f"Its parts are {', '.join(top)}, and parts of these, such as "
                f"{next((part for part in known if '.' in part), top[0])}.",
                remedy="Correct the entry “freeze” of the recipe.",
                code="unknown-part",
            )
    return [known[name] for name in names]
