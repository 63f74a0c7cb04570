import { fileURLToPath } from 'node:url'
import { lint } from './lint.mjs'

const { problems, units, bytes } = lint(fileURLToPath(new URL('../../client', import.meta.url)))
problems.forEach((problem) => console.error(problem))
console.log(`${units} pages and components, ${bytes} bytes, ${problems.length} problems`)
process.exitCode = problems.length ? 1 : 0
