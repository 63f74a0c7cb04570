/** A phone with the mini-program on it: opened for one test, looked at and touched by it, closed after it. */

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { browser, site } from './browser.mjs'

const HERE = path.dirname(fileURLToPath(import.meta.url))
const SCREENSHOTS = path.join(HERE, '../screenshots')
// Never asked for: every file below it is handed over by the test itself.
const ORIGIN = 'http://127.0.0.1'
const PREFIX = '/__mini/'
export const PATIENCE_MS = 60_000
const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml', png: 'image/png', jpg: 'image/jpeg' }

export const CLIENT = path.join(HERE, '../../client')

/**
 * @typedef {object} Options
 * @property {string} [client] folder of the mini-program
 * @property {string} [start] the first page
 * @property {Record<string, Buffer>} [pictures] that camera and album can name
 * @property {object} [world] what the phone and its person are like: see runtime/world.js
 * @property {Record<string, object>} [config] fields of what a module exports, by file
 * @property {[number, number]} [size] of the screen, in pixels
 * @property {'light' | 'dark'} [theme]
 */

/**
 * Open the mini-program; at the end of the test nothing may have gone wrong unseen.
 * @param {import('node:test').TestContext} t
 * @param {Options} options
 */
export async function openPhone(t, { client = CLIENT, start, pictures = {}, world = {}, config = {}, size = [375, 812], theme = 'light' } = {}) {
  const files = await site(client)
  const [width, height] = size
  const context = await (await browser()).newContext({ viewport: { width, height }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, locale: 'zh-CN', colorScheme: theme })
  context.setDefaultTimeout(PATIENCE_MS)
  const page = await context.newPage()
  const phone = new Phone(page, context)
  t.after(() => phone.close())
  await page.exposeFunction('__whyFailed', (url) => phone.whyFailed(url))
  await page.addInitScript((given) => Object.assign(globalThis, { __given: given }), { world, config, path: start ?? firstPage(client) })
  await page.route(`${ORIGIN}${PREFIX}**`, (route) => {
    const name = decodeURIComponent(new URL(route.request().url()).pathname.slice(PREFIX.length))
    const body = name.startsWith('pictures/') ? pictures[name.slice('pictures/'.length)] : files.get(name)
    if (body === undefined) return route.fulfill({ status: 404, body: '' })
    return route.fulfill({ body, contentType: TYPES[name.split('.').pop() ?? ''] ?? 'application/octet-stream' })
  })
  const broken = new Promise((_, reject) => page.once('pageerror', reject))
  await page.goto(`${ORIGIN}${PREFIX}index.html`)
  await Promise.race([broken, page.waitForFunction(() => globalThis.__ready || globalThis.__mini?.world.problems.length)])
  broken.catch(() => {})
  return phone
}

export class Phone {
  #failures = []
  #waiting = []
  #problems = []
  #network = null
  #allowed = []

  constructor(page, context) {
    this.page = page
    this.context = context
    page.on('requestfailed', (request) => this.#failed(request))
    page.on('pageerror', (error) => this.#problems.push(error.stack ?? error.message))
    page.on('console', (message) => {
      // Chromium says so of every refused request; the mini-program has its own words for it.
      if (message.text().startsWith('Failed to load resource')) return
      if (['error', 'warning'].includes(message.type())) this.#problems.push(message.text())
    })
  }

  /** Complaints that belong to what this test provokes. @param {RegExp} pattern */
  allow(pattern) {
    this.#allowed.push(pattern)
  }

  /** Everything that went wrong and that no test allowed. @returns {Promise<string[]>} */
  async problems() {
    const inside = await this.page.evaluate(() => globalThis.__mini?.world.problems ?? [])
    return [...new Set([...this.#problems, ...inside])].filter((problem) => !this.#allowed.some((pattern) => pattern.test(problem)))
  }

  async close() {
    const problems = await this.problems()
    await this.context.close()
    assert.deepEqual(problems, [])
  }

  /** A part of the screen by what a screen reader says of it. */
  role(role, name) {
    return this.page.getByRole(role, name === undefined ? {} : { name, exact: typeof name === 'string' })
  }

  text(text) {
    return this.page.getByText(text)
  }

  /** Tap what has this name: a button, or whatever else a screen reader would tap. */
  async tap(name, role = 'button') {
    await this.role(role, name).tap()
  }

  /** Take a photo as people do: when the camera shows something. */
  async shoot(shutter = '拍照识别') {
    await this.page.waitForFunction(() => globalThis.__mini.cameraReady())
    await this.tap(shutter)
  }

  /** Hold a finger on it until WeChat calls it a long press. */
  async longPress(locator) {
    const { x, y, width, height } = await locator.boundingBox()
    const session = await this.context.newCDPSession(this.page)
    const touchPoints = [{ x: x + width / 2, y: y + height / 2 }]
    await session.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints })
    await this.page.waitForTimeout(450)
    await session.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] })
  }

