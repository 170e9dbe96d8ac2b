// The development inbox: what comes in is shown at once, and a code is one click away.
(() => {
const dress = () => document.querySelectorAll('[data-copy]').forEach(b => {
  b.hidden = !navigator.clipboard
  b.onclick = async () => {
    const label = b.textContent
    try {
      await navigator.clipboard.writeText(b.dataset.copy)
    } catch {
      return getSelection().selectAllChildren(b.previousElementSibling)
    }
    b.textContent = b.dataset.done
    setTimeout(() => b.textContent = label, 2e3)
  }
})

// The rest of the page stays as it is; letters that stand open stay open.
const renew = async () => {
  const r = await fetch(location.href)
  if (!r.ok) return
  const next = new DOMParser().parseFromString(await r.text(), 'text/html')
  const known = {}
  document.querySelectorAll('article').forEach(a => known[a.id] = a)
  next.querySelectorAll('article').forEach(a => {
    const old = known[a.id]
    if (old) {
      old.querySelector('.field-top .meta').textContent = a.querySelector('.field-top .meta').textContent
      a.replaceWith(old)
    }
  })
  for (const s of ['main', '.bar']) {
    const now = document.querySelector(s)
    next.querySelectorAll(s + ' script').forEach(x => x.remove())
    now.replaceWith(next.querySelector(s))
  }
  dress()
}

let busy
const look = async () => {
  if (busy || document.hidden) return
  busy = 1
  try {
    const r = await fetch('/dev/messages?limit=1')
    const newest = r.ok && (await r.json())[0]
    if (r.ok && document.querySelector('[data-inbox]').dataset.inbox != (newest ? newest.id : '')) await renew()
  } catch {
    // the server is away; it is asked again
  }
  busy = 0
}
setInterval(look, 2e3)
document.addEventListener('visibilitychange', look)
dress()
})()
