"""The progress of a training: one live line on a terminal, otherwise the post's lines."""

import collections
import math
import sys
import time
import typing

from tqdm import tqdm

from pix2pix_tf.config import Config
from pix2pix_tf.system.console import print_line

# {label in a report: field of Model}
LOSS_LABELS = {
    'discrim_loss': 'discrim_loss',
    'gen_loss_GAN': 'gen_loss_gan',
    'gen_loss_L1': 'gen_loss_l1',
}

WINDOW = 60  # seconds over which the live line measures its rate

Losses = typing.Dict[str, float]  # {field of Model: value}


def is_due(freq: int, step: int, steps: range) -> bool:
    """Whether something is due after `step` that comes every `freq` of `steps` and after the last.

    The `steps` of a run are numbered from those that were done before: range(first, last). A `freq`
    of 0 means never.
    """
    return freq > 0 and (step % freq == 0 or step == steps.stop)


class Progress:
    """Reports on the `steps` of a run; use it as a context manager.

    On a terminal, a live line is updated after every step, with the rate of the last minute.
    Elsewhere the post's lines are printed on request, with the rate since the first step. A
    progress_freq of 0 turns off both. `replicas` are the processes that train together.
    """

    def __init__(
        self, steps: range, steps_per_epoch: int, config: Config, replicas: int = 1
    ) -> None:
        self.steps, self.steps_per_epoch = steps, steps_per_epoch
        self.batch_size = config.batch_size * replicas
        self.start = time.monotonic()
        self.recent = collections.deque([(self.start, steps.start)])
        self.bar = None
        if config.progress_freq and sys.stdout.isatty():
            self.bar = tqdm(
                total=steps.stop,
                initial=steps.start,
                file=sys.stdout,
                bar_format='{desc} {percentage:3.0f}%|{bar}|{postfix}',
                dynamic_ncols=True,
                mininterval=0.5,
            )

    def __enter__(self) -> 'Progress':
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def rate(self, step: int) -> float:
        """Images per second since the first step of this process."""
        seconds = time.monotonic() - self.start
        return (step - self.steps.start) * self.batch_size / seconds

    def recent_rate(self) -> float:
        """Images per second over the last minute, or since the first step if that is shorter."""
        (since, from_step), (now, step) = self.recent[0], self.recent[-1]
        return (step - from_step) * self.batch_size / (now - since)

    def show(self, step: int, losses: Losses) -> None:
        """Updates the live line."""
        self.recent.append((time.monotonic(), step))
        while self.recent[-1][0] - self.recent[0][0] > WINDOW and len(self.recent) > 2:
            self.recent.popleft()
        if self.bar is not None:
            rate, last_step = self.recent_rate(), self.steps.stop
            epochs = math.ceil(last_step / self.steps_per_epoch)
            epoch = math.ceil(step / self.steps_per_epoch)
            self.bar.set_description_str(
                f'epoch {epoch}/{epochs}  step {step}/{last_step}', refresh=False
            )
            self.bar.set_postfix_str(
                f'{rate:.2f} image/sec, {self._remaining(step, rate)} left, '
                f'discrim {losses["discrim_loss"]:.3f}, GAN {losses["gen_loss_gan"]:.3f}, '
                f'L1 {losses["gen_loss_l1"]:.3f}',
                refresh=False,
            )
            self.bar.update(step - self.bar.n)

    def report(self, step: int, losses: Losses, averages: Losses) -> None:
        """Prints the post's lines, unless there is a live line."""
        if self.bar is None:
            print_line(f'{self._line(step)}\n{format_losses(losses, averages)}')

    def _line(self, step):
        """The post's progress line after global step `step`."""
        epoch = math.ceil(step / self.steps_per_epoch)
        epoch_step = (step - 1) % self.steps_per_epoch + 1
        rate = self.rate(step)
        remaining = (self.steps.stop - step) * self.batch_size / rate
        return (
            f'progress  epoch {epoch}  step {epoch_step}  image/sec {rate:0.1f}  '
            f'remaining {int(remaining / 60)}m'
        )

    def _remaining(self, step, rate):
        minutes = int((self.steps.stop - step) * self.batch_size / rate / 60)
        return f'{minutes // 60}h {minutes % 60:02}m' if minutes >= 60 else f'{minutes}m'


def format_losses(losses: Losses, averages: Losses) -> str:
    """One line for each of LOSS_LABELS."""
    return '\n'.join(
        f'{label} {losses[name]!s}  average {averages[name]!s}'
        for label, name in LOSS_LABELS.items()
    )
