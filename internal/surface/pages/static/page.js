// What the pages do besides working without this: everything here only saves a press.

// The choice of a language takes effect at once.
for (const select of document.querySelectorAll("select[data-at-once]")) {
  select.form.querySelector("button").hidden = true;
  select.addEventListener("change", () => select.form.requestSubmit());
}

// Another light is had where it is chosen, and kept for the pages after: what was typed stays, and so does
// a page that is shown once.
for (const select of document.querySelectorAll("select[data-light]")) {
  select.form.hidden = false;
  select.addEventListener("change", () => {
    const { value } = select;
    if (value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = value;
    fetch(`/?theme=${value}`, { method: "HEAD", keepalive: true }).catch(() => {}); // then it is for this page alone
  });
}

// Times are said in the zone of whoever reads, and as is the custom where he is.
const spoken = document.documentElement.lang;
const local = navigator.languages?.find((l) => /^[\w-]+$/.test(l) && l.split("-")[0] === spoken.split("-")[0]) ?? spoken;
for (const time of document.querySelectorAll("time[datetime]")) {
  const style = { dateStyle: "long", calendar: "gregory", numberingSystem: "latn" };
  if (!("day" in time.dataset)) style.timeStyle = "short";
  time.title = time.textContent;
  time.textContent = new Intl.DateTimeFormat(local, style).format(new Date(time.dateTime));
}

// On a narrow screen a row of tabs is longer than what shows of it.
const shows = () => document.querySelectorAll(".tabs [aria-current]").forEach((tab) => tab.scrollIntoView({ inline: "center", block: "nearest" }));
shows();
matchMedia("(max-width: 480px)").addEventListener("change", shows);

// A password can be looked at.
for (const button of document.querySelectorAll("button[data-shows]")) {
  const field = document.getElementById(button.dataset.shows);
  const show = button.firstChild.data;
  button.hidden = false;
  button.addEventListener("click", () => {
    const shown = field.type === "text";
    field.type = shown ? "password" : "text";
    button.firstChild.data = shown ? show : button.dataset.hide;
  });
}

// A password is called weak, fair or good as one writes it: by its length, and a little by what
// it is made of. What the server refuses it says itself.
for (const note of document.querySelectorAll("[data-strength]")) {
  const field = document.getElementById(note.dataset.strength);
  const words = note.dataset.words.split("|");
  field.addEventListener("input", () => {
    const length = [...field.value].length;
    const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\d/, /[^\p{L}\d]/u].filter((kind) => kind.test(field.value)).length;
    const same = new Set(field.value).size < 5;
    note.textContent = length ? words[length < 8 || same ? 0 : length + 2 * kinds < 18 ? 1 : 2] : "";
  });
}

// What support asks for is copied by a press.
for (const row of document.querySelectorAll("[data-copy]")) {
  const said = row.querySelector("[data-said]");
  row.hidden = false;
  row.querySelector("button").addEventListener("click", () =>
    navigator.clipboard.writeText(document.getElementById(row.dataset.copy).textContent).then(() => (said.textContent = said.dataset.said)));
}

// A form that was sent is not sent again by a second press.
addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  else if (event.target.method === "post") {
    event.target.dataset.sent = "1";
    setTimeout(() => delete event.target.dataset.sent, 5000);
  }
});
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));

// The last digit of a code sends it.
for (const field of document.querySelectorAll("input[data-digits]")) {
  const hint = document.getElementById("code-hint");
  if (hint) hint.hidden = false;
  field.addEventListener("input", () => {
    if (field.value.replace(/[\s-]/g, "").length === Number(field.dataset.digits)) field.form.requestSubmit();
  });
}

// A code by SMS that names this server is filled in, where the browser can.
const texted = document.querySelector("input[data-texted]");
if (texted && "OTPCredential" in window) {
  const over = new AbortController();
  texted.form.addEventListener("submit", () => over.abort());
  navigator.credentials.get({ otp: { transport: ["sms"] }, signal: over.signal }).then(({ code }) => {
    texted.value = code;
    texted.form.requestSubmit();
  }).catch(() => {});
}

// The page of a link goes on by itself in the browser that asked for it.
document.querySelector("form[data-auto]")?.requestSubmit();

