// A receiver of webhooks that checks signatures with the published library. It prints its port, reads
// the secret of its endpoint from standard input, and prints what came, one JSON line each.

const { createHmac, timingSafeEqual } = require("node:crypto");
const { createServer } = require("node:http");
const { createInterface } = require("node:readline");
const { Webhook } = require("standardwebhooks");

let secret = "";
const say = (what) => console.log(JSON.stringify(what));

function check(body, headers) {
  const event = new Webhook(secret).verify(body, headers);
  const want = createHmac("sha256", secret).update(body).digest();
  const same = timingSafeEqual(want, Buffer.from(headers["x-otl-signature"], "hex"));
  let forged = true;
  try {
    new Webhook(secret).verify(body + " ", headers);
  } catch {
    forged = false;
  }
  return { good: same && !forged, id: event.id, type: event.type };
}

const server = createServer((req, res) => {
  const parts = [];
  req.on("data", (part) => parts.push(part));
  req.on("end", () => {
    let found;
    try {
      found = check(Buffer.concat(parts).toString("utf8"), req.headers);
    } catch (e) {
      found = { good: false, id: String(e), type: "" };
    }
    res.writeHead(found.good ? 204 : 401).end();
    say(found);
  });
});
server.listen(0, "127.0.0.1", () => say({ port: server.address().port }));
createInterface({ input: process.stdin }).on("line", (line) => {
  secret = line.trim();
  say({ type: "secret" });
});
