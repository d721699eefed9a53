"""Files of images through a trained generator, into a folder of results."""

import concurrent.futures
import io
import os
import re
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from pix2pix_tf import image_names
from pix2pix_tf.evaluation import pages
from pix2pix_tf.inference.generator import Generator
from pix2pix_tf.pairs import panels, read
from pix2pix_tf.system import machine
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import DataError, UsageError
from pix2pix_tf.system.files import prepare_directory, unwritable, write_whole

PREVIEWS = 'previews'  # folder of the inputs as the page shows them
_PREVIEW_SIDE = 512  # pixels


class PredictionSettings(NamedTuple):
    """How each image is computed; see `Generator.__call__`."""

    samples: int = 1
    fit: str = 'scale'
    tile: Optional[int] = None
    keep_size: bool = False  # after 'scale': the result is scaled to the size of its input
    page: bool = True  # whether index.html is written
    # From an image of mode RGB to the input of the network, and what to say about it (or None)
    input_of: Optional[Callable[[Image.Image], Tuple[Image.Image, Optional[str]]]] = None


class Predictions(NamedTuple):
    """The files that `predict_files` has written, and those that it could not."""

    written: int  # results
    failures: List[str]  # a line for each input without a result
    page: Optional[str]  # path of index.html, if it is written
    doubts: List[str]  # a line for each input whose pixels are hardly what they should be


def plan(
    inputs: Sequence[Tuple[str, str]], to: str, name: str = '{name}', samples: int = 1
) -> Dict[str, str]:
    """{path of an input: path of its result, without .png}.

    `inputs` are (path, path below the folder that was asked for). `name` is the name of a result,
    where {name} stands for the name of its input. An input keeps its extension there if its name
    would not be unique without.

    Raises:
        UsageError: `name` is invalid; two inputs would have the same result; or a file would
            replace an input or another program's file.
        DataError: a result has too long a name.
    """
    _check_name(name)
    results: Dict[str, str] = {}
    for (path, _), below in zip(
        inputs, image_names.without_extensions([below for _, below in inputs])
    ):
        folder, base = os.path.split(below)
        results[path] = os.path.join(to, folder, name.format(name=base))
    _check_apart(results, to, samples)
    for result in results.values():
        present = [file for file in _written(result, samples) if os.path.exists(file)]
        if present and not os.path.exists(_preview(to, result)):  # which is written before them
            raise UsageError(
                f'{present[0]} is not an earlier result: choose another folder with `to`, or a '
                '`name`'
            )
    image_names.check_names({p: os.path.basename(r) for p, r in results.items()}, '-999.png')
    return results


def _check_name(name):
    try:
        name.format(name='')
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UsageError(f'`name` is {name!r}: write {{name}} for the name of the input') from error
    if '{name}' not in name or '/' in name:
        raise UsageError(f'`name` is {name!r}: it must contain {{name}}, and no /')


def _check_apart(results, to, samples):
    """Checks that no result replaces an input or the result of another one."""
    owners = {}
    for path, result in results.items():
        for file in _written(result, samples):
            if file in owners and not os.path.samefile(owners[file], path):
                raise UsageError(
                    f'{owners[file]} and {path} would both become {file}: predict them into two '
                    'folders'
                )
            owners[file] = path
    inputs = {os.path.realpath(path) for path in results}
    for result in results.values():
        for file in (*_written(result, samples), _preview(to, result)):
            if os.path.realpath(file) in inputs:
                raise UsageError(
                    f'{file} is one of the inputs: choose another folder with `to`, or a `name` '
                    'such as {name}-output'
                )


def earlier_results(inputs: Sequence[Tuple[str, str]], to: str) -> Set[str]:
    """Those paths of `inputs` that an earlier run wrote to the folder `to`: results and previews.

    `inputs` are (path, path below the folder that was asked for).
    """
    to = os.path.realpath(to)
    previews = os.path.join(to, PREVIEWS, '')
    found = set()
    for path, _ in inputs:
        real = os.path.realpath(path)
        result, extension = os.path.splitext(real)
        first = re.sub('-[0-9]+$', '', result)  # of several samples
        if real.startswith(previews):
            below = os.path.relpath(result, previews)
            is_earlier = os.path.exists(os.path.join(to, below + '.png'))
        else:
            is_ours = real.startswith(os.path.join(to, '')) and extension == '.png'
            is_earlier = is_ours and any(
                map(os.path.exists, (_preview(to, result), _preview(to, first)))
            )
        if is_earlier:
            found.add(path)
    return found


