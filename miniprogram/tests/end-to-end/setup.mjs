/** What the end-to-end tests share: the real service, photos, and a phone that can reach it. */

import { after } from 'node:test'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { browser, closeBrowser } from '../host/browser.mjs'
import { openPhone, PATIENCE_MS } from '../host/phone.mjs'
import { answer, byPath, startFaulty } from '../host/servers/faulty.mjs'
import { startShared } from './service.mjs'

export { answer, byPath, garbage, hang, refused, reset } from '../host/servers/faulty.mjs'
export { CLIENT } from '../host/phone.mjs'

export const DOMAIN = 'https://shiwu.example.com'
const SHARED = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../../shared')

/** Why a test that needs the folder of real photos is left out; empty where it is there. */
export const withoutShared = fs.existsSync(SHARED) ? false : 'needs the folder of real photos, ../shared'
export const sharedFile = (name) => fs.readFileSync(path.join(SHARED, name))
export const sharedPath = (name) => path.join(SHARED, name)

let service = null

/** The real service, started once; stopped when all tests of the file are done. @returns {Promise<string>} its address */
export async function realService() {
  if (process.env.SHIWU_ADDRESS) return process.env.SHIWU_ADDRESS // run.mjs has started one
  service ??= startShared()
  return (await service).address
}

after(async () => {
  await closeBrowser()
  await (await service?.catch(() => null))?.stop()
})

/**
 * A phone whose domain list leads to a server.
 * @param {import('node:test').TestContext} t
 * @param {string} address
 * @param {import('../host/phone.mjs').Options & { photo?: Buffer }} [options]
 */
export async function phoneFor(t, address, { photo, world = {}, pictures, ...options } = {}) {
  const network = { urlCheck: true, domains: { [DOMAIN]: address }, ...world.network }
  return openPhone(t, {
    ...options,
    pictures: { 'photo.jpg': photo ?? (await somePhoto()), ...pictures },
    world: { ...world, network, cloud: { address } },
  })
}

/** A server that fails on purpose, and a phone that asks it. */
export async function phoneAndFaulty(t, behaviours, options = {}) {
  const server = await startFaulty(...behaviours)
  t.after(server.stop)
  const phone = await phoneFor(t, server.address, options)
  return { phone, server }
}

/** Wait for what only a server knows. @param {() => unknown} condition */
export async function until(condition) {
  const end = Date.now() + PATIENCE_MS
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited in vain for ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

let drawn = null

/** A photo-like picture: JPEG, 1600 × 1200. */
export function somePhoto() {
  drawn ??= drawPicture({ width: 1600, height: 1200 })
  return drawn
}

/** A picture drawn by Chromium: shapes on a sky. @returns {Promise<Buffer>} */
export async function drawPicture({ width, height, type = 'image/jpeg', noise = 0 }) {
  const page = await (await browser()).newPage()
  try {
    const bytes = await page.evaluate(paint, { width, height, type, noise })
    return Buffer.from(bytes, 'base64')
  } finally {
    await page.close()
  }
}

/** Runs in Chromium. `noise`: share of the picture that compresses badly, for an upload that takes its time. */
async function paint({ width, height, type, noise }) {
  const canvas = Object.assign(document.createElement('canvas'), { width, height })
  const context = canvas.getContext('2d')
  const sky = context.createLinearGradient(0, 0, 0, height)
  sky.addColorStop(0, '#5b9bd5')
  sky.addColorStop(0.6, '#dfeaf2')
  sky.addColorStop(0.61, '#6d8b3c')
  sky.addColorStop(1, '#3f5a22')
  context.fillStyle = sky
  context.fillRect(0, 0, width, height)
  context.fillStyle = '#f5a623'
  context.beginPath()
  context.arc(width * 0.5, height * 0.55, height * 0.25, 0, 7)
  context.fill()
  context.fillStyle = '#7a4a12'
  context.fillRect(width * 0.49, height * 0.22, width * 0.02, height * 0.1)
  if (noise) {
    let seed = 1
    const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647
    const rows = Math.round(height * noise)
    const pixels = context.getImageData(0, 0, width, rows)
    for (let at = 0; at < pixels.data.length; at += 1) pixels.data[at] = at % 4 === 3 ? 255 : 255 * random()
    context.putImageData(pixels, 0, 0)
  }
  return canvas.toDataURL(type, 0.9).split(',')[1]
}

/** The same JPEG, with a note that its right side is up: how phones keep a photo taken upright. */
export function lyingOnItsSide(jpeg) {
  const tiff = Buffer.from('49492a0008000000' + '0100' + '120103000100000006000000' + '00000000', 'hex')
  const exif = Buffer.concat([Buffer.from('Exif\0\0'), tiff])
  const head = Buffer.from([0xff, 0xe1, 0, exif.length + 2])
  return Buffer.concat([jpeg.subarray(0, 2), head, exif, jpeg.subarray(2)])
}

/** What the service says of the bytes that the phone sent, asked again without the phone. */
export async function askedDirectly(address, bytes, lang) {
  const form = new FormData()
  form.append('image', new Blob([bytes]))
  form.append('lang', lang)
  const reply = await fetch(`${address}/predict`, { method: 'POST', body: form })
  return reply.json()
}

/** The bytes that the phone's last upload sent. */
export async function uploaded(phone) {
  const [last] = (await phone.calls('uploadFile')).slice(-1)
  return phone.fileBytes(last.filePath)
}

/** Width and height of a JPEG. @param {Buffer} bytes */
export function jpegSize(bytes) {
  for (let at = 2; at < bytes.length; at += 2 + bytes.readUInt16BE(at + 2)) {
    const marker = bytes[at + 1]
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) }
    }
  }
  throw new Error('no JPEG')
}

const ANSWER = {
  success: true,
  model: 'Test',
  predictions: [
    { label: '橙子', probability: 0.91, id: 'n07747607' },
    { label: '柠檬', probability: 0.05, id: 'n07749582' },
  ],
  answer: { level: 'class', id: 'n07747607', label: '橙子', probability: 0.91 },
  certain: true,
  hints: [],
}
const LABELS = {
  success: true,
  model: 'Test',
  lang: 'en',
  labels: [
    { id: 'n07747607', label: 'orange', names: { en: 'orange', zh: '橙子' }, groups: ['fruit'] },
    { id: 'n07749582', label: 'lemon', names: { en: 'lemon', zh: '柠檬' }, groups: ['fruit'] },
  ],
  groups: [{ id: 'fruit', label: 'fruit', names: { en: 'fruit', zh: '水果' }, parent: null }],
}
/** A server that is well, for tests that are not about its answers: there is an orange on every photo. */
export const predicted = answer(200, ANSWER)
export const labels = answer(200, LABELS)
export const well = byPath({ '/predict': predicted, '/labels': labels })
