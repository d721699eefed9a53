"""A trained generator without dropout: the same output every time, and no noise."""

import json
import shutil

import pytest
from support.helpers import contents, export, run_command, run_here

OFF = '--dropout_at_test=off'


@pytest.mark.parametrize(
    'command, flags, name',
    [
        ('export', ['--seed=1'], 'seed'),
        ('evaluate', ['--samples=2'], 'samples'),
        ('predict', ['--seed=1', 'x.jpg'], 'seed'),
        ('predict', ['--samples=3', 'x.jpg'], 'samples'),
    ],
)
def test_what_chooses_noise_is_rejected(command, flags, name, capsys):
    assert run_here(command, OFF, *flags) == 2
    words = (
        f'pix2pix-{command}: --{name} requires --dropout_at_test=on: the only noise is dropout\n'
    )
    assert capsys.readouterr().err == words


@pytest.mark.parametrize('value', ['maybe', 'false'])
def test_other_values_are_rejected(value, capsys):
    assert run_here('export', f'--dropout_at_test={value}') == 2
    assert '<on|off>' in capsys.readouterr().err


def test_exports_and_predictions_repeat_without_a_seed(trained, pairs, tmp_path):
    out, to = str(tmp_path / 'out'), tmp_path / 'to'
    shutil.copytree(trained, out)
    result = run_command('export', f'--data={pairs}', f'--out={out}', OFF)
    assert (result.returncode, result.stderr) == (0, '')
    written = contents(out + '/images')
    with open(out + '/metrics.json') as file:
        report = json.load(file)
    assert report['source']['dropout'] == 0 and 'diversity' not in report['summaries']
    with open(out + '/index.html') as file:
        assert f'{out}/model-2, step 2, without dropout' in file.read()
    # The same from Python, and from the images of the export
    export(pairs, out, dropout=0.0)
    assert contents(out + '/images') == written
    inputs = [f'{out}/images/{number}-inputs.png' for number in (1, 2)]
    result = run_command('predict', f'--model={out}', f'--to={to}', OFF, *inputs)
    assert (result.returncode, result.stderr) == (0, '')
    for number in (1, 2):
        predicted = (to / f'{number}-inputs.png').read_bytes()
        assert predicted == written[f'{number}-outputs.png']
    # With dropout, no two exports are alike
    assert 'dropout' not in export(pairs, out).report.source
    different = contents(out + '/images')
    assert all(different[f'{n}-outputs.png'] != written[f'{n}-outputs.png'] for n in (1, 2))
