
"use strict";
const find = document.getElementById("find"), found = document.getElementById("found");
const rows = Array.from(document.querySelectorAll("[data-find]"), e => ({e, text: e.textContent.toLowerCase()}));
find.addEventListener("input", () => {
  const words = find.value.toLowerCase().split(/\s+/).filter(w => w);
  let n = 0;
  for (const r of rows) {
    const hit = words.every(w => r.text.includes(w));
    r.e.hidden = !hit;
    if (hit) n++;
  }
  for (const s of document.querySelectorAll("main > section")) {
    const all = s.querySelectorAll("[data-find]");
    s.hidden = all.length > 0 && Array.from(all).every(e => e.hidden);
  }
  found.textContent = words.length ? n + " of " + rows.length : "";
});
