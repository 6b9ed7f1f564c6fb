// What the pages do besides working without this: everything here only saves a press.

// The choice of a language takes effect at once.
for (const select of document.querySelectorAll("select[data-at-once]")) {
  select.form.querySelector("button").hidden = true;
  select.addEventListener("change", () => select.form.requestSubmit());
}

// A password can be looked at.
for (const button of document.querySelectorAll("button[data-shows]")) {
  const field = document.getElementById(button.dataset.shows);
  button.hidden = false;
  button.addEventListener("click", () => {
    const shown = field.type === "text";
    field.type = shown ? "password" : "text";
    button.setAttribute("aria-pressed", String(!shown));
  });
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

// The sixth digit of a code sends it.
for (const field of document.querySelectorAll("input[data-digits]")) {
  field.addEventListener("input", () => {
    if (field.value.replace(/[\s-]/g, "").length === Number(field.dataset.digits)) field.form.requestSubmit();
  });
}

// The page of a link goes on by itself in the browser that asked for it.
document.querySelector("form[data-auto]")?.requestSubmit();

// The page that waits for a link goes on once it was opened elsewhere.
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
  setTimeout(look, 1000);
}

// What went wrong is read out first.
document.querySelector("[data-focus]")?.focus();
