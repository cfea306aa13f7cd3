// The page of a layer: order, filters, size and map of its channels. The address's fragment holds the view.
"use strict";

(() => {
  const form = document.getElementById("view");
  const place = document.getElementById("channels");
  const fields = form.elements;
  const output = form.querySelector("output");
  const START = { sort: "number", like: "", branch: "", only: "", find: "", size: "96", map: "" };
  const LARGE = 128; // px from which on the pictures themselves are shown
  const sections = [...place.querySelectorAll(".branch")].map((section) => ({
    section,
    list: section.querySelector("ul"),
    items: [],
  }));
  const together = atlas.make("ul", { class: "grid", hidden: true });
  place.append(together);
  const items = sections.flatMap((group, branch) =>
    [...group.list.children].map((element) => {
      const link = element.firstElementChild;
      const channel = Number(link.querySelector("b").textContent);
      const image = link.querySelector("img");
      const state = ["dead", "failed", "missing"].find((one) => link.classList.contains(one)) || "live";
      const item = { element, channel, branch, state, image, small: image && image.getAttribute("src"), note: "" };
      group.items.push(item);
      return item;
    }),
  );
  let data = null;
  let large = false;

  const load = async () => {
    if (data) return data;
    const given = await atlas.load(form.dataset.script);
    const index = new Map(given.channels.map((channel, at) => [channel, at]));
    for (const item of items) item.at = index.get(item.channel);
    if (given.axes) {
      const text = atob(given.axes);
      const bytes = Int8Array.from(text, (letter) => letter.charCodeAt(0));
      const rows = given.rows.filter((row) => row !== null).length;
      given.vectors = { bytes, width: rows ? bytes.length / rows : 0 };
    }
    for (const [channel, words] of Object.entries(given.notes)) {
      const item = items.find((one) => one.channel === Number(channel));
      if (item) item.note = words.join(" ").toLowerCase();
    }
    data = given;
    return data;
  };

  const alike = (from, to) => {
    const { bytes, width } = data.vectors;
    const [a, b] = [data.rows[from.at] * width, data.rows[to.at] * width];
    let sum = 0;
    for (let axis = 0; axis < width; axis += 1) sum += bytes[a + axis] * bytes[b + axis];
    return sum;
  };

  const vectored = (item) => Boolean(item) && data.rows !== undefined && data.rows[item.at] !== null;

  // The number by which an item is sorted, small ones first; null comes last.
  const value = (item, view) => {
    if (view.sort === "number") return item.channel;
    if (view.sort === "dead") return item.state === "live" ? 0 : 1;
    if (view.sort === "score") {
      const score = data.scores[data.main][item.at];
      return score === null ? null : -score;
    }
    if (view.sort === "colour") return data.colours[item.at];
    const like = items.find((one) => String(one.channel) === view.like);
    if (!like || data.rows[like.at] === null || data.rows[item.at] === null) return null;
    return like === item ? -Infinity : -alike(like, item);
  };

  const shown = (item, view) => {
    if (view.branch && form.elements.branch.options[item.branch + 1].value !== view.branch) return false;
    if (view.only && view.only !== item.state) return false;
    const find = view.find.trim().toLowerCase();
    return !find || (/^\d+$/.test(find) ? String(item.channel).startsWith(find) : item.note.includes(find));
  };

  const sorted = (list, view) => {
    const keyed = list.map((item) => [value(item, view), item]);
    const order = ([a, one], [b, two]) =>
      a === b ? one.channel - two.channel : a === null ? 1 : b === null ? -1 : a - b;
    return keyed.sort(order).map(([, item]) => item);
  };

  // Large cells show the pictures themselves.
  const sharpen = (size) => {
    if (size > LARGE === large) return;
    large = size > LARGE;
    for (const { image, small, channel } of items) if (image) image.src = large ? `${channel}.webp` : small;
  };

  const lay = (view) => {
    const visible = items.filter((item) => shown(item, view));
    const map = Boolean(view.map) && data && data.map;
    const grouped = view.sort === "number" && !map;
    for (const item of items) {
      item.element.hidden = true;
      item.element.style.gridArea = "";
      item.element.title = map ? `channel ${item.channel}` : "";
    }
    for (const item of visible) item.element.hidden = false;
    if (grouped) {
      for (const group of sections) {
        group.list.append(...group.items.map((item) => item.element));
        group.section.hidden = !group.items.some((item) => !item.element.hidden);
      }
    } else {
      for (const group of sections) group.section.hidden = true;
      together.append(...sorted(items, view).map((item) => item.element));
    }
    together.hidden = grouped;
    together.classList.toggle("map", Boolean(map));
    together.style.gridTemplateColumns = map ? `repeat(${data.map[0]}, ${view.size}px)` : "";
    if (map) {
      for (const item of visible) {
        const cell = data.map[1][item.at];
        if (cell === null) item.element.hidden = true;
        else item.element.style.gridArea = `${Math.floor(cell / data.map[0]) + 1} / ${(cell % data.map[0]) + 1}`;
      }
    }
    place.style.setProperty("--cell", `${view.size}px`);
    sharpen(Number(view.size));
    const all = items.length.toLocaleString("en");
    const few = visible.length < items.length ? `${visible.length.toLocaleString("en")} of ${all}` : "";
    const unlike = view.sort === "like" && !map && !vectored(items.find((one) => String(one.channel) === view.like));
    output.textContent = unlike ? `channel ${view.like} has no picture here to be like` : few;
    fields.sort.disabled = Boolean(map);
  };

  const read = () => {
    const view = { ...START };
    for (const [name, given] of new URLSearchParams(location.hash.slice(1))) if (name in view) view[name] = given;
    const { min, max } = fields.size;
    if (!/^\d+$/.test(view.size) || Number(view.size) < Number(min) || Number(view.size) > Number(max))
      view.size = START.size;
    for (const name of ["sort", "branch", "only"]) {
      const options = fields[name] ? [...fields[name].options].map((option) => option.value) : [];
      if (!options.includes(view[name])) view[name] = START[name]; // no such choice on this page
    }
    return view;
  };

  const fill = (view) => {
    for (const name of Object.keys(START)) {
      if (!fields[name]) continue;
      if (fields[name].type === "checkbox") fields[name].checked = Boolean(view[name]);
      else fields[name].value = view[name];
    }
  };

  const taken = () => {
    const view = { ...START };
    for (const name of Object.keys(START)) {
      if (!fields[name]) continue;
      view[name] = fields[name].type === "checkbox" ? (fields[name].checked ? "1" : "") : fields[name].value;
    }
    return view;
  };

  const write = (view) => {
    const said = new URLSearchParams();
    for (const [name, start] of Object.entries(START)) if (view[name] !== start) said.set(name, view[name]);
    history.replaceState(null, "", said.size ? `#${said}` : location.pathname + location.search);
  };

  const apply = async (view) => {
    if (fields.like) {
      fields.like.closest("label").hidden = view.sort !== "like";
      if (view.sort === "like" && !view.like) {
        view.like = String((items.find((item) => item.state === "live") || items[0]).channel);
        fields.like.value = view.like;
      }
    }
    if (view.sort !== "number" || view.find || view.map) {
      try {
        await load();
      } catch {
        output.textContent = "What is needed for that could not be loaded.";
        return;
      }
    }
    lay(view);
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    const view = taken();
    apply(view).then(() => write(view));
  });
  window.addEventListener("hashchange", () => {
    const view = read();
    if (!Object.keys(START).some((name) => name in Object.fromEntries(new URLSearchParams(location.hash.slice(1)))))
      if (location.hash) return; // a branch's own anchor
    fill(view);
    apply(view);
  });
  const first = read();
  fill(first);
  form.hidden = false;
  if (Object.entries(first).some(([name, given]) => given !== START[name])) apply(first);
})();
