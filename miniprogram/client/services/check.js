/** Whether an address leads to a Shiwu that this mini-program may ask, and if not, why, in WeChat's terms. */

const server = require('./server.js')
const transport = require('./transport.js')
const { Failure, ofStatus } = require('./failure.js')

/** @typedef {{ ok: true, model: string }} Good */
/** @typedef {{ ok: false, wrong?: 'address' | 'notHttps' | 'domain' | 'port' | 'notOurs' | 'notReady', detail?: string, failure?: Failure }} Bad */

const ADDRESS = /^https?:\/\/([\w.-]+|\[[0-9a-f:]+\])(:\d{1,5})?$/i

/**
 * @param {string} address '' for WeChat's cloud
 * @returns {Promise<Good | Bad>}
 */
async function check(address) {
  if (address && !ADDRESS.test(address)) return { ok: false, wrong: 'address' }
  if (address && !address.startsWith('https:') && !server.isEditable()) return { ok: false, wrong: 'notHttps' }
  try {
    return await ask(address)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return error.code === 'domain' ? { ok: false, wrong: refused(address) } : { ok: false, failure: error }
  }
}

/** @param {string} address */
async function ask(address) {
  const ready = await transport.get('/readyz', address)
  const state = json(ready.body)
  const isOurs = state && (state.status === 'ready' || (state.error && state.error.request_id))
  if (!isOurs) return /** @type {Bad} */ ({ ok: false, wrong: 'notOurs', detail: String(ready.status) })
  if (ready.status === 503) return /** @type {Bad} */ ({ ok: false, wrong: 'notReady' })
  if (ready.status !== 200) return /** @type {Bad} */ ({ ok: false, failure: ofStatus(ready.status) })
  const listed = await transport.get('/models', address)
  const { models } = json(listed.body) || {}
  if (!Array.isArray(models)) {
    return /** @type {Bad} */ ({ ok: false, wrong: 'notOurs', detail: String(listed.status) })
  }
  const served = models.filter((/** @type {{ loaded: boolean }} */ model) => model.loaded)
  const names = served.map((/** @type {{ name: string }} */ model) => model.name)
  return /** @type {Good} */ ({ ok: true, model: names.join(', ') })
}

/**
 * Why WeChat refused an address. The list itself can't be read on a phone.
 * @param {string} address
 */
function refused(address) {
  if (!address.startsWith('https:')) return 'notHttps'
  return /:\d+$/.test(address) ? 'port' : 'domain'
}

/** @param {string} text */
function json(text) {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

module.exports = { check }
