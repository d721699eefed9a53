"""Convolutions and batch normalization with all gradients, in float64, against the plain ops."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from support import forms

from pix2pix_tf import kernels, ops
from pix2pix_tf.config import Config

CHANNELS, DEPTH, BATCH = 3, 5, 2
# Of small images: with one pixel, and not square
SIZES = [(1, 1), (2, 2), (4, 4), (8, 8), (16, 16), (17, 3), (3, 6), (2, 3), (5, 18)]


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


@pytest.mark.parametrize('rows, columns', SIZES)
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


@pytest.mark.parametrize('form', ['product', 'parts', 'pairs'])
@pytest.mark.parametrize('rows, columns', SIZES)
def test_every_form_computes_the_same(device, monkeypatch, form, rows, columns):
    """Wherever a table sets its limits."""
    forms.use_everywhere(monkeypatch, form)
    for operation, functions in kernels.OPERATIONS.items():
        wanted = form if form in functions else 'plain'
        assert kernels.form_of(operation, rows * columns, CHANNELS, DEPTH) == wanted
    test_stride_2(device, rows, columns)


@pytest.mark.parametrize('rows, columns', [(1, 1), (1, 4), (2, 3), (3, 2), (5, 5), (8, 6), (31, 4)])
def test_winograds_algorithm_computes_the_same(device, monkeypatch, rows, columns):
    forms.use_everywhere(monkeypatch, 'winograd')
    assert kernels.form_of_stride_1(CHANNELS, DEPTH) == 'winograd'

    def conv(images, filters):
        return kernels.conv2d(images, filters, 1)

    large = [BATCH, rows + 1, columns + 1, CHANNELS]
    assert_same(conv, lambda *inputs: plain_conv(*inputs, 1), large, [4, 4, CHANNELS, DEPTH])


def test_winograds_algorithm_is_exact_enough_in_float32(graph, monkeypatch):
    """Of what layer 4 of the discriminator computes, at a quarter of its width."""
    monkeypatch.setattr(kernels.compat, 'has_gpu', lambda: False)
    forms.use_everywhere(monkeypatch, 'winograd')
    rng = np.random.RandomState(8)
    images, filters = rng.randn(1, 32, 32, 64), 0.02 * rng.randn(4, 4, 64, 128)
    towards = rng.randn(1, 31, 31, 128)
    results = []
    for function, dtype in ((kernels.conv2d, np.float32), (plain_conv, np.float64)):
        inputs = [tf.constant(values.astype(dtype)) for values in (images, filters)]
        out = function(*inputs, 1)
        results.append([out] + tf.gradients(out, inputs, tf.constant(towards.astype(dtype))))
    with tf.Session() as session:
        got, want = session.run(results)
    for one, other in zip(got, want):
        assert np.sqrt(np.mean((one - other) ** 2)) < 4e-6 * np.sqrt(np.mean(other**2))


def test_forms_depend_on_the_filters_beside_the_small_image(graph, monkeypatch):
    def forms_of(operation, library='Eigen'):
        """Those of the layers of the post, from the smallest image to the largest."""
        monkeypatch.setattr(kernels.compat, 'has_onednn', lambda: library == 'oneDNN')
        layers = [(1, 512, 512), (4, 512, 512), (16, 256, 512), (16, 64, 128), (32, 128, 256)]
        layers.append((128, 3, 64))
        return [kernels.form_of(operation, side**2, *channels) for side, *channels in layers]

    product, plain, pairs, parts = 'product', 'plain', 'pairs', 'parts'
    assert forms_of('small_image') == [product, product, plain, plain, plain, plain]
    assert forms_of('small_image', 'oneDNN') == [product, product, product, plain, parts, plain]
    assert forms_of('large_image') == [product, product, product, plain, pairs, plain]
    assert forms_of('large_image', 'oneDNN') == [product, product, plain, plain, plain, pairs]
    assert forms_of('filter_gradient') == [product] * 5 + [plain]
    assert forms_of('filter_gradient', 'oneDNN') == [product] * 3 + [plain] * 3


def types_of(build, gpu=False, plain=False):
    """The types of the ops that `build` adds to an empty graph."""
    with tf.Graph().as_default() as own, pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels.compat, 'has_gpu', lambda: gpu)
        if plain:
            kernels.use_plain_ops()
        build()
        return {op.type for op in own.get_operations()}


def test_products_replace_the_plain_ops_only_where_they_are_faster(graph, monkeypatch):
    def ops_of(side, **switches):
        def build():
            kernels.conv2d(tf.zeros([1, side, side, 256]), tf.zeros([4, 4, 256, 256]), 2)

        return types_of(build, **switches)

    monkeypatch.setattr(kernels.compat, 'has_onednn', lambda: False)
    assert 'Conv2D' not in ops_of(4)
    assert 'Conv2D' in ops_of(4, plain=True)
    assert 'Conv2D' in ops_of(4, gpu=True)
    assert 'Conv2D' in ops_of(8)


def test_winograds_algorithm_is_for_many_channels_in_float32_on_a_cpu(graph):
    def types(channels, depth, low_precision=False, **switches):
        def build():
            images, filters = tf.zeros([1, 6, 6, channels]), tf.zeros([4, 4, channels, depth])
            kernels.conv2d(images, filters, 1, low_precision)

        return types_of(build, **switches)

    assert 'Conv2D' not in types(128, 256)
    assert 'Conv2D' in types(64, 128)
    assert 'Conv2D' in types(128, 256, low_precision=True)
    assert 'Conv2D' in types(128, 256, gpu=True)
    assert 'Conv2D' in types(128, 256, plain=True)


@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
def test_a_layer_knows_the_precision_of_the_session(graph, monkeypatch, precision):
    """The switch alone means nothing: a CPU without bfloat16 computes in float32."""
    monkeypatch.setattr(kernels.compat, 'has_gpu', lambda: False)
    monkeypatch.setattr(ops.session, 'precision', lambda config: precision)
    ops.conv(tf.zeros([1, 6, 6, 128]), 128, stride=1, config=Config(mixed_precision=True))
    types = {op.type for op in graph.get_operations()}
    assert ('Conv2D' in types) == (precision == 'bfloat16')


def test_the_batch_size_may_be_unknown(graph, monkeypatch):
    monkeypatch.setattr(kernels.compat, 'has_gpu', lambda: False)
    rng = np.random.RandomState(10)
    values = rng.randn(3, 8, 8, 4)
    images = tf.placeholder(tf.float64, [None, 8, 8, 4])
    filters = tf.constant(rng.randn(4, 4, 4, 4))
    results = []
    for stride, form in ((1, 'winograd'), (2, 'product'), (2, 'parts')):
        forms.use_everywhere(monkeypatch, form)
        results.append(
            [kernels.conv2d(images, filters, stride), plain_conv(images, filters, stride)]
        )
    with tf.Session() as session:
        for got, want in session.run(results, {images: values}):
            np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


def test_the_gradient_of_normalization_is_written_out_on_a_cpu():
    def build():
        images = tf.zeros([1, 9, 9, 8])
        out = kernels.normalize(images, tf.zeros([8]), tf.ones([8]), 1e-5)
        assert tf.gradients(out, images)[0] is not None

    assert 'IdentityN' in types_of(build)
    for plain in ({'gpu': True}, {'plain': True}):
        types = types_of(build, **plain)
        assert 'SquaredDifference' in types and 'IdentityN' not in types


@pytest.mark.parametrize('shape', [[1, 1, 1, 8], [1, 2, 2, 8], [2, 9, 4, 8]])
def test_the_fused_normalization_and_all_its_gradients(graph, monkeypatch, shape):
    monkeypatch.setattr(kernels.compat, 'has_gpu', lambda: False)
    monkeypatch.setattr(kernels, 'FUSED_VALUES', 0)
    rng = np.random.RandomState(9)
    images = tf.constant((3 + rng.randn(*shape)).astype(np.float32))
    towards = tf.constant(rng.randn(*shape).astype(np.float32))
    offset, scale = (tf.constant(rng.randn(8).astype(np.float32)) for _ in range(2))
    results = []
    for function in (kernels.normalize, kernels.plain_normalize):
        inputs = [images, offset, scale]
        out = function(*inputs, 1e-5)
        results.append([out] + tf.gradients(out, inputs, towards))
    with tf.Session() as session:
        got, want = session.run(results)
    for one, other in zip(got, want):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    'side, dtype', [(64, 'float32'), (63, 'float32'), (64, 'float64'), (None, 'float32')]
)
def test_only_large_images_in_float32_are_normalized_by_the_fused_op(
    graph, monkeypatch, side, dtype
):
    monkeypatch.setattr(kernels.compat, 'has_gpu', lambda: False)
    images = tf.placeholder(dtype, [None, side, side, 32])
    out = kernels.normalize(images, tf.zeros([32], dtype), tf.ones([32], dtype), 1e-5)
    types = {op.type for op in graph.get_operations()}
    fused = (side, dtype) == (64, 'float32')
    assert ('FusedBatchNormV3' in types) == fused
    assert ('SquaredDifference' in types) == (not fused)
    # What the gradient needs from before an update is computed before the output
    before, waiting = set(), [out.op]
    while waiting:
        op = waiting.pop()
        before.add(op.type)
        waiting += [t.op for t in op.inputs] + list(op.control_inputs)
    assert 'Rsqrt' in before


@pytest.mark.parametrize('shape', [[2, 5, 4, 3], [1, 1, 1, 3]])
def test_normalization_and_all_its_gradients(device, shape):
    rng = np.random.RandomState(6)
    offset, scale = tf.constant(rng.randn(3)), tf.constant(1 + rng.randn(3))
    images = tf.constant(4 + rng.randn(*shape))
    towards = tf.constant(rng.randn(*shape))
    results = []
    for function in (kernels.normalize, kernels.plain_normalize):
        out = function(images, offset, scale, 1e-5)
        results.append([out] + tf.gradients(out, [images, offset, scale], towards))
    with tf.Session() as session:
        got, want = session.run(results)
    for one, other in zip(got, want):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
    # The output of a pixel alone is the offset
    assert got[1].any() == (shape[1] > 1)


def test_normalization_reads_its_variables_when_the_plain_ops_do(graph, monkeypatch):
    """Its gradient may run after an update: parity with the post depends on what it reads then."""
    monkeypatch.setattr(kernels.compat, 'has_gpu', lambda: False)
    images = tf.constant(np.random.RandomState(7).randn(1, 4, 4, 2))
    gradients = []
    for number, function in enumerate((kernels.normalize, kernels.plain_normalize)):
        scale = tf.get_variable(f'scale_{number}', initializer=np.array([1.0, 2.0]))
        out = function(images, tf.zeros(2, tf.float64), scale, 1e-5)
        with tf.control_dependencies([out]):
            update = tf.assign(scale, [3.0, -1.0])
        with tf.control_dependencies([update]):
            after = tf.gradients(out, images, images**3)[0]
        gradients += [tf.gradients(out, images, images**3)[0], after]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        before, plain_before = session.run(gradients[::2])
        after, plain_after = session.run(gradients[1::2])
    np.testing.assert_allclose(before, plain_before, rtol=1e-9)
    np.testing.assert_allclose(after, plain_after, rtol=1e-9)
    assert abs(after - before).max() > 0.1
