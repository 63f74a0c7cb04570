/** A server that means harm, or has lost its mind: the mini-program says so, or shows what there is of an answer. */

import test from 'node:test'
import assert from 'node:assert/strict'
import { answer, byPath, DOMAIN, labels, phoneAndFaulty, predicted, well } from './setup.mjs'

const MAKES_NO_SENSE = '服务器的回答看不懂'
const orange = { label: '橙子', probability: 0.91, id: 'n07747607' }
const saying = (body) => byPath({ '/predict': answer(200, body), '/labels': labels })
const predicting = (predictions, more = {}) => saying({ success: true, model: 'Test', predictions, ...more })
const rows = (phone) => phone.role('list', '识别结果').locator('[role=button]')

/** Take a photo of every one of them, with the same phone. */
async function each(t, behaviours, expected) {
  const { phone, server } = await phoneAndFaulty(t, [well])
  for (const behaviour of behaviours) {
    server.next(behaviour)
    await phone.shoot()
    await expected(phone)
    await phone.settled()
    await phone.open('/pages/camera/camera')
  }
  return phone
}

test('JSON that is no answer makes no sense', async (t) => {
  const bodies = ['null', '{"success":true', '{"success":true,"predictions":[{"label":{},"probability":"0.9"}]}']
  await each(t, bodies.map(saying), (phone) => phone.sees(MAKES_NO_SENSE))
})

test('an answer with strange things beside it is shown without them', async (t) => {
  const beside = { answer: { level: 'certainly', label: 5 }, hints: [null, 3, { code: '__proto__' }, { code: {}, text: [] }], model: { name: 'x' } }
  await each(t, [predicting([null, orange, { label: 5 }], beside)], async (phone) => {
    await rows(phone).filter({ hasText: '橙子' }).waitFor()
    assert.equal(await rows(phone).count(), 1)
  })
})

test('ids that are names in every object of JavaScript are ids as any', async (t) => {
  const odd = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'length'].map((id) => ({ label: `the ${id}`, probability: 0.19, id }))
  const { phone } = await phoneAndFaulty(t, [predicting(odd, { answer: { level: 'class', ...odd[0] }, hints: [{ code: 'constructor', text: 'its own words' }] })])
  await phone.shoot()
  await phone.role('button', /the toString/).waitFor()
  assert.equal(await rows(phone).count(), 5)
  await phone.sees('its own words')
  await phone.role('button', /the constructor/).tap()
  await phone.role('dialog').filter({ hasText: 'constructor' }).waitFor()
})

test('of ten thousand predictions five are shown, and of the same one only one', async (t) => {
  const many = Array.from({ length: 10_000 }, (_, index) => ({ label: `thing ${index}`, probability: 1 / (index + 1), id: `n${index >> 1}` }))
  const { phone } = await phoneAndFaulty(t, [predicting(many)])
  await phone.shoot()
  await phone.role('button', /thing 8/).waitFor()
  assert.deepEqual((await rows(phone).allInnerTexts()).map((text) => text.split('\n')[0]), [0, 2, 4, 6, 8].map((index) => `thing ${index}`))
})

test('twenty megabytes of JSON around an answer are borne', async (t) => {
  const { phone } = await phoneAndFaulty(t, [predicting([orange], { padding: 'x'.repeat(20 * 2 ** 20) })])
  await phone.shoot()
  await rows(phone).filter({ hasText: '橙子' }).waitFor()
})

test('labels of any letters fit the screen and stay what they are: text', async (t) => {
  const odd = [
    ['🐘'.repeat(200), '🐘'.repeat(79) + '…'],
    ['تفاحة حمراء', 'تفاحة حمراء'],
    ['<image src="x"/>{{title}}{percent}', '<image src="x"/>{{title}}{percent}'],
    ['\u202eegnaro\u202c\nsecond line\u0000', 'egnaro second line'],
    ['w'.repeat(100_000), 'w'.repeat(79) + '…'],
  ]
  const { phone } = await phoneAndFaulty(t, [predicting(odd.map(([label], index) => ({ label, probability: 0.6 - index / 10, id: `odd${index}` })))])
  await phone.shoot()
  await rows(phone).nth(4).waitFor()
  assert.deepEqual(await rows(phone).locator('[class$="--name"]').allInnerTexts(), odd.map(([, shown]) => shown))
  const width = await phone.page.locator('.host-scroll').evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)
  assert.equal(width, 0)
  await phone.shot('odd-labels')
})

