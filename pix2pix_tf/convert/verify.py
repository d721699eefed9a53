"""Runs a converted generator in a separate process, as its users will.

    python -m pix2pix_tf.convert.verify FORMAT PATH INPUTS.npz OUTPUTS.npz

INPUTS.npz holds 'images', float32 [n, height, width, channels] in [-1, 1], and for ONNX the masks;
for a SavedModel it holds 'pixels', uint8 or uint16 [n, height, width, 1 or 3] of files, and 'seeds'
[n] if it has noise. OUTPUTS.npz gets 'outputs', the same in float32, in [-1, 1].
"""

import sys
from typing import Dict

import numpy as np

Inputs = Dict[str, np.ndarray]


def run_saved_model(path: str, inputs: Inputs) -> np.ndarray:
    """Runs the signature 'seeded', or without noise 'serving_default', on PNG files."""
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default(), tf.Session() as session:
        loaded = tf.saved_model.loader.load(session, [tf.saved_model.tag_constants.SERVING], path)
        signature = loaded.signature_def['seeded' if 'seeds' in inputs else 'serving_default']
        type_of_pixels = inputs['pixels'].dtype
        encoded = [tf.image.encode_png(tf.constant(pixels)) for pixels in inputs['pixels']]
        feeds = {signature.inputs['image_bytes'].name: session.run(encoded)}
        if 'seeds' in inputs:
            feeds[signature.inputs['seed'].name] = inputs['seeds']
        pngs = session.run(signature.outputs['output_bytes'].name, feeds)
        decoded = [tf.image.decode_png(png, dtype=type_of_pixels.name) for png in pngs]
        pixels = np.stack(session.run(decoded))
    return pixels / np.float32(np.iinfo(type_of_pixels).max / 2) - 1


def run_onnx(path: str, inputs: Inputs) -> np.ndarray:
    """Runs all images as one batch."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    feeds = {'input': inputs['images']}
    feeds.update({name: inputs[name] for name in inputs if name.startswith('mask_')})
    return session.run(None, feeds)[0]


def run_tflite(path: str, inputs: Inputs) -> np.ndarray:
    """Runs one image after the other."""
    import tensorflow.compat.v1 as tf

    interpreter = tf.lite.Interpreter(path)
    interpreter.allocate_tensors()
    [image], [output] = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for one in inputs['images']:
        interpreter.set_tensor(image['index'], one[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(output['index'])[0])
    return np.stack(outputs)


RUN = {'saved_model': run_saved_model, 'onnx': run_onnx, 'tflite': run_tflite}


if __name__ == '__main__':
    kind, path, inputs_path, outputs_path = sys.argv[1:]
    with np.load(inputs_path) as file:
        np.savez(outputs_path, outputs=RUN[kind](path, dict(file)))
