/** The photo with its names drawn on it, in the phone's album. */

import test from 'node:test'
import assert from 'node:assert/strict'
import { answer, byPath, labels, phoneAndFaulty, phoneFor, predicted, realService, refused } from './setup.mjs'


const orange = { '/predict': predicted, '/labels': labels }

async function withAnswer(t, options) {
  const phone = await phoneFor(t, await realService(), options)
  await phone.tap('拍照识别')
  await phone.role('button', '保存到相册').waitFor()
  return phone
}

test('what lands in the album is, byte for byte, what the service drew', async (t) => {
  const phone = await withAnswer(t)
  const drawn = phone.page.waitForResponse((response) => /\/image\/[^/]+$/.test(response.url()))
  await phone.tap('保存到相册')
  await phone.sees('已保存到相册')
  await phone.shot('saved')
  const [picture] = await phone.albumPictures()
  assert.deepEqual(picture, await (await drawn).body())
  assert.deepEqual([...picture.subarray(0, 3)], [0xff, 0xd8, 0xff])
})

test('the album is asked for when a photo is saved, not before', async (t) => {
  const phone = await withAnswer(t, { world: { permissions: { 'scope.camera': true } } })
  assert.equal(await phone.role('dialog').count(), 0)
  await phone.tap('保存到相册')
  await phone.role('dialog', '保存图片或视频到你的相册').waitFor()
  await phone.tap('允许')
  await phone.sees('已保存到相册')
})

test('a refused album: allowing it in WeChat’s settings saves the photo', async (t) => {
  const phone = await withAnswer(t, { world: { permissions: { 'scope.camera': true, 'scope.writePhotosAlbum': false } } })
  await phone.tap('保存到相册')
  await phone.sees('没有保存到相册的权限')
  await phone.shot('album-refused')
  await phone.tap('去授权')
  await phone.role('switch', '保存图片或视频到你的相册').check()
  await phone.tap('返回')
  await phone.sees('已保存到相册')
  assert.equal((await phone.albumPictures()).length, 1)
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

test('a picture that the service cannot draw leaves the answer, and can be tried again', async (t) => {
  const { phone } = await phoneAndFaulty(t, [byPath({ ...orange, '/image': refused(500, 'internal') })])
  await phone.tap('拍照识别')
  await phone.tap('保存到相册')
  await phone.sees('服务器出了问题（500）')
  await phone.role('button', /橙子/).waitFor()
  await phone.shot('save-failed')
})

test('a drawn picture that has expired is not saved', async (t) => {
  const expired = answer(200, { success: true, url: '/image/gone', expires_s: 600 })
  const { phone } = await phoneAndFaulty(t, [byPath({ ...orange, '/image': expired })])
  await phone.tap('拍照识别')
  await phone.tap('保存到相册')
  await phone.sees('服务器上没有要找的内容（404）')
  assert.deepEqual(await phone.albumPictures(), [])
})
