// The page of a channel: its picture as large as the window, its ascent step by step, texts to copy.
"use strict";

(() => {
  const link = document.querySelector(".main .picture");

  const zoom = () => {
    if (!link || !link.href) return false;
    const open = document.querySelector("dialog.zoom[open]");
    if (open) return open.close(), true;
    const dialog = atlas.dialog("picture", (dialog) => {
      const image = link.querySelector("img");
      const large = atlas.make("img", { src: link.href, alt: image.alt, width: image.width, height: image.height });
      const pixels = atlas.make("button", { type: "button", "aria-pressed": "false" }, "Pixels");
      pixels.addEventListener("click", () => {
        const on = dialog.classList.toggle("pixels");
        pixels.setAttribute("aria-pressed", String(on));
      });
      dialog.classList.add("zoom");
      dialog.append(atlas.make("div", { class: "stage" }, large), pixels);
    });
    dialog.querySelector("button").focus();
    return true;
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "z" && !event.defaultPrevented && document.querySelector("dialog.zoom[open]")) zoom();
  });

  // Where the layer stands in a drawing that is wider than the window.
  const here = document.querySelector(".network [aria-current]");
  if (here) {
    const box = here.closest(".scroll");
    const at = here.getBoundingClientRect();
    box.scrollLeft += at.left + at.width / 2 - box.getBoundingClientRect().left - box.clientWidth / 2;
  }

  if (link && link.tagName === "A") {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      zoom();
    });
  }
  atlas.does.zoom = zoom;
  atlas.keys.z = "zoom";
  atlas.does.compare = () => location.assign(document.querySelector(".ways a").href);
  atlas.keys.c = "compare";

  // The ascent: frames lie in rows in one picture, of which a window shows one.
  const ascent = document.querySelector(".ascent");
  if (ascent) {
    const { count, every, columns, src, steps } = ascent.dataset;
    const frames = Number(count);
    const last = frames - 1; // the finished picture
    const rows = Math.ceil(frames / columns);
    const whole = document.querySelector(".main .picture img");
    const play = atlas.make("button", { type: "button" }, "Play");
    const slider = atlas.make("input", { type: "range", min: 0, max: last, value: last, "aria-label": "Step" });
    const said = atlas.make("output", { class: "fine" }, `step ${steps}`);
    const sheet = atlas.make("img", { alt: "", class: "frames" });
    let timer = 0;

    const show = (frame) => {
      slider.value = frame;
      const finished = frame >= last;
      said.textContent = `step ${finished ? steps : frame * every}`;
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
