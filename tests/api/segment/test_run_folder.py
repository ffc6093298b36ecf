"""The output folder of a run: one run's at a time, and former results stay until new ones are whole."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from camn.api.options import SegmentOptions
from camn.api.segment.folder import UNFINISHED, run_folder
from camn.api.segment.outputs import check_output, spare_exports
from camn.errors import OutputError
from camn.files import LOCK

OLD = {"masks/0.png": "old", "masks/1.png": "old", "overlay.mp4": "old", "objects.csv": "old"}
NEW = {"masks/0.png": "new", "objects.csv": "new", "segments.json": "new"}
MINE = {"notes.txt": "mine", "masks/notes.txt": "mine", "alpha/old/notes.txt": "mine"}


def write(folder: Path, files: dict[str, str], record: bool = True) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    if record:
        (folder / "run.json").write_text(json.dumps({"program": "camn", "of": next(iter(files.values()))}))


def found(folder: Path) -> dict[str, str]:
    """What is there, without run.json; that tells of what is there, too."""
    files = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    record = json.loads(files.pop("run.json")) if "run.json" in files else {"of": ""}
    assert record["of"] == files.get("objects.csv", "")
    return files


@pytest.fixture
def out(tmp_path) -> Path:
    """Of a former run, with files that it did not write."""
    folder = tmp_path / "out"
    write(folder, OLD)
    write(folder, MINE, record=False)
    return folder


def test_new_results_take_the_place_of_former_ones_at_the_end(out):
    with run_folder(out) as made:
        assert made != out
        write(made, NEW)
        assert {name: (out / name).read_text() for name in OLD} == OLD
    assert found(out) == NEW | MINE


def test_in_a_new_folder_results_are_seen_as_they_come(tmp_path):
    with run_folder(tmp_path / "a" / "out") as made:
        assert made == tmp_path / "a" / "out"
        write(made, NEW)
        assert not list(made.glob(".camn*"))
    assert found(made) == NEW


@pytest.mark.parametrize("error", [KeyboardInterrupt, OutputError, ZeroDivisionError])
def test_a_run_that_fails_costs_nothing(out, error):
    """What it wrote is kept, and told of; the next one that ends takes both places."""
    said = []
    for text in ("first", "second"):
        with pytest.raises(error), run_folder(out, said.append) as made:
            write(made, {"masks/0.png": text, "objects.csv": text})
            raise error
        kept = {f"{UNFINISHED}/{name}": text for name in ("masks/0.png", "objects.csv", "run.json")}
        files = found(out)
        assert files.pop(f"{UNFINISHED}/run.json") and files == OLD | MINE | {
            name: text for name, text in kept.items() if not name.endswith("run.json")
        }
    assert len(said) == 2 and "keeps the results of the run before" in said[0] and str(out / UNFINISHED) in said[0]
    with run_folder(out) as made:
        write(made, NEW)
    assert found(out) == NEW | MINE


def test_of_a_run_that_fails_before_its_first_frame_nothing_is_kept(out):
    said = []
    with pytest.raises(OutputError), run_folder(out, said.append) as made:
        write(made, {}, record=False)
        (made / "masks").mkdir()
        raise OutputError("no room")
    assert found(out) == OLD | MINE and not said


def test_a_folder_called_so_of_somebody_else_stays(out):
    write(out, {f"{UNFINISHED}/thesis.txt": "mine"}, record=False)
    said = []
    with pytest.raises(KeyboardInterrupt), run_folder(out, said.append) as made:
        write(made, NEW)
        raise KeyboardInterrupt
    assert (out / UNFINISHED / "thesis.txt").read_text() == "mine" and str(made) in said[0] and made.is_dir()
    with run_folder(out) as made:
        write(made, NEW)
    assert (out / UNFINISHED / "thesis.txt").read_text() == "mine"


def test_among_files_of_others_those_of_the_same_names_alone_are_replaced(tmp_path):
    """As with --overwrite."""
    out = tmp_path / "out"
    write(out, OLD | MINE, record=False)
    with run_folder(out) as made:
        write(made, NEW)
    assert found(out) == OLD | NEW | MINE


def test_exports_that_a_run_does_not_write_again_are_not_lost(out):
    """Of the run before, or made of it later; what a run writes unasked goes with its masks."""
    record = {"program": "camn", "status": "done"}
    (out / "run.json").write_text(json.dumps(record))
    spare_exports(out, SegmentOptions(overlay=False))
    write(out, {"yolo/labels/train/0.txt": "old", "alpha/3/0.png": "old", "over.mp4": "old"}, record=False)
    for given, said in (({}, "over.mp4, alpha, yolo"), ({"alpha": ("png",), "export": ("yolo",)}, "over.mp4")):
        with pytest.raises(OutputError, match=rf"out: holds {said} of the run before, which this one would remove"):
            spare_exports(out, SegmentOptions(**given))
    spare_exports(out, SegmentOptions(alpha=("png",), export=("over-h264", "yolo")))
    spare_exports(out, SegmentOptions(overwrite=True))
    (out / "run.json").write_text(json.dumps(record | {"status": "failed"}))
    spare_exports(out, SegmentOptions())  # of a run that came to no end there are parts


def killed_at(folder: Path, step: int) -> bool:
    """Writes new results in a process that is killed (SIGKILL) before its n-th change of names -> whether it was."""
    if not (child := os.fork()):
        left = step

        def counted(change):
            def counts(*arguments, **more):
                nonlocal left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return change(*arguments, **more)

            return counts

        for name in ("rename", "unlink", "rmdir"):
            setattr(Path, name, counted(getattr(Path, name)))
        with run_folder(folder) as made:
            write(made, NEW)
        os._exit(0)
    return os.waitpid(child, 0)[1] != 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_moment(tmp_path):
    """After the next run, though that fails at once, either all old results are there or all new ones."""
    step, kinds = 0, []
    while True:
        out = tmp_path / str(step)
        write(out, OLD)
        write(out, MINE, record=False)
        killed = killed_at(out, step)
        check_output(out, tmp_path / "v.mp4", [], overwrite=False)  # it is known for one of ours
        with pytest.raises(KeyboardInterrupt), run_folder(out):
            raise KeyboardInterrupt
        kinds.append(found(out))
        assert kinds[-1] in (OLD | MINE, NEW | MINE) and not list(out.glob(".*"))
        if not killed:
            break
        step += 1
    assert kinds[0] == OLD | MINE and kinds[-1] == NEW | MINE and step > 10


def test_a_room_that_lies_elsewhere_by_a_link_stays_there(tmp_path):
    out, disk = tmp_path / "out", tmp_path / "disk"
    disk.mkdir()
    out.mkdir()
    (out / "masks").symlink_to(disk)
    write(out, OLD)
    (disk / "notes.txt").write_text("mine")
    with run_folder(out) as made:
        write(made, NEW)
    assert (out / "masks").is_symlink() and sorted(path.name for path in disk.iterdir()) == ["0.png", "notes.txt"]


# --- one run at a time -----------------------------------------------------------------------------------------------

# A process that is there at once, as it does without the network's libraries.
HOLD = """
import sys
from pathlib import Path
from camn.files import LOCK, held
with held(Path(sys.argv[1]) / LOCK, "a run", tidy=True):
    print("here", flush=True)
    sys.stdin.read()
