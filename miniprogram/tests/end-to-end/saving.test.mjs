/** The photo with its names drawn on it, in the phone's album. */

import test from 'node:test'
import assert from 'node:assert/strict'
import { answer, byPath, drawPicture, hang, labels, phoneAndFaulty, phoneFor, predicted, realService, refused, somePhoto } from './setup.mjs'

const orange = { '/predict': predicted, '/labels': labels }
const PATH = '/image/drawn.jpg'
const drawn = answer(200, { success: true, url: PATH, expires_s: 600 })
const picture = (bytes) => (_, response) => void response.writeHead(200, { 'Content-Type': 'image/jpeg' }).end(bytes)

async function withAnswer(t, options) {
  const phone = await phoneFor(t, await realService(), options)
  await phone.shoot()
  await phone.role('button', '保存到相册').waitFor()
  return phone
}

/** A phone with an orange on its screen, and a server that does `paths` from then on. */
async function orangeAnd(t, paths, options) {
  const { phone, server } = await phoneAndFaulty(t, [byPath({ ...orange, ...paths })], options)
  await phone.shoot()
  await phone.role('button', '保存到相册').waitFor()
  return { phone, server }
}

const asked = (server, path) => server.seen.filter(({ url }) => url === path).length

test('what lands in the album is, byte for byte, what the service drew', async (t) => {
  const phone = await withAnswer(t)
  const fetched = phone.page.waitForResponse((response) => /\/image\/[^/]+$/.test(response.url()))
  await phone.tap('保存到相册')
  await phone.sees('已保存到相册')
  await phone.shot('saved')
  const [saved] = await phone.albumPictures()
  assert.deepEqual(saved, await (await fetched).body())
  assert.deepEqual([...saved.subarray(0, 3)], [0xff, 0xd8, 0xff])
})

test('the album is asked for when a photo is saved, not before', async (t) => {
  const phone = await withAnswer(t, { world: { permissions: { 'scope.camera': true } } })
  assert.equal(await phone.role('dialog').count(), 0)
  await phone.tap('保存到相册')
  await phone.role('dialog', '保存图片或视频到你的相册').waitFor()
  await phone.tap('允许')
  await phone.sees('已保存到相册')
})

test('a refused album: allowing it in WeChat’s settings saves the photo, which is neither drawn nor fetched again', async (t) => {
  const phone = await withAnswer(t, { world: { permissions: { 'scope.camera': true, 'scope.writePhotosAlbum': false } } })
  await phone.tap('保存到相册')
  await phone.sees('没有保存到相册的权限')
  await phone.shot('album-refused')
  await phone.tap('去授权')
  await phone.role('switch', '保存图片或视频到你的相册').check()
  await phone.tap('返回')
  await phone.sees('已保存到相册')
  assert.equal((await phone.albumPictures()).length, 1)
  assert.equal((await phone.calls('uploadFile')).length, 2) // one to ask, one to draw
  assert.equal((await phone.calls('downloadFile')).length, 1)
})

test('an album that stays refused stays so, without another try', async (t) => {
  const phone = await withAnswer(t, { world: { permissions: { 'scope.camera': true, 'scope.writePhotosAlbum': false } } })
  await phone.tap('保存到相册')
  await phone.tap('去授权')
  await phone.tap('返回')
  await phone.settled()
  await phone.sees('没有保存到相册的权限')
  assert.equal((await phone.calls('saveImageToPhotosAlbum')).length, 1)
})

test('an iPhone that lets WeChat itself save nothing: its own settings, then the photo is saved', async (t) => {
  const phone = await withAnswer(t, { world: { platform: 'ios', phone: { camera: 'authorized', album: 'denied' } } })
  await phone.tap('保存到相册')
  await phone.sees('手机没有允许微信保存照片')
  await phone.shot('album-off')
  await phone.tap('去系统设置')
  await phone.role('switch', '照片').check()
  await phone.tap('返回')
  await phone.sees('已保存到相册')
  assert.equal((await phone.albumPictures()).length, 1)
})

test('the way of the photo is shown: up, drawn, down, saved', async (t) => {
  const photo = await drawPicture({ width: 1280, height: 960, noise: 1 })
  const file = await somePhoto()
  const held = {}
  const { phone } = await orangeAnd(t, {
    '/image': (...given) => (held.draw = () => drawn(...given)),
    [PATH]: (_, response) => {
      response.writeHead(200, { 'Content-Length': file.length }).write(file.subarray(0, file.length / 2))
      held.rest = () => response.end(file.subarray(file.length / 2))
    },
  }, { photo })
  await phone.slow(100_000)
  await phone.tap('保存到相册')
  await phone.sees(/正在上传 [1-9]\d?%/)
  await phone.shot('saving-up')
  await phone.slow(-1)
  await phone.sees('正在写上名称…')
  held.draw()
  await phone.sees(/正在下载 (4\d|50)%/)
  await phone.shot('saving-down')
  held.rest()
  await phone.sees('已保存到相册')
  assert.deepEqual(await phone.albumPictures(), [file])
})

