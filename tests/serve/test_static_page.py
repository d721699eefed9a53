"""The page without its server, in Chromium from a static host."""

import json
import os
import shutil
import sys

import numpy as np
import pytest
from support.chromium import Files, browsing
from support.drawing_page import DOOR, READY, done, pixels
from support.helpers import error_line, run_command, serving

import pix2pix_tf
from pix2pix_tf.serve import static_page

pytestmark = pytest.mark.post_networks


class PlainHost(Files):
    """A static host that knows no other types than these."""

    extensions_map = {
        '': 'application/octet-stream',
        '.html': 'text/html',
        '.css': 'text/css',
        '.js': 'text/javascript',
    }


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 8), reason='the page is written by TensorFlow 2.x')
@pytest.mark.skipif(not shutil.which('npm'), reason='no npm')
def test_the_browser_computes_what_tensorflow_does(facades, tmp_path):
    to = str(tmp_path / 'page')
    impatient = {'npm_config_fetch_timeout': '60000', 'npm_config_fetch_retries': '1'}
    flags = [f'--model={facades}', f'--to={to}', '--name=facade']
    result = run_command('page', *flags, environment=impatient)
    if 'is the registry reachable' in result.stderr:
        pytest.skip(result.stderr)
    assert result.returncode == 0, result.stderr
    with open(os.path.join(to, 'model.json')) as file:
        model = json.load(file)
    assert model['onnx']['masks'].keys() == {'mask_6', 'mask_7', 'mask_8'}
    # The noise of the browser differs from that of TensorFlow
    model['onnx']['dropout'] = 0
    with open(os.path.join(to, 'model.json'), 'w') as file:
        json.dump(model, file)
    with serving(PlainHost) as server, browsing() as page:
        server.folder = to
        page.open(server.url + '/?wasm')
        page.wait(READY)
        assert page.run('model.onnx.webgpu') is False
        assert 'in your browser by' in page.run("document.querySelector('#model').textContent")
        page.run('document.querySelector(\'input[value="#00aaff"]\').click()')
        page.drag([page.place('#input', 0.2, 0.2), page.place('#input', 0.6, 0.6)])
        done(page)
        drawn, output = pixels(page, 'input'), pixels(page, 'output')
        page.run("document.querySelector('#sample').click()")
        done(page)
        assert page.errors == []
    assert tuple(drawn[80, 80]) == DOOR
    with pix2pix_tf.load(facades, dropout=0.0) as generator:
        expected = generator(drawn.astype(np.uint8), seed=1).astype(int)
    difference = np.abs(output - expected) / 127.5
    assert difference.max() < 0.02


def test_without_npm_the_error_is_one_line(trained, tmp_path):
    result = run_command(
        'page', f'--model={trained}', f'--to={tmp_path}/page', environment={'PATH': '/nowhere'}
    )
    assert 'cannot download onnxruntime-web@' in error_line(result, 1)
    assert not os.path.exists(str(tmp_path / 'page'))


@pytest.mark.skipif(sys.version_info < (3, 8), reason='the page is written by TensorFlow 2.x')
def test_the_files_of_webgpu_can_be_left_out_and_none_is_mjs(source, tmp_path, monkeypatch):
    monkeypatch.setattr(
        static_page,
        'download',
        lambda backend: dict.fromkeys(static_page._ORT_FILES[backend], b'x'),
    )
    wasm = {
        'ort.wasm.min.js',
        'ort-wasm-simd-threaded.js',
        'ort-wasm-simd-threaded.wasm',
    }
    for backend, more in (('auto', 3), ('wasm', 0)):
        static_page.write(source, str(tmp_path), 'x', backend=backend)
        names = set(os.listdir(str(tmp_path / 'ort')))
        assert names >= wasm and len(names) == 3 + more
        assert not any(name.endswith('.mjs') for name in names)
        model = json.loads((tmp_path / 'model.json').read_text())
        assert model['onnx']['webgpu'] == (backend == 'auto')
