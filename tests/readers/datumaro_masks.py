# pyright: reportMissingImports=false
"""What datumaro reads of exports, as a script: it runs by datumaro's own Python, which knows nothing of this project.

python datumaro_masks.py FOLDER: for each FOLDER/NAME, of format NAME, the masks go to FOLDER/NAME.npz, what is said of
them to FOLDER/NAME.json; and what datumaro itself writes of it to FOLDER/NAME-again.
"""

import json
import sys
from pathlib import Path

import numpy as np
from datumaro.components.annotation import AnnotationType
from datumaro.components.dataset import Dataset

for source in sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_dir()):
    form = source.name.split("-")[0]
    read = Dataset.import_from(str(source), form)
    labels = [label.name for label in read.categories()[AnnotationType.label].items]
    said, masks = [], {}
    for item in read:
        found = [one for one in item.annotations if one.type == AnnotationType.mask]
        said.append({"item": item.id, "masks": [[one.id, one.attributes, labels[one.label]] for one in found]})
        masks |= {f"{item.id} {number}": one.image.astype(bool) for number, one in enumerate(found)}
    np.savez(source.with_suffix(".npz"), **masks)
    source.with_suffix(".json").write_text(json.dumps(said))
    read.export(str(source.with_name(f"{source.name}-again")), form, save_media=False)
