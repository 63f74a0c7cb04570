/** WXSS as the host's stylesheets. */

import test from 'node:test'
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { compileWxss } from '../host/build/wxss.mjs'

/** @param {Record<string, string>} files by name; `main.wxss` is compiled */
function compiled(t, files, prefix) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'wxss-'))
  t.after(() => fs.rmSync(root, { recursive: true }))
  Object.entries(files).forEach(([name, text]) => fs.writeFileSync(path.join(root, name), text))
  const problems = []
  return { css: compileWxss(root, 'main.wxss', prefix, problems), problems }
}

test('lengths of WeChat become lengths of CSS', (t) => {
  const { css } = compiled(t, { 'main.wxss': '.a { margin: -1.5rpx 2px; height: calc(50vh - 1px) }' })
  assert.match(css, /calc\(-1\.5 \* 100vw \/ 750\) 2px/)
  assert.match(css, /calc\(calc\(50 \* var\(--host-vh\)\) - 1px\)/)
})

test('an import stands where it is imported, with its own lengths', (t) => {
  const { css } = compiled(t, { 'main.wxss': '@import "./other.wxss"; .b { color: red }', 'other.wxss': '.a { width: 1rpx }' })
  assert.match(css, /\.a \{ width: calc\(1 \* 100vw \/ 750\) \}[\s\S]*\.b/)
})

test('built-in components are meant by their names, and by nothing that only looks so', (t) => {
  const { css } = compiled(t, { 'main.wxss': 'view > .view-more, image.view {}' })
  assert.match(css, /wx-view > \.view-more, wx-image\.view/)
})

test('a component keeps its classes to itself, and styles its own element', (t) => {
  const { css, problems } = compiled(t, { 'main.wxss': ':host { color: red } .row:last-child .name::before {} @keyframes turn { from { left: 0 } to { left: 1px } }' }, 'list')
  assert.match(css, /\[wx-host="list"\]/)
  assert.match(css, /\.list--row:last-child \.list--name::before/)
  assert.match(css, /from \{ left: 0 \}/)
  assert.deepEqual(problems, [])
})