test('names of strange types leave the answer in the words it came in', async (t) => {
  const strange = [{ labels: 'x' }, { labels: [null, 5, { id: 'n07747607', label: [], names: { en: 5, zh: {} } }], groups: 7 }]
  const { phone, server } = await phoneAndFaulty(t, [well])
  phone.allow(/names in both languages are not known/)
  for (const body of strange) {
    server.next(byPath({ '/predict': predicted, '/labels': answer(200, { success: true, ...body }) }))
    await phone.shoot()
    await phone.role('button', /橙子/).waitFor()
    await phone.settled()
    await phone.tap('再拍一张')
  }
})

test('a redirection to another page makes no sense, and one in circles neither', async (t) => {
  const elsewhere = byPath({ '/predict': answer(302, '', { Location: '/login' }), '/login': answer(200, '<form>Who are you?</form>') })
  const circles = answer(307, '', { Location: '/predict' })
  await each(t, [elsewhere, circles], (phone) => phone.sees(MAKES_NO_SENSE))
})

test('an answer that trickles, or whose headers do, took too long', async (t) => {
  const trickle = (_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' }).write('{')
    const timer = setInterval(() => response.write(' '), 50)
    response.on('close', () => clearInterval(timer))
  }
  const headers = (request) => {
    request.socket.write('HTTP/1.1 200 OK\r\n')
    const timer = setInterval(() => request.socket.write('X-More: x\r\n'), 50)
    request.socket.on('close', () => clearInterval(timer))
  }
  const { phone, server } = await phoneAndFaulty(t, [trickle], { config: { 'config.js': { timeoutMs: 400 } } })
  for (const behaviour of [trickle, headers]) {
    server.next(behaviour)
    await phone.shoot()
    await phone.sees('等了很久没有回答')
    await phone.open('/pages/camera/camera')
  }
})

test('an answer that breaks off halfway says so, and helps itself when asked again', async (t) => {
  const half = (_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 1000 }).write('{"success":true')
    response.socket.end()
  }
  const { phone, server } = await phoneAndFaulty(t, [half])
  await phone.shoot()
  await phone.sees('回答没有传完就断了')
  server.next(well)
  await phone.tap('再试一次')
  await phone.role('button', /橙子/).waitFor()
})

test('a drawn picture is fetched from the service itself, and from nowhere else', async (t) => {
  const { phone, server } = await phoneAndFaulty(t, [well])
  await phone.shoot()
  await phone.role('button', '保存到相册').waitFor()
  for (const url of ['https://elsewhere.example.com/a.jpg', '.elsewhere.example.com/a.jpg', '@elsewhere.example.com/a.jpg', 5]) {
    server.next(byPath({ '/image': answer(200, { success: true, url }) }))
    await phone.tap('保存到相册')
    await phone.sees(MAKES_NO_SENSE)
  }
  assert.deepEqual(await phone.calls('downloadFile'), [])
})

test('an error of strange types is an error as any, and its sentence is short', async (t) => {
  const errors = [{ error: { message: {} } }, { error: { message: 'long '.repeat(10_000) } }]
  await each(t, errors.map((body) => answer(400, body)), async (phone) => {
    await phone.sees('服务器不接受这个请求（400）')
    assert.ok((await phone.role('alert').innerText()).length < 300)
  })
})

test('a Retry-After that is no number of seconds is a second, and one of years is not waited for', async (t) => {
  const { phone, server } = await phoneAndFaulty(t, [well])
  for (const [value, says] of [['Fri, 31 Dec 1999 23:59:59 GMT', '服务繁忙，1 秒后再试一次'], ['1e9', '服务暂时忙不过来']]) {
    server.next(answer(503, {}, { 'Retry-After': value }))
    await phone.shoot()
    await phone.sees(says)
    await phone.open('/pages/camera/camera')
  }
})

test('the settings’ check bears strange answers, too', async (t) => {
  const { phone, server } = await phoneAndFaulty(t, [well], { start: 'pages/settings/settings', world: { envVersion: 'develop' } })
  await phone.role('textbox').fill(DOMAIN)
  const ready = { '/readyz': answer(200, { status: 'ready' }), '/predict': predicted }
  for (const [paths, says] of [
    [{ '/readyz': answer(200, 'null') }, '但不是识物服务'],
    [{ ...ready, '/models': answer(200, { models: 5 }) }, '但不是识物服务'],
    [{ ...ready, '/models': answer(200, { models: [null, 5, { loaded: true, name: {} }, { loaded: true, name: 'x'.repeat(1000) }] }) }, '可以用'],
  ]) {
    server.next(byPath(paths))
    await phone.tap('检查')
    await phone.sees(says)
    await phone.tap('恢复默认')
    await phone.role('textbox').fill(DOMAIN)
  }
})
