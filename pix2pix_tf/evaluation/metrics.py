"""The formulas that compare outputs with their targets: two images, or two sets of features.

Images are uint8 or uint16 as in the PNG files; differences are on the scale [0, 1].
"""

from typing import Callable, Dict

import numpy as np

NAMES = ('L1', 'RMSE', 'PSNR', 'SSIM', 'MS-SSIM')
OPTIONAL_NAMES = ('LPIPS',)  # measured only if asked for: see `image_metrics`
PREFER_BLUR = ('L1', 'RMSE', 'PSNR', 'SSIM')  # a blurred image to a sharp and plausible one
LOWER_IS_BETTER = ('L1', 'RMSE', 'LPIPS', 'FID', 'KID')
DIVERSITY = 'diversity'  # says nothing about quality
_PANEL = ' panel '  # before the number of a panel, in the name of its metric

PSNR_OF_EQUAL_IMAGES = 100.0  # dB, instead of infinity, which has no mean and is not JSON

_MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # finest scale first
_WINDOW = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2).astype(np.float32)
_WINDOW /= _WINDOW.sum()


def compare(output: np.ndarray, target: np.ndarray) -> Dict[str, float]:
    """{name: value} of each metric in NAMES.

    Both images are [height, width, channels], at least 176 pixels high and wide. L1 and RMSE are
    the mean absolute and the root mean square difference, in [0, 1]. PSNR is in dB. SSIM (Wang et
    al., 2004) and MS-SSIM (Wang et al., 2003) are at most 1: the mean over the channels and over
    all Gaussian windows of 11 pixels that lie completely inside the image.
    """
    output, target = map(_scaled, (output, target))
    difference = output - target
    mean_square = float(np.mean(np.square(difference), dtype=np.float64))
    psnr = -10 * np.log10(mean_square) if mean_square else PSNR_OF_EQUAL_IMAGES
    ssim, ms_ssim = _structural_similarities(output, target)
    return {
        'L1': float(np.mean(np.abs(difference), dtype=np.float64)),
        'RMSE': mean_square**0.5,
        'PSNR': float(min(psnr, PSNR_OF_EQUAL_IMAGES)),
        'SSIM': ssim,
        'MS-SSIM': ms_ssim,
    }


def compare_panels(
    compare: Callable[[np.ndarray, np.ndarray], Dict[str, float]],
    output: np.ndarray,
    target: np.ndarray,
    channels: int,
) -> Dict[str, float]:
    """{'name panel number': value} of each metric of `compare` and panel, if there are several.

    Both images are [height, width, panels * channels].
    """
    panels = output.shape[2] // channels
    return {
        f'{name}{_PANEL}{number + 1}': value
        for number in range(panels if panels > 1 else 0)
        for part in [slice(number * channels, (number + 1) * channels)]
        for name, value in compare(output[..., part], target[..., part]).items()
    }


def without_panel(name: str) -> str:
    """The metric of NAMES whose value for one panel has this name."""
    return name.partition(_PANEL)[0]


def _scaled(pixels):
    """uint8 or uint16 => float32 in [0, 1]."""
    return np.float32(pixels) / np.iinfo(pixels.dtype).max


def _structural_similarities(x, y):
    """(SSIM, MS-SSIM); SSIM is the finest scale of MS-SSIM."""
    product = 1
    for scale, weight in enumerate(_MS_SSIM_WEIGHTS):
        similarity, contrast = _similarity_maps(x, y)
        if scale == 0:
            ssim = float(similarity.mean(dtype=np.float64))
        coarsest = scale == len(_MS_SSIM_WEIGHTS) - 1
        mean = (similarity if coarsest else contrast).mean(axis=(0, 1), dtype=np.float64)
        # Clamped, because a negative mean has no real fractional power
        product = product * np.maximum(mean, 0) ** weight
        x, y = _halve(x), _halve(y)
    return ssim, float(product.mean())


def _similarity_maps(x, y):
    """SSIM of every window, and its contrast-structure term alone (equations 13 and 12)."""
    c1, c2 = 0.01**2, 0.03**2
    # A common shift does not change the variances, and loses less to rounding
    shift = np.float32(0.5)
    x, y = x - shift, y - shift
    mean_x, mean_y = _smooth(x), _smooth(y)
    covariance = _smooth(x * y) - mean_x * mean_y
    variances = _smooth(x * x + y * y) - mean_x**2 - mean_y**2
    contrast = (2 * covariance + c2) / (variances + c2)
    mean_x, mean_y = mean_x + shift, mean_y + shift
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return luminance * contrast, contrast


def _smooth(image):
    """The weighted mean of every complete window: [h, w, c] => [h - 10, w - 10, c]."""
    height, width = image.shape[0] - 10, image.shape[1] - 10
    rows = sum(weight * image[i : i + height] for i, weight in enumerate(_WINDOW))
    return sum(weight * rows[:, i : i + width] for i, weight in enumerate(_WINDOW))


def _halve(image):
    return (image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]) / 4


def diversity(outputs: np.ndarray) -> float:
    """The mean L1 of all pairs of `outputs` ([samples, height, width, channels]), in [0, 1]."""
    pixels = _scaled(outputs)
    distances = [
        np.abs(one - other).mean(dtype=np.float64)
        for number, one in enumerate(pixels)
        for other in pixels[:number]
    ]
    return float(np.mean(distances))


def frechet_distance(features: np.ndarray, others: np.ndarray) -> float:
    """The Fréchet distance of two sets of features, [n, d] and [m, d] (Heusel et al., 2017).

    |mean - mean'|^2 + tr(C + C' - 2 (C C')^1/2), with the means and covariances of the sets.
    """
    mean, other_mean = features.mean(axis=0), others.mean(axis=0)
    covariance, other_covariance = (
        np.atleast_2d(np.cov(f, rowvar=False)) for f in (features, others)
    )
    # C C' has the eigenvalues of C^1/2 C' C^1/2, which is symmetric, so eigh can compute its root
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    values = np.linalg.eigvalsh(root @ other_covariance @ root)
    trace_of_root = np.sqrt(np.maximum(values, 0)).sum()
    traces = np.trace(covariance) + np.trace(other_covariance)
    return float(np.square(mean - other_mean).sum() + traces - 2 * trace_of_root)


def kernel_distance(features: np.ndarray, others: np.ndarray, block: int = 1000) -> float:
    """The kernel distance of two sets of features, [n, d] and [n, d] (Bińkowski et al., 2018).

    The unbiased estimate of the squared maximum mean discrepancy with the kernel
    (x . y / d + 1)^3, averaged over blocks of at most `block` images; n is at least 2.
    """
    blocks = int(np.ceil(len(features) / block))
    pairs = zip(np.array_split(features, blocks), np.array_split(others, blocks))
    return float(np.mean([_squared_discrepancy(x, y) for x, y in pairs]))


def _squared_discrepancy(x, y):
    n, dimensions = x.shape
    kernel_xx, kernel_yy, kernel_xy = (
        (a @ b.T / dimensions + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))
    )
    within = kernel_xx.sum() - np.trace(kernel_xx) + kernel_yy.sum() - np.trace(kernel_yy)
    return within / (n * (n - 1)) - 2 * kernel_xy.mean()


def distances(features: np.ndarray, others: np.ndarray) -> Dict[str, float]:
    """FID and KID of two sets of features, [n, d] and [n, d]."""
    return {
        'FID': frechet_distance(features, others),
        'KID': kernel_distance(features, others),
    }
