"""Workers on loopback, as several tests start them."""

from support.helpers import NARROW_FLAGS, SMALL_FLAGS, fork_command

from pix2pix_tf.distributed import launch

FLAGS = (*NARROW_FLAGS, *SMALL_FLAGS, '--ngf=2', '--ndf=2')


def start(pairs, out, addresses, task, *flags, **options):
    """One worker, in a child of the fork server. The options are those of `fork_command`."""
    listed = f'--workers={",".join(addresses)}'
    flags = (f'--data={pairs}', f'--out={out}', listed, f'--task={task}', *FLAGS, *flags)
    return fork_command('train', *flags, **options)


def start_all(pairs, out, count, *flags, **options):
    addresses = launch.free_addresses(count)
    return addresses, [
        start(pairs, out, addresses, task, *flags, **options) for task in range(count)
    ]


def end_all(processes):
    """[(status, standard output, standard error)] of each."""
    ended = [process.communicate() for process in processes]
    return [(process.returncode, *texts) for process, texts in zip(processes, ended)]
