// Shows what changed as soon as the site hears of it. Without scripts, reload.
for (;;) {
  const answer = await fetch('/changes').catch(() => ({ status: 0 }));
  if (answer.status === 200) {
    const text = await (await fetch('/')).text();
    const page = new DOMParser().parseFromString(text, 'text/html');
    document.title = page.title;
    document.getElementById('page').replaceWith(page.getElementById('page'));
  } else if (answer.status !== 204) {
    await new Promise((done) => setTimeout(done, 1000));
  }
}
