// The ground of the pages' scripts: elements, data that is loaded when it is needed, dialogs, keys.
"use strict";

const atlas = {
  root: document.documentElement.dataset.root,
  loaded: new Map(),

  // The data of a script under _/, loaded once: the script hands it over by give.
  load(address) {
    if (!atlas.loaded.has(address)) {
      atlas.loaded.set(
        address,
        new Promise((resolve, reject) => {
          const script = atlas.make("script", { src: address });
          script.onload = () => (script.given ? resolve(script.given) : reject(new Error(address)));
          script.onerror = () => reject(new Error(address));
          document.head.append(script);
        }),
      );
    }
    return atlas.loaded.get(address);
  },

  give(data) {
    document.currentScript.given = data;
  },

  // An element with attributes and what is in it.
  make(tag, attributes = {}, ...inside) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...inside.filter((one) => one !== null && one !== undefined));
    return element;
  },

  // A dialog over the page, made at its first use.
  dialog(name, fill) {
    let dialog = document.getElementById(name);
    if (!dialog) {
      dialog = atlas.make("dialog", { id: name, "aria-label": name });
      const close = atlas.make("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
      close.addEventListener("click", () => dialog.close());
      dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
      dialog.append(close);
      document.body.append(dialog);
      fill(dialog);
    }
    if (!dialog.open) dialog.showModal();
    return dialog;
  },

  // Show what waits, once it is that near to what is seen, in px. Browsers' own way looks 1,250 px ahead from the first.
  reveal(margin) {
    const watch = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries) {
          if (!isIntersecting) continue;
          target.classList.remove("later");
          watch.unobserve(target);
        }
      },
      { rootMargin: `${margin}px` },
    );
    for (const element of document.querySelectorAll(".later")) watch.observe(element);
    return watch;
  },

  // The small picture of a channel, sharp on screens with two pixels in one of the page.
  small(root, layer, channel) {
    const name = `thumbs/${layer}/${channel}.webp`;
    const addresses = { src: `${root}_/${name}`, srcset: `${root}_/2x/${name} 2x` };
    return atlas.make("img", { ...addresses, alt: "", width: 96, height: 96 });
  },

  page(root, layer, channel) {
    return `${root}${layer}/${channel}.html`;
  },

  // A score as the other pages say it.
  score(value) {
    if (Math.abs(value) < 0.0005) return "0";
    const spelt = Math.abs(value) < 99.95 ? String(Number(value.toPrecision(3))) : Math.round(value).toLocaleString("en");
    return spelt.replace("-", "−");
  },

  // What a state's letter stands for, where it is worth a word.
  word(letter) {
    return { d: "dead", u: "not raised", f: "failed", m: "not yet" }[letter] || "";
  },

  // Copy what an element says; where that is not allowed, select it.
  async copy(element, button) {
    button.dataset.said ||= button.textContent;
    try {
      await navigator.clipboard.writeText(element.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(element);
      button.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => (button.textContent = button.dataset.said), 2000);
  },

  help() {
    const keys = [
      ["← →", "previous and next channel, layer or photo"],
      ["u", "up: to the layer, the photo, the atlas"],
      ["/", "search"],
      ["r", "a random channel"],
      ["c", "compare this channel"],
      ["z", "the picture as large as the window"],
      ["?", "these keys"],
      ["Esc", "close"],
    ];
    atlas.dialog("keys", (dialog) => {
      const rows = keys.map(([key, what]) =>
        atlas.make("div", {}, atlas.make("dt", {}, atlas.make("kbd", {}, key)), atlas.make("dd", {}, what)),
      );
      dialog.append(atlas.make("h2", {}, "Keys"), atlas.make("dl", { class: "keys" }, ...rows));
    });
  },

  // What keys and buttons do; other scripts add theirs.
  does: {
    help: () => atlas.help(),
    up: () => {
      const here = location.href.replace(/#.*/, "");
      const links = [...document.querySelectorAll(".path a")].filter((link) => link.href !== here);
      if (links.length) location.assign(links[links.length - 1].href);
    },
    prev: () => atlas.follow("prev"),
    next: () => atlas.follow("next"),
  },

  keys: { ArrowLeft: "prev", ArrowRight: "next", u: "up", "/": "search", r: "random", "?": "help" },

  follow(rel) {
    const link = document.querySelector(`link[rel="${rel}"]`);
    if (link) location.assign(link.href);
    return Boolean(link);
  },
};

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
  if (event.target.closest("input, select, textarea, [role=slider]") || document.querySelector("dialog[open]")) return;
  if (event.key.startsWith("Arrow") && (event.shiftKey || event.target.closest("pre, .scroll"))) return;
  const act = atlas.does[atlas.keys[event.key]];
  if (act && act() !== false) event.preventDefault();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button && atlas.does[button.dataset.do]) atlas.does[button.dataset.do]();
});

for (const button of document.querySelectorAll("[data-do]")) button.hidden = false;

const watching = atlas.reveal(100);
window.addEventListener("scroll", () => (watching.disconnect(), atlas.reveal(1200)), { once: true, passive: true });
