"""The Makefile passes its variables on, whatever characters they contain."""

import os
import re
import shutil
import sys

import pytest
from support.helpers import ROOT, run_process

from pix2pix_tf import options_file
from pix2pix_tf.config import Config

WEIRD = ['two  spaces', "kid's", 'a$b', 'a$(b)', 'a"b', 'a;b', 'a\\b', 'ä', '#1', 'a%b']
WEIRD += ['a$(', 'a${', '$(shell touch ran)', '`touch ran`']

# Responses to the queries of bin/on-dataset before it runs a container
ANSWERS = """
case "$1 $2" in
    "info -f") printf %s "$SECURITY"; exit ;;
    "image inspect") exit "${MISSING:-0}" ;;
esac
"""


@pytest.fixture
def make(tmp_path):
    """A function: what `make TARGET VARIABLE=value ...` runs, one list of arguments per command."""
    stamp = tmp_path / '.installed'
    stamp.write_text('')
    programs = tmp_path / 'programs'
    programs.mkdir()
    for name in ('python', 'docker'):
        program = programs / name
        program.write_text(f'#!/bin/sh\n{ANSWERS}\nprintf "<%s>" "${{0##*/}}" "$@"\necho\n')
        program.chmod(0o755)

    def run(target, environment=None, **variables):
        result = run_process(
            'make',
            '--no-print-directory',
            '-C',
            ROOT,
            target,
            'RUNTIME=tf2',  # saves the search for a Python
            f'RUN={programs}/python',
            f'STAMP={stamp}',
            *[f'{name}={value}' for name, value in variables.items()],
            environment={
                'PATH': f'{programs}:{os.environ["PATH"]}',
                'HOME': str(tmp_path),
                **(environment or {}),
            },
        )
        lines = [line[1:-1].split('><') for line in result.stdout.splitlines() if line[:1] == '<']
        return lines, result

    return run


def test_names_are_downloaded_and_trained_on(make):
    (data, train), _ = make('train', DATA='maps')
    assert data == ['python', 'bin/pix2pix-data', '--name=maps', '--root=data/pix2pix']
    assert train[:4] == [
        'python',
        'bin/pix2pix-train',
        '--data=data/pix2pix/maps/train',
        '--out=out/maps',
    ]
    (data, train), _ = make('train', DATA='maps', DATA_ROOT='/d', DATA_URL='file:///a b', OUT='/o')
    assert data[2:] == ['--name=maps', '--root=/d', '--url=file:///a b']
    assert train[2:4] == ['--data=/d/maps/train', '--out=/o']


@pytest.mark.parametrize('data', ['demo', 'data/demo', './demo/'])
def test_a_training_on_the_drawn_facades_is_apart_from_that_of_make_demo(make, data):
    commands, _ = make('demo')
    assert {'--out=out/demo'} == {word for line in commands for word in line if '--out' in word}
    for target in ('train', 'export', 'plot', 'check-pairs'):
        assert '--out=out/demo-full' in make(target, DATA=data)[0][-1]
    assert '--model=out/demo-full' in make('serve', DATA=data)[0][-1]
    assert '--out=out/demo' in make('train', DATA=data, OUT='out/demo')[0][-1]


def test_limits_and_flags_are_passed_on(make):
    (_, train), _ = make('train', EPOCHS=3, ARGS="--ngf=8 --val_data='a b'")
    assert train[-3:] == ['--max_epochs=3', '--ngf=8', '--val_data=a b']
    (_, train), _ = make('train', STEPS=9)
    assert train[-1] == '--max_steps=9'
    for target in ('export', 'evaluate'):
        (_, command), _ = make(target, ARGS='--seed=1')
        assert command == [
            'python',
            f'bin/pix2pix-{target}',
            '--data=data/pix2pix/facades/val',
            '--out=out/facades',
            '--seed=1',
        ]
    ([plot], _), (board, _) = make('plot', DATA='maps'), make('tensorboard', OUT='/o')
    assert plot == ['python', 'bin/pix2pix-plot', '--out=out/maps']
    assert board == [['python', 'bin/tensorboard', '--logdir=/o']]
    [evaluate], _ = make('evaluate', ARGS='--join')
    assert evaluate == ['python', 'bin/pix2pix-evaluate', '--out=out/facades', '--join']


