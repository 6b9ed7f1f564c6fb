"""A receiver of webhooks that checks signatures with the published library. It prints its port, reads
the secret of its endpoint from standard input, and prints what came, one JSON line each."""

import hashlib
import hmac
import http.server
import json
import sys
import threading

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

ready = threading.Event()
secret = ""


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        ready.wait()
        try:
            event = Webhook(secret).verify(body, {k.lower(): v for k, v in self.headers.items()})
            good = hmac.compare_digest(hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(), self.headers["X-OTL-Signature"])
        except WebhookVerificationError as e:
            event, good = {"id": str(e)}, False
        try:
            Webhook(secret).verify(body + b" ", dict(self.headers))
            good = False
        except WebhookVerificationError:
            pass
        self.send_response(204 if good else 401)
        self.end_headers()
        print(json.dumps({"good": good, "id": event["id"], "type": event.get("type", "")}), flush=True)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(json.dumps({"port": server.server_port}), flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
for line in sys.stdin:
    secret = line.strip()
    ready.set()
    print(json.dumps({"type": "secret"}), flush=True)
