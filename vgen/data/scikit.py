"""Real pictures that ship with scikit-learn (extra `scikit-learn`): handwritten digits and two photographs.

The digits are the test set of UCI's Optical Recognition of Handwritten Digits (E. Alpaydin and C. Kaynak, 1998),
CC BY 4.0 there. The photographs are CC BY 2.0: china.jpg by the Flickr user danielbuechele, flower.jpg by vultilion.
"""

import hashlib
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np


def need_scikit(data: str) -> ModuleType:
    """`sklearn.datasets`; a ValueError of one line, with the command that installs it, if there is none."""
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ValueError(
            f"data={data} needs the package scikit-learn ({error}): pip install 'vgen[scikit-learn]' "
            "(or: pip install scikit-learn)"
        ) from None
    return datasets


@cache
def handwritten_digits() -> tuple[np.ndarray, np.ndarray]:
    """1797 pictures (N, 8, 8) of floats in 0..1, and which digit each is, (N,) in 0..9."""
    found = need_scikit("digits").load_digits()
    return found.images / 16, found.target


@cache
def photographs() -> dict[str, np.ndarray]:
    """name -> (427, 640, 3) uint8."""
    found = need_scikit("textures").load_sample_images()
    return {
        Path(name).stem: np.array(image) for name, image in zip(found.filenames, found.images, strict=True)
    }


def digest(*arrays: np.ndarray) -> str:
    """A hash of what was read: decoders and later versions of the package may differ."""
    found = hashlib.blake2b(digest_size=8)
    for array in arrays:
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
