"""Downloads, against a server on loopback."""

import http.server
import os
import pathlib
import re
import tarfile

import pytest
from support.archived import archive
from support.helpers import error_line, run_command, serving

from pix2pix_tf.pairs import download
from pix2pix_tf.system.errors import DataError, UsageError


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
    """Every file and folder below, hidden ones too, except for the lock."""
    paths = [path for path in pathlib.Path(str(folder)).rglob('*') if path.suffix != '.lock']
    return sorted(str(path.relative_to(str(folder))) for path in paths)


WHOLE = ['facades', 'facades/train', 'facades/train/1.jpg', 'facades/val', 'facades/val/2.jpg']


def test_a_whole_archive_is_unpacked_and_nothing_else_left(server, tmp_path):
    assert download.fetch('facades', str(tmp_path), server.url) == str(tmp_path / 'facades')
    assert tree(tmp_path) == WHOLE
    assert (tmp_path / 'facades' / 'val' / '2.jpg').read_bytes() == b'2'


def test_what_is_there_is_kept(server, tmp_path):
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
def test_an_archive_that_is_not_whole_is_refused_and_fetched_again(server, tmp_path, cut):
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
