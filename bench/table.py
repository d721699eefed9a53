"""The results of `make bench`: ratios with their intervals, and the rows that show them."""

import numpy as np


def ratio(slow, fast):
    """The median of the ratios of the rounds, and the bounds of its 95% interval."""
    ratios = np.array(slow) / np.array(fast)
    draws = np.random.RandomState(0).randint(0, len(ratios), (10000, len(ratios)))
    low, high = np.percentile(np.median(ratios[draws], axis=1), [2.5, 97.5])
    return float(np.median(ratios)), float(low), float(high)


class Table:
    """Prints rows immediately, and keeps them for the JSON file."""

    def __init__(self):
        self.rows = []
        self.title = None

    def head(self, title):
        self.title = title
        print(f'\n{title}', flush=True)

    def row(self, name, value, unit, compared=None, peak=None, note=''):
        """Prints a value; `compared` is (words, (median, low, high) of its ratio to another)."""
        digits = {'s': 3, 'ms': 2, 'times': 2}.get(unit, 1)
        words = f'  {name:34}{value:9.{digits}f} {unit:9}{note}'
        if compared:
            against, (median, low, high) = compared
            words += f'{median:.2f} times {against} ({low:.2f} to {high:.2f})'
        if peak:
            words += f'  peak {peak:.0f} MiB'
        print(words.rstrip(), flush=True)
        row = {'of': self.title, 'name': name, 'value': value, 'unit': unit}
        if compared:
            row.update(against=against, ratio=compared[1])
        if peak:
            row['peak_mib'] = peak
        if note:
            row['note'] = note
        self.rows.append(row)
