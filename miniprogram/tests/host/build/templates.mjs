/** WXML to JavaScript, by glass-easel's own compiler. */

import { createRequire } from 'node:module'

const { TmplGroup } = createRequire(import.meta.url)('glass-easel-template-compiler')

/**
 * @param {ReturnType<typeof import('./project.mjs').readProject>} project
 * @returns {{ code: string, problems: string[] }} an expression that gives the templates by path;
 *   what the compiler complains of, with line and column
 */
export function compileTemplates(project) {
  const group = new TmplGroup()
  const problems = []
  project.units.forEach(({ wxml }, file) => {
    for (const { level, message, startLine, startColumn } of group.addTmpl(file, wxml)) {
      problems.push(`${file}.wxml:${startLine + 1}:${startColumn + 1}: ${message} (${level})`)
    }
  })
  const code = group.getTmplGenObjectGroups()
  group.free()
  return { code, problems }
}
