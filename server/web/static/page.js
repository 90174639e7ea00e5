// Draws anew what has changed of an order while somebody looks at it; a form that is being filled in is left alone.
"use strict";

const live = document.getElementById("live");

function redraw(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const part of fresh.querySelectorAll("[data-mark]")) {
    const old = document.getElementById(part.id);
    if (old && old.dataset.mark !== part.dataset.mark && !old.contains(document.activeElement)) {
      old.replaceWith(document.adoptNode(part));
    }
  }
}

async function look() {
  const status = document.getElementById("status");
  let wait = status.dataset.ended === "yes" ? 5000 : 700;
  try {
    const answer = await fetch(`${live.dataset.live}?seen=${status.dataset.revision}`, { redirect: "manual" });
    if (answer.status === 200) redraw(await answer.text());
    else if (answer.status !== 204) wait = 5000;
    live.classList.toggle("stale", answer.status !== 200 && answer.status !== 204);
  } catch {
    live.classList.add("stale"); // the server does not answer: what is shown may be old
    wait = 2000;
  }
  setTimeout(look, wait);
}

look();
