"""Where pix2pix-predict writes: it replaces no other file, and writes none twice."""

import os

import pytest
from PIL import Image
from support.helpers import contents, error_line, pair_pixels, run_command, write_cut_off

from pix2pix_tf.inference import files
from pix2pix_tf.pairs import find
from pix2pix_tf.system.errors import UsageError


def test_samples_and_previews_stay_apart_from_results_and_inputs(tmp_path):
    def plan(*names, samples=1):
        inputs = [(str(tmp_path / name), name) for name in names]
        return files.plan(inputs, str(tmp_path), '{name}-of', samples)

    for name in ('a.jpg', 'a-of-2.png', 'b-of.jpg'):
        (tmp_path / name).write_bytes(b'')
    assert plan('a.jpg', 'a-of-2.png')
    with pytest.raises(UsageError, match='/a-of-2.png is one of the inputs'):
        plan('a.jpg', 'a-of-2.png', samples=2)
    (tmp_path / 'previews').mkdir()
    (tmp_path / 'previews' / 'a-of.jpg').write_bytes(b'')
    with pytest.raises(UsageError, match='/previews/a-of.jpg is one of the inputs'):
        plan('a.jpg', 'previews/a-of.jpg')
    (tmp_path / 'a-2.png').write_bytes(b'')
    inputs = [(str(tmp_path / name), name) for name in ('a.jpg', 'a-2.png')]
    with pytest.raises(UsageError, match='would both become .*/to/a-2.png'):
        files.plan(inputs, str(tmp_path / 'to'), samples=2)


def test_names_that_cannot_be_printed_do_not_stop_the_run(trained, tmp_path):
    folder = tmp_path / 'in'
    folder.mkdir()
    write_cut_off(folder / os.fsdecode(b'caf\xe9.png'))
    Image.fromarray(pair_pixels(1)).save(str(folder / 'z.png'))
    flags = [f'--model={trained}', f'--to={tmp_path / "to"}']
    result = run_command('predict', *flags, str(folder))
    assert error_line(result, 1) == 'pix2pix-predict: 1 of 2 images failed, as named above'
    assert (tmp_path / 'to' / 'z.png').exists()


def test_files_of_other_programs_are_named_and_kept(trained, tmp_path):
    Image.fromarray(pair_pixels(1)).save(str(tmp_path / 'x.png'))
    to = tmp_path / 'to'
    to.mkdir()
    (to / 'index.html').write_text('<title>My page</title>')
    command = 'predict', f'--model={trained}', f'--to={to}', str(tmp_path / 'x.png')
    assert f'{to}/index.html was not written by pix2pix_tf' in error_line(run_command(*command), 2)
    assert contents(to) == {'index.html': b'<title>My page</title>'}
    (to / 'index.html').unlink()
    (to / 'previews').write_text('')
    assert f'cannot write {to}/previews' in error_line(run_command(*command), 1)


def test_results_stay_apart(tmp_path):
    for folder in ('p', 'q'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'x.png').write_bytes(b'')
    inputs = [(str(tmp_path / folder / 'x.png'), 'x.png') for folder in ('p', 'q')]
    with pytest.raises(UsageError, match='would both become'):
        files.plan(inputs, str(tmp_path / 'to'))
    names = ('plain', '{other}', '{name', '../{name}', '{name.png}', '{name}{name[a]}', '{}')
    for name in names:
        with pytest.raises(UsageError, match='`name` is'):
            files.plan(inputs[:1], str(tmp_path / 'to'), name)


def test_only_earlier_results_are_replaced(trained, tmp_path):
    for name in ('house.jpg', 'house.png'):
        Image.fromarray(pair_pixels(1)).save(str(tmp_path / name))
    before = contents(tmp_path)
    command = 'predict', f'--model={trained}', f'--to={tmp_path}', str(tmp_path / 'house.jpg')
    line = error_line(run_command(*command), 2)
    assert f'{tmp_path}/house.png is not an earlier result' in line and '--to' in line
    assert contents(tmp_path) == before
    for seed in (1, 2):
        result = run_command(*command, '--name={name}-of', f'--seed={seed}')
        assert (result.returncode, result.stderr) == (0, '')
    assert (tmp_path / 'house-of.png').exists()


def test_an_input_given_twice_is_predicted_once(tmp_path):
    Image.fromarray(pair_pixels(1)).save(str(tmp_path / 'a.jpg'))
    paths = [str(tmp_path), str(tmp_path / 'a.jpg'), f'{tmp_path}/./a.jpg']
    (tmp_path / 'link').symlink_to(tmp_path)
    found, _ = find.walk_images([*paths, str(tmp_path / 'link')], 'to')
    assert list(files.plan(found, 'to').values()) == ['to/a']


def test_each_link_to_a_file_is_predicted(tmp_path):
    """Some folders store files of equal contents once, with links."""
    Image.fromarray(pair_pixels(1)).save(str(tmp_path / 'a.jpg'))
    (tmp_path / 'b.jpg').symlink_to(tmp_path / 'a.jpg')
    found, _ = find.walk_images([str(tmp_path)], 'to')
    assert list(files.plan(found, 'to').values()) == ['to/a', 'to/b']


def test_results_next_to_their_inputs_are_not_inputs_of_the_next_run(trained_small, tmp_path):
    for name in ('a.jpg', 'b-2.png'):
        Image.fromarray(pair_pixels(1)).save(str(tmp_path / name))
    command = ['predict', f'--model={trained_small}', f'--to={tmp_path}', '--name={name}-output']
    runs = []
    for _ in range(2):
        result = run_command(*command, '--samples=2', '--seed=1', str(tmp_path))
        assert (result.returncode, result.stderr) == (0, '')
        assert 'wrote 4 images' in result.stdout
        runs.append(contents(tmp_path))
    assert runs[0] == runs[1]
    results = {f'{name}-output{end}' for name in ('a', 'b-2') for end in ('.png', '-2.png')}
    assert set(runs[0]) == {'a.jpg', 'b-2.png', 'index.html', *results}
    for name in ('a.jpg', 'b-2.png'):
        (tmp_path / name).unlink()
    line = error_line(run_command(*command, str(tmp_path)), 1)
    assert f'all images in {tmp_path} are results of an earlier run' in line
    assert contents(tmp_path)['index.html'] == runs[0]['index.html']
