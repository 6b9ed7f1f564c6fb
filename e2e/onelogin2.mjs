// Calls OneLogin's wire through the older package for Node.js, `onelogin`, which knows no host
// but api.<shard>.onelogin.com: what goes there is sent to the development world in the
// environment. Prints "done" in the end.
import assert from "node:assert";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const https = require("https");
const env = process.env;
const { hostname, port } = new URL(env.OTL_URL);
const request = https.request;
https.request = (options, answered) => {
  assert.equal(options.hostname ?? options.host, "api.us.onelogin.com");
  return request({ ...options, host: hostname, hostname, port, servername: hostname, agent: undefined, headers: { ...options.headers, host: `${hostname}:${port}` } }, answered);
};

const one = require("onelogin")(env.OTL_CLIENT_ID, env.OTL_CLIENT_SECRET, "us").async();
const token = await one.getToken();
assert.equal(token.token_type, "bearer");
assert.equal(Number.isInteger(token.expires_in), true);

const users = await one.getUsers();
const known = users.find((u) => u.email === env.OTL_USER_EMAIL);
assert.equal(known.username, env.OTL_USER_USERNAME);
const made = await one.createUser({ email: "old.package@dev.test", firstname: "Olga", lastname: "Old", username: "old.package" });
assert.equal((await one.getUser(made.id)).firstname, "Olga");
await one.deleteUser(made.id);
await assert.rejects(one.getUser(made.id), (e) => e.code === 404 || e.code === 400);
assert.deepEqual(await one.getUserApps(known.id), []);

const other = require("onelogin")(env.OTL_CLIENT_ID, "wrong", "us").async();
await assert.rejects(other.getToken(), (e) => e.code === 401 && e.message === "Authentication Failure");
process.stdout.write("done\n");
process.exit(0);
