"""Manifests: what lines mean, and all that can be wrong with them."""

import csv
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camn.api import SegmentOptions
from camn.cluster import values
from camn.cluster.manifest import read_jobs
from camn.cluster.tasks import Task, VideoJob
from camn.config import PostProcess
from camn.errors import DataError
from camn.masks import Marks, write_palette_png

ROW = {
    "name": "one",
    "video": "clips/a b.mp4",
    "masks": ["m/1.png", "/abs/2.png"],
    "keyframes": [0, 30],
    "short_side": 240,
    "overlay": False,
    "alpha": ["png"],
    "options": {"model": "camn-mobile"},
}


def wanted(folder: Path) -> VideoJob:
    options = {"model": ("camn-mobile",), "short_side": 240, "overlay": False, "alpha": ("png",)}
    return VideoJob("one", f"{folder}/clips/a b.mp4", (f"{folder}/m/1.png", "/abs/2.png"), options, (0, 30))


def test_jsonl_and_csv_say_the_same(tmp_path):
    (tmp_path / "jobs.jsonl").write_text(json.dumps(ROW) + "\n\n" + json.dumps({"video": "s3://b/v.mov", "masks": "m"}))
    with (tmp_path / "jobs.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(ROW))
        table.writeheader()
        cells = {"masks": "m/1.png; /abs/2.png", "keyframes": "0 30", "overlay": "false", "alpha": "png"}
        table.writerow(ROW | cells | {"options": json.dumps(ROW["options"])})
        table.writerow({"video": "s3://b/v.mov", "masks": "m"})
    second = VideoJob("v", "s3://b/v.mov", (f"{tmp_path}/m",))
    assert read_jobs(str(tmp_path / "jobs.jsonl")) == (wanted(tmp_path), second)
    assert read_jobs(str(tmp_path / "jobs.csv")) == (wanted(tmp_path), second)
    assert read_jobs(f"file://{tmp_path}/jobs.jsonl")[0].video == f"file://{tmp_path}/clips/a b.mp4"


def test_clicks_in_place_of_masks_or_beside_them(tmp_path):
    """In CSV several stand in one cell, between quotes where commas separate cells."""
    rows = [
        'video,masks,click,negative,box,at',
        'a.mp4,,"420,260 2:100,80","2:90,70",,40',
        'b.mp4,m,"5,5",,"3:1,2,30,40",',
    ]  # fmt: skip
    (tmp_path / "jobs.csv").write_text("\n".join(rows))
    lines = [
        {"video": "a.mp4", "click": ["420,260", "2:100,80"], "negative": "2:90,70", "at": 40.0},
        {"video": "b.mp4", "masks": "m", "click": "5,5", "box": ["3:1,2,30,40"]},
    ]
    (tmp_path / "jobs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    clicks = {1: [(420, 260)], 2: [(100, 80), (90, 70, False)]}
    first = VideoJob("a", f"{tmp_path}/a.mp4", (), marks=Marks(clicks, at=40))
    second = VideoJob("b", f"{tmp_path}/b.mp4", (f"{tmp_path}/m",), marks=Marks({1: [(5, 5)]}, {3: (1, 2, 30, 40)}))
    assert read_jobs(str(tmp_path / "jobs.csv")) == (first, second) == read_jobs(str(tmp_path / "jobs.jsonl"))


def test_whole_masks_are_an_option_of_a_video(tmp_path):
    (tmp_path / "jobs.csv").write_text("video,masks,masks_are_whole\na.mp4,m,true\nb.mp4,m,\n")
    first, second = read_jobs(str(tmp_path / "jobs.csv"))
    assert first.options == {"masks_are_whole": True} and not second.options


def test_parquet_says_the_same(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    from pyarrow import parquet

    other = {"video": "/v.mp4", "masks": ["m"], "options": {"memory_every": 3}}  # the table has cells for all of both
    parquet.write_table(pyarrow.Table.from_pylist([ROW, other | dict.fromkeys(["name"])]), tmp_path / "jobs.parquet")
    second = VideoJob("v", "/v.mp4", (f"{tmp_path}/m",), {"memory_every": 3})
    assert read_jobs(str(tmp_path / "jobs.parquet")) == (wanted(tmp_path), second)


def test_tables_as_programs_write_them(tmp_path):
    """Byte order marks, spaces, empty lines, TRUE, whole numbers as 240.0, lines of JSON with odd line ends in them."""
    rows = [
        "\ufeffvideo , masks,name,overlay,short_side,memory_frames,alpha",
        " v.mp4, a.png ; b.png ;,007,TRUE,240.0,,",
    ]
    (tmp_path / "jobs.csv").write_text("\r\n".join([*rows, ",,,", "w.mp4,m,,,,null,png vp9"]))
    one, two = read_jobs(str(tmp_path / "jobs.csv"))
    options = {"overlay": True, "short_side": 240}
    assert one == VideoJob("007", f"{tmp_path}/v.mp4", (f"{tmp_path}/a.png", f"{tmp_path}/b.png"), options)
    assert two == VideoJob(
        "w", f"{tmp_path}/w.mp4", (f"{tmp_path}/m",), {"memory_frames": None, "alpha": ("png", "vp9")}
    )
    row = {"video": "a\u2028b.mp4", "masks": "m", "keyframes": "0 12", "model": "x.safetensors"}
    (tmp_path / "jobs.jsonl").write_text("\ufeff" + json.dumps(row, ensure_ascii=False) + "\r\n")
    (job,) = read_jobs(str(tmp_path / "jobs.jsonl"))
    assert (job.name, job.keyframes, job.options) == ("a\u2028b", (0, 12), {"model": (f"{tmp_path}/x.safetensors",)})


TABLE = "video,masks,name,short side\nü v.mp4,a.png,one,240\nw.mp4,m,,\n"
EXCEL = {
    "semicolons": ("csv", TABLE.replace(",", ";").encode()),
    "tabs": ("csv", TABLE.replace(",", "\t").encode()),
    "tabs in .tsv": ("tsv", TABLE.replace(",", "\t").encode()),
    "CSV UTF-8": ("csv", TABLE.replace(",", ";").replace("\n", "\r\n").encode("utf-8-sig")),
    "Unicode text": ("csv", TABLE.replace(",", "\t").replace("\n", "\r\n").encode("utf-16")),
    "Macintosh": ("csv", TABLE.replace("\n", "\r").encode()),
    "told what separates": ("csv", b"sep=;\r\n" + TABLE.replace(",", ";").encode()),
    "other case, blanks": (
        "csv",
        TABLE.replace("video,masks,name,short side", " Video,MASKS ,Name, Short-Side").encode(),
    ),
    "empty lines and cells": ("csv", TABLE.replace(",", ";").replace("\n", ";;;\n\n;;;\n").encode()),
    "all quoted": ("csv", "\n".join(f'"{line}"' for line in TABLE.split("\n")[:-1]).replace(",", '";"').encode()),
}


@pytest.mark.parametrize("kind", EXCEL)
def test_tables_as_excel_writes_them(tmp_path, kind):
    end, data = EXCEL[kind]
    (tmp_path / f"jobs.{end}").write_bytes(data)
    one, two = read_jobs(str(tmp_path / f"jobs.{end}"))
    assert one == VideoJob("one", f"{tmp_path}/ü v.mp4", (f"{tmp_path}/a.png",), {"short_side": 240})
    assert two == VideoJob("w", f"{tmp_path}/w.mp4", (f"{tmp_path}/m",))


def test_several_masks_between_semicolons(tmp_path):
    (tmp_path / "jobs.csv").write_text('video;masks\nv.mp4;"a.png;b.png"\n')
    (job,) = read_jobs(str(tmp_path / "jobs.csv"))
    assert job.masks == (f"{tmp_path}/a.png", f"{tmp_path}/b.png")


def test_lines_of_json_with_names_in_another_case(tmp_path):
    (tmp_path / "jobs.jsonl").write_text('{"Video": "v.mp4", "Masks": "m", "Short side": 240}')
    (job,) = read_jobs(str(tmp_path / "jobs.jsonl"))
    assert job == VideoJob("v", f"{tmp_path}/v.mp4", (f"{tmp_path}/m",), {"short_side": 240})


def test_cells_of_several_values(monkeypatch):
    """As options may come to have them."""
    monkeypatch.setattr(values, "_TYPES", {"scales": tuple[float, ...] | None, "models": tuple[str, ...]})
    for text, wanted in (("1", [1]), ("1 1.5", [1, 1.5]), ("[1, 2]", [1, 2]), ("NULL", None)):
        assert values.of_text("scales", text) == wanted
        assert values._as(values._TYPES["scales"], wanted) == (wanted and tuple(wanted))
    assert values.of_text("models", "a b.safetensors") == ["a", "b.safetensors"]


WRONG = {
    "no masks": ({"video": "v.mp4"}, "video 2: gives no masks, click or box"),
    "no click": ({"video": "v", "click": "5"}, "click '5': write X,Y, or ID:X,Y"),
    "numbers": ({"video": "v", "click": [5, 5]}, "click 5: write X,Y"),
    "a number": ({"video": "v", "click": 5}, "click is 5: it must be a text, such as 1:420,260, or a list"),
    "only negative": ({"video": "v", "negative": "5,5"}, "object 1: click 5,5 says only where the object is not"),
    "no frame": ({"video": "v", "click": "5,5", "at": "late"}, "at is 'late': it must be the number of a frame"),
    "at alone": ({"video": "v", "masks": "m", "at": 3}, "at is the frame of clicks and boxes; give a click"),
    "parts of clicks": ({"video": "v", "click": "5,5", "keyframes": [9]}, "keyframes are frames with a mask each"),
    "unknown column": ({"video": "v", "masks": "m", "shortside": 3}, "unknown column 'shortside'"),
    "unknown option": ({"video": "v", "masks": "m", "options": {"overwrite": True}}, "unknown option 'overwrite'"),
    "impossible value": ({"video": "v", "masks": "m", "memory_every": 0}, "memory_every is 0"),
    "vague value": ({"video": "v", "masks": "m", "overlay": "no"}, "overlay is 'no': it must be true or false"),
    "text for a number": ({"video": "v", "masks": "m", "short_side": "big"}, "short_side is 'big': it must be a whole"),
    "no number": ({"video": "v", "masks": "m", "short_side": float("nan")}, "short_side is nan: it must be a whole"),
    "null": ({"video": "v", "masks": "m", "short_side": None}, "short_side is None: it must be a whole number"),
    "no list": ({"video": "v", "masks": "m", "alpha": "png"}, "alpha is 'png': it must be a list, each one of png"),
    "no options": (
        {"video": "v", "masks": "m", "options": ["overlay"]},
        "options is .'overlay'.: it must be an object",
    ),
    "masks": ({"video": "v", "masks": {"0": "m"}}, "masks is .'0': 'm'.: it must be a path or URL, or a list"),
    "keyframes": ({"video": "v", "masks": "m", "keyframes": [0, 9, 9]}, "keyframes is .0, 9, 9.: need frame numbers"),
    "a keyframe": ({"video": "v", "masks": "m", "keyframes": 9}, "keyframes is 9: need frame numbers"),
    "name taken": ({"video": "x/one.mp4", "masks": "m"}, "would be called one; give a `name`"),
    "name elsewhere": ({"video": "v", "masks": "m", "name": "../up"}, "'../up' cannot name outputs"),
    "own name": ({"video": "v", "masks": "m", "name": "_batch"}, "'_batch' cannot name outputs"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told(tmp_path, name):
    row, said = WRONG[name]
    (tmp_path / "jobs.jsonl").write_text(json.dumps(ROW) + "\n" + json.dumps(row))
    with pytest.raises(DataError, match=said):
        read_jobs(str(tmp_path / "jobs.jsonl"))


def test_what_is_no_manifest(tmp_path):
    for name, content, said in (
        ("jobs.txt", "x", "no manifest; give a .csv, .jsonl"),
        ("jobs.jsonl", "{", "cannot be read as jsonl"),
        ("jobs.jsonl", json.dumps(ROW) + "\n{]", "line 2: Expecting property name"),
        ("jobs.jsonl", "3", "line 1 is no object: 3"),
        ("jobs.csv", "", "names no video"),
        ("jobs.csv", "video,masks\n", "names no video"),
        ("jobs.csv", "video,masks\nv,m,1\n", "line 2 has more cells than the first line has names: v,m,1"),
        ("jobs.csv", "v.mp4,m.png\n", "its first line must name the columns, .* it is: v.mp4,m.png"),
        (
            "jobs.csv",
            "video;masks\nv;a.png;b.png\n",
            "line 2 has more cells .*quotes. around a cell that",
        ),
        ("jobs.csv", "video,Mask\nv,m\n", "unknown column 'mask' .is it masks.."),
        ("jobs.csv", "video,masks,Masks\nv,m,n\n", "two columns `masks`; leave one"),
        ("jobs.csv", ",video,masks\n0,v,m\n", "line 2 has a cell under a column without a name: 0; .*index=False"),
        ("jobs.csv", 'video,masks\nv,"m" x\n', "cannot be read as csv .line 2: "),
        ("jobs.csv", "video,masks\nv\u00e9,m\n".encode("latin-1"), "no text in UTF-8 .*save it as UTF-8"),
        ("jobs.csv", "video,masks\nv,m\n".encode("utf-16-le"), "no text in UTF-8 .*save it as UTF-8"),
        ("jobs.jsonl", '{"video": "v", "masks": "a", "masks": "b"}', "line 1: 'masks' is given twice"),
        ("jobs.jsonl", '{"video": "v", "masks": "a", "MASKS": "b"}', "video 1: there are two columns `masks`"),
        ("jobs.jsonl", "", "names no video"),
        ("none.csv", None, "cannot be read .No such file"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(DataError, match=said):
            read_jobs(str(tmp_path / name))


def test_a_data_set_folder(tmp_path, make_clip, data, make_mask):
    """Own clips: the folder of masks, of which each object's first is taken."""
    for name in ("one", "two"):
        make_clip(name)
        (tmp_path / "set" / name).mkdir(parents=True)
        (data / name).rename(tmp_path / "set" / name / "frames")
        for index in range(2):
            (tmp_path / "set" / name / "masks").mkdir(exist_ok=True)
            write_palette_png(tmp_path / "set" / name / "masks" / f"{index:05d}.png", make_mask(index, 5))
    where = tmp_path / "set"
    wanted = [VideoJob(n, f"{where}/{n}/frames", (f"{where}/{n}/masks",), first_only=True) for n in ("one", "two")]
    assert read_jobs(str(where)) == tuple(wanted)


@given(
    options=st.dictionaries(st.text(), st.one_of(st.none(), st.booleans(), st.integers(), st.tuples(st.text()))),
    span=st.tuples(st.integers(0), st.one_of(st.none(), st.integers(0))),
    names=st.lists(st.text()).map(tuple),
)
def test_a_task_travels_as_json(options, span, names):
    marks = Marks({2: [(1, 2), (3, 4, False)]}, {3: (1, 2, 3.5, 4)}, at=7).words()
    task = Task("n", "out", "v", names, options, {"model": "x", "inputs": {}}, span, names, True, marks)
    assert Task.from_dict(json.loads(json.dumps(task.to_dict()))) == task


@pytest.mark.parametrize(("said", "meant"), [
    ({"join": "f.safetensors", "export_background": "paper.png"}, ("{}/f.safetensors", "{}/paper.png")),
    ({"join": "mean", "export_background": "#123456"}, ("mean", "#123456")),
    ({"join": "fusion", "export_background": "blur"}, ("fusion", "blur")),
])  # fmt: skip
def test_files_that_options_name_lie_beside_the_manifest(said, meant, tmp_path):
    (tmp_path / "jobs.jsonl").write_text(json.dumps({"video": "v", "masks": "m"} | said))
    (job,) = read_jobs(str(tmp_path / "jobs.jsonl"))
    assert (job.options["join"], job.options["export_background"]) == tuple(one.format(tmp_path) for one in meant)


def test_several_models_views_and_post_processing_in_a_manifest(tmp_path):
    row = {"video": "v", "masks": "m", "model": ["camn-mobile", "b.safetensors"], "scales": [1, 1.3], "flip": True}
    (tmp_path / "jobs.jsonl").write_text(json.dumps(row | {"post": {"track_loss": False, "track_window": 9}}))
    (job,) = read_jobs(str(tmp_path / "jobs.jsonl"))
    options = SegmentOptions(**job.options)
    assert options.model == ("camn-mobile", f"{tmp_path}/b.safetensors") and options.scales == (1, 1.3) and options.flip
    assert options.post == PostProcess(track_loss=False, track_window=9, small_objects=True)
    (tmp_path / "jobs.csv").write_text("video,masks,model,scales\nv,m,camn-mobile b.safetensors,1 1.3\n")
    (job,) = read_jobs(str(tmp_path / "jobs.csv"))
    assert job.options == {"model": options.model, "scales": (1, 1.3)}
    (tmp_path / "jobs.jsonl").write_text(json.dumps(row | {"post": {"track_lots": True}}))
    with pytest.raises(DataError, match="unknown option 'track_lots'"):
        read_jobs(str(tmp_path / "jobs.jsonl"))


@pytest.mark.parametrize("coding", ["utf-8-sig", "utf-16"])
def test_manifests_as_windows_writes_them(tmp_path, coding):
    (tmp_path / "jobs.csv").write_bytes("video,masks,first_frame\r\nv.mp4,m,1\r\n".encode(coding))
    (tmp_path / "jobs.jsonl").write_bytes('{"video": "v.mp4", "masks": "m", "first_frame": 1}\r\n'.encode(coding))
    (one,), (two,) = (read_jobs(str(tmp_path / name)) for name in ("jobs.csv", "jobs.jsonl"))
    assert one == two and one.options == {"first_frame": 1}


def test_a_name_that_is_no_text_can_be_given_in_jsonl(tmp_path):
    (tmp_path / "jobs.jsonl").write_text('{"video": "caf\\udce9.mp4", "masks": "m"}')
    (job,) = read_jobs(str(tmp_path / "jobs.jsonl"))
    assert Path(job.video).name == os.fsdecode(b"caf\xe9.mp4")
