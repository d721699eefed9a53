import os
from dataclasses import replace

import pytest
from support.helpers import NARROW

from pix2pix_tf import training
from pix2pix_tf.pairs import draw


@pytest.fixture(scope='module')
def facades(tmp_path_factory, graph_mode):
    """A narrow model, trained a little to make facades of labels; or that of TEST_MODEL."""
    if 'TEST_MODEL' in os.environ:
        return os.environ['TEST_MODEL']
    folder = tmp_path_factory.mktemp('facades')
    for name, count in (('train', 8), ('val', 3)):
        draw.write_pairs(str(folder / name), count, seed=1)
    config = replace(NARROW, max_steps=30, dropout=0.01, progress_freq=0)
    training.train(str(folder / 'train'), str(folder / 'out'), config)
    return str(folder / 'out')
