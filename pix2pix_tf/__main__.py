"""`python -m pix2pix_tf train --data=...` runs the command pix2pix-train, and so on for each."""

import os
import sys

if not __package__:
    # Started by the path of this file, as --workers starts the other processes
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from pix2pix_tf.cli.main import main  # noqa: E402

if __name__ == '__main__':
    main()
