"""A mail server for the tests: STARTTLS or TLS from the first byte, AUTH, and one JSON line on
standard output for each mail it takes, and for each that it fails. Arguments: certificate, key,
"starttls" or "tls", user, password, and in which ways it fails first, each once:
STARTTLS (454, as a server without its certificate says), RCPT (whoever comes first has to come again), DATA (it
hangs up in the middle of the mail) and END (451, once it has all of the mail)."""

import asyncio
import json
import ssl
import sys
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

cert, key, mode, user, password, *left = sys.argv[1:]


def fails(how):
    """Says whether it fails in a way now, which it then does once."""
    if how not in left:
        return False
    left.remove(how)
    return True


def failed(how, **what):
    print(json.dumps({"failed": how, **what}), flush=True)


class Server(SMTP):
    async def smtp_STARTTLS(self, arg):
        if fails("STARTTLS"):
            failed("STARTTLS")
            await self.push("454 4.7.0 TLS not available due to temporary reason")
            return
        await super().smtp_STARTTLS(arg)

    async def smtp_DATA(self, arg):
        if not fails("DATA"):
            await super().smtp_DATA(arg)
            return
        await self.push("354 Go on")
        line = b""
        while not line.lower().startswith(b"message-id:"):
            line = await self._reader.readuntil(b"\r\n")
        failed("DATA", id=line.decode().split(":", 1)[1].strip())
        self.transport.abort()


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused@"):
            return "550 5.1.1 No such mailbox"
        if fails("RCPT"):
            failed("RCPT")
            return "451 4.7.1 Greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=policy.default)
        if fails("END"):
            failed("END", id=str(mail["Message-ID"]))
            return "451 4.3.0 Try again later"
        parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
        print(json.dumps({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None or mode == "tls",
            "user": session.auth_data.login.decode() if session.auth_data else "", "headers": {k.lower(): str(v) for k, v in mail.items()},
            "defects": [str(d) for d in mail.defects], "text": parts.get("text/plain", ""), "html": parts.get("text/html", ""),
        }), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and data.login == user.encode() and data.password == password.encode()
    return AuthResult(success=good, handled=False, auth_data=data if good else None)


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    tls = {"tls_context": context, "require_starttls": True} if mode == "starttls" else {"auth_require_tls": False}

    def session():
        return Server(Handler(), authenticator=authenticate, auth_required=True, hostname="mail.test", **tls)

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=context if mode == "tls" else None)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


asyncio.run(main())
