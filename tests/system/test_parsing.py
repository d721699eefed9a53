"""JSON from untrusted sources, wherever it is read: one line for any of it."""

import pytest

from pix2pix_tf.convert import card
from pix2pix_tf.distributed import json_lines, launch
from pix2pix_tf.pairs import record
from pix2pix_tf.system.errors import DataError, UsageError
from pix2pix_tf.system.parsing import parse_json

DEEP = b'{"a": ' * 100000 + b'1' + b'}' * 100000


@pytest.mark.parametrize('text', [DEEP, b'[' * 100000, b'{', b'\xff', b''])
def test_what_is_not_json_is_a_value_error(text):
    with pytest.raises(ValueError):
        parse_json(text)


@pytest.mark.parametrize('text', [DEEP, b'[]', b'{"hashes": []}'])
def test_a_damaged_pairs_json_is_named(tmp_path, text):
    (tmp_path / 'pairs.json').write_bytes(text)
    with pytest.raises(DataError, match='pairs.json is damaged'):
        record.read_record(str(tmp_path), {})


@pytest.mark.parametrize('text', [DEEP, b'[]', b'{"source": 1}', b'{"summaries": []}'])
def test_a_card_goes_without_metrics_that_cannot_be_read(tmp_path, text):
    (tmp_path / 'metrics.json').write_bytes(text)
    assert list(card._metrics(str(tmp_path), 'model-1')) == []


def test_a_cluster_that_cannot_be_read_is_named():
    with pytest.raises(UsageError, match='TF_CONFIG cannot be used'):
        launch.parse(None, None, DEEP.decode())


def test_a_message_that_cannot_be_read_is_a_value_error(tmp_path):
    (tmp_path / 'lines').write_bytes(b'[' * 60000 + b'\n')
    with (tmp_path / 'lines').open('rb') as lines, pytest.raises(ValueError):
        json_lines.receive(lines)
