import json
import os

import pytest

from pix2pix_tf import config
from pix2pix_tf.config import Config
from pix2pix_tf.system.errors import Pix2PixError, UsageError


def test_defaults_are_those_of_the_post():
    post = {
        'scale_size': 286,
        'crop_size': 256,
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
    defaults = Config()._asdict()
    assert {name: defaults[name] for name in post} == post
    assert config.create() == Config()


@pytest.mark.parametrize(
    'values, words',
    [
        ({'batch_size': 0}, '--batch_size is 0: it must be at least 1'),
        ({'learning_rate': -1.0}, '--learning_rate is -1.0: it must be above 0'),
        ({'learning_rate': float('nan')}, '--learning_rate is nan'),
        ({'l1_weight': float('inf')}, '--l1_weight is inf'),
        ({'beta1': 1.0}, '--beta1 is 1.0: it must be at least 0 and below 1'),
        ({'dropout': -0.1}, '--dropout is -0.1'),
        ({'save_freq': -1}, '--save_freq is -1: it must be 0 or more'),
        ({'max_steps': 0}, '--max_steps is 0'),
        ({'seed': -1}, '--seed is -1'),
        ({'scale_size': 255}, '--scale_size is 255, below --crop_size 256'),
        ({'crop_size': 280}, '--crop_size is 280: the generator halves its input 8 times'),
        ({'seed': 1, 'num_threads': 2}, '--seed needs --num_threads=1'),
    ],
)
def test_values_out_of_range_are_named(values, words):
    with pytest.raises(UsageError) as error:
        config.create(**values)
    assert words in str(error.value)
    assert error.value.exit_status == 2


def test_differences_leave_out_what_may_change():
    saved = Config()
    for name in config.FREE:
        assert config.differences(saved, saved._replace(**{name: 77})) == []
    assert config.differences(saved, saved._replace(ngf=8)) == ['--ngf was 64, now 8']


def test_saved_options_come_back(tmp_path):
    assert config.load(str(tmp_path)) is None
    mine = Config(ngf=8, learning_rate=0.001, seed=3)
    config.save(mine, str(tmp_path))
    assert config.load(str(tmp_path)) == mine
    assert os.listdir(str(tmp_path)) == ['options.json']


def test_options_of_another_version_take_defaults_for_what_they_lack(tmp_path):
    (tmp_path / 'options.json').write_text(json.dumps({'ngf': 8, 'flux': 3}))
    assert config.load(str(tmp_path)) == Config(ngf=8)


@pytest.mark.parametrize('text', ['{', '[1]', '{"ngf": "many"}', '{"ngf": 0}'])
def test_broken_options_are_named(tmp_path, text):
    (tmp_path / 'options.json').write_text(text)
    with pytest.raises(Pix2PixError) as error:
        config.load(str(tmp_path))
    assert str(tmp_path / 'options.json') in str(error.value)


def test_one_thread_reads_where_the_order_matters_else_one_for_each_core():
    cores = len(os.sched_getaffinity(0))
    assert config.reader_threads(Config()) == cores
    assert config.reader_threads(Config(seed=1)) == 1
    assert config.reader_threads(Config(num_threads=3)) == 3
