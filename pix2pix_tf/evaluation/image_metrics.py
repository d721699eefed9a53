"""The metrics of one pair of images: those of every evaluation, and those that are asked for."""

import contextlib
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from pix2pix_tf.evaluation import lpips, metrics

# (output, target), both [height, width, 3] uint8 => {metric: value}
Compare = Callable[[np.ndarray, np.ndarray], Dict[str, float]]


class OptionalMetrics(NamedTuple):
    """Which of `metrics.OPTIONAL_NAMES` are measured, and with what."""

    lpips: Optional[str] = None  # path of the weights, as `lpips_weights.fetch` writes them


def names_with(optional: OptionalMetrics) -> Tuple[str, ...]:
    """The metrics that `opened` measures."""
    chosen = [name for name in metrics.OPTIONAL_NAMES if getattr(optional, name.lower())]
    return (*metrics.NAMES, *chosen)


@contextlib.contextmanager
def opened(optional: OptionalMetrics) -> Iterator[Compare]:
    """Yields a function that compares an output with its target.

    Its result has the metrics of `metrics.compare` first, then the optional ones.

    Raises:
        Pix2PixError: a file that an optional metric needs cannot be used.
    """
    with contextlib.ExitStack() as stack:
        compares: List[Compare] = [metrics.compare]
        if optional.lpips:
            compares.append(stack.enter_context(lpips.opened(optional.lpips)))

        def compare_all(output, target):
            return {
                name: value
                for compare in compares
                for name, value in compare(output, target).items()
            }

        yield compare_all
