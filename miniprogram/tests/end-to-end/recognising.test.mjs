/** A photo on its whole way: the real page, real bytes, the real service with the network in the box. */

import test from 'node:test'
import assert from 'node:assert/strict'
import { askedDirectly, drawPicture, jpegSize, lyingOnItsSide, phoneFor, realService, sharedFile, uploaded, withoutShared } from './setup.mjs'

const people = (label) => label.replaceAll('_', ' ')

test('a photo is taken, sent and named in Chinese, as the service itself names it', async (t) => {
  const address = await realService()
  const phone = await phoneFor(t, address)
  await phone.role('button', '拍照识别').waitFor()
  await phone.shot('camera')
  await phone.shoot()
  await phone.role('button', '再拍一张').waitFor()

  const { predictions } = await askedDirectly(address, await uploaded(phone), 'zh')
  const rows = phone.role('list', '识别结果').locator('[role=button]')
  assert.equal(await rows.count(), predictions.length)
  for (const [index, { label }] of predictions.entries()) {
    assert.equal((await rows.nth(index).innerText()).split('\n')[0], people(label))
  }
  await phone.shot('answer')
})

test('an elephant is called an elephant, in Chinese and in English', { skip: withoutShared }, async (t) => {
  const phone = await phoneFor(t, await realService(), { photo: sharedFile('data/photos/elephant.jpg') })
  await phone.shoot()
  const first = phone.role('list').locator('[role=button]').first()
  await first.filter({ hasText: '非洲象' }).waitFor()
  await phone.shot('elephant-zh')
  await phone.tap('切换到英文')
  await first.filter({ hasText: 'African elephant' }).waitFor()
  await phone.shot('elephant-en')
})

test('a phone in English gets English from the first word on', { skip: withoutShared }, async (t) => {
  const phone = await phoneFor(t, await realService(), { photo: sharedFile('data/photos/elephant.jpg'), world: { language: 'en' } })
  await phone.shot('camera-en')
  await phone.shoot('Take a photo')
  await phone.sees('African elephant')
  await phone.shot('answer-en')
})

test('a tap on an answer shows both languages and the id, and copies them', { skip: withoutShared }, async (t) => {
  const phone = await phoneFor(t, await realService(), { photo: sharedFile('data/photos/elephant.jpg') })
  await phone.shoot()
  await phone.role('button', /非洲象/).tap() // maybe before the names in both languages are there
  const dialog = phone.role('dialog')
  await dialog.filter({ hasText: 'African elephant' }).waitFor()
  assert.match(await dialog.innerText(), /非洲象[\s\S]*n02504458/)
  await phone.shot('detail')
  await phone.tap('复制')
  await phone.sees('已复制')
  assert.match(await phone.world('clipboard'), /非洲象\nAfrican elephant\n.*n02504458/)
})

test('a long press copies the name, and opens nothing', async (t) => {
  const phone = await phoneFor(t, await realService())
  await phone.shoot()
  const first = phone.role('list', '识别结果').locator('[role=button]').first()
  const [name] = (await first.innerText()).split('\n')
  await phone.longPress(first)
  await phone.sees('已复制')
  assert.equal(await phone.world('clipboard'), name)
  assert.equal(await phone.role('dialog').count(), 0)
})

test('a large photo is reduced on the phone, to 1280 pixels and to its own shape', async (t) => {
  const photo = await drawPicture({ width: 4032, height: 3024 })
  const phone = await phoneFor(t, await realService(), { photo })
  await phone.shoot()
  await phone.role('button', '再拍一张').waitFor()
  assert.deepEqual(jpegSize(await uploaded(phone)), { width: 1280, height: 960 })
})

test('a tall photo is reduced by its height', async (t) => {
  const photo = await drawPicture({ width: 1500, height: 3000 })
  const phone = await phoneFor(t, await realService(), { photo })
  await phone.shoot()
  await phone.role('button', '再拍一张').waitFor()
  assert.deepEqual(jpegSize(await uploaded(phone)), { width: 640, height: 1280 })
})

test('a photo that lies on its side in its file keeps its shape, small or made small', async (t) => {
  const large = lyingOnItsSide(await drawPicture({ width: 4032, height: 3024 }))
  const small = lyingOnItsSide(await drawPicture({ width: 800, height: 600 }))
  const phone = await phoneFor(t, await realService(), { photo: large, pictures: { 'small.jpg': small }, world: { album: ['small.jpg'] } })
  await phone.shoot()
  await phone.role('button', '再拍一张').waitFor()
  const { width, height } = jpegSize(await uploaded(phone))
  assert.ok(Math.abs(width / height - 3 / 4) < 0.01, `${width} × ${height}`)
  await phone.tap('再拍一张')
  await phone.tap('相册')
  await phone.role('button', '再拍一张').waitFor()
  assert.deepEqual(await uploaded(phone), small) // with its note: the service turns it
})

test('a PNG from an iPhone is sent as a JPEG', async (t) => {
  const photo = await drawPicture({ width: 1600, height: 1200, type: 'image/png' })
  const phone = await phoneFor(t, await realService(), { photo, world: { platform: 'ios' } })
  await phone.shoot()
  await phone.role('button', '再拍一张').waitFor()
  assert.deepEqual(jpegSize(await uploaded(phone)), { width: 1280, height: 960 })
})

test('a photo from the album is named as well, and choosing none changes nothing', async (t) => {
  const phone = await phoneFor(t, await realService())
  await phone.set({ album: [] })
  await phone.tap('相册')
  await phone.settled()
  await phone.role('button', '拍照识别').waitFor()
  await phone.set({ album: ['photo.jpg'] })
  await phone.tap('相册')
  await phone.role('button', '再拍一张').waitFor()
  await phone.tap('再拍一张')
  await phone.role('button', '拍照识别').waitFor()
})

test('front camera and flash are the ones chosen', async (t) => {
  const front = await drawPicture({ width: 800, height: 600 })
  const phone = await phoneFor(t, await realService(), { pictures: { 'front.jpg': front }, world: { camera: { state: 'ready', back: 'photo.jpg', front: 'front.jpg' } } })
  await phone.tap('闪光 自动')
  await phone.role('button', '闪光 开').waitFor()
  await phone.tap('切换前后摄像头')
  await phone.page.locator('wx-camera[device-position=front], wx-camera .host-mirrored').first().waitFor()
  await phone.shoot()
  await phone.role('button', '再拍一张').waitFor()
  assert.equal((await phone.world('camera')).flashed, 'on')
  assert.deepEqual(jpegSize(await uploaded(phone)), { width: 800, height: 600 })
})
