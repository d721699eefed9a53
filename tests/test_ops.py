import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from support.evaluating import evaluate

from pix2pix_tf import ops


def direct_conv(image, kernel, stride):
    """The definition, one output pixel at a time: [h, w, in], [4, 4, in, out]."""
    padded = np.pad(image, [(1, 1), (1, 1), (0, 0)], 'constant')
    rows = (padded.shape[0] - 4) // stride + 1
    columns = (padded.shape[1] - 4) // stride + 1
    out = np.zeros((rows, columns, kernel.shape[3]))
    for y in range(rows):
        for x in range(columns):
            patch = padded[y * stride : y * stride + 4, x * stride : x * stride + 4]
            out[y, x] = np.tensordot(patch, kernel, 3)
    return out


@pytest.mark.parametrize('stride, size', [(2, 4), (1, 7)])
def test_conv_is_its_definition(graph, stride, size):
    rng = np.random.RandomState(0)
    image, kernel = rng.randn(8, 8, 3), rng.randn(4, 4, 3, 5)
    out = ops.conv(tf.constant(image[None], tf.float32), 5, stride)
    assert out.get_shape().as_list() == [1, size, size, 5]
    got = evaluate(out, **{'conv/filter': kernel})
    np.testing.assert_allclose(got[0], direct_conv(image, kernel, stride), rtol=1e-4, atol=1e-4)


def test_deconv_spreads_every_pixel_over_its_filter(graph):
    rng = np.random.RandomState(1)
    image, kernel = rng.randn(4, 4, 3), rng.randn(4, 4, 5, 3)
    want = np.zeros((10, 10, 5))
    for y in range(4):
        for x in range(4):
            want[2 * y : 2 * y + 4, 2 * x : 2 * x + 4] += np.dot(kernel, image[y, x])
    out = ops.deconv(tf.constant(image[None], tf.float32), 5)
    got = evaluate(out, **{'deconv/filter': kernel})
    np.testing.assert_allclose(got[0], want[1:-1, 1:-1], rtol=1e-4, atol=1e-4)


def test_deconv_accepts_an_unknown_batch_size(graph):
    images = tf.placeholder(tf.float32, [None, 2, 2, 3])
    out = ops.deconv(images, 5)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run(out, {images: np.zeros((3, 2, 2, 3))}).shape == (3, 4, 4, 5)


def test_filters_start_as_in_the_post(graph):
    ops.conv(tf.zeros([1, 4, 4, 64]), 64, 2)
    values = evaluate(graph.get_tensor_by_name('conv/filter:0'))
    assert abs(values.mean()) < 0.0005
    assert abs(values.std() - 0.02) < 0.0005


def test_lrelu(graph):
    x = np.array([-2.0, -0.5, 0.0, 3.0], np.float32)
    np.testing.assert_allclose(evaluate(ops.lrelu(tf.constant(x), 0.2)), [-0.4, -0.1, 0, 3])


def test_batchnorm_normalizes_over_batch_and_pixels(graph):
    images = np.random.RandomState(2).randn(2, 3, 5, 4) * 7 + 3
    offset, scale = np.array([1.0, 2, 3, 4]), np.array([0.5, 1, 2, 4])
    out = ops.batchnorm(tf.constant(images, tf.float32))
    got = evaluate(out, **{'batchnorm/offset': offset, 'batchnorm/scale': scale})
    mean, variance = images.mean((0, 1, 2)), images.var((0, 1, 2))
    want = (images - mean) / np.sqrt(variance + 1e-5) * scale + offset
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_dropout_with_a_seed_depends_on_the_seed_alone(graph):
    images = tf.ones([1, 20, 20, 32])
    seeds = [tf.constant(seed, tf.int64) for seed in ([1, 5], [1, 6], [2, 5], [1, 5])]
    got = evaluate([ops.dropout(images, 0.25, seed) for seed in seeds])
    assert set(np.unique(got[0])) == {0, np.float32(1 / 0.75)}
    assert abs((got[0] == 0).mean() - 0.25) < 0.02
    assert np.array_equal(got[0], got[3])
    for i, j in ((0, 1), (0, 2), (1, 2)):
        both = ((got[i] == 0) & (got[j] == 0)).mean()
        assert abs(both - 0.25**2) < 0.02  # independent of one another
