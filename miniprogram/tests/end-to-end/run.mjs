/**
 * All end-to-end tests, several files at once, each in a process with a Chromium of its own; they share
 * one service. Names as arguments choose: `npm run test:end-to-end -- saving history`.
 */

import fs from 'node:fs'
import path from 'node:path'
import { run } from 'node:test'
import { spec as Spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'
import { startShared } from './service.mjs'

const HERE = path.dirname(fileURLToPath(import.meta.url))
/** The tests wait more than they compute. */
const AT_ONCE = 3

/** The longest first, so that none is left over at the end. */
const sizeOf = (file) => fs.statSync(file).size
const chosen = process.argv.slice(2)
const files = fs
  .readdirSync(HERE)
  .filter((name) => name.endsWith('.test.mjs') && (!chosen.length || chosen.includes(name.replace('.test.mjs', ''))))
  .map((name) => path.join(HERE, name))
  .sort((one, other) => sizeOf(other) - sizeOf(one))

if (!files.length) throw new Error(`no file of these names in ${HERE}: ${chosen.join(', ')}`)

const service = await startShared()
process.env.SHIWU_ADDRESS = service.address
try {
  const tests = run({ files, concurrency: AT_ONCE })
  tests.on('test:fail', () => {
    process.exitCode = 1
  })
  for await (const text of tests.compose(new Spec())) process.stdout.write(text)
} finally {
  await service.stop()
}
