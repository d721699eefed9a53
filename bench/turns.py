"""Processes that take turns, so that other load on the machine affects all of them equally."""

import atexit
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)

WARM_UP = 2  # rounds that do not count


def environment(**changes):
    """This process's environment, with this package found first, and these variables."""
    found = [ROOT, *filter(None, [os.environ.get('PYTHONPATH')])]
    return dict(os.environ, PYTHONPATH=os.pathsep.join(found), **changes)


class Program:
    """A process of bench/programs.py, stopped until it is its turn."""

    def __init__(self, name, *arguments, python=sys.executable):
        self.process = subprocess.Popen(
            [python, os.path.join(HERE, 'programs.py'), name, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            cwd=ROOT,
            env=environment(TF_CPP_MIN_LOG_LEVEL='3'),
        )
        # A stopped process would outlive the bench
        atexit.register(self.process.kill)
        if self.process.stdout.readline() != 'ready\n':
            raise SystemExit(f'bench: {name} failed:\n{self.process.communicate()[1]}')
        self.process.send_signal(signal.SIGSTOP)

    def work(self):
        """Lets it work once; returns the seconds. It is stopped before and after."""
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write('\n')
        self.process.stdin.flush()
        seconds = float(self.process.stdout.readline())
        self.process.send_signal(signal.SIGSTOP)
        return seconds

    def end(self):
        """Ends it; returns its peak memory in MiB."""
        self.process.send_signal(signal.SIGCONT)
        return float(self.process.communicate()[0])


def take_turns(programs, rounds):
    """({name: seconds of each round}, {name: peak MiB}) of {name: Program}."""
    seconds = {name: [] for name in programs}
    for number in range(WARM_UP + rounds):
        for name, program in programs.items():
            taken = program.work()
            if number >= WARM_UP:
                seconds[name].append(taken)
    return seconds, {name: program.end() for name, program in programs.items()}
