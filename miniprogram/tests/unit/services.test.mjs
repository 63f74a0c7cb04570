/** What the services make of what WeChat and the service say; nothing of WeChat is needed for it. */

import test from 'node:test'
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const { Failure, ofNetwork, ofStatus } = require('../../client/services/failure.js')
const { describe, excuse } = require('../../client/services/wording.js')
const { texts } = require('../../client/i18n/index.js')

// As phones and DevTools word them.
const MESSAGES = {
  cancelled: ['uploadFile:fail abort', 'request:fail abort'],
  interrupted: ['uploadFile:fail interrupted', 'request:fail interrupted'],
  timeout: ['uploadFile:fail timeout', 'request:fail timeout', 'uploadFile:fail time out', 'request:fail errcode:-118 cronet_error_code:-118 error_msg:net::ERR_CONNECTION_TIMED_OUT', 'request:fail The request timed out.', 'request:fail 请求超时。', 'cloud.callContainer:fail timeout'],
  domain: ['uploadFile:fail url not in domain list', 'request:fail url not in domain list', 'downloadFile:fail url not in domain list'],
  privacy: ['chooseMedia:fail privacy permission is not authorized'],
  undeclared: ['chooseMedia:fail api scope is not declared in the privacy agreement'],
  certificate: ['request:fail ssl hand shake error', 'uploadFile:fail errcode:-202 cronet_error_code:-202 error_msg:net::ERR_CERT_AUTHORITY_INVALID'],
  unknownHost: ['request:fail errcode:-105 cronet_error_code:-105 error_msg:net::ERR_NAME_NOT_RESOLVED', 'uploadFile:fail getaddrinfo ENOTFOUND shiwu.example.com', 'request:fail A server with the specified hostname could not be found.', 'request:fail 未能找到使用指定主机名的服务器。'],
  offline: ['request:fail errcode:-106 cronet_error_code:-106 error_msg:net::ERR_INTERNET_DISCONNECTED', 'request:fail 似乎已断开与互联网的连接。', 'request:fail The Internet connection appears to be offline.'],
  unreadable: ['uploadFile:fail file not found', 'uploadFile:fail no such file or directory "wxfile://tmp_1.jpg"'],
  unreachable: ['uploadFile:fail Software caused connection abort', 'uploadFile:fail errcode:-102 cronet_error_code:-102 error_msg:net::ERR_CONNECTION_REFUSED', 'request:fail 未能连接到服务器。', 'uploadFile:fail Error: socket hang up', 'request:fail '],
}

for (const [code, messages] of Object.entries(MESSAGES)) {
  for (const message of messages) {
    test(`"${message}" is ${code}`, () => assert.equal(ofNetwork(message, 'shiwu.example.com').code, code))
  }
}

test('every status that is no success has its failure', () => {
  for (const status of [400, 401, 403, 404, 405, 411, 413, 415, 422, 429, 500, 501, 502, 503, 504]) assert.ok(ofStatus(status).actions.length > 0, `${status}`)
})

test('every failure has a sentence, and buttons with labels, in both languages, with no place left open', () => {
  for (const language of ['zh', 'en']) {
    for (const code of Object.keys(texts(language).failure)) {
      const { text, buttons } = excuse(new Failure(code, { host: 'h', status: 500, detail: 'd' }), language)
      assert.ok(text.length > 0 && !/[{}]/.test(text), `${language} ${code}: ${text}`)
      assert.ok(buttons.length > 0 && buttons.every(({ label }) => label), `${language} ${code}`)
    }
  }
})

test('every hint that the service may give has its words', () => {
  const source = fs.readFileSync(new URL('../../../imaging/hints.py', import.meta.url), 'utf8')
  const [, codes] = source.match(/CODES[^=]*=\s*\(([\s\S]*?)\)/)
  const given = [...codes.matchAll(/"(\w+)"/g)].map(([, code]) => code)
  assert.ok(given.length > 0)
  for (const language of ['zh', 'en']) assert.deepEqual(Object.keys(texts(language).answer.hints).sort(), [...given].sort())
})

const answer = (change) => ({
  model: 'M',
  predictions: [{ label: 'African_elephant', probability: 0.514, id: 'n1' }, { label: 'ox', probability: 0.004, id: 'n2' }],
  answer: { level: 'class', id: 'n1', label: 'African_elephant', probability: 0.514 },
  certain: true,
  hints: [],
  ...change,
})
const NAMES = { n1: { zh: '非洲象', en: 'African_elephant' }, animal: { zh: '动物', en: 'animal' } }

test('a name is shown in the language of the screen, without underscores', () => {
  assert.equal(describe(answer(), 'zh', NAMES).rows[0].name, '非洲象')
  assert.match(describe(answer(), 'en', NAMES).rows[0].name, /^African elephant$/i)
  assert.match(describe(answer(), 'en', {}).rows[0].name, /^African elephant$/i)
})

test('percentages are whole, and what is less than one says so', () => {
  assert.deepEqual(describe(answer(), 'zh', NAMES).rows.map(({ percent }) => percent), ['51%', '<1%'])
})

test('an answer by group names the group first, and what it may be', () => {
  const { title, sure } = describe(answer({ answer: { level: 'group', id: 'animal', label: 'animal', probability: 0.9 } }), 'zh', NAMES)
  assert.match(title, /动物.*非洲象/)
  assert.equal(sure, true)
})

test('an answer that is not sure says so, with a hint for the next photo', () => {
  const unsure = { certain: false, answer: { level: 'unsure', id: null, label: '', probability: 0.2 } }
  assert.deepEqual([describe(answer(unsure), 'zh', NAMES).title, describe(answer(unsure), 'zh', NAMES).sure], ['不太确定', false])
  assert.match(describe(answer(unsure), 'zh', NAMES).more, /非洲象/)
  assert.match(describe(answer({ ...unsure, hints: [{ code: 'too_dark', text: 'dark' }] }), 'zh', NAMES).more, /太暗/)
  assert.match(describe(answer({ ...unsure, hints: [{ code: 'unheard_of', text: 'its own words' }] }), 'zh', NAMES).more, /its own words/)
})
