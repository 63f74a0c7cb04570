/** The host itself: it may offer nothing that WeChat hasn't, and let nothing pass that a phone wouldn't. */

import test from 'node:test'
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createRequire } from 'node:module'
import { openPhone } from '../host/phone.mjs'
import { CLIENT } from './setup.mjs'

const require = createRequire(import.meta.url)

/** A mini-program of one page. @returns {string} its folder */
function onePage(t, { script = 'Page({ data: {} })', markup = '<view>here</view>', style = '' }) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'one-page-'))
  t.after(() => fs.rmSync(root, { recursive: true }))
  const files = { 'app.json': '{"pages":["page"]}', 'app.js': 'App({})', 'page.js': script, 'page.wxml': markup, 'page.wxss': style }
  Object.entries(files).forEach(([name, text]) => fs.writeFileSync(path.join(root, name), text))
  return root
}

/** What the host says against a mini-program; the test goes on whatever it is. */
async function complaints(t, parts) {
  const phone = await openPhone(t, { client: onePage(t, parts) })
  phone.allow(/./)
  await phone.page.waitForFunction(() => globalThis.__mini.world.problems.length > 0)
  return phone.page.evaluate(() => globalThis.__mini.world.problems.join('\n'))
}

test('every function of the host’s wx is one of WeChat’s', async (t) => {
  const phone = await openPhone(t, { client: onePage(t, {}) })
  const folder = path.dirname(require.resolve('miniprogram-api-typings/package.json'))
  const typings = fs.readFileSync(path.join(folder, 'types/wx/lib.wx.api.d.ts'), 'utf8')
  const wx = typings.slice(typings.indexOf('interface Wx {'))
  const known = new Set([...wx.matchAll(/^ {8}(\w+)[<(:]/gm)].map(([, name]) => name))
  const functions = await phone.page.evaluate(() => globalThis.__mini.functions)
  assert.ok(functions.length > 20)
  assert.deepEqual(functions.filter((name) => !known.has(name) && !['cloud', 'env'].includes(name)), [])
})

for (const [what, script, says] of [
  ['a function that WeChat or the host hasn’t', 'Page({ data: {}, onLoad() { wx.telepathy({}) } })', /wx\.telepathy/],
  ['the browser’s document', 'Page({ data: {}, onLoad() { document.title = "x" } })', /undefined|null/],
  ['the browser’s fetch', 'Page({ data: {}, onLoad() { fetch("/") } })', /fetch is not a function/],
  ['data that is not declared', 'Page({ data: {}, onLoad() { this.setData({ nme: 1 }) } })', /setData of "nme", which data and properties don't declare/],
  ['data that is undefined', 'Page({ data: { name: 1 }, onLoad() { this.setData({ name: undefined }) } })', /setData of "name" with undefined/],
  ['a function in data', 'Page({ data: { name: {} }, onLoad() { this.setData({ name: { f() {} } }) } })', /setData of "name" with a function/],
  ['a promise that fails unheard', 'Page({ data: {}, onLoad() { Promise.reject(new Error("unheard")) } })', /unhandled rejection.*unheard/],
  ['a package', 'require("lodash")', /packages are not used here/],
  ['a module that is not there', 'require("./nowhere")', /module '\.\/nowhere' is not defined/],
  ['a page that registers nothing', '', /registers neither a page nor a component/],
  ['storage over a megabyte a key', 'Page({ data: {}, onLoad() { wx.setStorageSync("k", "x".repeat(2 ** 20)) } })', /entry size limit/],
]) {
  test(`the host notices ${what}`, async (t) => assert.match(await complaints(t, { script }), says))
}

test('the host notices an attribute that a component hasn’t', async (t) => {
  assert.match(await complaints(t, { markup: '<image scr="/a.png" aria-label="a"></image>' }), /scr/)
})

test('rpx are parts of the screen’s width, in sheets and in style attributes; vh end at the bar', async (t) => {
  const phone = await openPhone(t, {
    client: onePage(t, {
      markup: '<view class="sheet">a</view><view class="inline" style="width: 75rpx">b</view>',
      style: '.sheet { width: 375rpx; height: 50vh }',
    }),
  })
  const box = (name) => phone.page.locator(name).boundingBox()
  assert.equal((await box('.sheet')).width, 375 / 2)
  assert.equal((await box('.inline')).width, 37.5)
  assert.equal((await box('.sheet')).height, (812 - 24 - 44) / 2)
})

test('a disabled button is dead', async (t) => {
  const phone = await openPhone(t, {
    client: onePage(t, { script: 'Page({ data: { taps: 0 }, onTap() { this.setData({ taps: this.data.taps + 1 }) } })', markup: '<button disabled bindtap="onTap">no</button><button bindtap="onTap">yes</button><view>taps: {{taps}}</view>' }),
  })
  await phone.page.getByText('no').tap({ force: true })
  await phone.tap('yes')
  await phone.sees('taps: 1')
})

test('a tap is over with its touch: what it opens is not pressed as well', async (t) => {
  const phone = await openPhone(t, { client: onePage(t, { script: 'Page({ data: {}, onTap() { wx.showModal({ title: "sure?" }) } })', markup: '<view style="height: 100vh" bindtap="onTap">all of it</view>' }) })
  await phone.page.evaluate(() => {
    globalThis.clicked = []
    document.addEventListener('click', ({ target }) => globalThis.clicked.push(target.textContent), true)
  })
  await phone.sees('all of it')
  await phone.page.touchscreen.tap(200, 400)
  await phone.tap('确定')
  await phone.role('dialog').waitFor({ state: 'detached' })
  assert.deepEqual(await phone.page.evaluate(() => globalThis.clicked), ['确定'])
})

test('the host notices words too long for WeChat’s buttons and toasts', async (t) => {
  assert.match(await complaints(t, { script: 'Page({ data: {}, onLoad() { wx.showModal({ title: "sure?", confirmText: "Delete" }) } })' }), /confirmText has more than 4/)
  assert.match(await complaints(t, { script: 'Page({ data: {}, onLoad() { wx.showToast({ title: "Saved to the album" }) } })' }), /cut off/)
})

test('a page’s styles hold on that page alone', async (t) => {
  const phone = await openPhone(t, { client: CLIENT, start: 'pages/history/history', pictures: { 'photo.jpg': Buffer.alloc(0) } })
  const padding = () => phone.page.locator('.host-screen:not([hidden]) .page').evaluate((page) => getComputedStyle(page).paddingTop)
  const before = await padding()
  await phone.open('/pages/settings/settings')
  assert.notEqual(await padding(), before)
})
