"""Downloads a dataset of the pix2pix paper to --root/--name, unless it is there already."""

from absl import flags

from pix2pix_tf.pairs import download
from pix2pix_tf.system.console import print_line

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


def main() -> None:
    print_line(f'data: {download.fetch(FLAGS.name, FLAGS.root, FLAGS.url)}')
