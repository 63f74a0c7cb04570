/** What every page takes from the phone: its language and the size of its text. */

const language = require('./language.js')
const { texts } = require('../i18n/index.js')

const NORMAL = 16

/** Data that each page has. */
function blank() {
  return { t: texts('zh'), lang: /** @type {import('../i18n/index.js').Language} */ ('zh'), fontSize: NORMAL }
}

/** The same, as things stand now; to be set whenever a page is shown. */
function current() {
  const lang = language.current()
  const scale = wx.getAppBaseInfo().fontSizeScaleFactor || 1
  return { t: texts(lang), lang, fontSize: Math.round(NORMAL * scale) }
}

module.exports = { blank, current }
