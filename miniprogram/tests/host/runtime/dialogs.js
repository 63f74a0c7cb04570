/** What WeChat draws over a page: toasts, dialogs, questions for permission, the sheet of settings. */

import { world } from './world.js'
import { make } from './bars.js'

const WORDS = {
  zh: { confirm: '确定', cancel: '取消', allow: '允许', refuse: '拒绝', back: '返回', settings: '设置', 'scope.camera': '使用你的摄像头', 'scope.writePhotosAlbum': '保存图片或视频到你的相册' },
  en: { confirm: 'OK', cancel: 'Cancel', allow: 'Allow', refuse: 'Decline', back: 'Back', settings: 'Settings', 'scope.camera': 'Use your camera', 'scope.writePhotosAlbum': 'Save pictures to your album' },
}
const words = () => WORDS[world.language.startsWith('zh') ? 'zh' : 'en']

let toast = null

/** @param {{ title: string, icon?: string, duration?: number, mask?: boolean }} options */
export function showToast({ title, icon = 'success', duration = 1500, mask = false }) {
  hideToast()
  const element = make('div', `host-toast host-toast-${icon}`, { role: 'status' })
  element.append(make('div', 'host-toast-icon', { 'aria-hidden': 'true' }), text('div', '', title))
  const layer = make('div', mask ? 'host-toast-layer host-mask' : 'host-toast-layer')
  layer.append(element)
  document.body.append(layer)
  toast = { layer, icon, timer: Number.isFinite(duration) ? setTimeout(hideToast, duration) : 0 }
}

export function hideToast() {
  clearTimeout(toast?.timer)
  toast?.layer.remove()
  toast = null
}

export function hideLoading() {
  if (toast?.icon === 'loading') hideToast()
}

/**
 * A question with one or two answers.
 * @returns {Promise<{ confirm: boolean, cancel: boolean }>}
 */
export function showModal({ title = '', content = '', showCancel = true, cancelText = words().cancel, confirmText = words().confirm }) {
  return sheet('host-modal', title, (close) => {
    const answer = (confirm) => () => close({ confirm, cancel: !confirm })
    const buttons = make('div', 'host-modal-buttons')
    if (showCancel) buttons.append(button(cancelText, answer(false)))
    buttons.append(button(confirmText, answer(true), 'host-first'))
    return [text('div', 'host-modal-title', title), text('div', 'host-modal-content', content), buttons]
  })
}

/** WeChat's question for a permission. @returns {Promise<boolean>} */
export async function askPermission(scope) {
  const { confirm } = await showModal({ title: words()[scope], cancelText: words().refuse, confirmText: words().allow })
  return confirm
}

/** The sheet of openSetting: a switch for each permission that was asked before. */
export function settingsSheet() {
  hideToast()
  const scopes = Object.keys(world.permissions).filter((scope) => world.permissions[scope] !== undefined)
  return sheet('host-settings', words().settings, (close) => [
    text('div', 'host-settings-title', words().settings),
    ...scopes.map(permissionSwitch),
    button(words().back, close, 'host-first'),
  ])
}

function permissionSwitch(scope) {
  const row = make('label', 'host-settings-row')
  const box = Object.assign(make('input', '', { role: 'switch' }), { type: 'checkbox', checked: world.permissions[scope] })
  box.addEventListener('change', () => {
    world.permissions[scope] = box.checked
  })
  row.append(text('span', '', words()[scope]), box)
  return row
}

function sheet(className, label, fill) {
  return new Promise((resolve) => {
    const layer = make('div', 'host-layer host-mask')
    const box = make('div', className, { role: 'dialog', 'aria-modal': 'true', 'aria-label': label })
    const close = (answer) => {
      layer.remove()
      resolve(answer)
    }
    box.append(...fill(close))
    layer.append(box)
    document.body.append(layer)
  })
}

function button(label, onClick, className = '') {
  const element = text('button', className, label)
  element.addEventListener('click', onClick)
  return element
}

function text(tag, className, content) {
  const element = make(tag, className)
  element.textContent = content
  return element
}
