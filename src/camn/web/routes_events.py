"""The events, over a WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect

from camn.web.studio import Studio

router = APIRouter(prefix="/api")


@router.websocket("/events")
async def events(
    socket: WebSocket,
    run: Annotated[str | None, Query(max_length=64)] = None,
    after: Annotated[int | None, Query(ge=0)] = None,
) -> None:
    here: Studio = socket.app.state.studio
    await socket.accept()
    listener = here.events.listen(run, after)
    gone = asyncio.create_task(_until_gone(socket))
    try:
        while not gone.done():
            waiting = asyncio.create_task(listener.get())
            await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                waiting.cancel()
            elif (event := waiting.result()) is None:
                await socket.close(1013)
                return
            else:
                await socket.send_text(event)
    except (WebSocketDisconnect, RuntimeError):  # the latter: sent to one that has just gone
        pass
    finally:
        here.events.leave(listener)
        gone.cancel()


async def _until_gone(socket: WebSocket) -> None:
    """A client has nothing to say: what it sends is passed over, and its going is noticed."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
