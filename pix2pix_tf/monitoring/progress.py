"""What a training shows of itself: one live line on a terminal, the post's lines elsewhere."""

import collections
import math
import sys
import time

from tqdm import tqdm

from pix2pix_tf.system.errors import Pix2PixError

# What a report calls the losses, and which fields of Model they are
REPORTED = {
    'discrim_loss': 'discrim_loss',
    'gen_loss_GAN': 'gen_loss_gan',
    'gen_loss_L1': 'gen_loss_l1',
}

WINDOW = 60  # seconds over which the live line measures its rate


def say(line):
    """Prints a line to standard output, above the live line where there is one."""
    # In one piece, for signals are told of in a thread of their own
    with tqdm.external_write_mode(file=sys.stdout):
        sys.stdout.write(line + '\n')
        sys.stdout.flush()


class Attempts:
    """To write what a training can do without: a failure is said once, until it works again."""

    def __init__(self):
        self.failing = False

    def __call__(self, write):
        """Calls `write()`; a Pix2PixError in it is all the same to the caller."""
        try:
            write()
        except Pix2PixError as error:
            if not self.failing:
                say(f'{error}; training goes on without it')
            self.failing = True
        else:
            self.failing = False


class Progress:
    """Reports of a run that goes from `first_step` to `max_steps`; use it as a context manager.

    On a terminal a live line is drawn after every step, with the rate of the last minute. Elsewhere
    the post's lines come where they are asked for, with the rate since the first step; `freq` 0
    silences the live line, too.
    """

    def __init__(self, first_step, max_steps, steps_per_epoch, batch_size, freq):
        self.first_step, self.max_steps = first_step, max_steps
        self.steps_per_epoch, self.batch_size = steps_per_epoch, batch_size
        self.start = time.time()
        self.recent = collections.deque([(self.start, first_step)])
        self.bar = None
        if freq and sys.stdout.isatty():
            self.bar = tqdm(
                total=max_steps,
                initial=first_step,
                file=sys.stdout,
                bar_format='{desc} {percentage:3.0f}%|{bar}|{postfix}',
                dynamic_ncols=True,
                mininterval=0.5,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.bar is not None:
            self.bar.close()

    def rate(self, step):
        """Images a second since the first step of this process."""
        return (step - self.first_step) * self.batch_size / (time.time() - self.start)

    def recent_rate(self):
        """Images a second over the last minute, or since the first step where that is later."""
        (since, from_step), (now, step) = self.recent[0], self.recent[-1]
        return (step - from_step) * self.batch_size / (now - since)

    def show(self, step, losses):
        """Brings the live line to `step`; `losses` is {field of Model: float}."""
        self.recent.append((time.time(), step))
        while self.recent[-1][0] - self.recent[0][0] > WINDOW and len(self.recent) > 2:
            self.recent.popleft()
        if self.bar is not None:
            rate = self.recent_rate()
            epochs = math.ceil(self.max_steps / self.steps_per_epoch)
            epoch = math.ceil(step / self.steps_per_epoch)
            self.bar.set_description_str(
                f'epoch {epoch}/{epochs}  step {step}/{self.max_steps}', refresh=False
            )
            self.bar.set_postfix_str(
                f'{rate:.2f} image/sec, {self._remaining(step, rate)} left, '
                f'discrim {losses["discrim_loss"]:.3f}, GAN {losses["gen_loss_gan"]:.3f}, '
                f'L1 {losses["gen_loss_l1"]:.3f}',
                refresh=False,
            )
            self.bar.update(step - self.bar.n)

    def report(self, step, losses, averages):
        """Prints the post's lines; `losses` and `averages` are {field of Model: float}."""
        if self.bar is None:
            rate = self.rate(step)
            line = format_progress(
                step, self.steps_per_epoch, self.max_steps, rate, self.batch_size
            )
            say(f'{line}\n{format_losses(losses, averages)}')

    def _remaining(self, step, rate):
        minutes = int((self.max_steps - step) * self.batch_size / rate / 60)
        return f'{minutes // 60}h {minutes % 60:02}m' if minutes >= 60 else f'{minutes}m'


def format_losses(losses, averages):
    """A line for each of REPORTED, from {field of Model: float}."""
    return '\n'.join(
        f'{label} {losses[name]!s}  average {averages[name]!s}' for label, name in REPORTED.items()
    )


def format_progress(step, steps_per_epoch, max_steps, rate, batch_size):
    """The post's progress line after global step `step`, at `rate` images a second."""
    remaining = (max_steps - step) * batch_size / rate
    epoch = math.ceil(step / steps_per_epoch)
    epoch_step = (step - 1) % steps_per_epoch + 1
    return (
        f'progress  epoch {epoch}  step {epoch_step}  image/sec {rate:0.1f}  '
        f'remaining {int(remaining / 60)}m'
    )
