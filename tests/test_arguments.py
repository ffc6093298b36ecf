"""The command line before it is parsed: options given twice, names that look like options."""

import pytest

from camn import cli
from camn.arguments import check_paths, flags, gathered
from camn.commands.segmenting import Segment
from camn.errors import ConfigError


def test_which_options_take_several_values_and_which_a_path():
    several, paths = flags(Segment)
    assert {"--masks", "--click", "--box", "--model", "--scales", "--alpha", "--export"} <= several
    assert {"--out", "--project"} <= paths and not {"--short-side", "--device", "--preset"} & (several | paths)


def test_what_stands_behind_two_dashes_is_no_flag():
    given = ["--masks", "a", "--masks", "b", "--", "--masks", "c"]
    assert gathered(given, "--masks") == ["--masks", "a", "b", "--", "--masks", "c"]
    check_paths(["--out", "a", "--", "--out", "b"], {"--out"})


@pytest.mark.parametrize("given", ["--out a --out b", "--out=a --out b", "--out a --short-side 3 --out=b"])
def test_two_folders_to_write_to(given):
    with pytest.raises(ConfigError, match="--out is given twice, a and b: give it once"):
        check_paths(given.split(), {"--out"})
    check_paths(given.replace("b", "a").split(), {"--out"})
    check_paths(["--short-side", "3", "--short-side", "4"], {"--out"})  # as ever the last one counts


def test_commands_say_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-clip.mp4").touch()
    for arguments, said in (
        ("segment v.mp4 --masks a.png --out o --out p", "--out is given twice"),
        ("segment -clip.mp4 --masks a.png --out o", "-clip.mp4: a file here that reads like an option; give it as ./"),
        ("segment --masks a.png --out o -- -clip.mp4", "-clip.mp4: the file is empty"),
    ):
        assert cli.main(arguments.split()) == 2
        assert capsys.readouterr().err.startswith(f"camn: {said}")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("command", ["segment", "export", "train"])
def test_help_names_what_an_option_takes(command, capsys):
    """And not that it may be left out."""
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    said = capsys.readouterr().out
    assert "None}" not in said and "--out PATH " in said
    assert command != "export" or "--frames INT INT " in said


def test_what_may_be_left_out():
    assert cli.command_of(["export", "run", "--to", "coco"]).frames is None  # type: ignore[union-attr]
    given = cli.command_of(["export", "run", "--to", "coco", "--frames", "3", "4", "--objects", "7", "--out", "None"])
    assert (given.frames, given.objects, str(given.out)) == ((3, 4), (7,), "None")  # type: ignore[union-attr]
    for wrong in (["--frames", "3"], ["--frames", "None"], ["--objects", "None"]):
        with pytest.raises(SystemExit):
            cli.command_of(["export", "run", "--to", "coco", *wrong])
