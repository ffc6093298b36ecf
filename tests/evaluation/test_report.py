"""The report as a browser reads it: its figures are the scores, and it asks for nothing from elsewhere."""

import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from camn.datasets.layouts import open_videos
from camn.evaluation.charts import BOTTOM, LEFT, RIGHT, TOP, chart
from camn.evaluation.davis import evaluate_davis
from camn.evaluation.predictions import measure
from camn.evaluation.protocol import OPEN
from camn.evaluation.report import write_report
from camn.evaluation.scores import Scores
from camn.evaluation.worst import TINTS, draw, worst_frames
from camn.evaluation.youtube import evaluate_youtube_vos
from camn.masks import write_palette_png

VOID = {"meta", "link", "img"}
FACTS = {"model": "tiny <1>", "machine": "a & b"}


class Page(HTMLParser):
    """Figures, rows, charts, pictures, and every attribute that could fetch something."""

    def __init__(self, text):
        super().__init__()
        self.figures, self.rows, self.fetched, self.lines, self.images = {}, [], [], [], []
        self.ids, self.links, self.open, self.text = [], [], [], ""
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag not in VOID:
            self.open.append((tag, found))
        self.fetched += [value for key, value in attrs if key in ("src", "href", "srcset", "data", "action", "poster")]
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"][1:]] if tag == "a" else []
        if tag == "tr":
            self.rows.append([])
        if tag == "polyline":
            self.lines.append([tuple(map(float, p.split(","))) for p in found["points"].split()])
        if tag == "img":
            self.images.append(found)

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        self.text += data
        if self.open and "data-figure" in self.open[-1][1]:
            self.figures[self.open[-1][1]["data-figure"]] = data
        if any(tag in ("td", "th") for tag, _ in self.open):
            self.rows[-1].append(data)


def predictions(root, films):
    """Every object two pixels to the right, worse with every frame."""
    for name, masks in films.items():
        (root / name).mkdir(parents=True)
        for t, labels in enumerate(masks):
            write_palette_png(root / name / f"{5 * t:05d}.png", np.roll(labels, 1 + t, axis=1))
    return root


@pytest.fixture
def parts(tmp_path, youtube, films):
    folder = open_videos(youtube, "train")
    root = predictions(tmp_path / "p", films)
    return folder, root, Scores("clips", measure(root, folder.sequences, OPEN, folder.categories))


def test_figures_are_the_scores(tmp_path, parts):
    folder, root, scores = parts
    text = write_report(tmp_path / "r.html", scores, folder.sequences, root, OPEN, FACTS).read_text("utf-8")
    page = Page(text)
    assert page.figures == {
        "J&F mean": f"{100 * scores.jf:.1f}",
        "J mean": f"{100 * scores.j.mean:.1f}",
        "J recall": f"{100 * scores.j.recall:.1f}",
        "J decay": f"{100 * scores.j.decay:.1f}",
        "F mean": f"{100 * scores.f.mean:.1f}",
        "F recall": f"{100 * scores.f.recall:.1f}",
        "F decay": f"{100 * scores.f.decay:.1f}",
    }
    for row, s in zip(page.rows[1:-1], scores.sequences, strict=True):
        values = (s.jf, s.j.mean, s.j.recall, s.j.decay, s.f.mean, s.f.recall, s.f.decay)
        assert row == [s.name, str(len(s.objects)), str(s.frames), *(f"{100 * value:.1f}" for value in values)]
    assert page.rows[-1][:4] == ["all", "4", "16", f"{100 * scores.jf:.1f}"]
    assert page.links == [f"s-{s.name}" for s in scores.sequences] == [i for i in page.ids if i != "about-table"]
    for item in scores.objects:
        said = f"object {item.id} ({item.category}): J {100 * item.j.mean:.1f}, F {100 * item.f.mean:.1f}"
        assert said in page.text
    assert "tiny <1>" in page.text and "a & b" in page.text


