/** The settings page: language, and a check that says what is wrong with an address in WeChat's terms. */

import test from 'node:test'
import assert from 'node:assert/strict'
import { freePort } from '../host/servers/service.mjs'
import { answer, byPath, DOMAIN, phoneAndFaulty, phoneFor, predicted, realService, refused } from './setup.mjs'

/** As a developer has it: an address can be typed, and the domain list is checked unless said otherwise. */
async function settings(t, address, { urlCheck = true, world = {}, ...options } = {}) {
  const phone = await phoneFor(t, address, {
    start: 'pages/settings/settings',
    world: { envVersion: 'develop', ...world, network: { urlCheck, ...world.network } },
    ...options,
  })
  await phone.role('button', '检查').waitFor()
  return phone
}

async function check(phone, address) {
  if (address !== undefined) await phone.role('textbox').fill(address)
  await phone.tap('检查')
}

test('a good address is found good, kept, and used', async (t) => {
  const address = await realService()
  const phone = await settings(t, address, { urlCheck: false })
  await check(phone, address)
  await phone.sees(/可以用，模型：\w+/)
  await phone.shot('settings-good')
  assert.equal(await phone.stored('server'), address)
  await phone.open('/pages/camera/camera')
  await phone.shoot()
  await phone.role('button', '再拍一张').waitFor()
  assert.equal((await phone.calls('uploadFile'))[0].url, `${address}/predict`)
})

test('an address over HTTPS in the domain list is good', async (t) => {
  const phone = await settings(t, await realService())
  await check(phone, DOMAIN)
  await phone.sees(/可以用/)
})

test('something that is no address', async (t) => {
  const phone = await settings(t, await realService())
  await check(phone, 'shiwu')
  await phone.sees('这不是网址')
  await phone.shot('settings-no-address')
  assert.equal(await phone.stored('server'), null)
})

test('not HTTPS, with the domain check on', async (t) => {
  const phone = await settings(t, await realService())
  await check(phone, await realService())
  await phone.sees('小程序只能访问 HTTPS')
  await phone.shot('settings-not-https')
})

test('not in the domain list', async (t) => {
  const phone = await settings(t, await realService())
  await check(phone, 'https://elsewhere.example.com')
  await phone.sees('不在合法域名列表里')
  await phone.shot('settings-domain')
})

for (const port of [443, 8443]) {
  test(`another port than the domain list has: ${port}`, async (t) => {
    const phone = await settings(t, await realService())
    await check(phone, `${DOMAIN}:${port}`)
    await phone.sees('端口与域名列表里的不一致')
    await phone.shot('settings-port')
  })
}

for (const [lacks, says] of [['uploadFile', '请求能通，上传不通'], ['downloadFile', '请求和上传能通，下载不通']]) {
  test(`in the list for request, and not in the one for ${lacks}`, async (t) => {
    const phone = await settings(t, await realService(), { world: { network: { lacks: [lacks] } } })
    await check(phone, DOMAIN)
    await phone.sees(says)
    await phone.shot(`settings-no-${lacks}`)
    assert.equal(await phone.stored('server'), null)
  })
}

test('a proxy that lets no photo through', async (t) => {
  const ours = { '/readyz': answer(200, { status: 'ready' }), '/models': answer(200, { success: true, models: [] }) }
  const { phone } = await phoneAndFaulty(t, [byPath({ ...ours, '/predict': answer(413, '<h1>Request Entity Too Large</h1>') })], { start: 'pages/settings/settings', world: { envVersion: 'develop' } })
  await check(phone, DOMAIN)
  await phone.sees('照片太大，服务器不收')
})

test('a server that is not ours', async (t) => {
  const { phone } = await phoneAndFaulty(t, [answer(200, '<h1>It works!</h1>')], { start: 'pages/settings/settings', world: { envVersion: 'develop' } })
  await check(phone, DOMAIN)
  await phone.sees('但不是识物服务（200）')
  await phone.shot('settings-not-ours')
})

test('a server that has JSON of its own is not ours either', async (t) => {
  const { phone } = await phoneAndFaulty(t, [answer(404, { error: 'no such page' })], { start: 'pages/settings/settings', world: { envVersion: 'develop' } })
  await check(phone, DOMAIN)
  await phone.sees('但不是识物服务（404）')
})

test('ours, but not ready; and then it is', async (t) => {
  const { phone, server } = await phoneAndFaulty(t, [refused(503, 'not_ready', { 'Retry-After': '1' })], { start: 'pages/settings/settings', world: { envVersion: 'develop' } })
  await check(phone, DOMAIN)
  await phone.sees('模型还在加载')
  await phone.shot('settings-not-ready')
  server.next(byPath({ '/readyz': answer(200, { status: 'ready' }), '/models': answer(200, { success: true, models: [{ name: 'Late', loaded: true }, { name: 'Other', loaded: false }] }), '/predict': predicted }))
  await check(phone)
  await phone.sees('可以用，模型：Late')
})

test('nobody there', async (t) => {
  const phone = await settings(t, await realService(), { urlCheck: false })
  await check(phone, `http://127.0.0.1:${await freePort()}`)
  await phone.sees('连不上服务器 127.0.0.1:')
  await phone.shot('settings-nobody')
})

test('a name that nobody knows', async (t) => {
  const phone = await settings(t, await realService(), { urlCheck: false })
  await check(phone, 'https://no-such-shiwu.invalid')
  await phone.sees('找不到服务器 no-such-shiwu.invalid')
})

test('HTTPS where there is only HTTP', async (t) => {
  const address = await realService()
  const phone = await settings(t, address, { urlCheck: false })
  await check(phone, address.replace('http:', 'https:'))
  await phone.sees('连不上服务器')
})

test('the default address comes back at a tap', async (t) => {
  const address = await realService()
  const phone = await settings(t, address, { urlCheck: false })
  await check(phone, address)
  await phone.sees('可以用')
  const before = await phone.role('textbox').inputValue()
  await phone.tap('恢复默认')
  assert.notEqual(await phone.role('textbox').inputValue(), before)
  assert.equal(await phone.stored('server'), null)
})

for (const envVersion of ['trial', 'release']) {
  test(`the ${envVersion} version shows its address and lets nobody change it`, async (t) => {
    const phone = await settings(t, await realService(), { world: { envVersion } })
    assert.equal(await phone.role('textbox').count(), 0)
    await phone.sees(DOMAIN)
    await check(phone)
    await phone.sees('可以用')
    await phone.shot(`settings-${envVersion}`)
  })

  test(`an address kept by a development version does not lead the ${envVersion} version astray`, async (t) => {
    const phone = await settings(t, await realService(), { world: { envVersion } })
    await phone.store('server', 'http://192.168.1.20:5000')
    await phone.relaunch()
    await phone.sees(DOMAIN)
  })
}

test('the language is chosen here, and the phone decides again when it is told to', async (t) => {
  const phone = await settings(t, await realService())
  await phone.page.getByText('English').tap()
  await phone.role('heading', 'Settings').waitFor()
  assert.equal(await phone.role('radio', 'English').getAttribute('aria-checked'), 'true')
  await phone.shot('settings-en')
  await phone.page.getByText('As the phone').tap()
  await phone.role('heading', '设置').waitFor()
  await phone.relaunch()
  await phone.role('heading', '设置').waitFor()
})

test('a chosen language outlives the app, on every page', async (t) => {
  const phone = await settings(t, await realService())
  await phone.tap('English', 'radio')
  await phone.role('heading', 'Settings').waitFor()
  await phone.relaunch()
  await phone.role('heading', 'Settings').waitFor()
  assert.equal(await phone.stored('language'), 'en')
})
