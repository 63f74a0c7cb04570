/** One Chromium for all tests of a process, with the host's and the mini-program's files ready. */

import fs from 'node:fs'
import { chromium } from 'playwright-core'
import { buildClient, buildHost } from './build/site.mjs'

const CANDIDATES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/opt/google/chrome/chrome']
const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  // A mini-program is no web page: there is no same-origin rule for what it asks.
  '--disable-web-security',
  // No name is looked up outside this machine.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
]

let started = null
const clients = new Map()
let host = null

export function browser() {
  started ??= chromium.launch({ executablePath: findChromium(), headless: true, args: ARGUMENTS })
  return started
}

export async function closeBrowser() {
  const running = started
  started = null
  await (await running)?.close()
}

/** The files of the host and of the mini-program at `root`; each is built once. @returns {Promise<Map<string, string | Buffer>>} */
export async function site(root) {
  host ??= buildHost()
  if (!clients.has(root)) clients.set(root, buildClient(root))
  return new Map([...(await host), ...clients.get(root)])
}

function findChromium() {
  const found = CANDIDATES.filter(Boolean).find((file) => fs.existsSync(file))
  if (found) return found
  throw new Error('no Chromium: on Debian, apt-get install chromium fonts-noto-cjk; or set CHROMIUM to its path')
}
