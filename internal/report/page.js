
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

// A number of the risk matrix shows the risks of its place alone, and all again.
const cells = document.querySelectorAll("a[data-cell]");
for (const a of cells) a.addEventListener("click", () => {
  const on = a.getAttribute("aria-current") !== "true";
  for (const b of cells) b.setAttribute("aria-current", on && a === b ? "true" : "false");
  for (const r of document.querySelectorAll("tr[data-cell]")) r.hidden = on && r.dataset.cell !== a.dataset.cell;
});
