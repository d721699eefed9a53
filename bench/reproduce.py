"""`make reproduce`: the post's training and its numbers, from scratch; the same command resumes.

    python bench/reproduce.py --data=FOLDER --out=FOLDER [--steps=80000]
        [--post=FILE] [--pictures=FOLDER] [flags of pix2pix-train]

Trains with the defaults, and exports the validation pairs every 5,000 steps. --post is the post's
Markdown: its code is then trained next to two seeds of the package, from the same weights.
--pictures holds the results that the post shows, as 1-inputs.png, 1-outputs.png, 1-targets.png and
so on: the inputs then run through the trained generator. Ends with results.md in --out.
"""

import argparse
import glob
import os
import signal
import subprocess
import sys

import reproduce_page
from PIL import Image
from turns import HERE, ROOT, environment

from pix2pix_tf import checkpoints
from pix2pix_tf.evaluation.report import JSON_FILE
from pix2pix_tf.pairs import halves
from pix2pix_tf.system.errors import Pix2PixError

FIRST = 2000  # the first step that is measured, and the last of the comparison with the post
NO_UPDATE = 1e-30  # a learning rate that leaves the weights as they are


class Stopped(Exception):
    """A training was interrupted and has saved."""


class Reproduction:
    """The steps of one reproduction; a step whose result exists is skipped."""

    def __init__(self, args, train_flags):
        self.args, self.train_flags = args, train_flags
        self.train_data, self.val_data = (
            os.path.join(args.data, part) for part in ('train', 'val')
        )
        self.child = None
        # Ctrl-C also reaches the child, which saves; this process only waits for it
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, self._forward)

    def path(self, *parts):
        """A path in the output folder."""
        return os.path.join(self.args.out, *parts)

    def train(self, name, steps, *flags):
        """Trains in the folder `name` up to `steps`; returns the checkpoint."""
        return self._train_by(
            'bin/pix2pix-train',
            name,
            steps,
            *self.train_flags,
            f'--val_data={self.val_data}',
            f'--max_steps={steps}',
            *flags,
        )

    def export(self, checkpoint, data, name):
        """Exports the pairs of `data` to the folder `name`."""
        if not os.path.exists(self.path(name, JSON_FILE)):
            self._run(
                'bin/pix2pix-export',
                f'--checkpoint={checkpoint}',
                f'--data={data}',
                f'--out={self.path(name)}',
                '--seed=1',
            )

    def measure(self, step):
        """Trains up to `step`, and exports the validation pairs and the pictures."""
        if os.path.exists(self.path('steps', str(step), JSON_FILE)):
            return
        checkpoint = self.train(
            'run', step, '--seed=1', '--save_secs=600', '--keep=2', '--eval_images=50'
        )
        if checkpoints.step_of(checkpoint) > step:
            print(f'step {step} was not measured: the run is past it')
            return
        if self.args.pictures:
            self.export(checkpoint, self.path('pairs'), os.path.join('pictures', str(step)))
        self.export(checkpoint, self.val_data, os.path.join('steps', str(step)))

    def compare(self, steps):
        """A second seed, and the post's code from the initial weights of the first."""
        checkpoint = self.train('seed-2', steps, '--seed=2', '--eval_freq=0', '--display_freq=0')
        self.export(checkpoint, self.val_data, os.path.join('compared', 'seed-2'))
        start = self.train('start', 1, '--seed=1', f'--learning_rate={NO_UPDATE}')
        checkpoint = self._train_by(
            os.path.join(HERE, 'post_training.py'),
            'post',
            steps,
            f'--post={self.args.post}',
            f'--start={start}',
            f'--steps={steps}',
        )
        self.export(checkpoint, self.val_data, os.path.join('compared', 'post'))

    def _train_by(self, script, name, steps, *flags):
        """Runs `script` if the folder `name` has not reached `steps`; returns its checkpoint."""
        out = self.path(name)
        if self._step(out) < steps:
            self._run(script, f'--data={self.train_data}', f'--out={out}', *flags)
            if self._step(out) < steps:
                raise Stopped
        return checkpoints.latest(out)

    def _step(self, out):
        return checkpoints.step_of(checkpoints.latest(out)) if os.path.isdir(out) else 0

    def _run(self, script, *arguments):
        print('$', os.path.basename(script), *arguments, flush=True)
        self.child = subprocess.Popen(
            [sys.executable, script, *arguments], cwd=ROOT, env=environment()
        )
        status, self.child = self.child.wait(), None
        if status in (-signal.SIGINT, -signal.SIGTERM):
            raise Stopped
        if status:
            raise SystemExit(status if status > 0 else 1)

    def _forward(self, number, _):
        if not self.child:
            raise Stopped
        self.child.send_signal(number)


def make_pairs(pictures, folder):
    """Joins the pictures `N-targets.png` (left) and `N-inputs.png` to pairs in `folder`."""
    inputs = sorted(glob.glob(os.path.join(glob.escape(pictures), '*-inputs.png')))
    if not inputs:
        raise SystemExit(f'no *-inputs.png in {pictures}')
    os.makedirs(folder, exist_ok=True)
    for path in inputs:
        target, source = (Image.open(p) for p in (path.replace('-inputs', '-targets'), path))
        pair = halves.side_by_side(target, source)
        pair.save(os.path.join(folder, os.path.basename(path).replace('-inputs', '')))


def reproduce(args, train_flags):
    """Runs all steps, in folders of --out from which `reproduce_page` makes results.md."""
    run = Reproduction(args, train_flags)
    first = min(FIRST, args.steps)
    if args.pictures:
        make_pairs(args.pictures, run.path('pairs'))
    for step in sorted({first, *range(args.every, args.steps, args.every), args.steps}):
        run.measure(step)
        if step == first and args.post:
            run.compare(first)
        reproduce_page.write(args.out, first, args.pictures)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--data', default='data/pix2pix/facades', help='has train/ and val/')
    parser.add_argument('--out', default='out/reproduce')
    parser.add_argument('--steps', type=int, default=80000)
    parser.add_argument('--every', type=int, default=5000, help='steps between two exports')
    parser.add_argument('--post', help="the post's Markdown")
    parser.add_argument('--pictures', help='the pictures that the post shows')
    args, train_flags = parser.parse_known_args()
    given = {flag.lstrip('-').partition('=')[0] for flag in train_flags}
    for name in ('seed', 'max_steps', 'val_data', 'save_secs', 'keep', 'eval_images'):
        if name in given:
            parser.error(f'--{name} cannot be used: the reproduction sets it')
    for name in ('data', 'out', 'post', 'pictures'):
        value = getattr(args, name)
        setattr(args, name, value and os.path.abspath(value))
    for name in ('steps', 'every'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} is {getattr(args, name)}: it must be at least 1')
    if args.post and not os.path.isfile(args.post):
        parser.error(f'--post={args.post} is not a file')
    try:
        reproduce(args, train_flags)
    except Stopped:
        print('stopped; the same command resumes')
    except Pix2PixError as error:
        raise SystemExit(str(error)) from None


if __name__ == '__main__':
    main()
