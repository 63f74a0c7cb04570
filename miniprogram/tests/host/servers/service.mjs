/** The real service, as a user starts it: `python app.py`, on a free port of the loopback address. */

import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../..')
const READY_WITHIN_MS = 120_000
const POLL_MS = 100

/** A Python with the service's packages: named, or the project's own, or the one on the path. */
export function findPython() {
  const candidates = [process.env.SHIWU_PYTHON, path.join(ROOT, '.venv/bin/python'), 'python3'].filter(Boolean)
  const found = candidates.find((python) => spawnSync(python, ['-c', 'import flask, openvino'], { cwd: ROOT }).status === 0)
  if (found) return found
  throw new Error(`no Python has the service's packages (tried ${candidates.join(', ')}); run \`make run\` once at the root, or set SHIWU_PYTHON`)
}

/**
 * @param {Record<string, string | number>} settings by name: `{ queue: 1 }` is SHIWU_QUEUE=1
 * @returns {Promise<{ address: string, stop: () => Promise<void> }>}
 */
export async function startService(settings = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shiwu-mini-'))
  const port = await freePort()
  const log = fs.openSync(path.join(folder, 'log'), 'w')
  const given = { drain_s: 0, cache: path.join(folder, 'compiled'), images: path.join(folder, 'images'), ...settings }
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('SHIWU_'))
  const variables = Object.entries(given).map(([name, value]) => [`SHIWU_${name.toUpperCase()}`, String(value)])
  const child = spawn(findPython(), ['app.py', '--port', String(port)], {
    cwd: ROOT,
    env: Object.fromEntries([...own, ...variables]),
    stdio: ['ignore', log, log],
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      child.kill('SIGTERM')
      process.exit(1)
    })
  }
  const stop = async () => {
    if (child.exitCode === null) child.kill('SIGTERM')
    await ended
    fs.closeSync(log)
    fs.rmSync(folder, { recursive: true, force: true })
  }
  const address = `http://127.0.0.1:${port}`
  try {
    await ready(address, child)
  } catch (error) {
    const said = fs.readFileSync(path.join(folder, 'log'), 'utf8').split('\n').filter((line) => !line.includes('"/readyz"'))
    await stop()
    throw new Error([error.message, ...said.slice(-20)].join('\n'))
  }
  return { address, stop }
}

async function ready(address, child) {
  const end = Date.now() + READY_WITHIN_MS
  while (Date.now() < end) {
    if (child.exitCode !== null) throw new Error('the service ended:')
    const status = await fetch(`${address}/readyz`).then((reply) => reply.status, () => 0)
    if (status === 200) return
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  throw new Error('the service was not ready in time:')
}

/** @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = /** @type {net.AddressInfo} */ (probe.address())
      probe.close(() => resolve(port))
    })
  })
}
