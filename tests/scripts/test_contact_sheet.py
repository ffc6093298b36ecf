"""scripts/contact_sheet.py on a few painted pictures."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "scripts" / "contact_sheet.py"


def test_a_sheet_has_a_row_for_each_clip(tmp_path):
    for name, row in (("a", 20), ("b", 40)):
        mask = cv2.circle(np.zeros((60, 80), np.uint8), (40, row), 14, 1, -1)
        for folder, picture in (("images", np.dstack([mask * 200] * 3)), ("masks", mask)):
            (tmp_path / "stills/discs" / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(tmp_path / "stills/discs" / folder / f"{name}.png")
    (tmp_path / "r.toml").write_text('stills = "stills"\n[clips]\nsize = [65, 81]\nframes = 2\n')
    out = tmp_path / "sheet.png"
    command = [sys.executable, SCRIPT, tmp_path / "r.toml", out, "--items", "3", "--first", "5", "--set", "bars=1"]
    said = subprocess.run([*command, "noise=1"], check=True, capture_output=True, text=True).stdout
    assert Image.open(out).size == (2 * 81, 3 * 65)
    assert [line.split(":")[0] for line in said.splitlines()] == ["5", "6", "7"] and "discs" in said
