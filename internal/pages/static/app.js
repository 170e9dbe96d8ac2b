// Everything here is a comfort; every page works without it.
(() => {
const all = (s, f) => document.querySelectorAll(s).forEach(f)

// A button that shows what is typed into a password field.
all('[data-reveal]', b => {
  const i = b.previousElementSibling
  const show = on => { i.type = on ? 'text' : 'password'; b.setAttribute('aria-pressed', on) }
  b.hidden = false
  b.onclick = () => show(i.type == 'password')
  // Sent as a password, so that managers offer to keep it and nothing else does.
  i.form.addEventListener('submit', () => show(false))
})

// One submit per page: the button keeps its width and says that it works.
document.addEventListener('submit', e => {
  const f = e.target, b = e.submitter || f.querySelector('[data-busy]')
  if (f.sent) return e.preventDefault()
  f.sent = true
  if (!b || !b.dataset.busy) return
  b.style.minWidth = b.offsetWidth + 'px'
  f.idle = () => { b.textContent = f.label; b.removeAttribute('aria-busy'); f.sent = false }
  f.label = b.textContent
  b.textContent = b.dataset.busy
  b.setAttribute('aria-busy', true)
})
// The back button may bring back a page that was left while it worked.
addEventListener('pageshow', e => e.persisted && all('form', f => f.idle ? f.idle() : f.sent = false))

// The code: digits only, whatever is pasted; sent once when it is full.
all('[data-code]', c => {
  const slots = c.closest('.otp').querySelectorAll('i'), n = slots.length
  c.closest('.otp').dataset.live = ''
  let sent = ''
  const draw = () => {
    const at = Math.min(c.selectionStart ?? c.value.length, n - 1)
    slots.forEach((s, k) => s.classList.toggle('on', k == at))
  }
  c.addEventListener('input', () => {
    const v = c.value.replace(/\D/g, '').slice(0, n)
    if (v != c.value) {
      const at = Math.min(c.selectionStart, v.length)
      c.value = v
      c.setSelectionRange(at, at)
    }
    draw()
    if (v.length == n && v != sent) {
      sent = v
      c.form.requestSubmit()
    }
  })
  document.addEventListener('selectionchange', draw)
  draw()
})

// The wait for a new code, second by second.
all('[data-left]', t => {
  const p = t.closest('[data-wait]'), b = p.parentNode.querySelector('button'), end = Date.now() + t.dataset.left * 1e3
  b.disabled = true
  const tick = () => {
    const s = Math.max(0, Math.ceil((end - Date.now()) / 1e3))
    t.textContent = (s / 60 | 0) + ':' + ('' + s % 60).padStart(2, 0)
    if (s) return setTimeout(tick, 250)
    p.hidden = true
    p.nextElementSibling.hidden = b.disabled = false
  }
  tick()
})
})()
