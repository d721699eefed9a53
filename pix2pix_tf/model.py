"""The losses, the two optimizers and the op that runs a step (section "Loss & Optimizer")."""

from typing import Callable, Dict, List, NamedTuple, Optional, Union

import tensorflow.compat.v1 as tf

from pix2pix_tf.config import Config
from pix2pix_tf.networks import create_discriminator, create_generator
from pix2pix_tf.system import compat
from pix2pix_tf.system.errors import UsageError

# A number, or a scalar float32 that depends on the step
LearningRate = Union[float, tf.Tensor]
# (gradients, 'generator' or 'discriminator') => tensors of the same shapes
Average = Callable[[List[tf.Tensor], str], List[tf.Tensor]]


class Model(NamedTuple):
    """The tensors of a training step; the first four fields are the post's. Losses are scalars."""

    outputs: tf.Tensor  # [batch, height, width, output_channels] in [-1, 1]
    train_op: tf.Operation
    gen_loss: tf.Tensor  # gan_weight * gen_loss_gan + l1_weight * gen_loss_l1
    discrim_loss: tf.Tensor
    gen_loss_gan: tf.Tensor
    gen_loss_l1: tf.Tensor
    # Exponential moving averages, read after their update in the step
    discrim_loss_average: tf.Tensor
    gen_loss_gan_average: tf.Tensor
    gen_loss_l1_average: tf.Tensor
    global_step: tf.Tensor  # int64 scalar, read after the step's increment
    # Sums of all gradients: not finite if one value is not finite
    discrim_gradient_sum: tf.Tensor
    gen_gradient_sum: tf.Tensor
    predict_real: tf.Tensor  # [batch, height / 8 - 2, width / 8 - 2, 1] in (0, 1)
    predict_fake: tf.Tensor  # the same
    gradients: Dict[str, tf.Tensor]  # {trainable variable: tensor of its shape}
    learning_rate: LearningRate  # of both updates in the step


def build_generator(
    inputs: tf.Tensor,
    config: Config = Config(),
    image_seeds: Optional[tf.Tensor] = None,
) -> tf.Tensor:
    """The generator's outputs for `inputs`, with the variable names of the checkpoints.

    [batch, height, width, input_channels] in [-1, 1] => the same range, with output_channels. If
    the graph has a generator already, its variables are shared. With `image_seeds` ([batch, 2]
    int64, from `noise.image_seeds`) every image is a batch of one, with its own statistics and
    noise: its output does not depend on the other images, not even in the last bit.

    Raises:
        UsageError: the height or the width is not a multiple of 256.
    """
    with tf.variable_scope('generator', reuse=tf.AUTO_REUSE):
        if image_seeds is None:
            return create_generator(inputs, config)
        if inputs.get_shape().as_list()[0] == 1:
            return create_generator(inputs, config, image_seeds[0])
        return compat.map_fn(
            lambda one: create_generator(one[0][None], config, one[1])[0],
            (inputs, image_seeds),
            dtype=tf.float32,
        )


def learning_rate_schedule(config: Config, last_step: int) -> LearningRate:
    """The learning rate of a training that ends at `last_step`.

    It is constant without `decay_from`. With it, a step that follows `done` others has the rate
    learning_rate * (last_step - done) / (last_step - decay_from), but at most `learning_rate`. The
    last step follows last_step - 1 others, so its rate is above 0.

    Raises:
        UsageError: `decay_from` is not before the last step.
    """
    if config.decay_from is None:
        return config.learning_rate
    if config.decay_from >= last_step:
        raise UsageError(
            f'`decay_from` is {config.decay_from}: it must be below {last_step}, the last step'
        )
    remaining = tf.cast(last_step - tf.train.get_or_create_global_step(), tf.float32)
    return config.learning_rate * tf.minimum(1.0, remaining / (last_step - config.decay_from))


