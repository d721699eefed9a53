"""Fixed validation pictures, looked at while a model trains."""

import os
import re

import numpy as np
import tensorflow.compat.v1 as tf

from pix2pix_tf import dataset, diagnosis, images
from pix2pix_tf.evaluation import metrics, pages
from pix2pix_tf.system import files
from pix2pix_tf.model import build_generator
from pix2pix_tf.monitoring.progress import Attempts
from pix2pix_tf.monitoring.losses import VALIDATION

DIRECTORY = 'development'
DISPLAYED = 4  # pictures of the page; a column of it takes about half a megabyte

_SEED = 0  # of the noise, the same at every look, so that only the weights make a difference


class Validation:
    """The first pictures of a validation folder, through the generator that is being trained.

    Built into the default graph, behind the model, whose variables it shares.

    Raises:
        DataError: the folder or one of its files can't be used; the message names it.
    """

    def __init__(self, data_dir, out_dir, config, skip_bad_files=False):
        found = dataset.find_images(data_dir, '--val_data')[: config.eval_pictures]
        self.paths = dataset.check_images(found, skip_bad_files)
        self.out_dir, self.size = out_dir, config.crop_size
        self.names = images.output_names(self.paths)
        self.path = tf.placeholder(tf.string, [])
        inputs, targets = (
            image[None] for image in dataset.decode_pair(tf.read_file(self.path), None, config)
        )
        seeds = dataset.image_seeds(self.path[None], _SEED)
        outputs = build_generator(inputs, config, seeds)
        self.pixels = {
            kind: images.deprocess_image(picture)[0]
            for kind, picture in zip(images.KINDS, (inputs, outputs, targets))
        }
        self.pngs = {kind: tf.image.encode_png(pixels) for kind, pixels in self.pixels.items()}
        self.steps = []  # what there are pictures of
        self.attempts = Attempts()

    def evaluate(self, session, stop):
        """{column of losses.csv: float}, the means of all pictures; {} once `stop` is set.

        {} as well where a picture can't be decoded, which it says.
        """
        figures = []

        def compare_all():
            for path in self.paths:
                if stop.is_set():
                    return
                pixels = self._run(session, self.pixels, path)
                figures.append(metrics.compare(pixels['outputs'], pixels['targets']))

        self.attempts(compare_all)
        if len(figures) < len(self.paths):
            return {}
        return {
            column: float(np.mean([of_picture[name] for of_picture in figures]))
            for column, name in VALIDATION.items()
        }

    def display(self, session, step):
        """Adds a column to development.html; where it can't be written, only says so."""
        self.attempts(lambda: self._display(session, step))

    def _run(self, session, fetches, path):
        try:
            return session.run(fetches, {self.path: path})
        except tf.errors.OpError as error:
            raise (diagnosis.explain(error, [path]) or error) from error

    def _display(self, session, step):
        shown = self.paths[:DISPLAYED]
        directory = os.path.join(self.out_dir, DIRECTORY)
        files.prepare_directory(directory)
        for path in shown:
            pngs = self._run(session, self.pngs, path)
            for kind, png in pngs.items():
                file = images.filename(self.names[path], step if kind == 'outputs' else kind)
                files.write_whole(os.path.join(directory, file), png)
        self.steps = sorted({*self.steps, step})
        names = [self.names[path] for path in shown]
        pages.write_development(self.out_dir, DIRECTORY, names, self.steps, self.size)

    def forget_after(self, step):
        """Removes the pictures of steps behind `step`: a run that goes on there gave them up."""
        directory = os.path.join(self.out_dir, DIRECTORY)
        there = set(os.listdir(directory)) if os.path.isdir(directory) else set()
        steps = set()
        for name in there:
            match = re.search(r'-([0-9]+)\.png$', name)
            if match and int(match.group(1)) > step:
                os.remove(os.path.join(directory, name))
            elif match:
                steps.add(int(match.group(1)))
        shown = [self.names[path] for path in self.paths[:DISPLAYED]]
        self.steps = sorted(
            s for s in steps if there.issuperset(images.filename(name, s) for name in shown)
        )
