import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from support.helpers import pair_pixels

from pix2pix_tf.evaluation import metrics


def images(kind):
    """(output, target), [256, 256, 3] uint8."""
    rng = np.random.RandomState(3)
    target = pair_pixels(7, 256, 256)
    if kind == 'equal':
        return target, target
    if kind == 'noisy':
        return np.clip(target + rng.normal(0, 20, target.shape), 0, 255).astype(np.uint8), target
    if kind == 'negative':
        return 255 - target, target
    return rng.randint(0, 256, target.shape).astype(np.uint8), target


def test_similarities_equal_those_of_tensorflow(graph):
    kinds = ['equal', 'noisy', 'negative', 'unlike']
    outputs, targets = (np.float32(side) / 255 for side in zip(*map(images, kinds)))
    with tf.Session() as session:
        pairs = [tf.constant(side) for side in (outputs, targets)]
        want = session.run([tf.image.ssim(*pairs, 1.0), tf.image.ssim_multiscale(*pairs, 1.0)])
    for kind, ssim, ms_ssim in zip(kinds, *want):
        got = metrics.compare(*images(kind))
        assert got['SSIM'] == pytest.approx(ssim, abs=1e-4), kind
        assert got['MS-SSIM'] == pytest.approx(ms_ssim, abs=1e-4), kind


@pytest.mark.parametrize('kind', ['noisy', 'negative', 'unlike'])
def test_differences_follow_their_formulas(kind):
    output, target = images(kind)
    difference = output.astype(np.float64) / 255 - target.astype(np.float64) / 255
    got = metrics.compare(output, target)
    np.testing.assert_allclose(got['L1'], np.abs(difference).mean(), rtol=1e-5)
    np.testing.assert_allclose(got['RMSE'], np.sqrt((difference**2).mean()), rtol=1e-5)
    np.testing.assert_allclose(got['PSNR'], 10 * np.log10(1 / (difference**2).mean()), rtol=1e-5)


def test_equal_images_are_perfect_and_finite():
    assert metrics.compare(*images('equal')) == pytest.approx(
        {'L1': 0, 'RMSE': 0, 'PSNR': 100, 'SSIM': 1, 'MS-SSIM': 1}
    )


def test_diversity_is_the_mean_over_all_pairs():
    levels = np.array([0, 51, 255], np.uint8)
    outputs = np.broadcast_to(levels[:, None, None, None], (3, 4, 4, 3))
    # The differences are 0.2, 1 and 0.8
    assert metrics.diversity(outputs) == pytest.approx(2 / 3)
    assert metrics.diversity(outputs[:2]) == pytest.approx(0.2)


def test_frechet_distance_follows_its_formula():
    rng = np.random.RandomState(2)
    features = rng.randn(60, 8) @ rng.randn(8, 8)
    others = rng.randn(50, 8) @ rng.randn(8, 8) + 1
    means = features.mean(0) - others.mean(0)
    covariances = [np.cov(f.T) for f in (features, others)]
    # tr (C C')^1/2 straight from the product's own eigenvalues
    root = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).astype(complex)).sum().real
    want = means @ means + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * root
    assert metrics.frechet_distance(features, others) == pytest.approx(want, rel=1e-4)
    assert metrics.frechet_distance(features, features) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_of_shifted_and_stretched_features():
    """Where covariances commute it is |shift|^2 + sum (std - std')^2."""
    features = np.random.RandomState(4).randn(30, 5)
    stretch, shift = np.array([1, 2, 3, 0.5, 1]), np.arange(5)
    centred = features - features.mean(0)
    independent = centred @ np.linalg.inv(np.linalg.cholesky(np.cov(centred.T))).T
    got = metrics.frechet_distance(independent, independent * stretch + shift)
    assert got == pytest.approx((shift**2).sum() + ((stretch - 1) ** 2).sum(), rel=1e-4)


def test_kernel_distance_follows_its_formula():
    rng = np.random.RandomState(5)
    x, y = rng.randn(7, 4), rng.randn(7, 4) + 0.5

    def kernel(a, b):
        return (sum(a * b) / 4 + 1) ** 3

    n = len(x)
    apart = [(i, j) for i in range(n) for j in range(n) if i != j]
    want = sum(kernel(x[i], x[j]) + kernel(y[i], y[j]) for i, j in apart) / (n * (n - 1))
    want -= 2 * sum(kernel(a, b) for a in x for b in y) / n**2
    assert metrics.kernel_distance(x, y) == pytest.approx(want, rel=1e-4)
    halves = [metrics.kernel_distance(x[:4], y[:4]), metrics.kernel_distance(x[4:], y[4:])]
    assert metrics.kernel_distance(x, y, block=4) == pytest.approx(np.mean(halves))
