/** The server's events, over a WebSocket that comes back by itself and misses nothing. */

/** @import {ServerEvent} from "./types.js" */

const FIRST_WAIT = 400; // milliseconds
const LONGEST_WAIT = 5000;

export class EventSocket {
  /**
   * @param {string} run the server's run, of which event `after` was the last one seen
   * @param {number} after
   * @param {(event: ServerEvent) => void} heard
   * @param {(open: boolean) => void} changed also called when it could not be opened again
   */
  constructor(run, after, heard, changed) {
    this.run = run;
    this.after = after;
    this.heard = heard;
    this.changed = changed;
    this.wait = FIRST_WAIT;
    this.connect();
  }

  connect() {
    const url = new URL("/api/events", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.search = new URLSearchParams({ run: this.run, after: String(this.after) }).toString();
    const socket = new WebSocket(url);
    socket.onmessage = (message) => this.receive(JSON.parse(message.data));
    socket.onclose = () => this.lost();
  }

  /** @param {ServerEvent} event */
  receive(event) {
    if (event.type === "hello") {
      this.wait = FIRST_WAIT;
      this.run = event.run;
      this.changed(true);
    }
    this.after = event.seq ?? this.after;
    this.heard(event);
  }

  lost() {
    this.changed(false);
    setTimeout(() => this.connect(), this.wait);
    this.wait = Math.min(LONGEST_WAIT, this.wait * 1.6);
  }
}
