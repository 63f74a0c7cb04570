const { check } = require('../../services/check.js')
const language = require('../../services/language.js')
const display = require('../../services/screen.js')
const server = require('../../services/server.js')
const { excuse } = require('../../services/wording.js')
const { texts, fill } = require('../../i18n/index.js')
const config = require('../../config.js')

/** @typedef {import('../../services/language.js').Preference} Preference */

/** @type {Preference[]} */
const PREFERENCES = ['phone', 'zh', 'en']

/** Language, and which server is asked; the address can be changed in the development version. */
Page({
  data: {
    ...display.blank(),
    languages: /** @type {{ value: Preference, name: string, checked: boolean }[]} */ ([]),
    cloud: '',
    editable: false,
    serverTitle: '',
    version: '',
    address: '',
    checking: false,
    verdict: { text: '', ok: false },
  },

  onShow() {
    this.setData({ editable: server.isEditable(), address: server.address() })
    this.speak()
  },

  speak() {
    const now = display.current()
    const t = now.t.settings
    const names = { phone: t.followPhone, zh: texts('zh').name, en: texts('en').name }
    const chosen = language.preference()
    const env = server.environment()
    wx.setNavigationBarTitle({ title: t.title })
    this.setData({
      ...now,
      languages: PREFERENCES.map((value) => ({ value, name: names[value], checked: value === chosen })),
      cloud: config.cloud ? fill(t.cloud, config.cloud) : '',
      serverTitle: t.serverFor[env],
      version: fill(t.version, { env: t.env[env] }),
      verdict: { text: '', ok: false },
    })
  },

  /** @param {WechatMiniprogram.RadioGroupChange} event */
  onLanguage(event) {
    language.prefer(/** @type {Preference} */ (event.detail.value))
    this.speak()
  },

  /** @param {WechatMiniprogram.Input} event */
  onAddress(event) {
    this.setData({ address: event.detail.value.trim(), verdict: { text: '', ok: false } })
  },

  onDefault() {
    server.setAddress('')
    this.setData({ address: server.address(), verdict: { text: '', ok: false } })
  },

  /** Ask the address whether it is Shiwu, and keep it if it is. */
  async onCheck() {
    const { address, lang } = this.data
    const t = this.data.t.settings
    if (this.data.checking) return
    this.setData({ checking: true, verdict: { text: t.checking, ok: true } })
    try {
      const found = await check(config.cloud ? '' : address)
      if (this.data.address !== address) return // typed on meanwhile
      if (found.ok && !config.cloud && server.isEditable()) server.setAddress(address)
      this.setData({ verdict: { text: words(found, lang), ok: found.ok } })
    } finally {
      this.setData({ checking: false })
    }
  },
})

/**
 * @param {import('../../services/check.js').Good | import('../../services/check.js').Bad} found
 * @param {import('../../i18n/index.js').Language} lang
 */
function words(found, lang) {
  const t = texts(lang).settings
  if (found.ok) return fill(t.ok, { model: found.model })
  if (found.failure) return excuse(found.failure, lang).text
  return fill(t.wrong[found.wrong || 'notOurs'], { detail: found.detail || '' })
}
