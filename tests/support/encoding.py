"""Images as the bytes of files."""

import io

from PIL import Image


def encoded(image, format='PNG', **options):
    """The bytes of a file with `image`, an image of Pillow or an array of pixels."""
    stream = io.BytesIO()
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    image.save(stream, format, **options)
    return stream.getvalue()
