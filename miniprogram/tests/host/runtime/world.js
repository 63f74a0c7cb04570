/**
 * The phone and the person who holds it, as a test sets them: permissions, camera, album, network.
 * And what the mini-program did: calls, pictures saved, complaints.
 */

export const world = {
  language: 'zh_CN',
  envVersion: 'release',
  platform: 'android',
  fontScale: 1,
  statusBarHeight: 24,
  /** Too short of memory to compress a photo. */
  memoryIsShort: false,
  /** true: allowed; false: refused for good; absent: not asked yet. */
  permissions: { 'scope.camera': true, 'scope.writePhotosAlbum': true },
  /** What the phone lets WeChat itself use: authorized or denied. */
  phone: { camera: 'authorized', album: 'authorized' },
  /** `needed`: not agreed to yet; `undeclared`: the console's privacy guide doesn't speak of it. */
  privacy: { needed: false, undeclared: false, read: false },
  /** `state`: ready, absent or busy; `fails`: takePhoto does. `back` and `front`: names of pictures. */
  camera: { state: 'ready', fails: false, back: 'photo.jpg', front: 'photo.jpg', flashed: '' },
  /** Pictures that chooseMedia gives; empty: the person goes back without choosing. */
  album: ['photo.jpg'],
  /** No room for another picture in it. */
  albumIsFull: false,
  /**
   * `domains`: https origin in the console's lists, to the origin that really answers; `lacks`: whose
   * lists it is not in, such as uploadFile. `headersLate`: an upload's headers come after its answer.
   */
  network: { urlCheck: true, domains: {}, lacks: [], headersLate: false },
  /** What wx.cloud.callContainer leads to. */
  cloud: { address: '' },
  ...window.__given.world,

  storage: new Map(),
  saved: [],
  clipboard: '',
  calls: [],
  /** How many calls of `wx` have no outcome yet. */
  underWay: 0,
  problems: [],
}

/** Note what a test must not pass with. */
export function complain(message) {
  world.problems.push(String(message))
}

/** A picture that the test gave, by name. @returns {Promise<Uint8Array>} */
export async function picture(name) {
  const response = await fetch(`pictures/${name}`)
  if (!response.ok) throw new Error(`the test gave no picture ${name}`)
  return new Uint8Array(await response.arrayBuffer())
}
