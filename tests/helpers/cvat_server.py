"""As much of a CVAT server as its command line talks to: it hands a task's frames and requests to an agent."""

import io
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

FUNCTION, TASK = 3, 7
TIME = "2026-01-01T00:00:00Z"


class Server:
    """frames: of the task. requests: what the agent is asked for, in order, each of the fields of an `ar_params`; of
    `states` "asked" stands for those that it answered last. answers: what it said to each; an error is text. function:
    as it was created."""

    def __init__(self, frames: Sequence[Image.Image], requests: Sequence[dict[str, Any]]):
        self.frames, self.requests = frames, list(requests)
        self.answers: list[Any] = []
        self.function: dict[str, Any] = {}

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        """What goes back: a JSON document, the bytes of a picture, or None for what is not here."""
        match [method, *path.strip("/").split("/")[1:]]:
            case ["GET", "server", "about"]:
                return {"name": "", "description": "", "version": "2.80.0", "logo_url": "", "subtitle": ""}
            case ["POST", "functions"]:
                self.function = body
                return {"id": FUNCTION, **body}
            case ["GET", "functions", _]:
                return {"id": FUNCTION, **self.function}
            case ["POST", "functions", "queues", _, "requests", "acquire"]:
                return {"ar_assignment": self._next(body["request_category"])}
            case ["POST", "functions", "queues", _, "requests", _, ("complete" | "fail")]:
                self.answers.append(body.get("exc_info") or body)
                return {}
            case ["GET", "tasks", _, "data", "meta"]:
                width, height = self.frames[0].size
                named = [
                    {"width": width, "height": height, "name": f"{index}.png", "related_files": 0}
                    for index in range(len(self.frames))
                ]
                return {"chunks_updated_date": TIME, "deleted_frames": [], "frames": named}
            case ["GET", "tasks", _, "data"]:
                file = io.BytesIO()
                self.frames[int(query["number"][0])].save(file, "png")
                return file.getvalue()
            case ["GET", "tasks", _]:
                about = {"id": TASK, "name": "clip", "size": len(self.frames), "data_chunk_size": 10}
                count = {"url": "", "count": 0, "completed": 0, "validation": 0}
                kind = {"data_original_chunk_type": "imageset", "updated_date": TIME, "organization": None}
                return {**about, **kind, "jobs": count, "labels": {"url": ""}}
            case ["GET", "labels"]:
                return {"count": 0, "next": None, "previous": None, "results": []}
        return None

    def _next(self, category: str) -> dict[str, Any] | None:
        if category != "interactive" or not self.requests:
            return None
        asked = {"task": TASK, **self.requests.pop(0)}
        if asked.get("states") == "asked" and isinstance(self.answers[-1], dict):
            asked["states"] = self.answers[-1]["states"]
        return {"ar_id": f"request-{len(self.answers)}", "ar_params": asked}

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Yields the address."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                said = server.answer(self.command, url.path, parse_qs(url.query), body)
                picture = isinstance(said, bytes)
                content = said if picture else json.dumps(said).encode()
                self.send_response(200 if said is not None else 404)
                self.send_header("Content-Type", "image/png" if picture else "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

            def log_message(self, format: str, *args: Any) -> None: ...

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
            thread = threading.Thread(target=http.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{http.server_port}"
            finally:
                http.shutdown()
                thread.join()
