// The page of a layer: order, filters, size and map of its channels. The address's fragment holds the view.
"use strict";

(() => {
  const form = document.getElementById("view");
  const place = document.getElementById("channels");
  const fields = form.elements;
  const output = form.querySelector("output");
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
      const own = fields.branch ? fields.branch.options[branch + 1].value : "";
      const item = { element, channel, branch: own, state, image, small: image && image.getAttribute("src"), note: "" };
      group.items.push(item);
      return item;
    }),
  );
  let data = null;
  let large = false;

  const load = async () => {
    if (data) return data;
    const given = await atlas.view.load(form.dataset.script);
    const told = new Map(atlas.view.items(given).map((one) => [one.channel, one]));
    for (const item of items) {
      const { at, note } = told.get(item.channel);
      Object.assign(item, { at, note });
    }
    data = given;
    return data;
  };

  // Large cells show the pictures themselves.
  const sharpen = (size) => {
    if (size > LARGE === large) return;
    large = size > LARGE;
    for (const { image, small, channel } of items) if (image) image.src = large ? `${channel}.webp` : small;
  };

  const lay = (view) => {
    const visible = items.filter((item) => atlas.view.fits(item, view));
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
      together.append(...atlas.view.sorted(items, view, data).map((item) => item.element));
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
    const like = items.find((one) => String(one.channel) === view.like);
    const unlike = view.sort === "like" && !map && !atlas.view.pictured(like, data);
    const hints = [map ? "neighbours excite the same channels" : "", few];
    output.textContent = unlike ? `channel ${view.like} has no picture here to be like` : hints.filter(Boolean).join(", ");
    fields.sort.disabled = Boolean(map);
  };

  const read = () => {
    const view = atlas.view.read();
    const { min, max } = fields.size;
    if (!/^\d+$/.test(view.size) || Number(view.size) < Number(min) || Number(view.size) > Number(max))
      view.size = atlas.view.START.size;
    for (const name of ["sort", "branch", "only"]) {
      const options = fields[name] ? [...fields[name].options].map((option) => option.value) : [];
      if (!options.includes(view[name])) view[name] = atlas.view.START[name]; // no such choice on this page
    }
    return view;
  };

  const fill = (view) => {
    for (const name of Object.keys(atlas.view.START)) {
      if (!fields[name]) continue;
      if (fields[name].type === "checkbox") fields[name].checked = Boolean(view[name]);
      else fields[name].value = view[name];
    }
  };

  const taken = () => {
    const view = { ...atlas.view.START };
    for (const name of Object.keys(atlas.view.START)) {
      if (!fields[name]) continue;
      view[name] = fields[name].type === "checkbox" ? (fields[name].checked ? "1" : "") : fields[name].value;
    }
    return view;
  };

  const write = (view) => {
    const said = atlas.view.text(view);
    history.replaceState(null, "", said ? `#${said}` : location.pathname + location.search);
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
    if (location.hash && !location.hash.includes("=")) return; // a branch's own anchor
    fill(view);
    apply(view);
  });
  // A channel's page takes the view along: its neighbours are those of this order.
  const along = (event) => {
    const link = event.target.closest("a.cell");
    if (link) link.hash = atlas.view.text(read());
  };
  for (const kind of ["pointerdown", "focusin"]) place.addEventListener(kind, along);
  const first = read();
  fill(first);
  form.hidden = false;
  if (atlas.view.text(first)) apply(first);
})();
