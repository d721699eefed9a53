"""The arithmetic of the post's layers.

`plain_conv2d`, `plain_conv2d_transpose` and `plain_normalize` are the definition, in TensorFlow's
own ops. `conv2d`, `conv2d_transpose` and `normalize` compute the same, in the form that is fastest
on a CPU. A GPU always computes the plain ops, because cuDNN is faster there, and so does a graph
for other machines (`use_plain_ops`).

At stride 2, a convolution relates a large image [batch, height, width, channels] to a small one
[batch, rows, columns, depth] through filters [4, 4, channels, depth]. Every pixel of the small
image belongs to a patch of 4x4 pixels of the large one. With the patches as a matrix P [pixels of
the small image, 16 * channels], the filters as W [16 * channels, depth] and the small image as
S [pixels, depth], the convolution is

    S = P W          with the gradients      dP = dS W^T,    dW = P^T dS

where overlapping patches in dP are summed into an image. The transposed convolution is dP = S W^T,
summed in the same way, and its gradients are the other two. So there are three operations in total:
`small_image`, `large_image` and `filter_gradient`. `OPERATIONS` has the forms of each, and
`form_of` chooses one by the size of the layer. At stride 1, a layer of many channels is computed
with fewer multiplications (`winograd.py`).

For an image of few pixels, most of the time goes into reading or writing the filters once (33 MB).
Most of TensorFlow's ops copy and transpose them on the way; a matrix product does not.
"""

from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from pix2pix_tf import winograd
from pix2pix_tf.system import compat


class Forms(NamedTuple):
    """For which layers a form other than TensorFlow's op is faster."""

    # The fewest weights per pixel of the small image for a matrix product
    small_image: float
    large_image: float
    filter_gradient: float
    # The small image is computed in parts with at least so many channels
    many_filters: float
    # The large image is computed in pairs with at most `few_channels`. With at least
    # `many_channels`, it is if the small image has MANY_PIXELS.
    few_channels: float
    many_channels: float


# By the library in which TensorFlow computes convolutions. Measured on two CPU cores for the layers
# of the post, at its width and at a quarter of it: `make bench ARGS=--kernels` prints the times of
# all forms.
NEVER = float('inf')
FORMS = {
    'Eigen': Forms(2**18, 2**13, 2**5, many_filters=NEVER, few_channels=0, many_channels=64),
    'oneDNN': Forms(2**13, 2**14, 2**13, many_filters=256, few_channels=8, many_channels=NEVER),
}
MANY_PIXELS = 32**2
PART = 64  # filters
WINOGRAD_CHANNELS = 128  # of both images, at least
FUSED_VALUES = 2**17  # of an image, at least, for TensorFlow's fused op of batch normalization


def plain_conv2d(images: tf.Tensor, filters: tf.Tensor, stride: int) -> tf.Tensor:
    """Convolution of `images`, padded by one pixel of zeros on each side.

    [batch, height, width, channels] and [4, 4, channels, depth] => [batch, rows, columns, depth]:
    half of height and width at stride 2, one pixel less at stride 1.

    Raises:
        ValueError: the stride is neither 1 nor 2, or a side is odd at stride 2.
    """
    _check(images, stride)
    if stride == 2:
        # For even sides, SAME is the same padding, without a padded copy
        return tf.nn.conv2d(images, filters, [1, 2, 2, 1], padding='SAME')
    return tf.nn.conv2d(_pad(images, 1), filters, [1, 1, 1, 1], padding='VALID')


def plain_conv2d_transpose(images: tf.Tensor, filters: tf.Tensor) -> tf.Tensor:
    """Transposed convolution of `images` at stride 2.

    [batch, rows, columns, depth] and [4, 4, channels, depth] => [batch, 2 * rows, 2 * columns,
    channels]; rows and columns must be known while the graph is built.
    """
    batch, rows, columns, _ = images.get_shape().as_list()
    shape = [tf.shape(images)[0] if batch is None else batch, 2 * rows, 2 * columns]
    shape.append(filters.get_shape().as_list()[2])
    return tf.nn.conv2d_transpose(images, filters, shape, [1, 2, 2, 1], padding='SAME')


def plain_normalize(
    images: tf.Tensor, offset: tf.Tensor, scale: tf.Tensor, epsilon: float
) -> tf.Tensor:
    """Batch normalization over batch, height and width (Ioffe and Szegedy, 2015, algorithm 1).

    [batch, height, width, channels], and `offset` and `scale` [channels] => the shape of `images`.
    """
    mean, variance = tf.nn.moments(images, axes=[0, 1, 2])
    return tf.nn.batch_normalization(
        images, mean, variance, offset, scale, variance_epsilon=epsilon
    )


