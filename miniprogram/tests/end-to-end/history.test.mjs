/** The last photos and answers, on this phone only. */

import test from 'node:test'
import assert from 'node:assert/strict'
import { jpegSize, phoneAndFaulty, phoneFor, realService, well } from './setup.mjs'

const phoneWithOranges = async (t, options) => (await phoneAndFaulty(t, [well], options)).phone

async function recognise(phone) {
  await phone.shoot()
  await phone.role('button', '再拍一张').waitFor()
  await phone.tap('再拍一张')
}

test('an empty history says what it is for', async (t) => {
  const phone = await phoneWithOranges(t)
  await phone.tap('历史')
  await phone.sees('还没有照片')
  await phone.shot('history-empty')
})

test('a recognised photo is kept small, and is still there when the app was closed', async (t) => {
  const phone = await phoneFor(t, await realService())
  await phone.shoot()
  await phone.role('button', '再拍一张').waitFor()
  await phone.page.waitForFunction(() => globalThis.__mini.files.saved().length === 1)
  const [file] = await phone.savedFiles()
  const bytes = await phone.fileBytes(file)
  const { width, height } = jpegSize(bytes)
  assert.ok(Math.max(width, height) <= 240, `${width} × ${height}`)
  assert.ok(bytes.length < 40_000, `${bytes.length} bytes`)
  await phone.relaunch()
  await phone.tap('历史')
  await phone.page.waitForFunction(() => document.querySelector('wx-image img')?.naturalWidth > 0)
  await phone.shot('history')
})

test('one photo is deleted with its file, the others stay', async (t) => {
  const phone = await phoneWithOranges(t)
  for (let time = 0; time < 3; time += 1) await recognise(phone)
  await phone.page.waitForFunction(() => globalThis.__mini.files.saved().length === 3)
  await phone.tap('历史')
  const remove = phone.role('button', '删除橙子')
  await remove.nth(2).waitFor()
  await remove.first().tap()
  await phone.page.waitForFunction(() => globalThis.__mini.files.saved().length === 2)
  assert.equal(await remove.count(), 2)
  assert.equal((await phone.stored('history')).length, 2)
})

test('all photos are deleted after a question, and none without an answer to it', async (t) => {
  const phone = await phoneWithOranges(t)
  await recognise(phone)
  await phone.page.waitForFunction(() => globalThis.__mini.files.saved().length === 1)
  await phone.tap('历史')
  await phone.tap('全部删除')
  await phone.shot('history-clear')
  await phone.role('dialog').getByRole('button', { name: '取消' }).tap()
  assert.equal((await phone.savedFiles()).length, 1)
  await phone.tap('全部删除')
  await phone.role('dialog').getByRole('button', { name: '删除' }).tap()
  await phone.sees('还没有照片')
  await phone.page.waitForFunction(() => globalThis.__mini.files.saved().length === 0)
  assert.equal(await phone.stored('history'), null)
})

test('the history keeps as many photos as config.js says, and no file of an older one', async (t) => {
  const phone = await phoneWithOranges(t, { config: { 'config.js': { historySize: 2 } } })
  for (let time = 0; time < 3; time += 1) await recognise(phone)
  await phone.page.waitForFunction(() => globalThis.__mini.world.calls.filter(({ name }) => name === 'vibrateShort').length === 3)
  await phone.page.waitForFunction(() => JSON.parse(globalThis.__mini.world.storage.get('history')).length === 2)
  await phone.page.waitForFunction(() => globalThis.__mini.files.saved().length === 2)
  await phone.tap('历史')
  await phone.sees('最多 2 张')
  await phone.role('button', '删除橙子').nth(1).waitFor()
  assert.equal(await phone.role('button', '删除橙子').count(), 2)
})

test('a full phone keeps no photo, and the answer stands', async (t) => {
  const phone = await phoneWithOranges(t)
  phone.allow(/the history keeps no photo/)
  await phone.page.evaluate(() => {
    globalThis.__mini.files.limits.bytes = 10
  })
  await phone.shoot()
  await phone.role('button', /橙子/).waitFor()
  assert.equal(await phone.role('alert').count(), 0)
  await phone.tap('历史')
  await phone.sees('还没有照片')
})

test('a photo that the phone cannot make small is not kept at all, and the answer stands', async (t) => {
  const phone = await phoneWithOranges(t, { world: { memoryIsShort: true } })
  phone.allow(/the history keeps no photo/)
  await phone.shoot()
  await phone.role('button', /橙子/).waitFor()
  await phone.settled()
  assert.deepEqual(await phone.savedFiles(), [])
  await phone.tap('历史')
  await phone.sees('还没有照片')
})

test('the history speaks English when the screen does', async (t) => {
  const phone = await phoneWithOranges(t)
  await recognise(phone)
  await phone.page.waitForFunction(() => globalThis.__mini.files.saved().length === 1 && globalThis.__mini.world.storage.has('names:Test'))
  await phone.tap('切换到英文')
  await phone.tap('History')
  await phone.role('button', /^Delete orange$/i).waitFor()
  await phone.shot('history-en')
})
