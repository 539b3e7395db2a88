// Presses that the server has not yet confirmed. All of them travel with every send, each with a number that only
// rises, and the server writes each once: a lost message, a reconnection or a repeat can neither lose nor double one.
const SEND_AFTER_MS = 300;
const SEND_AGAIN_MS = 4000;

class Outbox {
  constructor(store, send, changed) {
    this.store = `wbc-outbox-${store}`;
    this.send = send;
    this.changed = changed;
    this.client = crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2) + Date.now();
    this.presses = [];
    this.last = 0;
    this.sends = 0;
    this.restore();
  }

  // A reload can come before the first send: what was pressed then waits in the tab's own storage.
  restore() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.store));
      if (!kept?.presses?.length) return;
      this.client = kept.client;
      this.presses = kept.presses;
      this.last = this.presses[this.presses.length - 1].seq;
      this.schedule(0);
    } catch {
      sessionStorage.removeItem(this.store);
    }
  }

  keep() {
    try {
      if (this.presses.length) {
        sessionStorage.setItem(this.store, JSON.stringify({ client: this.client, presses: this.presses }));
      } else {
        sessionStorage.removeItem(this.store);
      }
    } catch {
      // Storage may be full or forbidden; the presses are still sent.
    }
  }

  add(press) {
    this.last += 1;
    this.presses.push({ ...press, seq: this.last });
    this.keep();
    this.schedule(SEND_AFTER_MS);
    this.changed();
    return this.last;
  }

  acknowledge(written) {
    if (written?.client !== this.client) return 0;
    this.presses = this.presses.filter((press) => press.seq > written.seq);
    this.keep();
    if (!this.presses.length) clearTimeout(this.timer);
    this.changed();
    return written.seq;
  }

  schedule(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), delay);
  }

  flush() {
    clearTimeout(this.timer);
    if (!this.presses.length) return;
    this.sends += 1;
    this.send({ client: this.client, presses: this.presses, sends: this.sends });
    this.timer = setTimeout(() => this.flush(), SEND_AGAIN_MS);
  }
}
