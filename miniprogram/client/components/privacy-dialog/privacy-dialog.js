const language = require('../../services/language.js')
const privacy = require('../../services/privacy.js')
const { texts } = require('../../i18n/index.js')

const BUTTON = 'agree-privacy'

/** Asks for agreement to the privacy guide when WeChat wants it, on whichever page is open. */
Component({
  data: { open: false, button: BUTTON, t: texts('zh').privacy },
  lifetimes: {
    attached() {
      this.listen()
    },
  },
  pageLifetimes: {
    show() {
      this.listen()
    },
  },
  methods: {
    listen() {
      privacy.drawnBy((open) => this.setData({ open, t: texts(language.current()).privacy }))
    },
    onAgree() {
      privacy.answer(BUTTON)
    },
    onRefuse() {
      privacy.answer()
    },
    onMore() {
      wx.openPrivacyContract({})
    },
  },
})