def test_nothing_is_asked_from_elsewhere(tmp_path, parts):
    folder, root, scores = parts
    text = write_report(tmp_path / "r.html", scores, folder.sequences, root, OPEN, FACTS).read_text("utf-8")
    page = Page(text)
    assert "//" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", text).replace("// Sorts", "")
    assert all(value.startswith(("data:", "#")) for value in page.fetched)
    assert not re.search(r"@import|url\(|fetch\(|<script src|<iframe", text)


def test_lines_are_j_over_time(parts):
    scores = parts[2]
    for sequence in scores.sequences:
        page = Page(chart(sequence))
        for points, item in zip(page.lines, sequence.objects, strict=True):
            values = [(BOTTOM - y) / (BOTTOM - TOP) for _, y in points]
            assert values == pytest.approx(item.j_values, abs=0.001)
            assert all(LEFT <= x <= RIGHT for x, _ in points) and points == sorted(points)
    first, second = Page(chart(scores.sequences[0])).lines
    assert second[0][0] == first[2][0] and second[-1][0] == first[-1][0] == RIGHT  # object 4 starts two frames later


def test_worst_frames(tmp_path, parts):
    folder, root, scores = parts
    found = worst_frames(scores, count=4, each=2)
    assert [f.j for f in found] == sorted(f.j for f in found) and len(found) == 4
    everything = {}
    for s in scores.sequences:
        for item in s.objects:
            for index, j in zip(item.frames, item.j_values):
                everything.setdefault((s.name, index), []).append(j)
    assert found[0].j == pytest.approx(min(np.mean(values) for values in everything.values()))
    assert all(f.j == pytest.approx(np.mean(everything[f.sequence, f.index])) for f in found)
    page = Page(write_report(tmp_path / "r.html", scores, folder.sequences, root, OPEN, FACTS, 4).read_text("utf-8"))
    assert [image["alt"] for image in page.images] == [
        f"{f.sequence}, frame {f.index}: J {100 * f.j:.1f}" for f in found
    ]
    for image in page.images:
        data = base64.b64decode(image["src"].removeprefix("data:image/jpeg;base64,"), validate=True)
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert decoded.shape[:2] == (int(image["height"]), int(image["width"])) == (36, 64)


def test_tint_and_outline():
    image = np.full((30, 40, 3), 100, np.uint8)
    predicted, truth = np.zeros((2, 30, 40), np.uint8)
    predicted[5:25, 5:20], truth[5:25, 15:30] = 7, 7
    drawn = draw(image, predicted, truth, [3, 7])
    assert np.array_equal(drawn[10, 8], np.rint(45 + 0.55 * TINTS[1]))  # predicted, outside the truth
    assert np.array_equal(drawn[10, 29], [255, 255, 255]) and np.array_equal(drawn[10, 30], [0, 0, 0])
    assert np.array_equal(drawn[10, 25], [100, 100, 100]) and (image == 100).all()


def test_youtube_and_davis_scores_have_their_own_figures(tmp_path, parts, youtube):
    folder, root, _ = parts
    scores = evaluate_youtube_vos(root, folder.sequences, folder.categories, {"zebra"})
    page = Page(write_report(tmp_path / "y.html", scores, folder.sequences, root, OPEN, {}).read_text("utf-8"))
    assert page.figures["G, overall"] == f"{100 * scores.overall:.1f}"
    assert page.figures["J unseen"] == f"{100 * scores.totals['j_unseen']:.1f}"
    davis = tmp_path / "davis"
    (davis / "ImageSets" / "2016").mkdir(parents=True)
    (davis / "ImageSets" / "2016" / "val.txt").write_text("b")
    for kind in ("JPEGImages", "Annotations"):
        (davis / kind).mkdir()
        (youtube / "train" / kind).rename(davis / kind / "480p")
    found = evaluate_davis(root, davis, 2016, "val")
    opened = open_videos(davis, "val", 2016)
    page = Page(write_report(tmp_path / "d.html", found, opened.sequences, root, OPEN, {}).read_text("utf-8"))
    assert page.figures["J&F mean"] == f"{100 * found.jf:.1f}" and "DAVIS 2016 val" in page.text
