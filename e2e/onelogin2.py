"""Signs people in with the Python SDK 2 of OneLogin, as its documentation does.

Usage: onelogin2.py DEV.ENV. The SDK is looked for in onelogin2 beside this Python; it
is told to look for <name>.onelogin.com in a path of the server. Prints "ok" in the end.
"""
import base64
import hashlib
import hmac
import json
import os
import struct
import sys
import time
import urllib.request

sys.path[0] = os.path.join(sys.prefix, "onelogin2")
from onelogin.api.client import OneLoginClient  # noqa: E402
from onelogin.api.util.constants import Constants  # noqa: E402

with open(sys.argv[1], encoding="utf-8") as lines:
    env = {name: value.strip("'") for name, value in (line.strip().split("=", 1) for line in lines)}
for name, value in vars(Constants).items():
    if isinstance(value, str) and "https://%s.onelogin.com" in value:
        setattr(Constants, name, value.replace("https://%s.onelogin.com", env["OTL_URL"] + "/%s.onelogin.com"))
one = OneLoginClient(env["OTL_CLIENT_ID"], env["OTL_CLIENT_SECRET"], region="us")


def expect(what, got):
    assert what, (got, one.error, one.error_description)


def attempt(email, password):
    return {"username_or_email": email, "password": password, "subdomain": env["OTL_SUBDOMAIN"]}


def totp(secret):
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    at = mac[-1] & 15
    return "%06d" % ((struct.unpack(">I", mac[at : at + 4])[0] & 0x7FFFFFFF) % 1000000)


expect(one.get_access_token(), "token")
expect(one.get_rate_limits().limit > 0, "rate limit")

token = one.create_session_login_token(attempt(env["OTL_USER_EMAIL"], env["OTL_USER_PASSWORD"]))
expect(token and token.status == "Authenticated" and len(token.session_token) == 40, token)
expect(token.user.email == env["OTL_USER_EMAIL"] and token.user.id > 0, token.user)

expect(one.create_session_login_token(attempt(env["OTL_USER_EMAIL"], "wrong-horse-7")) is None, "a wrong password")
expect(str(one.error) == "401" and one.error_description == "Authentication Failed: Invalid user credentials", "its error")

step = one.create_session_login_token(attempt(env["OTL_MFA_EMAIL"], env["OTL_MFA_PASSWORD"]))
expect([d.type for d in step.devices] == ["Google Authenticator", "OneLogin OTP SMS"], step)
expect(one.get_session_token_verified(step.devices[0].id, step.state_token, "000000") is None and str(one.error) == "401", "a wrong code")
done = one.get_session_token_verified(step.devices[0].id, step.state_token, totp(env["OTL_MFA_TOTP_SECRET"]), "https://login.example.com")
expect(done and done.status == "Authenticated", done)

people = one.get_users()
expect(sorted(u.email for u in people) == sorted([env["OTL_USER_EMAIL"], env["OTL_MFA_EMAIL"]]), people)
expect(len(one.get_enrolled_factors(step.user.id)) == 2, "devices")
time.sleep(30 - time.time() % 30)  # a code is good once
app = step.devices[0].id
started = one.activate_factor(step.user.id, app)
expect(started and started.device_id == str(app) and len(started.id) == 36, started)
expect(not one.verify_factor_otp(step.user.id, started.id, "000000", app) and str(one.error) == "401", "a wrong code outside a sign-in")
expect(one.verify_factor_otp(step.user.id, started.id, totp(env["OTL_MFA_TOTP_SECRET"]), app), "a code outside a sign-in")
expect(one.verify_factor_poll(step.user.id, started.id).status == "accepted", "its verification")
expect(one.generate_mfa_token(step.user.id) is None and str(one.error) == "403", "a token that stands in for somebody else's factor")
expect(one.log_user_out(step.user.id), "log-out")

own = one.create_user({"email": "sdk2@dev.test", "firstname": "S", "lastname": "Dk"})
digest = hashlib.sha256(b"s4ltcorrect-horse-9").hexdigest()
expect(one.set_password_using_hash_salt(own.id, digest, digest, "salt+sha256", "s4lt"), "a password by salt")
expect(one.create_session_login_token(attempt("sdk2@dev.test", "correct-horse-9")), "its sign-in")
expect(one.set_custom_attribute_to_user(own.id, {"badge": "7"}), "custom attributes")
expect("badge" in str(one.get_custom_attributes()), "their names")
expect([u.id for u in one.get_users({"custom_attributes.badge": "7*"})] == [own.id], "who has one")
for name in ["clerk", "chief"]:
    urllib.request.urlopen(urllib.request.Request(env["OTL_URL"] + "/api/v1/roles", json.dumps({"name": name}).encode(), {"Content-Type": "application/json", "X-OTL-Site-Key": env["OTL_SITE_KEY"]})).close()
clerk, chief = one.get_roles({"name": "clerk"}), one.get_roles({"name": "chi*"})
expect([r.name for r in clerk + chief] == ["clerk", "chief"], (clerk, chief))
expect(one.get_role(clerk[0].id).name == "clerk", "a role by its number")
changed = one.update_user(own.id, {"role_ids": [clerk[0].id], "company": "Dev", "samaccountname": "sdk2"})
expect(changed.role_ids == [clerk[0].id] and changed.company == "Dev" and changed.samaccountname == "sdk2", vars(changed))
expect(one.assign_role_to_user(own.id, [chief[0].id]), "another role")
expect([u.id for u in one.get_users({"role_id": chief[0].id})] == [own.id] and one.get_users({"directory_id": 1}) == [], "who has a role")
expect(one.remove_role_from_user(own.id, [clerk[0].id]) and one.get_user_roles(own.id) == [chief[0].id], "one role less")
expect(one.lock_user(own.id, 5), "a lock")
expect(one.create_session_login_token(attempt("sdk2@dev.test", "correct-horse-9")) is None and str(one.error) == "401", "who is locked out")
expect(one.set_state_to_user(own.id, 1), "let in again")
expect(one.create_session_login_token(attempt("sdk2@dev.test", "correct-horse-9")), "his sign-in")
token = one.generate_mfa_token(own.id, 120, True)
expect(token and len(token.value) == 40 and token.reusable, token)
expect(one.delete_user(own.id), "deletion")
expect(one.generate_invite_link(env["OTL_USER_EMAIL"]) is None and str(one.error) == "403", "a link to somebody else's account")
expect(one.regenerate_token() and one.get_rate_limits(), "refresh")
expect(one.revoke_token(), "revocation")
print("ok")
