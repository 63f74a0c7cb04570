/**
 * WXSS to CSS: @import put in place, rpx, vh below the bar, built-in tags as wx-*, and for components
 * a class prefix and :host, which keep their styles to themselves.
 */

import fs from 'node:fs'
import path from 'node:path'
import postcss from 'postcss'
import { BUILTINS } from '../builtins.mjs'
import { from } from './project.mjs'

const TAG = new RegExp(`(^|[\\s>+~,(])(${Object.keys(BUILTINS).join('|')})(?![\\w-])`, 'g')

/** A length as the stylesheet gives it; also for `style="…"`, which no compiler sees. */
export function lengths(text) {
  return text
    .replace(/(-?\d*\.?\d+)rpx\b/g, (_, number) => `calc(${number} * 100vw / 750)`)
    .replace(/(-?\d*\.?\d+)vh\b/g, (_, number) => `calc(${number} * var(--host-vh))`)
}

/**
 * @param {string} root
 * @param {string} file
 * @param {string} [prefix] of an isolated component's classes
 * @param {string[]} [problems] gets what WeChat would refuse or ignore
 * @returns {string} CSS; empty where there is no such file
 */
export function compileWxss(root, file, prefix = '', problems = []) {
  if (!fs.existsSync(path.join(root, file))) return ''
  const sheet = expanded(root, file)
  sheet.walkDecls((declaration) => {
    declaration.value = lengths(declaration.value)
    if (/url\((?!['"]?(data:|https?:))/.test(declaration.value)) {
      problems.push(`${file}: ${declaration.prop}: a stylesheet can't name a local file; use data: or <image>`)
    }
  })
  sheet.walkRules((rule) => {
    if (/keyframes$/.test(rule.parent?.name ?? '')) return
    if (prefix) rule.selector = isolated(rule.selector, prefix, file, problems)
    rule.selector = rule.selector.replace(TAG, '$1wx-$2')
  })
  return sheet.toString()
}

function isolated(selector, prefix, file, problems) {
  const bare = selector.replace(/::?[\w-]+(\([^)]*\))?/g, '')
  if (/(^|[\s>+~,])[a-z]|#|\[/i.test(bare)) {
    problems.push(`${file}: "${selector}": only class selectors work in a component`)
  }
  return selector.replace(/\.([A-Za-z_][\w-]*)/g, `.${prefix}--$1`).replace(/:host\b/g, `[wx-host="${prefix}"]`)
}

function expanded(root, file) {
  const sheet = postcss.parse(fs.readFileSync(path.join(root, file), 'utf8'), { from: file })
  sheet.walkAtRules('import', (rule) => {
    rule.replaceWith(expanded(root, from(file, rule.params.replace(/^['"]|['"]$/g, ''))).nodes)
  })
  return sheet
}
