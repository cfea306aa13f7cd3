// The page of a layer beside others: its order, which the address's fragment holds.
"use strict";

(() => {
  const form = document.getElementById("order");
  const list = document.getElementById("versus");
  if (!form) return;
  const select = form.elements.sort;
  const items = [...list.children];
  const known = [...select.options].map((option) => option.value);

  const lay = () => {
    const given = new URLSearchParams(location.hash.slice(1)).get("sort");
    const sort = known.includes(given) ? given : known[0];
    const value = (item, name) => Number(item.dataset[name]);
    select.value = sort;
    items.sort((one, two) => value(one, sort) - value(two, sort) || value(one, "number") - value(two, "number"));
    list.append(...items);
  };

  select.addEventListener("change", () => {
    history.replaceState(null, "", select.value === known[0] ? location.pathname : `#sort=${select.value}`);
    lay();
  });
  addEventListener("hashchange", lay);
  form.hidden = false;
  lay();
})();
