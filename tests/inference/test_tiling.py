"""Tiles: they cover an image, blend without a step, and fit the memory."""

import numpy as np
import pytest
from support.helpers import pair_pixels

from pix2pix_tf.inference import tiling
from pix2pix_tf.system import machine


@pytest.mark.parametrize(
    'side, tile', [(257, 256), (448, 256), (449, 256), (700, 256), (4096, 1024)]
)
def test_weights_add_up_to_one_and_change_slowly(side, tile):
    total = np.zeros(side)
    for start, end, weights in tiling.windows(side, tile):
        assert end - start == len(weights) == tile
        total[start:end] += weights
        # At an edge inside the image a tile begins with nearly nothing
        assert start == 0 or weights[0] < 0.02
        assert end == side or weights[-1] < 0.02
        assert np.abs(np.diff(weights)).max() < 0.02
    np.testing.assert_allclose(total, 1, rtol=1e-5)


def test_an_identity_network_returns_the_image():
    image = pair_pixels(1, 900, 300)
    output = tiling.compute(lambda image, seed, noise: (image, noise), image, 0, 256)
    np.testing.assert_array_equal(output, image)


def test_tiles_of_different_brightness_leave_no_step():
    brightness = iter(range(0, 250, 40))

    def run(image, seed, noise):
        return np.full_like(image, next(brightness)), noise

    output = tiling.compute(run, np.zeros((256, 1000, 3), np.uint8), 0, 256).astype(int)
    assert output[0, 0, 0] == 0 and output[0, -1, 0] == 160
    assert np.abs(np.diff(output, axis=1)).max() <= 2  # 40 without blending


def test_all_tiles_use_the_noise_of_the_first():
    asked = []

    def run(image, seed, noise):
        asked.append((seed, noise))
        return image, 'noise of the first' if noise is None else noise

    tiling.compute(run, np.zeros((600, 256, 3), np.uint8), 5, 256)
    assert asked == [(5, None), (5, 'noise of the first'), (5, 'noise of the first')]


@pytest.mark.parametrize(
    'free, side', [(float('inf'), 1024), (8 << 30, 1024), (1 << 30, 768), (1 << 20, 256)]
)
def test_the_tile_fits_the_free_memory(monkeypatch, free, side):
    monkeypatch.setattr(machine, 'free_memory', lambda: free)
    assert tiling.default_tile() == side


def test_free_memory_respects_the_limit_of_a_container(tmp_path):
    meminfo = tmp_path / 'meminfo'
    meminfo.write_text('MemTotal: 9 kB\nMemAvailable:    2048 kB\n')
    assert machine.free_memory(str(meminfo), str(tmp_path)) == 2 << 20
    (tmp_path / 'memory.max').write_text('max\n')
    (tmp_path / 'memory.current').write_text('1000\n')
    assert machine.free_memory(str(meminfo), str(tmp_path)) == 2 << 20
    (tmp_path / 'memory.max').write_text('5000\n')
    assert machine.free_memory(str(meminfo), str(tmp_path)) == 4000
    assert machine.free_memory(str(tmp_path / 'none'), str(tmp_path / 'none')) == float('inf')
