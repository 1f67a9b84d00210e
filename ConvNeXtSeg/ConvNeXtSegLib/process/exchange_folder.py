"""The private folder through which images pass, made when the first image has to."""

from __future__ import annotations

from pathlib import Path

from convnextseg_engine.worker.exchange import Exchange


class ExchangeFolder:
    """Makes one :class:`Exchange` for a session of Slicer.

    Args:
        parent: Where the folder is made; the system's folder for temporary files if None.
    """

    def __init__(self, parent: Path | None = None):
        self._parent = parent
        self._exchange: Exchange | None = None

    def open(self) -> Exchange:
        """Return the exchange; made anew if its folder was cleaned away meanwhile."""
        if self._exchange is None or not self._exchange.folder.is_dir():
            self._exchange = Exchange.create(self._parent)
        return self._exchange

    def close(self) -> None:
        """Remove the folder with all that is in it."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.close()
