"""options.json of a stranger: what it holds is used, or named in one line; never a traceback."""

import json
import os
import shutil

import pytest

import pix2pix_tf
from pix2pix_tf import config, options_file, training
from pix2pix_tf.config import OPTIONS, Config, Size
from pix2pix_tf.inference import trained as trained_models
from pix2pix_tf.system.errors import Pix2PixError

DEEP = 100000
ODD = [
    *(2**31, 2**40, 2**63, 10**400, -1, -(2**63), 0.5, 1e308, float('inf'), float('nan')),
    *(True, None, '', 'x' * 10000, 'a\nb', '\ud800', '9' * 5000, '1x1x1', '٣', [], {}, [[1]]),
]
WHOLE_FILES = {
    'empty': b'',
    'not JSON': b'{"ngf": 4,}',
    'not UTF-8': b'{"ngf": "\xff"}',
    'a list': b'[1]',
    'a number': b'1',
    'null': b'null',
    'deep': b'[' * DEEP,
    'deep objects': b'{"ngf":' * DEEP,
    'deep in one key': b'{"ngf": ' + b'[' * 900 + b']' * 900 + b'}',
    'deeper in one key': b'{"ngf": ' + b'[' * DEEP + b']' * DEEP + b'}',
    'deep in the data': b'{"data": ' + b'[' * DEEP + b']' * DEEP + b'}',
    'long': b'{"ngf": 4, "x": "' + bytes(2**20) + b'"}',
    'many digits': b'{"ngf": ' + b'9' * 20000 + b'}',
    'many digits of a size': b'{"crop_size": "' + b'9' * 20000 + b'"}',
    'with a byte order mark': b'\xef\xbb\xbf{}',
    'UTF-16': '{"ngf": 4}'.encode('utf-16'),
}


@pytest.fixture(scope='module')
def folder(trained, tmp_path_factory):
    copy = tmp_path_factory.mktemp('tampered') / 'out'
    shutil.copytree(trained, str(copy))
    return copy


def outcome(folder, function=trained_models.find):
    """None, or the one line that is said about it."""
    try:
        function(str(folder))
    except Pix2PixError as error:
        line = str(error)
        assert '\n' not in line and len(line) < 600
        return line
    return None


@pytest.mark.parametrize('name', WHOLE_FILES)
def test_a_file_that_is_no_options_is_named(folder, name):
    (folder / 'options.json').write_bytes(WHOLE_FILES[name])
    line = outcome(folder)
    assert line.startswith(f'cannot use {folder}/options.json: ')
    assert line == outcome(folder, options_file.load)


def test_a_pipe_is_named(folder):
    os.remove(str(folder / 'options.json'))
    os.mkfifo(str(folder / 'options.json'))
    try:
        assert outcome(folder).endswith('options.json: it is not a regular file')
    finally:
        os.remove(str(folder / 'options.json'))


@pytest.mark.parametrize('option', OPTIONS, ids=[option.name for option in OPTIONS])
def test_any_value_of_any_option_is_used_or_named(folder, option):
    for value in ODD:
        text = json.dumps({'ngf': 4, 'ndf': 4, option.name: value})
        (folder / 'options.json').write_text(text)
        line = outcome(folder)
        assert line is None or f'"{option.name}" ' in line, (value, line)


@pytest.mark.parametrize('option', OPTIONS, ids=[option.name for option in OPTIONS])
def test_every_number_has_an_upper_bound(option):
    if option.kind in (bool, str):
        return
    too_large = {int: 10**12 + 1, float: 2e38, Size: 2**15}[option.kind]
    with pytest.raises(Pix2PixError) as error:
        config.check(option.name, too_large)
    assert f'`{option.name}` is {too_large}: it must be ' in str(error.value)
    bounds = ('at most ', 'below ', '3 or 1', '8 or 16')
    assert any(words in str(error.value) for words in bounds)


@pytest.mark.parametrize(
    'values',
    [
        {'ngf': 2**31},
        {'crop_size': 2**40},
        {'crop_size': 2**14, 'scale_size': 2**14},  # the largest: another model, or a slow one
        {'ngf': 2**14},
        {'ndf': 2**14},
        {'batch_size': 2**16},
        {'leak': 1e38, 'variance_epsilon': 1e38},
        {'variance_epsilon': 1e-320},
        {'init_stddev': 1e38},
        {'data': {'folder': 'a\nb' * 100, 'digest': [1]}},
        {'data': 7},
        {'data': {}},
    ],
    ids=lambda values: ','.join(f'{k}={v}'[:30] for k, v in values.items()),
)
def test_what_is_in_range_loads_or_is_named(folder, pairs, values):
    (folder / 'options.json').write_text(json.dumps(dict({'ngf': 4, 'ndf': 4}, **values)))

    def load(model):
        with pix2pix_tf.load(model):
            pass

    outcome(folder, load)
    # It has been trained that far: a training only checks its folder
    config_given = Config(ngf=4, ndf=4, max_steps=1)
    line = outcome(folder, lambda out: training.train(pairs, out, config_given))
    assert line is None or 'was trained with other' in line or 'cannot use' in line


def test_a_value_of_any_type_in_a_call_is_named():
    for value in (10**5000, -(10**5000), (1, 2, 3), {}, b'64', object):
        for name in ('ngf', 'direction', 'leak', 'scale_size'):
            if name == 'scale_size' and isinstance(value, tuple):
                continue
            with pytest.raises(Pix2PixError, match=f'`{name}` is ') as error:
                config.create(**{name: value})
            assert len(str(error.value)) < 300
