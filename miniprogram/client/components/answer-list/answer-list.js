/** Names with bars, the most probable first. `pick`: a tap on a row; `copy`: a long press. */
Component({
  properties: {
    rows: { type: Array, value: /** @type {import('../../services/wording.js').Row[]} */ ([]) },
    label: { type: String, value: '' },
  },
  methods: {
    /** @param {WechatMiniprogram.TouchEvent} event */
    onTap(event) {
      this.triggerEvent('pick', { id: event.currentTarget.dataset.id })
    },
    /** @param {WechatMiniprogram.TouchEvent} event */
    onLongPress(event) {
      this.triggerEvent('copy', { name: event.currentTarget.dataset.name })
    },
  },
})
