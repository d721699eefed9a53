"""OpenCV, which only some of the functions on pairs need."""

import types

from pix2pix_tf.system.errors import Pix2PixError, how_to_install


def load() -> types.ModuleType:
    """The module cv2, on one thread: there is a process for each core.

    Raises:
        Pix2PixError: it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise Pix2PixError(f'OpenCV is missing ({error}): {how_to_install("pairs")}') from error
    cv2.setNumThreads(1)
    return cv2
