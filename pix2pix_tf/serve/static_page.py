"""The page without a server: a folder for any static host, with the model as an ONNX file."""

import base64
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from typing import Dict, Optional

from pix2pix_tf.inference import masks, onnx_file
from pix2pix_tf.inference.trained import Trained
from pix2pix_tf.serve import canvas
from pix2pix_tf.system import files
from pix2pix_tf.system.errors import Pix2PixError, UsageError

MODEL = 'model.onnx'

# What runs the model in a browser, from npm
ORT = 'onnxruntime-web@1.30.0'
_ORT_SHA512 = (
    'q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=='
)
_MARK = '<title>pix2pix</title>'  # in index.html
_PAGE_FILES = ('index.html', 'draw.js', 'style.css', 'onnx.js')
_ORT_WASM = (
    'ort.wasm.min.js',
    'ort-wasm-simd-threaded.mjs',
    'ort-wasm-simd-threaded.wasm',
)
_ORT_WEBGPU = (
    'ort.webgpu.min.js',
    'ort-wasm-simd-threaded.asyncify.mjs',
    'ort-wasm-simd-threaded.asyncify.wasm',
)
_ORT_FILES = {'auto': _ORT_WASM + _ORT_WEBGPU, 'wasm': _ORT_WASM}  # by `backend`


def write(
    source: Trained,
    to: str,
    name: str,
    weights: str = 'int8',
    data: Optional[str] = None,
    backend: str = 'auto',
) -> None:
    """Writes the page for the generator of `source` to the folder `to`; index.html is the page.

    `name` is shown on it. `weights` is the type of the stored filters: float32, float16 or int8;
    those of an ONNX file stay as they are.
    `data` is the folder of training images for the palette, by default that of the training.
    `backend` is what runs the model: wasm, or auto, which is WebGPU where the browser has it. The
    files for WebGPU are larger than some hosts and browsers allow.

    Raises:
        UsageError: `to` has another page, or another file of the same name; or the model takes
            inputs that the page cannot draw.
        CheckpointError: the checkpoint is damaged, or does not fit.
        Pix2PixError: there is no npm, or a file cannot be written.
    """
    if not source.config.is_rgb_pair:
        raise UsageError(
            f'the page draws only one RGB image of 8 bits, and {source.model} takes other inputs: '
            'serve it, and send files to /predict'
        )
    _check_free(to)
    drawing = canvas.prepare(source, data)
    runtime = download(backend)
    files.prepare_directory(to)
    for folder in ('ort', 'examples'):
        files.prepare_directory(os.path.join(to, folder))
    contents, has_masks = _model(source, weights)
    model = {
        'file': MODEL,
        'dropout': source.config.dropout,
        'masks': masks.shapes(source.config.crop_size, source.config.ngf) if has_masks else {},
        'webgpu': backend == 'auto',
    }
    noise = source.config.dropout > 0
    description = dict(drawing.describe(source.step), name=name, noise=noise, onnx=model)
    # index.html first: it marks the folder as a page of this package
    written = {name: files.read(os.path.join(canvas.PAGE, name)) for name in _PAGE_FILES}
    written[MODEL] = contents
    written['model.json'] = json.dumps(description).encode()
    # Some hosts send .mjs with a type that browsers refuse to run
    scripts = {name.replace('.mjs', '.js'): contents for name, contents in runtime.items()}
    written.update((os.path.join('ort', name), contents) for name, contents in scripts.items())
    for number, example in enumerate(drawing.examples):
        written[os.path.join('examples', f'{number}.png')] = example
    for path, contents in written.items():
        files.write_whole(os.path.join(to, path), contents)
    for name in _ORT_FILES['auto']:  # of an earlier page
        for path in {name, name.replace('.mjs', '.js')} - set(scripts):
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(to, 'ort', path))


def _model(source, weights):
    """(the bytes of the ONNX file, whether the noise is an input): an ONNX file is only copied."""
    if source.is_onnx:
        path = source.checkpoint
        return onnx_file.contents(path), onnx_file.read(path).has_masks
    from pix2pix_tf.convert import onnx  # it needs TensorFlow, and the library

    return onnx.build(source, weights, masks=True).SerializeToString(), True


def _check_free(to):
    """Checks that `to` has no files of other programs that the page would replace."""
    index = os.path.join(to, 'index.html')
    if os.path.exists(index):
        files.check_ours(index, _MARK)
        return
    for name in (*_PAGE_FILES, MODEL, 'model.json', 'ort', 'examples'):
        path = os.path.join(to, name)
        if os.path.lexists(path):
            raise UsageError(
                f'{path} is not part of an earlier page: choose another folder with `to`'
            )


def download(backend: str = 'auto') -> Dict[str, bytes]:
    """{name: contents} of the files of onnxruntime-web that the page needs for `backend`.

    Raises:
        Pix2PixError: npm is missing or fails, or the package has another checksum.
    """
    npm = shutil.which('npm')
    if not npm:
        raise Pix2PixError(f'cannot download {ORT} without npm: install Node.js')
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run(
            [npm, 'pack', ORT, '--silent', '--pack-destination', folder],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
        )
        packed = os.listdir(folder)
        if result.returncode or len(packed) != 1:
            words = ' '.join(result.stdout.split())[-200:] or f'exit status {result.returncode}'
            raise Pix2PixError(f'npm cannot download {ORT} ({words}): is the registry reachable?')
        path = os.path.join(folder, packed[0])
        digest = base64.b64encode(hashlib.sha512(files.read(path)).digest()).decode()
        if digest != _ORT_SHA512:
            raise Pix2PixError(f'npm returned another {ORT}: its checksum is {digest}')
        with tarfile.open(path) as archive:
            return {name: _member(archive, name) for name in _ORT_FILES[backend]}


def _member(archive, name):
    member = archive.extractfile(f'package/dist/{name}')
    return member.read()
