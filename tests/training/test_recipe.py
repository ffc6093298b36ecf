"""Recipes: read from TOML, refused with their reason, and the learning rate by its formula."""

import dataclasses
from pathlib import Path

import pytest

from camn.clips.dataset import Appearance, ClipOptions, Motion
from camn.errors import ConfigError
from camn.training.recipe import Recipe, load_stages

GOOD = 'videos = "data"\n[clips]\nsize = [65, 81]\nframes = 2\n'


def written(tmp_path, text):
    path = tmp_path / "small.toml"
    path.write_text(text)
    return path


def test_a_recipe_is_what_its_file_says(tmp_path):
    text = 'stills = "../pictures"\nfrozen = ["a", "b"]\nhard = [0.9, 0.2]\nseed = 3\n'
    text += '[clips]\nsize = [65, 81]\nweights = [["birds", 0.5]]\n[clips.motion]\nangle = 2.0\n'
    (recipe,) = load_stages(written(tmp_path, text + "[clips.appearance]\ngrey = 0.5\n"))
    clips = ClipOptions(
        size=(65, 81), weights=(("birds", 0.5),), motion=Motion(angle=2.0), appearance=Appearance(grey=0.5)
    )
    stills = str((tmp_path.parent / "pictures").resolve())
    assert recipe == Recipe("small", stills=stills, frozen=("a", "b"), hard=(0.9, 0.2), seed=3, clips=clips)


def test_paths_are_the_files_own_and_overrides_win(tmp_path):
    (recipe,) = load_stages(written(tmp_path, GOOD), seed=7, stills="elsewhere", videos=Path("/mine"))
    assert (recipe.seed, recipe.stills, recipe.videos) == (7, str(Path("elsewhere").resolve()), ("/mine",))
    (recipe,) = load_stages(written(tmp_path, 'videos = ["/data", "b"]\n[clips]\nsize = [65, 65]'))
    assert recipe.videos == ("/data", str(tmp_path / "b"))


@pytest.mark.parametrize("name", ["camn-mobile", "efficientnet_lite0", "camn-r101"])
def test_a_start_may_be_the_name_of_a_network(tmp_path, name):
    (recipe,) = load_stages(written(tmp_path, f'start = "{name}"\n' + GOOD))
    assert recipe.start == name
    (recipe,) = load_stages(written(tmp_path, 'start = "my.safetensors"\n' + GOOD))
    assert recipe.start == str(tmp_path / "my.safetensors")


STAGES = (
    GOOD
    + """
[[stages]]
name = "stills"
steps = 7
clips = { video_share = 0.0 }

[[stages]]
name = "video"
rate = 1e-3
[stages.clips]
frames = 4
[stages.clips.motion]
angle = 2.0
"""
)


def test_stages_are_the_recipe_with_changes(tmp_path):
    first, second = load_stages(written(tmp_path, 'start = "camn-mobile"\nsteps = 5\n' + STAGES))
    assert (first.name, first.stage, first.steps, first.rate) == ("small", "1-stills", 7, Recipe.rate)
    assert (second.name, second.stage, second.steps, second.rate) == ("small", "2-video", 5, 1e-3)
    assert (first.start, second.start) == ("camn-mobile", "") and (first.seed, second.seed) == (0, 1)
    assert first.clips == ClipOptions(size=(65, 81), frames=2, video_share=0)
    assert second.clips == ClipOptions(size=(65, 81), frames=4, motion=Motion(angle=2.0))
    assert first.videos == second.videos == (str(tmp_path / "data"),)


def test_an_override_holds_for_every_stage(tmp_path):
    first, second = load_stages(written(tmp_path, STAGES), steps=3, start="camn-mobile", seed=8)
    assert (first.seed, second.seed) == (8, 9)
    assert (first.steps, second.steps, first.start, second.start) == (3, 3, "camn-mobile", "")


