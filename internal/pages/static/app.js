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

// One submit at a time: the button keeps its width and says that it works. After a while
// it may be tried again, and so may a page that the back button brings back.
document.addEventListener('submit', e => {
  const f = e.target, b = e.submitter || f.querySelector('[data-busy]'), busy = b && b.dataset.busy, label = b && b.textContent
  if (f.idle) return e.preventDefault()
  if (busy) {
    b.style.minWidth = b.offsetWidth + 'px'
    b.textContent = busy
    b.setAttribute('aria-busy', true)
  }
  f.idle = () => {
    f.idle = 0
    if (busy) {
      b.textContent = label
      b.removeAttribute('aria-busy')
    }
  }
  setTimeout(() => f.idle && f.idle(), 9e3)
})
addEventListener('pageshow', e => e.persisted && all('form', f => f.idle && f.idle()))

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

// The waiting screen: told by a stream, or by asking where that fails, only while somebody
// looks. Whoever sends a form waits for that instead.
all('[data-await]', f => {
  const note = f.querySelector('[role=status]'), b = f.querySelector('button')
  let stream, timer, pause = 2e3, over
  const stop = () => { stream && stream.close(); clearTimeout(timer) }
  const told = s => {
    if (over || s == 'pending') return
    over = 1
    stop()
    if (s == 'approved') return f.requestSubmit()
    // What was completed beside this page sets its cookies first.
    timer = setTimeout(() => location.replace(f.dataset.next), s == 'complete' ? 1500 : 0)
  }
  const ask = () => {
    timer = setTimeout(async () => {
      const r = await fetch(f.dataset.await).catch(() => 0)
      if (r.ok) told((await r.json()).status)
      else if (r.status == 401) told('expired')
      if (!over && !document.hidden) ask()
    }, pause)
    pause = Math.min(pause + 1e3, 5e3)
  }
  const start = () => {
    stop()
    if (over || document.hidden) return
    stream = new EventSource(f.dataset.await)
    stream.addEventListener('status', e => told(JSON.parse(e.data).status))
    stream.onerror = () => stream.readyState == 2 && ask()
  }
  document.addEventListener('submit', () => { over = 1; stop() })
  document.addEventListener('visibilitychange', start)
  note.hidden = false
  b.hidden = true
  start()
})

// The token of a link leaves the address as soon as its page is here: the forms hold it.
// A reload gets it back from the entry of the history, until the link is over.
const here = new URL(location), query = here.searchParams, token = query.get('token'), over = document.querySelector('[data-over]')
const kept = history.state && history.state.token
if (token) {
  query.delete('token')
  history.replaceState(over ? null : { token }, '', here)
} else if (over && kept) {
  query.set('token', kept)
  location.replace(here)
}

// A link that this very browser asked for needs no click.
all('[data-go]', f => f.requestSubmit())
})()