def test_lpips_is_fetched_to_a_file_that_other_targets_use(make, tmp_path):
    weights = '--lpips=data/lpips-alex.npz'
    assert make('lpips', ARGS='--seed=1')[0] == [['python', 'bin/pix2pix-data', weights]]
    path = tmp_path / "kid's"
    assert make('lpips', LPIPS=str(path))[0][0][2:] == [f'--lpips={path}']
    for target in ('train', 'export', 'evaluate'):
        assert weights in make(target, LPIPS=1)[0][-1]
        assert f'--lpips={path}' in make(target, LPIPS=str(path))[0][-1]
        assert not [word for word in make(target)[0][-1] if 'lpips' in word]
    commands, result = make('docker-evaluate', LPIPS=str(path), OUT=str(tmp_path))
    assert commands == [] and f'LPIPS: there is no {path}: run make lpips first' in result.stderr
    path.write_text('')
    evaluate = make('docker-evaluate', LPIPS=str(path), OUT=str(tmp_path))[0][-1]
    assert f'{path}:/lpips.npz:ro' in evaluate and evaluate[-1] == '--lpips=/lpips.npz'


@pytest.mark.parametrize('target', ['export', 'evaluate'])
def test_a_folder_of_a_training_is_enough(make, tmp_path, target):
    out = tmp_path / "kid's"
    (_, command), _ = make(target, OUT=str(out))
    assert command[2:] == ['--data=data/pix2pix/facades/val', f'--out={out}']
    out.mkdir()
    options_file.save(Config(), str(out), options_file.Data('/mine/train', 'abc'))
    [command], _ = make(target, OUT=str(out), ARGS='--seed=1')
    assert command == ['python', f'bin/pix2pix-{target}', f'--out={out}', '--seed=1']
    (data, command), _ = make(target, OUT=str(out), DATA='facades')
    assert data[1] == 'bin/pix2pix-data'
    assert command[2:] == ['--data=data/pix2pix/facades/val', f'--out={out}']
    (_, command), _ = make(target, {'DATA': 'maps'}, OUT=str(out))
    assert command[2:] == ['--data=data/pix2pix/maps/val', f'--out={out}']


def test_a_dollar_in_flags_is_kept(make):
    [serve], _ = make('serve', ARGS="--token='pa$sword' --group='(.*)_[0-9]+$'")
    assert serve[-2:] == ['--token=pa$sword', '--group=(.*)_[0-9]+$']


@pytest.mark.parametrize('name', WEIRD)
def test_any_path_works(make, tmp_path, name):
    folder = tmp_path / name
    (folder / 'val').mkdir(parents=True)
    [train], result = make('train', DATA=f'{folder}/', OUT=f'{tmp_path}/out {name}')
    assert result.returncode == 0, result.stderr
    assert train[2:] == [
        f'--data={folder}/train',
        f'--out={tmp_path}/out {name}',
        f'--val_data={folder}/val',
    ]
    [export], _ = make('export', DATA=str(folder))
    assert export[2:] == [f'--data={folder}/val', f'--out=out/{name}']


def test_a_slash_at_the_end_makes_a_path(make):
    [train], _ = make('train', DATA='facades/')
    assert train[2:4] == ['--data=./facades/train', '--out=out/facades']
    [pairs], _ = make('pairs', DATA='mine/', PHOTOS='photos')
    assert '--to=./mine' in pairs
    [export], _ = make('docker-export', DATA='/mine')
    assert export[export.index('-v') + 1] == '/:/data'


def test_a_tilde_is_the_home_folder(make, tmp_path):
    [train], _ = make('train', DATA='~/x', OUT='~/o')
    assert train[2:4] == [f'--data={tmp_path}/x/train', f'--out={tmp_path}/o']


