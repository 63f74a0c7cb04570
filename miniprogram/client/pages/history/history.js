const past = require('../../services/history.js')
const display = require('../../services/screen.js')
const shiwu = require('../../services/shiwu.js')
const { describe } = require('../../services/wording.js')
const { fill } = require('../../i18n/index.js')
const config = require('../../config.js')

/** @typedef {{ id: string, picture: string, title: string, more: string, when: string, removeLabel: string }} Item */

/** The last photos and what was said about them; on this phone only. */
Page({
  data: {
    ...display.blank(),
    items: /** @type {Item[]} */ ([]),
    kept: '',
  },

  onShow() {
    const now = display.current()
    wx.setNavigationBarTitle({ title: now.t.history.title })
    this.setData({ ...now, kept: fill(now.t.history.kept, { count: config.historySize }) })
    this.draw()
  },

  draw() {
    const { lang, t } = this.data
    const items = past.list().map(({ id, at, picture, answer }) => {
      const { title, rows } = describe(answer, lang, shiwu.namesKept(answer.model))
      const more = rows.slice(0, 3).map((row) => `${row.name} ${row.percent}`).join(' · ')
      return { id, picture, title, more, when: when(at), removeLabel: fill(t.history.removeLabel, { name: title }) }
    })
    this.setData({ items })
  },

  /** @param {WechatMiniprogram.TouchEvent} event */
  onRemove(event) {
    past.remove(event.currentTarget.dataset.id)
    this.draw()
  },

  onClear() {
    const t = this.data.t.history
    wx.showModal({
      content: t.clearAsk,
      confirmText: t.yes,
      cancelText: t.no,
      success: ({ confirm }) => {
        if (!confirm) return
        past.clear()
        this.draw()
      },
    })
  },
})

/** Day and time, as 11-21 15:04. @param {number} at milliseconds */
function when(at) {
  const date = new Date(at)
  const two = (/** @type {number} */ number) => String(number).padStart(2, '0')
  return `${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`
}
