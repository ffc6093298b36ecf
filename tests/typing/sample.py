"""A user's program as a type checker sees it: pyright checks this file with `make lint`; nobody runs it."""

# pyright: strict

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import assert_type

import numpy as np

import camn
from camn.config import PostProcess
from camn.errors import MaskError


def following(frames: Iterator[np.ndarray], mask: np.ndarray) -> list[camn.Result]:
    kept: list[camn.Result] = []
    clip, first = camn.api.demo_files()
    for result in camn.follow(clip, first, short_side=240):
        assert_type(result, camn.api.Followed)
        assert_type(result.frame, np.ndarray)
        assert_type(result.overlay(0.3), np.ndarray)
        assert_type(result.slim(), camn.api.Followed)
    results = camn.follow(frames, {0: mask}, model=camn.load(), notice=print, progress=camn.progress_bar())
    assert_type(results, camn.api.Following)
    with results:
        kept.append(next(results))
        assert_type(results.segmenter.correct(mask), camn.Result)
        results.segmenter.remove(3)
        assert_type(results.names, Mapping[int, str])
    for clicks in ([(420, 260)], (420, 260), {1: [(420, 260, False)]}, camn.Marks({1: [(420, 260)]}, at=3)):
        camn.follow([mask, mask], clicks=clicks, boxes={2: (0, 0, 9, 9)})
    return kept


def frame_by_frame(frame: np.ndarray, mask: np.ndarray) -> None:
    segmenter = camn.load("camn-mobile", device="cpu", post=PostProcess.off())
    segmenter.start(frame, mask)
    result = segmenter.step(frame)
    assert_type(result, camn.Result)
    assert_type(result.index, int)
    assert_type(result.ids, np.ndarray)
    assert_type(result.confidence, Mapping[int, float])
    assert_type(result.lost, frozenset[int])
    assert_type(result.probability(3), np.ndarray)
    marker = camn.load_marker(segmenter=segmenter)
    assert_type(marker, camn.Marker)
    marker.look(frame)
    answer = marker.click(420, 260, object=2)
    assert_type(answer, camn.api.Answer)
    assert_type(answer.mask, np.ndarray)
    assert_type(answer.score, float)
    try:
        segmenter.correct(marker.ids)
    except MaskError as error:
        assert_type(str(error), str)


def whole(video: Path) -> camn.api.Summary:
    def show(progress: camn.api.Progress) -> None:
        assert_type(progress.done, int)

    options = camn.SegmentOptions(alpha=("png",), short_side=240)
    camn.segment_video(video, out="out", marks=camn.Marks(boxes={1: (1, 2, 30, 40)}), options=options, progress=show)
    camn.demo("demo", progress=camn.progress_bar("demo"))
    assert_type(camn.evaluate("DAVIS").frames_per_second, float)
    assert_type(camn.train("recipe.toml", "out").finished, bool)
    for frame in camn.api.open_source(video):
        assert_type(frame.image, np.ndarray)
    summary = camn.segment_video("clip.mp4", ["a.png", video], "out")
    assert_type(summary.outputs, tuple[Path, ...])
    return summary
