"""Pairs are made in spite of kills, full disks, damaged files and missing packages."""

import os
import shutil
import signal
import subprocess

import pytest
from PIL import Image
from support.helpers import error_line, run_command, run_real_command, start_command, wait_until
from support.odd_files import mutants
from support.photos import make, pair_of, tree, write_photo

from pix2pix_tf.system import locks


def wait_for_files(folder, count):
    wait_until(lambda: len(tree(folder)) >= count, f'{count} files')


def test_a_killed_run_is_resumed_to_the_same_bytes(tmp_path):
    photos = tmp_path / 'photos'
    for number in range(60):
        write_photo(photos / f'{number}.png', number, (96, 96))
    flags = ['make', f'--photos={photos}', '--split=train:0.8,val:0.2', '--processes=2']
    run_command('pairs', *flags, f'--to={tmp_path / "whole"}')
    to, unfinished = tmp_path / 'to', 0
    to.mkdir()
    for attempt in range(30):
        process = start_command('pairs', *flags, f'--to={to}')
        if attempt:  # else at once, most likely before the first file
            wait_for_files(to, 15 * (unfinished + 1))
        process.kill()
        process.wait()
        with locks.locked(str(to)):  # its processes have ended as well
            made = {path: data for path, data in tree(to).items() if path.endswith('.jpg')}
        for path, data in made.items():
            assert data[:2] == b'\xff\xd8' and data[-2:] == b'\xff\xd9', path
        if len(made) == 60:  # it was faster than the kill: from the beginning
            shutil.rmtree(str(to))
            to.mkdir()
        elif made:
            unfinished += 1
        if unfinished == 3:
            break
    assert unfinished > 0
    result = run_command('pairs', *flags, f'--to={to}')
    assert (result.returncode, result.stderr) == (0, '')
    assert tree(to) == tree(tmp_path / 'whole')


def test_processes_end_with_a_killed_command(tmp_path):
    photos = tmp_path / 'photos'
    write_photo(photos / '0.png', 1, (256, 256))
    for number in range(1, 4000):
        os.link(str(photos / '0.png'), str(photos / f'{number}.png'))
    process = start_command(
        'pairs', 'make', f'--photos={photos}', f'--to={tmp_path / "to"}', '--processes=2'
    )
    wait_for_files(tmp_path / 'to', 2)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    with locks.locked(str(tmp_path / 'to')):  # which the processes held as well
        pass


def test_mutated_files_are_made_or_named(tmp_path):
    photos, to = tmp_path / 'photos', tmp_path / 'to'
    photos.mkdir()
    files = {f'{number}-{name}': data for number, (name, data) in zip(range(300), mutants())}
    for name, data in files.items():
        (photos / name).write_bytes(data)
    result = make(photos, to, '--size=32', '--split=train:0.5,val:0.5', timeout=100)
    assert (result.returncode, result.stderr) == (0, '')
    made = [path for path in tree(to) if path.endswith('.jpg')]
    left_out = [line for line in result.stdout.splitlines() if line.startswith('left out: ')]
    assert len(made) + len(left_out) == 300 and len(made) > 10
    for path in made:
        with Image.open(str(to / path)) as image:
            image.load()
            assert image.size == (64, 32)


def test_a_full_disk_leaves_whole_files_only(tmp_path, photos):
    to = tmp_path / 'to'
    to.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=48k', 'tmpfs', str(to)]
    if subprocess.call(mount, stderr=subprocess.DEVNULL):
        pytest.skip('mounting takes root')
    try:
        line = error_line(make(photos, to, '--size=128', '--quality=100'), 1)
        assert f'cannot write {to}' in line and 'No space left on device' in line
        made = [path for path in tree(to) if path.endswith('.jpg')]
        assert len(made) < 12 and not list(to.glob('.*.tmp'))
        for path in made:
            assert pair_of(to / path)[0].shape == (128, 128, 3)
    finally:
        subprocess.call(['umount', '-l', str(to)])


def test_tensorflow_is_not_needed_and_missing_opencv_is_named(tmp_path, photos):
    for name in ('tensorflow', 'cv2'):
        (tmp_path / 'broken' / name).mkdir(parents=True)
    (tmp_path / 'broken' / 'tensorflow' / '__init__.py').write_text('import os; os._exit(7)')
    (tmp_path / 'broken' / 'cv2' / '__init__.py').write_text('raise ImportError("no cv2")')
    path = os.pathsep.join([str(tmp_path / 'broken'), os.environ.get('PYTHONPATH', '')])
    flags = ['make', f'--photos={photos}']
    environment = {'PYTHONPATH': os.pathsep.join([path, os.path.abspath('.')])}
    result = run_real_command(
        'pairs', *flags, f'--to={tmp_path / "a"}', '--input=gray', environment=environment
    )
    assert (result.returncode, result.stderr) == (0, '')
    result = run_real_command('pairs', *flags, f'--to={tmp_path / "b"}', environment=environment)
    assert 'OpenCV is missing (no cv2): `make setup` installs it' in error_line(result, 1)


def test_a_run_that_made_nothing_does_not_fix_the_options(tmp_path):
    photos, to = tmp_path / 'photos', tmp_path / 'to'
    write_photo(photos / 'a.png', 1, (6000, 6000))
    result = make(photos, to, '--split=train:0.9,val:0.1')
    assert 'no pair could be made' in error_line(result, 1)
    assert ': scale it with --size\n' in result.stdout and 'too few files' not in result.stdout
    result = make(photos, to, '--split=train:0.9,val:0.1', '--size=64')
    assert (result.returncode, result.stderr) == (0, '')
    assert len([name for name in tree(to) if name.endswith('/a.jpg')]) == 1
    result = make(photos, to, '--split=train:0.9,val:0.1', '--size=32')
    assert 'was made with --size 64, not 32' in error_line(result, 2)
