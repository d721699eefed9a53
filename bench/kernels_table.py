"""`make bench ARGS=--kernels`: the time of every form of the convolutions, for the post's layers.

The forms of an operation take turns in one session. The one that `kernels.FORMS` chooses has a
star: the fastest of a row should have it.
"""

import time

import numpy as np
import tensorflow.compat.v1 as tf

from pix2pix_tf import kernels
from pix2pix_tf.kernels import Forms
from pix2pix_tf.system import compat

ALL = 10**6  # more than any side or number of channels
FORMS = {
    'plain': Forms(0, 0, 0, 0),
    'product': Forms(ALL, ALL, ALL, 0),
    'pairs': Forms(0, 0, 0, ALL),
}

# (side of the small image, its channels, channels of the large image) at the post's size
CONVS = (
    *((128, 64, 3), (128, 64, 6), (64, 128, 64), (32, 256, 128), (16, 512, 256)),
    *((8, 512, 512), (4, 512, 512), (2, 512, 512), (1, 512, 512)),
)
DECONVS = (
    *((128, 128, 3), (64, 256, 64), (32, 512, 128), (16, 1024, 256)),
    *((8, 1024, 512), (4, 1024, 512), (2, 1024, 512), (1, 512, 512)),
)


def operations():
    """(name, function of large, filters and small, sizes, names of its forms) of each operation."""
    layers = sorted(set(CONVS + DECONVS), reverse=True)
    products = ('plain', 'product')
    yield 'small_image', lambda large, w, small: kernels._small_image(large, w), layers, products
    yield 'large_image', lambda large, w, small: kernels._large_image(small, w), layers, FORMS
    yield (
        'filter_gradient',
        lambda large, w, small: kernels._filter_gradient(large, small),
        layers,
        products,
    )


def bench_kernels(table, rounds):
    """Adds a row for each operation and size: milliseconds of each form."""
    compat.use_graph_mode()
    library = kernels.convolution_library()
    chosen = kernels.FORMS[library]
    for name, function, layers, forms in operations():
        table.head(f'{name}, TensorFlow with {library}')
        for layer in layers:
            times = time_forms(function, layer, forms, rounds)
            best = choice(name, layer, chosen)
            words = ', '.join(
                f'{form} {median:.2f}{"*" if form == best else ""}'
                for form, median in times.items()
            )
            side, depth, channels = layer
            shape = f'{2 * side}x{2 * side}x{channels}, {side}x{side}x{depth}'
            table.row(shape, times[best], 'ms', note=words)


def choice(name, layer, forms):
    """The form that `forms` chooses for the operation `name` of a `layer`."""
    side, _, channels = layer
    if side <= getattr(forms, name):
        return 'product'
    return 'pairs' if name == 'large_image' and channels <= forms.channels_as_pairs else 'plain'


def time_forms(function, layer, forms, rounds):
    """{form: median milliseconds} of an operation, whose forms take turns."""
    side, depth, channels = layer
    with tf.Graph().as_default(), tf.Session() as session:
        large = tf.Variable(tf.random_normal([1, 2 * side, 2 * side, channels]))
        filters = tf.Variable(tf.random_normal([4, 4, channels, depth]))
        small = tf.Variable(tf.random_normal([1, side, side, depth]))
        ops = {}
        before = dict(kernels.FORMS)
        for form in forms:
            kernels.FORMS.update(dict.fromkeys(before, FORMS[form]))
            ops[form] = function(large, filters, small).op
        kernels.FORMS.update(before)
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
