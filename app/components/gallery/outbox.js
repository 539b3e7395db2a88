// Presses that the server has not yet confirmed. All of them travel with every send, each with its client and a number
// that only rises, and the server writes each once: a lost message, a reconnection or a repeat can neither lose nor
// double one.
const SEND_AFTER_MS = 300;
const SEND_AGAIN_MS = 4000;
const PERSON = "wbc-person";

// The person's name in the tab: what is sent just after a reload can be there before the session has the name again.
function keptPerson() {
  try {
    return sessionStorage.getItem(PERSON) ?? "";
  } catch {
    return "";
  }
}

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

  // A reload can come before the first send: what was pressed then waits in the tab's own storage. It keeps the client
  // that it was pressed in, but what is pressed from now on is another's: a duplicated tab has a copy of that storage.
  restore() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.store));
      if (!kept?.length) return;
      this.presses = kept;
      this.schedule(0);
    } catch {
      sessionStorage.removeItem(this.store);
    }
  }

  keep() {
    try {
      if (this.presses.length) {
        sessionStorage.setItem(this.store, JSON.stringify(this.presses));
      } else {
        sessionStorage.removeItem(this.store);
      }
    } catch {
      // Storage may be full or forbidden; the presses are still sent.
    }
  }

  add(press) {
    this.last += 1;
    this.presses.push({ ...press, client: this.client, seq: this.last });
    this.keep();
    this.schedule(SEND_AFTER_MS);
    this.changed();
    return this.last;
  }

  // Returns up to which of its own presses the tab may trust what the server draws.
  acknowledge(written) {
    const left = this.presses.filter((press) => press.seq > (written[press.client] ?? 0));
    if (left.length < this.presses.length) {
      this.presses = left;
      this.keep();
      if (!left.length) clearTimeout(this.timer);
      this.changed();
    }
    return written[this.client] ?? 0;
  }

  schedule(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), delay);
  }

  flush() {
    clearTimeout(this.timer);
    if (!this.presses.length) return;
    this.sends += 1;
    this.send({ presses: this.presses, sends: this.sends, person: keptPerson() });
    this.timer = setTimeout(() => this.flush(), SEND_AGAIN_MS);
  }
}
