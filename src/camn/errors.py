"""What can go wrong, said so that the reader can mend it: what, where, what to do."""


class CamnError(Exception):
    """Any error that is the input's, the options' or the machine's rather than the program's."""


class ConfigError(CamnError, ValueError):
    """A configuration that contradicts itself or names something that does not exist."""


class CheckpointError(CamnError):
    """A weights file that is missing, corrupt, or made for another network."""


class VideoError(CamnError):
    """A video file or frame folder that is missing, empty, truncated before its first frame, or not decodable."""


class MaskError(CamnError):
    """A mask that cannot be read as object ids, or does not fit the frame it belongs to."""


class MaskSizeError(MaskError):
    """A mask of another size than its frame's."""


class MaskFrameError(MaskError):
    """Masks whose numbers do not tell of which frames they are. fact: the message without the remedy."""

    def __init__(self, fact: str, remedy: str = ""):
        super().__init__(fact + remedy)
        self.fact = fact


class MaskTurnedError(MaskSizeError):
    """A mask that fits its frame turned by 90 degrees: to scale it would be wrong."""


class DataError(CamnError):
    """A data set whose layout, lists or files do not fit together."""


class OutputError(CamnError):
    """An output that cannot be written: folder not writable, disk full, encoder missing."""


class NoRoomError(OutputError):
    """An output for which the disk has no room."""


class AnswerError(CamnError):
    """A network's answer that is not finite: no mask can be told from it."""


class TrainingError(CamnError):
    """A training run that cannot go on: a loss that is not finite, a checkpoint of another recipe."""


_SILENT = {MemoryError: "out of memory", TimeoutError: "no answer in time", EOFError: "it ends too early"}


def words_of(error: BaseException) -> str:
    """Why a library or the system failed, in one line that can stand in a sentence. Its own words, and where it has
    none ours: a name of Python's says nothing to users."""
    if isinstance(error, KeyError):
        return f"{error} is missing"
    said = " ".join(str(getattr(error, "strerror", None) or error).split())[:500].rstrip(".")
    return said or next((words for kind, words in _SILENT.items() if isinstance(error, kind)), "no reason is told")
