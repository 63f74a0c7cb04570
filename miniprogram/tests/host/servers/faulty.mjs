/**
 * A server that fails on purpose, for real, on the wire: it hangs, breaks off, answers with rubbish or
 * with any status. A test gives it what to do with each request, in order; the last stays.
 */

import http from 'node:http'

/** @typedef {(request: http.IncomingMessage, response: http.ServerResponse, body: Buffer) => void} Behaviour */

export const hang = () => {}
/** @type {Behaviour} */
export const reset = (request) => void request.socket.resetAndDestroy()
/** @type {Behaviour} */
export const garbage = (request) => void request.socket.end('no HTTP at all\r\n\r\n')

/** @returns {Behaviour} */
export function answer(status, body = '', header = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const type = typeof body === 'string' ? 'text/html; charset=utf-8' : 'application/json'
  return (_, response) => void response.writeHead(status, { 'Content-Type': type, ...header }).end(text)
}

/** An error as the service writes it. */
export const refused = (status, code, header = {}) =>
  answer(status, { success: false, error: { code, message: `the sentence of ${code}`, request_id: 'r1' } }, header)

/** Answers by path: `{ '/predict': …, '/labels': … }`. @returns {Behaviour} */
export const byPath = (behaviours) => (request, response, body) =>
  (behaviours[new URL(request.url ?? '/', 'http://any').pathname] ?? answer(404))(request, response, body)

/**
 * @param {...Behaviour} behaviours
 * @returns {Promise<{ address: string, seen: { method: string, url: string, body: Buffer, headers: http.IncomingHttpHeaders, brokenOff: boolean }[], next: (...behaviours: Behaviour[]) => void, stop: () => Promise<void> }>}
 */
export function startFaulty(...behaviours) {
  const seen = []
  let queue = behaviours
  const server = http.createServer(async (request, response) => {
    const behave = queue.length > 1 ? queue.shift() : queue[0]
    const { method, url, headers } = request
    const note = { method, url, headers, body: Buffer.alloc(0), brokenOff: false }
    seen.push(note)
    request.on('error', () => {})
    const chunks = []
    try {
      for await (const chunk of request) chunks.push(chunk)
    } catch {
      note.brokenOff = true
      return // the client went away
    }
    note.body = Buffer.concat(chunks)
    behave?.(request, response, note.body)
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
      resolve({
        address: `http://127.0.0.1:${port}`,
        seen,
        next: (...more) => {
          queue = more
        },
        stop: () =>
          new Promise((done) => {
            server.close(() => done())
            server.closeAllConnections()
          }),
      })
    })
  })
}
