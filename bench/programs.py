"""The measured programs, each in its own process: `python bench/programs.py NAME [ARGUMENT ...]`.

A program prints "ready" after its start. Then, for every line that it reads, it does its work once
and prints the seconds that this took, in total or per image. At the end of its input it prints its
peak memory in MiB.
"""

import contextlib
import os
import sys
import tempfile
import time

import pair_programs
from predict_programs import generator_onnx, predict, serve
from sessions import SIZE, load_ours, load_plain, noise, running, time_of

# Images per round
GENERATED = 10  # by the generator alone
READ = 200  # by the pipeline
EXPORTED = 20  # by the post's loop
QUEUED = 40  # more than any queue holds


@contextlib.contextmanager
def step_ours(mixed_precision=False):
    """The package's train step on constant inputs."""
    tf = load_ours()
    from pix2pix_tf import session
    from pix2pix_tf.config import Config
    from pix2pix_tf.model import build_model

    config = Config(mixed_precision=bool(mixed_precision))
    images, scale = tf.constant(noise()), session.loss_scale(config)
    op = build_model(images, tf.constant(noise()), config, loss_scale=scale).train_op
    with running(tf, session.session_config(config)) as sess:
        yield lambda: time_of(lambda: sess.run(op))


@contextlib.contextmanager
def step_queue(data_dir):
    """The package's train step as in a training: fed by the queue, with its losses fetched."""
    tf = load_ours()
    from pix2pix_tf import dataset, session, training
    from pix2pix_tf.config import Config
    from pix2pix_tf.model import build_model
    from pix2pix_tf.pairs import find

    batches = dataset.load_data(find.find_pairs(data_dir).paths)
    model = build_model(batches.inputs, batches.targets)
    fetches = training.step_fetches(batches, model)
    with running(tf, session.session_config(Config())) as sess:
        yield lambda: time_of(lambda: sess.run(fetches))


@contextlib.contextmanager
def step_post(mixed_precision=False):
    """The post's train step on constant inputs."""
    tf = load_plain()
    proto = tf.ConfigProto()
    if mixed_precision:
        rewrites = proto.graph_options.rewrite_options
        rewrites.auto_mixed_precision_onednn_bfloat16 = type(rewrites).ON
    import reference

    op = reference.build_model(tf.constant(noise()), tf.constant(noise())).train_op
    with running(tf, proto) as sess:
        yield lambda: time_of(lambda: sess.run(op))


@contextlib.contextmanager
def step_torch(mixed_precision=False):
    """The usual PyTorch networks of these shapes."""
    import torch_reference

    step = torch_reference.train_step(noise(), bool(mixed_precision))
    yield lambda: time_of(step)


def read(sess, fetches):
    """Seconds per image, not counting those that were already in the queue."""
    for _ in range(QUEUED):
        sess.run(fetches)
    return time_of(lambda: [sess.run(fetches) for _ in range(READ)]) / READ


@contextlib.contextmanager
def pipeline_ours(data_dir, threads):
    """The package's input pipeline alone."""
    tf = load_ours()
    from pix2pix_tf import dataset
    from pix2pix_tf.config import Config
    from pix2pix_tf.pairs import find

    paths = find.find_pairs(data_dir).paths
    batches = dataset.load_data(paths, Config(num_threads=int(threads)))
    fetches = [batches.paths, batches.inputs.op, batches.targets.op]
    with running(tf) as sess:
        yield lambda: read(sess, fetches)


@contextlib.contextmanager
def pipeline_post(data_dir, threads):
    """The post's input pipeline alone."""
    tf = load_plain()
    import reference

    paths, inputs, targets = reference.load_data(data_dir, int(threads))
    fetches = [paths, inputs.op, targets.op]
    with running(tf) as sess:
        yield lambda: read(sess, fetches)


