"""YouTube-VOS' score of small folders, against its rule written out object by object."""

import numpy as np
import pytest
from PIL import Image

from camn.datasets.layouts import open_videos
from camn.errors import DataError
from camn.evaluation.jf import contour_accuracy, region_similarity
from camn.evaluation.scores import table
from camn.evaluation.youtube import evaluate_youtube_vos
from camn.masks import write_palette_png

UNSEEN = {"zebra"}


@pytest.fixture
def folder(youtube):
    return open_videos(youtube, "train")


def predict(root, films, change=lambda labels: labels, leave_out=("00000",)):
    for name, masks in films.items():
        (root / name).mkdir(parents=True)
        for t, labels in enumerate(masks):
            if f"{5 * t:05d}" not in leave_out:
                write_palette_png(root / name / f"{5 * t:05d}.png", change(labels))
    return root


def test_perfect_predictions(tmp_path, folder, films):
    scores = evaluate_youtube_vos(predict(tmp_path / "p", films), folder.sequences, folder.categories, UNSEEN)
    assert scores.overall == scores.jf == 1 and set(scores.totals.values()) == {1.0}
    found = {(s.name, o.id): (o.category, o.frames) for s in scores.sequences for o in s.objects}
    assert found == {
        ("a", 1): ("person", (1, 2, 3, 4, 5, 6, 7)),
        ("a", 4): (
            "zebra",
            (3, 4, 5, 6, 7),
        ),  # it appears on the third frame, which is given, and leaves on the seventh
        ("b", 1): ("dog", (1, 2, 3, 4, 5)),
        ("c", 2): ("zebra", (1, 2, 3, 4)),
    }


def test_equal_to_the_rule_written_out(tmp_path, folder, films, rng):
    def change(labels):
        moved = np.roll(labels, rng.integers(-3, 4), axis=1)
        moved[rng.random(moved.shape) < 0.02] = 0
        return moved

    root = predict(tmp_path / "p", films, change)
    means = {"seen": [], "unseen": []}
    for name, number, start in (("a", 1, 0), ("a", 4, 2), ("b", 1, 0), ("c", 2, 0)):
        values = []
        for t in range(start + 1, len(films[name])):
            ours, theirs = np.array(Image.open(root / name / f"{5 * t:05d}.png")) == number, films[name][t] == number
            values.append((region_similarity(ours, theirs), contour_accuracy(ours, theirs)))
        part = "unseen" if folder.categories[name][number] in UNSEEN else "seen"
        means[part].append(np.mean(values, axis=0))
    (j_seen, f_seen), (j_unseen, f_unseen) = (np.mean(means[part], axis=0) for part in ("seen", "unseen"))
    scores = evaluate_youtube_vos(root, folder.sequences, folder.categories, UNSEEN)
    expected = {"j_seen": j_seen, "j_unseen": j_unseen, "f_seen": f_seen, "f_unseen": f_unseen}
    assert scores.totals == pytest.approx(expected, abs=1e-12)
    assert scores.overall == pytest.approx((j_seen + j_unseen + f_seen + f_unseen) / 4, abs=1e-12)
    assert 0.2 < scores.overall < 0.95
    lines = table(scores).splitlines()
    assert lines[-1].split()[-2:] == ["G", f"{100 * scores.overall:.1f}"]
    assert lines[-4].split()[2:5] == ["seen", f"{50 * (j_seen + f_seen):.1f}", f"{100 * j_seen:.1f}"]
    assert scores.to_dict()["overall"] == scores.overall and scores.to_dict()["sequences"][0]["objects"][1]["id"] == 4


def test_an_object_that_has_left_is_rightly_not_to_be_seen(tmp_path, folder, films):
    """Object 4 of `a` is gone from the seventh frame on: predicting it there costs these two frames of its five."""
    last = films["a"][5] * (films["a"][5] == 4)
    stays = {**films, "a": films["a"][:6] + [np.maximum(labels, last) for labels in films["a"][6:]]}
    scores = evaluate_youtube_vos(predict(tmp_path / "p", stays), folder.sequences, folder.categories, UNSEEN)
    assert scores.sequences[0].objects[1].j_values == (1, 1, 1, 0, 0)
    assert scores.totals["j_unseen"] == pytest.approx((3 / 5 + 1) / 2)


def test_all_frames_are_measured_on_the_annotated_ones(tmp_path, youtube, folder, films):
    everything = open_videos(youtube, "train_all_frames")
    assert len(everything.sequences[0]) == 36 and len(folder.sequences[0]) == 8
    root = predict(tmp_path / "p", films)
    scores = evaluate_youtube_vos(root, everything.sequences, everything.categories, UNSEEN)
    assert scores.overall == 1 and scores.sequences[2].objects[0].frames == (5, 10, 15, 20)


def test_what_cannot_be_scored(tmp_path, folder, films):
    root = predict(tmp_path / "p", films)
    with pytest.raises(DataError, match="no object of an unseen category"):
        evaluate_youtube_vos(root, folder.sequences, folder.categories, {"lizard"})
    with pytest.raises(DataError, match="a: object 4 has no category"):
        evaluate_youtube_vos(root, folder.sequences, {**folder.categories, "a": {1: "person"}}, UNSEEN)
    (root / "a" / "00020.png").unlink()
    write_palette_png(root / "b" / "00010.png", np.zeros((4, 5), np.uint8))
    with pytest.raises(DataError) as caught:
        evaluate_youtube_vos(root, folder.sequences, folder.categories, UNSEEN)
    assert "00020.png missing" in str(caught.value) and "00010.png of size 5x4" in str(caught.value)
