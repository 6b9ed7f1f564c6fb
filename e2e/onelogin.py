"""Calls OneLogin's wire with the vendor's own Python SDK, as its documentation does.

Usage: onelogin.py URL CLIENT_ID CLIENT_SECRET EMAIL USERNAME. Prints "ok" in the end.
"""
import sys

sys.path.pop(0)  # this file has the name of the package
import onelogin  # noqa: E402

url, client, secret, email, username = sys.argv[1:]
conf = onelogin.Configuration(host=url, username=client, password=secret)


def api(kind):
    return kind(onelogin.ApiClient(conf))


def token():
    return api(onelogin.OAuth2Api).generate_token(onelogin.GenerateTokenRequest(grant_type="client_credentials"), content_type="application/json")


def expect(what, got):
    assert what, got


made = token()
expect(made.token_type == "bearer" and made.expires_in == 36000 and made.account_id > 0, made)
expect(token().access_token == made.access_token, "the same pair")
conf.access_token = made.access_token

rate = api(onelogin.OAuth2Api).get_rate_limit()
expect(rate.status.message == "Success" and rate.data.x_rate_limit_limit > 0, rate)

users = api(onelogin.UsersV2Api)
listed = users.list_users2(email=email)
expect([u.username for u in listed] == [username], listed)
one = users.create_user2(user=onelogin.User(email="sdk@dev.test", firstname="S", lastname="DK"))
expect(one.id > 0 and one.status == 1, one)
one.firstname = "Sue"
expect(users.update_user2(one.id, user=one).firstname == "Sue", one)
expect(users.get_user2(one.id).lastname == "DK", one)
one.company, one.manager_ad_id, one.role_ids, one.custom_attributes = "Dev", "12", [], {"desk": "A"}
expect(users.update_user2(one.id, user=one).to_dict()["company"] == "Dev", one)
got = users.get_user2(one.id)
expect((got.manager_ad_id, got.role_ids, got.custom_attributes) == ("12", [], {"desk": "A"}), got)
expect([u.id for u in users.list_users2(firstname="Su*", samaccountname=None)] == [one.id] and users.list_users2(directory_id=7) == [], "who is asked for")
roles = api(onelogin.RolesApi)
expect(roles.list_roles(role_name="none*") == [] and roles.get_role_by_name(name="none").data == [], "roles that are not there")

mfa = api(onelogin.MultiFactorAuthenticationV1Api)
factors = mfa.get_mfa_factors(one.id).data.auth_factors
expect(len(factors) == 2, factors)
device = mfa.enroll_mfa_factor(one.id, onelogin.OtpDevice(factor_id=2, display_name="phone", number="+491705550199")).data[0]
expect(device.needs_trigger and not device.active, device)
expect(mfa.get_enrolled_factors(one.id).data.otp_devices == [], "one that was not confirmed")

v2 = api(onelogin.MultiFactorAuthenticationApi)
expect(len(v2.get_auth_factors(one.id)) == 2, "v2 factors")
expect(v2.get_authentication_devices(one.id) == [], "v2 devices")
started = v2.create_factor_registration(one.id, create_factor_registration_request=onelogin.CreateFactorRegistrationRequest(factor_id=1, display_name="app"))
expect(started.auth_factor_name == "Google Authenticator" and started.user_id == str(one.id), started)

stand_in = v2.generate_otp(one.id, generate_otp_request=onelogin.GenerateOTPRequest(expires_in=120, reusable=True))
expect(len(stand_in.mfa_token) == 40 and stand_in.device_id == "0", stand_in)
asked = v2.create_device_verification(one.id, create_device_verification_request=onelogin.CreateDeviceVerificationRequest(device_id=0))
done = v2.verify_user_verification(one.id, asked.id, verify_user_verification_request=onelogin.VerifyUserVerificationRequest(otp=stand_in.mfa_token))
expect(done.message == "Success" and v2.get_user_verification(one.id, asked.id).status == "accepted", asked)

invites = api(onelogin.InviteLinksApi)
link = invites.get_invite_link(get_invite_link_request=onelogin.GetInviteLinkRequest(email="sdk@dev.test"))
expect("/password/reset?token=" in link.data[0], link)
try:  # a person who has proven an address is no site's own (D1)
    invites.get_invite_link(get_invite_link_request=onelogin.GetInviteLinkRequest(email=email))
    raise AssertionError("a link to somebody else's account")
except onelogin.exceptions.ForbiddenException as refused:
    expect("not authorized to access this User" in refused.body, refused.body)

users.delete_user2(one.id)
try:
    users.get_user2(one.id)
    raise AssertionError("a person who is gone")
except onelogin.exceptions.NotFoundException:
    pass
print("ok")
