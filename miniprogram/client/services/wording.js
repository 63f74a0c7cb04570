/** From what the service says to what the screen shows, in either language. */

const { texts, fill } = require('../i18n/index.js')

/** @typedef {import('../i18n/index.js').Language} Language */
/** @typedef {import('./reply.js').Answer} Answer */
/** @typedef {import('./reply.js').Names} Names */
/** @typedef {{ id: string, rank: number, name: string, percent: string, width: number, label: string }} Row */

/**
 * A name for people: the labels' words are joined by underscores.
 * @param {{ id: string | null, label: string }} one
 * @param {Language} language
 * @param {Names} names
 */
function nameOf({ id, label }, language, names) {
  const known = namesOf(id, names)
  return (known ? known[language] : label).replace(/_/g, ' ')
}

/**
 * A class's names in both languages; undefined where they are not known.
 * @param {string | null} id
 * @param {Names} names
 */
function namesOf(id, names) {
  return id && has(names, id) ? names[id] : undefined
}

/**
 * The answer as a headline, a line below it, and rows.
 * @param {Answer} answer
 * @param {Language} language
 * @param {Names} names may be empty: labels then stay in the language they came in
 * @returns {{ title: string, more: string, sure: boolean, rows: Row[] }}
 */
function describe(answer, language, names) {
  const t = texts(language).answer
  const [first] = answer.predictions
  const best = first ? nameOf(first, language, names) : ''
  const rows = answer.predictions.map((one, index) => row(one, index + 1, language, names))
  const known = /** @type {Record<string, string>} */ (t.hints)
  const hints = answer.hints.map((hint) => (has(known, hint.code) ? known[hint.code] : hint.text)).join(' ')
  if (!first) return { title: t.unsure, more: t.nothing, sure: false, rows }
  if (!answer.certain) {
    return { title: t.unsure, more: hints || fill(t.unsureMore, { name: best }), sure: false, rows }
  }
  const title = fill(answer.answer.level === 'group' ? t.group : t.class, {
    group: nameOf(answer.answer, language, names),
    name: best,
  })
  return { title: title[0].toUpperCase() + title.slice(1), more: hints, sure: true, rows }
}

/**
 * @param {import('./reply.js').Prediction} one
 * @param {number} rank
 * @param {Language} language
 * @param {Names} names
 * @returns {Row}
 */
function row(one, rank, language, names) {
  const name = nameOf(one, language, names)
  const percent = percentOf(one.probability)
  const label = fill(texts(language).answer.rowLabel, { rank, name, percent })
  return { id: one.id, rank, name, percent, width: Math.max(1, Math.round(one.probability * 100)), label }
}

/** @param {number} probability 0 to 1 */
function percentOf(probability) {
  const percent = probability * 100
  if (percent < 1) return '<1%'
  return percent >= 99.5 && percent < 100 ? '>99%' : `${Math.round(percent)}%`
}

/**
 * Whether an object has a field of its own, whatever the service calls its classes.
 * @param {object} object
 * @param {string} name
 */
function has(object, name) {
  return Object.prototype.hasOwnProperty.call(object, name)
}

/**
 * A failure's sentence and its buttons.
 * @param {import('./failure.js').Failure} failure
 * @param {Language} language
 */
function excuse(failure, language) {
  const t = texts(language)
  const sentences = /** @type {Record<string, string>} */ (t.failure)
  return {
    code: failure.code,
    text: fill(sentences[failure.code], failure.values).trim(),
    buttons: failure.actions.map((action) => ({ action, label: t.action[action] })),
  }
}

module.exports = { describe, excuse, namesOf }