@contextlib.contextmanager
def generator():
    """The package's generator alone, on one constant image at a time: seconds per image."""
    tf = load_ours()
    from pix2pix_tf import session
    from pix2pix_tf.config import Config
    from pix2pix_tf.model import build_generator

    op = build_generator(tf.constant(noise())).op
    with running(tf, session.session_config(Config())) as sess:
        yield lambda: time_of(lambda: [sess.run(op) for _ in range(GENERATED)]) / GENERATED


@contextlib.contextmanager
def export_ours(data_dir):
    """The package's export loop with its metrics: seconds per image, without the start."""
    tf = load_ours()
    from pix2pix_tf import exporting, images
    from pix2pix_tf.config import Config
    from pix2pix_tf.inference import trained
    from pix2pix_tf.model import build_generator

    with tempfile.TemporaryDirectory() as out:
        with tf.Graph().as_default():
            build_generator(tf.zeros([1, SIZE, SIZE, 3]))
            with running(tf) as sess:
                checkpoint = tf.train.Saver().save(sess, os.path.join(out, 'model'))
        config = Config(batch_size=trained.BATCH_SIZE)
        test_set = exporting.find_test_set(data_dir)
        model = exporting.find_trained(checkpoint, config)

        def export():
            first = None
            evaluator = exporting.Evaluator(test_set.names, exporting.Measures())
            with evaluator, exporting.running(test_set.paths, model) as (_, batches):
                for batch in batches:
                    images.save_images(batch, test_set.names, out)
                    evaluator.add(batch)
                    first = first or (time.perf_counter(), len(batch['paths']))
                return (time.perf_counter() - first[0]) / (len(test_set.paths) - first[1])

        yield export


@contextlib.contextmanager
def export_post(data_dir):
    """The post's evaluation loop, one pair at a time: seconds per image."""
    tf = load_plain()
    import reference

    paths, inputs, targets = reference.load_data(data_dir)
    with tf.variable_scope('generator'):
        outputs = reference.generator(inputs)
    fetches = {'paths': paths}
    for kind, images in (('inputs', inputs), ('outputs', outputs), ('targets', targets)):
        pixels = tf.image.convert_image_dtype((images + 1) / 2, tf.uint8, saturate=True)
        fetches[kind] = tf.map_fn(tf.image.encode_png, pixels, dtype=tf.string)
    with running(tf) as sess, tempfile.TemporaryDirectory() as out:

        def export():
            for _ in range(EXPORTED):
                results = sess.run(fetches)
                for kind in ('inputs', 'outputs', 'targets'):
                    name = os.path.basename(results['paths'][0].decode())
                    with open(os.path.join(out, f'{name}-{kind}.png'), 'wb') as file:
                        file.write(results[kind][0])

        yield lambda: time_of(export) / EXPORTED


@contextlib.contextmanager
def gemm():
    """A product of two large matrices: the speed of arithmetic alone."""
    tf = load_plain()
    n = 2048
    matrix = tf.Variable(tf.random_normal([n, n]))
    op = tf.matmul(matrix, matrix).op
    with running(tf) as sess:
        yield lambda: time_of(lambda: sess.run(op))


PROGRAMS = (
    step_ours,
    step_queue,
    step_post,
    step_torch,
    pipeline_ours,
    pipeline_post,
    generator,
    generator_onnx,
    predict,
    serve,
    export_ours,
    export_post,
    gemm,
    *pair_programs.PROGRAMS,
)


def peak_memory():
    """The peak resident memory of this process, in MiB."""
    with open('/proc/self/status') as status:
        return next(int(line.split()[1]) for line in status if line.startswith('VmHWM')) / 1024


def main():
    programs = {program.__name__.replace('_', '-'): program for program in PROGRAMS}
    with programs[sys.argv[1]](*sys.argv[2:]) as work:
        work()
        print('ready', flush=True)
        for _ in sys.stdin:
            print(work(), flush=True)
    print(peak_memory(), flush=True)


if __name__ == '__main__':
    main()
