/** <camera>: its live picture is a photo that the test gives. */

import { Refused } from '../calls.js'
import { requirePermission, requirePrivacy } from '../permission.js'
import { complain, picture, world } from '../world.js'

/** The one on the screen; WeChat has one for a page. */
let current = null

/** @param {import('./index.js').Part} part */
export function camera(part) {
  const image = Object.assign(document.createElement('img'), { alt: '' })
  part.element.prepend(image)
  if (current) complain('a second <camera>')
  const self = { part, image, ready: false }
  current = self
  open(self)
  return {
    changed: () => {
      if (self.ready) show(self)
    },
    gone: () => {
      current = null
    },
  }
}

async function open(self) {
  const { part } = self
  try {
    await requirePrivacy('insertCamera')
    await requirePermission('scope.camera')
    if (world.camera.state !== 'ready') throw new Refused(world.camera.state === 'absent' ? 'camera not found' : 'camera is in use')
    await show(self)
    self.ready = current === self
    if (self.ready) part.emit('initdone', { maxZoom: 10 })
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    if (current === self) part.emit('error', { errMsg: `insertCamera:fail ${error.message}` })
  }
}

const seenBy = (part) => (part.data.devicePosition === 'front' ? world.camera.front : world.camera.back)

async function show({ part, image }) {
  image.classList.toggle('host-mirrored', part.data.devicePosition === 'front')
  image.src = `pictures/${seenBy(part)}`
  await image.decode()
}

/** Whether it shows something; a phone takes a moment to open it, and takes no photo until then. */
export const cameraReady = () => Boolean(current?.ready)

/** @returns {Promise<Uint8Array>} the very bytes of the picture that is shown */
export async function take() {
  if (!current?.ready || world.camera.fails) throw new Refused('take photo failed')
  world.camera.flashed = current.part.data.flash
  return picture(seenBy(current.part))
}

/** The app goes to the background: the system takes the camera away. */
export function stopCamera() {
  if (!current?.ready) return
  current.part.emit('stop')
  if (current) current.ready = false
}

/** On iPhones it comes back by itself; elsewhere only a new <camera> gets it. */
export function resumeCamera() {
  if (current && world.platform === 'ios') current.ready = world.camera.state === 'ready'
}
