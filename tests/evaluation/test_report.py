import csv
import json

import numpy as np
import pytest

from pix2pix_tf.evaluation.report import (
    explain,
    format_table,
    report_on,
    save_report,
    summarize,
)


def test_the_interval_of_many_values_is_that_of_the_normal_distribution():
    values = np.random.RandomState(1).gamma(2, 3, 400)
    summary = summarize(values)
    assert summary.mean == pytest.approx(values.mean())
    assert summary.std == pytest.approx(values.std())
    half = 1.96 * values.std() / 20
    assert summary.low == pytest.approx(values.mean() - half, abs=half / 10)
    assert summary.high == pytest.approx(values.mean() + half, abs=half / 10)
    assert summarize(values) == summary
    assert summarize([0.5]) == (0.5, 0, 0.5, 0.5)


def make_report():
    rows = [{'name': name, 'L1': l1, 'SSIM': 0.5} for name, l1 in (('1', 0.1), ('"a",<b>', 0.3))]
    source = {'checkpoint': 'out/model-7', 'step': 7, 'data': 'val', 'seed': None, 'samples': 1}
    return report_on(source, rows, {'FID': 12.5})


def test_files_hold_every_metric(tmp_path):
    save_report(make_report(), str(tmp_path))

    def refuse(constant):
        raise AssertionError(f'{constant} is not JSON')

    document = json.loads((tmp_path / 'metrics.json').read_text(), parse_constant=refuse)
    assert document['source']['step'] == 7
    assert document['summaries']['L1']['mean'] == pytest.approx(0.2)
    assert document['summaries']['L1']['std'] == pytest.approx(0.1)
    assert document['distances'] == {'FID': 12.5}
    with open(str(tmp_path / 'metrics.csv'), newline='') as file:
        rows = list(csv.DictReader(file))
    assert [(row['name'], float(row['L1'])) for row in rows] == [('1', 0.1), ('"a",<b>', 0.3)]
    assert [dict(p, name=None) for p in document['images']] == [
        {'name': None, 'L1': float(row['L1']), 'SSIM': 0.5} for row in rows
    ]


def test_the_table_has_a_line_per_metric():
    lines = format_table(make_report()).splitlines()
    assert lines[1].split() == ['L1', '0.2000', '0.1000', '0.1000', 'to', '0.3000']
    assert lines[2].split()[:3] == ['SSIM', '0.5000', '0.0000']
    assert lines[3].split() == ['FID', '12.5000']


def test_below_the_table_it_says_which_figures_tell_something_and_how_to_get_lpips():
    def lines(*names):
        row = dict(dict.fromkeys(names, 0.5), name='1')
        return explain(report_on(make_report().source, [row], {}))

    worth, advice = lines('L1', 'PSNR', 'MS-SSIM', 'diversity')
    assert worth.startswith('worth comparing, on the same pairs: MS-SSIM; L1 and PSNR prefer a ')
    assert 'docs/results.md, "Published figures"' in worth
    assert 'make lpips' in advice and 'LPIPS=1' in advice and 'pix2pix-data --lpips=' in advice
    [worth] = lines('L1', 'RMSE', 'PSNR', 'MS-SSIM', 'LPIPS')
    assert ': MS-SSIM and LPIPS; L1, RMSE and PSNR prefer a blurred image' in worth
