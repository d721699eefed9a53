"""TensorBoard itself, over what a training has written, by its HTTP interface on loopback."""

import json
import re
import subprocess
import sys
import urllib.parse
import urllib.request

import pytest
from support.helpers import command_environment, wait_for, wait_until

from pix2pix_tf.monitoring import csv_log

LAST = 'validation/MS-SSIM'  # of what a step writes

pytestmark = pytest.mark.post_networks


@pytest.fixture(scope='module')
def fetch(watch):
    """A function: what TensorBoard serves at a path, with these parameters."""
    command = [sys.executable, '-m', 'tensorboard.main', f'--logdir={watch().out}']
    command += ['--host=127.0.0.1', '--port=0', '--reload_interval=1']
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        env=command_environment(PYTHONUNBUFFERED='1'),
    )
    address = re.search(r'at (http://\S+)', wait_for(process, ' at http://')).group(1)

    def get(path, **parameters):
        url = address.rstrip('/') + '/' + path
        if parameters:
            url += '?' + urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(url, timeout=60) as response:
            return response.read()

    def has_read_all():  # it serves before it has read the events
        assert process.poll() is None
        if LAST not in json.loads(get('data/plugin/scalars/tags')).get('.', {}):
            return False
        return len(json.loads(get('data/plugin/scalars/scalars', run='.', tag=LAST))) == 2

    try:
        wait_until(has_read_all, 'TensorBoard shows the last events')
        yield get
    finally:
        process.terminate()
        try:
            process.communicate()
        finally:
            process.kill()


def test_scalars(fetch, watched_run):
    tags = json.loads(fetch('data/plugin/scalars/tags'))['.']
    assert set(tags) == set(csv_log.COLUMNS) - {'step', 'seconds'}
    for tag in ('losses/discrim_loss', 'validation/SSIM'):
        served = json.loads(fetch('data/plugin/scalars/scalars', run='.', tag=tag))
        rows = csv_log.load(watched_run.out)
        assert [(step, value) for _, step, value in served] == [
            (row['step'], pytest.approx(row[tag], rel=1e-5)) for row in rows
        ]


def test_images(fetch):
    tag = 'input_output_target/image'
    [first, second] = json.loads(fetch('data/plugin/images/images', run='.', tag=tag, sample=0))
    assert (first['step'], second['step']) == (2, 4)
    png = fetch('data/plugin/images/individualImage?' + first['query'])
    assert png[:4] == b'\x89PNG'


def test_histograms(fetch):
    tags = json.loads(fetch('data/plugin/histograms/tags'))['.']
    assert len(tags) == 2 * 55
    tag = 'gradients/discriminator/layer_1/conv/filter'
    served = json.loads(fetch('data/plugin/histograms/histograms', run='.', tag=tag))
    assert [step for _, step, _ in served] == [2, 4]
    for _, _, buckets in served:
        assert sum(count for _, _, count in buckets) == pytest.approx(4 * 4 * 6 * 4)


def test_graph_and_trace(fetch):
    graph = fetch('data/plugin/graphs/graph', run='.', conceptual='false').decode()
    assert 'name: "generator/encoder_1/conv/filter"' in graph
    metadata = fetch('data/plugin/graphs/run_metadata', run='.', tag='step_4').decode()
    assert 'step_stats' in metadata and 'Conv2D' in metadata
