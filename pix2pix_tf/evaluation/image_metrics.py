"""The metrics of one pair of images: those of every evaluation, and those that are asked for."""

import contextlib
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from pix2pix_tf.evaluation import lpips, metrics
from pix2pix_tf.pairs import panels

# (output, target), both [height, width, channels] uint8 or uint16 => {metric: value}
Compare = Callable[[np.ndarray, np.ndarray], Dict[str, float]]


class OptionalMetrics(NamedTuple):
    """Which of `metrics.OPTIONAL_NAMES` are measured, and with what."""

    lpips: Optional[str] = None  # path of the weights, as `lpips_weights.fetch` writes them


def names_with(optional: OptionalMetrics) -> Tuple[str, ...]:
    """The metrics that `opened` measures."""
    chosen = [name for name in metrics.OPTIONAL_NAMES if getattr(optional, name.lower())]
    return (*metrics.NAMES, *chosen)


def _in_rgb(image, channels):
    """[[height, width, 3] uint8] of the panels of an image."""
    return [panels.as_rgb(one) for one in np.split(image, image.shape[2] // channels, axis=2)]


@contextlib.contextmanager
def opened(optional: OptionalMetrics, channels: int = 3) -> Iterator[Compare]:
    """Yields a function that compares an output with its target.

    Its result has the metrics of `metrics.compare` first, then the optional ones. Each panel of an
    image has so many `channels`; LPIPS is the mean of the panels, which are compared in RGB.

    Raises:
        Pix2PixError: a file that an optional metric needs cannot be used.
    """
    with contextlib.ExitStack() as stack:
        compares: List[Compare] = [metrics.compare]
        if optional.lpips:
            compare_rgb = stack.enter_context(lpips.opened(optional.lpips))

            def compare_panels(output, target):
                shown = [_in_rgb(image, channels) for image in (output, target)]
                each = [compare_rgb(*both) for both in zip(*shown)]
                return {name: float(np.mean([one[name] for one in each])) for name in each[0]}

            compares.append(compare_panels)

        def compare_all(output, target):
            return {
                name: value
                for compare in compares
                for name, value in compare(output, target).items()
            }

        yield compare_all
