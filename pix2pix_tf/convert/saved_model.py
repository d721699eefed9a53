"""A generator as a SavedModel, for TensorFlow Serving and `tf.saved_model.load`."""

import tensorflow.compat.v1 as tf

from pix2pix_tf.convert import graph
from pix2pix_tf.inference import variables
from pix2pix_tf.inference.trained import Trained


def write(source: Trained, path: str) -> None:
    """Writes the generator of `source` to the new folder `path`.

    Signatures: 'serving_default' takes the bytes of image files and returns those of PNG files;
    'seeded' also takes a seed per image, and is missing without noise; 'floats' takes and returns
    float32 [batch, height, width, channels] in [-1, 1].

    Raises:
        CheckpointError: the checkpoint is missing or damaged, or does not fit.
        OSError: the folder cannot be written.
    """
    with tf.Graph().as_default(), tf.Session() as session:
        exported = graph.build(source)
        variables.restore(source, session)
        image_bytes = {'image_bytes': exported.image_bytes}
        signatures = {
            'serving_default': _signature(image_bytes, output_bytes=exported.output_bytes),
            'floats': _signature({'inputs': exported.inputs}, outputs=exported.outputs),
        }
        if exported.seed is not None:
            signatures['seeded'] = _signature(
                dict(image_bytes, seed=exported.seed), output_bytes=exported.seeded_bytes
            )
        builder = tf.saved_model.builder.SavedModelBuilder(path)
        builder.add_meta_graph_and_variables(
            session,
            [tf.saved_model.tag_constants.SERVING],
            signature_def_map=signatures,
            strip_default_attrs=True,  # attributes that only a newer TensorFlow knows
        )
        builder.save()


def _signature(inputs, **outputs):
    return tf.saved_model.signature_def_utils.predict_signature_def(inputs, outputs)
