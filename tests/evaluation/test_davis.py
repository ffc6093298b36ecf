"""DAVIS scores of small data sets on disk, against the definition worked out frame by frame."""

import json

import numpy as np
import pytest
from PIL import Image

from camn.errors import DataError
from camn.evaluation.davis import evaluate_davis, statistics, table
from camn.evaluation.jf import contour_accuracy, region_similarity

SIZE = (36, 64)


def write(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels.astype(np.uint8), mode="P")
    image.putpalette([value for index in range(256) for value in (index, 255 - index, index)])
    image.save(path)


def square(top, left, side, number=1):
    labels = np.zeros(SIZE, np.uint8)
    labels[top : top + side, left : left + side] = number
    return labels


def make(root, year, sequences):
    """A DAVIS folder of the annotations {name: [labels, ...]}."""
    (root / "ImageSets" / year).mkdir(parents=True)
    (root / "ImageSets" / year / "val.txt").write_text("\n".join(sequences) + "\n")
    for name, masks in sequences.items():
        for index, labels in enumerate(masks):
            write(root / "Annotations" / "480p" / name / f"{index:05d}.png", labels)
            frame = root / "JPEGImages" / "480p" / name / f"{index:05d}.jpg"
            frame.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", SIZE[::-1]).save(frame)


def predict(root, sequences):
    """Predictions for all but the first and the last frame, which are not asked for."""
    for name, masks in sequences.items():
        for index, labels in enumerate(masks[1:-1], start=1):
            write(root / name / f"{index:05d}.png", labels)


@pytest.fixture
def films():
    """Two sequences: `a` with objects 1 and 4 (a gap in the ids), `b` with one that leaves."""
    a = [np.maximum(square(4, 4 + t, 12), square(20, 40 - t, 10, 4)) for t in range(9)]
    b = [square(10, 10 + 3 * t, 14) if t < 5 else square(0, 0, 0) for t in range(8)]
    return {"a": a, "b": b}


def test_perfect_predictions(tmp_path, films):
    make(tmp_path / "davis", "2017", films)
    predict(tmp_path / "out", films)
    scores = evaluate_davis(tmp_path / "out", tmp_path / "davis")
    assert scores.jf == scores.j.mean == scores.f.recall == 1 and scores.j.decay == 0
    assert [(s.name, s.frames, [o.id for o in s.objects]) for s in scores.sequences] == [
        ("a", 7, [1, 4]),
        ("b", 6, [1]),
    ]


def test_each_object_apart_in_2017_and_a_mean_over_objects(tmp_path, films):
    moved = {name: [np.roll(labels, 2, axis=1) for labels in masks] for name, masks in films.items()}
    for labels in moved["a"]:
        labels[labels == 4] = 0  # object 4 is never found
    make(tmp_path / "davis", "2017", films)
    predict(tmp_path / "out", moved)
    scores = evaluate_davis(tmp_path / "out", tmp_path / "davis", 2017)
    means = []
    for name, number in (("a", 1), ("a", 4), ("b", 1)):
        pairs = [(p == number, t == number) for p, t in zip(moved[name][1:-1], films[name][1:-1], strict=True)]
        means.append([np.mean([measure(*pair) for pair in pairs]) for measure in (region_similarity, contour_accuracy)])
    found = [[o.j.mean, o.f.mean] for s in scores.sequences for o in s.objects]
    assert np.allclose(found, means, atol=1e-12)
    assert found[1] == [0, 0]
    assert [scores.j.mean, scores.f.mean] == pytest.approx(np.mean(means, axis=0))
    assert scores.jf == pytest.approx(np.mean(means))


def test_one_object_in_2016_whatever_its_ids(tmp_path, films):
    binary = {name: [255 * (labels > 0) for labels in masks] for name, masks in films.items()}
    make(tmp_path / "davis", "2016", films)
    predict(tmp_path / "out", binary)
    scores = evaluate_davis(tmp_path / "out", tmp_path / "davis", "2016")
    assert scores.jf == 1
    assert [len(s.objects) for s in scores.sequences] == [1, 1]


def test_first_and_last_frame_are_left_out(tmp_path, films):
    wrong = {name: [masks[0] * 0, *masks[1:-1], masks[0] * 0] for name, masks in films.items()}
    make(tmp_path / "davis", "2017", films)
    for name, masks in wrong.items():
        for index, labels in enumerate(masks):
            write(tmp_path / "out" / name / f"{index:05d}.png", labels)
    assert evaluate_davis(tmp_path / "out", tmp_path / "davis").jf == 1