// The page that waits for a link goes on once it was opened elsewhere: it is told, or, where nobody tells it, asks.
const waiting = document.querySelector("form[data-wait]");
if (waiting) {
  const look = async () => {
    try {
      const answer = await fetch(waiting.dataset.wait, { headers: { Accept: "application/json" } });
      if (answer.ok && (await answer.json()).ready) return waiting.requestSubmit();
      if (answer.status === 404) return;
    } catch {
      // not reachable at the moment
    }
    setTimeout(look, 3000);
  };
  const told = new EventSource(waiting.dataset.listen);
  told.addEventListener("ready", () => {
    told.close();
    waiting.requestSubmit();
  });
  told.addEventListener("error", () => {
    if (told.readyState === EventSource.CLOSED) look(); // for good: otherwise the browser connects again
  });
}

// Passkeys: the browser signs what the form holds, or is given for the asking, and the
// form takes it along. Where it can, a browser offers those it has as one begins to type.
if (globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON) {
  const keys = navigator.credentials;
  let under = new AbortController(); // one at a time
  const asked = async (form) => {
    if (form.dataset.key) return JSON.parse(form.dataset.key);
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.dataset.ask, { method: "POST", body, headers: { Accept: "application/json" } });
    if (answer.ok && !answer.redirected) return answer.json();
    location.reload(); // it is over, or there were too many
    return new Promise(() => {});
  };
  const use = async (form, mediation) => {
    const failed = form.querySelector("[data-failed]");
    if (!mediation) failed.hidden = true;
    under.abort();
    under = new AbortController();
    const { signal } = under;
    try {
      const { publicKey } = await asked(form);
      const made = form.hasAttribute("data-create")
        ? await keys.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey), signal })
        : await keys.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey), mediation, signal });
      form.elements.credential.value = JSON.stringify(made.toJSON());
      form.requestSubmit();
    } catch {
      if (signal.aborted || mediation) return; // another took its place, or nobody pressed anything
      failed.hidden = false;
      offer(form);
    }
  };
  const offer = async (form) => {
    if (form.hasAttribute("data-conditional") && (await PublicKeyCredential.isConditionalMediationAvailable?.())) use(form, "conditional");
  };
  for (const note of document.querySelectorAll("[data-keyless]")) note.hidden = true;
  for (const form of document.querySelectorAll("form[data-key], form[data-ask]")) {
    const button = form.querySelector("button");
    button.hidden = false;
    button.addEventListener("click", () => use(form));
    offer(form);
  }
}

// Whoever could keep a passkey on this device may be offered one once he has signed in.
globalThis.PublicKeyCredential?.isUserVerifyingPlatformAuthenticatorAvailable?.().then((able) => {
  if (able) for (const field of document.querySelectorAll("input[name=keys]")) field.value = "1";
});

// A passkey that was removed here is forgotten by the browser.
for (const { dataset } of document.querySelectorAll("[data-signal]")) {
  globalThis.PublicKeyCredential?.signalAllAcceptedCredentials?.(JSON.parse(dataset.signal)).catch(() => {});
}

// When another code can be asked for is counted down on the button that asks.
for (const note of document.querySelectorAll("[data-left]")) {
  const button = document.querySelector(`#${note.dataset.of} button`);
  const words = button.textContent;
  const end = Date.now() + note.dataset.left * 1000;
  const count = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    const says = (text) => text.replace("{seconds}", left);
    button.textContent = left > 0 ? says(note.dataset.words) : words;
    if (left > 0) setTimeout(count, 1000);
    else button.removeAttribute("aria-disabled");
    if (left === 30 || left === 10) note.textContent = says(note.dataset.say); // read out now and then
    if (left <= 0) note.textContent = words;
  };
  note.className = "unseen";
  note.setAttribute("role", "status");
  button.setAttribute("aria-disabled", "true"); // it can be pressed, and says why not
  count();
}

// Recovery codes can be kept by a press.
for (const row of document.querySelectorAll("[data-codes]")) {
  const text = [...document.getElementById(row.dataset.codes).children].map((one) => one.textContent).join("\n") + "\n";
  const said = row.querySelector("[data-said]");
  const ways = {
    copy: () => navigator.clipboard.writeText(text).then(() => (said.textContent = said.dataset.said)),
    print: () => print(),
    download: () => {
      const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob([text])), download: "recovery-codes.txt" });
      link.click();
      URL.revokeObjectURL(link.href);
    },
  };
  row.hidden = false;
  for (const button of row.querySelectorAll("button")) button.addEventListener("click", ways[button.dataset.do]);
}

// What went wrong is read out first.
document.querySelector("[data-focus]")?.focus();
