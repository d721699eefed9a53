import fcntl
import os
import pty
import re
import struct
import termios
import types

import pytest
from support.helpers import fork_command

from pix2pix_tf.config import Config
from pix2pix_tf.monitoring import progress
from pix2pix_tf.monitoring.progress import Progress, is_due

LOSSES = {'discrim_loss': 1.5, 'gen_loss_gan': 0.25, 'gen_loss_l1': 0.125}


@pytest.fixture
def clock(monkeypatch):
    clock = types.SimpleNamespace(now=1000.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(progress, 'time', clock)
    return clock


def test_progress_line_is_that_of_the_post(clock, capsys):
    with Progress(range(80000), 400, Config()) as shown:
        clock.now += 225
        shown.report(450, LOSSES, LOSSES)
        clock.now += 175
        shown.report(400, LOSSES, LOSSES)
    first, second = capsys.readouterr().out.splitlines()[::4]
    assert first == 'progress  epoch 2  step 50  image/sec 2.0  remaining 662m'
    assert second.startswith('progress  epoch 1  step 400  image/sec 1.0 ')


def test_what_comes_every_few_steps_also_comes_after_the_last():
    steps = range(5, 12)
    assert [step for step in range(6, 13) if is_due(4, step, steps)] == [8, 12]
    assert [step for step in range(6, 13) if is_due(5, step, steps)] == [10, 12]
    assert not any(is_due(0, step, steps) for step in range(6, 13))


def test_the_live_rate_is_that_of_the_last_minute_the_other_of_all(clock):
    with Progress(range(100, 1000), 400, Config(batch_size=2)) as shown:
        for step in range(101, 201):  # a step a second
            clock.now += 1
            shown.show(step, LOSSES)
        assert shown.recent_rate() == shown.rate(200) == 2
        for step in range(201, 401):  # and then two
            clock.now += 0.5
            shown.show(step, LOSSES)
        assert shown.recent_rate() == pytest.approx(4)
        assert shown.rate(400) == pytest.approx(3)


def test_a_report_is_the_posts_lines(clock, capsys):
    with Progress(range(800), 400, Config()) as shown:
        clock.now += 25
        shown.report(50, LOSSES, dict(LOSSES, gen_loss_l1=0.5))
    assert capsys.readouterr().out.splitlines() == [
        'progress  epoch 1  step 50  image/sec 2.0  remaining 6m',
        'discrim_loss 1.5  average 1.5',
        'gen_loss_GAN 0.25  average 0.25',
        'gen_loss_L1 0.125  average 0.5',
    ]


def on_terminal(*arguments):
    """(exit status, what a command writes to a terminal of 160 columns)."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 160, 0, 0))
    process = fork_command(*arguments, terminal=os.ttyname(follower))
    os.close(follower)
    written = b''
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        written += chunk
    os.close(leader)
    process.communicate()
    return process.returncode, written.decode()


@pytest.mark.slow
def test_a_terminal_gets_one_live_line(pairs, tmp_path):
    flags = [f'--data={pairs}', f'--val_data={pairs}', f'--out={tmp_path}', '--ngf=4', '--ndf=4']
    flags += ['--max_steps=7', '--progress_freq=2', '--eval_freq=3']
    status, written = on_terminal('train', *flags)
    assert status == 0
    assert 'progress  epoch' not in written
    number = r'[0-9]+\.[0-9]+'
    pattern = (
        r'epoch 2/2  step 7/7 100%\|█+\|, ' + number + r' image/sec, 0m left, '
        f'discrim {number}, GAN {number}, L1 {number}'
    )
    assert re.search(pattern, written), written
    # Whole lines stand above it, none runs into it
    lines = [line.split('\r')[-1] for line in written.replace('\r\n', '\n').split('\n')]
    assert sum(line.startswith('validation  L1 ') for line in lines) == 3  # steps 3, 6 and 7
    assert f'trained to step 7, saved in {tmp_path}/model-7' in lines


def test_a_terminal_shows_an_export_too(pairs, trained, tmp_path):
    status, written = on_terminal(
        'export', f'--data={pairs}', f'--out={tmp_path}', f'--checkpoint={trained}/model-2'
    )
    assert status == 0
    assert re.search(r'100%\|█+\| 5/5 ', written), written
