"""Stops a training whose numbers are no longer finite."""

import os
import typing

import numpy as np

from pix2pix_tf.system.errors import TrainingError

# {field of Model: its name in a message}; all must be finite after every step
FINITE_VALUES = {
    'discrim_loss': 'discrim_loss',
    'gen_loss_gan': 'gen_loss_GAN',
    'gen_loss_l1': 'gen_loss_L1',
    'discrim_gradient_sum': 'the gradient of discrim_loss',
    'gen_gradient_sum': 'the gradient of gen_loss',
}


def check_finite(
    step: int, values: typing.Dict[str, float], paths: typing.Sequence[bytes], out: str
) -> None:
    """Checks `values` ({field of Model: value}) after a step on the images at `paths`.

    Raises:
        TrainingError: a value is not finite; the message names it and the images.
    """
    bad = [
        f'{FINITE_VALUES[name]} is {value}'
        for name, value in values.items()
        if not np.isfinite(value)
    ]
    if bad:
        names = ', '.join(os.fsdecode(path) for path in paths)
        raise TrainingError(
            f'step {step}: {", ".join(bad)}, on {names}; nothing was saved after it: check these '
            f'images, or train again from the last checkpoint in {out} with a lower '
            '`learning_rate` and `override`'
        )