BAD = {
    "unknown key": ("speed = 3\n" + GOOD, "small.toml: there is no key 'speed'; did you mean 'seed'"),
    "unlike any": ("xyzzy = 3\n" + GOOD, "no key 'xyzzy'; the keys are accumulate, amp"),
    "unknown clip option": (GOOD + "spread = 3\n", "small.toml.*'clips.spread'"),
    "misspelt clip option": (GOOD + "trak = 0.3\n", "no key 'clips.trak'; did you mean 'track'"),
    "unknown motion": (GOOD + "[clips.motion]\nspin = 3\n", "small.toml.*'clips.motion.spin'"),
    "invalid TOML": ("videos = \n", "small.toml: not valid TOML.*line 1"),
    "no data": ("[clips]\nsize = [65, 65]\n", "small: names no data"),
    "even size": (GOOD.replace("81", "80"), r"clip size \(65, 80\); sides must be 16 k \+ 1"),
    "one side": (GOOD.replace("[65, 81]", "[65]"), "small"),
    "one frame": (GOOD.replace("frames = 2", "frames = 1"), "clips of 1 frames"),
    "no step": ("steps = 0\n" + GOOD, "steps is 0"),
    "part of a step": ("steps = 1e5\n" + GOOD, "steps is 100000.0; it must be a whole number"),
    "no batch": ("batch = 0\n" + GOOD, "batch is 0"),
    "never saved": ("save_every = 0\n" + GOOD, "save_every is 0"),
    "unknown model": ('model = "camn-huge"\n' + GOOD, "camn-huge.*camn-mobile"),
    "no memory to read": ('model = "cfbi-r101"\nforget = 0.2\n' + GOOD, "forget is 0.2: cfbi-r101 has no memory"),
    "word for a number": ('steps = "many"\n' + GOOD, "small.toml"),
    "clips no table": ('videos = "data"\nclips = 3\n', r"small.toml: clips is 3; it must be a table, \[clips\]"),
    "no rate": ("rate = 0.0\n" + GOOD, "rate is 0.0; it must be a finite number over 0"),
    "rate falls": ("rate = -1e-4\n" + GOOD, "rate is -0.0001"),
    "rate unbounded": ("rate = inf\n" + GOOD, "rate is inf"),
    "rate not a number": ("rate = nan\n" + GOOD, "rate is nan"),
    "backbone rate": ("backbone_rate = -0.1\n" + GOOD, "backbone_rate is -0.1"),
    "average that never moves": ("ema = 1.0\n" + GOOD, "ema is 1.0; it must be at least 0 and less than 1"),
    "average beyond": ("ema = -0.1\n" + GOOD, "ema is -0.1"),
    "hard nothing": ("hard = [1.0, 0.0]\n" + GOOD, r"hard is \(1.0, 0.0\); it must be two fractions"),
    "hard too much": ("hard = [1.5, 0.3]\n" + GOOD, r"hard is \(1.5, 0.3\)"),
    "hard alone": ("hard = [0.5]\n" + GOOD, r"hard is \(0.5,\)"),
    "hard number": ("hard = 0.5\n" + GOOD, "small.toml"),
    "warm up": ("warm_up = -1\n" + GOOD, "warm_up is -1; it must be 0 or more"),
    "workers": ("workers = -1\n" + GOOD, "workers is -1"),
    "seed a word": ('seed = "x"\n' + GOOD, "small.toml"),
    "seed": ("seed = -1\n" + GOOD, "seed is -1"),
    "no norm": ("clip_norm = 0.0\n" + GOOD, "clip_norm is 0.0"),
    "damage": ("damage = 1.5\n" + GOOD, "damage is 1.5; it must be in 0..1"),
    "damage below": ("damage = -0.5\n" + GOOD, "damage is -0.5"),
    "old key": ('davis_year = "2016"\n' + GOOD, "davis_year is now called year"),
    "parts": ("batch = 4\naccumulate = 3\n" + GOOD, "batch of 4 clips is no whole multiple of accumulate = 3"),
    "no part": ("accumulate = 0\n" + GOOD, "accumulate is 0"),
    "optimizer": ('optimizer = "adam"\n' + GOOD, "optimizer is adam; it must be one of adamw, sgd"),
    "amp": ('amp = "yes"\n' + GOOD, "amp is yes; it must be true or false"),
    "compile": ("compile = 1\n" + GOOD, "compile is 1; it must be true or false"),
    "lead below": ("lead = -1\n" + GOOD, "lead is -1; it must be 0 or more"),
    "part of a frame led": ("lead = 0.5\n" + GOOD, "lead is 0.5; it must be a whole number"),
    "nothing left to learn from": ("lead = 1\n" + GOOD, "lead is 1: of clips of 2 frames it may be 0 at most"),
    "lead of a stage": (STAGES.replace("rate =", "lead = 3\nrate ="), "small 2-video: lead is 3: of clips of 4 frames"),
    "never validated": ("validate_every = 0\n" + GOOD, "validate_every is 0"),
    "two problems": ("steps = 0\nema = 1.0\n" + GOOD, "steps is 0.*; ema is 1.0"),
    "stage without a name": (GOOD + "[[stages]]\nsteps = 1\n[[stages]]\nname = 'b'\n", "stage name '' must be letters"),
    "stage elsewhere": (STAGES.replace('"video"', '"../video"'), "stage name '../video'"),
    "stage with a start": (STAGES.replace("rate =", 'start = "x"\nrate ='), "stage video: only the first stage has"),
    "stage of another model": (STAGES.replace("rate =", 'model = "camn-r50"\nrate ='), "all stages train one model"),
    "bad stage": (STAGES.replace("1e-3", "-1"), "recipe small 2-video: rate is -1"),
    "stages no list": (GOOD.replace("[clips]", "stages = 3\n[clips]"), "stages are tables"),
    "bad chance": (GOOD + "flip = 2\n", "flip 2 must be in 0..1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_recipe_is_refused(tmp_path, case):
    text, said = BAD[case]
    with pytest.raises(ConfigError, match=said):
        load_stages(written(tmp_path, text))


def test_files_that_are_no_recipe(tmp_path):
    with pytest.raises(ConfigError, match="missing.toml: cannot be read: No such file"):
        load_stages(tmp_path / "missing.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_stages(tmp_path)
    (tmp_path / "picture.toml").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(ConfigError, match="picture.toml: not valid TOML"):
        load_stages(tmp_path / "picture.toml")


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "recipes").glob("*.toml")), ids=lambda p: p.stem)
def test_our_recipes_are_good(path):
    given = {"videos": "own"} if path.stem == "fine-tune" else {}  # whose data its user names
    assert {recipe.name for recipe in load_stages(path, **given)} == {path.stem}


