"""Predictions whose ids or palettes are others than the annotations'."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camn import api
from camn.errors import DataError
from camn.masks import PALETTE, write_palette_png

SIZE = (36, 64)
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def square(top: int, left: int, side: int, number: int) -> np.ndarray:
    labels = np.zeros(SIZE, np.uint8)
    labels[top : top + side, left : left + side] = number
    return labels


def truth(t: int) -> np.ndarray:
    return np.maximum(square(4, 4 + t, 12, 1), square(20, 40 - t, 10, 2))


def save(path: Path, indices: np.ndarray, colours) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(indices, np.uint8))
    image.putpalette(np.asarray(colours, np.uint8).tobytes())
    image.save(path)


@pytest.fixture
def clip(tmp_path) -> Path:
    """Own clips with one clip `a` of five frames, objects 1 and 2."""
    for t in range(5):
        frame = tmp_path / f"clips/a/frames/{t:05d}.jpg"
        frame.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(frame)
        save(tmp_path / f"clips/a/masks/{t:05d}.png", truth(t), PALETTE)
    return tmp_path / "clips"


def score(clip: Path, masks, colours=None) -> api.Evaluation:
    """Of predictions (indices) by frame; grey without colours."""
    out = clip.parent / "out"
    for t in range(5):
        if colours is None:
            (out / "a").mkdir(parents=True, exist_ok=True)
            Image.fromarray(masks(t)).save(out / f"a/{t:05d}.png")
        else:
            save(out / f"a/{t:05d}.png", masks(t), colours)
    return api.evaluate(clip, predictions=out)


def test_right_predictions_have_no_note(clip):
    for colours in (None, PALETTE, [(0, 0, 0), RED, GREEN]):
        done = score(clip, truth, colours)
        assert done.scores and done.scores.jf == 1 and not done.notes


def test_palettes_in_another_order(clip):
    order = np.array([2, 1, 0], np.uint8)
    done = score(clip, lambda t: order[truth(t)], PALETTE[[2, 1, 0]])
    assert done.scores and done.scores.jf == 1 and any("another order" in note for note in done.notes)
    done = score(clip, lambda t: np.array([0, 2, 1], np.uint8)[truth(t)], PALETTE[[0, 2, 1]])
    assert done.scores and done.scores.jf == 1


def test_palettes_with_the_annotations_colours(clip):
    for t in range(5):
        save(clip / f"a/masks/{t:05d}.png", truth(t), [(0, 0, 0), RED, GREEN])
    done = score(clip, lambda t: np.array([1, 0, 2], np.uint8)[truth(t)], [RED, (0, 0, 0), GREEN])
    assert done.scores and done.scores.jf == 1 and "told by colour" in done.notes[0]
    assert score(clip, lambda t: np.array([0, 2, 1], np.uint8)[truth(t)], [(0, 0, 0), GREEN, RED]).scores.jf == 1  # type: ignore[union-attr]


def test_exchanged_ids_are_told(clip):
    done = score(clip, lambda t: np.array([0, 2, 1], np.uint8)[truth(t)])
    assert done.scores and done.scores.jf < 0.1 and len(done.notes) == 2
    assert "what the predictions call object 2 lies where the annotations have object 1 (J 1.00" in done.notes[0]


def test_inverted_predictions_are_told(clip):
    for t in range(5):
        save(clip / f"a/masks/{t:05d}.png", square(4, 4 + t, 12, 1), PALETTE)
    done = score(clip, lambda t: 1 - square(4, 4 + t, 12, 1))
    assert "what the predictions call background lies where the annotations have object 1" in done.notes[0]
    assert not score(clip, lambda t: square(4, 4, 1, 0)).notes  # lost, which is no mistake of ids
    assert not score(clip, lambda t: square(22, 50, 8, 1)).notes


def test_binary_predictions(clip):
    with pytest.raises(DataError, match=r"out/a: masks of 0 and 255 alone, for objects \[1, 2\]"):
        score(clip, lambda t: np.where(truth(t) > 0, 255, 0).astype(np.uint8))
    for t in range(5):
        save(clip / f"a/masks/{t:05d}.png", square(4, 4 + t, 12, 6), PALETTE)
    done = score(clip, lambda t: square(4, 4 + t, 12, 255))
    assert done.scores and done.scores.jf == 1  # of one object, whatever its id


def test_other_ids_and_colours_are_refused(clip):
    with pytest.raises(DataError, match=r"with ids \[3\], not among the annotations' \[1, 2\]"):
        score(clip, lambda t: np.array([0, 2, 3], np.uint8)[truth(t)])
    with pytest.raises(DataError, match="mode RGB.*convert"):
        score(clip, lambda t: PALETTE[truth(t)])
    with pytest.raises(DataError, match="of size 36x64, the annotations 64x36.*turned by 90 degrees"):
        score(clip, lambda t: truth(t).T.copy())


def test_a_submission_has_ids_by_colour(tmp_path):
    """As the server gets it, read by index."""
    from zipfile import ZipFile

    root, out = tmp_path / "davis", tmp_path / "out/a"
    (root / "ImageSets/2017").mkdir(parents=True)
    (root / "ImageSets/2017/test-dev.txt").write_text("a\n")
    for t in range(3):
        frame = root / f"JPEGImages/480p/a/{t:05d}.jpg"
        frame.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(frame)
        save(out / f"{t:05d}.png", np.array([1, 0, 2], np.uint8)[truth(t)], PALETTE[[1, 0, 2]])
    first = root / "Annotations/480p/a/00000.png"
    first.parent.mkdir(parents=True)
    write_palette_png(first, truth(0))
    done = api.evaluate(root, split="test-dev", predictions=tmp_path / "out", submission=tmp_path / "s.zip")
    with ZipFile(done.submission) as archive, archive.open("a/00001.png") as file:  # type: ignore[arg-type]
        assert np.array_equal(np.array(Image.open(file)), truth(1))


def test_predictions_of_other_suffixes(clip):
    out = clip.parent / "out/a"
    out.mkdir(parents=True)
    for t in range(5):
        Image.fromarray(truth(t)).save(out / f"{t:05d}.PNG")
    assert api.evaluate(clip, predictions=out.parent).scores.jf == 1
    for path in list(out.iterdir()):
        path.rename(path.with_suffix(".tif"))
    with pytest.raises(DataError, match=r"missing; .*\(00000\.tif is not read: masks must be PNG\)"):
        api.evaluate(clip, predictions=out.parent)
