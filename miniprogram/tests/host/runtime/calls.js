/** How a function of `wx` answers: by success, fail and complete, or by a promise without them. */

import { world } from './world.js'

/** Why a call fails, in WeChat's words: the part after "name:fail ". */
export class Refused extends Error {
  constructor(reason, errno) {
    super(reason)
    this.errno = errno
  }
}

/**
 * @param {string} name
 * @param {(options: any) => any} run gives the result's fields, or throws Refused
 */
export function asynchronous(name, run) {
  return (options = {}) => answered(name, later().then(() => run(options)), options)
}

/**
 * Hand the outcome of a call to whoever made it.
 * @param {string} name
 * @param {Promise<any>} work
 * @param {{ success?: Function, fail?: Function, complete?: Function }} options
 * @returns {Promise<any> | undefined} nothing, where there are callbacks
 */
export function answered(name, work, options) {
  world.underWay += 1
  const outcome = work.then(
    (fields) => ({ ...fields, errMsg: `${name}:ok` }),
    (error) => Promise.reject(told(name, error)),
  )
  const done = () => void (world.underWay -= 1)
  work.then(done, done)
  if (!options.success && !options.fail && !options.complete) return outcome
  outcome.then(
    (result) => {
      options.success?.(result)
      options.complete?.(result)
    },
    (error) => {
      if (!error.errMsg) throw error
      options.fail?.(error)
      options.complete?.(error)
    },
  )
  return undefined
}

/** An error as WeChat tells it; one that is no refusal is the host's own mistake. */
function told(name, error) {
  if (!(error instanceof Refused)) return error
  const errMsg = `${name}:fail${error.message ? ` ${error.message}` : ''}`
  return { errMsg, ...(error.errno === undefined ? {} : { errno: error.errno }) }
}

/** As from WeChat's own thread: never before the caller goes on. */
const later = () => new Promise((resolve) => setTimeout(resolve))