@pytest.mark.parametrize("frames", [2, 3, 10])
def test_one_frame_after_those_that_lead_is_enough(tmp_path, frames):
    text = GOOD.replace("frames = 2", f"frames = {frames}")
    (recipe,) = load_stages(written(tmp_path, f"lead = {frames - 2}\n" + text))
    assert recipe.rollout.lead == frames - 2
    with pytest.raises(ConfigError, match=f"lead is {frames - 1}: .* it may be {frames - 2} at most"):
        dataclasses.replace(recipe, lead=frames - 1)


def test_rate_warms_up_then_falls_to_nought():
    recipe = Recipe("r", videos=("d",), clips=ClipOptions(size=(65, 65)), rate=0.1, warm_up=10, steps=100, power=0.9)
    assert [recipe.rate_at(s) for s in (0, 4, 9)] == pytest.approx([0.01, 0.05, 0.1])
    for step in (10, 50, 99):
        assert recipe.rate_at(step) == pytest.approx(0.1 * (1 - step / 100) ** 0.9)
    assert recipe.rate_at(100) == recipe.rate_at(101) == 0
    assert dataclasses.replace(recipe, warm_up=0).rate_at(0) == 0.1


@pytest.mark.parametrize("coding", ["utf-8-sig", "utf-16"])
def test_a_recipe_as_windows_writes_it(tmp_path, coding):
    (tmp_path / "small.toml").write_bytes(GOOD.replace("\n", "\r\n").encode(coding))
    (recipe,) = load_stages(tmp_path / "small.toml")
    assert recipe == load_stages(written(tmp_path, GOOD))[0]
