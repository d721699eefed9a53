"""The forms of the convolutions of kernels.py, chosen by a test instead of by measured limits."""

from pix2pix_tf import kernels

NAMES = ('product', 'parts', 'pairs', 'winograd')


def use_everywhere(monkeypatch, form):
    """Every operation that has the `form`, one of NAMES, is computed in it."""

    def least(of):
        return 0 if form == of else kernels.NEVER

    limits = kernels.Forms(
        *[least('product')] * 3,
        many_filters=least('parts'),
        few_channels=kernels.NEVER if form == 'pairs' else 0,
        many_channels=kernels.NEVER,
    )
    monkeypatch.setattr(kernels, 'FORMS', dict.fromkeys(kernels.FORMS, limits))
    monkeypatch.setattr(kernels, 'PART', 2)
    monkeypatch.setattr(kernels, 'WINOGRAD_CHANNELS', least('winograd'))
