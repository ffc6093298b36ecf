"""A pretended format of masks, as one file: text, a digit for each pixel, which is its id. Registered by one line:

READERS = (DIGITS, *READERS)
"""

import numpy as np

from camn.masks.reader import Found, Reader


def recognises(path, head):
    return bool(head) and set(head) <= set(b"0123456789\n")


def read(path, frames):
    rows = [[int(digit) for digit in line] for line in path.read_text().split()]
    return Found({0: np.array(rows, np.uint8)}, {0: path}, notes=["Read as digits."], unplaced=True)


DIGITS = Reader(recognises, read, accept=(".digits",))
