/** What WeChat draws around a page: status bar, and navigation bar with its back button. */

import { world } from './world.js'

const client = window.__client
const BAR_PX = 44

const dark = matchMedia('(prefers-color-scheme: dark)')

export const theme = () => (dark.matches ? 'dark' : 'light')
export const onThemeChange = (listener) => dark.addEventListener('change', listener)

/** How high a page is, in CSS: what `100vh` means in a mini-program. */
document.documentElement.style.setProperty('--host-vh', `calc((100vh - ${world.statusBarHeight + BAR_PX}px) / 100)`)

/**
 * A screen: one page with its bars.
 * @param {{ path: string, onBack: () => void }} options
 */
export function createScreen({ path, onBack }) {
  const element = make('div', 'host-screen')
  const bar = make('div', 'host-bar')
  const back = make('button', 'host-back', { 'aria-label': world.language.startsWith('zh') ? '返回' : 'Back' })
  const title = make('div', 'host-title', { role: 'heading', 'aria-level': '1' })
  const view = make('div', 'host-view')
  const scroller = make('div', 'host-scroll')
  const mount = document.createElement('div')
  back.addEventListener('click', onBack)
  bar.append(back, title, make('div', 'host-capsule', { 'aria-hidden': 'true' }))
  scroller.append(mount)
  view.append(scroller)
  element.append(bar, view)
  element.style.setProperty('--host-status', `${world.statusBarHeight}px`)

  const entitle = (text) => {
    title.textContent = text
  }
  const draw = () => {
    const { navigationBarBackgroundColor = '#000000', navigationBarTextStyle, backgroundColor = '#ffffff' } = windowOf(path)
    element.style.setProperty('--host-bar', navigationBarBackgroundColor)
    element.style.setProperty('--host-bar-text', navigationBarTextStyle === 'black' ? '#000000' : '#ffffff')
    element.style.setProperty('--host-background', backgroundColor)
  }
  entitle(windowOf(path).navigationBarTitleText ?? '')
  draw()
  const show = (shown, hasBack) => {
    element.toggleAttribute('hidden', !shown)
    back.toggleAttribute('hidden', !hasBack)
  }
  return { element, mount, entitle, draw, show }
}

export function make(tag, className, attributes = {}) {
  const element = document.createElement(tag)
  element.className = className
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value))
  return element
}

/** The window settings of a page: app.json's, the page's over them, `@names` from theme.json. */
function windowOf(path) {
  const { appJson, units, theme: themes } = client
  const named = { ...appJson.window, ...units[path].json }
  const values = themes?.[appJson.darkmode ? theme() : 'light'] ?? {}
  const valued = (value) => (typeof value === 'string' && value.startsWith('@') ? values[value.slice(1)] : value)
  return Object.fromEntries(Object.entries(named).map(([name, value]) => [name, valued(value)]))
}
