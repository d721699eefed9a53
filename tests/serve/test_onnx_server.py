"""The server and the page of an ONNX file, where TensorFlow cannot be imported."""

import importlib.util
import io
import json
import os
import re
import sys

import numpy as np
import pytest
from PIL import Image
from support.clients import Server, png
from support.helpers import ROOT, run_process, start_process, wait_for, wait_until

from pix2pix_tf.serve import canvas, server
from pix2pix_tf.serve.hot_reload import CurrentGenerator

onnx = pytest.importorskip('pix2pix_tf.convert.onnx')  # the library is missing on Python 3.6

pytestmark = [
    pytest.mark.post_networks,
    pytest.mark.skipif(not importlib.util.find_spec('onnxruntime'), reason='no onnxruntime'),
]


@pytest.fixture(scope='module')
def model(source, tmp_path_factory):
    """The path of an ONNX file with the palette and the examples of its training."""
    path = str(tmp_path_factory.mktemp('shipped') / 'model.onnx')
    onnx.write(source, path, 'int8', True, canvas.prepare(source).embedded())
    return path


# Runs a command, and then prints the packages that it has imported
WITHOUT = """
import sys
sys.modules['tensorflow'] = None
from pix2pix_tf.cli import main
try:
    main.run(sys.argv[1], sys.argv[2:])
except SystemExit as end:
    assert end.code == 0
loaded = [module for module in list(sys.modules.values()) if module]
paths = [getattr(module, '__file__', None) or '' for module in loaded]
print(*{p.split('site-packages/')[1].split('/')[0] for p in paths if 'site-packages/' in p})
"""


def test_the_server_needs_only_the_packages_of_make_draw(model, tmp_path):
    browser = tmp_path / 'browser'
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened.new\n')
    with open(str(browser), 'a') as file:
        file.write(f'mv {tmp_path}/opened.new {tmp_path}/opened\n')
    browser.chmod(0o755)
    flags = ['serve', f'--model={model}', '--port=0', '--open', '--name=mine']
    process = start_process(
        *(sys.executable, '-c', WITHOUT, *flags),
        environment={'DISPLAY': ':0', 'BROWSER': f'{browser} %s'},
    )
    line = wait_for(process, ' at http://')
    assert line.startswith(f'serving {model}, step 2, at ')
    one = Server(process, int(re.search(r':(\d+)/', line).group(1)))
    first, again = (one.ask('/predict?seed=1', png()) for _ in range(2))
    assert (first.status, first.headers['X-Step']) == (200, '2') and first.body == again.body
    assert np.asarray(Image.open(io.BytesIO(first.body))).shape == (256, 256, 3)
    described = json.loads(one.ask('/model.json').body.decode())
    assert (described['name'], described['examples']) == ('mine', 5)
    assert one.ask('/examples/4.png').body[:4] == b'\x89PNG'
    opened = tmp_path / 'opened'
    wait_until(opened.exists, 'the browser')
    assert opened.read_text().strip() == line.split(' at ')[1].strip()
    process.terminate()
    printed, errors = process.communicate()
    assert (process.returncode, errors) == (0, '')
    with open(os.path.join(ROOT, 'requirements', 'draw.txt')) as file:
        names = set(re.findall('(?m)^[a-z-]+', file.read()))
    modules = {'pillow': 'PIL', 'absl-py': 'absl'}
    locked = {modules.get(name, name.replace('-', '_')) for name in names}
    imported = {
        name for name in printed.splitlines()[-1].split() if name[0] != '_'
    }  # not setuptools
    assert {'onnxruntime', 'waitress'} <= imported <= locked


def test_without_a_display_no_browser_is_opened(monkeypatch):
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(server.sys, 'platform', 'linux')
    assert not server._has_display()
    monkeypatch.setenv('WAYLAND_DISPLAY', 'wayland-0')
    assert server._has_display()


def test_a_file_of_another_step_is_loaded(source, tmp_path):
    path = str(tmp_path / 'model.onnx')
    onnx.write(source, path)
    current = CurrentGenerator(path)
    assert not current.refresh()
    onnx.write(source._replace(step=3), path)
    assert current.refresh() and current.generator.step == 3


PAGE = """
import sys
sys.modules['tensorflow'] = sys.modules['onnx'] = sys.modules['onnxruntime'] = None
from pix2pix_tf.inference.trained import find
from pix2pix_tf.serve import static_page
static_page.download = lambda backend: {name: b'x' for name in static_page._ORT_FILES[backend]}
static_page.write(find(sys.argv[1]), sys.argv[2], 'mine')
"""


def test_the_page_of_an_onnx_file_has_that_file(model, tmp_path):
    """It takes no package to write it: the file is copied."""
    result = run_process(sys.executable, '-c', PAGE, model, str(tmp_path / 'page'))
    assert (result.returncode, result.stderr) == (0, '')
    with open(model, 'rb') as file:
        assert (tmp_path / 'page' / 'model.onnx').read_bytes() == file.read()
    described = json.loads((tmp_path / 'page' / 'model.json').read_text())
    shapes = {'mask_8': [2, 2, 32], 'mask_7': [4, 4, 32], 'mask_6': [8, 8, 32]}
    assert described['onnx']['masks'] == shapes
    assert (described['examples'], described['step']) == (5, 2)
