"""The post's convolutions, by matrix products where that is faster than TensorFlow's own ops.

Each stands between a large image [batch, height, width, channels] and a small one [batch, rows,
columns, depth], by filters [4, 4, channels, depth]. To every pixel of the small image belongs a
patch of 4x4 pixels of the large one. As matrices, P [pixels of the small image, 16 * channels] of
the patches, W [16 * channels, depth] of the filters and S [pixels, depth] of the small image, a
convolution is

    S = P W          and its gradients are        dP = dS W^T,    dW = P^T dS

where the overlapping patches dP are added up to an image. A transposed convolution is dP = S W^T
added up, and its gradients are the other two. So there are three operations in all. For an image
of few pixels their work is to read or write the filters once (33 MB); TensorFlow's ops copy and
transpose them on the way. A GPU does better with cuDNN, and gets the plain ops.
"""

import tensorflow.compat.v1 as tf

from pix2pix_tf.system import runtime

# The sides of a small image, in pixels, up to which a product is faster on two CPU cores
CORRELATE_UP_TO = 4
SPREAD_UP_TO = 16
FILTER_GRADIENT_UP_TO = 8


def conv2d(images, filters, stride):
    """Convolution of `images`, padded by one pixel of zeros.

    [batch, height, width, channels] and [4, 4, channels, depth] => [batch, rows, columns, depth]:
    half of height and width, which are even, at stride 2; one pixel less at stride 1.
    """
    if stride == 2:
        if runtime.has_gpu():
            return _correlate_plainly(images, filters)
        return _conv2d(images, filters)
    padded = _pad(images, 1)
    if filters.get_shape().as_list()[3] == 1 and not runtime.has_gpu():
        return _conv2d_to_one(padded, filters)
    return tf.nn.conv2d(padded, filters, [1, 1, 1, 1], padding='VALID')


def conv2d_transpose(images, filters):
    """Transposed convolution of `images`, at stride 2.

    [batch, rows, columns, depth] and [4, 4, channels, depth] => [batch, 2 * rows, 2 * columns,
    channels]; rows and columns are known while the graph is built.
    """
    if runtime.has_gpu():
        return _spread_plainly(images, filters)
    return _conv2d_transpose(images, filters)


@tf.custom_gradient
def _conv2d(large, filters):
    def gradients(small):
        return _spread(small, filters), _filter_gradient(large, small)

    return _correlate(large, filters), gradients


@tf.custom_gradient
def _conv2d_transpose(small, filters):
    def gradients(large):
        return _correlate(large, filters), _filter_gradient(large, small)

    return _spread(small, filters), gradients


def _correlate(large, filters):
    """S = P W."""
    rows, columns = (side // 2 for side in large.get_shape().as_list()[1:3])
    if max(rows, columns) > CORRELATE_UP_TO:
        return _correlate_plainly(large, filters)
    small = tf.matmul(_matrix(_patches(large)), _matrix(filters))
    return tf.reshape(small, [-1, rows, columns, filters.get_shape().as_list()[3]])


def _correlate_plainly(large, filters):
    # SAME pads even sides by one pixel each, without a copy
    return tf.nn.conv2d(large, filters, [1, 2, 2, 1], padding='SAME')


def _spread(small, filters):
    """dP = S W^T, added up where patches overlap."""
    _, rows, columns, _ = small.get_shape().as_list()
    if max(rows, columns) > SPREAD_UP_TO:
        return _spread_plainly(small, filters)
    channels = filters.get_shape().as_list()[2]
    # Transposed, W S^T, so that W is read in the order it lies in memory
    patches = tf.matmul(_matrix(filters), _matrix(small), transpose_b=True)
    # Row 2 a + b of a patch belongs to a pixel that is a pairs of pixels further down and the b-th
    # of its pair; likewise its columns: [a, b, a', b' * channels, pixels of the small image]
    patches = tf.reshape(patches, [2, 2, 2, 2 * channels, -1])
    patches = tf.transpose(patches, [0, 2, 4, 1, 3])
    shifted = []
    for down in (0, 1):
        for right in (0, 1):
            pairs = tf.reshape(patches[down, right], [-1, rows, columns, 4 * channels])
            borders = [[0, 0], [down, 1 - down], [right, 1 - right], [0, 0]]
            shifted.append(tf.pad(pairs, borders))
    return tf.depth_to_space(tf.add_n(shifted), 2)[:, 1:-1, 1:-1]


def _spread_plainly(small, filters):
    batch, rows, columns, _ = small.get_shape().as_list()
    shape = [tf.shape(small)[0] if batch is None else batch, 2 * rows, 2 * columns]
    shape.append(filters.get_shape().as_list()[2])
    return tf.nn.conv2d_transpose(small, filters, shape, [1, 2, 2, 1], padding='SAME')


def _filter_gradient(large, small):
    """dW = P^T dS."""
    shape = [4, 4, large.get_shape().as_list()[3], small.get_shape().as_list()[3]]
    if max(small.get_shape().as_list()[1:3]) > FILTER_GRADIENT_UP_TO:
        return tf.nn.conv2d_backprop_filter(large, shape, small, [1, 2, 2, 1], padding='SAME')
    product = tf.matmul(_matrix(_patches(large)), _matrix(small), transpose_a=True)
    return tf.reshape(product, shape)


def _pad(images, border):
    return tf.pad(images, [[0, 0], [border, border], [border, border], [0, 0]])


def _patches(images, border=1, stride=2):
    """The 4x4 patches of `images` with a border of zeros: [batch, rows, columns, 16 * channels]."""
    return tf.image.extract_image_patches(
        _pad(images, border), [1, 4, 4, 1], [1, stride, stride, 1], [1, 1, 1, 1], padding='VALID'
    )


def _matrix(tensor):
    """Images => [pixels, channels]; filters [4, 4, channels, depth] => [16 * channels, depth]."""
    return tf.reshape(tensor, [-1, tensor.get_shape().as_list()[3]])


@tf.custom_gradient
def _conv2d_to_one(padded, filters):
    """Convolution at stride 1 to a single channel: [batch, h, w, channels] => [., h - 3, w - 3, 1].

    With one filter, the patches of all pixels would be 16 times what there is to read. So each
    pixel is multiplied with all 16 pixels of the filter at once, Z = X V^T, with V [16, channels]
    and X [pixels of the large image, channels], and the sum over a patch is one over shifted
    pictures of one channel. The gradients are dX = dZ V and dV = dZ^T X, where dZ holds, for each
    of the 16, the small image shifted.
    """
    _, height, width, channels = padded.get_shape().as_list()
    weights = tf.reshape(filters, [16, channels])
    products = tf.matmul(_matrix(padded), weights, transpose_b=True)
    products = tf.reshape(products, [-1, height, width, 16])
    small = tf.add_n(
        [
            products[:, row : height - 3 + row, column : width - 3 + column, 4 * row + column]
            for row in range(4)
            for column in range(4)
        ]
    )

    def gradients(small):
        shifted = _matrix(tf.reverse(_patches(small, border=3, stride=1), [3]))
        large = tf.reshape(tf.matmul(shifted, weights), [-1, height, width, channels])
        of_filters = tf.matmul(shifted, _matrix(padded), transpose_a=True)
        return large, tf.reshape(of_filters, [4, 4, channels, 1])

    return small[..., None], gradients
