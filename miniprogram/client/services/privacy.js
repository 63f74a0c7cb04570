/**
 * WeChat asks, before the first private call, for agreement to the privacy guide. It may ask for
 * several calls at once; one answer settles them all. The dialog is a component of each page.
 */

/** @typedef {(answer: { event: 'agree' | 'disagree' | 'exposureAuthorization', buttonId?: string }) => void} Resolve */

/** @type {Resolve[]} */
let waiting = []
/** @type {(open: boolean) => void} */
let show = () => {}

/** Ask WeChat to ask us; once, at the start. */
function listen() {
  if (!wx.onNeedPrivacyAuthorization) return // before WeChat's library 2.32.3 it asks by itself
  wx.onNeedPrivacyAuthorization((/** @type {any} */ asked) => {
    const resolve = /** @type {Resolve} */ (asked) // the published type is another
    waiting.push(resolve)
    resolve({ event: 'exposureAuthorization' })
    show(true)
  })
}

/**
 * Say who draws the dialog: the page on the screen.
 * @param {(open: boolean) => void} draw
 */
function drawnBy(draw) {
  show = draw
  show(waiting.length > 0)
}

/**
 * Give WeChat the user's answer.
 * @param {string} [buttonId] id of the button that agreed; none: refused
 */
function answer(buttonId) {
  const asked = waiting
  waiting = []
  show(false)
  for (const resolve of asked) {
    resolve(buttonId ? { event: 'agree', buttonId } : { event: 'disagree' })
  }
}

module.exports = { listen, drawnBy, answer }
