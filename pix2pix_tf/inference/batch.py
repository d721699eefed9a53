"""Files of images through a trained generator, into a folder of results."""

import collections
import concurrent.futures
import io
import os
import re
import typing

import numpy as np
from PIL import Image
from tqdm import tqdm

from pix2pix_tf import images
from pix2pix_tf.evaluation import pages
from pix2pix_tf.inference.generator import Generator
from pix2pix_tf.system import files, machine
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import DataError, UsageError

PREVIEWS = 'previews'  # folder of the inputs as the page shows them
_PREVIEW_SIDE = 512  # pixels


class Settings(typing.NamedTuple):
    """How each image is computed; see `Generator.__call__`."""

    samples: int = 1
    fit: str = 'scale'
    tile: typing.Optional[int] = None
    keep_size: bool = False  # after 'scale': the result is scaled to the size of its input
    page: bool = True  # whether index.html is written


class Predictions(typing.NamedTuple):
    """What `predict_files` returns."""

    written: int  # results
    failures: typing.List[str]  # a line for each input that has none
    page: typing.Optional[str]  # path of index.html, if it is written


def plan(
    inputs: typing.Sequence[typing.Tuple[str, str]], to: str, name: str = '{name}', samples: int = 1
) -> typing.Dict[str, str]:
    """{path of an input: path of its result, without .png}.

    `inputs` comes from `reading.find_images`. `name` is the name of a result, where {name} stands
    for the name of its input. Extensions stay where names would be equal without them.

    Raises:
        UsageError: `name` cannot be used; two inputs would have the same result; or a file would
            replace an input or another file, or has too long a name.
    """
    try:
        name.format(name='')
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UsageError(f'`name` is {name!r}: write {{name}} for the name of the input') from error
    if '{name}' not in name or '/' in name:
        raise UsageError(f'`name` is {name!r}: it must have {{name}} in it, and no /')
    stems = collections.Counter(os.path.splitext(below)[0] for _, below in inputs)
    results: typing.Dict[str, str] = {}
    owners: typing.Dict[str, str] = {}
    for path, below in inputs:
        stem = os.path.splitext(below)[0]
        folder, base = os.path.split(stem if stems[stem] == 1 else below)
        result = os.path.join(to, folder, name.format(name=base))
        for file in _written(result, samples):
            if file in owners and not os.path.samefile(owners[file], path):
                raise UsageError(
                    f'{owners[file]} and {path} would both become {file}: predict them into two '
                    'folders'
                )
            owners[file] = path
        results[path] = result
    taken = {os.path.realpath(path) for path in results}
    for result in results.values():
        for file in (*_written(result, samples), _preview(to, result)):
            if os.path.realpath(file) in taken:
                raise UsageError(
                    f'{file} is one of the inputs: choose another folder with `to`, or a `name` '
                    'such as {name}-output'
                )
    for result in results.values():
        present = [file for file in _written(result, samples) if os.path.exists(file)]
        if present and not os.path.exists(_preview(to, result)):  # which is written before them
            raise UsageError(
                f'{present[0]} is no earlier result: choose another folder with `to`, or a `name`'
            )
    images.check_names({p: os.path.basename(r) for p, r in results.items()}, '-999.png')
    return results


def earlier_results(inputs: typing.Sequence[typing.Tuple[str, str]], to: str) -> typing.Set[str]:
    """The paths in `inputs` that an earlier run wrote to the folder `to`: results and previews."""
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
    results: typing.Dict[str, str],
    to: str,
    settings: Settings = Settings(),
) -> Predictions:
    """Writes {result}.png for every input of `results`, and index.html in the folder `to`.

    From the second sample on, the name of a result ends in -2, -3, ... An input that cannot be read
    is named in a line, and the others go on.

    Raises:
        UsageError: a setting cannot be used, or there is another page in `to`.
        Pix2PixError: a file cannot be written, or there is too little memory.
    """
    if settings.page:
        pages.check_ours(to, 'to')
    files.prepare_directory(to)
    rows, failures = [], []
    # One more than cores: it reads and writes while the others compute
    with concurrent.futures.ThreadPoolExecutor(machine.cores() + 1) as pool:
        jobs = [
            pool.submit(_predict, generator, path, result, _preview(to, result), settings)
            for path, result in results.items()
        ]
        try:
            for path, job in tqdm(zip(results, jobs), total=len(jobs), disable=None):
                try:
                    size = job.result()
                except DataError as error:
                    failures.append(str(error))
                    print_line(str(error))
                else:
                    rows.append((path, size))
        finally:
            for job in jobs:
                job.cancel()
    written, page = len(rows) * settings.samples, None
    if not settings.page:
        return Predictions(written, failures, page)
    shown = [
        pages.Prediction(
            os.path.relpath(results[path], to),
            os.path.relpath(_preview(to, results[path]), to),
            [os.path.relpath(file, to) for file in _written(results[path], settings.samples)],
            size,
        )
        for path, size in rows
    ]
    page = pages.write_predictions(to, f'{generator.checkpoint}, step {generator.step}', shown)
    return Predictions(written, failures, page)


def _preview(to, result):
    return os.path.join(to, PREVIEWS, os.path.relpath(result, to) + '.jpg')


def _written(result, samples):
    return [
        result + ('.png' if number == 1 else f'-{number}.png') for number in range(1, samples + 1)
    ]


def _predict(generator, path, result, preview, settings):
    """Writes the results of one input and its preview; returns their (height, width)."""
    image = generator.read(files.read(path), path)
    outputs = _outputs(generator, np.asarray(image), settings)
    if settings.keep_size:
        outputs = [
            np.asarray(Image.fromarray(output).resize(image.size, Image.BICUBIC))
            for output in outputs
        ]
    for file in (result, preview):
        try:
            os.makedirs(os.path.dirname(file), exist_ok=True)
        except OSError as error:
            raise files.unwritable(os.path.dirname(file), error) from error
    image.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
    encoded = io.BytesIO()
    image.save(encoded, 'JPEG', quality=90)
    files.write_whole(preview, encoded.getvalue())  # first: it shows that the results are ours
    for output, file in zip(outputs, _written(result, settings.samples)):
        files.write_whole(file, generator.encode(output))
    return outputs[0].shape[:2]


def _outputs(generator, pixels, settings):
    outputs = generator(pixels, samples=settings.samples, fit=settings.fit, tile=settings.tile)
    return outputs if settings.samples > 1 else outputs[None]