def test_commands_for_a_trained_generator_get_what_was_typed(make):
    [predict], _ = make('predict', IN="kid's/a$b.png", TO='to  there', ARGS='--seed=1')
    assert predict[2:] == ['--model=out/facades', '--to=to  there', '--seed=1', "kid's/a$b.png"]
    [predict], _ = make('predict', IN='a.png', INPUT='auto')
    assert predict[2:] == ['--model=out/facades', '--input=auto', 'a.png']
    [convert], _ = make('convert', MODEL='/m', FORMAT='onnx')
    assert convert[1:] == ['bin/pix2pix-convert', '--model=/m', '--format=onnx']
    [serve], _ = make('serve', DATA='maps', PORT=9000, TO='/nowhere')
    assert serve[1:] == ['bin/pix2pix-serve', '--model=out/maps', '--port=9000']
    [page], _ = make('page', OUT='/o', TO='/t')
    assert page[1:] == ['bin/pix2pix-page', '--model=/o', '--to=/t']


def test_validation_images_are_optional(make, tmp_path):
    (tmp_path / 'x').mkdir()
    [train], _ = make('train', DATA=f'{tmp_path}/x')
    assert not [flag for flag in train if flag.startswith('--val_data')]


def test_no_data_is_one_line(make):
    commands, result = make('train', DATA='')
    assert commands == []
    assert result.stderr.splitlines()[0] == 'DATA is empty: give a name, or a path with a /'


@pytest.mark.parametrize('name', ['x', *WEIRD])
def test_a_container_gets_the_folders_of_the_data_and_of_the_output(make, tmp_path, name):
    folder, out = tmp_path / name, tmp_path / 'o ut'
    (folder / 'val').mkdir(parents=True)
    [train], result = make('docker-train', DATA=str(folder), OUT=str(out), GPUS='', STEPS=3)
    assert result.returncode == 0, result.stderr
    at = train.index('pix2pix_tf')
    user = f'{os.getuid()}:{os.getgid()}'
    assert train[:5] == ['docker', 'run', '--rm', '--user', user]
    assert train[5] == '-e' and train[6].startswith('PIX2PIX_WORDS=data=DATA ')
    assert train[7:at] == ['-v', f'{tmp_path}:/data', '-v', f'{out}:/out']
    assert train[at + 1 : at + 4] == ['pix2pix-train', f'--data=/data/{name}/train', '--out=/out']
    assert set(train[at + 4 :]) == {f'--val_data=/data/{name}/val', '--max_steps=3'}
    [export], _ = make('docker-export', DATA=str(folder), OUT=str(out))
    assert export[3:5] == ['--gpus', 'all']
    assert export[-3:] == ['pix2pix-export', f'--data=/data/{name}/val', '--out=/out']


def test_a_container_sees_the_archive_of_a_file_url(make, tmp_path):
    root = tmp_path / 'root'
    root.mkdir()
    variables = {'DATA': 'maps', 'DATA_ROOT': str(root), 'OUT': str(tmp_path / 'o')}
    commands, result = make('docker-train', DATA_URL='file:///x/maps.tar.gz', **variables)
    assert commands == [] and 'DATA_URL: no such file: /x/maps.tar.gz' in result.stderr
    archive = tmp_path / 'ma ps.tar.gz'
    archive.write_bytes(b'')
    (data, _), _ = make('docker-train', DATA_URL=f'file://{archive}', **variables)
    assert f'{archive}:/archive.tar.gz:ro' in data
    assert data[-3:] == ['--name=maps', '--root=/data', '--url=file:///archive.tar.gz']
    (data, _), _ = make('docker-train', DATA_URL='http://x/y', **variables)
    assert data[-1] == '--url=http://x/y'
    # With the dataset present, the archive may be missing
    (root / 'maps').mkdir()
    archive.unlink()
    (data, _), _ = make('docker-train', DATA_URL=f'file://{archive}', **variables)
    assert '/dev/null:/archive.tar.gz:ro' in data
    shutil.rmtree(str(root))


