/** The published tutorial's own page, untouched but for the address in it, against our service. */

import test from 'node:test'
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { askedDirectly, phoneFor, realService, sharedFile, sharedPath, withoutShared } from './setup.mjs'

const ITS_ADDRESS = 'http://172.28.4.109:5000'

/** The page in a mini-program of its own. @returns {string} the folder */
function miniProgram(t, address) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'tutorial-'))
  t.after(() => fs.rmSync(root, { recursive: true }))
  const pages = path.join(root, 'pages/photo')
  fs.mkdirSync(pages, { recursive: true })
  fs.writeFileSync(path.join(root, 'app.json'), JSON.stringify({ pages: ['pages/photo/photo'], window: { navigationBarBackgroundColor: '#ffffff', navigationBarTextStyle: 'black' } }))
  fs.writeFileSync(path.join(root, 'app.js'), 'App({})')
  for (const name of ['photo.json', 'photo.wxml']) fs.copyFileSync(sharedPath(`tutorial/${name}`), path.join(pages, name))
  const script = fs.readFileSync(sharedPath('tutorial/photo.js'), 'utf8')
  assert.ok(script.includes(ITS_ADDRESS))
  fs.writeFileSync(path.join(pages, 'photo.js'), script.replaceAll(ITS_ADDRESS, address))
  return root
}

test('the tutorial’s page works with this service', { skip: withoutShared }, async (t) => {
  const address = await realService()
  const photo = sharedFile('data/photos/elephant.jpg')
  const phone = await phoneFor(t, address, {
    client: miniProgram(t, address),
    photo,
    world: { permissions: { 'scope.camera': true }, network: { urlCheck: false } },
  })
  // Its first photo and first list are null, of which WeChat warns as well.
  phone.allow(/expected <String> but get null|for-list data is neither Array nor Object, got type "null"/)
  await phone.tap('允许') // it asks for the album as soon as it opens
  const { predictions } = await askedDirectly(address, photo, 'en')

  for (const button of ['点我试试', '使用相册图片']) {
    const answered = phone.page.waitForResponse((response) => response.url() === `${address}/predict`)
    await phone.tap(button)
    const { predictions: got } = await (await answered).json()
    assert.deepEqual(got.map(({ id }) => id), predictions.map(({ id }) => id))
    for (const { label } of got) await phone.sees(label)
  }
  await phone.tap('保存到相册')
  await phone.sees('成功保存到相册')
  assert.deepEqual(await phone.albumPictures(), [photo])
  await phone.shot('tutorial')
})
