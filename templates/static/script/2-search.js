// Search over every channel of the atlas, and a random one. The rows are loaded at the first use.
"use strict";

(() => {
  const MOST = 60;

  // A row for each channel, behind those of the layers, whose channel is null.
  const rows = async () => {
    const layers = await atlas.load(`${atlas.root}_/search.js`);
    if (!layers.rows) {
      const whole = layers.map((layer) => ({ layer: layer.layer, folder: folder(layer), channel: null, words: layer.layer.toLowerCase() }));
      const single = layers.flatMap((layer) => {
        const channels = layer.channels.flatMap(([first, last]) =>
          Array.from({ length: last - first + 1 }, (_, index) => first + index),
        );
        return channels.map((channel, index) => row(layer, channel, layer.states[index]));
      });
      layers.rows = [...whole, ...single];
    }
    return layers.rows;
  };

  // Where a layer's pages lie: its name, where that can be a folder.
  const folder = (layer) => layer.folder || layer.layer;

  const row = (layer, channel, state) => {
    const branch = layer.branches.find(([, first, last]) => first <= channel && channel <= last);
    const [name, text] = layer.notes[channel] || ["", ""];
    const words = [layer.layer, branch ? `branch ${branch[0]}` : "", atlas.word(state), name, text].join(" ").toLowerCase();
    return { layer: layer.layer, folder: folder(layer), channel, state, name, words, branch: branch ? branch[0] : "" };
  };

  // Numbers name a channel; every other word has to be found in the layer, the branch, the state or the note.
  const matches = (rows, query) => {
    const words = query.toLowerCase().split(/[\s/,]+/).filter(Boolean);
    if (!words.length) return [];
    const numbers = words.filter((word) => /^\d+$/.test(word));
    const rest = words.filter((word) => !/^\d+$/.test(word));
    const fits = (one) =>
      (one.channel !== null || !numbers.length) &&
      numbers.every((number) => String(one.channel) === number || one.words.split(" ").includes(number)) &&
      rest.every((word) => one.words.includes(word));
    const exact = (one) => (words.includes(one.layer.toLowerCase()) ? 0 : 1);
    return rows.filter(fits).sort((a, b) => exact(a) - exact(b));
  };

  const item = (one) => {
    if (one.channel === null) {
      const said = atlas.make("span", {}, atlas.make("b", {}, one.layer), " ", atlas.make("span", { class: "fine" }, "layer"));
      return atlas.make("li", {}, atlas.make("a", { href: `${atlas.root}${one.folder}/index.html` }, said));
    }
    const seen = "adu".includes(one.state);
    const image = seen
      ? atlas.small(atlas.root, one.folder, one.channel)
      : atlas.make("span", { class: "none" });
    const said = [one.name, one.branch && `branch ${one.branch}`, atlas.word(one.state)].filter(Boolean).join(", ");
    const label = atlas.make("span", {}, atlas.make("b", {}, `${one.layer} ${one.channel}`), " ");
    if (said) label.append(atlas.make("span", { class: "fine" }, said));
    const link = atlas.make("a", { href: atlas.page(atlas.root, one.folder, one.channel) }, image, label);
    return atlas.make("li", {}, link);
  };

  const fill = (dialog) => {
    const given = { type: "search", "aria-label": "Search", placeholder: "layer and channel, branch, dead, a word of a note" };
    const input = atlas.make("input", { ...given, autocomplete: "off", spellcheck: "false" });
    const list = atlas.make("ul", { class: "found" });
    const said = atlas.make("p", { class: "fine", role: "status" });
    let latest = 0;
    const show = async () => {
      const mine = ++latest;
      let found;
      try {
        found = matches(await rows(), input.value);
      } catch {
        said.textContent = "The list of channels could not be loaded.";
        return;
      }
      if (mine !== latest) return;
      list.replaceChildren(...found.slice(0, MOST).map(item));
      const more = found.length > MOST ? `, the first ${MOST} are shown` : "";
      const none = found.length ? "" : ": this atlas has none that fits";
      const count = `${found.length.toLocaleString("en")} found${more}${none}`;
      said.textContent = input.value.trim() ? count : "";
    };
    input.addEventListener("input", show);
    dialog.addEventListener("keydown", (event) => {
      const links = [...list.querySelectorAll("a")];
      if (event.key === "Enter" && event.target === input && links.length) location.assign(links[0].href);
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      event.preventDefault();
      const at = links.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      (at < 0 ? input : links[Math.min(at, links.length - 1)]).focus();
    });
    dialog.append(input, said, list);
  };

  atlas.does.search = () => {
    const dialog = atlas.dialog("search", fill);
    dialog.querySelector("input").focus();
    rows().catch(() => {});
  };

  atlas.does.random = async () => {
    const address = (one) => new URL(atlas.page(atlas.root, one.folder, one.channel), location).pathname;
    const seen = (await rows()).filter((one) => "adu".includes(one.state));
    const others = seen.filter((one) => address(one) !== location.pathname);
    if (others.length) location.assign(address(others[Math.floor(Math.random() * others.length)]));
  };
})();
