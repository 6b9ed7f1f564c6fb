// Calls OneLogin's wire through the vendor's package for Node.js. What it offers by itself,
// apps and smart MFA, is not served; its client gets a token and calls whatever it is told.
// Its settings are those of a development world. Prints "done" in the end.
import assert from "node:assert";
import { createRequire } from "node:module";

const { Client } = createRequire(import.meta.url)("@onelogin/sdk");
const env = process.env;
console.log = () => {}; // the package tells of every call
const config = { clientID: env.OTL_CLIENT_ID, clientSecret: env.OTL_CLIENT_SECRET, baseURL: env.OTL_URL, timeout: 20000 };
const one = new Client(config);

const users = await one.client.Do({ url: "api/2/users", method: "get", params: { email: env.OTL_USER_EMAIL } });
assert.equal(users.status, 200);
assert.deepEqual(users.data.map((u) => u.username), [env.OTL_USER_USERNAME]);

const body = { username_or_email: env.OTL_USER_EMAIL, password: env.OTL_USER_PASSWORD, subdomain: env.OTL_SUBDOMAIN };
const headers = { "Content-Type": "application/json" };
const login = await one.client.Do({ url: "api/1/login/auth", method: "post", data: body, headers });
assert.equal(login.data.data[0].status, "Authenticated");
const wrong = await one.client.Do({ url: "api/1/login/auth", method: "post", data: { ...body, password: "wrong-horse-7" }, headers });
assert.equal(wrong.status, 401);
assert.equal(wrong.data.status.message, "Authentication Failed: Invalid user credentials");

const apart = await one.client.Do({ url: "api/2/apps", method: "get" });
assert.equal(apart.status, 404);
assert.deepEqual(apart.data, { statusCode: 404, name: "NotFoundError", message: "No Route Exists" });
process.stdout.write("done\n");
process.exit(0);
