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
/** @typedef {{ status: number, filePath: string }} Fetched */
/**
 * @template T
 * @typedef {{ done: Promise<T>, abort: () => void }} UnderWay
 */

/** How long after an upload's answer its headers may come: WeChat tells them apart. */
const HEADERS_LATE_MS = 300

/**
 * POST a photo.
 * @param {string} path
 * @param {string} filePath
 * @param {Record<string, string>} options as the service names them
 * @param {(percent: number) => void} onProgress
 * @param {string} [address] of another service than the one that is set
 * @returns {UnderWay<Reply>}
 */
function send(path, filePath, options, onProgress, address) {
  if (cloud.isOn() && !address) return sendByCloud(path, filePath, options, onProgress)
  return sendByHttps((address || server.address()) + path, filePath, options, onProgress)
}

/**
 * @param {string} url
 * @param {string} filePath
 * @param {Record<string, string>} options
 * @param {(percent: number) => void} onProgress
 * @returns {UnderWay<Reply>}
 */
function sendByHttps(url, filePath, options, onProgress) {
  let abort = () => {}
  const done = new Promise((resolve, reject) => {
    /** @type {(header: Record<string, string>) => void} */
    let heard = () => {}
    /** @type {Promise<Record<string, string>>} */
    const header = new Promise((hear) => {
      heard = hear
    })
    const task = wx.uploadFile({
      url,
      filePath,
      name: 'image',
      formData: options,
      header: { Accept: 'application/json' },
      timeout: config.timeoutMs,
      success: (reply) => {
        setTimeout(heard, HEADERS_LATE_MS, {})
        header.then((all) => resolve({ status: reply.statusCode, body: reply.data, header: all }))
      },
      fail: (error) => failed(error.errMsg, url).then(reject),
    })
    task.onHeadersReceived((received) => heard(received.header))
    task.onProgressUpdate(({ progress }) => onProgress(progress))
    abort = () => task.abort()
  })
  return { done: /** @type {Promise<Reply>} */ (done), abort }
}

/**
 * @param {string} path
 * @param {string} filePath
 * @param {Record<string, string>} options
 * @param {(percent: number) => void} onProgress
 * @returns {UnderWay<Reply>}
 */
function sendByCloud(path, filePath, options, onProgress) {
  const query = Object.keys(options).map((name) => `${name}=${encodeURIComponent(options[name])}`)
  return droppable(
    photos.base64Within(filePath, cloud.fits).then((image) => {
      onProgress(100) // how far a call to the cloud is, nobody says
      return answered(cloud.call({ path: `${path}?${query.join('&')}`, method: 'POST', data: { image } }))
    }),
  )
}

/**
 * GET a text, from this service or from one at another address.
 * @param {string} path
 * @param {string} [address]
 * @returns {Promise<Reply>}
 */
function get(path, address) {
  if (cloud.isOn() && !address) return answered(cloud.call({ path, method: 'GET' }))
  const url = (address || server.address()) + path
  return new Promise((resolve, reject) => {
    wx.request({
      url,
      dataType: 'other', // as it came; the caller parses
      header: { Accept: 'application/json' },
      timeout: config.timeoutMs,
      success: (reply) => resolve({ status: reply.statusCode, body: String(reply.data), header: reply.header }),
      fail: (error) => failed(error.errMsg, url).then(reject),
    })
  })
}

/**
 * GET a picture into a file.
 * @param {string} path
 * @param {(percent: number) => void} onProgress
 * @param {string} [address]
 * @returns {UnderWay<Fetched>}
 */
function download(path, onProgress, address) {
  if (cloud.isOn() && !address) return droppable(downloadByCloud(path))
  const url = (address || server.address()) + path
  let abort = () => {}
  const done = new Promise((resolve, reject) => {
    const task = wx.downloadFile({
      url,
      timeout: config.timeoutMs,
      success: (reply) => resolve({ status: reply.statusCode, filePath: reply.tempFilePath }),
      fail: (error) => failed(error.errMsg, url).then(reject),
    })
    task.onProgressUpdate(({ progress }) => onProgress(progress))
    abort = () => task.abort()
  })
  return { done: /** @type {Promise<Fetched>} */ (done), abort }
}

/**
 * @param {string} path
 * @returns {Promise<Fetched>}
 */
async function downloadByCloud(path) {
  const { status, body } = await answered(cloud.call({ path, method: 'GET', responseType: 'arraybuffer' }))
  return { status, filePath: await photos.keepForNow(/** @type {any} */ (body)) }
}

/**
 * A call to the cloud can't be taken back: its answer is dropped.
 * @template T
 * @param {Promise<T>} call
 * @returns {UnderWay<T>}
 */
function droppable(call) {
  let abort = () => {}
  /** @type {Promise<never>} */
  const aborted = new Promise((_, reject) => {
    abort = () => reject(new Failure('cancelled'))
  })
  return { done: Promise.race([call, aborted]), abort }
}

/** @param {Promise<Reply>} call */
function answered(call) {
  return call.catch(async (error) => {
    throw error instanceof Failure ? error : await failed(String(error.errMsg || error), 'wx.cloud')
  })
}

/**
 * @param {string} errMsg
 * @param {string} url
 * @returns {Promise<Failure>}
 */
function failed(errMsg, url) {
  const failure = ofNetwork(errMsg, server.host(url))
  if (failure.code !== 'unreachable' && failure.code !== 'unknownHost') return Promise.resolve(failure)
  return new Promise((resolve) => {
    wx.getNetworkType({
      success: ({ networkType }) => resolve(networkType === 'none' ? new Failure('offline') : failure),
      fail: () => resolve(failure),
    })
  })
}

module.exports = { send, get, download }
