"""Relying parties in Python and in Apache, against the server that the environment names.

authlib: a code with PKCE by Authlib, by a secret and by a key it signs with; the ID token
held against the published keys; refresh, introspection, revocation.
apache: the pages of an Apache httpd behind mod_auth_openidc at OTL_TEST_APACHE, with form_post.
"""

import html
import json
import os
import re
import subprocess
import sys
from urllib.parse import urljoin, urlsplit

import requests

ISSUER = os.environ["OTL_URL"]


class Browser:
    """Keeps cookies and sends forms as they stand; runs no scripts."""

    def __init__(self):
        self.http = requests.Session()
        self.http.headers["Accept"] = "text/html"

    def go(self, url, form=None, stop=None):
        """Follows redirects and gives the last page, or the address that begins with stop."""
        for _ in range(15):
            method = "POST" if form is not None else "GET"
            page = self.http.request(method, url, data=form, allow_redirects=False, timeout=30)
            if page.status_code not in (301, 302, 303):
                return page
            url, form = urljoin(url, page.headers["Location"]), None
            if stop and url.startswith(stop):
                return url
        raise AssertionError("sent around in a circle")

    def submit(self, page, action, more=None, stop=None):
        """Sends the form that goes to an action, with fields added."""
        for form in re.findall(r"<form.*?</form>", page.text, re.S):
            to = html.unescape(re.search(r'action="([^"]*)"', form).group(1)) if "action=" in form else ""
            if to != action:
                continue
            data = {}
            for field in re.findall(r"<input[^>]*>", form):
                get = {k: html.unescape(v) for k, v in re.findall(r' ([a-z]+)="([^"]*)"', field)}
                if "name" in get and (get.get("type") != "checkbox" or " checked" in field):
                    data.setdefault(get["name"], []).append(get.get("value", ""))
            data.update(more or {})
            return self.go(urljoin(page.url, to), data, stop)
        raise AssertionError(f"no form to {action} at {page.url}\n{page.text}")

    def sign_in(self, at, stop=None):
        """Goes on with the hosted pages as far as the relying party."""
        if not isinstance(at, str) and 'name="password"' in at.text:
            person = {"identifier": os.environ["OTL_USER_EMAIL"], "password": os.environ["OTL_USER_PASSWORD"]}
            at = self.submit(at, "/signin", person, stop)
        if not isinstance(at, str) and 'id="consent"' in at.text:
            at = self.submit(at, "/consent", {"decision": "connect"}, stop)
        return at


def authlib(client_id, **auth):
    from authlib.integrations.requests_client import OAuth2Session
    from joserfc import jwt
    from joserfc.jwk import KeySet

    meta = requests.get(ISSUER + "/.well-known/openid-configuration", timeout=30).json()
    redirect = os.environ["OTL_REDIRECT_URI"]
    verifier, nonce = "v" * 64, "n-1"
    rp = OAuth2Session(client_id, redirect_uri=redirect, scope="openid email", code_challenge_method="S256", **auth)
    url, state = rp.create_authorization_url(meta["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
    browser = Browser()
    back = browser.sign_in(browser.go(url, stop=redirect), stop=redirect)
    assert isinstance(back, str), back.text
    token = rp.fetch_token(meta["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier)
    keys = KeySet.import_key_set(requests.get(meta["jwks_uri"], timeout=30).json())
    claims = jwt.decode(token["id_token"], keys, algorithms=["RS256"]).claims
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": client_id}, nonce={"essential": True, "value": nonce},
        exp={"essential": True}, sub={"essential": True, "value": os.environ["OTL_USER_ID"]},
    ).validate(claims)
    assert rp.get(meta["userinfo_endpoint"]).json()["email"] == os.environ["OTL_USER_EMAIL"]
    fresh = rp.refresh_token(meta["token_endpoint"])
    assert fresh["refresh_token"] != token["refresh_token"]
    assert rp.introspect_token(meta["introspection_endpoint"], token=fresh["access_token"]).json()["active"]
    assert rp.revoke_token(meta["revocation_endpoint"], token=fresh["refresh_token"]).status_code == 200
    assert not rp.introspect_token(meta["introspection_endpoint"], token=fresh["access_token"]).json()["active"]


def signing():
    """The same with a client that signs. Authlib names the token endpoint as the audience
    by default; here that is the issuer."""
    from authlib.oauth2.rfc7523 import PrivateKeyJWT
    from joserfc.jwk import KeySet, RSAKey

    key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}, private=True)
    with open("jwks.json", "w") as f:
        json.dump(KeySet([key]).as_dict(private=False), f)
    made = subprocess.run(
        [os.environ["OTL_TEST_BINARY"], "clients", "create", "--site", os.environ["OTL_SITE_ID"], "--redirect-uri", os.environ["OTL_REDIRECT_URI"], "--jwks", "jwks.json", "--json"],
        capture_output=True, check=True, text=True,
    )
    auth = PrivateKeyJWT(ISSUER, headers={"kid": "one"})
    authlib(
        json.loads(made.stdout)["client_id"], client_secret=key.as_pem(private=True).decode(),
        token_endpoint_auth_method=auth, revocation_endpoint_auth_method=auth,
    )


def apache():
    home = os.environ["OTL_TEST_APACHE"]
    browser = Browser()
    page = browser.sign_in(browser.go(home + "/"))
    if "id=\"answer\"" in page.text:  # form_post: scripts are off here, so the button is pressed
        page = browser.submit(page, home + "/oidc/callback")
    assert page.status_code == 200 and "behind the door" in page.text, f"{page.status_code} {page.url}\n{page.text}"
    assert urlsplit(page.url).netloc == urlsplit(home).netloc
    stranger = Browser().go(home + "/")
    assert "behind the door" not in stranger.text
    # Its logout signs the person out here too, and asks again the next time.
    browser.go(home + "/oidc/callback?logout=" + requests.utils.quote(home + "/oidc/callback", safe=""), stop=home + "/oidc/callback")
    again = browser.go(home + "/")
    assert 'name="password"' in again.text, again.text


if sys.argv[1] == "apache":
    apache()
else:
    authlib(os.environ["OTL_CLIENT_ID"], client_secret=os.environ["OTL_CLIENT_SECRET"])
    signing()
print("done")
