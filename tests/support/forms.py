"""The forms of the convolutions of kernels.py, chosen by a test instead of by measured limits."""

from pix2pix_tf import kernels

NEVER = 10**9  # more weights per pixel than any layer has


def use_everywhere(monkeypatch, form):
    """Every operation that has the `form`, 'product' or 'pairs', is computed in it."""
    limits = [0 if form == 'product' else NEVER] * len(kernels.OPERATIONS)
    pairs = [operation for operation, forms in kernels.OPERATIONS.items() if 'pairs' in forms]
    forms = kernels.Forms(*limits, few_channels=0, pairs=pairs)
    monkeypatch.setattr(kernels, 'FORMS', dict.fromkeys(kernels.FORMS, forms))
    monkeypatch.setattr(kernels, 'MANY_CHANNELS', 0)
    monkeypatch.setattr(kernels, 'MANY_PIXELS', 0)
