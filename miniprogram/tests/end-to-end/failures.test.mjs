/** Everything that can go wrong between phone and answer, provoked for real: a sentence, and a button that helps. */

import test from 'node:test'
import assert from 'node:assert/strict'
import { freePort } from '../host/servers/service.mjs'
import { answer, byPath, drawPicture, garbage, hang, phoneAndFaulty, phoneFor, predicted, realService, refused, reset, well } from './setup.mjs'

const SHORT = { 'config.js': { timeoutMs: 400 } }

/**
 * Take a photo with a server that does `behaviours`, see the sentence and the buttons, then tap one
 * with a server that is well again, and see that it helps.
 */
async function failsAndRecovers(t, { behaviours, says, buttons, tap = buttons[0], shot, options = {} }) {
  const { phone, server } = await phoneAndFaulty(t, behaviours, options)
  await phone.shoot()
  const notice = phone.role('alert').filter({ hasText: says })
  await notice.waitFor()
  assert.deepEqual(await notice.getByRole('button').allInnerTexts(), buttons)
  if (shot) await phone.shot(shot)
  server.next(well)
  await phone.tap(tap)
  return { phone, server }
}

const answered = (phone) => phone.page.getByText('橙子').first().waitFor()

test('a server that hangs: it took too long; trying again helps', async (t) => {
  const { phone } = await failsAndRecovers(t, { behaviours: [hang], says: '等了很久没有回答', buttons: ['再试一次'], shot: 'failure-timeout', options: { config: SHORT } })
  await answered(phone)
})

test('a server that breaks off: it does not answer; trying again helps', async (t) => {
  const { phone } = await failsAndRecovers(t, { behaviours: [reset], says: '连不上服务器 shiwu.example.com', buttons: ['再试一次', '检查服务器'], shot: 'failure-unreachable' })
  await answered(phone)
})

test('no server there at all: it does not answer, and the settings are near', async (t) => {
  const phone = await phoneFor(t, `http://127.0.0.1:${await freePort()}`)
  await phone.shoot()
  await phone.sees('连不上服务器 shiwu.example.com')
  await phone.tap('检查服务器')
  await phone.role('heading', '设置').waitFor()
  assert.deepEqual(await phone.pages(), ['pages/camera/camera', 'pages/settings/settings'])
})

test('the same on an iPhone, which words its errors in Chinese', async (t) => {
  const phone = await phoneFor(t, `http://127.0.0.1:${await freePort()}`, { world: { platform: 'ios' } })
  await phone.shoot()
  await phone.sees('连不上服务器 shiwu.example.com')
})

test('a name that nobody knows: there is no such server', async (t) => {
  const phone = await phoneFor(t, 'http://no-such-shiwu.invalid')
  await phone.shoot()
  await phone.sees('找不到服务器 shiwu.example.com')
  await phone.shot('failure-unknown-host')
  await phone.tap('检查服务器')
  await phone.role('heading', '设置').waitFor()
})

test('no HTTP behind the address: the answer makes no sense; trying again helps', async (t) => {
  const { phone } = await failsAndRecovers(t, { behaviours: [garbage], says: '服务器的回答看不懂', buttons: ['检查服务器', '再试一次'], tap: '再试一次' })
  await answered(phone)
})

test('a phone without a network: it is offline; trying again helps when it is back', async (t) => {
  const { phone } = await phoneAndFaulty(t, [well])
  await phone.offline()
  await phone.shoot()
  await phone.sees('手机没有联网')
  await phone.shot('failure-offline')
  await phone.offline(false)
  await phone.tap('再试一次')
  await answered(phone)
})

test('a domain that is not in the list: WeChat does not allow it, and the settings are near', async (t) => {
  const { phone } = await phoneAndFaulty(t, [well], { world: { network: { domains: { 'https://other.example.com': 'http://127.0.0.1:1' } } } })
  await phone.shoot()
  await phone.sees('小程序不允许访问 shiwu.example.com')
  await phone.shot('failure-domain')
  await phone.tap('检查服务器')
  await phone.role('heading', '设置').waitFor()
})

for (const [status, code, says, buttons] of [
  [400, 'bad_request', '服务器不接受这个请求（400）', ['再试一次', '重新拍照']],
  [401, 'unauthorized', '服务器需要密钥', ['检查服务器']],
  [403, 'forbidden', '服务器需要密钥', ['检查服务器']],
  [404, 'not_found', '服务器上没有要找的内容（404）', ['检查服务器']],
  [413, 'too_large', '照片太大，服务器不收', ['从相册选', '重新拍照']],
  [415, 'unsupported_image', '不是能识别的图片', ['从相册选', '重新拍照']],
  [422, 'broken_image', '这张图片坏了', ['从相册选', '重新拍照']],
  [429, 'too_many_requests', '服务暂时忙不过来', ['再试一次']],
  [500, 'internal', '服务器出了问题（500）', ['再试一次']],
  [502, 'bad_gateway', '服务器出了问题（502）', ['再试一次']],
  [504, 'too_late', '等了很久没有回答', ['再试一次']],
]) {
  test(`status ${status}: ${says}, and ${buttons[0]} helps`, async (t) => {
    const { phone } = await failsAndRecovers(t, { behaviours: [refused(status, code)], says, buttons, shot: `failure-${status}` })
    if (buttons[0] === '检查服务器') await phone.role('heading', '设置').waitFor()
    else await answered(phone)
  })
}

