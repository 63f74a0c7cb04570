/** Components alone, in jsdom, by WeChat's own miniprogram-simulate and both of its compilers. */

const test = require('node:test')
const assert = require('node:assert/strict')
const path = require('node:path')
const { JSDOM } = require('jsdom')

// miniprogram-simulate takes the DOM from globals, and looks for them when it is loaded.
const { window } = new JSDOM('<!doctype html><html><head></head><body></body></html>', { pretendToBeVisual: true })
const NAMES = ['document', 'Element', 'Node', 'Event', 'CustomEvent', 'HTMLElement', 'MutationObserver', 'getComputedStyle', 'requestAnimationFrame', 'cancelAnimationFrame']
Object.assign(globalThis, { window }, Object.fromEntries(NAMES.map((name) => [name, window[name]])))
const simulate = require('miniprogram-simulate')

const ROOT = path.resolve(__dirname, '../../client')
const COMPILERS = process.arch === 'x64' ? ['simulate', 'official'] : ['simulate']
const ROWS = [
  { id: 'n1', rank: 1, name: '苹果', percent: '91%', width: 91, label: '第 1 名，苹果，91%' },
  { id: 'n2', rank: 2, name: '樱桃', percent: '5%', width: 5, label: '第 2 名，樱桃，5%' },
]

/** The component on a page; taken off it at the end of the test. */
function rendered(t, name, properties, compiler) {
  const component = simulate.render(simulate.load(path.join(ROOT, `components/${name}/${name}`), { rootPath: ROOT, compiler }), properties)
  component.attach(document.createElement('div'))
  t.after(() => component.detach())
  return component
}

const texts = (component, selector) => component.querySelectorAll(selector).map((node) => node.dom.textContent)
const told = (component, name) => new Promise((resolve) => component.addEventListener(name, ({ detail }) => resolve(detail)))

for (const compiler of COMPILERS) {
  test(`answer-list shows its rows, the first one larger (${compiler})`, (t) => {
    const list = rendered(t, 'answer-list', { rows: ROWS, label: '结果' }, compiler)
    assert.deepEqual(texts(list, '.name'), ['苹果', '樱桃'])
    assert.deepEqual(texts(list, '.percent'), ['91%', '5%'])
    assert.deepEqual(list.querySelectorAll('.row').map(({ dom }) => dom.classList.contains('main--first')), [true, false])
    assert.deepEqual(list.querySelectorAll('.bar').map(({ dom }) => dom.style.width), ['91%', '5%'])
  })

  test(`answer-list tells which row was tapped, and which was held (${compiler})`, async (t) => {
    const list = rendered(t, 'answer-list', { rows: ROWS, label: '结果' }, compiler)
    const second = list.querySelectorAll('.row')[1]
    const picked = told(list, 'pick')
    second.dispatchEvent('tap')
    assert.deepEqual(await picked, { id: 'n2' })
    const copied = told(list, 'copy')
    second.dispatchEvent('longpress')
    assert.deepEqual(await copied, { name: '樱桃' })
  })

  test(`notice shows its sentence and a button for each way out (${compiler})`, async (t) => {
    const notice = rendered(t, 'notice', { text: '没有网络', buttons: [{ action: 'retry', label: '再试一次' }, { action: 'album', label: '从相册选' }] }, compiler)
    assert.deepEqual(texts(notice, '.text'), ['没有网络'])
    assert.deepEqual(texts(notice, '.button'), ['再试一次', '从相册选'])
    const act = told(notice, 'act')
    notice.querySelectorAll('.button')[1].dispatchEvent('tap')
    assert.deepEqual(await act, { action: 'album' })
  })
}
