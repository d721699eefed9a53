"""Trains the post's own code, for the comparison in docs/results.md.

    python bench/post_training.py --post=FILE --data=FOLDER --start=CHECKPOINT --out=FOLDER

The code blocks of the post's Markdown (--post) run as they stand; names that TensorFlow 2 dropped
are replaced. They start with the weights of --start, whose variables have the same names. --out
gets losses.csv, with columns that a training of the package writes, too, and a checkpoint that
pix2pix-evaluate reads. SIGINT and SIGTERM save; the same command resumes.
"""

import argparse
import csv
import os
import random
import re
import time

import tensorflow.compat.v1 as tf
from sessions import load_plain, running

from pix2pix_tf import checkpoints
from pix2pix_tf.monitoring import csv_log
from pix2pix_tf.system import signals

BLOCKS = 7  # of the post, up to its build_model: data, ops, networks, losses
RENAMED = {
    'import tensorflow as tf': 'import tensorflow.compat.v1 as tf',
    'tf.contrib.framework.get_or_create_global_step': 'tf.train.get_or_create_global_step',
    'keep_dims': 'keepdims',
}
SAVE_FREQ = 500  # steps between two saves
COLUMNS = ('averages/discrim_loss', 'averages/gen_loss_GAN', 'averages/gen_loss_L1')


def functions(post):
    """The functions of the post, by their names."""
    with open(post, encoding='utf-8') as file:
        blocks = re.findall(r'```python\n(.*?)```', file.read(), re.S)
    source = '\n'.join(blocks[:BLOCKS])
    for old, new in RENAMED.items():
        source = source.replace(old, new)
    namespace = {'__name__': 'post'}
    exec(compile(source, post, 'exec'), namespace)
    return namespace


def train(post, data, start, out, steps, every):
    """Up to step `steps` from the weights of `start`, or from what is saved in `out`.

    losses.csv gets a row every `every` steps.
    """
    os.makedirs(out, exist_ok=True)
    code = functions(post)
    _, inputs, targets, _ = code['load_data'](data)
    train_op = code['build_model'](inputs, targets)[1]
    averages = [v for v in tf.global_variables() if v.op.name.endswith('ExponentialMovingAverage')]
    saver, saved = tf.train.Saver(max_to_keep=1), checkpoints.latest(out)
    first = checkpoints.step_of(saved)
    rows = [row for row in csv_log.load(out) if row['step'] <= first]
    with signals.stopping_on_signals() as stop, running(tf) as session, open(
        os.path.join(out, csv_log.FILENAME), 'w'
    ) as file:
        if saved:
            saver.restore(session, saved)
        else:
            tf.train.Saver(tf.trainable_variables()).restore(session, start)
        names, writer = ('step', 'seconds', *COLUMNS), csv.writer(file)
        writer.writerow(names)
        writer.writerows([[f'{row[name]:.7g}' for name in names] for row in rows])
        begin = time.monotonic() - (rows[-1]['seconds'] if rows else 0)
        for step in range(first + 1, steps + 1):
            session.run(train_op)
            if step % every == 0:
                seconds = f'{time.monotonic() - begin:.7g}'
                values = [f'{value:.7g}' for value in session.run(averages)]
                writer.writerow([step, seconds, *values])
                file.flush()
            stopping = stop.is_set()
            if stopping or step % SAVE_FREQ == 0 or step == steps:
                saver.save(session, os.path.join(out, 'model'), step)
            if stopping:
                break


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    for name in ('post', 'data', 'start', 'out'):
        parser.add_argument('--' + name, required=True)
    parser.add_argument('--steps', type=int, default=2000)
    parser.add_argument('--every', type=int, default=50)
    parser.add_argument('--seed', type=int, default=1)
    args = parser.parse_args()
    load_plain()
    tf.set_random_seed(args.seed)
    random.seed(args.seed)
    train(args.post, args.data, args.start, args.out, args.steps, args.every)


if __name__ == '__main__':
    main()
