/** What the service can be asked: names for a photo, the photo with names on it, all its classes. */

const config = require('../config.js')
const transport = require('./transport.js')
const { Failure, ofStatus } = require('./failure.js')

/** @typedef {import('../i18n/index.js').Language} Language */
/** @typedef {{ label: string, probability: number, id: string }} Prediction */
/** @typedef {{ level: 'class' | 'group' | 'unsure', id: string | null, label: string, probability: number }} Verdict */
/** @typedef {{ model: string, predictions: Prediction[], answer: Verdict, certain: boolean, hints: { code: string, text: string }[] }} Answer */
/** @typedef {Record<string, { zh: string, en: string }>} Names by class or group id */
/**
 * @typedef {object} Watch
 * @property {(percent: number) => void} onProgress
 * @property {(seconds: number) => void} onRetry before it waits to ask once more
 */

const MOST_WAIT_S = 10
const TOP = '5'

/**
 * Ask what is on a photo.
 * @param {string} filePath
 * @param {Language} language
 * @param {Watch} watch
 * @returns {{ answer: Promise<Answer>, cancel: () => void }}
 */
function predict(filePath, language, watch) {
  const asking = askTwice('/predict', filePath, { top: TOP, lang: language }, watch)
  return { answer: asking.body.then(asAnswer), cancel: asking.cancel }
}

/**
 * The photo with its names drawn on it, as a file on the phone.
 * @param {string} filePath
 * @param {Language} language
 * @param {Watch} watch
 * @returns {Promise<string>}
 */
async function drawn(filePath, language, watch) {
  const body = await askTwice('/image', filePath, { draw: 'labels', lang: language }, watch).body
  if (typeof body.url !== 'string') throw new Failure('notJson')
  const picture = await transport.download(body.url)
  if (picture.status !== 200) throw ofStatus(picture.status)
  return picture.filePath
}

/**
 * The names of a network's classes and groups in both languages. Kept on the phone: they are asked
 * for once a network.
 * @param {string} model
 * @returns {Promise<Names>}
 */
async function names(model) {
  const kept = namesKept(model)
  if (Object.keys(kept).length > 0) return kept
  const body = parsed(await transport.get(`/labels?model=${encodeURIComponent(model)}`))
  if (!Array.isArray(body.labels)) throw new Failure('notJson')
  /** @type {Names} */
  const found = {}
  for (const one of [...body.labels, ...(body.groups || [])]) {
    found[one.id] = one.names || { en: one.label, zh: one.label }
  }
  try {
    wx.setStorageSync(`names:${model}`, found)
  } catch (error) {
    console.warn('no room to keep names:', error) // they are asked for again next time
  }
  return found
}

/**
 * The names that are on the phone already; empty where there are none.
 * @param {string} model
 * @returns {Names}
 */
function namesKept(model) {
  return wx.getStorageSync(`names:${model}`) || {}
}

/**
 * POST a photo, and once more when the service is busy, after the time it names.
 * @param {string} path
 * @param {string} filePath
 * @param {Record<string, string>} options
 * @param {Watch} watch
 */
function askTwice(path, filePath, options, watch) {
  let cancelled = false
  let cancelNow = () => {}
  const once = () => {
    const sending = transport.send(path, filePath, options, watch.onProgress)
    cancelNow = sending.abort
    return sending.done
  }
  const ask = async () => {
    let reply = await once()
    const seconds = retryAfter(reply.header)
    if (reply.status === 503 && seconds <= MOST_WAIT_S && !cancelled) {
      watch.onRetry(seconds)
      await new Promise((resolve, reject) => {
        const timer = setTimeout(resolve, seconds * 1000)
        cancelNow = () => {
          clearTimeout(timer)
          reject(new Failure('cancelled'))
        }
      })
      reply = await once()
    }
    return parsed(reply)
  }
  const cancel = () => {
    cancelled = true
    cancelNow()
  }
  return { body: ask(), cancel }
}

/** Seconds that a busy service asks for. @param {Record<string, string>} header */
function retryAfter(header) {
  const name = Object.keys(header).find((one) => one.toLowerCase() === 'retry-after')
  const seconds = name ? Number(header[name]) : NaN
  return Number.isFinite(seconds) ? Math.max(Math.ceil(seconds), 1) : 1
}

/** @param {import('./transport.js').Reply} reply */
function parsed(reply) {
  /** @type {any} */
  let body
  try {
    body = JSON.parse(reply.body)
  } catch {
    body = null
  }
  if (reply.status !== 200) throw ofStatus(reply.status, (body && body.error && body.error.message) || '')
  if (!body || body.success !== true) throw new Failure('notJson')
  return body
}

/**
 * @param {any} body
 * @returns {Answer}
 */
function asAnswer(body) {
  const { model, predictions, hints } = body
  if (!Array.isArray(predictions)) throw new Failure('notJson')
  const [first] = predictions
  const sure = Boolean(first) && first.probability >= config.sureFrom
  /** @type {Verdict} */
  const verdict = body.answer || { level: sure ? 'class' : 'unsure', ...(first || { id: null, label: '', probability: 0 }) }
  return { model, predictions, answer: verdict, certain: verdict.level !== 'unsure', hints: hints || [] }
}

module.exports = { predict, drawn, names, namesKept }
