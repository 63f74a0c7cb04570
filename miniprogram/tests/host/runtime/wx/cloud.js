/** 微信云托管: wx.cloud.callContainer, which reaches the service without an address or a domain list. */

import { answered, Refused } from '../calls.js'
import { headersOf } from './network.js'
import { world } from '../world.js'

const MOST_TEXT = 100 * 1024
const MOST_ANSWER = 1000 * 1024
let env = ''

export const cloud = {
  init(options) {
    env = options.env
  },
  callContainer(options) {
    world.calls.push({ name: 'cloud.callContainer', options: { path: options.path, method: options.method } })
    return answered('cloud.callContainer', call(options), options)
  },
}

async function call({ config, path, method, header, data, timeout, responseType, dataType }) {
  await Promise.resolve()
  if (!env || config.env !== env) throw new Refused(`Error: wx.cloud.init was not called with the environment ${config.env}`)
  if (!header['X-WX-SERVICE']) throw new Refused('Error: X-WX-SERVICE is missing')
  if (dataType !== 'other') throw new Refused('Error: the host only has dataType other')
  const body = data && JSON.stringify(data)
  if (body?.length > MOST_TEXT) throw new Refused('Error: data exceeds max size')

  const xhr = new XMLHttpRequest()
  xhr.open(method, world.cloud.address + path)
  Object.assign(xhr, { timeout, responseType })
  for (const [name, value] of Object.entries(header)) if (name !== 'X-WX-SERVICE') xhr.setRequestHeader(name, value)
  await new Promise((resolve, reject) => {
    xhr.onload = resolve
    xhr.ontimeout = () => reject(new Refused('timeout'))
    xhr.onerror = () => reject(new Refused('Error: errCode: 102002, request failed'))
    xhr.send(body)
  })
  if ((xhr.response.byteLength ?? xhr.response.length) > MOST_ANSWER) throw new Refused('Error: response exceeds max size')
  return { data: xhr.response, statusCode: xhr.status, header: headersOf(xhr), callID: '1' }
}
