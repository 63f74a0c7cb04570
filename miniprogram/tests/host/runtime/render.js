/**
 * The DOM that glass-easel renders into. Built-in components enter it as wx-*, as in WeChat: under
 * their plain names some are HTML elements of Chromium's own (<camera>, <button>, <input>).
 */

import * as glassEasel from 'glass-easel'
import { BUILTINS } from '../builtins.mjs'
import { connect } from './events.js'

const client = window.__client

export function createBackend() {
  const context = new glassEasel.CurrentWindowBackendContext()
  context.document = {
    createElement,
    createTextNode: (text) => document.createTextNode(text),
    createDocumentFragment: () => document.createDocumentFragment(),
  }
  context.appendStyleSheetPath = appendStyleSheet
  connect(context)
  return context
}

function createElement(tag) {
  const element = document.createElement(Object.hasOwn(BUILTINS, tag) ? `wx-${tag}` : tag)
  element.setAttribute = (name, value) =>
    Element.prototype.setAttribute.call(element, name, name === 'style' ? lengths(String(value)) : value)
  return element
}

const lengths = (style) =>
  style.replace(/(-?\d*\.?\d+)rpx\b/g, 'calc($1 * 100vw / 750)').replace(/(-?\d*\.?\d+)vh\b/g, 'calc($1 * var(--host-vh))')

/** Each page of WeChat is a web view of its own: of the pages' styles only those of the one shown hold. */
export function showStylesOf(page) {
  for (const [path, style] of sheets) {
    const unit = client.units[path]
    style.disabled = Boolean(unit?.isPage) && path !== page
  }
}

const sheets = new Map()

function appendStyleSheet(path) {
  if (!sheets.has(path)) {
    const style = document.createElement('style')
    style.dataset.from = path
    style.textContent = client.styles[path]
    document.head.append(style)
    sheets.set(path, style)
  }
  return sheets.size
}