def predict_files(
    generator: Generator,
    results: Dict[str, str],
    to: str,
    settings: PredictionSettings = PredictionSettings(),
) -> Predictions:
    """Writes {result}.png for every input of `results`, and index.html in the folder `to`.

    From the second sample on, the name of a result ends in -2, -3, ... If an input cannot be read,
    a line says so, and the others are still computed.

    Raises:
        UsageError: a setting is invalid, or another program's index.html is in `to`.
        Pix2PixError: a file cannot be written, or there is too little memory.
    """
    if settings.page:
        pages.check_ours(to, 'to')
    prepare_directory(to)
    rows, failures, doubts = [], [], []
    # One more than cores: it reads and writes while the others compute
    with concurrent.futures.ThreadPoolExecutor(machine.cores() + 1) as pool:
        computed = [
            pool.submit(_predict, generator, path, result, _preview(to, result), settings)
            for path, result in results.items()
        ]
        try:
            for path, future in tqdm(zip(results, computed), total=len(computed), disable=None):
                try:
                    size, doubt = future.result()
                except DataError as error:
                    failures.append(str(error))
                    print_line(str(error))
                else:
                    rows.append((path, size))
                    doubts += [doubt] if doubt else []
        finally:
            for future in computed:
                future.cancel()
    written, page = len(rows) * settings.samples, None
    if not settings.page:
        return Predictions(written, failures, page, doubts)
    shown = [
        pages.PredictionRow(
            os.path.relpath(results[path], to),
            os.path.relpath(_preview(to, results[path]), to),
            [os.path.relpath(file, to) for file in _written(results[path], settings.samples)],
            size,
        )
        for path, size in rows
    ]
    page = pages.write_predictions(to, f'{generator.checkpoint}, step {generator.step}', shown)
    return Predictions(written, failures, page, doubts)


def _preview(to, result):
    return os.path.join(to, PREVIEWS, os.path.relpath(result, to) + '.jpg')


def _written(result, samples):
    return [
        result + ('.png' if number == 1 else f'-{number}.png') for number in range(1, samples + 1)
    ]


def _predict(generator, path, result, preview, settings):
    """Writes the results of one input and its preview.

    Returns ((height, width) of the results, a line that doubts the input or None).
    """
    contents = read.read_file(path)
    pixels, channels = generator.read_input(contents, path), generator.config.channels
    doubt = read.doubt_of(contents, path) if generator.config.bits == 8 else None
    if settings.input_of:
        image, note = settings.input_of(Image.fromarray(pixels))
        pixels = np.asarray(image)
        doubt = doubt or (note and f'{path} {note}')
    outputs = _outputs(generator, pixels, settings)
    if settings.keep_size:
        outputs = [panels.resized(output, pixels.shape[1::-1]) for output in outputs]
    for file in (result, preview):
        try:
            os.makedirs(os.path.dirname(file), exist_ok=True)
        except OSError as error:
            raise unwritable(os.path.dirname(file), error) from error
    image = Image.fromarray(panels.as_rgb(panels.side_by_side(pixels, channels)))
    image.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
    encoded = io.BytesIO()
    image.save(encoded, 'JPEG', quality=90)
    write_whole(preview, encoded.getvalue())  # first: it marks the results as ours
    for output, file in zip(outputs, _written(result, settings.samples)):
        write_whole(file, generator.encode(output))
    return panels.side_by_side(outputs[0], channels).shape[:2], doubt


def _outputs(generator, pixels, settings):
    outputs = generator(pixels, samples=settings.samples, fit=settings.fit, tile=settings.tile)
    return outputs if settings.samples > 1 else outputs[None]
