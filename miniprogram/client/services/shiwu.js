/** What the service can be asked: names for a photo, the photo with names on it, all its classes. */

const transport = require('./transport.js')
const { Failure } = require('./failure.js')
const { TOP, asAnswer, asNames, parsed } = require('./reply.js')

/** @typedef {import('../i18n/index.js').Language} Language */
/** @typedef {import('./reply.js').Answer} Answer */
/** @typedef {import('./reply.js').Names} Names */
/**
 * @typedef {object} Watch
 * @property {(percent: number) => void} onProgress
 * @property {(seconds: number) => void} onRetry before it waits to ask once more
 */

const MOST_WAIT_S = 10

/**
 * Ask what is on a photo.
 * @param {string} filePath
 * @param {Language} language
 * @param {Watch} watch
 * @param {string} [address] of another service than the one that is set
 * @returns {{ answer: Promise<Answer>, cancel: () => void }}
 */
function predict(filePath, language, watch, address) {
  const asking = askTwice('/predict', filePath, { top: `${TOP}`, lang: language }, watch, address)
  return { answer: asking.body.then(asAnswer), cancel: asking.cancel }
}

/**
 * Have the names drawn on a photo.
 * @param {string} filePath
 * @param {Language} language
 * @param {Watch} watch
 * @returns {{ path: Promise<string>, cancel: () => void }} where the picture can be fetched for a while
 */
function draw(filePath, language, watch) {
  const asking = askTwice('/image', filePath, { draw: 'labels', lang: language }, watch)
  const path = asking.body.then(({ url }) => {
    if (typeof url !== 'string' || !url.startsWith('/')) throw new Failure('notJson')
    return url
  })
  return { path, cancel: asking.cancel }
}

/** @type {Record<string, Promise<Names>>} */
const underWay = {}

/**
 * The names of a network's classes and groups in both languages. Kept on the phone: they are asked
 * for once a network, and again when one that is needed is not among them.
 * @param {string} model
 * @param {(string | null)[]} ids that are needed
 * @returns {Promise<Names>}
 */
function names(model, ids) {
  const kept = namesKept(model)
  if (Object.keys(kept).length > 0 && ids.every((id) => !id || Object.keys(kept).includes(id))) return Promise.resolve(kept)
  if (!underWay[model]) {
    underWay[model] = askNames(model).finally(() => delete underWay[model])
  }
  return underWay[model]
}

/** @param {string} model */
async function askNames(model) {
  const found = asNames(parsed(await transport.get(`/labels?model=${encodeURIComponent(model)}`)))
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
 * @param {string} [address]
 */
function askTwice(path, filePath, options, watch, address) {
  let cancelled = false
  let cancelNow = () => {}
  const once = () => {
    const sending = transport.send(path, filePath, options, watch.onProgress, address)
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

module.exports = { predict, draw, names, namesKept }
