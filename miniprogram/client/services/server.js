/** Where the service is. Only the development version may be told another address. */

const config = require('../config.js')

/** @typedef {'develop' | 'trial' | 'release'} Environment */

const KEY = 'server'

/** @returns {Environment} */
function environment() {
  return wx.getAccountInfoSync().miniProgram.envVersion
}

function isEditable() {
  return environment() === 'develop'
}

/** The address, such as https://shiwu.example.com; no slash at the end. */
function address() {
  const kept = isEditable() ? wx.getStorageSync(KEY) : ''
  return kept || config.servers[environment()]
}

/** @param {string} chosen an address, or '' for the one in config.js */
function setAddress(chosen) {
  if (chosen) wx.setStorageSync(KEY, chosen)
  else wx.removeStorageSync(KEY)
}

/** Host and port of an address, for messages. @param {string} [of] */
function host(of = address()) {
  return of.replace(/^\w+:\/\//, '').replace(/\/.*$/, '')
}

module.exports = { environment, isEditable, address, setAddress, host }