def test_void_is_excluded(tmp_path):
    truth, guess = square(10, 10, 14), square(10, 10, 14)
    truth[:, 40:] = 255
    guess[:, 40:] = 1
    make(tmp_path / "davis", "2017", {"a": [truth] * 4})
    predict(tmp_path / "out", {"a": [guess] * 4})
    scores = evaluate_davis(tmp_path / "out", tmp_path / "davis")
    assert scores.jf == 1 and [o.id for o in scores.sequences[0].objects] == [1]


def test_masks_of_0_and_255_in_2016_are_objects_not_void(tmp_path):
    truth = [square(4, 4 + t, 12, 255) for t in range(6)]
    make(tmp_path / "davis", "2016", {"a": truth})
    predict(tmp_path / "right", {"a": [np.minimum(labels, 1) for labels in truth]})
    predict(tmp_path / "wrong", {"a": [square(22, 40, 8) for _ in truth]})
    assert evaluate_davis(tmp_path / "right", tmp_path / "davis", "2016").jf == 1
    assert evaluate_davis(tmp_path / "wrong", tmp_path / "davis", "2016").j.mean == 0


def test_statistics_by_hand():
    values = np.array([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
    # Quarters of 9 frames meet at frames 1, 3, 5, 7, 9: the first is 1, 0.9, 0.8 and the last 0.4, 0.3, 0.2.
    assert vars(statistics(values)) == pytest.approx({"mean": 0.6, "recall": 5 / 9, "decay": 0.6})
    # 4 frames: 1, 1.75, 2.5, 3.25, 4 round (halves up) to 1, 2, 3, 3, 4.
    assert statistics(np.array([1.0, 0.8, 0.4, 0.2])).decay == pytest.approx(0.9 - 0.3)
    assert statistics(np.array([0.7])).decay == 0
    assert statistics(np.full(700, 0.25)).mean == 0.25


def test_every_problem_is_named_at_once(tmp_path, films):
    films = {**films, "c": films["b"], "d": films["b"]}
    make(tmp_path / "davis", "2017", films)
    predict(tmp_path / "out", {name: films[name] for name in "abd"})
    (tmp_path / "out" / "a" / "00003.png").unlink()
    write(tmp_path / "out" / "a" / "00004.png", square(0, 0, 4, 9))
    write(tmp_path / "out" / "b" / "00002.png", np.zeros((10, 12)))
    (tmp_path / "out" / "d" / "00001.png").write_bytes(b"no picture")
    with pytest.raises(DataError) as caught:
        evaluate_davis(tmp_path / "out", tmp_path / "davis")
    text = str(caught.value)
    for part in ("00003.png missing", "00004.png with ids [9]", "[1, 4]", "00002.png of size 12x10", "64x36"):
        assert part in text
    assert f"{tmp_path / 'out' / 'c'}: no such folder" in text
    assert str(tmp_path / "out" / "d" / "00001.png") in text


def test_no_predictions_and_no_such_year(tmp_path, films):
    make(tmp_path / "davis", "2017", films)
    with pytest.raises(DataError, match="no such folder"):
        evaluate_davis(tmp_path / "nothing", tmp_path / "davis")
    with pytest.raises(DataError, match="2016 or 2017"):
        evaluate_davis(tmp_path / "out", tmp_path / "davis", 2018)


def test_json_and_table(tmp_path, films):
    make(tmp_path / "davis", "2017", films)
    predict(tmp_path / "out", films)
    scores = evaluate_davis(tmp_path / "out", tmp_path / "davis")
    back = json.loads(json.dumps(scores.to_dict()))
    assert back["jf"] == 1 and back["sequences"][0]["objects"][1]["id"] == 4
    lines = table(scores).splitlines()
    assert len(lines) == 2 + 2 + 1 + 1 + 2  # head, a's objects, a's mean, b's object, totals
    assert lines[-1].split() == ["DAVIS", "2017", "val", "mean", *["100.0"] * 3, "0.0", *["100.0"] * 2, "0.0"]


def test_real_annotations_against_themselves_moved(shared, tmp_path):
    """The multi-object clip against itself one frame late: plausible scores, ids in order."""
    root = shared / "data" / "davis2017-multi"
    if not root.is_dir():
        pytest.skip(f"no multi-object clip: {root} is not a folder")
    masks = sorted((root / "Annotations" / "480p" / "schoolgirls").iterdir())
    (tmp_path / "schoolgirls").mkdir()
    for before, now in zip(masks, masks[1:]):
        (tmp_path / "schoolgirls" / now.name).symlink_to(before)
    scores = evaluate_davis(tmp_path, root)
    assert [o.id for o in scores.sequences[0].objects] == list(range(1, 8))
    assert 0.5 < scores.j.mean < 1 and 0.5 < scores.f.mean < 1
