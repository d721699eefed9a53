import os
import subprocess
import sys

import pytest
from support.helpers import ROOT, write_pair

BENCH = os.path.join(ROOT, 'bench')


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(BENCH)


def test_a_ratio_is_the_median_of_the_rounds():
    import run

    assert run.ratio([2.0, 4.0, 9.0], [1.0, 2.0, 3.0]) == (2.0, 2.0, 3.0)


def test_programs_take_turns(tmp_path, monkeypatch):
    import run
    import turns

    for number in range(4):
        write_pair(tmp_path / f'{number}.jpg', seed=number, width=128, height=64)
    programs = {
        'post': run.Program('pipeline-post', tmp_path, 1),
        'ours': run.Program('pipeline-ours', tmp_path, 2),
    }
    monkeypatch.setattr(turns, 'WARM_UP', 1)
    seconds, peaks = run.take_turns(programs, 1)
    for name in programs:
        assert len(seconds[name]) == 1 and seconds[name][0] > 0
        assert peaks[name] > 50
        assert programs[name].process.returncode == 0


def test_a_program_that_fails_is_reported(tmp_path):
    import run

    with pytest.raises(SystemExit, match='pipeline-ours failed:(.|\n)*no JPEG or PNG image in'):
        run.Program('pipeline-ours', tmp_path, 1)


def test_help_names_the_flags():
    command = [sys.executable, os.path.join(BENCH, 'run.py'), '--help']
    text = subprocess.check_output(command, universal_newlines=True)
    assert all(flag in text for flag in ('--rounds', '--data', '--torch', '--json', '--kernels'))


def test_rows_are_printed_and_kept(capsys):
    from table import Table

    table = Table()
    table.head('speed')
    table.row('a', 2.0, 's', ('as fast as b', (1.5, 1.25, 1.75)), peak=100.0)
    table.row('b', 3.0, 'images/s')
    assert capsys.readouterr().out.splitlines()[2:] == [
        '  a                                     2.000 s        1.50 times as fast as b '
        '(1.25 to 1.75)  peak 100 MiB',
        '  b                                       3.0 images/s',
    ]
    assert [row['name'] for row in table.rows] == ['a', 'b']
    assert table.rows[0]['ratio'] == (1.5, 1.25, 1.75)


@pytest.mark.parametrize('onednn', [False, True])
def test_the_times_of_all_forms_mark_the_one_that_is_used(capsys, monkeypatch, onednn):
    import kernels_table
    from table import Table

    monkeypatch.setattr(kernels_table.compat, 'has_onednn', lambda: onednn)
    monkeypatch.setattr(kernels_table, 'CONVS', ())
    monkeypatch.setattr(kernels_table, 'DECONVS', ((32, 4, 3), (32, 4, 64), (1, 512, 64)))
    monkeypatch.setattr(kernels_table, 'STRIDE_1', ((5, 128, 128), (5, 4, 3)))
    monkeypatch.setattr(kernels_table, 'narrower', lambda layers: [])
    kernels_table.bench_kernels(Table(), 1)
    lines = [line for line in capsys.readouterr().out.splitlines() if ' ms ' in line]
    forms = [line.rsplit('ms', 1)[1] for line in lines]
    wanted = ['plain', 'plain', 'product']
    wanted += ['plain', 'pairs', 'product'] if onednn else ['pairs', 'plain', 'product']
    wanted += ['plain', 'plain', 'product'] + 3 * ['winograd', 'plain']
    marked = [next(w for w in text.split(', ') if w.endswith('*')).split()[0] for text in forms]
    assert marked == wanted
