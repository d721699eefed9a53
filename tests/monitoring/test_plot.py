import os

import numpy as np
import pytest
from PIL import Image
from support.helpers import ROOT, error_line, run_command, run_real_command

from pix2pix_tf.monitoring import plot, tensorboard
from pix2pix_tf.monitoring.csv_log import LossLog
from pix2pix_tf.system.errors import Pix2PixError


def record(out, steps, validation):
    recorder = LossLog(str(out), tensorboard.EventWriter(str(out)), 0)
    for step in range(10, 10 * steps + 1, 10):
        values = dict.fromkeys(
            ['losses/discrim_loss', 'losses/gen_loss_GAN', 'losses/gen_loss_L1'], 1 / step
        )
        if validation and step % 20 == 0:
            values.update({f'validation/{n}': 0.5 for n in ('L1', 'RMSE', 'SSIM', 'MS-SSIM')})
        recorder.add(step, values)
    return recorder


@pytest.mark.parametrize('steps, validation, height', [(1, False, 320), (80, True, 640)])
def test_curves_are_drawn_with_a_panel_for_what_there_is(tmp_path, steps, validation, height):
    record(tmp_path, steps, validation)
    path = plot.plot(str(tmp_path))
    assert path == str(tmp_path / 'curves.png')
    with Image.open(path) as image:
        assert image.size == (1000, height)
        pixels = np.array(image.convert('RGB')).reshape(-1, 3)
    blue = np.abs(pixels.astype(int) - [31, 119, 180]).max(axis=1) < 30  # matplotlib's C0
    assert blue.sum() > 20


def test_lpips_has_a_panel_if_it_was_measured(tmp_path):
    recorder = record(tmp_path, 4, True)
    recorder.add(50, {'validation/LPIPS': 0.4})
    with Image.open(plot.plot(str(tmp_path))) as image:
        assert image.size == (1000, 960)  # a fifth panel


def test_the_command_prints_where_it_is(tmp_path):
    record(tmp_path, 5, False)
    result = run_command('plot', f'--out={tmp_path}')
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout == f'{tmp_path}/curves.png\n'


@pytest.mark.parametrize('backend', ['module://matplotlib_inline.backend_inline', 'TkAgg', 'none'])
def test_the_backend_of_a_notebook_is_not_used(tmp_path, backend):
    record(tmp_path, 5, False)
    environment = {'MPLBACKEND': backend}
    result = run_real_command('plot', f'--out={tmp_path}', environment=environment)
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout == f'{tmp_path}/curves.png\n' and (tmp_path / 'curves.png').exists()


def test_without_a_training_there_is_one_line(tmp_path):
    line = error_line(run_command('plot', f'--out={tmp_path}'), 1)
    assert f'no losses.csv with a row in {tmp_path}: train first' in line


def test_without_matplotlib_there_is_one_line(tmp_path):
    record(tmp_path, 5, False)
    (tmp_path / 'matplotlib').mkdir()
    (tmp_path / 'matplotlib' / '__init__.py').write_text('raise ImportError("not here")')
    path = {'PYTHONPATH': os.pathsep.join([str(tmp_path), ROOT])}
    line = error_line(run_real_command('plot', f'--out={tmp_path}', environment=path), 1)
    assert '`make setup` installs it, or `pip install' in line and '.[plot]' in line


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    record(tmp_path, 5, False)
    (tmp_path / 'curves.png').mkdir()
    with pytest.raises(Pix2PixError) as error:
        plot.plot(str(tmp_path))
    assert f'cannot write {tmp_path}/curves.png' in str(error.value)


def test_a_file_of_another_program_stays_and_an_earlier_plot_is_replaced(tmp_path):
    record(tmp_path, 5, False)
    plot.plot(str(tmp_path))
    plot.plot(str(tmp_path))
    (tmp_path / 'curves.png').write_bytes(b'mine')
    line = error_line(run_command('plot', f'--out={tmp_path}'), 2)
    assert f'{tmp_path}/curves.png was not written by pix2pix_tf' in line
    assert (tmp_path / 'curves.png').read_bytes() == b'mine'


def test_columns_of_one_kind_are_plotted_and_none_is_one_line(tmp_path):
    path = tmp_path / 'losses.csv'
    path.write_text('step,seconds,losses/gen_loss_L1\n1,1,0.5\n2,2,0.4\n')
    plot.plot(str(tmp_path))
    with Image.open(str(tmp_path / 'curves.png')) as image:
        assert image.size == (1000, 320)
    path.write_text('step,seconds,averages/gen_loss_L1\n1,1,0.5\n')
    with pytest.raises(Pix2PixError, match='has no column to plot, such as losses/gen_loss_L1'):
        plot.plot(str(tmp_path))
    path.write_text('step,seconds,losses/gen_loss_L1\nnan,1,0.5\n')
    with pytest.raises(Pix2PixError, match='a step is not a number'):
        plot.plot(str(tmp_path))
