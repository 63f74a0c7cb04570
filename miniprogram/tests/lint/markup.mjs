/** WXML as a list of tags, as far as a lint needs it. */

/**
 * @typedef {{ name: string, value: string | null }} Attribute
 * @typedef {{ tag: string, attributes: Attribute[], line: number, text: string, ancestors: Tag[], children: Tag[] }} Tag
 *   `text`: what stands directly in it
 */

const TOKEN = /<!--[\s\S]*?-->|<\/([\w-]+)\s*>|<([\w-]+)((?:"[^"]*"|'[^']*'|[^>"'])*)>|[^<]+/g
const ATTRIBUTE = /([\w:.-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'))?/g

/** @param {string} wxml @returns {Tag[]} in the order in which they begin */
export function tags(wxml) {
  const found = []
  /** @type {Tag[]} */
  let open = []
  for (const match of wxml.matchAll(TOKEN)) {
    const [all, closed, tag, rest] = match
    if (closed) open = open.slice(0, Math.max(0, open.map((one) => one.tag).lastIndexOf(closed)))
    else if (tag) {
      const line = wxml.slice(0, match.index).split('\n').length
      const one = { tag, attributes: attributes(rest.replace(/\/$/, '')), line, text: '', ancestors: [...open], children: [] }
      open.at(-1)?.children.push(one)
      found.push(one)
      if (!all.endsWith('/>')) open.push(one)
    } else if (!all.startsWith('<') && open.length) open[open.length - 1].text += all.trim()
  }
  return found
}

export const attribute = (tag, name) => tag.attributes.find((one) => one.name === name)?.value

/** Every `{{…}}` of a text. */
export const expressions = (text) => [...(text ?? '').matchAll(/\{\{([\s\S]*?)\}\}/g)].map(([, expression]) => expression)

/** Names that an expression reads: not members, not keys of an object, not in strings. */
export function names(expression) {
  const bare = expression.replace(/'[^']*'|"[^"]*"/g, '""').replace(/[{,]\s*\w+\s*:/g, ',')
  const words = bare.matchAll(/(\.\s*)?\b([A-Za-z_$][\w$]*)/g)
  return [...words].filter(([, member]) => !member).map(([, , name]) => name).filter((name) => !WORDS.has(name))
}

/** Paths such as `t.camera.flip` that an expression reads. */
export const paths = (expression, root) =>
  [...expression.replace(/'[^']*'|"[^"]*"/g, '""').matchAll(new RegExp(`(?<![\\w.])${root}((?:\\.\\w+)+)`, 'g'))].map(([, path]) => path.slice(1).split('.'))

const WORDS = new Set(['true', 'false', 'null', 'undefined', 'typeof', 'void'])

function attributes(text) {
  return [...text.matchAll(ATTRIBUTE)].map(([, name, double, single]) => ({ name, value: double ?? single ?? null }))
}
