"""What is measured, each in a process of its own: `python bench/workers.py KIND [ARGUMENT ...]`.

A worker gets ready and says so. Then it does its work once for every line it reads, and prints how
many seconds that took, or took for each image. At the end of its input it prints the most memory it
has held, in MiB.
"""

import contextlib
import os
import sys
import tempfile
import time

import numpy as np

GENERATED = 10  # images of a round, by the generator alone
READ = 200  # of the pipeline
EXPORTED = 20  # by the post's loop
QUEUED = 40  # images, more than any queue holds
SIZE = 256


def pictures(batch=1):
    """A batch of noise in [-1, 1]: what is in a picture makes no difference to the time."""
    rng = np.random.RandomState(0)
    return np.tanh(rng.randn(batch, SIZE, SIZE, 3)).astype(np.float32)


def load_ours():
    """TensorFlow as the package's commands load it, and what a session of theirs is set to."""
    from pix2pix_tf.system import malloc

    malloc.keep()
    import tensorflow.compat.v1 as tf

    from pix2pix_tf.system import runtime

    runtime.use_graph_mode()
    return tf


def load_plain():
    """TensorFlow as the post's script loads it."""
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    tf.logging.set_verbosity(tf.logging.ERROR)
    return tf


@contextlib.contextmanager
def running(tf):
    """A session with the variables and the queues of the graph so far."""
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        coordinator = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(session, coordinator)
        yield session
        coordinator.request_stop()
        coordinator.join(threads, stop_grace_period_secs=20)


@contextlib.contextmanager
def step_ours():
    """The package's train step on constant inputs."""
    tf = load_ours()
    from pix2pix_tf.model import build_model

    op = build_model(tf.constant(pictures()), tf.constant(pictures())).train_op
    with running(tf) as session:
        yield lambda: time_of(lambda: session.run(op))


@contextlib.contextmanager
def step_queue(data_dir):
    """The package's train step as its training runs it: fed by the queue, its numbers fetched."""
    tf = load_ours()
    from pix2pix_tf import dataset, training
    from pix2pix_tf.config import Config
    from pix2pix_tf.model import build_model

    batches = dataset.load_data(data_dir, Config())
    model = build_model(batches.inputs, batches.targets)
    fetches = training.step_fetches(batches, model)
    with running(tf) as session:
        yield lambda: time_of(lambda: session.run(fetches))


@contextlib.contextmanager
def step_post():
    """The post's train step on constant inputs."""
    tf = load_plain()
    import reference

    op = reference.train_op(tf.constant(pictures()), tf.constant(pictures()))
    with running(tf) as session:
        yield lambda: time_of(lambda: session.run(op))


@contextlib.contextmanager
def step_torch():
    """The usual PyTorch networks of these shapes."""
    import torch_reference

    step = torch_reference.train_step(pictures())
    yield lambda: time_of(step)


def read(session, fetches):
    """Seconds that an image takes, after those that had been waiting."""
    for _ in range(QUEUED):
        session.run(fetches)
    return time_of(lambda: [session.run(fetches) for _ in range(READ)]) / READ


@contextlib.contextmanager
def pipeline_ours(data_dir, threads):
    """The package's input pipeline alone."""
    tf = load_ours()
    from pix2pix_tf import dataset
    from pix2pix_tf.config import Config

    batches = dataset.load_data(data_dir, Config(num_threads=int(threads)))
    fetches = [batches.paths, batches.inputs.op, batches.targets.op]
    with running(tf) as session:
        yield lambda: read(session, fetches)


@contextlib.contextmanager
def pipeline_post(data_dir, threads):
    """The post's input pipeline alone."""
    tf = load_plain()
    import reference

    paths, inputs, targets = reference.load_data(data_dir, int(threads))
    fetches = [paths, inputs.op, targets.op]
    with running(tf) as session:
        yield lambda: read(session, fetches)


@contextlib.contextmanager
def generator():
    """The package's generator alone, on one constant image at a time: seconds an image."""
    tf = load_ours()
    from pix2pix_tf.model import build_generator

    op = build_generator(tf.constant(pictures())).op
    with running(tf) as session:
        yield lambda: time_of(lambda: [session.run(op) for _ in range(GENERATED)]) / GENERATED


def time_of(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextlib.contextmanager
def export_ours(data_dir):
    """The package's export loop, metrics included: seconds an image, without those of the start."""
    tf = load_ours()
    from pix2pix_tf import dataset, exporting, images
    from pix2pix_tf.evaluation import metrics
    from pix2pix_tf.config import Config
    from pix2pix_tf.model import build_generator

    paths = dataset.find_images(data_dir)
    names = images.output_names(paths)
    config = Config(batch_size=exporting.BATCH_SIZE)
    with tempfile.TemporaryDirectory() as out:
        with tf.Graph().as_default():
            build_generator(tf.zeros([1, SIZE, SIZE, 3]))
            with running(tf) as session:
                checkpoint = tf.train.Saver().save(session, os.path.join(out, 'model'))

        def export():
            first = None
            for results in exporting.run(data_dir, paths, checkpoint, config):
                images.save_images(results, names, out)
                for pair in zip(results['outputs_pixels'], results['targets_pixels']):
                    metrics.compare(*pair)
                first = first or (time.perf_counter(), len(results['paths']))
            return (time.perf_counter() - first[0]) / (len(paths) - first[1])

        yield export


@contextlib.contextmanager
def export_post(data_dir):
    """The post's evaluation loop, one pair after the other: seconds an image."""
    tf = load_plain()
    import reference

    paths, inputs, targets = reference.load_data(data_dir)
    with tf.variable_scope('generator'):
        outputs = reference.generator(inputs)
    fetches = {'paths': paths}
    for kind, images in (('inputs', inputs), ('outputs', outputs), ('targets', targets)):
        pixels = tf.image.convert_image_dtype((images + 1) / 2, tf.uint8, saturate=True)
        fetches[kind] = tf.map_fn(tf.image.encode_png, pixels, dtype=tf.string)
    with running(tf) as session, tempfile.TemporaryDirectory() as out:

        def export():
            for _ in range(EXPORTED):
                results = session.run(fetches)
                for kind in ('inputs', 'outputs', 'targets'):
                    name = os.path.basename(results['paths'][0].decode())
                    with open(os.path.join(out, f'{name}-{kind}.png'), 'wb') as file:
                        file.write(results[kind][0])

        yield lambda: time_of(export) / EXPORTED


@contextlib.contextmanager
def gemm():
    """A product of two large matrices: what arithmetic alone would take."""
    tf = load_plain()
    n = 2048
    matrix = tf.Variable(tf.random_normal([n, n]))
    op = tf.matmul(matrix, matrix).op
    with running(tf) as session:
        yield lambda: time_of(lambda: session.run(op))


KINDS = (
    step_ours, step_queue, step_post, step_torch, pipeline_ours, pipeline_post, generator,
    export_ours, export_post, gemm,
)  # fmt: skip


def peak_memory():
    """The most that has been resident, in MiB."""
    with open('/proc/self/status') as status:
        return next(int(line.split()[1]) for line in status if line.startswith('VmHWM')) / 1024


def main():
    kinds = {kind.__name__.replace('_', '-'): kind for kind in KINDS}
    with kinds[sys.argv[1]](*sys.argv[2:]) as work:
        work()
        print('ready', flush=True)
        for _ in sys.stdin:
            print(work(), flush=True)
    print(peak_memory(), flush=True)


if __name__ == '__main__':
    main()
