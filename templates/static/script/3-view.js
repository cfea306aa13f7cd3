// How a layer's channels are looked at: what an address's fragment says of order and filters, and what comes of it.
"use strict";

atlas.view = {
  START: { sort: "number", like: "", branch: "", only: "", find: "", size: "96", map: "" },

  // The view that this page's address holds.
  read() {
    const view = { ...atlas.view.START };
    for (const [name, given] of new URLSearchParams(location.hash.slice(1))) if (name in view) view[name] = given;
    return view;
  },

  // The fragment that holds a view, without its #; empty for the one that every page begins with.
  text(view) {
    const said = new URLSearchParams();
    for (const [name, start] of Object.entries(atlas.view.START)) if (view[name] !== start) said.set(name, view[name]);
    return String(said);
  },

  // A layer's data, with the vectors by which its pictures are alike.
  async load(address) {
    const data = await atlas.load(address);
    if (data.axes && !data.vectors) {
      const text = atob(data.axes);
      const bytes = Int8Array.from(text, (letter) => letter.charCodeAt(0));
      const rows = data.rows.filter((row) => row !== null).length;
      data.vectors = { bytes, width: rows ? bytes.length / rows : 0 };
    }
    return data;
  },

  // All channels of a layer, as the functions below want them; ``at`` is the place in the data's lists.
  items(data) {
    return data.channels.map((channel, at) => ({
      at,
      channel,
      state: { a: "live", d: "dead", u: "dead", f: "failed", m: "missing" }[data.states[data.main][at]],
      branch: (data.branches.find(([, first, last]) => first <= channel && channel <= last) || [""])[0],
      note: (data.notes[channel] || []).join(" ").toLowerCase(),
    }));
  },

  fits(item, view) {
    if (view.branch && item.branch !== view.branch) return false;
    if (view.only && view.only !== item.state) return false;
    const find = view.find.trim().toLowerCase();
    return !find || (/^\d+$/.test(find) ? String(item.channel).startsWith(find) : item.note.includes(find));
  },

  // Items in the order of a view.
  sorted(items, view, data) {
    const like = items.find((one) => String(one.channel) === view.like);
    const keyed = items.map((item) => [atlas.view.rank(item, view, data, like), item]);
    const order = ([a, one], [b, two]) =>
      a === b ? one.channel - two.channel : a === null ? 1 : b === null ? -1 : a - b;
    return keyed.sort(order).map(([, item]) => item);
  },

  // The number by which an item is sorted, small ones first; null comes last.
  rank(item, view, data, like) {
    if (view.sort === "dead") return item.state === "live" ? 0 : 1;
    if (view.sort === "score") {
      const score = data.scores[data.main][item.at];
      return score === null ? null : -score;
    }
    if (view.sort === "colour" && data.colours) return data.colours[item.at];
    if (view.sort !== "like") return item.channel;
    if (!atlas.view.pictured(like, data) || !atlas.view.pictured(item, data)) return null;
    return like === item ? -Infinity : -atlas.view.alike(like, item, data);
  },

  // Whether it is known what an item's picture is like.
  pictured(item, data) {
    return Boolean(item) && data.rows !== undefined && data.rows[item.at] !== null;
  },

  alike(from, to, data) {
    const { bytes, width } = data.vectors;
    const [a, b] = [data.rows[from.at] * width, data.rows[to.at] * width];
    let sum = 0;
    for (let axis = 0; axis < width; axis += 1) sum += bytes[a + axis] * bytes[b + axis];
    return sum;
  },
};