for (const [step, paths, says] of [
  ['the drawing', { '/image': hang }, '正在写上名称…'],
  ['the fetching', { '/image': drawn, [PATH]: hang }, '正在下载 0%'],
  ['the wait for a busy service', { '/image': refused(503, 'busy', { 'Retry-After': '9' }) }, '服务繁忙，9 秒后再试一次'],
]) {
  test(`${step} can be cancelled: the answer stays, nothing is saved, and it can be saved then`, async (t) => {
    const { phone, server } = await orangeAnd(t, paths)
    await phone.tap('保存到相册')
    await phone.sees(says)
    while (!asked(server, step === 'the fetching' ? PATH : '/image')) await phone.settled
    await phone.tap('取消')
    await phone.role('button', '保存到相册').waitFor()
    await phone.role('button', /橙子/).waitFor()
    assert.equal(await phone.role('alert').count(), 0)
    assert.deepEqual(await phone.albumPictures(), [])
    server.next(byPath({ ...orange, '/image': drawn, [PATH]: picture(await somePhoto()) }))
    await phone.tap('保存到相册')
    await phone.sees('已保存到相册')
  })
}

test('an impatient second tap on “save” does not cancel it', async (t) => {
  const { phone, server } = await orangeAnd(t, { '/image': hang })
  const { x, y, width, height } = await phone.role('button', '保存到相册').boundingBox()
  await phone.tap('保存到相册')
  await phone.sees('正在写上名称…')
  await phone.page.touchscreen.tap(x + width / 2, y + height / 2)
  await phone.sees('正在写上名称…')
  assert.equal(asked(server, '/image'), 1)
})

test('a download that fails is tried again without sending the photo again', async (t) => {
  const { phone, server } = await orangeAnd(t, { '/image': drawn, [PATH]: answer(502, 'bad gateway') })
  await phone.tap('保存到相册')
  await phone.sees('服务器出了问题（502）')
  server.next(byPath({ ...orange, '/image': drawn, [PATH]: picture(await somePhoto()) }))
  await phone.tap('再试一次')
  await phone.sees('已保存到相册')
  assert.equal(asked(server, '/image'), 1)
  assert.equal(asked(server, PATH), 2)
})

test('a drawn picture that expired before the second try is drawn again unasked', async (t) => {
  const { phone, server } = await orangeAnd(t, { '/image': drawn, [PATH]: answer(502, 'bad gateway') })
  await phone.tap('保存到相册')
  await phone.sees('服务器出了问题（502）')
  const fresh = answer(200, { success: true, url: '/image/fresh.jpg' })
  server.next(byPath({ ...orange, '/image': fresh, '/image/fresh.jpg': picture(await somePhoto()) }))
  await phone.tap('再试一次')
  await phone.sees('已保存到相册')
  assert.equal(asked(server, '/image'), 2)
})

test('a full phone says so, and saves once there is room', async (t) => {
  const phone = await withAnswer(t, { world: { albumIsFull: true } })
  await phone.tap('保存到相册')
  await phone.sees('手机空间可能不足')
  await phone.set({ albumIsFull: false })
  await phone.tap('再试一次')
  await phone.sees('已保存到相册')
  assert.equal((await phone.calls('downloadFile')).length, 2) // the file may be what was wrong
})

test('a download broken off in the background goes on when the app is back', async (t) => {
  const { phone, server } = await orangeAnd(t, { '/image': drawn, [PATH]: hang })
  await phone.tap('保存到相册')
  await phone.sees('正在下载 0%')
  server.next(byPath({ ...orange, '/image': drawn, [PATH]: picture(await somePhoto()) }))
  await phone.background({ interrupted: true })
  await phone.foreground()
  await phone.sees('已保存到相册')
  assert.equal(asked(server, '/image'), 1)
})

test('a picture that the service cannot draw leaves the answer, and can be tried again', async (t) => {
  const { phone, server } = await orangeAnd(t, { '/image': refused(500, 'internal') })
  await phone.tap('保存到相册')
  await phone.sees('服务器出了问题（500）')
  await phone.role('button', /橙子/).waitFor()
  await phone.shot('save-failed')
  server.next(byPath({ ...orange, '/image': drawn, [PATH]: picture(await somePhoto()) }))
  await phone.tap('再试一次')
  await phone.sees('已保存到相册')
})

test('a drawn picture that has expired is not saved, and is drawn anew', async (t) => {
  const { phone, server } = await orangeAnd(t, { '/image': drawn, [PATH]: answer(404, 'gone') })
  await phone.tap('保存到相册')
  await phone.sees('在服务器上已经过期')
  assert.deepEqual(await phone.albumPictures(), [])
  server.next(byPath({ ...orange, '/image': drawn, [PATH]: picture(await somePhoto()) }))
  await phone.tap('再试一次')
  await phone.sees('已保存到相册')
  assert.equal(asked(server, '/image'), 2)
})

test('half a picture is not saved, and is fetched again', async (t) => {
  const file = await somePhoto()
  const { phone, server } = await orangeAnd(t, { '/image': drawn, [PATH]: picture(file.subarray(0, 200)) })
  await phone.tap('保存到相册')
  await phone.sees('回答没有传完就断了')
  server.next(byPath({ ...orange, '/image': drawn, [PATH]: picture(file) }))
  await phone.tap('再试一次')
  await phone.sees('已保存到相册')
  assert.deepEqual(await phone.albumPictures(), [file])
})
