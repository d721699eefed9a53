import json
import os
from dataclasses import replace

import pytest
import tensorflow.compat.v1 as tf

from pix2pix_tf import options_file
from pix2pix_tf.config import OPTIONS, Config, Size
from pix2pix_tf.options_file import Data
from pix2pix_tf.system.errors import CheckpointError, Pix2PixError

DATA = Data('/data/train', 'abc')


def another(option):
    """A value that is not the default."""
    if option.kind is bool:
        return not option.default
    return {int: 77, float: 0.77, str: 'AtoB', Size: (512, 768)}[option.kind]


@pytest.mark.parametrize('option', OPTIONS, ids=[option.name for option in OPTIONS])
def test_a_difference_is_named_unless_it_may_change(tmp_path, option):
    options_file.save(Config(), str(tmp_path), DATA)
    changed = replace(Config(), **{option.name: another(option)})
    was, now = map(option.as_written, (option.default, another(option)))
    phrase = f'`{option.name}` was {was}, now {now}'
    expected = [] if option.changeable else [phrase]
    assert options_file.differences(str(tmp_path), changed, DATA) == expected


@pytest.mark.parametrize(
    'changes, advice',
    [
        ({'learning_rate': 0.1}, 'use the same, another `out`, or `override`'),
        ({'ngf': 8}, 'use the same, or another `out`'),
        ({'ndf': 8, 'learning_rate': 0.1}, 'use the same, or another `out`'),
    ],
)
def test_override_is_advised_only_where_it_helps(tmp_path, changes, advice):
    options_file.save(Config(), str(tmp_path), DATA)
    with pytest.raises(CheckpointError) as error:
        options_file.check_same(str(tmp_path), replace(Config(), **changes), DATA)
    assert str(error.value).endswith(f'): {advice}')


def test_no_saved_options_are_no_difference(tmp_path):
    assert options_file.differences(str(tmp_path), Config(ngf=8), DATA) == []


def test_other_data_are_a_difference_but_a_moved_or_grown_folder_is_none(tmp_path):
    options_file.save(Config(), str(tmp_path), DATA)
    for data, phrases in (
        (DATA, []),
        (Data('/moved', 'abc'), []),
        (Data('/data/train', 'grown'), []),
        (Data('/other', 'def'), ['`data` was /data/train, now /other']),
    ):
        assert options_file.differences(str(tmp_path), Config(), data) == phrases


def test_data_are_described_by_the_names_and_sizes_of_their_files(tmp_path):
    for folder, name, contents in (('a', '1', b'x'), ('b', '1', b'y'), ('c', '2', b'x')):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(contents)
    a, b, c = (
        options_file.describe_data(str(tmp_path / folder), [str(tmp_path / folder / name)])
        for folder, name in (('a', '1'), ('b', '1'), ('c', '2'))
    )
    assert a.folder == os.path.realpath(str(tmp_path / 'a'))
    assert a.digest == b.digest != c.digest


def test_saved_options_come_back(tmp_path):
    assert options_file.load(str(tmp_path)) is None
    assert options_file.load_data(str(tmp_path)) is None
    mine = Config(ngf=8, learning_rate=0.001, seed=3)
    options_file.save(mine, str(tmp_path), DATA, '2.21.0')
    assert options_file.load(str(tmp_path)) == mine
    assert options_file.load_data(str(tmp_path)) == DATA
    assert os.listdir(str(tmp_path)) == ['options.json']


def test_a_training_records_its_tensorflow(trained):
    with open(os.path.join(trained, 'options.json')) as file:
        assert json.load(file)['tensorflow'] == tf.__version__


def test_options_of_another_version_take_defaults_for_what_they_lack(tmp_path):
    (tmp_path / 'options.json').write_text(json.dumps({'ngf': 8, 'flux': 3}))
    assert options_file.load(str(tmp_path)) == Config(ngf=8)


@pytest.mark.parametrize(
    'text, words',
    [
        ('{', 'Expecting'),
        ('[1]', 'it has no options'),
        ('\xff', ''),
        ('{"ngf": "many"}', '"ngf" is \'many\': it must be a whole number'),
        ('{"ngf": 4.5}', '"ngf" is 4.5: it must be a whole number'),
        ('{"batch_size": null}', '"batch_size" is None: it must be a whole number'),
        ('{"xla": 7}', '"xla" is 7: it must be true or false'),
        ('{"ngf": 0}', '"ngf" is 0: it must be at least 1'),
        ('{"leak": 1e999}', '"leak" is inf: it must be 0 or more'),
    ],
)
def test_broken_options_are_named(tmp_path, text, words):
    (tmp_path / 'options.json').write_bytes(text.encode('latin-1'))
    with pytest.raises(Pix2PixError) as error:
        options_file.load(str(tmp_path))
    assert str(error.value).startswith(f'cannot use {tmp_path}/options.json: ')
    assert words in str(error.value)
