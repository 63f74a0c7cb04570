/** The stack of pages, and what each is told when: onLoad, onShow, onReady, onHide, onUnload. */

import { Refused } from './calls.js'
import { createScreen, make } from './bars.js'
import { showStylesOf } from './render.js'
import { call } from './logic.js'

const MOST_PAGES = 10

const screens = make('div', 'host-screens')
document.body.append(screens)

/** @type {{ path: string, page: any, root: any, screen: ReturnType<typeof createScreen> }[]} */
const stack = []
let logic = null

export const getCurrentPages = () => stack.map(({ page }) => page)
export const top = () => stack[stack.length - 1]

/** Begin anew, with another launch's modules. */
export async function start(launched, url) {
  for (const { root, screen } of stack.splice(0)) {
    root.release()
    screen.element.remove()
  }
  logic = launched
  await push(url)
}

/** A page on top of the others. */
export async function navigateTo({ url }) {
  requirePage(url)
  if (stack.length >= MOST_PAGES) throw new Refused('webview count limit exceed')
  hideTop()
  await push(url)
}

/** One page alone. */
export async function reLaunch({ url }) {
  requirePage(url)
  while (stack.length) drop()
  await push(url)
}

function back() {
  drop()
  showTop()
}

/** Tell the page on top that it is hidden or shown, as when the app goes to the background. */
export function hideTop() {
  call(top().page, 'onHide')
  top().root.getComponent().triggerPageLifetime('hide', [])
}

export function showTop() {
  const { path, page, root } = top()
  stack.forEach(({ screen }, index) => screen.show(index === stack.length - 1, index > 0))
  showStylesOf(path)
  call(page, 'onShow')
  root.getComponent().triggerPageLifetime('show', [])
}

export const redraw = () => stack.forEach(({ screen }) => screen.draw())

async function push(url) {
  const path = requirePage(url)
  const root = logic.createRoot(path)
  const page = root.get()
  const screen = createScreen({ path, onBack: back })
  const options = queryOf(url)
  Object.assign(page, { route: path, options })
  stack.push({ path, page, root, screen })
  screens.append(screen.element)
  root.attach(screen.mount.parentNode, screen.mount)
  call(page, 'onLoad', options)
  showTop()
  await painted()
  call(page, 'onReady')
}

function drop() {
  const { page, root, screen } = stack.pop()
  call(page, 'onUnload')
  root.release()
  screen.element.remove()
}

function requirePage(url) {
  const path = url.replace(/^\//, '').replace(/\?.*$/, '')
  if (!window.__client.units[path]?.isPage) throw new Refused(`page "${path}" is not found`)
  return path
}

/** WeChat hands the values over as they stand in the address: the page decodes them. */
function queryOf(url) {
  const [, query = ''] = url.split('?')
  return Object.fromEntries(query.split('&').filter(Boolean).map((pair) => pair.split(/=(.*)/s).slice(0, 2)))
}

const painted = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))
