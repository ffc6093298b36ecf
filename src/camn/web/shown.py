"""Projects, frames and objects as they go over the wire."""

from __future__ import annotations

from dataclasses import asdict

from camn.projects.change import Before, Step
from camn.projects.project import Project
from camn.projects.record import Object
from camn.web import schemas
from camn.web.bodies import text_of_change


def shown(project: Project) -> schemas.Project:
    record, (height, width) = project.record, project.display_size
    return schemas.Project(
        id=project.id,
        name=record.name,
        created=record.created,
        state=record.state,
        error=record.error,
        notes=list(record.notes),
        width=record.width,
        height=record.height,
        display_width=width,
        display_height=height,
        fps=float(project.fps),
        count=project.count,
        total=record.total,
        objects=[shown_object(item) for item in record.objects],
    )


def shown_object(item: Object) -> schemas.Obj:
    return schemas.Obj(**asdict(item))


def shown_frame(project: Project, index: int) -> schemas.Mask:
    """Raises Problem while the project has no frames."""
    masks = project.masks
    confidence, lost = masks.known(index, project.ids)
    given, predicted = index in masks.given, index in masks.predicted
    return schemas.Mask(frame=index, given=given, predicted=predicted, confidence=confidence, lost=lost)


def changed(mask: schemas.Mask, step: Step) -> schemas.Changed:
    return schemas.Changed(**mask.model_dump(), **shown_step(step).model_dump())


def shown_step(step: Step) -> schemas.Step:
    pixels = step.pixels and text_of_change(step.pixels)
    return schemas.Step(before=_shown_before(step.before), after=_shown_before(step.after), pixels=pixels)


def _shown_before(before: Before) -> schemas.Before:
    return schemas.Before(given=before.given, absent=sorted(before.absent))
