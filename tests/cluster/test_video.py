"""One video, as a worker does it."""

import json

from camn.cluster.folders import open_folder
from camn.cluster.manifest import read_jobs
from camn.cluster.plan import make_plan
from camn.cluster.tasks import Task
from camn.cluster.video import Videos


def test_a_video_from_a_click(tmp_path, make_clip, manifest, options):
    """What it was clicked for is in its record; one that fails by its clicks is not tried again."""
    make_clip("v", 2)
    lines = [{"video": "v", "click": "35,20", "name": "good"}, {"video": "v", "click": "96,20", "name": "bad"}]
    jobs = read_jobs(str(manifest(lines)))
    folder = open_folder(str(tmp_path / "out"))
    good, bad = (Task.from_dict(json.loads(json.dumps(t.to_dict()))) for t in make_plan(jobs, folder, options).tasks)
    videos = Videos()
    done = videos.do(good, 1, lambda frames: None)
    assert done.status == "done" and done.frames == 2 and "Object 1, marked: score" in done.log
    assert len(list((tmp_path / "out/good/marked").iterdir())) == 1
    assert json.loads((tmp_path / "out/good.json").read_text())["marks"]["click"] == ["1:35,20"]
    failed = videos.do(bad, 1, lambda frames: None)
    assert failed.status == "failed" and failed.final and "96,20 is outside the frame, which is 96x64" in failed.error
    assert not (tmp_path / "out/bad").exists()
