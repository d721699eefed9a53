"""Datasets without a network, by a wrong name, and for two processes at once."""

import http.server
import os
import pathlib
import threading

import numpy as np
import pytest
from PIL import Image
from support.archived import archive
from support.helpers import error_line, fork_command, run_command, serving, wait_until

from pix2pix_tf.pairs import download, draw, find
from pix2pix_tf.system.errors import UsageError

NOWHERE = 'http://127.0.0.1:9/facades.tar.gz'


def files(folder):
    """The files below a folder, hidden ones too, except for the lock."""
    paths = pathlib.Path(str(folder)).rglob('*')
    return sorted(
        str(p.relative_to(str(folder))) for p in paths if p.is_file() and p.suffix != '.lock'
    )


def test_the_demo_needs_no_network(tmp_path):
    times = []
    for _ in range(2):  # the second time, nothing is drawn
        result = run_command('data', '--name=demo', f'--root={tmp_path}')
        assert (result.returncode, result.stderr) == (0, '')
        assert result.stdout == f'data: {tmp_path}/demo\n'
        times.append({name: os.stat(str(tmp_path / name)).st_mtime_ns for name in files(tmp_path)})
    assert times[0] == times[1]
    for part, count in (('train', 100), ('val', 12)):
        assert len(find.find_pairs(f'{tmp_path}/demo/{part}').paths) == count
    assert len(times[0]) == 112
    with Image.open(str(tmp_path / 'demo' / 'val' / '1.png')) as image:
        labels = np.array(image)[:, 256:].reshape(-1, 3)
    assert {tuple(color) for color in labels.tolist()} <= set(draw.LABELS.values())


def test_a_demo_is_complete_or_not_there(tmp_path, monkeypatch):
    original, drawn = draw.write_pairs, []

    def fail_at_the_second_part(directory, count, seed):
        drawn.append(directory)
        if len(drawn) == 2:
            raise KeyboardInterrupt
        original(directory, 2, seed)

    monkeypatch.setattr(draw, 'write_pairs', fail_at_the_second_part)
    with pytest.raises(KeyboardInterrupt):
        download.fetch('demo', str(tmp_path))
    assert len(drawn) == 2 and files(tmp_path) == []
    assert not (tmp_path / 'demo').exists()
    download.fetch('demo', str(tmp_path))
    assert len(files(tmp_path)) == 4


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    line = error_line(run_command('data', '--name=facade', cwd=str(tmp_path)), 2)
    assert "--name is 'facade', which is not a known dataset" in line
    for name in ('facades', 'maps', 'edges2shoes', 'edges2handbags', 'cityscapes', 'night2day'):
        assert name in line
    assert 'demo' in line and 'DATA=' not in line
    assert os.listdir(str(tmp_path)) == []


def test_a_folder_of_that_name_is_offered(tmp_path, monkeypatch):
    (tmp_path / 'mine').mkdir()
    monkeypatch.chdir(str(tmp_path))
    with pytest.raises(UsageError) as error:
        download.fetch('mine', 'data')
    assert str(error.value).endswith('; for the folder here, use DATA=./mine')


def test_a_failed_download_names_the_demo(tmp_path):
    line = error_line(run_command('data', f'--root={tmp_path}', f'--url={NOWHERE}'), 1)
    assert NOWHERE in line and line.endswith('DATA=demo needs no network')
    assert files(tmp_path) == []


class Slow(http.server.BaseHTTPRequestHandler):
    """Answers once `server.released` is set."""

    def do_GET(self):
        self.server.asked.append(self.path)
        assert self.server.released.wait(60)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.contents)

    def log_message(self, *_):
        pass


def test_two_processes_can_fetch_one_dataset(tmp_path):
    with serving(Slow) as server:
        server.asked, server.released = [], threading.Event()
        server.contents = archive({'maps/train/1.jpg': b'1', 'maps/val/2.jpg': b'2'})
        flags = ['--name=maps', f'--root={tmp_path}', f'--url={server.url}/maps.tar.gz']
        try:
            first = fork_command('data', *flags)
            wait_until(lambda: server.asked, 'a request')
            second = fork_command('data', *flags)
            wait_until(lambda: is_open(second.pid, '.maps.lock'), 'the second at the lock')
        finally:
            server.released.set()
        results = [process.communicate() for process in (first, second)]
        assert results == [(f'data: {tmp_path}/maps\n', '')] * 2
        assert [first.returncode, second.returncode] == [0, 0]
        assert server.asked == ['/maps.tar.gz']
    assert files(tmp_path) == ['maps/train/1.jpg', 'maps/val/2.jpg']


def is_open(pid, name):
    """Whether a process has a file of this name open."""
    folder = pathlib.Path('/proc', str(pid), 'fd')
    return any(os.path.basename(os.path.realpath(str(fd))) == name for fd in folder.iterdir())


def test_a_dataset_that_is_there_is_only_read(tmp_path):
    (tmp_path / 'maps').mkdir()
    before = os.stat(str(tmp_path)).st_mtime_ns
    assert download.fetch('maps', str(tmp_path), NOWHERE) == str(tmp_path / 'maps')
    assert os.listdir(str(tmp_path)) == ['maps']
    assert os.stat(str(tmp_path)).st_mtime_ns == before


def test_what_macos_adds_to_an_archive_is_left_out(tmp_path):
    names = ['._maps', 'maps/._train', 'maps/train/1.jpg', 'maps/train/._1.jpg', 'maps/.DS_Store']
    source = tmp_path / 'maps.tar.gz'
    source.write_bytes(archive(dict.fromkeys(names, b'1')))
    download.fetch('maps', str(tmp_path / 'root'), f'file://{source}')
    assert files(tmp_path / 'root') == ['maps/train/1.jpg']
