/** A canvas that is not on the page, to draw a picture with. */

import { asynchronous, Refused } from '../calls.js'
import { address, keepTemporary } from '../files.js'

export const canvas = {
  createOffscreenCanvas({ type, width, height }) {
    if (type !== '2d') throw new Error(`createOffscreenCanvas of type ${type}: the host only has 2d`)
    return Object.assign(document.createElement('canvas'), { width, height, createImage: () => withLocalPaths(new Image()) })
  },
  canvasToTempFilePath: asynchronous('canvasToTempFilePath', async ({ canvas: drawn, fileType = 'png', quality = 1, destWidth, destHeight }) => {
    if (!drawn) throw new Refused('invalid canvas: give the canvas itself')
    // Without a size of its own the file has as many pixels more as the screen has to a point.
    const width = destWidth ?? drawn.width * devicePixelRatio
    const height = destHeight ?? drawn.height * devicePixelRatio
    const copy = Object.assign(document.createElement('canvas'), { width, height })
    copy.getContext('2d').drawImage(drawn, 0, 0, width, height)
    return { tempFilePath: keepTemporary(await encoded(copy, fileType === 'jpg' ? 'image/jpeg' : 'image/png', quality)) }
  }),
}

/** @param {HTMLCanvasElement} from @param {number} quality 0 to 1 @returns {Promise<Uint8Array>} */
export async function encoded(from, type, quality) {
  const blob = await new Promise((resolve) => from.toBlob(resolve, type, quality))
  return new Uint8Array(await blob.arrayBuffer())
}

function withLocalPaths(image) {
  const { get, set } = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, 'src')
  return Object.defineProperty(image, 'src', { get: () => get.call(image), set: (path) => set.call(image, address(path)) })
}
