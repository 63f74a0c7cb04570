/** Photos on the phone: taken, chosen, reduced, saved. */

const config = require('../config.js')
const { Failure, ofNetwork } = require('./failure.js')
const { permission } = require('./permission.js')

const QUALITY = 80
/** Side of the picture that the settings' check sends. */
const SAMPLE = 64

/**
 * What the camera on the screen sees.
 * @returns {Promise<string>} path of the photo
 */
function take() {
  return new Promise((resolve, reject) => {
    wx.createCameraContext().takePhoto({
      quality: 'normal',
      success: (taken) => resolve(taken.tempImagePath),
      fail: (error) => reject(privacyFailure(error.errMsg) || new Failure('takeFailed')),
    })
  })
}

/**
 * @returns {Promise<string>} path of the photo, or '' when the user changed their mind
 */
function choose() {
  return new Promise((resolve, reject) => {
    wx.chooseMedia({
      count: 1,
      mediaType: ['image'],
      sourceType: ['album', 'camera'],
      success: (chosen) => resolve(chosen.tempFiles[0].tempFilePath),
      fail: (error) => {
        if (/cancel/.test(error.errMsg)) resolve('')
        else reject(privacyFailure(error.errMsg) || new Failure('unreadable'))
      },
    })
  })
}

/**
 * The same photo as JPEG, its longest side at most `longest` pixels. A photo that the phone can't
 * reduce is given back as it is: the service may still read it.
 * @param {string} filePath
 * @param {number} [longest]
 * @param {number} [quality] 0 to 100
 * @returns {Promise<string>}
 */
async function reduce(filePath, longest = config.longestSide, quality = QUALITY) {
  const found = await info(filePath)
  return reduced(filePath, found, longest, quality).catch(() => filePath)
}

/**
 * The same photo, small enough to be kept. Rejected where the phone can't make it small.
 * @param {string} filePath
 * @param {number} longest side in pixels
 * @param {number} quality 0 to 100
 * @returns {Promise<string>}
 */
async function thumbnail(filePath, longest, quality) {
  return reduced(filePath, await info(filePath), longest, quality)
}

/**
 * @param {string} filePath
 * @param {{ width: number, height: number, type: string }} found
 * @param {number} longest
 * @param {number} quality
 * @returns {Promise<string>}
 */
async function reduced(filePath, { width, height, type }, longest, quality) {
  const ratio = longest / Math.max(width, height)
  const isJpeg = type === 'jpeg' || type === 'jpg'
  if (ratio >= 1 && isJpeg && quality >= QUALITY) return filePath
  const size = { width: Math.round(width * Math.min(ratio, 1)), height: Math.round(height * Math.min(ratio, 1)) }
  // compressImage keeps a PNG a PNG, and iPhones take photos as PNG.
  return isJpeg ? compress(filePath, size, quality) : redraw(filePath, size, quality)
}

/**
 * @param {string} src
 * @param {{ width: number, height: number }} size
 * @param {number} quality
 * @returns {Promise<string>}
 */
function compress(src, size, quality) {
  // One side alone keeps the shape, also where the file lies on its side.
  const side = size.width >= size.height ? { compressedWidth: size.width } : { compressedHeight: size.height }
  return new Promise((resolve, reject) => {
    wx.compressImage({ src, quality, ...side, success: (made) => resolve(made.tempFilePath), fail: reject })
  })
}

/**
 * @param {string} src
 * @param {{ width: number, height: number }} size
 * @param {number} quality
 * @returns {Promise<string>}
 */
async function redraw(src, size, quality) {
  const canvas = wx.createOffscreenCanvas({ type: '2d', ...size })
  const image = /** @type {any} */ (canvas.createImage())
  await new Promise((resolve, reject) => {
    image.onload = resolve
    image.onerror = reject
    image.src = src
  })
  const context = canvas.getContext('2d')
  context.fillStyle = '#ffffff'
  context.fillRect(0, 0, size.width, size.height)
  context.drawImage(image, 0, 0, size.width, size.height)
  return asFile(canvas, size, quality)
}

/**
 * A picture of nothing much, to see whether pictures get through.
 * @returns {Promise<string>}
 */