def build_model(
    inputs: tf.Tensor,
    targets: tf.Tensor,
    config: Config = Config(),
    average: Optional[Average] = None,
    loss_scale: float = 1.0,
    learning_rate: Optional[LearningRate] = None,
) -> Model:
    """The graph of a training step.

    `inputs` and `targets` are [batch, height, width, 3] in [-1, 1], or have the channels that
    `config` says. If several processes train one model, `average` takes the gradients of a network
    and its name, and returns their means over the processes, which are then applied. Gradients are
    computed from the losses times `loss_scale`, and divided by it: in float16, the smallest would
    otherwise round to 0. By default, `learning_rate` is the option of that name; see
    `learning_rate_schedule`.

    Raises:
        UsageError: the height or the width is not a multiple of 256.
    """
    if learning_rate is None:
        learning_rate = config.learning_rate
    outputs = build_generator(inputs, config)
    with tf.variable_scope('discriminator'):
        predict_real = create_discriminator(inputs, targets, config)
    with tf.variable_scope('discriminator', reuse=True):
        predict_fake = create_discriminator(inputs, outputs, config)

    # Discriminator loss (Isola et al., equation 1)
    eps = config.log_epsilon
    # TensorFlow would fold the constants of 1 - predict_fake + eps into 1 + eps = 1 and lose eps.
    # The loss would then be infinite where predict_fake is rounded to 1.
    predict_not_fake = tf.maximum(1 - predict_fake, 0.0)
    discrim_loss = tf.reduce_mean(-(tf.log(predict_real + eps) + tf.log(predict_not_fake + eps)))

    # Generator loss (equations 3 and 4; -log D instead of log(1 - D), as in their section 3.3)
    gen_loss_gan = tf.reduce_mean(-tf.log(predict_fake + eps))
    gen_loss_l1 = tf.reduce_mean(tf.abs(targets - outputs))
    gen_loss = gen_loss_gan * config.gan_weight + gen_loss_l1 * config.l1_weight

    def minimize(loss, scope):
        return _minimize(loss, scope, config, average, loss_scale, learning_rate)

    discrim_train, discrim_gradients = minimize(discrim_loss, 'discriminator')
    # The generator's gradients are computed after the discriminator's update
    with tf.control_dependencies([discrim_train]):
        gen_train, gen_gradients = minimize(gen_loss, 'generator')

    ema = tf.train.ExponentialMovingAverage(decay=config.ema_decay)
    losses = [discrim_loss, gen_loss_gan, gen_loss_l1]
    update_losses = ema.apply(losses)

    global_step = tf.train.get_or_create_global_step()
    # A learning rate that depends on the step must read it before the increment
    readers = [learning_rate] if isinstance(learning_rate, tf.Tensor) else []
    with tf.control_dependencies(readers):
        incr_global_step = tf.assign(global_step, global_step + 1)

    # discrim_train is not in the group because gen_train depends on it
    train_op = tf.group(update_losses, incr_global_step, gen_train)

    # A variable fetched next to train_op may be read before or after its update; these are read
    # after it.
    with tf.control_dependencies([train_op]):
        averages = [ema.average(loss).read_value() for loss in losses]
        step = global_step.read_value()

    return Model(
        outputs=outputs,
        train_op=train_op,
        gen_loss=gen_loss,
        discrim_loss=discrim_loss,
        gen_loss_gan=gen_loss_gan,
        gen_loss_l1=gen_loss_l1,
        discrim_loss_average=averages[0],
        gen_loss_gan_average=averages[1],
        gen_loss_l1_average=averages[2],
        global_step=step,
        discrim_gradient_sum=_sum(discrim_gradients),
        gen_gradient_sum=_sum(gen_gradients),
        predict_real=predict_real,
        predict_fake=predict_fake,
        gradients=dict(discrim_gradients, **gen_gradients),
        learning_rate=learning_rate,
    )


def _minimize(loss, scope, config, average, loss_scale, learning_rate):
    """One step of Adam on the trainable variables of `scope`, and {their names: gradients}."""
    tvars = [var for var in tf.trainable_variables() if var.name.startswith(scope + '/')]
    optim = tf.train.AdamOptimizer(learning_rate, config.beta1)
    if loss_scale == 1:
        grads_and_vars = optim.compute_gradients(loss, var_list=tvars)
    else:
        scaled = optim.compute_gradients(loss * loss_scale, var_list=tvars)
        grads_and_vars = [(grad / loss_scale, var) for grad, var in scaled]
    if average:
        means = average([grad for grad, _ in grads_and_vars], scope)
        grads_and_vars = list(zip(means, tvars))
    gradients = {var.op.name: grad for grad, var in grads_and_vars}
    return optim.apply_gradients(grads_and_vars), gradients


def _sum(gradients):
    return tf.add_n([tf.reduce_sum(grad) for grad in gradients.values()])
