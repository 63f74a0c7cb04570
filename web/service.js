// The service over HTTP: replies become values, and whatever goes wrong becomes Trouble.

const PATIENCE_MS = 120_000;

/** What went wrong: a code, the status, the service's own sentence if it gave one. */
export class Trouble extends Error {
  constructor(code, { status = 0, said = "", retryAfterS = null } = {}) {
    super(said || code);
    Object.assign(this, { code, status, said, retryAfterS });
  }
}

/** The absolute address of a path of the service, with the options that have a value. */
export function address(path, options = {}) {
  const url = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(options)) {
    if (value) url.searchParams.set(name, value);
  }
  return url.href;
}

/**
 * Ask the service, and again after as many seconds as it says while it has no room.
 *
 * @param {Blob} [photo] is sent, if given.
 * @param {"json"|"blob"} as how the reply is read.
 * @param {(seconds: number) => void} onWait hears how long the next try is away.
 * @returns {Promise<any>} the JSON's value, or the Blob.
 * @throws {Trouble}; AbortError when `signal` says so.
 */
export async function ask(path, { photo, options, as = "json", signal, onWait = () => {} } = {}) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await askOnce(address(path, options), photo, as, signal);
    } catch (trouble) {
      if (trouble.retryAfterS == null || Date.now() > end) throw trouble;
      const seconds = Math.min(Math.max(trouble.retryAfterS, 1), 30);
      onWait(seconds);
      // Not all at once: whoever was refused together would meet again.
      await pause(seconds * 1000 + Math.random() * 500, signal);
    }
  }
}

/** Wait, unless the signal says to stop. */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException("stopped", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** "ready", "starting" (alive, but takes no photos), or "gone". */
export async function health() {
  try {
    const reply = await fetch(address("readyz"), { cache: "no-store" });
    if (reply.ok) return "ready";
    return reply.status === 503 ? "starting" : "gone";
  } catch {
    return "gone";
  }
}

async function askOnce(url, photo, as, signal) {
  let reply;
  let body = null;
  try {
    reply = await fetch(url, request(photo, as, signal));
    body = await (reply.ok && as === "blob" ? reply.blob() : reply.json());
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (error.name !== "SyntaxError") throw await unanswered(photo);
  }
  if (reply.ok && body) return body;
  throw refusal(reply, body?.error);
}

function request(photo, as, signal) {
  const headers = { Accept: as === "json" ? "application/json" : "image/jpeg" };
  if (!photo) return { headers, signal };
  const form = new FormData();
  form.append("image", photo, "photo"); // its own name stays here
  return { method: "POST", body: form, headers, signal };
}

/** Why a request got no answer at all. */
async function unanswered(photo) {
  if (photo && !(await readable(photo))) return new Trouble("unreadable");
  return new Trouble((await health()) === "gone" ? "offline" : "cut");
}

async function readable(photo) {
  try {
    return (await photo.slice(0, 1).arrayBuffer()).byteLength > 0; // of a file that is gone: 0
  } catch {
    return false;
  }
}

function refusal({ status, headers }, error) {
  const after = Number.parseFloat(headers.get("Retry-After"));
  const retryAfterS = status === 503 && after >= 0 ? after : null;
  return new Trouble(error?.code ?? "strange", { status, said: error?.message, retryAfterS });
}
