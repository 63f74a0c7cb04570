/** What WeChat draws over a page: toasts, dialogs, questions for permission, the sheet of settings. */

import { complain, world } from './world.js'
import { make } from './bars.js'

const WORDS = {
  zh: { confirm: '确定', cancel: '取消', allow: '允许', refuse: '拒绝', back: '返回', settings: '设置', phone: '微信', camera: '相机', album: '照片', 'scope.camera': '使用你的摄像头', 'scope.writePhotosAlbum': '保存图片或视频到你的相册' },
  en: { confirm: 'OK', cancel: 'Cancel', allow: 'Allow', refuse: 'Decline', back: 'Back', settings: 'Settings', phone: 'WeChat', camera: 'Camera', album: 'Photos', 'scope.camera': 'Use your camera', 'scope.writePhotosAlbum': 'Save pictures to your album' },
}
const words = () => WORDS[world.language.startsWith('zh') ? 'zh' : 'en']

let toast = null
/** Longer than in WeChat, so that a test on a busy machine is there to see it. */
const SLOWLY = 4
const MOST_TOAST = 14

/** @param {{ title: string, icon?: string, duration?: number, mask?: boolean }} options */
export function showToast({ title, icon = 'success', duration = 1500, mask = false }) {
  if (icon !== 'none' && widthOf(title) > MOST_TOAST) complain(`showToast: "${title}" is cut off after seven Chinese characters' width`)
  hideToast()
  const element = make('div', `host-toast host-toast-${icon}`, { role: 'status' })
  element.append(make('div', 'host-toast-icon', { 'aria-hidden': 'true' }), text('div', '', title))
  const layer = make('div', mask ? 'host-toast-layer host-mask' : 'host-toast-layer')
  layer.append(element)
  document.body.append(layer)
  toast = { layer, icon, timer: Number.isFinite(duration) ? setTimeout(hideToast, SLOWLY * duration) : 0 }
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

/** The phone's own settings of WeChat. */
export function phoneSheet() {
  return sheet('host-settings', words().phone, (close) => [
    text('div', 'host-settings-title', words().phone),
    ...Object.keys(world.phone).map((part) =>
      toggle(words()[part], world.phone[part] === 'authorized', (on) => {
        world.phone[part] = on ? 'authorized' : 'denied'
      }),
    ),
    button(words().back, close, 'host-first'),
  ])
}

const permissionSwitch = (scope) =>
  toggle(words()[scope], world.permissions[scope], (on) => {
    world.permissions[scope] = on
  })

function toggle(label, checked, onChange) {
  const row = make('label', 'host-settings-row')
  const box = Object.assign(make('input', '', { role: 'switch' }), { type: 'checkbox', checked })
  box.addEventListener('change', () => onChange(box.checked))
  row.append(text('span', '', label), box)
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

/** In halves of a Chinese character. */
const widthOf = (title) => [...title].reduce((sum, letter) => sum + (letter.codePointAt(0) > 0xff ? 2 : 1), 0)

function text(tag, className, content) {
  const element = make(tag, className)
  element.textContent = content
  return element
}
