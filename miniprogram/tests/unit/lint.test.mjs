/** A lint that never complains proves nothing: one fault is planted at a time, and must be found. */

import test from 'node:test'
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { lint } from '../lint/lint.mjs'

const CLIENT = fileURLToPath(new URL('../../client', import.meta.url))

/** File, what stands there, what is put in its place, what the lint must say. */
const FAULTS = [
  ['pages/camera/camera.wxml', '<camera', '<camra', /unknown|no component|end tag/],
  ['pages/camera/camera.wxml', 'bindtap="onShutter"', 'bindtap="onShuter"', /calls onShuter\(\) on tap, which is not there/],
  ['pages/camera/camera.wxml', 'device-position=', 'device-positon=', /has no attribute device-positon/],
  ['pages/camera/camera.wxml', 'bindtap="onShutter"', 'bindtab="onShutter"', /has no event tab/],
  ['pages/camera/camera.wxml', '{{camera.flashText}}', '{{camra.flashText}}', /reads camra, which data and properties don't have/],
  ['pages/camera/camera.wxml', '{{t.answer.cancel}}', '{{t.answer.cancle}}', /reads t\.answer\.cancle, a text that is not there/],
  ['pages/camera/camera.wxml', 'bind:pick="onPick"', 'bind:pik="onPick"', /never triggers pik/],
  ['pages/camera/camera.wxml', '</answer-list>', '</answer-lst>', /end tag|wcc/],
  ['pages/camera/camera.wxml', 'wx:elif=', 'wx:elf=', /wx:elf/],
  ['pages/history/history.wxml', 'wx:key="id" ', '', /wx:for without wx:key/],
  ['pages/history/history.wxml', ' aria-label="{{item.title}}"', '', /<image> has no aria-label/],
  ['components/answer-list/answer-list.wxml', 'aria-role="button"', '', /can be tapped, but has no aria-role/],
  ['components/answer-list/answer-list.wxss', '.first .name', 'view .name', /only class selectors/],
  ['app.wxss', 'box-sizing: border-box;', 'background-image: url(/images/a.png);', /can't name a local file/],
  ['pages/settings/settings.js', "const language = require('../../services/language.js')", "const location = require('../../services/language.js')", /location is a name that WeChat gives/],
  ['services/server.js', "require('../config.js')", "require('../confg.js')", /confg\.js/],
  ['theme.json', '"bar":', '"ber":', /light has no bar/],
  ['i18n/en.js', "languageLabel: 'Switch to Chinese',", '', /languageLabel is missing in en/],
  ['i18n/en.js', "language: 'Language',", "language: '语言',", /settings\.language is not in English/],
  ['i18n/en.js', '{percent}%', '%', /has the places \{percent\} in zh and +in en/],
]

/** The problems of the client after one change. */
function problemsWith(t, file, from, to) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'lint-'))
  t.after(() => fs.rmSync(root, { recursive: true }))
  fs.cpSync(CLIENT, root, { recursive: true })
  const text = fs.readFileSync(path.join(root, file), 'utf8')
  assert.ok(text.includes(from), `${file} has no ${from} any more`)
  fs.writeFileSync(path.join(root, file), text.replace(from, to))
  return lintOrThrow(root)
}

function lintOrThrow(root) {
  try {
    return lint(root).problems.join('\n')
  } catch (error) {
    return error.message // a module that can't even be loaded
  }
}

for (const [file, from, to, says] of FAULTS) {
  test(`${file}: ${from} → ${to || 'nothing'}`, (t) => assert.match(problemsWith(t, file, from, to), says))
}

test('a file that nothing leads to is found', (t) => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'lint-'))
  t.after(() => fs.rmSync(root, { recursive: true }))
  fs.cpSync(CLIENT, root, { recursive: true })
  fs.writeFileSync(path.join(root, 'services/left-over.js'), 'module.exports = {}')
  assert.match(lint(root).problems.join(), /left-over\.js: nothing leads to it/)
})
