/** Replies of strange types: pages get what makes sense of them, or a failure. */

import test from 'node:test'
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const { asAnswer, asNames, parsed, text } = require('../../client/services/reply.js')

const orange = { label: '橙子', probability: 0.91, id: 'n07747607' }
const answered = (change) => asAnswer({ success: true, model: 'Test', predictions: [orange], ...change })
const failsWith = (code) => (error) => error.code === code
const reply = (status, body) => ({ status, body: typeof body === 'string' ? body : JSON.stringify(body), header: {} })

for (const body of ['', 'null', '5', '"well"', '[]', '{', '{"success":"true"}', '{"predictions":[]}', '<html>']) {
  test(`the body ${body || '(empty)'} is no success`, () => assert.throws(() => parsed(reply(200, body)), failsWith('notJson')))
}

test('an error’s sentence is taken where there is one, and never more than fits', () => {
  const detail = (body) => {
    try {
      return parsed(reply(400, body))
    } catch (error) {
      return error.values.detail
    }
  }
  assert.equal(detail({ error: { message: 'no image' } }), 'no image')
  for (const body of ['null', '', { error: 'no' }, { error: null }, { error: { message: {} } }]) assert.equal(detail(body), '')
  assert.equal(detail({ error: { message: 'long '.repeat(1000) } }).length, 200)
})

for (const predictions of [undefined, null, 'x', { 0: orange }, [null, 1, 'x', []], [{}], [{ ...orange, label: {} }], [{ ...orange, label: '\u202e \n' }],
  ...['0.9', null, undefined, -0.1, 1.5, [0.9]].map((probability) => [{ ...orange, probability }])]) {
  test(`predictions ${JSON.stringify(predictions)} are none`, () => assert.throws(() => answered({ predictions }), failsWith('notJson')))
}

test('no prediction at all is an answer: nothing was recognised', () => {
  assert.deepEqual(answered({ predictions: [] }).predictions, [])
  assert.equal(answered({ predictions: [] }).certain, false)
})

test('of the predictions those stay that make sense, five at most, and each id once', () => {
  assert.deepEqual(answered({ predictions: [null, orange, { label: 5 }, { ...orange, label: 'again' }] }).predictions, [orange])
  const many = Array.from({ length: 10_000 }, (_, index) => ({ label: `${index}`, probability: 0, id: `${index}` }))
  assert.deepEqual(answered({ predictions: many }).predictions.map(({ id }) => id), ['0', '1', '2', '3', '4'])
})

test('a prediction without an id is known by its name', () => {
  for (const id of [undefined, null, 7, {}, '']) assert.equal(answered({ predictions: [{ ...orange, id }] }).predictions[0].id, '橙子')
})

test('a verdict that is none is made of the first prediction', () => {
  for (const answer of [undefined, null, 'orange', 5, [], { level: 'certainly', label: 'x' }, { level: 'group', label: {} }, { level: 'class' }]) {
    assert.deepEqual(answered({ answer }).answer, { level: 'class', ...orange })
    assert.equal(answered({ answer, predictions: [{ ...orange, probability: 0.1 }] }).certain, false)
  }
})

test('a verdict of strange parts keeps what makes sense', () => {
  assert.deepEqual(answered({ answer: { level: 'group', id: {}, label: '水果', probability: 'high' } }).answer, { level: 'group', id: '', label: '水果', probability: 0 })
  assert.equal(answered({ answer: { level: 'unsure' } }).certain, false)
})

test('hints and the model of strange types are empty', () => {
  for (const hints of [undefined, null, 'hold still', {}]) assert.deepEqual(answered({ hints }).hints, [])
  assert.deepEqual(answered({ hints: [null, { code: {}, text: [] }] }).hints, [{ code: '', text: '' }, { code: '', text: '' }])
  for (const model of [undefined, null, {}, 5]) assert.equal(answered({ model }).model, '')
})

test('each class has the names that the service gives it, whichever language its label is in', () => {
  const names = { en: 'orange', zh: '橙子' }
  for (const label of ['orange', '橙子']) assert.deepEqual(asNames({ labels: [{ id: 'a', label, names }], groups: [{ id: 'b', label, names }] }), { a: names, b: names })
})

test('names of strange types are left out, and one language stands in for the other', () => {
  assert.throws(() => asNames({}), failsWith('notJson'))
  const labels = [null, 5, {}, { id: {}, label: 'a' }, { id: 'a', label: 'A', names: 'x' }, { id: 'b', names: { zh: '乙', en: 5 } }, { id: 'c', names: {} }]
  assert.deepEqual(asNames({ labels, groups: 'x' }), { a: { en: 'A', zh: 'A' }, b: { en: '乙', zh: '乙' } })
})

test('a text is one line of letters that are seen, cut between letters', () => {
  assert.equal(text(' a\n\u0000b\u202e '), 'a b')
  assert.equal(text('تفاحة حمراء'), 'تفاحة حمراء')
  assert.equal(text('🐘'.repeat(200)), `${'🐘'.repeat(79)}…`)
  assert.equal(text('🐘'.repeat(80)), '🐘'.repeat(80))
  for (const value of [undefined, null, 5, {}, ['a'], true]) assert.equal(text(value), '')
})
