/** What went wrong, and buttons that help. `act`: {action}; openSetting is done by WeChat itself. */
Component({
  properties: {
    text: { type: String, value: '' },
    buttons: { type: Array, value: /** @type {{ action: string, label: string }[]} */ ([]) },
  },
  methods: {
    /** @param {WechatMiniprogram.TouchEvent} event */
    onTap(event) {
      this.triggerEvent('act', { action: event.currentTarget.dataset.action })
    },
    onSetting() {
      this.triggerEvent('act', { action: 'openSetting' })
    },
  },
})
