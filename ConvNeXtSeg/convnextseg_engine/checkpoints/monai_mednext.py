"""MONAI's names for the weights of a MedNeXt, and the authors' names for the same.

Found by walking both networks in data order: MONAI lists stages and decoder blocks in lists, the decoder from the
bottom up, as the authors number them from the top down.
"""

from __future__ import annotations

import re

import torch

_LEVELS = 4
_NAME = re.compile(r"(enc_stages|down_blocks|up_blocks|dec_stages|out_blocks)\.(\d+)\.(.+)")


def is_monai_mednext(names: dict[str, object]) -> bool:
    """Say whether these are the names of MONAI's MedNeXt."""
    return "stem.weight" in names and "enc_stages.0.0.conv1.weight" in names and "out_0.conv_out.weight" in names


def authors_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights under the authors' names, with the unused scalar that their files have."""
    renamed = {_authors_name(key): tensor for key, tensor in tensors.items()}
    return renamed | {"dummy_tensor": torch.ones(1)}


def _authors_name(key: str) -> str:
    match = _NAME.fullmatch(key)
    if match:
        kind, number, rest = match[1], int(match[2]), match[3]
        from_below = _LEVELS - 1 - number
        places = {
            "enc_stages": f"enc_block_{number}",
            "down_blocks": f"down_{number}",
            "up_blocks": f"up_{from_below}",
            "dec_stages": f"dec_block_{from_below}",
            "out_blocks": f"out_{_LEVELS - number}",  # of deep supervision, the coarsest first
        }
        key = f"{places[kind]}.{rest}"
    return key.replace("global_resp_gamma", "grn_gamma").replace("global_resp_beta", "grn_beta")
