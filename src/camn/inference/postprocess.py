"""Placeholder of the lead's worktree, replaced by the branch `post`."""

from typing import Any


class PostProcessor:
    def __init__(self, config: Any, open_segmenter: Any): ...

    def given(self, *args: Any) -> None: ...

    def __call__(self, index: int, frame: Any, objects: Any, probabilities: Any) -> Any:
        return probabilities

    def select(self, objects: Any) -> None: ...