def test_containers_that_are_missing_or_rootless(make, tmp_path):
    variables = {'DATA': str(tmp_path / 'x'), 'OUT': str(tmp_path / 'o')}
    commands, result = make('docker-train', {'MISSING': '1'}, **variables)
    assert commands == [] and not (tmp_path / 'o').exists()
    assert result.stderr.startswith('image pix2pix_tf not found: run make docker to build it')
    [train], _ = make('docker-train', {'MISSING': '1'}, IMAGE='registry/x', **variables)
    assert 'registry/x' in train
    [train], _ = make('docker-train', {'SECURITY': '[name=seccomp name=rootless]'}, **variables)
    assert train[train.index('--user') + 1] == '0:0'


def test_pairs_are_made_from_photos_or_from_two_folders(make, tmp_path):
    data, photos = tmp_path / 'mi ne', tmp_path / "pho'tos"
    [command], _ = make('pairs', DATA=str(data), PHOTOS=str(photos), INPUT='grey', ARGS='--size=64')
    assert command == [
        'python',
        'bin/pix2pix-pairs',
        'make',
        f'--photos={photos}',
        '--input=grey',
        f'--to={data}',
        '--split=train:0.9,val:0.1',
        '--size=64',
    ]
    [command], _ = make('pairs', DATA=str(data), A='~/a', B='b')
    assert command[2:5] == ['combine', f'--a={tmp_path}/a', '--b=b']
    [command], _ = make('check-pairs', DATA=str(data))
    assert command[2:] == ['check', str(data), '--out=out/mi ne']


@pytest.mark.parametrize(
    'variables, words',
    [
        ({'PHOTOS': 'x'}, 'DATA is facades'),
        ({'DATA': './x'}, 'give PHOTOS or A and B'),
        (
            {'DATA': './x', 'A': 'a', 'B': 'b', 'INPUT': 'edges'},
            'give either PHOTOS, and INPUT if wanted, or A and B',
        ),
        (
            {'DATA': './x', 'A': 'a', 'PHOTOS': 'x'},
            'give either PHOTOS, and INPUT if wanted, or A and B',
        ),
    ],
)
def test_make_pairs_needs_a_folder_and_photos(make, variables, words):
    commands, result = make('pairs', **variables)
    assert commands == [] and words in result.stderr.splitlines()[0]


@pytest.mark.parametrize(
    'target, variables, words',
    [
        ('train', {'DATA_ROOT': ''}, 'DATA_ROOT is empty'),
        ('train', {'RUNTIME': 'tf3'}, "RUNTIME is 'tf3': it must be tf1 or tf2"),
        (
            'reproduce',
            {'EPOCHS': 1, 'DATA': '/x'},
            'make reproduce does not take EPOCHS or WORKERS',
        ),
        ('demo', {'STEPS': 5}, 'make demo trains for 1000 steps'),
        ('plot', {'RUN': '/gone/python'}, '/gone/python is missing'),
    ],
)
def test_invalid_variables_are_rejected(make, target, variables, words):
    commands, result = make(target, **variables)
    assert commands == [] and result.returncode != 0 and words in result.stderr


@pytest.fixture
def draw(tmp_path):
    """A function: what `make draw` runs for a MODEL and a PORT, and the error if there is one."""
    program = tmp_path / 'python'
    program.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    program.chmod(0o755)

    def run(model='', port='', python=str(program)):
        with open(os.path.join(ROOT, 'Makefile')) as file:
            [names] = re.findall('(?m)^TYPED := (.*)$', file.read())
        given = dict.fromkeys([f'PIX2PIX_{name}' for name in names.split()], '')
        given.update(PIX2PIX_DATA='facades', PIX2PIX_DATA_ROOT='data', PIX2PIX_MODEL=model)
        command = ['sh', 'bin/on-dataset', python, 'draw']
        result = run_process(*command, cwd=ROOT, environment=dict(given, PIX2PIX_PORT=port))
        return result.stdout[1:-1].split('><'), result.stderr

    return run


