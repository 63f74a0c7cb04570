/** Every page on small and large screens, in the dark, with large text, and for a screen reader. */

import test from 'node:test'
import assert from 'node:assert/strict'
import { DOMAIN, hang, phoneAndFaulty, refused, well } from './setup.mjs'

const LARGE = 23.8 / 17 // the largest text that WeChat's guide for the elderly asks for

/** The development version shows most; here it asks the server that the others ask. */
const ONE_SERVER = { 'config.js': { servers: { develop: DOMAIN } } }

const shutter = (phone) => phone.page.locator('.shutter')

/** The states that someone can see, one after the other. @type {Record<string, (phone: import('../host/phone.mjs').Phone, server: any) => Promise<void>>} */
const STATES = {
  camera: (phone) => shutter(phone).waitFor(),
  async waiting(phone, server) {
    server.next(hang)
    await shutter(phone).tap()
    await phone.sees(/正在识别|Looking/)
  },
  async answer(phone, server) {
    server.next(well)
    await phone.tap(/取消|Cancel/)
    await shutter(phone).tap()
    await phone.role('list').waitFor()
  },
  async saving(phone, server) {
    await phone.settled()
    server.next(hang)
    await phone.tap(/保存到相册|Save to album/)
    await phone.sees(/正在写上名称|Drawing/)
  },
  async 'not saved'(phone, server) {
    await phone.tap(/取消|Cancel/)
    server.next(refused(500, 'internal'))
    await phone.tap(/保存到相册|Save to album/)
    await phone.role('alert').waitFor()
  },
  async history(phone) {
    await phone.open('/pages/history/history')
    await phone.page.locator('.thumbnail img').waitFor()
  },
  async settings(phone) {
    await phone.open('/pages/settings/settings')
    await phone.role('radio').first().waitFor()
  },
  async failure(phone, server) {
    server.next(refused(500, 'internal'))
    await phone.open('/pages/camera/camera')
    await shutter(phone).tap()
    await phone.role('alert').waitFor()
  },
  async 'camera refused'(phone) {
    await phone.set({ permissions: { 'scope.camera': false } })
    await phone.relaunch()
    await phone.sees(/没有相机权限|not allowed/)
  },
  async 'camera off'(phone) {
    await phone.set({ permissions: { 'scope.camera': true }, phone: { camera: 'denied' } })
    await phone.relaunch()
    await phone.sees(/系统设置|settings of the phone/)
  },
  async privacy(phone) {
    await phone.set({ phone: { camera: 'authorized' }, privacy: { needed: true } })
    await phone.relaunch()
    await phone.role('dialog').waitFor()
  },
}

const LOOKS = {
  'small phone': { size: [320, 568] },
  'small phone, large text, English': { size: [320, 568], world: { fontScale: LARGE, language: 'en' } },
  'dark': { theme: 'dark' },
  'large text': { world: { fontScale: LARGE } },
  'tablet': { size: [1024, 768] },
}

for (const [look, { world, ...options }] of Object.entries(LOOKS)) {
  test(`${look}: everything can be read, reached and touched`, async (t) => {
    const { phone, server } = await phoneAndFaulty(t, [well], { ...options, world: { envVersion: 'develop', ...world }, config: ONE_SERVER })
    for (const [state, reach] of Object.entries(STATES)) {
      await reach(phone, server)
      await phone.shot(`${look} ${state}`.replaceAll(/\W+/g, '-'))
      assert.deepEqual(await phone.page.evaluate(faults), [], state)
    }
  })
}

test('a phone with a notch: nothing lies under its bars', async (t) => {
  const { phone } = await phoneAndFaulty(t, [well], { world: { statusBarHeight: 44 } })
  await phone.notch(44, 34)
  await phone.relaunch()
  const shutter = phone.role('button', '拍照识别')
  await shutter.waitFor()
  await phone.shot('notch')
  const { y, height } = await shutter.boundingBox()
  assert.ok(y + height <= 812 - 34, `the shutter ends at ${y + height}`)
})

test('dark and light follow the phone while the app is open', async (t) => {
  const { phone } = await phoneAndFaulty(t, [well])
  for (const part of ['page', '.host-bar']) {
    await phone.page.emulateMedia({ colorScheme: 'light' })
    const light = await phone.page.locator(part).evaluate((element) => getComputedStyle(element).backgroundColor)
    await phone.page.emulateMedia({ colorScheme: 'dark' })
    await phone.page.waitForFunction(
      ([selector, before]) => getComputedStyle(document.querySelector(selector)).backgroundColor !== before,
      [part, light],
    )
  }
})

