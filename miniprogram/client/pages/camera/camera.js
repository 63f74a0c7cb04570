const drawing = require('../../services/drawing.js')
const { Failure } = require('../../services/failure.js')
const past = require('../../services/history.js')
const language = require('../../services/language.js')
const { openPhoneSettings, permission } = require('../../services/permission.js')
const photos = require('../../services/photos.js')
const display = require('../../services/screen.js')
const shiwu = require('../../services/shiwu.js')
const { describe, excuse, namesOf } = require('../../services/wording.js')
const { fill } = require('../../i18n/index.js')

/** @typedef {import('../../services/reply.js').Answer} Answer */
/** @typedef {import('../../services/reply.js').Names} Names */
/** @typedef {import('../../services/wording.js').Row} Row */
/** @typedef {'auto' | 'on' | 'off'} Flash */

/** @typedef {import('../../services/failure.js').Action} Action */

const NOTHING_WRONG = { code: '', text: '', buttons: /** @type {{ action: Action, label: string }[]} */ ([]) }
/** @type {Flash[]} */
const FLASHES = ['auto', 'on', 'off']

/**
 * The one page that most people see: camera, then photo and answer, then camera again. `state` is
 * what it shows: the `live` camera, a `busy` photo, an `answered` or a `failed` one. What went wrong
 * is shown below a failed photo, or above an answer that stands nevertheless.
 */
