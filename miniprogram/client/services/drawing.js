/**
 * The photo with its names drawn on it, as a file on the phone. A try that fails is taken up where it
 * stopped: what was drawn is not drawn again, and what was fetched is not fetched again.
 */

const photos = require('./photos.js')
const shiwu = require('./shiwu.js')
const transport = require('./transport.js')
const { Failure, ofStatus } = require('./failure.js')

/** @typedef {import('../i18n/index.js').Language} Language */
/** @typedef {import('./shiwu.js').Watch & { onFetch: (percent: number) => void }} Watch */
/** @typedef {{ photo: string, language: string, path: string, file: string }} Drawing */

const NOTHING = { photo: '', language: '', path: '', file: '' }
/** @type {Drawing} */
let last = NOTHING

/**
 * @param {string} photo path of the photo
 * @param {Language} language
 * @param {Watch} watch
 * @returns {{ file: Promise<string>, cancel: () => void }}
 */
function fetchDrawn(photo, language, watch) {
  if (last.photo !== photo || last.language !== language) last = { ...NOTHING, photo, language }
  let cancelled = false
  let cancelNow = () => {}
  const file = goOn(last, language, watch, (cancel) => {
    cancelNow = cancel
    if (cancelled) cancel()
  })
  const cancel = () => {
    cancelled = true
    cancelNow()
  }
  return { file, cancel }
}

/** Begin anew next time: the file is of no use. */
function forget() {
  last = NOTHING
}

/**
 * @param {Drawing} drawing what there is already; gets what comes
 * @param {Language} language
 * @param {Watch} watch
 * @param {(cancel: () => void) => void} onStep
 * @returns {Promise<string>}
 */
async function goOn(drawing, language, watch, onStep) {
  if (drawing.file) return drawing.file
  const isOld = Boolean(drawing.path)
  if (!drawing.path) {
    const asked = shiwu.draw(drawing.photo, language, watch)
    onStep(asked.cancel)
    drawing.path = await asked.path
  }
  watch.onFetch(0)
  const loading = transport.download(drawing.path, watch.onFetch)
  onStep(loading.abort)
  const { status, filePath } = await loading.done
  if (status === 404) {
    drawing.path = '' // the service keeps it for a while only
    if (isOld) return goOn(drawing, language, watch, onStep)
    throw new Failure('expired')
  }
  if (status !== 200) throw ofStatus(status)
  if (!(await photos.isPicture(filePath))) throw new Failure('cutOff')
  drawing.file = filePath
  return filePath
}

module.exports = { fetchDrawn, forget }