test('a photo too large for the real server is refused by it, and a smaller one is taken', async (t) => {
  const large = await drawPicture({ width: 1280, height: 960, noise: 1 })
  const small = await drawPicture({ width: 320, height: 240 })
  const phone = await phoneFor(t, await realService(), { photo: large, pictures: { 'small.jpg': small }, world: { album: ['small.jpg'] } })
  await phone.shoot()
  await phone.sees('照片太大，服务器不收')
  await phone.tap('从相册选')
  await phone.role('button', '再拍一张').waitFor()
})

test('a file that is no picture: the phone cannot read it, and takes another one', async (t) => {
  const phone = await phoneFor(t, await realService(), { pictures: { 'broken.jpg': Buffer.from('no picture') }, world: { album: ['broken.jpg'] } })
  await phone.tap('相册')
  await phone.role('alert').waitFor()
  await phone.shot('failure-unreadable')
  await phone.tap('重新拍照')
  await phone.role('button', '拍照识别').waitFor()
})

test('a web page instead of JSON: the answer makes no sense, and the settings are near', async (t) => {
  const { phone } = await failsAndRecovers(t, { behaviours: [answer(200, '<!doctype html><title>Hello</title>')], says: '服务器的回答看不懂', buttons: ['检查服务器', '再试一次'], shot: 'failure-html' })
  await phone.role('heading', '设置').waitFor()
})

test('JSON of something else: the answer makes no sense; trying again helps', async (t) => {
  const { phone } = await failsAndRecovers(t, { behaviours: [answer(200, { hello: 'world' })], says: '服务器的回答看不懂', buttons: ['检查服务器', '再试一次'], tap: '再试一次' })
  await answered(phone)
})

test('a server error as a web page is the server’s error, too', async (t) => {
  const { phone } = await failsAndRecovers(t, { behaviours: [answer(502, '<h1>Bad Gateway</h1>')], says: '服务器出了问题（502）', buttons: ['再试一次'] })
  await answered(phone)
})

test('a busy server is asked once more, after the time that it names', async (t) => {
  const busy = refused(503, 'busy', { 'Retry-After': '2' })
  const { phone, server } = await phoneAndFaulty(t, [busy, well])
  await phone.shoot()
  await phone.sees('服务繁忙，2 秒后再试一次')
  await phone.shot('retrying')
  await answered(phone)
  assert.equal(server.seen.filter(({ url }) => url.startsWith('/predict')).length, 2)
})

test('the time that a busy server names is heard, also when its headers come after its answer', async (t) => {
  const network = { headersLate: true }
  const { phone } = await phoneAndFaulty(t, [refused(503, 'busy', { 'Retry-After': '9' })], { world: { network } })
  await phone.shoot()
  await phone.sees('服务繁忙，9 秒后再试一次')
  await phone.tap('取消')
  await phone.role('button', '拍照识别').waitFor()
})

test('a server that stays busy is asked once more, and not for ever', async (t) => {
  const busy = refused(503, 'busy', { 'Retry-After': '1' })
  const { phone, server } = await failsAndRecovers(t, { behaviours: [busy], says: '服务暂时忙不过来', buttons: ['再试一次'], shot: 'failure-busy' })
  assert.equal(server.seen.filter(({ url }) => url.startsWith('/predict')).length >= 2, true)
  await answered(phone)
  assert.equal(server.seen.filter(({ url }) => url.startsWith('/predict')).length, 3)
})

test('a server that asks for a long wait is not waited for', async (t) => {
  const { phone } = await failsAndRecovers(t, { behaviours: [refused(503, 'busy', { 'Retry-After': '600' })], says: '服务暂时忙不过来', buttons: ['再试一次'] })
  await answered(phone)
})

test('waiting for a busy server can be cancelled', async (t) => {
  const { phone, server } = await phoneAndFaulty(t, [refused(503, 'busy', { 'Retry-After': '9' })])
  await phone.shoot()
  await phone.sees('服务繁忙，9 秒后再试一次')
  await phone.tap('取消')
  await phone.role('button', '拍照识别').waitFor()
  assert.equal(server.seen.length, 1)
})

test('names in both languages that cannot be had leave the answer as it is', async (t) => {
  const { phone } = await phoneAndFaulty(t, [byPath({ '/predict': predicted, '/labels': answer(500, 'no labels') })])
  phone.allow(/names in both languages are not known/)
  await phone.shoot()
  await answered(phone)
  await phone.tap('切换到英文')
  await phone.role('button', 'Another photo').waitFor()
})

test('names that lack the class that was found are asked for again', async (t) => {
  const { phone, server } = await phoneAndFaulty(t, [well])
  await phone.store('names:Test', { n1: { en: 'something else', zh: '别的' } })
  await phone.shoot()
  await phone.tap('切换到英文')
  await phone.role('button', /^Number 1, orange/).waitFor()
  await phone.tap('Switch to Chinese')
  await phone.role('button', /^第 1 名，橙子/).waitFor()
  assert.equal(server.seen.filter(({ url }) => url.startsWith('/labels')).length, 1)
})

test('each sentence has an English one', async (t) => {
  const { phone } = await phoneAndFaulty(t, [refused(500, 'internal')], { world: { language: 'en' } })
  await phone.shoot('Take a photo')
  await phone.sees('Something went wrong in the server (500)')
  await phone.shot('failure-500-en')
  await phone.tap('Switch to Chinese')
  await phone.sees('服务器出了问题（500）')
})
