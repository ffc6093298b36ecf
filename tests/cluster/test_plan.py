"""What a further run does and what it leaves alone, by records as the workers write them; no video is segmented."""

import dataclasses
import shutil

import pytest

from camn.cluster.folders import open_folder
from camn.cluster.plan import make_plan, parts_folder
from camn.cluster.records import write_record
from camn.cluster.tasks import Outcome, VideoJob
from camn.errors import ConfigError, DataError
from camn.masks import Marks


@pytest.fixture
def job(data, make_clip):
    make_clip("v", 1)
    return VideoJob("v", str(data / "v"), (str(data / "v.png"),))


@pytest.fixture
def folder(tmp_path):
    return open_folder(str(tmp_path / "out"))


def end(folder, task, status="done", final=True, limit=None):
    """As if a worker had ended the task so."""
    if status == "done":
        with folder.making(task.name) as made:
            (made / "run.json").write_text("{}")
    write_record(folder, task, Outcome(task.name, status, "" if status == "done" else "reason", final), 1, limit)


def todo(job, folder, options, **more):
    return [task.name for task in make_plan([job], folder, options, **more).tasks]


def test_a_video_is_done_once(job, folder, options, data, tmp_path):
    (task,) = make_plan([job], folder, options).tasks
    end(folder, task)
    plan = make_plan([job], folder, options)
    assert not plan.tasks and [outcome.status for outcome in plan.known] == ["done"]
    other = make_plan([job], folder, dataclasses.replace(options, json=False))
    assert len(other.tasks) == other.changed == 1
    shutil.rmtree(tmp_path / "out" / "v")  # the outputs, but not the record
    assert todo(job, folder, options) == ["v"]


def test_inputs_that_are_gone_do_not_count_as_changed(job, folder, options, data):
    """They were cleared away, or their storage does not answer now: what was made of them would be lost."""
    (task,) = make_plan([job], folder, options).tasks
    end(folder, task)
    shutil.rmtree(data / "v")
    (data / "v.png").unlink()
    assert todo(job, folder, options) == []
    assert todo(job, folder, dataclasses.replace(options, json=False)) == ["v"]
    assert todo(dataclasses.replace(job, masks=(str(data / "w.png"),)), folder, options) == ["v"]


def test_names_that_are_no_text(job, folder, options):
    """As of files that an old system wrote; their records must not end the whole run."""
    odd = dataclasses.replace(job, name="v\udcff", video=job.video + "\udcff")
    (task,) = make_plan([odd], folder, options).tasks
    end(folder, task)
    assert todo(odd, folder, options) == []


def test_which_failures_stand(job, folder, options):
    (task,) = make_plan([job], folder, options).tasks
    end(folder, task, "failed", limit=5)
    assert todo(job, folder, options, limit=5) == []
    assert todo(job, folder, options, limit=6) == todo(job, folder, options, limit=5, retry_failed=True) == ["v"]
    end(folder, task, "failed", final=False, limit=5)
    assert todo(job, folder, options, limit=5) == ["v"]


@pytest.mark.parametrize("how", ["killed", "a part failed", "a part failed by its own fault"])
def test_parts_that_are_done_stay(job, folder, options, how):
    split = dataclasses.replace(job, keyframes=(3, 6))
    first, second, third, whole = make_plan([split], folder, options).tasks
    assert [task.span for task in (first, second, third)] == [(0, 3), (3, 6), (6, None)]
    assert whole.parts == (first.name, second.name, third.name)
    end(folder, first)
    end(folder, third)
    if how != "killed":
        end(folder, whole, "failed", final=how.endswith("own fault"))
    assert todo(split, folder, options, retry_failed=True) == [second.name, "v"]
    folder.remove(third.name)
    assert todo(split, folder, options, retry_failed=True) == [second.name, third.name, "v"]
    assert len(todo(dataclasses.replace(split, keyframes=(0, 4)), folder, options)) == 3
    end(folder, whole)
    folder.remove(parts_folder("v"))
    assert todo(split, folder, options) == []


def test_what_does_not_go_with_the_batch(job, folder, options):
    both = dataclasses.replace(job, options={"memory_every": 0})
    with pytest.raises(ConfigError, match="v: memory_every is 0"):
        make_plan([both], folder, options)
    for given, said in (({"export_background": "blur"}, "is 'blur', which"), ({"export_objects": (1,)}, "and none is")):
        with pytest.raises(ConfigError, match=f"v: .*{said}"):
            make_plan([dataclasses.replace(job, options=given)], folder, options)
    of_both = dataclasses.replace(job, options={"export_background": "blur"})
    assert todo(of_both, folder, dataclasses.replace(options, export=("over-h264",))) == ["v"]
    pytest.importorskip("fsspec")
    with pytest.raises(DataError, match="'v.1.' cannot name outputs behind a URL"):
        make_plan([dataclasses.replace(job, name="v[1]")], open_folder("memory://out"), options)


def test_other_clicks_are_another_video_and_none_are_as_before(job, folder, options):
    """A record of a version that knew no clicks stands for a line without."""
    (task,) = make_plan([job], folder, options).tasks
    end(folder, dataclasses.replace(task, key={key: value for key, value in task.key.items() if key != "marks"}))
    assert todo(job, folder, options) == []
    clicked = dataclasses.replace(job, marks=Marks({1: [(5, 5)]}))
    (task,) = make_plan([clicked], folder, options).tasks
    assert task.marks == {"click": ["1:5,5"], "negative": [], "box": [], "at": 0}
    end(folder, task)
    assert todo(clicked, folder, options) == []
    assert todo(job, folder, options) == ["v"]
    assert todo(dataclasses.replace(job, marks=Marks({1: [(5, 5)]}, at=1)), folder, options) == ["v"]
