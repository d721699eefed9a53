"""Convolutions of many channels at stride 1 in fewer multiplications (Winograd's algorithm).

Along one axis, a convolution with 4 weights g computes 2 adjacent pixels y from 5 pixels x: 8
products. Winograd's F(2, 4) does with 5 (Lavin and Gray, 2016, arXiv 1509.09308, section 4):

    y = A ((G g) * (B x))

In two dimensions the same holds for a tile of 2x2 pixels and the 5x5 that it depends on, with the
Kronecker products A2, G2 and B2 of these matrices: 25 products instead of 64. With channels, each
is a product of matrices: [tiles, channels] and [channels, depth].

The rounding error in float32 is about 2e-6 of the result (root mean square); that of TensorFlow's
ops is 1e-6 to 2e-7. In bfloat16 it would be too large.
"""

import numpy as np
import tensorflow.compat.v1 as tf

# The rows of B and G, and the columns of A, belong to the points 0, 1, -1, 2 and infinity, at which
# the algorithm multiplies polynomials
_A = np.array([[1, 1, 1, 1, 0], [0, 1, -1, 2, 1]])
_B = np.array(
    [[2, -1, -2, 1, 0], [0, -2, -1, 1, 0], [0, 2, -3, 1, 0], [0, -1, 0, 1, 0], [0, 2, -1, -2, 1]]
)
_G = np.array(
    [
        [1 / 2, 0, 0, 0],
        [-1 / 2, -1 / 2, -1 / 2, -1 / 2],
        [-1 / 6, 1 / 6, -1 / 6, 1 / 6],
        [1 / 6, 1 / 3, 2 / 3, 4 / 3],
        [0, 0, 0, 1],
    ]
)
_A2, _B2, _G2 = (np.kron(matrix, matrix) for matrix in (_A, _B, _G))


def small_image(large: tf.Tensor, filters: tf.Tensor) -> tf.Tensor:
    """`kernels.plain_conv2d` at stride 1.

    [batch, height, width, channels] and [4, 4, channels, depth] => [batch, height - 1, width - 1,
    depth].
    """
    _, height, width, _ = large.get_shape().as_list()
    products = _products(_tiles(large, 1), _transformed(_G2, filters))
    return _image(products, height - 1, width - 1)


def large_image(small: tf.Tensor, filters: tf.Tensor) -> tf.Tensor:
    """The gradient of the large image: a convolution with the filters rotated by half a turn.

    [batch, rows, columns, depth] => [batch, rows + 1, columns + 1, channels].
    """
    _, rows, columns, _ = small.get_shape().as_list()
    rotated = _transformed(_G2[:, ::-1], filters)
    products = _products(_tiles(small, 2), rotated, transpose_b=True)
    return _image(products, rows + 1, columns + 1)


def filter_gradient(large: tf.Tensor, small: tf.Tensor) -> tf.Tensor:
    """The gradient of the filters: [4, 4, channels, depth]."""
    _, rows, columns, depth = small.get_shape().as_list()
    even = tf.pad(small, [[0, 0], [0, rows % 2], [0, columns % 2], [0, 0]])
    # => [row in the tile, column in the tile, batch, row of tiles, column of tiles, depth]
    pixels = tf.reshape(even, [-1, (rows + 1) // 2, 2, (columns + 1) // 2, 2, depth])
    pixels = tf.transpose(pixels, [2, 4, 0, 1, 3, 5])
    products = _products(_tiles(large, 1), _transformed(_A2.T, pixels), transpose_a=True)
    return tf.reshape(_transformed(_G2.T, products), [4, 4, -1, depth])


def _tiles(images, border):
    """B2 x: [25, tiles, channels] of `images` in a border of zeros."""
    _, height, width, channels = images.get_shape().as_list()
    # The sides of the image that the tiles make up are even
    rows, columns = (height + 2 * border - 2) // 2, (width + 2 * border - 2) // 2
    below, right = 2 * rows + 3 - height - border, 2 * columns + 3 - width - border
    padded = tf.pad(images, [[0, 0], [border, below], [border, right], [0, 0]])
    row, column, tile_row, tile_column = np.ogrid[:5, :5, :rows, :columns]
    numbers = (2 * tile_row + row) * (2 * columns + 3) + 2 * tile_column + column
    pixels = tf.reshape(padded, [-1, (2 * rows + 3) * (2 * columns + 3), channels])
    tiles = tf.gather(pixels, numbers.astype(np.int32).ravel(), axis=1)
    tiles = tf.transpose(tf.reshape(tiles, [-1, 25, rows * columns, channels]), [1, 0, 2, 3])
    return _transformed(_B2, tiles)


def _transformed(matrix, tensor):
    """The product of a matrix [m, n] with a tensor, taken as n rows => [m, -1, last dimension]."""
    count, rows = matrix.shape
    matrix = tf.constant(np.ascontiguousarray(matrix), tensor.dtype)
    last = tensor.get_shape().as_list()[-1]
    return tf.reshape(tf.matmul(matrix, tf.reshape(tensor, [rows, -1])), [count, -1, last])


def _products(left, right, **transpose):
    """25 matrix products. One batched product would take up to 1.6 times as long in Eigen."""
    pairs = zip(tf.unstack(left), tf.unstack(right))
    return tf.stack([tf.matmul(one, other, **transpose) for one, other in pairs])


def _image(products, rows, columns):
    """A2 of the products [25, tiles, channels], as an image of `rows` and `columns`."""
    channels = products.get_shape().as_list()[-1]
    tile_rows, tile_columns = (rows + 1) // 2, (columns + 1) // 2
    tiles = tf.reshape(_transformed(_A2, products), [2, 2, -1, tile_rows, tile_columns, channels])
    image = tf.transpose(tiles, [2, 3, 0, 4, 1, 5])
    image = tf.reshape(image, [-1, 2 * tile_rows, 2 * tile_columns, channels])
    return image[:, :rows, :columns]