  async sees(text) {
    await this.text(text).first().waitFor()
  }

  /** Wait until every call of `wx` so far has its outcome. */
  async settled() {
    await this.page.waitForFunction(() => globalThis.__mini.world.underWay === 0)
  }

  /** Change the world while the mini-program runs. @param {object} change */
  set(change) {
    return this.page.evaluate((fields) => {
      const merge = (into, from) =>
        Object.entries(from).forEach(([name, value]) => {
          if (value && typeof value === 'object' && !Array.isArray(value)) merge((into[name] ??= {}), value)
          else into[name] = value
        })
      merge(globalThis.__mini.world, fields)
    }, change)
  }

  /** @template T @param {string} name @returns {Promise<T>} a field of the world */
  world(name) {
    return this.page.evaluate((field) => globalThis.__mini.world[field], name)
  }

  /** What `wx.<name>` was called with. @returns {Promise<any[]>} */
  async calls(name) {
    const calls = await this.world('calls')
    return calls.filter((call) => call.name === name).map(({ options }) => options)
  }

  /** What storage holds under a key. */
  stored(key) {
    return this.page.evaluate((name) => JSON.parse(globalThis.__mini.world.storage.get(name) ?? 'null'), key)
  }

  store(key, value) {
    return this.page.evaluate(([name, text]) => void globalThis.__mini.world.storage.set(name, text), [key, JSON.stringify(value)])
  }

  /** Files that stay when the mini-program is closed. @returns {Promise<string[]>} */
  savedFiles() {
    return this.page.evaluate(() => globalThis.__mini.files.saved())
  }

  async fileBytes(file) {
    return Buffer.from(await this.page.evaluate((name) => globalThis.__mini.files.bytes(name), file))
  }

  /** The pictures in the phone's album that the mini-program put there. @returns {Promise<Buffer[]>} */
  async albumPictures() {
    return (await this.world('saved')).map((bytes) => Buffer.from(bytes))
  }

  background(options) {
    return this.page.evaluate((given) => globalThis.__mini.background(given), options)
  }

  foreground() {
    return this.page.evaluate(() => globalThis.__mini.foreground())
  }

  /** Go to a page as from a link. @param {string} url */
  open(url) {
    return this.page.evaluate((target) => globalThis.__mini.open(target), url)
  }

  relaunch() {
    return this.page.evaluate(() => globalThis.__mini.relaunch())
  }

  /** The pages on the stack, the one to be seen last. @returns {Promise<string[]>} */
  pages() {
    return this.page.evaluate(() => globalThis.__mini.pages())
  }

  /** No Wi-Fi, no mobile network. */
  async offline(is = true) {
    await this.context.setOffline(is)
  }

  /** A slow network, in bytes a second; -1: as fast as it is again, also for what is under way. */
  async slow(bytesPerSecond) {
    this.#network ??= this.context.newCDPSession(this.page)
    const session = await this.#network
    await session.send('Network.enable')
    await session.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytesPerSecond })
  }

  /** A phone with a notch and a bar at the bottom. */
  async notch(top, bottom) {
    const session = await this.context.newCDPSession(this.page)
    await session.send('Emulation.setSafeAreaInsetsOverride', { insets: { top, bottom } })
  }

  async shot(name) {
    fs.mkdirSync(SCREENSHOTS, { recursive: true })
    await this.page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`), animations: 'disabled' })
  }

  /** What Chromium says why a request got no answer. @returns {Promise<string>} */
  whyFailed(url) {
    const at = this.#failures.findIndex((failure) => failure.url === url)
    if (at >= 0) return this.#failures.splice(at, 1)[0].error
    return new Promise((resolve) => this.#waiting.push({ url, resolve }))
  }

  #failed(request) {
    const url = request.url()
    const error = request.failure()?.errorText ?? 'net::ERR_FAILED'
    const at = this.#waiting.findIndex((waiting) => waiting.url === url)
    if (at >= 0) this.#waiting.splice(at, 1)[0].resolve(error)
    else if (error !== 'net::ERR_ABORTED') this.#failures.push({ url, error })
  }
}

function firstPage(client) {
  return JSON.parse(fs.readFileSync(path.join(client, 'app.json'), 'utf8')).pages[0]
}
