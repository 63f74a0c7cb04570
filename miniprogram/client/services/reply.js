/**
 * What the service's replies hold, made sure of: whatever comes over the network, pages get texts that
 * fit on a screen, probabilities from 0 to 1, and no more of either than was asked for.
 */

const config = require('../config.js')
const { Failure, ofStatus } = require('./failure.js')

/** @typedef {{ label: string, probability: number, id: string }} Prediction */
/** @typedef {{ level: 'class' | 'group' | 'unsure', id: string | null, label: string, probability: number }} Verdict */
/** @typedef {{ model: string, predictions: Prediction[], answer: Verdict, certain: boolean, hints: { code: string, text: string }[] }} Answer */
/** @typedef {Record<string, { zh: string, en: string }>} Names by class or group id */

/** How many names are asked for, and shown. */
const TOP = 5
const MOST_LETTERS = 80
const MOST_SENTENCE = 200
const MOST_HINTS = 3

/** Control characters, and those that turn the direction of all that follows. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/g

/**
 * The body of a reply that is a success.
 * @param {import('./transport.js').Reply} reply
 * @returns {any}
 */
function parsed(reply) {
  const body = json(reply.body)
  const error = body && body.error
  if (reply.status !== 200) throw ofStatus(reply.status, text(error && error.message, MOST_SENTENCE))
  if (!body || body.success !== true) throw new Failure('notJson')
  return body
}

/**
 * JSON that is an object; null: anything else.
 * @param {string} body
 * @returns {any}
 */
function json(body) {
  try {
    const value = JSON.parse(body)
    return value !== null && typeof value === 'object' ? value : null
  } catch {
    return null
  }
}

/**
 * @param {any} body of /predict
 * @returns {Answer}
 */
function asAnswer(body) {
  if (!Array.isArray(body.predictions)) throw new Failure('notJson')
  const predictions = asPredictions(body.predictions)
  if (body.predictions.length > 0 && predictions.length === 0) throw new Failure('notJson')
  const verdict = asVerdict(body.answer, predictions[0])
  const hints = Array.isArray(body.hints) ? body.hints.slice(0, MOST_HINTS).map(asHint) : []
  return { model: text(body.model), predictions, answer: verdict, certain: verdict.level !== 'unsure', hints }
}

/**
 * The first ones that make sense, each id once.
 * @param {any[]} given
 */
function asPredictions(given) {
  /** @type {Prediction[]} */
  const found = []
  for (const one of given) {
    if (found.length === TOP) break
    const prediction = asPrediction(one)
    if (prediction && !found.some(({ id }) => id === prediction.id)) found.push(prediction)
  }
  return found
}

/**
 * @param {any} given
 * @returns {Prediction | null}
 */
function asPrediction(given) {
  const { label, probability, id } = given || {}
  const name = text(label)
  if (!name || !isProbability(probability)) return null
  return { label: name, probability, id: text(id) || name }
}

/**
 * What the service says of the photo as a whole; a server that says nothing is judged by its first name.
 * @param {any} given
 * @param {Prediction | undefined} first
 * @returns {Verdict}
 */
function asVerdict(given, first) {
  const { level, id, label, probability } = given || {}
  const of = { id: text(id), label: text(label), probability: isProbability(probability) ? probability : 0 }
  if (level === 'unsure' || ((level === 'class' || level === 'group') && of.label)) return { level, ...of }
  if (!first) return { level: 'unsure', id: null, label: '', probability: 0 }
  return { level: first.probability >= config.sureFrom ? 'class' : 'unsure', ...first }
}

/** @param {any} given */
function asHint(given) {
  const { code, text: words } = given || {}
  return { code: text(code), text: text(words, MOST_SENTENCE) }
}

/**
 * @param {any} body of /labels
 * @returns {Names}
 */
function asNames(body) {
  if (!Array.isArray(body.labels)) throw new Failure('notJson')
  /** @type {Names} */
  const found = {}
  for (const one of body.labels.concat(Array.isArray(body.groups) ? body.groups : [])) {
    const { id, label, names } = one || {}
    const { en, zh } = names || {}
    const known = text(label) || text(en) || text(zh)
    if (text(id) && known) found[text(id)] = { en: text(en) || known, zh: text(zh) || known }
  }
  return found
}

/**
 * A text for one line on the screen; '' of anything else.
 * @param {unknown} given
 * @param {number} [most] letters
 */
function text(given, most = MOST_LETTERS) {
  if (typeof given !== 'string') return ''
  const letters = Array.from(given.slice(0, 4 * most).replace(UNSEEN, ' ').trim())
  return letters.length > most ? `${letters.slice(0, most - 1).join('')}…` : letters.join('')
}

/** @param {unknown} value */
function isProbability(value) {
  return typeof value === 'number' && value >= 0 && value <= 1
}

module.exports = { TOP, parsed, json, asAnswer, asNames, text }
