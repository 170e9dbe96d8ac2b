// Run against a limen in development whose URL is in LIMEN_URL.
import assert from 'node:assert/strict'
import test from 'node:test'

import { Inbox, openInbox, waitForCode, waitForLink } from './index.js'

const url = process.env.LIMEN_URL

const post = async (path, body) => {
  const answer = await fetch(url + path, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  })
  return answer.json()
}
const signUp = email => post('/v1/sign-up', { email, password: 'nine lovely otters' })

test('a person signs up with the code from the inbox', async () => {
  const inbox = await openInbox({ url })
  const { attempt } = await signUp('ada.js@example.com')
  const code = await inbox.waitForCode('ada.js@example.com')
  assert.match(code, /^\d{6}$/)
  const { status } = await post('/v1/sign-in/code', { attempt, code })
  assert.equal(status, 'complete')
})

test('a letter is given out once, and its link apart from its code', async () => {
  const inbox = await openInbox({ url: url + '/' })
  await post('/v1/sign-in/email', { email: 'ada.js@example.com' })
  const link = await inbox.waitForLink('ADA.js@example.com')
  assert.ok(link.startsWith(url + '/'), link)
  assert.match(await inbox.waitForCode('ada.js@example.com'), /^\d{6}$/)
  await assert.rejects(inbox.waitForCode('ada.js@example.com', { timeout: 200 }), /no letter with a code came to ada\.js@example\.com/)
  await assert.rejects(inbox.waitForLink('ada.js@example.com', { timeout: 200 }), /no letter with a link/)
})

test('what was there before does not count', async () => {
  const inbox = await openInbox({ url })
  assert.ok((await inbox.messages('ada.js@example.com')).length > 1)
  await assert.rejects(inbox.waitForCode('ada.js@example.com', { timeout: 200 }), /no letter/)
  await assert.rejects(waitForCode('ada.js@example.com', { url, timeout: 200 }), /no letter/)
  await assert.rejects(waitForLink('ada.js@example.com', { url, timeout: 200 }), /no letter/)
})

test('the clock moves', async () => {
  const inbox = await openInbox({ url })
  const { attempt } = await signUp('tess@people.test')
  assert.equal(await inbox.waitForCode('tess@people.test'), '424242')
  await inbox.advanceClock('1h')
  const { code } = await post('/v1/sign-in/code', { attempt, code: '424242' })
  assert.equal(code, 'attempt_expired')
  await inbox.advanceClock(60)
  await inbox.resetClock()
  await assert.rejects(inbox.advanceClock('soon'), /answered 422/)
})

test('clear empties the inbox, and errors say what to do', async () => {
  const inbox = new Inbox({ url })
  await inbox.clear()
  assert.deepEqual(await inbox.messages(), [])
  await assert.rejects(openInbox({ url: 'http://127.0.0.1:1' }), /is limen dev running/)
  await assert.rejects(openInbox({ url: url + '/v1/nowhere' }), /only limen dev/)
})