test('a screen reader is told what is there, what happens, and what was found', async (t) => {
  const { phone } = await phoneAndFaulty(t, [hang])
  const heard = () => phone.page.locator('page').ariaSnapshot()
  const names = (await heard()).match(/button "[^"]+"/g)
  for (const name of ['拍照识别', '相册', '切换前后摄像头', '切换到英文', '历史', '设置']) assert.ok(names.includes(`button "${name}"`), `${name} among ${names}`)
  await phone.shoot()
  await phone.page.locator('[aria-live=polite]').filter({ hasText: '正在识别' }).waitFor()
  await phone.tap('取消')
})

test('an answer is read out by rank, name and percentage', async (t) => {
  const { phone } = await phoneAndFaulty(t, [well])
  await phone.shoot()
  await phone.role('button', '第 1 名，橙子，91%').waitFor()
  await phone.role('button', '第 2 名，柠檬，5%').waitFor()
  assert.equal(await phone.page.locator('[aria-live=polite]').filter({ hasText: '橙子' }).count(), 1)
})

/** Runs in Chromium: what is wrong with the screen as it is. @returns {string[]} */
function faults() {
  const LEAST_PX = 40
  const found = []
  const shown = (element) => element.getClientRects().length > 0 && getComputedStyle(element).visibility === 'visible'
  const named = (element) => (element.getAttribute('aria-label') || element.innerText || '').trim()
  const what = (element) => `${element.tagName.toLowerCase()} "${named(element).slice(0, 20)}"`
  const screen = [...document.querySelectorAll('.host-screen')].filter(shown).pop()
  const all = [...screen.querySelectorAll('page *')].filter(shown)

  for (const dialog of screen.querySelectorAll('[role=dialog]')) {
    for (const part of [dialog, ...dialog.querySelectorAll('*')].filter((one) => shown(one) && !one.closest('.host-view [class$="--text"]'))) {
      const { top, bottom } = part.getBoundingClientRect()
      if (top < dialog.closest('.host-view').getBoundingClientRect().top || bottom > innerHeight) found.push(`${what(part)} is partly off the screen, where nobody can scroll`)
    }
  }
  const scroller = screen.querySelector('.host-scroll')
  if (scroller.scrollWidth > scroller.clientWidth) found.push(`the page is ${scroller.scrollWidth} px wide on a screen of ${scroller.clientWidth}`)
  for (const element of all.filter((one) => one.matches('[role=button], [role=radio], [role=link], input'))) {
    const { width, height, left, right } = element.getBoundingClientRect()
    if (!named(element)) found.push(`${what(element)} has no name`)
    if (element.matches('wx-button') && Math.min(width, height) < LEAST_PX) found.push(`${what(element)} is ${Math.round(width)} × ${Math.round(height)} px: too small to touch`)
    if (left < 0 || right > innerWidth + 0.5) found.push(`${what(element)} is partly off the screen`)
    if (!element.matches('input') && element.scrollWidth > element.clientWidth + 1) found.push(`${what(element)} is cut off`)
  }

  const channels = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number)
  const over = ([r, g, b, a = 1], below) => [r, g, b].map((value, index) => value * a + below[index] * (1 - a))
  const luminance = (colour) => {
    const [r, g, b] = colour.map((value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const ground = (element) => {
    if (!element) return [255, 255, 255]
    const colour = channels(getComputedStyle(element).backgroundColor)
    return (colour[3] ?? 1) === 1 && colour.length ? colour : over(colour, ground(element.parentElement))
  }
  for (const element of all) {
    const text = [...element.childNodes].filter(({ nodeType }) => nodeType === 3).map(({ data }) => data.trim()).join('')
    if (!text || element.closest('[aria-disabled]')) continue
    const style = getComputedStyle(element)
    const below = ground(element)
    const [light, dark] = [luminance(over(channels(style.color), below)), luminance(below)].sort((a, b) => b - a)
    const ratio = (light + 0.05) / (dark + 0.05)
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.7 && Number(style.fontWeight) >= 600)
    if (ratio < (large ? 3 : 4.5)) found.push(`"${text.slice(0, 20)}" has a contrast of ${ratio.toFixed(1)}`)
  }
  return found
}
