"""Models that stay in memory between requests, which is what the worker is for."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..inference.loaded import LoadedModel

# The current version and the candidate that it is compared with; a third would only take memory from the images.
_KEPT = 2


class WarmModels:
    """The models in memory, the least recently used of which makes room for a new one."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[tuple[str, str, str, str, str], LoadedModel] = OrderedDict()

    def get(self, spec: str, device: str = "auto", backend: str = "auto") -> tuple[LoadedModel, bool]:
        """Return a model and whether it had to be loaded for that.

        Args:
            spec: ``"name"`` (its current version at this moment), ``"name@v2"`` or a folder.
            device: As the user chose it.
            backend: As the user chose it.

        Raises:
            ConvNeXtSegError: If there is no such model or it cannot be loaded.
        """
        from ..models.store import ModelStore  # imports SimpleITK and numpy

        model = ModelStore().open(spec)
        # With the path, because a copied folder has the same name and version, and maybe other weights.
        key = (model.metadata.name, model.metadata.version, str(model.path), device, backend)
        if key in self._loaded:
            self._loaded.move_to_end(key)
            return self._loaded[key], False
        from ..inference.loaded import load  # imports torch

        while len(self._loaded) >= _KEPT:
            self._loaded.popitem(last=False)
        self._loaded[key] = load(model, device, backend)
        return self._loaded[key], True

    def names(self) -> list[str]:
        """Return the models in memory as ``name@version``; may be called from another thread."""
        return sorted({f"{name}@{version}" for name, version, *_ in list(self._loaded)})
