// Arrow keys go where the page's own previous and next links go.
"use strict";

const steps = { ArrowLeft: "prev", ArrowRight: "next" };

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
  if (event.target.closest("input, select, textarea, pre")) return;
  const link = steps[event.key] && document.querySelector(`link[rel="${steps[event.key]}"]`);
  if (link) location.assign(link.href);
});
