/** Which language the screen is in: the phone's, unless the user chose one. */

/** @typedef {import('../i18n/index.js').Language} Language */
/** @typedef {Language | 'phone'} Preference */

const KEY = 'language'

/** @returns {Preference} */
function preference() {
  const kept = wx.getStorageSync(KEY)
  return kept === 'zh' || kept === 'en' ? kept : 'phone'
}

/** @param {Preference} chosen */
function prefer(chosen) {
  if (chosen === 'phone') wx.removeStorageSync(KEY)
  else wx.setStorageSync(KEY, chosen)
}

/** @returns {Language} */
function current() {
  const chosen = preference()
  if (chosen !== 'phone') return chosen
  return /^zh/i.test(wx.getAppBaseInfo().language) ? 'zh' : 'en'
}

module.exports = { preference, prefer, current }