"""


def refused(folder: Path) -> str:
    with pytest.raises(OutputError) as error, run_folder(folder):
        pass
    return str(error.value)


def test_a_second_run_is_refused_by_any_name_until_the_first_ends_or_is_killed(tmp_path):
    out, link = tmp_path / "out", tmp_path / "link"
    out.mkdir()
    link.symlink_to(out)
    for end in ("end", "kill"):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout and process.stdout.readline() == "here\n"
        for name in (out, link, tmp_path / "other" / ".." / "out", out / "." / "."):
            (tmp_path / "other").mkdir(exist_ok=True)
            said = refused(name)
            assert said.startswith(f"{name}: another run is writing here; wait for its end, stop it, or give another")
            assert f"(process {process.pid} on " in said and ", since 20" in said
        process.kill() if end == "kill" else None
        process.communicate()
        with run_folder(link):
            pass
        assert not (out / LOCK).exists()


def test_a_run_in_this_process_is_refused_too(tmp_path):
    with run_folder(tmp_path):
        assert "another run is writing here" in refused(tmp_path)


def test_the_rooms_of_another_run_are_no_folder_for_a_run(out):
    for name in ("masks", "masks/more", "alpha/3"):
        with pytest.raises(OutputError, match=r"is where the run in .* keeps its results; give another folder"):
            check_output(out / name, Path("v.mp4"), [], overwrite=True)
    check_output(out / "second", Path("v.mp4"), [], overwrite=False)


def test_links_in_a_circle_and_to_nowhere(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    check_output(tmp_path / "a", Path("v.mp4"), [], overwrite=False)
    assert str(tmp_path / "a") in refused(tmp_path / "a")


def test_a_lock_that_was_left_is_no_content(tmp_path):
    (tmp_path / LOCK).write_text("process 1 on another machine")
    check_output(tmp_path, Path("v.mp4"), [], overwrite=False)
    with run_folder(tmp_path):
        pass


def test_a_folder_that_vanishes_in_the_middle(out):
    with pytest.raises(OutputError, match="out: cannot be written"), run_folder(out) as made:
        write(made, NEW)
        shutil.rmtree(out)
