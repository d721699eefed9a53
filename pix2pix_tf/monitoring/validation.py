"""Fixed validation images, evaluated and displayed while a model trains."""

import os
import re
import threading
import typing

import numpy as np
import tensorflow.compat.v1 as tf

from pix2pix_tf import dataset, diagnosis, images
from pix2pix_tf.config import Config
from pix2pix_tf.evaluation import pages
from pix2pix_tf.evaluation.image_metrics import Compare
from pix2pix_tf.inference import noise
from pix2pix_tf.model import build_generator
from pix2pix_tf.monitoring.csv_log import EVALUATED
from pix2pix_tf.system import files

DIRECTORY = 'development'
IMAGES_ON_PAGE = 4  # a column of development.html takes about half a megabyte

_SEED = 0  # of the noise: always the same, so that only the weights make a difference


class Validation:
    """The images at `paths`, through the generator that is being trained.

    Built into the default graph after the model, whose variables it shares. Writes to the folder
    `out`, which may hold images of a run that ended at `first_step` or later. `compare` is that of
    `image_metrics.opened`.
    """

    def __init__(
        self,
        paths: typing.Sequence[str],
        out: str,
        config: Config,
        first_step: int,
        compare: Compare,
    ) -> None:
        self.paths, self.first_step, self.compare = paths, first_step, compare
        self.size = images.page_size(config)
        self.out, self.directory = out, os.path.join(out, DIRECTORY)
        names = images.output_names(paths)
        self.names = [names[path] for path in paths]
        self.path = tf.placeholder(tf.string, [])
        inputs, targets = (
            image[None] for image in dataset.decode_pair(tf.read_file(self.path), None, config)
        )
        seeds = noise.image_seeds(inputs, _SEED)
        outputs = build_generator(inputs, config, seeds)
        pixels = {
            kind: images.deprocess_image(image, config)
            for kind, image in zip(images.KINDS, (inputs, outputs, targets))
        }
        self.pixels = {kind: image[0] for kind, image in pixels.items()}
        self.pngs = {kind: images.encode_pngs(image, config)[0] for kind, image in pixels.items()}
        self.steps: typing.List[int] = []  # of the images on disk
        self.evaluating, self.displaying = files.OptionalWrites(), files.OptionalWrites()

    def begin(self) -> None:
        """Removes the images of steps after `first_step`: they belong to an abandoned run."""
        names = set(self.names)
        present: typing.Set[str] = set()
        steps: typing.Set[int] = set()
        with self.displaying:
            try:
                present.update(os.listdir(self.directory) if os.path.isdir(self.directory) else ())
                for name in present:
                    match = re.fullmatch(r'(.*)-([0-9]+)\.png', name, re.DOTALL)
                    if not match or match.group(1) not in names:
                        continue  # a file of another program
                    step = int(match.group(2))
                    if step > self.first_step:
                        os.remove(os.path.join(self.directory, name))
                    else:
                        steps.add(step)
            except OSError as error:
                raise files.unwritable(self.directory, error) from error
        shown = self.names[:IMAGES_ON_PAGE]
        self.steps = sorted(
            step
            for step in steps
            if present.issuperset(images.filename(name, str(step)) for name in shown)
        )

    def evaluate(self, session: tf.Session, stop: threading.Event) -> typing.Dict[str, float]:
        """{column of losses.csv: value}, the mean metrics of all images.

        {} if `stop` is set before the last image, or an image cannot be decoded; that is printed.
        """
        rows = []
        with self.evaluating:
            for path in self.paths:
                if stop.is_set():
                    return {}
                pixels = self._run(session, self.pixels, path)
                rows.append(self.compare(pixels['outputs'], pixels['targets']))
        if len(rows) < len(self.paths):
            return {}
        return {
            column: float(np.mean([row[name] for row in rows]))
            for column, name in EVALUATED.items()
            if name in rows[0]
        }

    def display(self, session: tf.Session, step: int) -> None:
        """Adds a column to development.html; a failure is printed once, and training continues.

        The page reloads itself until `end`.
        """
        with self.displaying:
            files.prepare_directory(self.directory)
            for path, name in zip(self.paths[:IMAGES_ON_PAGE], self.names):
                pngs = self._run(session, self.pngs, path)
                for kind, png in pngs.items():
                    file = images.filename(name, str(step) if kind == 'outputs' else kind)
                    files.write_whole(os.path.join(self.directory, file), png)
            self.steps = sorted({*self.steps, step})
            self._write_page(running=True)

    def end(self) -> None:
        """Writes development.html as a page that no longer reloads itself."""
        with self.displaying:
            if self.steps:
                self._write_page(running=False)

    def _write_page(self, running):
        names = self.names[:IMAGES_ON_PAGE]
        pages.write_development(self.out, DIRECTORY, names, self.steps, self.size, running)

    def _run(self, session, fetches, path):
        try:
            return session.run(fetches, {self.path: os.fsencode(path)})
        except tf.errors.OpError as error:
            diagnosis.raise_explained(error, [path])
