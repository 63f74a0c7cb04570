/** FileSystemManager. */

import { asynchronous, Refused } from '../calls.js'
import * as files from '../files.js'

const manager = {
  copyFile: asynchronous('copyFile', ({ srcPath, destPath }) => files.write(destPath, files.bytesOf(srcPath))),
  unlink: asynchronous('unlink', ({ filePath }) => files.remove(filePath)),
  readFile: asynchronous('readFile', ({ filePath, encoding }) => ({ data: decoded(files.bytesOf(filePath), encoding) })),
  writeFile: asynchronous('writeFile', ({ filePath, data }) => {
    if (!(data instanceof ArrayBuffer)) throw new Refused('the host only writes an ArrayBuffer')
    files.write(filePath, new Uint8Array(data))
  }),
}

export const fileSystem = { getFileSystemManager: () => manager }

function decoded(bytes, encoding) {
  if (!encoding) return bytes.slice().buffer
  if (encoding !== 'base64') throw new Refused(`the host has no encoding "${encoding}"`)
  let text = ''
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000))
  return btoa(text)
}
