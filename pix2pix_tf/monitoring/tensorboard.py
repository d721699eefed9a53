"""For TensorBoard: summaries as parts of the graph, and event files that survive a full disk."""

import os
import re
import socket
import time

import tensorflow.compat.v1 as tf
from tensorflow.python.summary.writer.writer import SummaryToEventTransformer

from pix2pix_tf import images
from pix2pix_tf.config import Config
from pix2pix_tf.model import Model
from pix2pix_tf.system import compat
from pix2pix_tf.system.errors import Pix2PixError
from pix2pix_tf.system.files import OptionalWrites


def build_images(
    inputs: tf.Tensor, targets: tf.Tensor, model: Model, config: Config = Config()
) -> tf.Tensor:
    """A summary of the first pair of a batch: its images and the discriminator's answers.

    One image has input | output | target side by side, each with all of its panels. Two more show
    the discriminator's answer to each patch of the real and of the generated image; white means
    "real". Returns a string scalar.
    """
    shown = [inputs[:1], model.outputs[:1], targets[:1]]
    side_by_side = tf.concat([images.side_by_side(image, config) for image in shown], axis=2)
    # As uint8, because TensorBoard stretches images of floats to their own minimum and maximum
    summaries = {
        'input_output_target': images.deprocess_image(side_by_side),
        'predict_real': tf.image.convert_image_dtype(model.predict_real[:1], tf.uint8),
        'predict_fake': tf.image.convert_image_dtype(model.predict_fake[:1], tf.uint8),
    }
    return tf.summary.merge(
        [tf.summary.image(name, image, max_outputs=1) for name, image in summaries.items()]
    )


def build_histograms(model: Model) -> tf.Tensor:
    """A summary of all weights after the step's update, and of the gradients that led to it.

    Returns a string scalar.
    """
    with tf.control_dependencies([model.train_op]):
        weights = {var.op.name: var.read_value() for var in tf.trainable_variables()}
    values = [tf.summary.histogram(f'weights/{name}', value) for name, value in weights.items()]
    values += [
        tf.summary.histogram(f'gradients/{name}', value) for name, value in model.gradients.items()
    ]
    return tf.summary.merge(values)


class EventWriter(SummaryToEventTransformer):
    """A summary writer for a Supervisor that writes in the folder `directory`.

    The writer thread of TensorFlow's own dies on the first failed write. This one writes
    immediately. After a failure it drops the event and starts a new file, so that no truncated
    record comes before a complete one.
    """

    def __init__(self, directory: str) -> None:
        # The base class turns summaries, graphs and session logs into events, and passes them to
        # the `add_event` of the writer it is given: this object itself.
        super().__init__(self)
        self.directory = directory
        self.writes = OptionalWrites()
        self.file = self.path = None

    def get_logdir(self) -> str:
        """The folder of the event files."""
        return self.directory

    def add_event(self, event: tf.Event) -> None:
        """Writes an Event; a failure is printed once and does not stop the training."""
        with self.writes:
            self._write(event)

    def _write(self, event):
        try:
            if self.file is None or not os.path.exists(self.path):
                self.path = self._new_path()
                self.file = tf.python_io.TFRecordWriter(self.path)
                first = tf.Event(wall_time=time.time(), file_version='brain.Event:2')
                self.file.write(first.SerializeToString())
            self.file.write(event.SerializeToString())
            self.file.flush()
        except (tf.errors.OpError, OSError) as error:
            self.file = None
            if self.path and os.path.exists(self.path) and not os.path.getsize(self.path):
                os.remove(self.path)
            raise Pix2PixError(
                f'cannot write for TensorBoard in {self.directory}: {compat.one_line(error)}'
            ) from error

    def _new_path(self):
        """A path that sorts after the event files there are, even if the clock was set back.

        TensorBoard reads them in the order of their names.
        """
        names = os.listdir(self.directory)
        found = (re.match(r'events\.out\.tfevents\.([0-9]+(\.[0-9]+)?)', name) for name in names)
        times = [float(match.group(1)) + 1 for match in found if match]
        name = f'events.out.tfevents.{max([time.time(), *times]):.6f}.{socket.gethostname()}'
        return os.path.join(self.directory, name)

    def reopen(self) -> None:
        """Required by Supervisor; nothing to do."""

    def flush(self) -> None:
        """Required by Supervisor; nothing to do."""

    def close(self) -> None:
        """Closes the file."""
        self.file = None
