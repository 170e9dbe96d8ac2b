// Codes and links from the development inbox of limen. index.d.ts says what each promises.

export const defaultURL = 'http://localhost:4455'

const pause = 50

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

export class Inbox {
  #url
  #timeout
  #old = new Set()
  #given = { code: new Set(), link: new Set() }

  constructor({ url = defaultURL, timeout = 15_000 } = {}) {
    this.#url = String(url).replace(/\/+$/, '')
    this.#timeout = timeout
  }

  async mark() {
    const all = await this.messages()
    this.#old = new Set(all.map(m => m.id))
    this.#given = { code: new Set(), link: new Set() }
  }

  waitForCode(to, options) {
    return this.#wait(to, 'code', m => m.code, options)
  }

  waitForLink(to, options) {
    return this.#wait(to, 'link', m => m.links[0], options)
  }

  messages(to = '') {
    return this.#call('GET', '/dev/messages' + (to && '?to=' + encodeURIComponent(to)))
  }

  async clear() {
    await this.#call('DELETE', '/dev/messages')
  }

  async advanceClock(by) {
    await this.#call('POST', '/dev/clock', { advance: typeof by === 'number' ? `${by}s` : by })
  }

  async resetClock() {
    await this.#call('DELETE', '/dev/clock')
  }

  async #wait(to, what, read, { timeout = this.#timeout } = {}) {
    const end = Date.now() + timeout
    for (;;) {
      // Newest first: what came before the newest one is superseded.
      const fresh = (await this.messages(to)).filter(m => !this.#old.has(m.id) && read(m))
      const given = this.#given[what]
      if (fresh.length > 0 && !given.has(fresh[0].id)) {
        for (const m of fresh) given.add(m.id)
        return read(fresh[0])
      }
      if (Date.now() >= end) throw new Error(`no letter with a ${what} came to ${to} within ${timeout} ms`)
      await sleep(pause)
    }
  }

  async #call(method, path, body) {
    let answer
    try {
      answer = await fetch(this.#url + path, {
        method,
        headers: body && { 'Content-Type': 'application/json' },
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(10_000),
      })
    } catch (cause) {
      throw new Error(`${this.#url} does not answer: is limen dev running?`, { cause })
    }
    if (answer.status === 404) throw new Error(`${this.#url} has no inbox: only limen dev has one`)
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text.slice(0, 500)}`)
    return text ? JSON.parse(text) : undefined
  }
}

export async function openInbox(options) {
  const inbox = new Inbox(options)
  await inbox.mark()
  return inbox
}

export async function waitForCode(to, options) {
  return (await openInbox(options)).waitForCode(to)
}

export async function waitForLink(to, options) {
  return (await openInbox(options)).waitForLink(to)
}
