"""The page to draw on, as tests see it."""

import base64
import io

import numpy as np
from PIL import Image

READY = (
    "document.querySelector('#status').textContent.startsWith('Result')"
    " && document.querySelector('#result').getAttribute('aria-busy') === 'false'"
)
BACKGROUND, WALL = (0, 0, 170), (0, 0, 255)
WINDOW, DOOR = (0, 85, 255), (0, 170, 255)


def pixels(page, canvas):
    data = page.run(f"document.querySelector('#{canvas}').toDataURL()")
    image = Image.open(io.BytesIO(base64.b64decode(data.split(',')[1])))
    return np.asarray(image.convert('RGB')).astype(int)


def done(page):
    """Waits for the answer to what was drawn last: the page is busy from the stroke's end on."""
    page.wait(READY)