function sample() {
  const size = { width: SAMPLE, height: SAMPLE }
  const canvas = wx.createOffscreenCanvas({ type: '2d', ...size })
  const context = canvas.getContext('2d')
  context.fillStyle = '#0b7a53'
  context.fillRect(0, 0, SAMPLE, SAMPLE)
  return asFile(canvas, size, QUALITY)
}

/**
 * @param {WechatMiniprogram.OffscreenCanvas} canvas
 * @param {{ width: number, height: number }} size
 * @param {number} quality 0 to 100
 * @returns {Promise<string>}
 */
function asFile(canvas, size, quality) {
  return new Promise((resolve, reject) => {
    wx.canvasToTempFilePath({
      canvas: /** @type {any} */ (canvas), // the published type knows only one on the page
      // By default the file has as many pixels more as the screen has to a point.
      destWidth: size.width,
      destHeight: size.height,
      fileType: 'jpg',
      quality: quality / 100,
      success: (made) => resolve(made.tempFilePath),
      fail: reject,
    })
  })
}

/**
 * @param {string} src
 * @returns {Promise<{ width: number, height: number, type: string }>}
 */
function info(src) {
  return new Promise((resolve, reject) => {
    wx.getImageInfo({
      src,
      success: ({ width, height, type }) => resolve({ width, height, type }),
      fail: () => reject(new Failure('unreadable')),
    })
  })
}

/**
 * Whether a file is a picture that the phone can show, whole.
 * @param {string} filePath
 * @returns {Promise<boolean>}
 */
function isPicture(filePath) {
  return info(filePath).then(() => true, () => false)
}

/**
 * The photo as base64, made smaller until it fits.
 * @param {string} filePath
 * @param {(characters: number) => boolean} fits
 * @returns {Promise<string>}
 */
async function base64Within(filePath, fits) {
  let text = await base64(filePath)
  for (const [longest, quality] of [[800, 70], [640, 60], [512, 50], [384, 40]]) {
    if (fits(text.length)) return text
    text = await base64(await reduce(filePath, longest, quality))
  }
  if (fits(text.length)) return text
  throw new Failure('tooLarge')
}

/**
 * @param {string} filePath
 * @returns {Promise<string>}
 */
function base64(filePath) {
  return new Promise((resolve, reject) => {
    wx.getFileSystemManager().readFile({
      filePath,
      encoding: 'base64',
      success: ({ data }) => resolve(/** @type {string} */ (data)),
      fail: () => reject(new Failure('unreadable')),
    })
  })
}

/**
 * Bytes into a file that the next call overwrites.
 * @param {ArrayBuffer} data
 * @returns {Promise<string>}
 */
function keepForNow(data) {
  const filePath = `${wx.env.USER_DATA_PATH}/for-now.jpg`
  return new Promise((resolve, reject) => {
    wx.getFileSystemManager().writeFile({
      filePath,
      data,
      success: () => resolve(filePath),
      fail: () => reject(new Failure('saveFailed')),
    })
  })
}

/**
 * @param {string} filePath
 * @returns {Promise<void>}
 */
function saveToAlbum(filePath) {
  return new Promise((resolve, reject) => {
    wx.saveImageToPhotosAlbum({
      filePath,
      success: () => resolve(),
      fail: (error) => {
        const failure = privacyFailure(error.errMsg)
        if (failure) reject(failure)
        else if (/cancel/.test(error.errMsg)) reject(new Failure('cancelled'))
        else notSaved(error.errMsg).then(reject)
      },
    })
  })
}

/** @param {string} errMsg */
async function notSaved(errMsg) {
  const allowed = await permission('album')
  if (allowed === 'off') return new Failure('albumOff')
  const refused = allowed === 'refused' || /auth|permission denied/i.test(errMsg)
  return new Failure(refused ? 'albumRefused' : 'saveFailed')
}

/**
 * The failure where the privacy guide was not agreed to, or doesn't speak of what was called.
 * @param {string} errMsg
 */
function privacyFailure(errMsg) {
  const failure = ofNetwork(errMsg, '')
  return failure.code === 'privacy' || failure.code === 'undeclared' ? failure : null
}

module.exports = { privacyFailure, take, choose, reduce, thumbnail, sample, isPicture, base64Within, keepForNow, saveToAlbum }
