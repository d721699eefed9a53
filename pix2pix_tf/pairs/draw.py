"""Small side-by-side pairs without a download: drawn facades and their label maps."""

import io
import os
from typing import Any, List, NamedTuple, Sequence, Tuple

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
Color = Tuple[int, int, int]


class Style(NamedTuple):
    """What a facade is made of: it follows from the labels, or no network could learn it."""

    wall: str  # 'brick', 'plaster' or 'stone'
    color: Color  # of the wall
    frame: Color  # of the windows
    door: Color  # and of the awnings
    sky: Tuple[Color, Color]  # at the top and at the bottom


# By the number of windows side by side. Their width, and that of doors and shops, tells it as well:
# a network learns first what it sees close by
_STYLES = {
    3: ('plaster', (232, 190, 108), (252, 250, 244), (32, 92, 70)),
    4: ('brick', (172, 82, 62), (242, 236, 222), (40, 62, 120)),
    5: ('stone', (150, 176, 166), (70, 78, 76), (138, 48, 40)),
}
_GROUND = (198, 188, 170)  # the stone of every ground floor
_DAY = (84, 144, 214), (206, 226, 242)
_EVENING = (108, 96, 154), (246, 188, 140)
_EVENING_BELOW = 38  # pixels: above lower houses, it is evening
_CLOUDS = 56  # pixels from the top


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
    window_width, window_height = int(width * rng.uniform(0.48, 0.56)), int(height * 0.6)
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


def style_of(boxes: Sequence[Box]) -> Style:
    """The materials and colors of a plan: the same for every drawing of it."""
    columns = sum(label in ('door', 'shop') for label, *_ in boxes)
    roof = min(top for label, _, top, _, _ in boxes if label == 'facade')
    nearest = min(_STYLES, key=lambda number: abs(number - columns))
    return Style(*_STYLES[nearest], _EVENING if roof > _EVENING_BELOW else _DAY)


def draw_facade(boxes: Sequence[Box], rng: np.random.RandomState) -> np.ndarray:
    """A photo-like image of a plan: [256, 256, 3] uint8, with panes, shadows, clouds and grain."""
    style = style_of(boxes)
    image = Image.fromarray(_sky(style, rng))
    draw = ImageDraw.Draw(image)
    paint = {
        'facade': _draw_wall,
        'window': _draw_window,
        'door': _draw_door,
        'cornice': _draw_cornice,
        'sill': _draw_cornice,
        'balcony': _draw_balcony,
        'shop': _draw_shop,
    }
    for label, *box in boxes:
        paint[label](draw, box, style)
        if label == 'cornice' and box[1] > SIZE // 2:
            _draw_ground_floor(draw, box)
    light = rng.uniform(0.95, 1.05)
    grain = rng.normal(0, 3, (SIZE, SIZE, 1))
    return np.clip(np.asarray(image) * light + grain, 0, 255).astype(np.uint8)


def _sky(style, rng):
    """[256, 256, 3] uint8: a gradient with two or three clouds."""
    rows = np.linspace(0, 1, SIZE)[:, None, None] ** 0.6
    upper, lower = np.array(style.sky)
    sky = (1 - rows) * upper + rows * lower
    y, x = np.mgrid[:_CLOUDS, :SIZE]
    cover = np.zeros((_CLOUDS, SIZE))
    for _ in range(rng.randint(2, 4)):
        left, top = rng.randint(SIZE), rng.randint(5, 40)
        for puff in range(4):
            across, down = (x - left - 14 * puff) / 18.0, (y - top + puff % 2 * 4) / 7.0
            cover = np.maximum(cover, np.exp(-(across**2) - down**2))
    sky = np.repeat(sky, SIZE, axis=1)
    sky[:_CLOUDS] += 0.6 * cover[:, :, None] * (np.array([255, 250, 244]) - sky[:_CLOUDS])
    return sky.astype(np.uint8)