def _check(images, stride):
    sides = images.get_shape().as_list()[1:3]
    if stride not in (1, 2):
        raise ValueError(f'the stride is {stride}: it must be 1 or 2')
    if stride == 2 and any(side is not None and side % 2 for side in sides):
        raise ValueError(f'the image has the size {sides}: at stride 2 both sides must be even')


# The same, faster on a CPU

_PLAIN = 'plain_ops'  # a graph that has this collection computes the definition


def use_plain_ops() -> None:
    """Makes the default graph compute the plain ops, for other machines."""
    tf.add_to_collection(_PLAIN, True)


def _needs_plain_ops():
    return compat.has_gpu() or bool(tf.get_collection(_PLAIN))


def convolution_library() -> str:
    """The library in which TensorFlow computes convolutions on this CPU: a key of FORMS."""
    return 'oneDNN' if compat.has_onednn() else 'Eigen'


def form_of(operation: str, pixels: int, channels: int, depth: int) -> str:
    """The fastest form of an operation: a key of OPERATIONS[operation].

    For filters [4, 4, channels, depth], and `pixels` of one small image; the limits were measured
    at batch size 1.
    """
    forms = FORMS[convolution_library()]
    if 16 * channels * depth >= pixels * getattr(forms, operation):
        return 'product'
    if operation == 'small_image' and depth >= forms.many_filters:
        return 'parts'
    many = channels >= forms.many_channels and pixels >= MANY_PIXELS
    if operation == 'large_image' and (channels <= forms.few_channels or many):
        return 'pairs'
    return 'plain'


def form_of_stride_1(channels: int, depth: int) -> str:
    """The fastest form of a convolution at stride 1 and its gradients: 'plain' or 'winograd'.

    For filters [4, 4, channels, depth], and a depth above 1.
    """
    return 'winograd' if min(channels, depth) >= WINOGRAD_CHANNELS else 'plain'


def conv2d(
    images: tf.Tensor, filters: tf.Tensor, stride: int, low_precision: bool = False
) -> tf.Tensor:
    """`plain_conv2d`, computed in the fastest way for this shape and device.

    Height and width must be known while the graph is built. With `low_precision`, the session will
    round to bfloat16 or float16, and no form is used that would be too inexact then.
    """
    _check(images, stride)
    if _needs_plain_ops():
        return plain_conv2d(images, filters, stride)
    if stride == 1 and _channels(filters) == 1:
        return _conv2d_to_one(_pad(images, 1), filters)
    if stride == 1:
        form = form_of_stride_1(*filters.get_shape().as_list()[2:])
        if form == 'plain' or low_precision:
            return plain_conv2d(images, filters, 1)
        operations = winograd.small_image, winograd.large_image, winograd.filter_gradient
    else:
        operations = _small_image, _large_image, _filter_gradient
    return _with_gradients(*operations)(images, filters)


def conv2d_transpose(images: tf.Tensor, filters: tf.Tensor) -> tf.Tensor:
    """`plain_conv2d_transpose`, computed in the fastest way for this shape and device."""
    if _needs_plain_ops():
        return plain_conv2d_transpose(images, filters)

    def filter_gradient(small, large):
        return _filter_gradient(large, small)

    return _with_gradients(_large_image, _small_image, filter_gradient)(images, filters)


def _with_gradients(forward, images_gradient, filter_gradient):
    """`forward(images, filters)` with the gradients from two other operations.

    Those are `images_gradient(gradient, filters)` and `filter_gradient(images, gradient)`.
    """

    @tf.custom_gradient
    def convolve(images, filters):
        def gradients(gradient):
            return images_gradient(gradient, filters), filter_gradient(images, gradient)

        return forward(images, filters), gradients

    return convolve


