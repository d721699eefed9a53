"""Lets a process outside the fork server build the networks of tests/support/shallow.py.

Python imports this module when it starts, if its folder is in PYTHONPATH. TensorFlow is loaded
only when the command loads it.
"""

import importlib.abc
import importlib.util
import os
import sys


class Finder(importlib.abc.MetaPathFinder):
    """Finds `pix2pix_tf.model` as Python does, and changes it once it is loaded."""

    def find_spec(self, name, path, target=None):
        if name != 'pix2pix_tf.model':
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def load_and_change(module):
            load(module)
            sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
            from support import shallow

            shallow.use()

        spec.loader.exec_module = load_and_change
        return spec


sys.meta_path.insert(0, Finder())
