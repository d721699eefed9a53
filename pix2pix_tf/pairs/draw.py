"""Small side-by-side pairs without a download: drawn facades and their label maps."""

import io
import os
from typing import Any, List, Sequence, Tuple

import numpy as np
from PIL import Image, ImageDraw

from pix2pix_tf.pairs import read
from pix2pix_tf.system import files
from pix2pix_tf.system.errors import DataError, UsageError

SIZE = 256  # pixels, of each half

# The colors of the label maps of the CMP facades
LABELS = {
    'background': (0, 0, 170),
    'facade': (0, 0, 255),
    'window': (0, 85, 255),
    'door': (0, 170, 255),
    'cornice': (0, 255, 255),
    'sill': (85, 255, 170),
    'balcony': (170, 255, 85),
    'shop': (170, 0, 0),
}


Box = Tuple[Any, ...]  # (label, left, top, right, bottom), in pixels


def write_pairs(directory: str, count: int, seed: int) -> None:
    """Writes `count` pairs to `directory`, as 1.png and so on; the same seed makes the same files.

    Each is 512x256 pixels RGB: the left half is the facade, the right half its labels.

    Raises:
        UsageError: another image has the name of one of them.
        Pix2PixError: a file cannot be written; the message names it.
    """
    files.prepare_directory(directory)
    rng = np.random.RandomState(seed)
    for number in range(1, count + 1):
        boxes = draw_plan(rng)
        pair = np.concatenate([draw_facade(boxes, rng), draw_labels(boxes)], axis=1)
        path = os.path.join(directory, f'{number}.png')
        if os.path.exists(path):
            _check_same(path, pair)
        else:
            encoded = io.BytesIO()
            Image.fromarray(pair).save(encoded, 'PNG')
            files.write_whole(path, encoded.getvalue())


def _check_same(path, pair):
    try:
        with read.opened(path, path) as image, read.decoding(path):
            pixels = np.asarray(image)
    except DataError:
        pixels = None
    if pixels is None or not np.array_equal(pixels, pair):
        raise UsageError(
            f'{path} exists already and is another image: remove it, or choose another folder'
        )


def draw_plan(rng: np.random.RandomState) -> List[Box]:
    """A random facade as a list of boxes, back to front."""
    left, right = rng.randint(0, 30), SIZE - 1 - rng.randint(0, 30)
    top = rng.randint(15, 60)
    boxes = [('facade', left, top, right, SIZE - 1)]
    boxes.append(('cornice', left, top, right, top + rng.randint(6, 12)))

    ground = SIZE - rng.randint(55, 75)  # where the ground floor begins
    boxes.append(('cornice', left, ground - 5, right, ground))
    floors, columns = rng.randint(2, 4), rng.randint(3, 6)
    height = (ground - 5 - (top + 14)) / floors
    width = (right - left) / columns
    window_width, window_height = int(width * rng.uniform(0.4, 0.6)), int(height * 0.6)
    with_balconies = rng.rand(floors) < 0.4
    for floor in range(floors):
        for column in range(columns):
            x = int(left + (column + 0.5) * width - window_width / 2)
            y = int(top + 14 + floor * height + height * 0.2)
            boxes.append(('window', x, y, x + window_width, y + window_height))
            bottom = y + window_height
            boxes.append(('sill', x - 3, bottom, x + window_width + 3, bottom + 4))
            if with_balconies[floor]:
                rail = bottom - window_height // 3
                boxes.append(('balcony', x - 5, rail, x + window_width + 5, bottom + 3))
    door_column = rng.randint(columns)
    for column in range(columns):
        x = int(left + (column + 0.5) * width)
        half = int(width * 0.38)
        if column == door_column:
            boxes.append(('door', x - half * 2 // 3, ground + 12, x + half * 2 // 3, SIZE - 1))
        else:
            boxes.append(('shop', x - half, ground + 12, x + half, SIZE - 14))
    return boxes


def draw_labels(boxes: Sequence[Box]) -> np.ndarray:
    """The label map of a plan: [256, 256, 3] uint8."""
    image = Image.new('RGB', (SIZE, SIZE), LABELS['background'])
    draw = ImageDraw.Draw(image)
    for label, *box in boxes:
        draw.rectangle(box, fill=LABELS[label])
    return np.asarray(image)


def draw_facade(boxes: Sequence[Box], rng: np.random.RandomState) -> np.ndarray:
    """A photo-like image of a plan: [256, 256, 3] uint8, with bricks, panes, shadows and grain."""
    rows = np.linspace(0, 1, SIZE)[:, None, None]
    sky = (1 - rows) * np.array([96, 150, 215]) + rows * np.array([215, 228, 240])
    image = Image.fromarray(np.broadcast_to(sky, (SIZE, SIZE, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    paint = {
        'facade': _draw_bricks,
        'window': _draw_window,
        'door': _draw_door,
        'cornice': _draw_cornice,
        'sill': _draw_cornice,
        'balcony': _draw_balcony,
        'shop': _draw_shop,
    }
    for label, *box in boxes:
        paint[label](draw, box)
    light = rng.uniform(0.9, 1.1)
    grain = rng.normal(0, 4, (SIZE, SIZE, 1))
    return np.clip(np.asarray(image) * light + grain, 0, 255).astype(np.uint8)


def _draw_bricks(draw, box):
    left, top, right, bottom = box
    draw.rectangle(box, fill=(172, 92, 70))
    for row, y in enumerate(range(top, bottom, 6)):
        draw.line([left, y, right, y], fill=(150, 78, 60))
        for x in range(left + row % 2 * 7, right, 14):
            draw.line([x, y, x, min(y + 5, bottom)], fill=(150, 78, 60))


def _draw_window(draw, box):
    left, top, right, bottom = box
    draw.rectangle(box, fill=(48, 62, 84))
    middle = (left + right) // 2
    draw.polygon([left, top, middle, top, left, (top + bottom) // 2], fill=(92, 116, 146))
    draw.rectangle(box, outline=(236, 232, 222), width=2)
    draw.line([middle, top, middle, bottom], fill=(236, 232, 222), width=2)
    upper = top + (bottom - top) // 3
    draw.line([left, upper, right, upper], fill=(236, 232, 222), width=2)


def _draw_door(draw, box):
    left, top, right, bottom = box
    draw.rectangle(box, fill=(70, 42, 26), outline=(226, 214, 190), width=3)
    middle = (left + right) // 2
    draw.line([middle, top, middle, bottom], fill=(40, 24, 14), width=2)
    draw.rectangle([left + 3, top + 3, right - 3, top + 12], fill=(120, 140, 150))


def _draw_cornice(draw, box):
    left, _, right, bottom = box
    draw.rectangle(box, fill=(224, 210, 182))
    draw.rectangle([left, bottom + 1, right, bottom + 2], fill=(104, 54, 42))


def _draw_balcony(draw, box):
    left, top, right, bottom = box
    draw.rectangle([left, top, right, top + 1], fill=(28, 28, 30))
    for x in range(left, right + 1, 4):
        draw.line([x, top, x, bottom], fill=(28, 28, 30))
    draw.rectangle([left, bottom - 3, right, bottom], fill=(150, 146, 138))


def _draw_shop(draw, box):
    left, top, right, bottom = box
    draw.rectangle(box, fill=(58, 66, 66))
    draw.polygon([left, bottom, right, top, right, bottom], fill=(84, 96, 96))
    draw.rectangle([left, top, right, top + 9], fill=(34, 96, 62))
    draw.rectangle(box, outline=(34, 70, 50), width=2)
