"""What goes over the wire, as JSON; docs/reference/web-api.md says it in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from camn import api
from camn.projects.record import COLOUR, LAST_ID, NAME, Direction, State, Until

Id = Annotated[int, Field(ge=1, le=LAST_ID)]
Index = Annotated[int, Field(ge=0, lt=1 << 31)]
Name = Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
Colour = Annotated[str, Field(pattern=f"^{COLOUR.pattern}$")]
PICTURE = "picture-[0-9a-f]{12}"  # that was sent, to lie behind cut-outs
Coordinate = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
if TYPE_CHECKING:
    ExportKind = str
else:
    ExportKind = Literal[tuple(api.page_exports())]
MaskKind = Literal["shown", "given", "predicted", "all"]
ClearKind = Literal["given", "predicted", "both"]
Stage = Literal["loading", "measuring"]
JobState = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]


class Asked(BaseModel):
    """A body: what is not known is refused, so that a slip does not pass in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProjectName(Asked):
    name: Name


class ObjectWish(Asked):
    name: Name | None = None
    colour: Colour | None = None


class ObjectChange(Asked):
    name: Name
    colour: Colour


class Click(Asked):
    """A pixel of the full frame, and whether the object is there."""

    x: Coordinate
    y: Coordinate
    positive: bool = True


class Clicks(Asked):
    """All that is said of one object on one frame. mask: what it begins from, a PNG of the frame's size in Base64 whose
    pixels that are not 0 are the object. candidate: the reading of the first click that those after it correct."""

    clicks: Annotated[list[Click], Field(max_length=1000)] = []
    box: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None = None
    mask: str | None = None
    candidate: Annotated[int, Field(ge=0, lt=10)] = 0
    rough: bool = False

    @model_validator(mode="after")
    def _something(self) -> Clicks:
        if not self.clicks and self.box is None:
            raise ValueError("give clicks, or a box")
        return self


class Propagate(Asked):
    """reached: where an earlier run of the same came to; it goes on from there."""

    frame: Index
    direction: Direction = "forward"
    until: Until = "end"
    reached: Index | None = None


class Export(Asked):
    """objects: all if None. frames: first and last; all if None. background: of cut-outs over one; a picture as it was
    called when it was sent."""

    kind: ExportKind
    objects: Annotated[list[Id], Field(min_length=1, max_length=LAST_ID)] | None = None
    frames: tuple[Index, Index] | None = None
    opacity: Annotated[float, Field(ge=0, le=1)] = 0.5
    background: Annotated[str, Field(pattern=f"^({COLOUR.pattern}|blur|{PICTURE})$")] = api.BACKGROUND


class Background(BaseModel):
    background: str


class Obj(BaseModel):
    id: int
    name: str
    colour: str


class Project(BaseModel):
    id: str
    name: str
    created: str
    state: State
    error: str | None
    notes: list[str]
    width: int
    height: int
    display_width: int
    display_height: int
    fps: float
    count: int
    total: int | None
    objects: list[Obj]


class Upload(BaseModel):
    name: str
    bytes: int
    files: int


class Mask(BaseModel):
    frame: int
    given: bool
    predicted: bool
    confidence: dict[int, float] = {}
    lost: list[int] = []


class Before(BaseModel):
    """Of a frame before a change, or after it. given: it had a mask from the user. absent: ids that this said are not
    there."""

    given: bool
    absent: list[int]


class Pixels(BaseModel):
    """A part of a frame with its top left at x, y, as `PATCH` takes it. png: in Base64; grey is the new id, alpha the
    one that was shown before, both 255 where nothing has changed."""

    x: int
    y: int
    png: str


class Step(BaseModel):
    """What was done to a frame. pixels: of what is shown; None: none has changed."""

    before: Before
    after: Before
    pixels: Pixels | None


class Changed(Mask, Step):
    pass


class Loaded(BaseModel):
    """steps: by frame; None: of too many frames. numbered: whether numbers were taken for frames in a way that may not
    be meant; `first_frame` says otherwise."""

    frames: list[int]
    steps: dict[int, Step] | None
    objects: list[Obj]
    notes: list[str]
    numbered: bool


class Strip(BaseModel):
    """Of one object. confidence: of each frame, None without a mask. lost, doubtful: stretches [first, last]."""

    confidence: list[float | None]
    lost: list[tuple[int, int]]
    doubtful: list[tuple[int, int]]


class Confidence(BaseModel):
    objects: dict[int, Strip]


class Candidate(BaseModel):
    """mask: a grey PNG in Base64, 255 where the object is, of a part of the frame with its top left at x, y; None where
    there is nothing. score: the IoU that it is thought to have."""

    score: float
    x: int
    y: int
    mask: str | None


class Found(BaseModel):
    """Readings of what was asked, best first."""

    candidates: list[Candidate]


class Looked(BaseModel):
    ready: bool


class Job(BaseModel):
    id: str
    project: str
    kind: Literal["decode", "propagate", "export"]
    state: JobState
    place: int = 0
    done: int = 0
    total: int = 0
    frame: int | None = None
    rate: float = 0.0
    left: float | None = None
    stage: Stage | None = None
    error: str | None = None
    asked: Propagate | Export | None = None
    file: str | None = None
    file_name: str | None = None
    notes: list[str] = []


class Detail(Project):
    given: list[int]
    predicted: list[tuple[int, int]]
    jobs: list[Job]


class LimitsShown(BaseModel):
    file_bytes: int
    frame_pixels: int
    frames: int
    objects: int
    name_length: int
    mask_bytes: int
    zip_members: int


class ExportOffer(BaseModel):
    """kind: for `Export`. title, form: words for it and its format. wishes: fields of `Export` that change it."""

    kind: ExportKind
    title: str
    form: str
    wishes: list[str]


class MaskFileKind(BaseModel):
    """accept: of a file dialog. several: whether such a file may hold masks of several frames."""

    accept: list[str]
    several: bool


class Server(BaseModel):
    version: str
    run: str
    model: str
    device: str | None
    seq: int
    limits: LimitsShown
    exports: list[ExportOffer]
    mask_files: list[MaskFileKind]


class Failure(BaseModel):
    code: str
    message: str


class ErrorBody(BaseModel):
    """Every answer that is not a success."""

    error: Failure
