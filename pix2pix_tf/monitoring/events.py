"""TensorBoard's event files, written so that a full disk costs the training nothing."""

import os
import socket
import time

import tensorflow.compat.v1 as tf
from tensorflow.python.summary.writer.writer import SummaryToEventTransformer

from pix2pix_tf.system import runtime
from pix2pix_tf.system.errors import Pix2PixError
from pix2pix_tf.monitoring.progress import Attempts


class EventWriter(SummaryToEventTransformer):
    """A summary writer for a Supervisor that writes in `directory`.

    TensorFlow's own writes in a thread, which ends for good, and with a traceback, over the first
    event that finds no room. This one writes at once; an event that can't be written is given up,
    and the next one goes to a new file, behind whose beginning no half event hides.
    """

    def __init__(self, directory):
        super().__init__(self)
        self.directory = directory
        self.attempts = Attempts()
        self.file = self.path = None

    def get_logdir(self):
        return self.directory

    def add_event(self, event):
        """Writes an Event, and a new file's first where there is none to go on with."""
        self.attempts(lambda: self._write(event))

    def _write(self, event):
        try:
            if self.file is None:
                # Sorted by name, files are read in the order of their beginnings
                name = f'events.out.tfevents.{time.time():.6f}.{socket.gethostname()}'
                self.path = os.path.join(self.directory, name)
                self.file = tf.python_io.TFRecordWriter(self.path)
                first = tf.Event(wall_time=time.time(), file_version='brain.Event:2')
                self.file.write(first.SerializeToString())
            self.file.write(event.SerializeToString())
            self.file.flush()
        except (tf.errors.OpError, OSError) as error:
            self.file = None
            if os.path.exists(self.path) and not os.path.getsize(self.path):
                os.remove(self.path)
            raise Pix2PixError(
                f'can not write for TensorBoard in {self.directory}: {runtime.reason(error)}'
            ) from error

    def reopen(self):
        """What a Supervisor asks for before it goes on; every event opens its file by itself."""

    def flush(self):
        """Nothing waits to be written."""

    def close(self):
        """Ends the file."""
        self.file = None
