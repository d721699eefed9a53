"""The convolutions and all their gradients, in float64, against TensorFlow's plain ops."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from pix2pix_tf import kernels

CHANNELS, DEPTH, BATCH = 3, 5, 2


def plain_conv(images, filters, stride):
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]])
    return tf.nn.conv2d(padded, filters, [1, stride, stride, 1], padding='VALID')


def plain_deconv(images, filters):
    batch, rows, columns, _ = images.get_shape().as_list()
    shape = [batch, 2 * rows, 2 * columns, filters.get_shape().as_list()[2]]
    return tf.nn.conv2d_transpose(images, filters, shape, [1, 2, 2, 1], padding='SAME')


def assert_same(ours, plain, images_shape, filters_shape):
    """`ours` and `plain` are functions of images and filters with equal values and gradients."""
    rng = np.random.RandomState(4)
    images = tf.constant(rng.randn(*images_shape))
    filters = tf.constant(rng.randn(*filters_shape))
    results = []
    for function in (ours, plain):
        out = function(images, filters)
        towards = tf.constant(np.random.RandomState(5).randn(*plain(images, filters).shape))
        results.append([out] + tf.gradients(out, [images, filters], towards))
    with tf.Session() as session:
        got, want = session.run(results)
    for one, other in zip(got, want):
        assert one.dtype == np.float64
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


@pytest.fixture(params=['Eigen', 'oneDNN', 'GPU'])
def device(request, monkeypatch, graph):
    monkeypatch.setattr(kernels.compat, 'has_gpu', lambda: request.param == 'GPU')
    monkeypatch.setattr(kernels.compat, 'has_onednn', lambda: request.param == 'oneDNN')


# Small sides below, at and above each threshold, and images that are not square
@pytest.mark.parametrize(
    'rows, columns', [(1, 1), (2, 2), (4, 4), (8, 8), (16, 16), (17, 3), (3, 6)]
)
def test_stride_2(device, rows, columns):
    def conv(images, filters):
        return kernels.conv2d(images, filters, 2)

    large = [BATCH, 2 * rows, 2 * columns, CHANNELS]
    filters = [4, 4, CHANNELS, DEPTH]
    assert_same(conv, lambda *inputs: plain_conv(*inputs, 2), large, filters)
    assert_same(kernels.conv2d_transpose, plain_deconv, [BATCH, rows, columns, DEPTH], filters)


@pytest.mark.parametrize('depth', [1, DEPTH])
def test_stride_1(device, depth):
    def conv(images, filters):
        return kernels.conv2d(images, filters, 1)

    assert_same(
        conv,
        lambda *inputs: plain_conv(*inputs, 1),
        [BATCH, 9, 6, CHANNELS],
        [4, 4, CHANNELS, depth],
    )


@pytest.mark.parametrize('form', [kernels.Forms(64, 64, 64, 0), kernels.Forms(0, 0, 0, 64)])
def test_every_form_computes_the_same(device, monkeypatch, form):
    """Wherever a table sets its limits."""
    monkeypatch.setattr(kernels, 'FORMS', {'Eigen': form, 'oneDNN': form})
    test_stride_2(device, 5, 18)


def test_products_replace_the_plain_ops_only_where_they_are_faster(graph, monkeypatch):
    def ops_of(side, gpu=False, plain=False, onednn=False):
        monkeypatch.setattr(kernels.compat, 'has_gpu', lambda: gpu)
        monkeypatch.setattr(kernels.compat, 'has_onednn', lambda: onednn)
        with tf.Graph().as_default() as own:
            if plain:
                kernels.use_plain_ops()
            kernels.conv2d(tf.zeros([1, side, side, 8]), tf.zeros([4, 4, 8, 8]), 2)
            return {op.type for op in own.get_operations()}

    assert 'Conv2D' in ops_of(8, plain=True)
    assert 'Conv2D' not in ops_of(8)
    assert 'Conv2D' in ops_of(10)
    assert 'Conv2D' in ops_of(8, gpu=True)
    assert 'Conv2D' not in ops_of(16, onednn=True)
    assert 'Conv2D' in ops_of(18, onednn=True)
