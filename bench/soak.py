"""A soak test: `make train`, killed at random every 60 to 120 s and resumed, for half an hour.

    python bench/soak.py --minutes 30 --out out/soak DATA=facades

Further arguments are passed to `make train`. Every kill prints a line: the signal, the last step
that was reported, the step that was saved, and the number of steps lost between the two. The last
lines are the means of the losses over every 200 steps, to compare with those of a run that is not
killed, `--minutes 600 --calm STEPS`. Exits with 1 if a run did not resume from its newest
checkpoint.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

SAVE_SECS = 30


def start(out, variables, steps):
    arguments = f'ARGS=--progress_freq=1 --save_secs={SAVE_SECS} --save_freq=0'
    limit = [f'STEPS={steps}'] if steps else []
    return subprocess.Popen(
        ['make', 'train', f'OUT={out}', arguments, *limit, *variables],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        start_new_session=True,
    )


def follow(process, losses, steps_per_epoch):
    """Reads the output of a run to its end: (first step, last step reported, last line)."""
    first, step, line = None, 0, ''
    for line in process.stdout:
        resumed = re.search(r'resuming from \S+-([0-9]+)$', line)
        if resumed or 'starting from scratch' in line:
            first = step = int(resumed.group(1)) if resumed else 0
        progress = re.match(r'progress +epoch ([0-9]+) +step ([0-9]+)', line)
        if progress:
            epoch, in_epoch = map(int, progress.groups())
            step = (epoch - 1) * steps_per_epoch + in_epoch
        loss = re.match(r'(\w*loss\w*) (\S+)', line)
        if loss:
            losses.setdefault(loss.group(1), {})[step] = float(loss.group(2))
    return first, step, line.strip()


def saved_step(out):
    with open(os.path.join(out, 'checkpoint')) as file:
        return int(re.search('-([0-9]+)"', file.readline()).group(1))


def kill_later(process, seconds, number):
    def kill():
        if process.poll() is None:
            os.killpg(process.pid, number)

    timer = threading.Timer(seconds, kill)
    timer.start()
    return timer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--minutes', type=float, default=30, help='of killing and resuming')
    parser.add_argument('--out', default='out/soak', help='output folder of the training')
    parser.add_argument('--seed', type=int, default=1, help='of the times and signals of the kills')
    parser.add_argument('--calm', type=int, help='steps of a run that is not killed')
    parser.add_argument('--pairs', type=int, default=400, help='in the training set')
    parser.add_argument('variables', nargs='*', help='of the Makefile, like DATA=facades')
    args = parser.parse_args()

    rng = random.Random(args.seed)
    losses, kills, failed, saved = {}, 0, False, 0
    end = time.time() + 60 * args.minutes
    while time.time() < end and not (args.calm and kills):
        number = rng.choice([signal.SIGKILL, signal.SIGTERM])
        process = start(args.out, args.variables, args.calm)
        if not args.calm:
            timer = kill_later(process, rng.uniform(60, 120), number)
        first, step, line = follow(process, losses, args.pairs)
        process.wait()
        if not args.calm:
            timer.cancel()
        kills += 1
        wrong = first != saved
        failed |= wrong
        saved = saved_step(args.out)
        print(
            f'{kills}: {number.name} from step {first} reached {step} saved {saved} lost '
            f'{max(0, step - saved)}{" WRONG START" if wrong else ""}  {line[:90]}',
            flush=True,
        )
    for name, values in losses.items():
        windows = {}
        for step, value in values.items():
            if step <= saved:
                windows.setdefault((step - 1) // 200, []).append(value)
        means = ' '.join(f'{sum(v) / len(v):.3f}' for _, v in sorted(windows.items()))
        print(f'{name}, mean of every 200 steps: {means}')
    return int(failed)


if __name__ == '__main__':
    sys.exit(main())
