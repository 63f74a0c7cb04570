/** Camera and album, and pictures on the phone. */

import { asynchronous, Refused } from '../calls.js'
import { bytesOf, keepTemporary, kind } from '../files.js'
import { requirePermission, requirePrivacy } from '../permission.js'
import { take } from '../components/camera.js'
import { picture, world } from '../world.js'
import { encoded } from './canvas.js'

const KINDS = { jpg: 'jpeg', png: 'png', gif: 'gif' }

export const media = {
  createCameraContext: () => ({
    takePhoto: asynchronous('operateCamera', async () => ({ tempImagePath: keepTemporary(await take()) })),
  }),

  chooseMedia: asynchronous('chooseMedia', async ({ count = 9, sourceType = ['album', 'camera'] }) => {
    await requirePrivacy('chooseMedia')
    const names = sourceType.includes('album') ? world.album : [world.camera.back]
    const tempFiles = await Promise.all((await chosen(names)).slice(0, count).map(described))
    return { type: 'image', tempFiles }
  }),

  /** Deprecated; the tutorial's page still calls it. */
  chooseImage: asynchronous('chooseImage', async ({ count = 9 }) => {
    await requirePrivacy('chooseImage')
    const tempFilePaths = (await chosen(world.album)).slice(0, count)
    return { tempFilePaths, tempFiles: tempFilePaths.map((path) => ({ path, size: bytesOf(path).length })) }
  }),

  compressImage: asynchronous('compressImage', async ({ src, quality, compressedWidth, compressedHeight }) => {
    const bytes = bytesOf(src)
    if (world.memoryIsShort) throw new Refused('out of memory')
    if (world.platform === 'ios' && kind(bytes) !== 'jpg') throw new Refused('the image is not a JPEG')
    const image = await decoded(bytes)
    // One side alone keeps the shape; both don't.
    const width = compressedWidth ?? Math.round((image.width * compressedHeight) / image.height)
    const height = compressedHeight ?? Math.round((image.height * compressedWidth) / image.width)
    const canvas = Object.assign(document.createElement('canvas'), { width, height })
    canvas.getContext('2d').drawImage(image, 0, 0, width, height)
    const type = kind(bytes) === 'png' ? 'image/png' : 'image/jpeg'
    return { tempFilePath: keepTemporary(await encoded(canvas, type, quality / 100)) }
  }),

  getImageInfo: asynchronous('getImageInfo', async ({ src }) => {
    const bytes = bytesOf(src)
    const { width, height } = await decoded(bytes, 'none') // as it lies in the file
    const lies = (await decoded(bytes)).width !== width
    return { width, height, path: src, orientation: lies ? 'right' : 'up', type: KINDS[kind(bytes)] ?? 'unknown' }
  }),

  saveImageToPhotosAlbum: asynchronous('saveImageToPhotosAlbum', async ({ filePath }) => {
    await requirePrivacy('saveImageToPhotosAlbum')
    await requirePermission('scope.writePhotosAlbum')
    const bytes = bytesOf(filePath)
    await decoded(bytes)
    if (world.albumIsFull) throw new Refused('no space left on device')
    world.saved.push([...bytes])
  }),
}

async function chosen(names) {
  if (!names.length) throw new Refused('cancel')
  return Promise.all(names.map(async (name) => keepTemporary(await picture(name))))
}

async function described(path) {
  const bytes = bytesOf(path)
  const size = await decoded(bytes).catch(() => ({ width: 0, height: 0 }))
  return { tempFilePath: path, size: bytes.length, fileType: 'image', width: size.width, height: size.height, duration: 0, thumbTempFilePath: '' }
}

/** @param {Uint8Array} bytes @param {ImageOrientation} [imageOrientation] default: upright @returns {Promise<ImageBitmap>} */
async function decoded(bytes, imageOrientation = 'from-image') {
  try {
    return await createImageBitmap(new Blob([bytes]), { imageOrientation })
  } catch {
    throw new Refused('invalid image')
  }
}
