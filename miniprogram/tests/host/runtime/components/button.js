/** <button>: what some of them do in WeChat by themselves. */

import { settingsSheet } from '../dialogs.js'
import { agreeByButton, asked } from '../permission.js'
import { hideTop, showTop } from '../router.js'
import { complain } from '../world.js'

/** @type {Record<string, (part: import('./index.js').Part) => void | Promise<void>>} */
const openTypes = {
  /** The settings are a page of WeChat's own: the page below is hidden meanwhile. */
  async openSetting(part) {
    hideTop()
    await settingsSheet()
    showTop()
    part.emit('opensetting', { authSetting: asked(), errMsg: 'openSetting:ok' })
  },
  agreePrivacyAuthorization(part) {
    agreeByButton(part.id())
    part.emit('agreeprivacyauthorization', { errMsg: 'agreePrivacyAuthorization:ok' })
  },
}

/** @param {import('./index.js').Part} part */
export function button(part) {
  return {
    changed: ({ openType }) => {
      if (openType && !Object.hasOwn(openTypes, openType)) complain(`<button open-type="${openType}">: the host has no such thing`)
    },
    tap: () => void openTypes[part.data.openType]?.(part),
  }
}
