"""HTML pages to look at: what an export has written, and how pictures develop in a training.

Each is one file without external resources, beside a folder of PNGs; names are escaped.
"""

import os
import urllib.parse

import jinja2

from pix2pix_tf import images
from pix2pix_tf.evaluation import metrics
from pix2pix_tf.system import files

FILENAME = 'index.html'
DEVELOPMENT_FILE = 'development.html'


def write(report, out_dir, size):
    """Writes index.html in `out_dir`: the triplets of `report` in `out_dir`/images, sortable.

    `size` is that of the pictures, in pixels. Returns the page's path.

    Raises:
        Pix2PixError: it can't be written.
    """
    source = report.source
    samples = source['samples']
    pictures = []
    for picture in report.pictures:
        name = picture['name']
        shown = [(kind, images.filename(name, kind)) for kind in images.KINDS]
        shown += [
            (f'output {number}', images.filename(name, 'outputs', number))
            for number in range(2, samples + 1)
        ]
        pictures.append(
            {
                'name': name,
                'figures': {key: value for key, value in picture.items() if key != 'name'},
                'images': [(label.rstrip('s'), _address('images', file)) for label, file in shown],
            }
        )
    return _write(
        os.path.join(out_dir, FILENAME),
        'gallery.html',
        title=f'{len(pictures)} pairs of {source["data"]}',
        subtitle=f'{source["checkpoint"]}, step {source["step"]}',
        size=size,
        pictures=pictures,
        summaries=report.summaries,
        distances=report.distances,
        ascending=metrics.LOWER_IS_BETTER,
    )


def write_development(out_dir, directory, names, steps, size):
    """Writes development.html in `out_dir`: a row for each of `names`, a column for each step.

    The pictures are {name}-inputs.png, {name}-targets.png and {name}-{step}.png in the folder
    `directory` of `out_dir`.

    Raises:
        Pix2PixError: it can't be written.
    """
    kinds = ['inputs', 'targets', *steps]
    rows = [
        {
            'name': name,
            'images': [
                (str(kind).rstrip('s'), _address(directory, images.filename(name, kind)))
                for kind in kinds
            ],
        }
        for name in names
    ]
    return _write(
        os.path.join(out_dir, DEVELOPMENT_FILE),
        'development.html',
        title='Validation pictures during training',
        subtitle=f'{out_dir}, a column for each step',
        size=size,
        steps=steps,
        rows=rows,
    )


def _address(*parts):
    return '/'.join(urllib.parse.quote(os.fsencode(part)) for part in parts)


def _write(path, template, **values):
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader('pix2pix_tf.evaluation'), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template(template).render(**values)
    # Names of files that are no UTF-8 stay addressable; as text they show a question mark
    files.write_whole(path, page.encode('utf-8', 'replace'))
    return path