def _shade(color, factor):
    """`color`, darker or lighter by `factor`."""
    return tuple(min(255, int(value * factor)) for value in color)


def _draw_wall(draw, box, style):
    left, top, right, bottom = box
    draw.rectangle(box, fill=style.color)
    if style.wall == 'plaster':  # smooth, with corner stones
        for row, y in enumerate(range(top, bottom, 12)):
            width = 9 if row % 2 else 13
            stone = _shade(style.color, 1.14)
            draw.rectangle([left, y, left + width, min(y + 10, bottom)], fill=stone)
            draw.rectangle([right - width, y, right, min(y + 10, bottom)], fill=stone)
    else:
        _draw_joints(draw, box, (6, 14) if style.wall == 'brick' else (16, 32), style.color)


def _draw_joints(draw, box, size, color):
    """The joints of bricks or blocks, with a `size` of (height, width) pixels."""
    left, top, right, bottom = box
    height, width = size
    joint = _shade(color, 0.9)
    for row, y in enumerate(range(top, bottom, height)):
        draw.line([left, y, right, y], fill=joint)
        for x in range(left + row % 2 * width // 2, right, width):
            draw.line([x, y, x, min(y + height - 1, bottom)], fill=joint)


def _draw_ground_floor(draw, cornice):
    left, _, right, bottom = cornice
    draw.rectangle([left, bottom + 3, right, SIZE - 1], fill=_GROUND)
    _draw_joints(draw, [left, bottom + 3, right, SIZE - 1], (16, 32), _GROUND)


def _draw_window(draw, box, style):
    left, top, right, bottom = box
    draw.rectangle(box, fill=(46, 60, 82))
    middle = (left + right) // 2
    draw.polygon([left, top, right, top, left, (top + 2 * bottom) // 3], fill=(104, 132, 164))
    draw.rectangle(box, outline=style.frame, width=3)
    if right - left > 30:  # two panes side by side, or one above the other
        draw.line([middle, top, middle, bottom], fill=style.frame, width=3)
    else:
        upper = top + (bottom - top) // 3
        draw.line([left, upper, right, upper], fill=style.frame, width=3)


def _draw_door(draw, box, style):
    left, top, right, bottom = box
    draw.rectangle(box, fill=style.door, outline=(230, 222, 204), width=3)
    draw.rectangle([left + 4, top + 4, right - 4, top + 12], fill=(250, 222, 150))  # lamplight
    panel = _shade(style.door, 1.4)
    middle = (top + 16 + bottom) // 2
    for upper, lower in ((top + 17, middle - 2), (middle + 2, bottom - 4)):
        if right - left > 12 and lower > upper:
            draw.rectangle([left + 6, upper, right - 6, lower], outline=panel)
    draw.rectangle([right - 7, middle - 1, right - 6, middle + 1], fill=(236, 204, 110))  # handle


def _draw_cornice(draw, box, style):
    left, top, right, bottom = box
    draw.rectangle(box, fill=(236, 228, 208))
    draw.line([left, top, right, top], fill=(250, 246, 234))
    draw.rectangle([left, bottom + 1, right, bottom + 2], fill=_shade(style.color, 0.6))


def _draw_balcony(draw, box, style):
    left, top, right, bottom = box
    for x in range(left, right + 1, 7):
        draw.line([x, top, x, bottom], fill=(34, 34, 38))
    draw.rectangle([left, top, right, top + 1], fill=(34, 34, 38))
    draw.rectangle([left, bottom - 3, right, bottom], fill=_shade(style.color, 0.75))


def _draw_shop(draw, box, style):
    left, top, right, bottom = box
    draw.rectangle(box, fill=(58, 68, 74), outline=style.frame, width=2)
    draw.polygon([left + 2, bottom - 2, right - 2, top, right - 2, bottom - 2], fill=(92, 108, 114))
    draw.rectangle([left, top, right, top + 11], fill=style.door)  # an awning
    draw.rectangle([left, top + 10, right, top + 11], fill=(240, 236, 226))
