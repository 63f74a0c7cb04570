/** <image>: a file of the phone, or one of the package. */

import { address, exists } from '../files.js'

/** @param {import('./index.js').Part} part */
export function image(part) {
  const element = Object.assign(document.createElement('img'), { alt: '' })
  part.element.append(element)
  element.addEventListener('load', () => part.emit('load', { width: element.naturalWidth, height: element.naturalHeight }))
  // WeChat draws nothing where Chromium would draw a broken picture.
  element.addEventListener('error', () => {
    element.classList.add('host-broken')
    part.emit('error', { errMsg: 'GET image failed' })
  })
  let shown = ''
  return {
    changed: ({ src, mode }) => {
      part.element.dataset.mode = mode || 'scaleToFill'
      if (src === shown) return
      shown = src
      element.removeAttribute('src')
      element.classList.remove('host-broken')
      if (exists(src)) element.src = address(src)
      else if (src.startsWith('/')) element.src = `client${src}`
      else if (src) part.emit('error', { errMsg: `Failed to load local image resource ${src}` })
    },
  }
}
