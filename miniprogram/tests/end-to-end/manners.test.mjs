/** Permissions, privacy, a camera that is not to be had, slow networks, other apps. */

import test from 'node:test'
import assert from 'node:assert/strict'
import { drawPicture, hang, phoneAndFaulty, phoneFor, realService, until, well } from './setup.mjs'

const answered = (phone) => phone.page.getByText('橙子').first().waitFor()
/** A network slow enough to watch it for many seconds, for a photo of more than a megabyte. */
const SLOW = 100_000

test('the camera is asked for where it is needed, and allowed', async (t) => {
  const { phone } = await phoneAndFaulty(t, [well], { world: { permissions: {} } })
  await phone.role('dialog', '使用你的摄像头').waitFor()
  await phone.shot('permission-asked')
  await phone.tap('允许')
  await phone.shoot()
  await answered(phone)
})

test('a refused camera: allowing it in WeChat’s settings brings it back', async (t) => {
  const { phone } = await phoneAndFaulty(t, [well], { world: { permissions: {} } })
  await phone.tap('拒绝')
  await phone.sees('没有相机权限')
  await phone.shot('camera-refused')
  await phone.tap('去授权')
  await phone.role('switch', '使用你的摄像头').check()
  await phone.shot('open-setting')
  await phone.tap('返回')
  await phone.shoot()
  await answered(phone)
})

test('a refused camera that stays refused still says so', async (t) => {
  const { phone } = await phoneAndFaulty(t, [well], { world: { permissions: { 'scope.camera': false } } })
  await phone.tap('去授权')
  await phone.tap('返回')
  await phone.sees('没有相机权限')
})

test('a phone that lets WeChat itself use no camera: its own settings bring it back', async (t) => {
  const { phone } = await phoneAndFaulty(t, [well], { world: { phone: { camera: 'denied', album: 'authorized' } } })
  await phone.sees('手机没有允许微信使用相机')
  await phone.shot('camera-off')
  await phone.tap('去系统设置')
  await phone.role('switch', '相机').waitFor()
  await phone.tap('返回')
  await phone.sees('手机没有允许微信使用相机')
  await phone.tap('去系统设置')
  await phone.role('switch', '相机').check()
  await phone.tap('返回')
  await phone.shoot()
  await answered(phone)
})

test('without a camera permission the album is as good', async (t) => {
  const { phone } = await phoneAndFaulty(t, [well], { world: { permissions: { 'scope.camera': false } } })
  await phone.tap('从相册选')
  await answered(phone)
})

for (const state of ['absent', 'busy']) {
  test(`a camera that is ${state}: the album instead, and the camera when it is back`, async (t) => {
    const { phone } = await phoneAndFaulty(t, [well], { world: { camera: { state, back: 'photo.jpg', front: 'photo.jpg' } } })
    await phone.sees('相机打不开')
    await phone.shot(`camera-${state}`)
    await phone.tap('从相册选')
    await answered(phone)
    await phone.set({ camera: { state: 'ready' } })
    await phone.tap('再拍一张')
    await phone.shoot()
    await answered(phone)
  })
}

test('a photo that did not work out is taken again', async (t) => {
  const { phone } = await phoneAndFaulty(t, [well], { world: { camera: { state: 'ready', fails: true, back: 'photo.jpg', front: 'photo.jpg' } } })
  await phone.shoot()
  await phone.sees('这张没有拍成')
  await phone.set({ camera: { fails: false } })
  await phone.tap('重新拍照')
  await phone.shoot()
  await answered(phone)
})

test('the privacy guide is agreed to before the camera opens', async (t) => {
  const { phone } = await phoneAndFaulty(t, [well], { world: { privacy: { needed: true } } })
  await phone.role('dialog', '隐私说明').waitFor()
  await phone.shot('privacy')
  await phone.tap('查看隐私保护指引', 'link')
  await phone.tap('同意')
  await phone.shoot()
  await answered(phone)
  assert.equal((await phone.world('privacy')).read, true)
})

test('whoever refuses the privacy guide is told what it is for, and may agree later', async (t) => {
  const { phone } = await phoneAndFaulty(t, [well], { world: { privacy: { needed: true } } })
  await phone.tap('不同意')
  await phone.role('alert').waitFor()
  await phone.shot('privacy-refused')
  await phone.role('alert').getByRole('button').first().tap()
  await phone.tap('同意')
  await phone.role('alert').waitFor({ state: 'hidden' })
  await phone.shoot()
  await answered(phone)
})

test('a privacy guide that does not speak of the camera: its developer must be told', async (t) => {
  const { phone } = await phoneAndFaulty(t, [well], { world: { privacy: { undeclared: true } } })
  await phone.sees('没有声明这项权限')
  await phone.shot('privacy-undeclared')
  await phone.set({ privacy: { undeclared: false } })
  await phone.role('alert').getByRole('button').tap()
  await phone.shoot()
  await answered(phone)
})

test('the upload’s progress is shown, up to the end', async (t) => {
  const photo = await drawPicture({ width: 1280, height: 960, noise: 1 })
  const { phone } = await phoneAndFaulty(t, [well], { photo })
  await phone.slow(SLOW)
  await phone.shoot()
  await phone.sees(/正在上传 [1-9]\d?%/)
  await phone.shot('uploading')
  await phone.slow(-1)
  await answered(phone)
})

