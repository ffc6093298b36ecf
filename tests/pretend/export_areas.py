"""A pretended export, as one file: how many pixels each frame's objects have, as text. Registered by one line:

EXPORTERS["areas"] = "export_areas:AREAS"
"""

from contextlib import contextmanager

from camn.api.segment.exporters.exporter import Exporter
from camn.files import write_whole


@contextmanager
def text(path, about):
    lines = [f"{about.size[1]}x{about.size[0]}"]
    try:
        yield lambda shown: lines.append(f"{shown.name} {(shown.ids > 0).sum()}")
    finally:  # also after an error elsewhere: what was counted is true
        write_whole(path, "\n".join(lines).encode())


AREAS = Exporter("areas.txt", text, title="Areas", form="pixels, TXT")
