"""A model as a folder that a person can read.

``metadata.json`` (what it is), ``labels.json`` (the label contract), ``model.safetensors`` (the weights; an ensemble
has ``member-2.safetensors`` and so on beside it), ``README.md`` (the model card) and ``SHA256SUMS``. Nothing in it is
executed and no pickle is ever loaded.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..durable import place_folder, write_json, write_text
from ..errors import InputError
from ..images.prepare import InputSpec
from ..labels.contract import LabelContract
from .checksums import SUMS, check_sums, write_sums
from .metadata import Metadata, member_files

if TYPE_CHECKING:
    import torch

METADATA, LABELS, WEIGHTS, README = "metadata.json", "labels.json", "model.safetensors", "README.md"


@dataclass(frozen=True)
class ModelFolder:
    """An opened model.

    Attributes:
        path: The folder.
        metadata: What the model says about itself.
        contract: Its labels, and the regions that the network predicts in output order.
    """

    path: Path
    metadata: Metadata
    contract: LabelContract

    @property
    def input_spec(self) -> InputSpec:
        """What the network expects of its input."""
        metadata = self.metadata
        return InputSpec(metadata.channels, metadata.spacing, metadata.intensity, metadata.preparation)

    @property
    def weights_path(self) -> Path:
        """The safetensors file; of an ensemble, that of the first member."""
        return self.path / WEIGHTS

    @property
    def weights_paths(self) -> tuple[Path, ...]:
        """The safetensors files of all members."""
        return tuple(self.path / name for name in self.metadata.members)

    @property
    def spec(self) -> str:
        """Name and version as people write them, for example ``brain-tumour@v2``."""
        return f"{self.metadata.name}@{self.metadata.version}"

    @classmethod
    def open(cls, path: Path, verify: bool = True) -> ModelFolder:
        """Open a model folder.

        Args:
            path: The folder.
            verify: Compare every file with ``SHA256SUMS`` (about 1 s for each GB).

        Raises:
            InputError: If the folder is missing, incomplete, changed, holds unlisted files or has an unknown format.
        """
        path = Path(path)
        if not path.is_dir():
            raise InputError(
                f"There is no model folder at {path}.", remedy="Check the path, or choose a model from the list.",
                code="no-model",
            )  # fmt: skip
        _require(path, (METADATA, LABELS, WEIGHTS, README, SUMS))
        if verify:
            check_sums(path)
        metadata = Metadata.read(path / METADATA)
        _require(path, metadata.members)
        try:
            contract = LabelContract.read(path / LABELS)
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise InputError(
                f"The labels.json of {path.name} cannot be read.", reason=str(error),
                remedy="Take the model folder from its source again.", code="bad-contract",
            ) from error  # fmt: skip
        return cls(path, metadata, contract)

    @classmethod
    def write(
        cls, path: Path, metadata: Metadata, contract: LabelContract, state_dict: Mapping[str, torch.Tensor],
        readme: str, *, half: bool = True, more_members: Sequence[Mapping[str, torch.Tensor]] = (),
    ) -> ModelFolder:  # fmt: skip
        """Write a new model folder and open it; all of it appears at once, or nothing.

        Args:
            path: Where; must not exist.
            metadata: Content of ``metadata.json``; its ``members`` are set to what is written.
            contract: Content of ``labels.json``.
            state_dict: The network's tensors.
            readme: The model card in Markdown.
            half: Store floating-point weights in half precision (the file is half as large).
            more_members: Tensors of the other networks of an ensemble; the first is ``state_dict``.

        Raises:
            InputError: If ``path`` exists, or a weight is not finite.
        """
        from .weights import save_weights  # the one part that needs torch; reading a folder must not

        path = Path(path)
        if path.exists():
            raise InputError(
                f"{path.name} exists already and is not overwritten.",
                remedy="Choose another name for the model folder.",
                code="exists",
            )  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{secrets.token_hex(6)}-{path.name}")
        temporary.mkdir()
        try:
            members = (state_dict, *more_members)
            files = member_files(len(members))
            write_json(temporary / METADATA, replace(metadata, members=files).to_dict())
            write_json(temporary / LABELS, contract.to_dict())
            write_text(temporary / README, readme)
            for file, tensors in zip(files, members, strict=True):
                save_weights(tensors, temporary / file, half=half)
            write_sums(temporary)
            place_folder(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        return cls.open(path, verify=False)


def _require(path: Path, names: Sequence[str]) -> None:
    for name in names:
        if not (path / name).is_file():
            raise InputError(
                f"The folder {path.name} is not a complete model.", reason=f"The file {name} is missing.",
                remedy="Take the model folder from its source again.", code="incomplete-model",
            )  # fmt: skip
