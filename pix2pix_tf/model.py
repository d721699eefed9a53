"""The losses, the two optimizers and the op that runs a step (section "Loss & Optimizer")."""

import typing

import tensorflow.compat.v1 as tf

from pix2pix_tf.config import Config
from pix2pix_tf.system.gpu import LOSS_SCALE
from pix2pix_tf.networks import create_discriminator, create_generator


class Model(typing.NamedTuple):
    """What `build_model` gives; the first four fields are the post's. Losses are float32 scalars.

    Every loss is also in the graph under its field's name ('discrim_loss:0', ...).
    """

    outputs: tf.Tensor  # [batch, height, width, 3] in [-1, 1]
    train_op: tf.Operation
    gen_loss: tf.Tensor  # gan_weight * gen_loss_gan + l1_weight * gen_loss_l1
    discrim_loss: tf.Tensor
    gen_loss_gan: tf.Tensor
    gen_loss_l1: tf.Tensor
    # Exponential moving averages, read after the step's update
    discrim_loss_average: tf.Tensor
    gen_loss_gan_average: tf.Tensor
    gen_loss_l1_average: tf.Tensor
    global_step: tf.Tensor  # int64 scalar, read after the step's increment
    # Sums over all gradients: not finite where one of them isn't
    discrim_gradient_sum: tf.Tensor
    gen_gradient_sum: tf.Tensor
    predict_real: tf.Tensor  # [batch, height / 8 - 2, width / 8 - 2, 1] in (0, 1)
    predict_fake: tf.Tensor  # the same
    gradients: dict  # {name of a trainable variable: tensor of its shape}


def build_generator(inputs, config=Config(), image_seeds=None):
    """The generator's outputs for `inputs`, its variables named as in checkpoints.

    Beside a model that is built already it uses that one's variables. With `image_seeds`
    ([batch, 2] int64, of `dataset.image_seeds`) every image is a batch of its own, with its own
    statistics and noise: what comes out for it does not depend on the others, to the last bit.
    """
    with tf.variable_scope('generator', reuse=tf.AUTO_REUSE):
        if image_seeds is None:
            return create_generator(inputs, config)
        return tf.map_fn(
            lambda one: create_generator(one[0][None], config, one[1])[0],
            (inputs, image_seeds),
            dtype=tf.float32,
        )


def build_model(inputs, targets, config=Config()):
    """The graph of a training step on `inputs` and `targets`, both [batch, height, width, 3].

    Both are in [-1, 1], of one size that is a multiple of 256. Raises UsageError where it is not.
    """
    outputs = build_generator(inputs, config)
    with tf.variable_scope('discriminator'):
        predict_real = create_discriminator(inputs, targets, config)
    with tf.variable_scope('discriminator', reuse=True):
        predict_fake = create_discriminator(inputs, outputs, config)

    # Discriminator loss (Isola et al., equation 1)
    eps = config.log_epsilon
    # Left as 1 - predict_fake + eps, TensorFlow would fold the constants to 1 + eps = 1 and lose
    # eps: the loss is then infinite where predict_fake has been rounded to 1.
    predict_not_fake = tf.maximum(1 - predict_fake, 0.0)
    discrim_loss = tf.reduce_mean(-(tf.log(predict_real + eps) + tf.log(predict_not_fake + eps)))

    # Generator loss (equations 3 and 4; -log D in place of log(1 - D), as in their section 3.3)
    gen_loss_gan = tf.reduce_mean(-tf.log(predict_fake + eps))
    gen_loss_l1 = tf.reduce_mean(tf.abs(targets - outputs))
    gen_loss = gen_loss_gan * config.gan_weight + gen_loss_l1 * config.l1_weight

    discrim_train, discrim_gradients = _minimize(discrim_loss, 'discriminator', config)
    # The generator's gradients are taken behind the discriminator's update
    with tf.control_dependencies([discrim_train]):
        gen_train, gen_gradients = _minimize(gen_loss, 'generator', config)

    ema = tf.train.ExponentialMovingAverage(decay=config.ema_decay)
    losses = [discrim_loss, gen_loss_gan, gen_loss_l1]
    update_losses = ema.apply(losses)

    global_step = tf.train.get_or_create_global_step()
    incr_global_step = tf.assign(global_step, global_step + 1)

    # discrim_train is not in the group because gen_train depends on it
    train_op = tf.group(update_losses, incr_global_step, gen_train)

    # A variable fetched beside train_op may be read before or after its update; these are after.
    with tf.control_dependencies([train_op]):
        averages = [ema.average(loss).read_value() for loss in losses]
        step = global_step.read_value()

    tensors = {
        'gen_loss': gen_loss,
        'discrim_loss': discrim_loss,
        'gen_loss_gan': gen_loss_gan,
        'gen_loss_l1': gen_loss_l1,
        'discrim_loss_average': averages[0],
        'gen_loss_gan_average': averages[1],
        'gen_loss_l1_average': averages[2],
    }
    named = {name: tf.identity(tensor, name) for name, tensor in tensors.items()}
    return Model(
        outputs=outputs,
        train_op=train_op,
        global_step=step,
        discrim_gradient_sum=_sum(discrim_gradients),
        gen_gradient_sum=_sum(gen_gradients),
        gradients=dict(discrim_gradients, **gen_gradients),
        predict_real=predict_real,
        predict_fake=predict_fake,
        **named,
    )


def _minimize(loss, scope, config):
    """One step of Adam on the trainable variables of `scope`, and {their names: gradients}."""
    tvars = [var for var in tf.trainable_variables() if var.name.startswith(scope + '/')]
    optim = tf.train.AdamOptimizer(config.learning_rate, config.beta1)
    if config.mixed_precision:
        scaled = optim.compute_gradients(loss * LOSS_SCALE, var_list=tvars)
        grads_and_vars = [(grad / LOSS_SCALE, var) for grad, var in scaled]
    else:
        grads_and_vars = optim.compute_gradients(loss, var_list=tvars)
    gradients = {var.op.name: grad for grad, var in grads_and_vars}
    return optim.apply_gradients(grads_and_vars), gradients


def _sum(gradients):
    return tf.add_n([tf.reduce_sum(grad) for grad in gradients.values()])
