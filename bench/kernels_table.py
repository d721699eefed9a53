"""`make bench ARGS=--kernels`: the time of every form of the convolutions, for the post's layers.

The forms of an operation take turns in one session. The one that `kernels.form_of` chooses has a
star: the fastest of a row should have it.
"""

import time

import numpy as np
import tensorflow.compat.v1 as tf

from pix2pix_tf import kernels
from pix2pix_tf.system import compat

# (side of the small image, its channels, channels of the large image) at the post's size
CONVS = (
    *((128, 64, 3), (128, 64, 6), (64, 128, 64), (32, 256, 128), (16, 512, 256)),
    *((8, 512, 512), (4, 512, 512), (2, 512, 512), (1, 512, 512)),
)
DECONVS = (
    *((128, 128, 3), (64, 256, 64), (32, 512, 128), (16, 1024, 256)),
    *((8, 1024, 512), (4, 1024, 512), (2, 1024, 512), (1, 512, 512)),
)


def bench_kernels(table, rounds):
    """Adds a row for each operation and size: milliseconds of each form."""
    compat.use_graph_mode()
    layers = sorted(set(CONVS + DECONVS), reverse=True)
    for operation in kernels.OPERATIONS:
        table.head(f'{operation}, TensorFlow with {kernels.convolution_library()}')
        for side, depth, channels in layers:
            times = time_forms(operation, side, depth, channels, rounds)
            best = kernels.form_of(operation, side**2, channels, depth)
            words = ', '.join(
                f'{form} {median:.2f}{"*" if form == best else ""}'
                for form, median in times.items()
            )
            shape = f'{2 * side}x{2 * side}x{channels}, {side}x{side}x{depth}'
            table.row(shape, times[best], 'ms', note=words)


def time_forms(operation, side, depth, channels, rounds):
    """{form: median milliseconds} of an operation, whose forms take turns."""
    with tf.Graph().as_default(), tf.Session() as session:
        large = tf.Variable(tf.random_normal([1, 2 * side, 2 * side, channels]))
        filters = tf.Variable(tf.random_normal([4, 4, channels, depth]))
        small = tf.Variable(tf.random_normal([1, side, side, depth]))
        inputs = {
            'small_image': (large, filters),
            'large_image': (small, filters),
            'filter_gradient': (large, small),
        }[operation]
        forms = kernels.OPERATIONS[operation]
        ops = {form: function(*inputs).op for form, function in forms.items()}
        session.run(tf.global_variables_initializer())
        calls = {form: session.make_callable(op) for form, op in ops.items()}
        seconds = {form: [] for form in forms}
        for number in range(2 + rounds):
            for form, call in calls.items():
                start = time.perf_counter()
                call()
                if number >= 2:
                    seconds[form].append(time.perf_counter() - start)
    return {form: 1000 * float(np.median(values)) for form, values in seconds.items()}
