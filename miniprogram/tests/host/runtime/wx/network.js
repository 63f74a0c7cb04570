/**
 * request, uploadFile, downloadFile: real requests by Chromium to a real server. What WeChat checks
 * before (the domain list) and how it words a failure are here.
 */

import { answered, Refused } from '../calls.js'
import { bytesOf, exists, keepTemporary, kind, TYPES } from '../files.js'
import { complain, world } from '../world.js'

const DEFAULT_TIMEOUT_MS = 60000
const LATE_MS = 50

/** Chromium's errors by their numbers: WeChat on Android shows both. */
const NUMBERS = {
  CONTENT_LENGTH_MISMATCH: -354, INCOMPLETE_CHUNKED_ENCODING: -355, INVALID_HTTP_RESPONSE: -370, TOO_MANY_REDIRECTS: -310,
  RESPONSE_HEADERS_TOO_BIG: -325, CONNECTION_CLOSED: -100, CONNECTION_RESET: -101, CONNECTION_REFUSED: -102, NAME_NOT_RESOLVED: -105,
  INTERNET_DISCONNECTED: -106, SSL_PROTOCOL_ERROR: -107, EMPTY_RESPONSE: -324,
}
const ON_IOS = { CONNECTION_REFUSED: '未能连接到服务器。' }

/** @type {Set<(reason: string) => void>} */
const stops = new Set()

/** WeChat breaks off what is under way when the app has been in the background for five seconds. */
export const interruptTasks = () => [...stops].forEach((stop) => stop('interrupted'))

export const network = {
  request(options) {
    if (options.method || options.data || options.dataType !== 'other') complain('wx.request: the host only has GET of a text')
    return start('request', options, {
      method: 'GET',
      result: (xhr) => ({ data: xhr.responseText, statusCode: xhr.status, header: headersOf(xhr), cookies: [] }),
    })
  },

  uploadFile(options) {
    const { filePath, name, formData = {} } = options
    const form = new FormData()
    Object.entries(formData).forEach(([field, value]) => form.append(field, String(value)))
    if (exists(filePath)) form.append(name, new Blob([bytesOf(filePath)], { type: TYPES[kind(bytesOf(filePath))] }), filePath.split('/').pop())
    return start('uploadFile', options, {
      method: 'POST',
      body: form,
      wrong: exists(filePath) ? '' : 'file not found',
      result: (xhr) => ({ data: xhr.responseText, statusCode: xhr.status }),
    })
  },

  downloadFile: (options) =>
    start('downloadFile', options, {
      method: 'GET',
      binary: true,
      result: (xhr) => ({ tempFilePath: keepTemporary(new Uint8Array(xhr.response)), statusCode: xhr.status }),
    }),
}

/** Send it; the task is what WeChat hands out at once. */
function start(name, options, { method, body, wrong = '', binary = false, result }) {
  const xhr = new XMLHttpRequest()
  const task = { progress: () => {}, headers: () => {}, stopped: '' }
  const stop = (reason) => {
    task.stopped = reason
    xhr.abort()
  }
  const work = async () => {
    await Promise.resolve()
    const address = target(options.url, name)
    if (wrong || task.stopped) throw new Refused(wrong || task.stopped)
    xhr.open(method, address)
    xhr.timeout = options.timeout ?? DEFAULT_TIMEOUT_MS
    if (binary) xhr.responseType = 'arraybuffer'
    for (const [header, value] of Object.entries(options.header ?? {})) {
      // The type of an upload is WeChat's to write: it holds the boundary.
      if (!/^(referer|content-type)$/i.test(header)) xhr.setRequestHeader(header, value)
    }
    await sent(xhr, body, address, task, binary)
    return result(xhr)
  }
  stops.add(stop)
  // Unlike other functions these give no promise: a failure that nobody listens to is dropped.
  answered(name, work().finally(() => stops.delete(stop)), { fail: () => {}, ...options })
  return {
    abort: () => stop('abort'),
    onProgressUpdate: (listener) => {
      task.progress = listener
    },
    onHeadersReceived: (listener) => {
      task.headers = listener
    },
  }
}

function sent(xhr, body, address, task, isDownload) {
  return new Promise((resolve, reject) => {
    const percent = ({ loaded, total }) => (total ? Math.floor((100 * loaded) / total) : 0)
    const headers = () => task.headers({ header: headersOf(xhr), statusCode: xhr.status })
    const { headersLate } = world.network
    if (isDownload) xhr.onprogress = (event) => task.progress({ progress: percent(event), totalBytesWritten: event.loaded, totalBytesExpectedToWrite: event.total })
    else xhr.upload.onprogress = (event) => task.progress({ progress: percent(event), totalBytesSent: event.loaded, totalBytesExpectedToSend: event.total })
    xhr.onreadystatechange = () => {
      if (xhr.readyState === XMLHttpRequest.HEADERS_RECEIVED && xhr.status && !headersLate) headers()
    }
    xhr.onload = () => {
      resolve()
      if (headersLate) setTimeout(headers, LATE_MS)
    }
    xhr.ontimeout = () => reject(new Refused('timeout', 5))
    xhr.onabort = () => reject(new Refused(task.stopped))
    xhr.onerror = async () => reject(broken(await window.__whyFailed(address)))
    xhr.send(body ?? null)
  })
}

/** The address that really answers. Throws what WeChat says of one that isn't allowed. */
function target(url, name) {
  const origin = url.match(/^https?:\/\/[^/?#\s]+/)?.[0]
  if (!origin) throw new Refused(`invalid url "${url}"`, 600009)
  const { urlCheck, domains, lacks = [] } = world.network
  if (Object.hasOwn(domains, origin) && !lacks.includes(name)) return domains[origin] + url.slice(origin.length)
  if (urlCheck) throw new Refused('url not in domain list', 600002)
  return url
}

function broken(error) {
  const name = error.replace(/^net::ERR_/, '')
  if (world.platform === 'ios') return new Refused(ON_IOS[name] ?? '网络连接已中断。', 600001)
  if (!(name in NUMBERS)) complain(`${error}: the host doesn't know its number`)
  return new Refused(`errcode:${NUMBERS[name]} cronet_error_code:${NUMBERS[name]} error_msg:net::ERR_${name}`, 600001)
}

/** Servers write `Retry-After`, and phones hand it on so; Chromium lowers it. */
export function headersOf(xhr) {
  const lines = xhr.getAllResponseHeaders().trim().split('\r\n').map((line) => line.split(/:\s*(.*)/s))
  return Object.fromEntries(lines.map(([name, value]) => [name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase()), value]))
}
