// The page that shows two to six pictures side by side, as the address's fragment says:
// #mixed4/17,mixed4/18@negative,other-atlas:mixed4/17
"use strict";

(() => {
  const MOST = 6;
  const SHAPE = /^(?:([^:/,@]+):)?([A-Za-z0-9_.-]+)[/ ](\d+)(?:@([A-Za-z0-9_-]+))?$/;
  const form = document.getElementById("add");
  const list = document.getElementById("comparison");
  const output = form.querySelector("output");

  const decoded = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text; // a lone % of somebody's
    }
  };

  const wanted = () =>
    location.hash.slice(1).split(",").map((one) => decoded(one).trim()).filter(Boolean).slice(0, MOST);

  const show = (names) => {
    location.hash = names.map(encodeURIComponent).join(",").replace(/%(2F|40|3A)/g, decodeURIComponent);
  };

  const column = async (name, place, names) => {
    const match = SHAPE.exec(name);
    const remove = atlas.make("button", { type: "button", "aria-label": `Remove ${name}` }, "×");
    remove.addEventListener("click", () => show(names.filter((_, index) => index !== place)));
    const fail = (said) => atlas.make("li", {}, atlas.make("div", { class: "none" }, atlas.make("p", {}, said)), remove);
    if (!match) return fail(`${name}: expected layer/channel`);
    const [, other, layer, digits, asked] = match;
    const channel = String(Number(digits));
    const root = other ? `${atlas.root}../${encodeURIComponent(other)}/` : atlas.root;
    let data;
    try {
      data = await atlas.load(`${root}_/data/${layer}.js`);
    } catch {
      return fail(`${name}: there is no such layer`);
    }
    const at = data.channels.indexOf(Number(channel));
    const recipe = asked || data.main;
    if (at < 0 || !Object.hasOwn(data.states, recipe)) return fail(`${name}: there is no such ${at < 0 ? "channel" : "recipe"}`);
    const state = data.states[recipe][at];
    const page = atlas.page(root, layer, channel);
    const file = `${root}${layer}/${channel}${recipe === data.main ? "" : `.${recipe}`}.webp`;
    const seen = "adu".includes(state);
    const title = `${other ? `${other}: ` : ""}${layer} ${channel}`;
    const picture = seen
      ? atlas.make("img", { src: file, alt: `The picture made for ${title}, recipe ${recipe}` })
      : atlas.make("div", { class: "none" }, atlas.make("p", {}, atlas.word(state)));
    const score = data.scores[recipe][at];
    const [note] = data.notes[channel] || [""];
    const said = [recipe, atlas.word(state), score === null ? "" : `score ${atlas.score(score)}`, note];
    return atlas.make(
      "li",
      {},
      atlas.make("a", { href: page, class: "picture" }, picture),
      atlas.make("h2", {}, atlas.make("a", { href: page }, title)),
      atlas.make("p", { class: "fine" }, said.filter(Boolean).join(", ")),
      remove,
    );
  };

  const draw = async () => {
    const names = wanted();
    const columns = await Promise.all(names.map((name, place) => column(name, place, names)));
    if (String(wanted()) !== String(names)) return; // the address has changed meanwhile
    list.replaceChildren(...columns);
    list.style.setProperty("--columns", Math.max(2, Math.min(3, names.length)));
    list.classList.toggle("four", names.length === 4);
    output.textContent = names.length >= MOST ? "six at most" : "";
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const what = form.elements.what.value.trim().replace(/\s+/, "/");
    const names = wanted();
    if (!what || names.length >= MOST) return;
    if (!SHAPE.test(what)) {
      output.textContent = `expected layer/channel, received ${what}`;
      return;
    }
    form.elements.what.value = "";
    show([...names, what]);
  });
  window.addEventListener("hashchange", draw);
  form.hidden = false;
  draw();
})();
