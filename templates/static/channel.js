// The page of a channel: its picture as large as the window, its ascent step by step, texts to copy.
"use strict";

(() => {
  const pager = document.querySelector(".pager");
  const first = document.querySelector(".main a.picture");

  // A picture as large as the window; what is open is closed.
  const zoom = (link = first) => {
    if (!link) return false;
    const open = document.querySelector("dialog.zoom[open]");
    if (open) return open.close(), true;
    const dialog = atlas.dialog("picture", (dialog) => {
      const pixels = atlas.make("button", { type: "button", "aria-pressed": "false" }, "Pixels");
      pixels.addEventListener("click", () => {
        const on = dialog.classList.toggle("pixels");
        pixels.setAttribute("aria-pressed", String(on));
      });
      dialog.classList.add("zoom");
      dialog.append(atlas.make("div", { class: "stage" }), pixels);
    });
    const { alt, width, height } = link.querySelector("img");
    dialog.querySelector(".stage").replaceChildren(atlas.make("img", { src: link.href, alt, width, height }));
    dialog.querySelector("button").focus();
    return true;
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "z" && !event.defaultPrevented && document.querySelector("dialog.zoom[open]")) zoom();
  });

  // Before and after, in the order and among the channels of the view that the address holds.
  const step = (rel, item, view) => {
    document.querySelector(`link[rel="${rel}"]`)?.remove();
    pager.querySelector(`.${rel}`)?.remove();
    if (!item) return;
    const { layer } = pager.dataset;
    const href = `${atlas.page(atlas.root, layer, item.channel)}#${atlas.view.text(view)}`;
    const [word, key] = rel === "prev" ? ["Previous", "←"] : ["Next", "→"];
    const by = { score: " by score", colour: " by colour", like: ` in likeness to ${view.like}` }[view.sort] || "";
    const said = atlas.make("span", {}, atlas.make("span", { class: "fine" }, word + by), ` ${item.channel}`);
    const seen = item.state === "live" || item.state === "dead";
    const inside = seen ? [atlas.small(atlas.root, layer, item.channel), said] : [said];
    const link = atlas.make("a", { class: rel, rel, href, title: `${word}, key ${key}` }, ...inside);
    pager[rel === "prev" ? "prepend" : "append"](link);
    document.head.append(atlas.make("link", { rel, href }));
  };

  const order = async () => {
    const view = atlas.view.read();
    if (!atlas.view.text(view)) return;
    const up = [...document.querySelectorAll(".path a")].pop();
    up.hash = atlas.view.text(view);
    const data = await atlas.view.load(`${atlas.root}_/data/${pager.dataset.layer}.js`);
    const all = atlas.view.sorted(atlas.view.items(data), view, data);
    const list = all.filter((item) => atlas.view.fits(item, view));
    const at = list.findIndex((item) => String(item.channel) === pager.dataset.channel);
    if (at < 0) return; // an address of somebody's: the channel is not among those of the view
    step("prev", list[at - 1], view);
    step("next", list[at + 1], view);
  };
  order().catch(() => {}); // without the layer's data the order stays that of numbers

  // Where the layer stands in a drawing that is wider than the window.
  const here = document.querySelector(".network [aria-current]");
  if (here) {
    const box = here.closest(".scroll");
    const at = here.getBoundingClientRect();
    box.scrollLeft += at.left + at.width / 2 - box.getBoundingClientRect().left - box.clientWidth / 2;
  }

  for (const link of document.querySelectorAll("a.picture")) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      zoom(link);
    });
  }
  atlas.does.zoom = () => zoom();
  atlas.keys.z = "zoom";
  atlas.does.compare = () => location.assign(document.querySelector(".ways a").href);
  atlas.keys.c = "compare";

  // The ascent: frames lie in rows in one picture, of which a window shows one.
  const ascent = document.querySelector(".ascent");
  if (ascent) {
    const { columns, src } = ascent.dataset;
    const steps = ascent.dataset.steps.split(" "); // taken before each frame
    const last = steps.length - 1; // the finished picture
    const rows = Math.ceil(steps.length / columns);
    const whole = document.querySelector(".main .picture img");
    const play = atlas.make("button", { type: "button" }, "Play");
    const slider = atlas.make("input", { type: "range", min: 0, max: last, value: last, "aria-label": "Step" });
    const said = atlas.make("output", { class: "fine" }, `step ${steps[last]}`);
    const sheet = atlas.make("img", { alt: "", class: "frames" });
    let timer = 0;

    const show = (frame) => {
      slider.value = frame;
      const finished = frame >= last;
      said.textContent = `step ${steps[Math.min(frame, last)]}`;
      slider.setAttribute("aria-valuetext", said.textContent);
      sheet.hidden = finished;
      if (finished) return;
      if (!sheet.src) {
        sheet.src = src;
        whole.after(sheet);
      }
      sheet.style.width = `${100 * columns}%`;
      sheet.style.left = `${-100 * (frame % columns)}%`;
      sheet.style.top = `${-100 * Math.floor(frame / columns)}%`;
      sheet.style.height = `${100 * rows}%`;
    };
    const stop = () => {
      clearInterval(timer);
      timer = 0;
      play.textContent = "Play";
    };
    play.addEventListener("click", () => {
      if (timer) return stop();
      play.textContent = "Stop";
      let frame = Number(slider.value) >= last ? 0 : Number(slider.value);
      show(frame);
      timer = setInterval(() => {
        frame += 1;
        show(frame);
        if (frame >= last) stop();
      }, 90);
    });
    slider.addEventListener("input", () => {
      stop();
      show(Number(slider.value));
    });
    ascent.append(play, slider, said);
    ascent.hidden = false;
  }

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => atlas.copy(document.getElementById(button.dataset.copy), button));
  }
})();
