/** Whether an address leads to a Shiwu that this mini-program may ask, and if not, why, in WeChat's terms. */

const photos = require('./photos.js')
const server = require('./server.js')
const shiwu = require('./shiwu.js')
const transport = require('./transport.js')
const { Failure, ofStatus } = require('./failure.js')
const { json, text } = require('./reply.js')

/** @typedef {'address' | 'notHttps' | 'domain' | 'port' | 'uploadList' | 'downloadList' | 'notOurs' | 'notReady'} Wrong */
/** @typedef {{ ok: true, model: string }} Good */
/** @typedef {{ ok: false, wrong?: Wrong, detail?: string, failure?: Failure }} Bad */

const ADDRESS = /^https?:\/\/([\w.-]+|\[[0-9a-f:]+\])(:\d{1,5})?$/i
const QUIET = { onProgress: () => {}, onRetry: () => {} }

/**
 * @param {string} address '' for WeChat's cloud
 * @returns {Promise<Good | Bad>}
 */
async function check(address) {
  if (address && !ADDRESS.test(address)) return bad('address')
  if (address && !address.startsWith('https:') && !server.isEditable()) return bad('notHttps')
  try {
    const found = await refusedAs(ask(address), refusal(address))
    if (!found.ok || !address) return found
    // Photos go by uploadFile and come by downloadFile: WeChat has a list of domains for each.
    await refusedAs(sendPhoto(address), 'uploadList')
    await refusedAs(fetchFile(address), 'downloadList')
    return found
  } catch (error) {
    if (error instanceof Refusal) return bad(error.wrong)
    if (error instanceof Failure) return { ok: false, failure: error }
    throw error
  }
}

/** Not a failure of the service: WeChat let nothing through to it. */
class Refusal extends Error {
  /** @param {Wrong} wrong */
  constructor(wrong) {
    super(wrong)
    this.wrong = wrong
  }
}

/**
 * What a call gives; where WeChat refused the domain, the list that lacks it.
 * @template T
 * @param {Promise<T>} call
 * @param {Wrong} wrong
 * @returns {Promise<T>}
 */
function refusedAs(call, wrong) {
  return call.catch((error) => {
    throw error instanceof Failure && error.code === 'domain' ? new Refusal(wrong) : error
  })
}

/**
 * @param {string} address
 * @returns {Promise<Good | Bad>}
 */
async function ask(address) {
  const ready = await transport.get('/readyz', address)
  const state = json(ready.body)
  const isOurs = state && (state.status === 'ready' || (state.error && state.error.request_id))
  if (!isOurs) return bad('notOurs', ready.status)
  if (ready.status === 503) return bad('notReady')
  if (ready.status !== 200) return { ok: false, failure: ofStatus(ready.status) }
  const listed = await transport.get('/models', address)
  const { models } = json(listed.body) || {}
  if (!Array.isArray(models)) return bad('notOurs', listed.status)
  const served = models.filter((model) => model && model.loaded)
  return { ok: true, model: served.map(({ name }) => text(name)).join(', ') }
}

/** @param {string} address */
async function sendPhoto(address) {
  await shiwu.predict(await photos.sample(), 'en', QUIET, address).answer
}

/** @param {string} address */
async function fetchFile(address) {
  const { status } = await transport.download('/readyz', () => {}, address).done
  if (status !== 200) throw ofStatus(status)
}

/**
 * Why WeChat refused an address. The list itself can't be read on a phone.
 * @param {string} address
 * @returns {Wrong}
 */
function refusal(address) {
  if (!address.startsWith('https:')) return 'notHttps'
  return /:\d+$/.test(address) ? 'port' : 'domain'
}

/**
 * @param {Wrong} wrong
 * @param {string | number} [detail]
 * @returns {Bad}
 */
function bad(wrong, detail = '') {
  return { ok: false, wrong, detail: String(detail) }
}

module.exports = { check }
