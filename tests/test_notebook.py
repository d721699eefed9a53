"""docs/colab.ipynb runs from its first cell to the last, against this checkout."""

import base64
import io
import os
import sys

import numpy as np
import pytest
from PIL import Image
from support.helpers import ROOT

from pix2pix_tf import checkpoints

if sys.version_info < (3, 8):
    pytest.skip('Colab has a newer Python', allow_module_level=True)

import nbclient  # noqa: E402
import nbformat  # noqa: E402

STEPS = 2
# The commands of the notebook have the networks of tests/support/shallow.py
SHALLOW = os.path.join(ROOT, 'tests', 'support', 'shallow_processes')


def pictures(notebook):
    """The images that the cells show, [height, width, 3] each."""
    shown = []
    for output in (output for cell in notebook.cells for output in cell.get('outputs', ())):
        png = output.get('data', {}).get('image/png')
        if png:
            shown.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert('RGB')))
    return shown


@pytest.mark.slow
def test_the_notebook_draws_trains_and_trains_on_photos(tmp_path, monkeypatch):
    monkeypatch.setenv('STEPS', str(STEPS))
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join([SHALLOW, ROOT]), prepend=os.pathsep)
    notebook = nbformat.read(os.path.join(ROOT, 'docs', 'colab.ipynb'), as_version=4)
    resources = {'metadata': {'path': str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
    drawn, demo, mine = pictures(notebook)
    assert drawn.shape == (256, 512, 3) and demo.shape == mine.shape == (256, 768, 3)
    assert len(np.unique(drawn[:, 256:].reshape(-1, 3), axis=0)) > 1000  # a photo, not labels
    for name in ('demo', 'mine'):
        assert checkpoints.step_of(checkpoints.latest(str(tmp_path / 'out' / name))) == STEPS
