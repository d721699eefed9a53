"""Trains the post's own code, for the comparison in docs/results.md.

    python bench/post_training.py --post=FILE --data=FOLDER --start=CHECKPOINT --out=FOLDER

The code blocks of the post's Markdown (--post) run as they stand; names that TensorFlow 2 dropped
are replaced. They start with the weights of --start, whose variables have the same names. --out
gets losses.csv, with columns that a training of the package writes, too, and a checkpoint that
pix2pix-evaluate reads.
"""

import argparse
import csv
import os
import random
import re
import time

import tensorflow.compat.v1 as tf
from sessions import load_plain, running

BLOCKS = 7  # of the post, up to its build_model: data, ops, networks, losses
RENAMED = {
    'import tensorflow as tf': 'import tensorflow.compat.v1 as tf',
    'tf.contrib.framework.get_or_create_global_step': 'tf.train.get_or_create_global_step',
    'keep_dims': 'keepdims',
}
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
    """`steps` steps from the weights of the checkpoint `start`; a row of losses every `every`."""
    os.makedirs(out, exist_ok=True)
    code = functions(post)
    _, inputs, targets, _ = code['load_data'](data)
    train_op = code['build_model'](inputs, targets)[1]
    averages = [v for v in tf.global_variables() if v.op.name.endswith('ExponentialMovingAverage')]
    with running(tf) as session, open(os.path.join(out, 'losses.csv'), 'w') as file:
        tf.train.Saver(tf.trainable_variables()).restore(session, start)
        rows = csv.writer(file)
        rows.writerow(('step', 'seconds', *COLUMNS))
        begin = time.monotonic()
        for step in range(1, steps + 1):
            session.run(train_op)
            if step % every == 0:
                seconds = f'{time.monotonic() - begin:.7g}'
                values = [f'{value:.7g}' for value in session.run(averages)]
                rows.writerow([step, seconds, *values])
                file.flush()
        saved = tf.train.Saver([*tf.trainable_variables(), tf.train.get_global_step()])
        saved.save(session, os.path.join(out, 'model'), steps)


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
