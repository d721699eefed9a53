"""Which half is the input and which the target."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from support.archived import archive
from support.encoding import encoded
from support.helpers import contents, error_line, evaluate, pair_pixels, run_command, write_pair

from pix2pix_tf import options_file
from pix2pix_tf.evaluation import metrics
from pix2pix_tf.pairs import download

NAME = 'edges2shoes'


def edges(seed):
    """A pair with edges, black on white, on the left and a photo on the right: [256, 512, 3]."""
    left = np.full((256, 256, 3), 255, np.uint8)
    left[64:192:16, 32:224] = 0
    return np.concatenate([left, pair_pixels(seed, 256, 256)], axis=1)


def write_archive(path):
    """A made-up archive as the authors of the paper have them."""
    files = {
        f'{NAME}/{part}/{number}.png': encoded(edges(number))
        for part, count in (('train', 3), ('val', 2))
        for number in range(1, count + 1)
    }
    path.write_bytes(archive(files))


class Shoes:
    """What `make train export DATA=edges2shoes` has run, on a made-up archive of that name."""

    def __init__(self, folder):
        write_archive(folder / 'shoes.tar.gz')
        root, self.out = folder / 'root', folder / 'out'
        self.data = root / NAME
        self.fetched = self.run(
            'data', f'--name={NAME}', f'--root={root}', f'--url=file://{folder}/shoes.tar.gz'
        )
        flags = ['--ngf=4', '--ndf=4', '--max_steps=2', '--progress_freq=0']
        self.trained = self.run('train', f'--data={self.data}/train', f'--out={self.out}', *flags)
        self.export('--seed=1')
        self.images = contents(self.out / 'images')

    def run(self, command, *flags):
        result = run_command(command, *flags)
        assert (result.returncode, result.stderr) == (0, '')
        return result.stdout

    def export(self, *flags):
        self.run('export', f'--data={self.data}/val', f'--out={self.out}', *flags)


@pytest.fixture(scope='module')
def shoes(tmp_path_factory):
    return Shoes(tmp_path_factory.mktemp('shoes'))


def pixels(png):
    return np.array(Image.open(io.BytesIO(png)))


def assert_halves(images, inputs, targets):
    """That the images of an export are these halves (slices of columns) of the pairs."""
    for number in (1, 2):
        pair = edges(number)
        np.testing.assert_array_equal(pixels(images[f'{number}-inputs.png']), pair[:, inputs])
        np.testing.assert_array_equal(pixels(images[f'{number}-targets.png']), pair[:, targets])


LEFT, RIGHT = np.s_[:256], np.s_[256:]


def test_edges2shoes_learns_from_the_edges(shoes):
    assert shoes.trained.splitlines()[0] == (
        'direction AtoB: learns the right half from the left (BtoA is the reverse); halves of '
        '256x256 are scaled to 286x286 and cropped to 256x256'
    )
    assert options_file.load(str(shoes.out)).direction == 'AtoB'
    assert_halves(shoes.images, LEFT, RIGHT)


def test_the_saved_direction_is_that_of_every_export_and_evaluation(shoes, tmp_path):
    report = evaluate(str(shoes.data / 'val'), str(tmp_path), str(shoes.out / 'model-2'), seed=1)
    for row in report.images:
        name = row['name']
        kinds = [pixels(shoes.images[f'{name}-{kind}.png']) for kind in ('outputs', 'targets')]
        assert dict(metrics.compare(*kinds), name=name) == row
    with open(str(shoes.out / 'metrics.json')) as file:
        assert json.load(file)['images'] == report.images
    shoes.export('--direction=BtoA')
    assert_halves(contents(shoes.out / 'images'), RIGHT, LEFT)


def test_a_resumed_training_cannot_turn_round(shoes):
    flags = [f'--data={shoes.data}/train', f'--out={shoes.out}', '--ngf=4', '--ndf=4']
    line = error_line(run_command('train', *flags, '--max_steps=3', '--direction=BtoA'), 1)
    assert '--direction was AtoB, now BtoA' in line and '--override' in line
    assert options_file.load(str(shoes.out)).direction == 'AtoB'


@pytest.mark.parametrize(
    'name, direction',
    [
        ('facades', 'BtoA'),
        ('cityscapes', 'BtoA'),
        ('maps', 'AtoB'),
        ('night2day', 'AtoB'),
        ('edges2shoes', 'AtoB'),
        ('edges2handbags', 'AtoB'),
        ('demo', 'BtoA'),
        ('mine', 'BtoA'),
    ],
)
def test_every_known_dataset_has_its_direction(tmp_path, monkeypatch, name, direction):
    write_pair(tmp_path / name / 'train' / '1.png')
    monkeypatch.chdir(str(tmp_path / name))
    for folder in (f'{tmp_path}/{name}/train', f'{tmp_path}/{name}/train/', 'train', './val'):
        assert download.direction_of(folder) == direction


def test_another_word_is_wrong_usage():
    for command in ('train', 'export', 'evaluate'):
        line = error_line(run_command(command, '--direction=AB'), 2)
        assert '--direction is AB: it must be BtoA or AtoB' in line
