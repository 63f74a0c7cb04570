/**
 * 微信云托管: the service reached through WeChat itself, with no domain list.
 *
 * callContainer takes no file, so a photo goes as base64 in JSON. WeChat allows 100 KiB of text a
 * call: photos are reduced further than over HTTPS, still to several times the size that a network
 * sees.
 */

const config = require('../config.js')

const MOST_TEXT = 96 * 1024
/** WeChat gives up on its own after so long. */
const MOST_WAIT_MS = 15000
/** @type {WechatMiniprogram.Wx['cloud'] | null} */
let started = null

function start() {
  if (!config.cloud || started) return
  wx.cloud.init({ env: config.cloud.env })
  started = wx.cloud
}

function isOn() {
  return Boolean(config.cloud)
}

/**
 * One call of the service.
 * @param {{ path: string, method: 'GET' | 'POST', data?: object, responseType?: 'text' | 'arraybuffer' }} call
 * @returns {Promise<{ status: number, body: any, header: Record<string, string> }>}
 */
function call({ path, method, data, responseType = 'text' }) {
  const { env, service } = /** @type {{ env: string, service: string }} */ (config.cloud)
  start()
  return new Promise((resolve, reject) => {
    wx.cloud.callContainer({
      config: { env },
      path,
      method,
      data,
      header: {
        'X-WX-SERVICE': service,
        Accept: 'application/json',
        ...(data ? { 'Content-Type': 'application/json' } : {}),
      },
      dataType: 'other', // as it came; the caller parses
      responseType,
      timeout: Math.min(config.timeoutMs, MOST_WAIT_MS),
      success: (reply) => resolve({ status: reply.statusCode, body: asCame(reply.data), header: reply.header }),
      fail: reject,
    })
  })
}

/** Text or bytes; some versions parse JSON unasked. @param {any} data */
function asCame(data) {
  return typeof data === 'string' || data instanceof ArrayBuffer ? data : JSON.stringify(data)
}

/** Whether a photo of so many base64 characters fits in a call. @param {number} characters */
function fits(characters) {
  return characters <= MOST_TEXT
}

module.exports = { start, isOn, call, fits }
