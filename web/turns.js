// A few jobs at a time, first come, first served.

export class Turns {
  /** @param {number} most jobs at once; none before `go`. */
  constructor(most) {
    this.most = most;
    this.line = [];
    this.atWork = 0;
    this.isHeld = true;
  }

  /** Begin no more jobs until `go`; those at work go on. */
  hold() {
    this.isHeld = true;
  }

  go() {
    this.isHeld = false;
    while (this.begin());
  }

  /** The job's result, once it had its turn; `signal` takes it out of the line. */
  take(job, signal) {
    return new Promise((resolve, reject) => {
      const turn = { job, resolve, reject };
      signal?.addEventListener("abort", () => {
        this.line = this.line.filter((one) => one !== turn);
        reject(signal.reason);
      });
      this.line.push(turn);
      this.begin();
    });
  }

  /** Begin the next job, if there is one and it may. */
  begin() {
    if (this.isHeld || this.atWork >= this.most || !this.line.length) return false;
    const { job, resolve, reject } = this.line.shift();
    this.atWork += 1;
    job()
      .then(resolve, reject)
      .finally(() => {
        this.atWork -= 1;
        this.begin();
      });
    return true;
  }
}
