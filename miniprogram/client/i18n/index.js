const zh = require('./zh.js')
const en = require('./en.js')

/** @typedef {'zh' | 'en'} Language */

const dictionaries = { zh, en }

/**
 * The texts in one language; both have the same keys (a test compares them).
 * @param {Language} language
 */
function texts(language) {
  return dictionaries[language]
}

/**
 * A text with its {places} filled.
 * @param {string} text
 * @param {Record<string, string | number>} values
 */
function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (place, name) => (name in values ? String(values[name]) : place))
}

module.exports = { texts, fill }