test('an upload can be cancelled; the server sees it break off, and nothing is shown of it', async (t) => {
  const photo = await drawPicture({ width: 1280, height: 960, noise: 1 })
  const { phone, server } = await phoneAndFaulty(t, [well], { photo })
  await phone.slow(SLOW)
  await phone.shoot()
  await phone.sees(/正在上传 [1-9]\d?%/)
  await phone.tap('取消')
  await phone.role('button', '拍照识别').waitFor()
  assert.equal(await phone.role('alert').count(), 0)
  const [sent] = server.seen
  await until(() => sent.brokenOff || sent.body.length)
  assert.equal(sent.brokenOff, true)
})

test('a wait for the answer can be cancelled', async (t) => {
  const { phone } = await phoneAndFaulty(t, [hang])
  await phone.shoot()
  await phone.sees('正在识别…')
  await phone.shot('waiting')
  await phone.tap('取消')
  await phone.role('button', '拍照识别').waitFor()
})

test('an upload that WeChat broke off in the background starts again when the app is back', async (t) => {
  const { phone, server } = await phoneAndFaulty(t, [hang, well])
  await phone.shoot()
  await phone.sees('正在识别…')
  await phone.background({ interrupted: true })
  await phone.foreground()
  await answered(phone)
  assert.equal(server.seen.filter(({ url }) => url.startsWith('/predict')).length, 2)
})

test('an upload that is broken off again and again waits for the person', async (t) => {
  const { phone, server } = await phoneAndFaulty(t, [hang])
  await phone.shoot()
  for (const times of [1, 2]) {
    await phone.sees('正在识别…')
    assert.equal(server.seen.length, times)
    await phone.background({ interrupted: true })
    await phone.foreground()
  }
  await phone.sees('传到一半被打断了')
  await phone.shot('interrupted')
  server.next(well)
  await phone.tap('再试一次')
  await answered(phone)
})

test('a short look at another app breaks nothing off', async (t) => {
  const photo = await drawPicture({ width: 1280, height: 960, noise: 1 })
  const { phone, server } = await phoneAndFaulty(t, [well], { photo })
  await phone.slow(SLOW)
  await phone.shoot()
  await phone.sees(/正在上传 [1-9]\d?%/)
  await phone.background()
  await phone.foreground()
  await phone.slow(-1)
  await answered(phone)
  assert.equal(server.seen.filter(({ url }) => url.startsWith('/predict')).length, 1)
})

for (const [platform, cameraStopsFirst] of [['android', true], ['android', false], ['ios', true], ['ios', false]]) {
  const order = cameraStopsFirst ? 'before' : 'after'
  test(`the camera works on after a look at another app, stopped ${order} the page was told (${platform})`, async (t) => {
    const { phone } = await phoneAndFaulty(t, [well], { world: { platform } })
    await phone.role('button', '拍照识别').waitFor()
    await phone.background({ cameraStopsFirst })
    await phone.foreground()
    await phone.shoot()
    await answered(phone)
  })
}

test('back from another page, everything is as it was', async (t) => {
  const { phone } = await phoneAndFaulty(t, [well])
  await phone.shoot()
  await answered(phone)
  await phone.tap('历史')
  await phone.role('heading', '历史').waitFor()
  await phone.tap('返回')
  await phone.role('heading', '识物').waitFor()
  await answered(phone)
  assert.deepEqual(await phone.pages(), ['pages/camera/camera'])
})

test('an impatient second tap on a page’s name opens it once', async (t) => {
  const { phone } = await phoneAndFaulty(t, [well])
  await phone.page.getByText('历史').evaluate((button) => {
    const { x, y } = button.getBoundingClientRect()
    const touch = new Touch({ identifier: 1, target: button, clientX: x + 5, clientY: y + 5 })
    for (const type of ['touchstart', 'touchend', 'touchstart', 'touchend']) {
      button.dispatchEvent(new TouchEvent(type, { bubbles: true, composed: true, cancelable: true, touches: type === 'touchstart' ? [touch] : [], changedTouches: [touch] }))
    }
  })
  await phone.role('heading', '历史').waitFor()
  await phone.settled()
  assert.deepEqual(await phone.pages(), ['pages/camera/camera', 'pages/history/history'])
  await phone.tap('返回')
  await phone.tap('设置')
  await phone.role('heading', '设置').waitFor()
})

test('an impatient second tap on the shutter neither sends the photo twice nor takes it back', async (t) => {
  const { phone, server } = await phoneAndFaulty(t, [hang])
  const { x, y, width, height } = await phone.role('button', '拍照识别').boundingBox()
  await phone.shoot()
  await phone.sees('正在识别…')
  await phone.page.touchscreen.tap(x + width / 2, y + height / 2)
  await phone.sees('正在识别…')
  assert.equal(server.seen.length, 1)
})

test('through WeChat’s cloud the photo goes as JSON, small enough for it, and gets the same kind of answer', async (t) => {
  const photo = await drawPicture({ width: 1280, height: 960, noise: 0.5 })
  const phone = await phoneFor(t, await realService(), {
    photo,
    config: { 'config.js': { cloud: { env: 'prod-1', service: 'shiwu' } } },
    world: { network: { domains: {} } },
  })
  await phone.shoot()
  await phone.role('button', '再拍一张').waitFor()
  assert.deepEqual(await phone.calls('uploadFile'), [])
  const [{ path, method }] = await phone.calls('cloud.callContainer')
  assert.match(path, /^\/predict\?/)
  assert.equal(method, 'POST')
  await phone.tap('保存到相册')
  await phone.sees('已保存到相册')
  assert.equal((await phone.albumPictures()).length, 1)
})
