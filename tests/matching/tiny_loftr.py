"""A LoFTR of small dimensions with random weights, and what it answered when it was made.

python -m tests.matching.tiny_loftr writes loftr_files/tiny.ckpt and answers.npz anew. The answers
are those of kornia's network itself, called without this package; they guard against changes of
kornia's and of our reading of its checkpoints and frames.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from kornia.feature import LoFTR
from kornia.feature.loftr.loftr import default_cfg

from hloc_lite.contracts.synthetic import cropped, textured_photo
from hloc_lite.types import Photo

FOLDER = Path(__file__).parent / "loftr_files"
CHECKPOINT, ANSWERS = FOLDER / "tiny.ckpt", FOLDER / "answers.npz"
SEED = 0


def architecture() -> dict[str, Any]:
    """kornia's configuration with an eighth of the channels and one layer of each kind."""
    config = deepcopy(default_cfg)
    config["resnetfpn"] = {"initial_dim": 8, "block_dims": [8, 8, 16]}
    config["coarse"] |= {"d_model": 16, "d_ffn": 16, "nhead": 2, "layer_names": ["self", "cross"]}
    config["fine"] |= {"d_model": 8, "d_ffn": 8, "nhead": 2}
    return config


def photos() -> tuple[Photo, Photo]:
    """Coloured rectangles, and a crop of them; the sides are multiples of 8."""
    whole = textured_photo(0, 320, 240)
    return whole, cropped(whole, 16, 8)


def gray(photo: Photo) -> torch.Tensor:
    """(1, 1, H, W) grey values in [0, 1]."""
    pixels = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY)
    return torch.tensor(pixels)[None, None].float() / 255


def main() -> None:
    """Write both files."""
    torch.manual_seed(SEED)
    config = architecture()
    config["match_coarse"]["thr"] = 0.0  # random weights are never sure
    network = LoFTR(pretrained=None, config=config).eval()
    FOLDER.mkdir(exist_ok=True)
    # the authors' files have this prefix, too
    state = {f"matcher.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state}, CHECKPOINT)
    with torch.inference_mode():
        found = network({f"image{side}": gray(each) for side, each in enumerate(photos())})
    names = ("keypoints0", "keypoints1", "confidence")
    np.savez_compressed(ANSWERS, **{name: found[name].numpy() for name in names})


if __name__ == "__main__":
    main()
