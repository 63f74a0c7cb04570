/**
 * Bytes to the service and back, over HTTPS or WeChat's cloud. What comes back is an answer of any
 * status; a call that got none is rejected with a Failure.
 */

const config = require('../config.js')
const cloud = require('./cloud.js')
const photos = require('./photos.js')
const server = require('./server.js')
const { Failure, ofNetwork } = require('./failure.js')

/** @typedef {{ status: number, body: string, header: Record<string, string> }} Reply */
/** @typedef {{ done: Promise<Reply>, abort: () => void }} Sending */

/**
 * POST a photo.
 * @param {string} path
 * @param {string} filePath
 * @param {Record<string, string>} options as the service names them
 * @param {(percent: number) => void} onProgress
 * @returns {Sending}
 */
function send(path, filePath, options, onProgress) {
  return cloud.isOn() ? sendByCloud(path, filePath, options, onProgress) : sendByHttps(path, filePath, options, onProgress)
}

/**
 * @param {string} path
 * @param {string} filePath
 * @param {Record<string, string>} options
 * @param {(percent: number) => void} onProgress
 * @returns {Sending}
 */
function sendByHttps(path, filePath, options, onProgress) {
  let abort = () => {}
  /** @type {Promise<Reply>} */
  const done = new Promise((resolve, reject) => {
    /** @type {Record<string, string>} */
    let header = {}
    const task = wx.uploadFile({
      url: server.address() + path,
      filePath,
      name: 'image',
      formData: options,
      header: { Accept: 'application/json' },
      timeout: config.timeoutMs,
      success: (reply) => resolve({ status: reply.statusCode, body: reply.data, header }),
      fail: (error) => failed(error.errMsg).then(reject),
    })
    task.onHeadersReceived((received) => {
      header = received.header
    })
    task.onProgressUpdate(({ progress }) => onProgress(progress))
    abort = () => task.abort()
  })
  return { done, abort }
}

/**
 * @param {string} path
 * @param {string} filePath
 * @param {Record<string, string>} options
 * @param {(percent: number) => void} onProgress
 * @returns {Sending}
 */
function sendByCloud(path, filePath, options, onProgress) {
  let abort = () => {}
  // A call to the cloud can't be taken back; its answer is dropped.
  const aborted = new Promise((_, reject) => {
    abort = () => reject(new Failure('cancelled'))
  })
  const query = Object.keys(options).map((name) => `${name}=${encodeURIComponent(options[name])}`)
  const done = photos
    .base64Within(filePath, cloud.fits)
    .then((image) => {
      onProgress(100) // how far a call to the cloud is, nobody says
      return answered(cloud.call({ path: `${path}?${query.join('&')}`, method: 'POST', data: { image } }))
    })
  return { done: /** @type {Promise<Reply>} */ (Promise.race([done, aborted])), abort }
}

/**
 * GET a text, from this service or from one at another address.
 * @param {string} path
 * @param {string} [address]
 * @returns {Promise<Reply>}
 */
function get(path, address) {
  if (cloud.isOn() && !address) return answered(cloud.call({ path, method: 'GET' }))
  return new Promise((resolve, reject) => {
    wx.request({
      url: (address || server.address()) + path,
      dataType: 'other', // as it came; the caller parses
      header: { Accept: 'application/json' },
      timeout: config.timeoutMs,
      success: (reply) => resolve({ status: reply.statusCode, body: String(reply.data), header: reply.header }),
      fail: (error) => failed(error.errMsg, address).then(reject),
    })
  })
}

/**
 * GET a picture into a file.
 * @param {string} path
 * @returns {Promise<{ status: number, filePath: string }>}
 */
async function download(path) {
  if (cloud.isOn()) {
    const call = cloud.call({ path, method: 'GET', responseType: 'arraybuffer' })
    const { status, body } = await answered(call)
    return { status, filePath: await photos.keepForNow(/** @type {any} */ (body)) }
  }
  return new Promise((resolve, reject) => {
    wx.downloadFile({
      url: server.address() + path,
      timeout: config.timeoutMs,
      success: (reply) => resolve({ status: reply.statusCode, filePath: reply.tempFilePath }),
      fail: (error) => failed(error.errMsg).then(reject),
    })
  })
}

/** @param {Promise<Reply>} call */
function answered(call) {
  return call.catch(async (error) => {
    throw error instanceof Failure ? error : await failed(String(error.errMsg || error))
  })
}

/**
 * @param {string} errMsg
 * @param {string} [address]
 * @returns {Promise<Failure>}
 */
function failed(errMsg, address) {
  const failure = ofNetwork(errMsg, cloud.isOn() ? 'wx.cloud' : server.host(address))
  if (failure.code !== 'unreachable' && failure.code !== 'unknownHost') return Promise.resolve(failure)
  return new Promise((resolve) => {
    wx.getNetworkType({
      success: ({ networkType }) => resolve(networkType === 'none' ? new Failure('offline') : failure),
      fail: () => resolve(failure),
    })
  })
}

module.exports = { send, get, download }
