import dataclasses

import pytest

from pix2pix_tf import config
from pix2pix_tf.config import Config
from pix2pix_tf.system.errors import UsageError


def test_defaults_are_those_of_the_post():
    post = {
        'scale_size': (286, 286),
        'crop_size': (256, 256),
        'batch_size': 1,
        'ngf': 64,
        'ndf': 64,
        'init_stddev': 0.02,
        'leak': 0.2,
        'dropout': 0.5,
        'variance_epsilon': 1e-5,
        'log_epsilon': 1e-12,
        'gan_weight': 1.0,
        'l1_weight': 100.0,
        'learning_rate': 0.0002,
        'beta1': 0.5,
        'ema_decay': 0.99,
        'max_epochs': 200,
        'progress_freq': 50,
        'save_freq': 5000,
    }
    defaults = dataclasses.asdict(Config())
    assert {name: defaults[name] for name in post} == post
    assert config.create() == Config()


@pytest.mark.parametrize(
    'values, words',
    [
        ({'batch_size': 0}, '`batch_size` is 0: it must be at least 1'),
        ({'learning_rate': -1.0}, '`learning_rate` is -1.0: it must be above 0'),
        ({'learning_rate': float('nan')}, '`learning_rate` is nan'),
        ({'l1_weight': float('inf')}, '`l1_weight` is inf'),
        ({'beta1': 1.0}, '`beta1` is 1.0: it must be at least 0 and below 1'),
        ({'dropout': -0.1}, '`dropout` is -0.1'),
        ({'save_freq': -1}, '`save_freq` is -1: it must be 0 or more'),
        ({'max_steps': 0}, '`max_steps` is 0'),
        ({'seed': -1}, '`seed` is -1'),
        ({'scale_size': 255}, '`scale_size` is 255, below `crop_size` 256'),
        ({'crop_size': 280}, '`crop_size` is 280: it must be a multiple of 256'),
        ({'seed': 1, 'num_threads': 2}, '`seed` needs `num_threads`=1'),
    ],
)
def test_values_out_of_range_are_named(values, words):
    with pytest.raises(UsageError) as error:
        config.create(**values)
    assert words in str(error.value)
    assert error.value.exit_status == 2


def test_types_are_checked():
    for values, words in (
        ({'ngf': 4.5}, '`ngf` is 4.5: it must be a whole number'),
        ({'ngf': None}, '`ngf` is None: it must be a whole number'),
        ({'ngf': True}, '`ngf` is True: it must be a whole number'),
        ({'xla': 7}, '`xla` is 7: it must be true or false'),
        ({'leak': 'steep'}, "`leak` is 'steep': it must be a number"),
        ({'direction': 1}, '`direction` is 1: it must be a string'),
    ):
        with pytest.raises(UsageError) as error:
            config.create(**values)
        assert str(error.value) == words
    assert config.create(l1_weight=50).l1_weight == 50  # a whole number is a number


def test_every_option_has_a_default_in_its_range():
    assert len(config.OPTIONS) == len(dataclasses.fields(Config))
    for option in config.OPTIONS:
        config.check(option.name, option.as_written(option.default))
        assert option.meaning.endswith('.')