def _small_image(large, filters):
    """S = P W: the small image."""
    _, height, width, channels = large.get_shape().as_list()
    form = form_of('small_image', height * width // 4, channels, _channels(filters))
    return OPERATIONS['small_image'][form](large, filters)


def _large_image(small, filters):
    """dP = S W^T: the large image, in which overlapping patches are summed."""
    _, rows, columns, depth = small.get_shape().as_list()
    form = form_of('large_image', rows * columns, filters.get_shape().as_list()[2], depth)
    return OPERATIONS['large_image'][form](small, filters)


def _filter_gradient(large, small):
    """dW = P^T dS: the gradient of the filters."""
    _, rows, columns, depth = small.get_shape().as_list()
    form = form_of('filter_gradient', rows * columns, _channels(large), depth)
    return OPERATIONS['filter_gradient'][form](large, small)


def _small_image_plain(large, filters):
    return plain_conv2d(large, filters, 2)


def _small_image_in_parts(large, filters):
    """The small image in parts of PART channels.

    In this op, oneDNN does not copy the filters. If there are many, the weights that it needs at a
    time are far apart in memory, and share few lines of the CPU's cache.
    """
    full, rest = divmod(_channels(filters), PART)
    parts = tf.split(filters, [PART] * full + [rest] * (rest > 0), axis=3)
    return tf.concat([plain_conv2d(large, part, 2) for part in parts], axis=3)


def _small_image_as_product(large, filters):
    _, height, width, _ = large.get_shape().as_list()
    small = tf.matmul(_matrix(_patches(large)), _matrix(filters))
    return tf.reshape(small, [-1, height // 2, width // 2, _channels(filters)])


def _large_image_as_product(small, filters):
    """The large image as a matrix product.

    Along one axis, the 4 pixels of patch i lie at 2 i - 1 to 2 i + 2 of the large image:

        pixel of the patch    0          1        2          3
        pixel of the image    2 i - 1    2 i      2 i + 1    2 i + 2

    In an image with a border of one pixel these are the pairs i and i + 1 of pixels: (0, 1) and
    (2, 3). So each patch consists of 2x2 blocks of 2x2 pixels. Shifting the blocks by 0 or 1 pair
    down and right, and adding the four images of pairs, sums the overlapping patches.
    """
    _, rows, columns, depth = small.get_shape().as_list()
    channels = filters.get_shape().as_list()[2]
    # Transposed, W S^T, so that W is read in the order in which it lies in memory. oneDNN takes up
    # to 1.3 times as long with `transpose_b`, to which TensorFlow would simplify tf.transpose(S).
    transposed = tf.transpose(tf.reshape(small, [-1, rows * columns, depth]), [2, 0, 1])
    patches = tf.matmul(_matrix(filters), tf.reshape(transposed, [depth, -1]))
    # Rows of a patch: [shift down, row in the pair]; columns likewise
    # => [shift down, shift right, pixels of the small image, row in the pair, column and channel]
    patches = tf.reshape(patches, [2, 2, 2, 2 * channels, -1])
    patches = tf.transpose(patches, [0, 2, 4, 1, 3])
    blocks = tf.unstack(tf.reshape(patches, [4, -1, rows, columns, 4 * channels]))
    shifts = [(down, right) for down in (0, 1) for right in (0, 1)]
    shifted = [
        tf.pad(block, [[0, 0], [down, 1 - down], [right, 1 - right], [0, 0]])
        for block, (down, right) in zip(blocks, shifts)
    ]
    return tf.depth_to_space(tf.add_n(shifted), 2)[:, 1:-1, 1:-1]


def _large_image_of_pairs(small, filters):
    """The large image as a convolution at stride 1, whose pixels are pairs of pixels.

    In pairs, 2x2 pixels count as one pixel with four times the channels.
    Pair i along an axis is the sum of pixels 2 and 3 of patch i - 1, and pixels 0 and 1 of patch i:
    a 2x2 convolution of the small image, with the four pixels of a pair of pairs as channels.
    """
    _, _, channels, depth = filters.get_shape().as_list()
    # [block down, row in the pair, block right, column in the pair, channels, depth]
    blocks = tf.reverse(tf.reshape(filters, [2, 2, 2, 2, channels, depth]), [0, 2])
    blocks = tf.reshape(tf.transpose(blocks, [0, 2, 5, 1, 3, 4]), [2, 2, depth, 4 * channels])
    pairs = tf.nn.conv2d(_pad(small, 1), blocks, [1, 1, 1, 1], padding='VALID')
    return tf.depth_to_space(pairs, 2)[:, 1:-1, 1:-1]


def _filter_gradient_plain(large, small):
    shape = [4, 4, _channels(large), _channels(small)]
    return tf.nn.conv2d_backprop_filter(large, shape, small, [1, 2, 2, 1], padding='SAME')


def _filter_gradient_as_product(large, small):
    product = tf.matmul(_matrix(_patches(large)), _matrix(small), transpose_a=True)
    return tf.reshape(product, [4, 4, _channels(large), _channels(small)])


# {operation: {form: function}}
OPERATIONS = {
    'small_image': {
        'plain': _small_image_plain,
        'product': _small_image_as_product,
        'parts': _small_image_in_parts,
    },
    'large_image': {
        'plain': plain_conv2d_transpose,
        'product': _large_image_as_product,
        'pairs': _large_image_of_pairs,
    },
    'filter_gradient': {'plain': _filter_gradient_plain, 'product': _filter_gradient_as_product},
}


@tf.custom_gradient
def _conv2d_to_one(padded, filters):
    """Convolution at stride 1 to one channel: [batch, h, w, channels] => [batch, h - 3, w - 3, 1].

    With a single filter, the patches of all pixels would be 16 times the data. Instead, each pixel
    is multiplied with all 16 pixels of the filter at once: Z = X V^T, with V [16, channels] and
    X [pixels of the large image, channels]. The sum over a patch is then a sum of 16 shifted images
    of one channel. The gradients are dX = dZ V and dV = dZ^T X, where dZ holds the small image,
    shifted 16 ways.
    """
    _, height, width, channels = padded.get_shape().as_list()
    weights = tf.reshape(filters, [16, channels])
    products = tf.matmul(_matrix(padded), weights, transpose_b=True)
    row, column, down, right = np.ogrid[: height - 3, : width - 3, :4, :4]
    numbers = 16 * ((row + down) * width + column + right) + 4 * down + right
    products = tf.reshape(products, [-1, 16 * height * width])
    shifted = tf.gather(products, numbers.reshape(-1, 16).astype(np.int32), axis=1)
    small = tf.reshape(tf.reduce_sum(shifted, 2), [-1, height - 3, width - 3, 1])

    def gradients(small):
        shifted = _matrix(tf.reverse(_patches(small, border=3, stride=1), [3]))
        large = tf.reshape(tf.matmul(shifted, weights), [-1, height, width, channels])
        filter_gradient = tf.matmul(shifted, _matrix(padded), transpose_a=True)
        return large, tf.reshape(filter_gradient, [4, 4, channels, 1])

    return small, gradients


def normalize(images: tf.Tensor, offset: tf.Tensor, scale: tf.Tensor, epsilon: float) -> tf.Tensor:
    """`plain_normalize`; on a CPU, its gradient reads the images fewer times.

    So does the op itself for large images in float32.

    With n pixels, mean m and variance v, r = (v + epsilon)^(-1/2) and y = scale r (x - m) + offset,

        d offset = sum dy,    d scale = r sum dy (x - m)
        dx = scale r (dy - d offset / n - r (x - m) d scale / n)
    """
    if _needs_plain_ops():
        return plain_normalize(images, offset, scale, epsilon)

    @tf.custom_gradient
    def normalized(x, offset, scale):
        y, mean, variance = _normalized(x, offset, scale, epsilon)
        root = tf.rsqrt(variance + epsilon)
        factor = root * scale

        def gradients(dy):
            pixels = tf.cast(tf.size(x) / tf.size(mean), x.dtype)
            d_offset = tf.reduce_sum(dy, [0, 1, 2])
            d_factor = tf.reduce_sum(dy * x, [0, 1, 2]) - mean * d_offset
            slope = -scale * root**3 * d_factor / pixels
            constant = -factor * d_offset / pixels - slope * mean
            return dy * factor + (x * slope + constant), d_offset, root * d_factor

        # As in the plain op, the gradient of x reads `factor` as it was in the forward pass, and
        # `scale` again: in between, the discriminator may have been updated. The fused op does not
        # need `factor`, so nothing else would compute it before that.
        with tf.control_dependencies([factor]):
            return tf.identity(y), gradients

    return normalized(images, offset, scale)


def _normalized(images, offset, scale, epsilon):
    """The normalized images, and the mean and the variance of `images`."""
    values = images.get_shape()[1:].num_elements()
    if images.dtype.name != 'float32' or values is None or values < FUSED_VALUES:
        mean, variance = tf.nn.moments(images, axes=[0, 1, 2])
        y = tf.nn.batch_normalization(images, mean, variance, offset, scale, epsilon)
        return y, mean, variance
    nothing = tf.constant([], tf.float32)
    fused = tf.raw_ops.FusedBatchNormV3(
        x=images, scale=scale, offset=offset, mean=nothing, variance=nothing, epsilon=epsilon
    )
    # Its output `batch_variance` is divided by n - 1; this one, kept for its gradient, by n
    return fused.y, fused.reserve_space_1, fused.reserve_space_2


def _pad(images, border):
    return tf.pad(images, [[0, 0], [border, border], [border, border], [0, 0]])


def _patches(images, border=1, stride=2):
    """The 4x4 patches of `images` in a border of zeros: [batch, rows, columns, 16 * channels].

    They are copied in runs of `stride` pixels, which takes a quarter of the time of TensorFlow's op
    for patches.
    """
    padded = _pad(images, border)
    _, height, width, channels = padded.get_shape().as_list()
    runs = tf.reshape(padded, [-1, height * width // stride, stride * channels])
    rows, columns = (height - 4) // stride + 1, (width - 4) // stride + 1
    row, column, down, right = np.ogrid[:rows, :columns, :4, : 4 // stride]
    numbers = (stride * row + down) * (width // stride) + column + right
    patches = tf.gather(runs, numbers.astype(np.int32).ravel(), axis=1)
    return tf.reshape(patches, [-1, rows, columns, 16 * channels])


def _channels(tensor):
    """The last dimension: the channels of images, the depth of filters."""
    return tensor.get_shape().as_list()[3]


def _matrix(tensor):
    """Images => [pixels, channels]; filters [4, 4, channels, depth] => [16 * channels, depth]."""
    return tf.reshape(tensor, [-1, _channels(tensor)])
