/** The last photos and their answers, on this phone only: small pictures and a list. */

const config = require('../config.js')
const photos = require('./photos.js')

/** @typedef {import('./reply.js').Answer} Answer */
/** @typedef {{ id: string, at: number, picture: string, answer: Answer }} Entry */

const KEY = 'history'
const THUMBNAIL = 240

/** @returns {Entry[]} newest first */
function list() {
  const kept = wx.getStorageSync(KEY)
  return Array.isArray(kept) ? kept : []
}

/**
 * Keep a photo and its answer; the oldest makes room. A phone that is full keeps none, and
 * nothing else suffers.
 * @param {string} filePath
 * @param {Answer} answer
 */
async function add(filePath, answer) {
  const at = Date.now()
  const id = `${at}`
  try {
    const small = await photos.thumbnail(filePath, THUMBNAIL, 60)
    const picture = await copy(small, `${wx.env.USER_DATA_PATH}/history-${id}.jpg`)
    const entries = [{ id, at, picture, answer }, ...list()]
    wx.setStorageSync(KEY, entries.slice(0, config.historySize))
    entries.slice(config.historySize).forEach(unlink)
  } catch (error) {
    console.warn('the history keeps no photo:', error)
  }
}

/** @param {string} id */
function remove(id) {
  const entries = list()
  wx.setStorageSync(KEY, entries.filter((entry) => entry.id !== id))
  entries.filter((entry) => entry.id === id).forEach(unlink)
}

function clear() {
  const entries = list()
  wx.removeStorageSync(KEY)
  entries.forEach(unlink)
}

/**
 * @param {string} srcPath
 * @param {string} destPath
 * @returns {Promise<string>}
 */
function copy(srcPath, destPath) {
  return new Promise((resolve, reject) => {
    wx.getFileSystemManager().copyFile({ srcPath, destPath, success: () => resolve(destPath), fail: reject })
  })
}

/** @param {Entry} entry */
function unlink({ picture }) {
  wx.getFileSystemManager().unlink({ filePath: picture, fail: () => {} }) // gone already is well, too
}

module.exports = { list, add, remove, clear }
