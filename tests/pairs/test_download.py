"""Datasets: downloads from a server on loopback, unpacking, and the demo, which is drawn."""

import http.server
import os
import pathlib
import re
import tarfile
import threading

import numpy as np
import pytest
from PIL import Image
from support.archived import archive
from support.helpers import error_line, fork_command, run_command, serving, wait_until

from pix2pix_tf.pairs import download, draw, find
from pix2pix_tf.system.errors import DataError, UsageError

NOWHERE = 'http://127.0.0.1:9/facades.tar.gz'


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.contents` as any path, with ranges; breaks off after `server.limit` bytes."""

    def do_GET(self):
        server = self.server
        if server.status:
            self.send_error(server.status)
            return
        body, wanted = server.contents, self.headers.get('Range')
        server.ranges.append(wanted)
        start = 0
        if wanted and self.headers.get('If-Range') == server.etag:
            start = int(re.match('bytes=([0-9]+)-$', wanted).group(1))
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header('Content-Range', f'bytes {start}-{len(body) - 1}/{len(body)}')
        else:
            self.send_response(200)
        body = body[start:]
        self.send_header('Content-Length', str(len(body)))
        self.send_header('ETag', server.etag)
        self.end_headers()
        self.wfile.write(body if server.limit is None else body[: server.limit])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with serving(Handler) as server:
        server.url += '/facades.tar.gz'
        server.contents = archive(
            {'facades/train/1.jpg': os.urandom(200000), 'facades/val/2.jpg': b'2'}
        )
        server.etag, server.limit, server.status = '"one"', None, None
        server.ranges = []  # that were asked for
        yield server


def tree(folder):
    """Every file and folder below, including hidden ones, except for the lock."""
    paths = [path for path in pathlib.Path(str(folder)).rglob('*') if path.suffix != '.lock']
    return sorted(str(path.relative_to(str(folder))) for path in paths)


WHOLE = ['facades', 'facades/train', 'facades/train/1.jpg', 'facades/val', 'facades/val/2.jpg']


def test_a_whole_archive_is_unpacked_and_nothing_else_left(server, tmp_path):
    assert download.fetch('facades', str(tmp_path), server.url) == str(tmp_path / 'facades')
    assert tree(tmp_path) == WHOLE
    assert (tmp_path / 'facades' / 'val' / '2.jpg').read_bytes() == b'2'


def test_existing_files_are_kept(server, tmp_path):
    (tmp_path / 'facades').mkdir()
    download.fetch('facades', str(tmp_path), server.url)
    assert server.ranges == []
    assert tree(tmp_path) == ['facades']


def test_a_broken_download_is_resumed(server, tmp_path):
    server.limit = 100000
    with pytest.raises(DataError) as error:
        download.fetch('facades', str(tmp_path), server.url)
    assert f'it ended after 100000 of {len(server.contents)} bytes' in str(error.value)
    assert not (tmp_path / 'facades').exists()
    server.limit = None
    download.fetch('facades', str(tmp_path), server.url)
    assert server.ranges == [None, 'bytes=100000-']
    assert tree(tmp_path) == WHOLE


def test_a_download_that_has_changed_starts_again(server, tmp_path):
    server.limit = 1000
    with pytest.raises(DataError):
        download.fetch('facades', str(tmp_path), server.url)
    server.limit = None
    server.etag = '"two"'
    server.contents = archive({'facades/train/1.jpg': b'new'})
    download.fetch('facades', str(tmp_path), server.url)
    assert (tmp_path / 'facades' / 'train' / '1.jpg').read_bytes() == b'new'


def test_a_complete_download_is_not_fetched_again(server, tmp_path):
    (tmp_path / '.facades.tar.gz.part').write_bytes(server.contents)
    (tmp_path / '.facades.tar.gz.part.tag').write_text(server.etag)
    download.fetch('facades', str(tmp_path), server.url)
    assert server.ranges == [f'bytes={len(server.contents)}-']
    assert tree(tmp_path) == WHOLE


def test_a_missing_archive_is_one_line_with_url_and_place(server, tmp_path):
    server.status = 404
    result = run_command('data', f'--root={tmp_path}', f'--url={server.url}')
    line = error_line(result, 1)
    assert server.url in line and '404' in line and str(tmp_path / 'facades') in line
    assert tree(tmp_path) == []


def test_no_network_is_one_line_with_url_and_place(tmp_path):
    url = 'http://127.0.0.1:9/facades.tar.gz'
    line = error_line(run_command('data', f'--root={tmp_path}', f'--url={url}'), 1)
    assert url in line and 'refused' in line and str(tmp_path / 'facades') in line


def test_a_file_url_works(server, tmp_path):
    source = tmp_path / 'a.tar.gz'
    source.write_bytes(server.contents)
    result = run_command('data', f'--root={tmp_path / "data"}', f'--url=file://{source}')
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout == f'data: {tmp_path / "data" / "facades"}\n'
    assert tree(tmp_path / 'data') == WHOLE


@pytest.mark.parametrize('cut', [0, 100, 100000])
def test_an_incomplete_archive_is_rejected_and_fetched_again(server, tmp_path, cut):
    whole = server.contents
    server.contents = whole[:cut] or b'<html>no archive</html>'
    with pytest.raises(DataError) as error:
        download.fetch('facades', str(tmp_path), server.url)
    assert 'is not a complete .tar.gz' in str(error.value)
    assert tree(tmp_path) == []
    server.contents = whole
    download.fetch('facades', str(tmp_path), server.url)
    assert tree(tmp_path) == WHOLE


def test_a_damaged_archive_is_refused(server, tmp_path):
    damaged = bytearray(server.contents)
    damaged[len(damaged) // 2] ^= 255
    server.contents = bytes(damaged)
    with pytest.raises(DataError):
        download.fetch('facades', str(tmp_path), server.url)
    assert tree(tmp_path) == []


@pytest.mark.parametrize(
    'name', ['../evil', 'facades/../../evil', '/tmp/evil', 'facades/..', '..\\evil']
)
def test_members_that_would_leave_the_folder_are_refused(server, tmp_path, name):
    server.contents = archive({'facades/train/1.jpg': b'1', name: b'evil'})
    root = tmp_path / 'root'
    with pytest.raises(DataError) as error:
        download.fetch('facades', str(root), server.url)
    assert 'would leave its folder' in str(error.value)
    assert tree(tmp_path) == ['root']
    assert not os.path.exists('/tmp/evil')


@pytest.mark.parametrize(
    'kind', [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_members_that_are_not_files_are_refused(server, tmp_path, kind):
    server.contents = archive({'facades/x': b''}, type=kind, linkname='/etc/passwd')
    with pytest.raises(DataError) as error:
        download.fetch('facades', str(tmp_path), server.url)
    assert "'facades/x' is neither a file nor a folder" in str(error.value)
    assert tree(tmp_path) == []


def test_an_archive_of_something_else_is_refused(server, tmp_path):
    server.contents = archive({'maps/train/1.jpg': b'1'})
    with pytest.raises(DataError) as error:
        download.fetch('facades', str(tmp_path), server.url)
    assert 'has no folder facades' in str(error.value)


def test_permissions_are_not_taken_from_the_archive(server, tmp_path):
    server.contents = archive({'facades/train/1.jpg': b'1'}, mode=0o4777)
    download.fetch('facades', str(tmp_path), server.url)
    assert os.stat(str(tmp_path / 'facades/train/1.jpg')).st_mode & 0o4111 == 0


@pytest.mark.parametrize('name', ['', '..', '.hidden', 'a/b', 'a b'])
def test_names_that_cannot_be_a_folder_of_the_root_are_refused(tmp_path, name):
    with pytest.raises(UsageError) as error:
        download.fetch(name, str(tmp_path))
    assert 'is not a known dataset (cityscapes, edges2handbags' in str(error.value)
    assert tree(tmp_path) == []


@pytest.mark.parametrize('url', ['/data/facades.tar.gz', 'facades.tar.gz', 'http://[', 'x:y'])
def test_a_path_instead_of_a_url_is_one_line(tmp_path, url):
    result = run_command('data', f'--root={tmp_path}', f'--url={url}')
    assert url in error_line(result, 1 if url == 'x:y' else 2)
    assert result.stderr.count('file:///folder/facades.tar.gz') == (url != 'x:y')


def files(folder):
    """The files below a folder, including hidden ones, except for the lock."""
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


def test_the_demo_is_complete_or_missing(tmp_path, monkeypatch):
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


def test_an_existing_dataset_is_only_read(tmp_path):
    (tmp_path / 'maps').mkdir()
    before = os.stat(str(tmp_path)).st_mtime_ns
    assert download.fetch('maps', str(tmp_path), NOWHERE) == str(tmp_path / 'maps')
    assert os.listdir(str(tmp_path)) == ['maps']
    assert os.stat(str(tmp_path)).st_mtime_ns == before


def test_hidden_files_of_macos_are_left_out(tmp_path):
    names = ['._maps', 'maps/._train', 'maps/train/1.jpg', 'maps/train/._1.jpg', 'maps/.DS_Store']
    source = tmp_path / 'maps.tar.gz'
    source.write_bytes(archive(dict.fromkeys(names, b'1')))
    download.fetch('maps', str(tmp_path / 'root'), f'file://{source}')
    assert files(tmp_path / 'root') == ['maps/train/1.jpg']