Page({
  data: {
    ...display.blank(),
    state: /** @type {'live' | 'busy' | 'answered' | 'failed'} */ ('live'),
    camera: { shown: true, position: 'back', flash: /** @type {Flash} */ ('auto'), flashText: '' },
    photo: '',
    status: '',
    percent: 0,
    title: '',
    more: '',
    sure: true,
    rows: /** @type {Row[]} */ ([]),
    saving: false,
    failure: NOTHING_WRONG,
  },

  // Not drawn, so not in `data`.
  answer: /** @type {Answer | null} */ (null),
  names: /** @type {Names} */ ({}),
  wrong: /** @type {Failure | null} */ (null),
  cancel: () => {},
  again: /** @type {() => void} */ (() => {}),
  onScreen: true,
  leaving: false, // to another page
  cameraLost: false, // in the background
  taking: false,
  resumed: false, // after an interruption; once a photo

  onShow() {
    this.onScreen = true
    this.leaving = false
    this.speak()
    const code = this.wrong ? this.wrong.code : ''
    if (code === 'interrupted') this.resume()
    else if (code === 'cameraRefused' || code === 'cameraOff') this.reopenIfAllowed()
    else if (code === 'albumOff') this.saveIfAllowed()
    else if (code === 'cameraAbsent') this.openCamera() // taken away in the background, before onHide
    else if (this.cameraLost) this.remountCamera()
  },

  onHide() {
    this.onScreen = false
  },

  onUnload() {
    this.cancel()
  },

  /** Put everything on the screen into the language of now. */
  speak() {
    const now = display.current()
    const { flash } = this.data.camera
    this.setData({ ...now, 'camera.flashText': now.t.camera.flash[flash] })
    wx.setNavigationBarTitle({ title: now.t.app })
    if (this.answer) this.setData(describe(this.answer, now.lang, this.names))
    if (this.wrong) this.setData({ failure: excuse(this.wrong, now.lang) })
  },

  onLanguage() {
    language.prefer(this.data.lang === 'zh' ? 'en' : 'zh')
    this.speak()
    if (this.answer && Object.keys(this.names).length === 0) this.learnNames(this.answer)
  },

  onHistory() {
    this.goTo('/pages/history/history')
  },

  onSettings() {
    this.goTo('/pages/settings/settings')
  },

  /** Once, however often it is tapped. @param {string} url */
  goTo(url) {
    if (this.leaving) return
    this.leaving = true
    wx.navigateTo({
      url,
      fail: () => {
        this.leaving = false
      },
    })
  },

  // The camera.

  /**
   * Refused, absent or busy: WeChat says so in one event.
   * @param {WechatMiniprogram.CustomEvent<{ errMsg?: string }>} event
   */
  async onCameraError(event) {
    const failure = photos.privacyFailure(event.detail.errMsg || '')
    if (failure) {
      this.again = () => this.openCamera()
      this.closeCamera(failure)
      return
    }
    const allowed = await permission('camera')
    this.closeCamera(new Failure({ refused: 'cameraRefused', off: 'cameraOff', yes: 'cameraAbsent' }[allowed]))
  },

  /** The camera stopped by itself; in the background it does. */
  onCameraStop() {
    if (this.onScreen) this.closeCamera(new Failure('cameraAbsent'))
    else this.cameraLost = true
  },

  /** A camera that was stopped comes back by itself on iPhones only. */
  remountCamera() {
    this.cameraLost = false
    if (this.data.state !== 'live') return
    this.setData({ 'camera.shown': false }, () => this.setData({ 'camera.shown': true }))
  },

  /** @param {Failure} failure */
  closeCamera(failure) {
    if (this.data.state !== 'live') return
    this.setData({ 'camera.shown': false })
    this.fail(failure)
  },

  openCamera() {
    this.resumed = false
    this.cameraLost = false
    this.answer = null
    this.forgive()
    this.setData({ state: 'live', photo: '', 'camera.shown': true })
  },

  async reopenIfAllowed() {
    if ((await permission('camera')) === 'yes' && this.data.state === 'failed') this.openCamera()
  },

  onFlip() {
    this.setData({ 'camera.position': this.data.camera.position === 'back' ? 'front' : 'back' })
  },

  onFlash() {
    const { flash } = this.data.camera
    const next = FLASHES[(FLASHES.indexOf(flash) + 1) % FLASHES.length]
    this.setData({ 'camera.flash': next, 'camera.flashText': this.data.t.camera.flash[next] })
  },

  // A photo, from taking it to its answer.

  async onShutter() {
    if (this.data.state !== 'live') return
    await this.attempt(async () => {
      const taken = await this.alone(() => photos.take())
      if (taken) await this.recognise(taken)
    }, () => this.openCamera())
  },

  async onAlbum() {
    if (this.data.state === 'busy') return
    await this.attempt(async () => {
      const chosen = await this.alone(() => photos.choose())
      if (chosen) await this.recognise(chosen)
    }, () => this.onAlbum())
  },

  /**
   * Get one photo at a time; '' while another is on its way.
   * @param {() => Promise<string>} get
   */
  async alone(get) {
    if (this.taking) return ''
    this.taking = true
    try {
      return await get()
    } finally {
      this.taking = false
    }
  },

  /** @param {string} taken */
  async recognise(taken) {
    this.answer = null
    this.forgive()
    /** @type {Promise<never>} */
    const cancelled = new Promise((_, reject) => {
      this.cancel = () => reject(new Failure('cancelled'))
    })
    this.setData({ state: 'busy', photo: taken, status: this.data.t.answer.preparing, percent: 0 })
    const photo = await Promise.race([photos.reduce(taken), cancelled])
    this.setData({ photo })
    await this.ask(photo)
  },

  /** @param {string} photo */
  async ask(photo) {
    this.again = () => this.attempt(() => this.ask(photo))
    this.forgive()
    this.setData({ state: 'busy', percent: 0, status: fill(this.data.t.answer.sending, { percent: 0 }) })
    const asking = shiwu.predict(photo, this.data.lang, this.watch())
    this.cancel = asking.cancel
    const answer = await asking.answer
    this.show(answer)
    await Promise.all([past.add(photo, answer), this.learnNames(answer)])
  },

  /** @param {Answer} answer */
  show(answer) {
    this.forgive()
    this.answer = answer
    this.resumed = false
    this.cancel = () => {}
    this.setData({ state: 'answered', ...describe(answer, this.data.lang, this.names) })
    wx.vibrateShort({ type: 'light', fail: () => {} })
  },

  /**
   * Both languages' names, for the switch and for a tap. An answer stands without them.
   * @param {Answer} answer
   */
  async learnNames({ model, predictions, answer }) {
    try {
      this.names = await shiwu.names(model, [...predictions.map(({ id }) => id), answer.id])
      if (this.answer) this.setData(describe(this.answer, this.data.lang, this.names))
    } catch (error) {
      console.warn('names in both languages are not known:', error)
    }
  },

  /** @param {() => string} [sent] what is going on when the photo is there */
  watch(sent = () => this.data.t.answer.waiting) {
    const words = () => this.data.t.answer // in the language of then
    return {
      onProgress: (/** @type {number} */ percent) =>
        this.setData({ percent, status: percent < 100 ? fill(words().sending, { percent }) : sent() }),
      onRetry: (/** @type {number} */ seconds) =>
        this.setData({ percent: 0, status: fill(words().retrying, { seconds }) }),
    }
  },

  onCancel() {
    this.cancel()
  },

  // What can go wrong.

  /**
   * Do something, and show what went wrong if it did.
   * @param {() => Promise<void>} work
   * @param {() => void} [again] what "try again" means; default: as set before
   */
  async attempt(work, again) {
    if (again) this.again = again
    try {
      await work()
    } catch (error) {
      if (!(error instanceof Failure)) console.error(error)
      const failure = error instanceof Failure ? error : new Failure('unexpected')
      if (failure.code !== 'cancelled') this.fail(failure)
      else if (!this.answer) this.openCamera()
      // Cut off in the background, but only told now that the page is back.
      if (failure.code === 'interrupted' && this.onScreen) this.resume()
    }
  },

  resume() {
    if (this.resumed) return
    this.resumed = true
    this.again()
  },

  /** @param {Failure} failure */
  fail(failure) {
    this.wrong = failure
    this.cancel = () => {}
    this.setData({ state: this.answer ? 'answered' : 'failed', failure: excuse(failure, this.data.lang) })
  },

  forgive() {
    this.wrong = null
    this.setData({ failure: NOTHING_WRONG })
  },

  /** @param {WechatMiniprogram.CustomEvent<{ action: Action }>} event */
  onAct(event) {
    const { action } = event.detail
    const code = this.wrong ? this.wrong.code : ''
    if (action === 'album') this.onAlbum()
    else if (action === 'server') this.onSettings()
    else if (action === 'live') this.openCamera()
    else if (action === 'phoneSettings') openPhoneSettings()
    else if (code === 'cameraRefused') this.reopenIfAllowed() // back from WeChat's settings
    else if (code === 'albumRefused') this.saveIfAllowed()
    else this.again()
  },

  // With the answer.

  /** @param {WechatMiniprogram.CustomEvent<{ id: string }>} event */
  async onPick(event) {
    const { answer } = this
    const row = this.data.rows.find((one) => one.id === event.detail.id)
    if (!row || !answer) return
    if (!namesOf(row.id, this.names)) await this.learnNames(answer) // a quick finger
    if (this.answer !== answer) return // and on to the next photo
    const t = this.data.t.answer
    const both = namesOf(row.id, this.names) || { zh: row.name, en: row.name }
    const content = fill(t.detail, { zh: both.zh, en: both.en.replace(/_/g, ' '), id: row.id })
    wx.showModal({
      title: t.detailTitle,
      content,
      confirmText: t.copy,
      cancelText: t.close,
      success: ({ confirm }) => {
        if (confirm) this.copy(content)
      },
    })
  },

  /** @param {WechatMiniprogram.CustomEvent<{ name: string }>} event */
  onCopy(event) {
    this.copy(event.detail.name)
  },

  /** @param {string} data */
  copy(data) {
    wx.setClipboardData({ data, success: () => wx.showToast({ title: this.data.t.answer.copied }) })
  },

  onSave() {
    if (this.data.saving) return
    this.again = () => this.onSave()
    this.forgive()
    this.setData({ saving: true, percent: 0, status: this.data.t.answer.preparing })
    return this.attempt(async () => {
      try {
        await this.save()
      } finally {
        this.cancel = () => {}
        this.setData({ saving: false })
      }
      wx.showToast({ title: this.data.t.answer.saved, icon: 'success' })
    })
  },

  async save() {
    const { photo, lang } = this.data
    const words = () => this.data.t.answer // in the language of then
    const fetching = drawing.fetchDrawn(photo, lang, {
      ...this.watch(() => words().drawing),
      onFetch: (percent) => this.setData({ percent, status: fill(words().fetching, { percent }) }),
    })
    this.cancel = fetching.cancel
    const file = await fetching.file
    this.cancel = () => {}
    this.setData({ percent: 100, status: words().saving })
    try {
      await photos.saveToAlbum(file)
    } catch (error) {
      if (error instanceof Failure && error.code === 'saveFailed') drawing.forget()
      throw error
    }
  },

  async saveIfAllowed() {
    if ((await permission('album')) === 'yes') this.onSave()
  },

  onAgain() {
    this.openCamera()
  },

  onShareAppMessage() {
    return { title: this.data.t.app, path: '/pages/camera/camera' }
  },
})
