// Two relying parties, openid-client and oauth4webapi, against the server that the
// environment names: discovery, a code with PKCE, the ID token's checks, userinfo,
// refresh, introspection, revocation, logout. The browser is a few lines that keep
// cookies and send forms.
import assert from 'node:assert/strict'
import * as oidc from 'openid-client'
import * as oauth from 'oauth4webapi'

const env = process.env
const issuer = new URL(env.OTL_URL)

class Browser {
  cookies = new Map()

  // go follows redirects until they lead away, and gives where to, or the page.
  async go(url, form) {
    for (let i = 0; i < 10; i++) {
      const r = await fetch(url, {
        redirect: 'manual',
        method: form ? 'POST' : 'GET',
        headers: { Accept: 'text/html', Cookie: [...this.cookies].map(([k, v]) => k + '=' + v).join('; ') },
        body: form,
      })
      for (const c of r.headers.getSetCookie()) {
        const [pair, ...rest] = c.split('; ')
        const at = pair.indexOf('=')
        if (rest.some((a) => a === 'Max-Age=0')) this.cookies.delete(pair.slice(0, at))
        else this.cookies.set(pair.slice(0, at), pair.slice(at + 1))
      }
      if (r.status < 300 || r.status >= 400) return { page: await r.text(), url }
      url = new URL(r.headers.get('location'), url)
      form = undefined
      if (url.origin !== issuer.origin) return { away: url }
    }
    throw new Error('sent around in a circle')
  }

  // submit sends the form with an action or an id as it stands, with fields added.
  async submit(at, name, more) {
    const forms = [...at.page.matchAll(/<form[\s\S]*?<\/form>/g)].map((m) => m[0])
    const form = forms.find((f) => f.includes(`action="${name}"`) || f.includes(`id="${name}"`))
    assert.ok(form, 'no form ' + name + ' on ' + at.url)
    const body = new URLSearchParams()
    for (const [input] of form.matchAll(/<input[^>]*>/g)) {
      const get = (a) => (new RegExp(` ${a}="([^"]*)"`).exec(input) || [])[1]
      if (get('name') && (get('type') !== 'checkbox' || / checked/.test(input))) body.append(get('name'), get('value') ?? '')
    }
    for (const [k, v] of Object.entries(more ?? {})) body.set(k, v)
    return this.go(new URL(/action="([^"]*)"/.exec(form)[1], at.url), body)
  }

  // signIn goes as far as the client, with password and consent where they are asked.
  async signIn(url) {
    let at = await this.go(url)
    if (at.page?.includes('name="password"')) {
      at = await this.submit(at, '/signin', { identifier: env.OTL_USER_EMAIL, password: env.OTL_USER_PASSWORD })
    }
    if (at.page?.includes('id="consent"')) at = await this.submit(at, 'consent')
    assert.ok(at.away, 'stays at ' + at.url + '\n' + at.page)
    return at.away
  }
}

async function openidClient() {
  const config = await oidc.discovery(issuer, env.OTL_CLIENT_ID, env.OTL_CLIENT_SECRET, undefined, { execute: [oidc.allowInsecureRequests] })
  const browser = new Browser()
  const run = async (more) => {
    const verifier = oidc.randomPKCECodeVerifier()
    const checks = { pkceCodeVerifier: verifier, expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce(), idTokenExpected: true }
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: env.OTL_REDIRECT_URI, scope: 'openid profile email', state: checks.expectedState, nonce: checks.expectedNonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...more,
    })
    return oidc.authorizationCodeGrant(config, await browser.signIn(url), checks)
  }
  const tokens = await run()
  const claims = tokens.claims()
  assert.equal(claims.sub, env.OTL_USER_ID)
  assert.equal(claims.email, env.OTL_USER_EMAIL)
  const info = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub)
  assert.equal(info.email, env.OTL_USER_EMAIL)
  await run({ prompt: 'none', max_age: '3600', id_token_hint: tokens.id_token }) // without a page
  const fresh = await oidc.refreshTokenGrant(config, tokens.refresh_token)
  assert.equal(fresh.claims().sub, claims.sub)
  assert.equal((await oidc.tokenIntrospection(config, fresh.access_token)).active, true)
  await oidc.tokenRevocation(config, fresh.refresh_token)
  assert.equal((await oidc.tokenIntrospection(config, fresh.access_token)).active, false)
  const last = await run()
  const out = oidc.buildEndSessionUrl(config, { id_token_hint: last.id_token, post_logout_redirect_uri: env.OTL_REDIRECT_URI, state: 'bye' })
  assert.equal((await browser.go(out)).away.href, env.OTL_REDIRECT_URI + '?state=bye')
  await assert.rejects(run({ prompt: 'none' }), (e) => e.error === 'login_required')
}

async function oauth4webapi() {
  const insecure = { [oauth.allowInsecureRequests]: true }
  const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...insecure }))
  const client = { client_id: env.OTL_CLIENT_ID }
  const auth = oauth.ClientSecretPost(env.OTL_CLIENT_SECRET)
  const verifier = oauth.generateRandomCodeVerifier()
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
  const url = new URL(as.authorization_endpoint)
  for (const [k, v] of Object.entries({
    client_id: client.client_id, redirect_uri: env.OTL_REDIRECT_URI, response_type: 'code', scope: 'openid email', state, nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  })) url.searchParams.set(k, v)
  const browser = new Browser()
  const params = oauth.validateAuthResponse(as, client, await browser.signIn(url), state) // iss too (RFC 9207)
  const answer = await oauth.authorizationCodeGrantRequest(as, client, auth, params, env.OTL_REDIRECT_URI, verifier, insecure)
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, answer, { expectedNonce: nonce, requireIdToken: true })
  await oauth.validateApplicationLevelSignature(as, answer, insecure)
  const claims = oauth.getValidatedIdTokenClaims(tokens)
  assert.equal(claims.sub, env.OTL_USER_ID)
  const info = await oauth.processUserInfoResponse(as, client, claims.sub, await oauth.userInfoRequest(as, client, tokens.access_token, insecure))
  assert.equal(info.email, env.OTL_USER_EMAIL)
  // The code a second time is refused, and ends what it gave.
  const twice = await oauth.authorizationCodeGrantRequest(as, client, auth, params, env.OTL_REDIRECT_URI, verifier, insecure)
  await assert.rejects(oauth.processAuthorizationCodeResponse(as, client, twice), (e) => e.error === 'invalid_grant')
  assert.equal((await oauth.userInfoRequest(as, client, tokens.access_token, insecure)).status, 401)
}

openidClient().then(oauth4webapi).then(() => console.log('done')).catch((e) => { console.error(e); process.exit(1) })
