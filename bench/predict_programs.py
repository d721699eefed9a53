"""The measured programs that run a trained generator: on files, by HTTP, and in onnxruntime."""

import concurrent.futures
import contextlib
import io
import os
import tempfile
import threading
import urllib.request

from sessions import SIZE, load_ours, noise, running, time_of

GENERATED = 8  # images per round
CLIENTS = 4  # of the server


@contextlib.contextmanager
def a_model():
    """The folder of a checkpoint of the generator with the default options."""
    tf = load_ours()
    from pix2pix_tf.model import build_generator

    with tempfile.TemporaryDirectory() as out:
        with tf.Graph().as_default():
            build_generator(tf.zeros([1, SIZE, SIZE, 3]))
            with running(tf) as session:
                tf.train.Saver().save(session, os.path.join(out, 'model'), write_meta_graph=False)
        yield out


@contextlib.contextmanager
def predict(data_dir):
    """`predict_files` on the files of a folder: seconds per image."""
    with a_model() as out:
        from pix2pix_tf import load
        from pix2pix_tf.inference import files
        from pix2pix_tf.pairs import find

        inputs, _ = find.walk_images([data_dir], out)
        plan = files.plan(inputs, out)
        with load(out) as generator:
            yield (lambda: time_of(lambda: files.predict_files(generator, plan, out)) / len(plan))


@contextlib.contextmanager
def generator_onnx():
    """The generator in onnxruntime, one image at a time: seconds per image."""
    with a_model() as out:
        import onnxruntime

        from pix2pix_tf.convert import onnx
        from pix2pix_tf.inference import trained

        path = os.path.join(out, 'model.onnx')
        onnx.write(trained.find(out), path)
        session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    image = {'input': noise()}
    yield lambda: time_of(lambda: [session.run(None, image) for _ in range(GENERATED)]) / GENERATED


@contextlib.contextmanager
def serve():
    """`pix2pix-serve` with several clients: seconds per answer to POST /predict."""
    with a_model() as out:
        from PIL import Image

        from pix2pix_tf.inference import trained
        from pix2pix_tf.serve import canvas
        from pix2pix_tf.serve.access import Access
        from pix2pix_tf.serve.app import Application
        from pix2pix_tf.serve.hot_reload import CurrentGenerator
        from pix2pix_tf.serve.image_request import Limits
        from pix2pix_tf.serve.job_queue import JobQueue
        from pix2pix_tf.serve.server import Server
        from pix2pix_tf.system import machine

        limits, workers = Limits(), machine.cores() + 1
        jobs, drawn = JobQueue(workers, limits.queue, 60), canvas.prepare(trained.find(out))
        wsgi = Application('m', CurrentGenerator(out), drawn, jobs, limits, Access())
    listening = Server(wsgi, '127.0.0.1', 0, workers, limits)
    stop = threading.Event()
    thread = threading.Thread(target=listening.run, args=(stop,))
    thread.start()
    png = io.BytesIO()
    Image.fromarray(((noise()[0] + 1) * 127.5).astype('uint8')).save(png, 'PNG')
    address = f'http://127.0.0.1:{listening.port}/predict'

    def ask(_):
        with urllib.request.urlopen(address, png.getvalue()) as answer:
            answer.read()

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
        yield lambda: time_of(lambda: list(clients.map(ask, range(GENERATED)))) / GENERATED
    stop.set()
    thread.join()