def test_make_draw_takes_onnx_files_and_names(draw, tmp_path):
    folder = tmp_path / 'folder'
    folder.mkdir()
    (folder / 'model.onnx').write_bytes(b'')
    serve = ['bin/pix2pix-serve', f'--model={folder}/model.onnx', '--open', '--port=9000']
    assert draw(f'{folder}/model.onnx', '9000') == (serve, '')
    assert draw(str(folder))[0][1:] == [f'--model={folder}', '--open']
    (tmp_path / 'model-5.index').write_bytes(b'')
    for python in ('', 'python'):  # before the installation, and later
        assert f'MODEL: there is no {tmp_path}/none: ' in draw(f'{tmp_path}/none', python=python)[1]
        error = draw(f'{tmp_path}/model-5', python=python)[1]
        assert 'make draw takes only ONNX files, because it has no TensorFlow; run make' in error


@pytest.mark.parametrize(
    'target, variables, words',
    [
        ('train', {'STEPS': 0}, 'pix2pix-train: STEPS is 0: it must be at least 1'),
        ('train', {'EPOCHS': 'x'}, "pix2pix-train: EPOCHS is 'x': it must be a whole number"),
        ('train', {'WORKERS': 0}, 'pix2pix-train: WORKERS is 0: it must be at least 1'),
        ('train', {'ARGS': '--ngf=0'}, 'pix2pix-train: --ngf is 0: it must be at least 1'),
        ('data', {'DATA': 'x'}, "pix2pix-data: DATA is 'x', which is not a known dataset"),
        ('serve', {'PORT': 70000}, 'pix2pix-serve: PORT is 70000: it must be at most 65535'),
        (
            'pairs',
            {'PHOTOS': 'tests', 'DATA': 'tests/'},
            'pix2pix-pairs: DATA is ./tests, and tests is in it',
        ),
    ],
)
def test_messages_use_the_words_that_were_typed(make, target, variables, words):
    variables = {'DATA': './x', 'RUN': sys.executable, **variables}
    _, result = make(target, **variables)
    assert words in result.stderr.splitlines()[0]


def test_tensorboard_starts_without_the_messages_of_tensorflow(make, tmp_path):
    _, result = make('tensorboard', OUT=str(tmp_path), RUN=sys.executable, ARGS='--inspect')
    assert (result.returncode, result.stderr) == (0, '')
    assert str(tmp_path) in result.stdout


def test_help_has_flags_even_if_make_shows_it(make):
    _, result = make('train', DATA='./x', RUN=sys.executable, ARGS='--help')
    assert 'Total number of steps; replaces --max_epochs.' in result.stdout


@pytest.mark.parametrize(
    'name, words',
    [
        ('STEP', 'did you mean STEPS?'),
        ('steps', 'did you mean STEPS?'),
        ('EPCOHS', 'did you mean EPOCHS?'),
        ('DATASET', 'did you mean DATA?'),
        ('OUT_DIR', 'did you mean OUT?'),
        ('BATCH_SIZE', 'give the option as ARGS=--batch_size=...'),
        ('CHECKPOINT', 'give the option as ARGS=--checkpoint=...'),
        ('SPEED', 'see make help'),
    ],
)
def test_unknown_variables_are_refused_with_the_nearest_one(make, name, words):
    outermost = {'MAKELEVEL': '0'}
    commands, result = make('train', outermost, **{'DATA': './x', name: '3 STEPS=4'})
    assert commands == [] and result.returncode == 2
    assert f'*** {name} is not a variable: {words}' in result.stderr.splitlines()[0]


def test_variables_for_the_environment_are_let_through(make):
    for name in ('CUDA_VISIBLE_DEVICES', 'TF_CPP_MIN_LOG_LEVEL', 'PIP_INDEX_URL', 'PYTHONPATH'):
        [train], result = make('train', {'MAKELEVEL': '0'}, **{'DATA': './x', name: '3'})
        assert result.returncode == 0


def test_the_code_is_that_of_this_folder(make):
    """Even in a copy of a clone, whose environment refers to the first one."""
    result = run_process('make', '-C', ROOT, '-pn', 'help', environment={'PYTHONPATH': '/mine'})
    assert f'PYTHONPATH := {ROOT}:/mine\n' in result.stdout
