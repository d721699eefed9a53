"""`make bench ARGS=--kernels`: the time of every form of the convolutions.

For the post's layers, and for those of a network with a quarter of the channels. The forms of an
operation take turns in one session. The one that kernels.py chooses has a star: the fastest of a
row should have it.
"""

import time

import numpy as np
import tensorflow.compat.v1 as tf

from pix2pix_tf import kernels, winograd
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
STRIDE_1 = ((31, 512, 256), (31, 256, 128))  # layer 4 of the discriminator, and at half its width
IMAGE_CHANNELS = 6  # at most; images do not become narrower
NARROW = 4  # how many times narrower the second network is


def bench_kernels(table, rounds):
    """Adds a row for each operation and size: milliseconds of each form."""
    compat.use_graph_mode()
    convs = sorted(set(CONVS + DECONVS), reverse=True)
    library = kernels.convolution_library()
    for operation, forms in kernels.OPERATIONS.items():
        table.head(f'{operation}, TensorFlow with {library}')
        for side, depth, channels in [*convs, *narrower(convs)]:
            shapes = shapes_of(side, 2 * side, depth, channels)
            times = time_forms(forms, operation, shapes, rounds)
            add_row(table, shapes, times, kernels.form_of(operation, side**2, channels, depth))
    for operation, forms in STRIDE_1_FORMS.items():
        table.head(f'{operation} at stride 1, TensorFlow with {library}')
        for side, depth, channels in [*STRIDE_1, *narrower(STRIDE_1)]:
            shapes = shapes_of(side, side + 1, depth, channels)
            times = time_forms(forms, operation, shapes, rounds)
            add_row(table, shapes, times, kernels.form_of_stride_1(channels, depth))


def shapes_of(side, large_side, depth, channels):
    """The shapes of the large image, of the filters and of the small image."""
    large, small = [1, large_side, large_side, channels], [1, side, side, depth]
    return large, [4, 4, channels, depth], small


def plain_large_image(small, filters):
    """What TensorFlow derives from `plain_conv2d` at stride 1."""
    _, rows, columns, _ = small.get_shape().as_list()
    shape = [1, rows + 3, columns + 3, filters.get_shape().as_list()[2]]
    padded = tf.nn.conv2d_backprop_input(shape, filters, small, [1, 1, 1, 1], padding='VALID')
    return padded[:, 1:-1, 1:-1]


def plain_filter_gradient(large, small):
    """The same for the filters."""
    padded = tf.pad(large, [[0, 0], [1, 1], [1, 1], [0, 0]])
    shape = [4, 4, large.get_shape().as_list()[3], small.get_shape().as_list()[3]]
    return tf.nn.conv2d_backprop_filter(padded, shape, small, [1, 1, 1, 1], padding='VALID')


STRIDE_1_FORMS = {
    'small_image': {
        'plain': lambda large, filters: kernels.plain_conv2d(large, filters, 1),
        'winograd': winograd.small_image,
    },
    'large_image': {'plain': plain_large_image, 'winograd': winograd.large_image},
    'filter_gradient': {'plain': plain_filter_gradient, 'winograd': winograd.filter_gradient},
}


def narrower(layers):
    """The layers of a network with fewer channels."""

    def divided(channels):
        return channels if channels <= IMAGE_CHANNELS else channels // NARROW

    return [(side, divided(depth), divided(channels)) for side, depth, channels in layers]


def add_row(table, shapes, times, best):
    words = ', '.join(
        f'{form} {median:.2f}{"*" if form == best else ""}' for form, median in times.items()
    )
    large, small = ('x'.join(map(str, shape[1:])) for shape in shapes[::2])
    table.row(f'{large}, {small}', times[best], 'ms', note=words)


def time_forms(forms, operation, shapes, rounds):
    """{form: median milliseconds} of an operation, whose `forms` take turns."""
    with tf.Graph().as_default(), tf.Session() as session:
        large, filters, small = (tf.Variable(tf.random_normal(shape)) for shape in shapes)
        inputs = {
            'small_image': (large, filters),
            'large_image': (small, filters),
            'filter_gradient': (large, small),
        }[operation]
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
