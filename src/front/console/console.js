// What the console does with a script: the verdict while a form is filled in, and fields that do not concern a choice out of the
// way. Every page works without it.
"use strict";

// Shows only the fields of the choice that is made.
function follow(form) {
  for (const part of form.querySelectorAll("[data-shows]")) {
    const [name, value] = part.dataset.shows.split("=");
    const chosen = form.querySelector(`[name="${name}"]:checked`);
    part.hidden = chosen !== null && chosen.value !== value;
  }
}

// Asks for the verdict on what the form says by now: once nothing was typed for a moment, and never two questions at once.
function judge(form) {
  const place = form.querySelector("#verdict");
  let timer = 0;
  let asking = null;
  async function ask() {
    asking?.abort();
    asking = new AbortController();
    place.setAttribute("aria-busy", "true");
    try {
      const body = new URLSearchParams(new FormData(form));
      const options = { method: "POST", body, signal: asking.signal, redirect: "error", headers: { accept: "text/html" } };
      const answer = await fetch(form.dataset.verdict, options);
      if (!answer.ok) throw new Error(answer.statusText);
      // The page's own server has escaped whatever people have written.
      place.innerHTML = await answer.text();
    } catch (error) {
      // A later question has taken the place of this one.
      if (error.name === "AbortError") return;
      place.textContent = "It can not be judged just now. The button below tells why.";
    }
    place.removeAttribute("aria-busy");
  }
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 350);
  });
}

for (const form of document.querySelectorAll("form")) {
  follow(form);
  form.addEventListener("change", () => follow(form));
  if (form.dataset.verdict) judge(form);
}

// A choice that is the whole form is made at once.
for (const choice of document.querySelectorAll("select[data-submit]")) {
  choice.form.classList.add("scripted");
  choice.addEventListener("change", () => choice.form.submit());
}
