// The call order of the vendor's public samples for one-time login (be-email, be-sms,
// be-magiclink, be-mfa, silent-and-offline), with their fields, against the server that
// the environment names. Tokens are verified with jose against the published keys.
import assert from 'node:assert/strict'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const env = process.env
const base = env.OTL_URL + '/cis'
const keys = createRemoteJWKSet(new URL(base + '/oidc/jwks'))

async function clientToken() {
  const r = await fetch(env.OTL_URL + '/oidc/token', {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: env.OTL_CLIENT_ID, client_secret: env.OTL_CLIENT_SECRET }),
  })
  assert.equal(r.status, 200)
  return (await r.json()).access_token
}

let bearer

// call answers like the samples' own helper: the JSON beside the status.
async function call(method, path, body) {
  const r = await fetch(base + path, {
    method,
    headers: { Authorization: 'Bearer ' + bearer, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  })
  if (r.status === 204) return { status: 204 }
  return { status: r.status, ...(await r.json()) }
}

async function verified(idToken) {
  const { payload, protectedHeader } = await jwtVerify(idToken, keys, { issuer: env.OTL_URL, audience: env.OTL_CLIENT_ID })
  assert.equal(protectedHeader.alg, 'RS256')
  assert.ok(Array.isArray(payload.amr))
  return payload
}

// letter waits for the newest message to somebody.
async function letter(to, after) {
  for (let i = 0; i < 100; i++) {
    const { messages } = await (await fetch(env.OTL_URL + '/dev/inbox.json?to=' + encodeURIComponent(to))).json()
    if (messages.length > 0 && messages[0].id !== after) return messages[0]
    await new Promise((done) => setTimeout(done, 50))
  }
  throw new Error('no message came to ' + to)
}

// press does what a browser does with a link: it opens the page and presses its button.
async function press(link) {
  const page = await fetch(link)
  const cookie = page.headers.getSetCookie().map((c) => c.split(';')[0]).join('; ')
  const form = /<form[^>]*id="confirm"[\s\S]*?<\/form>/.exec(await page.text())[0]
  const fields = [...form.matchAll(/<input[^>]*name="([^"]*)"[^>]*value="([^"]*)"/g)].map((m) => [m[1], m[2]])
  const r = await fetch(new URL(/action="([^"]*)"/.exec(form)[1], link), {
    method: 'POST',
    redirect: 'manual',
    headers: { Cookie: cookie, 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields),
  })
  assert.equal(r.status, 303)
  return new URL(r.headers.get('location')).searchParams
}

async function main() {
  bearer = await clientToken()

  // be-email
  const made = await call('POST', '/v1/users', { email: 'sample@dev.test' })
  assert.equal(made.status, 201)
  const sent = await call('POST', '/v1/auth/otp/send', { channel: 'email', identifier_type: 'email', identifier: 'sample@dev.test' })
  assert.deepEqual(sent, { status: 200, message: 'OTP sent' })
  const mail = await letter('sample@dev.test')
  const byMail = await call('POST', '/v1/auth/otp/authenticate', { passcode: mail.code, identifier_type: 'email', identifier: 'sample@dev.test' })
  assert.equal(byMail.status, 200)
  const me = await verified(byMail.id_token)
  assert.equal(me.sub, made.result.user_id)
  assert.deepEqual(me.amr, ['eotp'])

  // be-sms
  const phone = '+491705550321'
  assert.equal((await call('POST', '/v1/users', { phone_number: phone })).status, 201)
  assert.equal((await call('POST', '/v1/auth/otp/send', { channel: 'sms', identifier_type: 'phone_number', identifier: phone })).status, 200)
  const sms = await letter(phone)
  const bySMS = await call('POST', '/v1/auth/otp/authenticate', { passcode: sms.code, identifier_type: 'phone_number', identifier: phone })
  assert.deepEqual((await verified(bySMS.id_token)).amr, ['sms'])

  // be-magiclink
  const link = await call('POST', '/v1/auth/link/email/send', { email: env.OTL_USER_EMAIL, redirect_uri: env.OTL_REDIRECT_URI })
  assert.deepEqual(link, { status: 200, message: 'Email sent successfully' })
  const { link: address } = await letter(env.OTL_USER_EMAIL)
  const back = await press(address)
  const byLink = await call('POST', '/v1/auth/link/email/authenticate', { code: back.get('code') })
  assert.deepEqual((await verified(byLink.id_token)).amr, ['eml'])
  const again = await call('POST', '/v1/auth/link/email/authenticate', { code: back.get('code') })
  assert.deepEqual(again, { status: 400, error_code: '400', message: 'Invalid magic link code' })

  // be-mfa: a password, then a code that joins the session
  const second = '+491705550654'
  const user = { username: 'sample', phone_number: second, credentials: { password: 'correct-horse-7', force_replace: false } }
  assert.equal((await call('POST', '/v1/users', user)).status, 201)
  const first = await call('POST', '/v1/auth/password/authenticate', { username: 'sample', password: 'correct-horse-7' })
  assert.equal(first.status, 200)
  const known = await call('GET', '/v1/users/username/sample')
  assert.equal(known.result.phone_number.value, second)
  assert.equal((await call('POST', '/v1/auth/otp/send', { channel: 'sms', identifier_type: 'phone_number', identifier: second })).status, 200)
  const otp = await letter(second)
  const both = await call('POST', '/v1/auth/otp/authenticate', {
    passcode: otp.code, identifier_type: 'phone_number', identifier: second, session_id: first.session_id,
  })
  assert.equal(both.status, 200, both.message)
  assert.equal(both.session_id, first.session_id)
  assert.ok((await verified(both.id_token)).amr.includes('mfa'))
  assert.equal((await call('POST', '/v1/auth/session/logout', { session_id: first.session_id })).status, 204)

  // silent-and-offline: new tokens of the session, then by the refresh token
  const silent = await call('POST', '/v1/auth/session/authenticate', { session_id: byMail.session_id })
  assert.equal(silent.session_id, byMail.session_id)
  const offline = await call('POST', '/v1/auth/token/refresh', { refresh_token: silent.refresh_token })
  assert.equal((await verified(offline.id_token)).sub, me.sub)
  assert.equal((await call('POST', '/v1/auth/session/logout', { session_id: byMail.session_id })).status, 204)
  const ended = await call('POST', '/v1/auth/session/authenticate', { session_id: byMail.session_id })
  assert.deepEqual(ended, { status: 400, error_code: '400', message: 'Session not found' })
  console.log('done')
}

main().catch((e) => { console.error(e); process.exit(1) })
