"use strict";
// A figure opens its run: the browser only scrolls to it, and a closed one shows nothing.
function open_target() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") {
    target.open = true;
    target.querySelector("summary").focus();
    target.scrollIntoView();
  }
}
addEventListener("hashchange", open_target);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#run-']");
  if (link && link.hash === location.hash) open_target();
});
open_target();

// The comparison of two versions of a frame: a divider, a choice for each side, and a zoom that scrolls.
for (const scene of document.querySelectorAll(".compare")) {
  const find = (name) => scene.querySelector(name);
  const [stage, sheet, under, over, line] = [".stage", ".sheet-of", ".under", ".over", ".line"].map(find);
  const [left, right, divider, zoom] = [".left", ".right", ".divider", ".zoom"].map(find);
  const stored = scene.querySelectorAll(".store img");

  // The divider stands still in what is seen, while the enlarged frame scrolls under it.
  function divide() {
    const place = stage.scrollLeft + (stage.clientWidth * divider.value) / 100;
    const share = Math.min(100, (100 * place) / sheet.clientWidth);
    over.style.clipPath = `inset(0 0 0 ${share}%)`;
    line.style.left = `${share}%`;
  }
  function choose(image, select) {
    const from = stored[select.value];
    const quality = from.dataset.quality ? `, ${from.dataset.quality}` : "";
    image.src = from.src;
    image.alt = `${scene.dataset.what}: ${from.alt}${quality}`;
  }
  function enlarge() {
    const before = Number(sheet.dataset.zoom || 1);
    const center = [stage.scrollLeft + stage.clientWidth / 2, stage.scrollTop + stage.clientHeight / 2];
    sheet.dataset.zoom = zoom.value;
    sheet.style.width = `${zoom.value * 100}%`;
    const factor = zoom.value / before;
    stage.scrollTo(center[0] * factor - stage.clientWidth / 2, center[1] * factor - stage.clientHeight / 2);
    divide();
  }
  function drag(event) {
    if (event.buttons !== 1) return;
    const box = stage.getBoundingClientRect();
    divider.value = (100 * (event.clientX - box.left)) / box.width;
    divide();
  }
  left.addEventListener("change", () => choose(under, left));
  right.addEventListener("change", () => choose(over, right));
  divider.addEventListener("input", divide);
  zoom.addEventListener("input", enlarge);
  stage.addEventListener("scroll", divide);
  stage.addEventListener("pointermove", drag);
  stage.addEventListener("pointerdown", drag);
  addEventListener("resize", divide);
  scene.hidden = false;
  choose(under, left);
  choose(over, right);
  divide();
}

// A click on the head of a column sorts a table by it: falling, rising, as printed. A method's rows stay together.
for (const table of document.querySelectorAll("table.sheet")) {
  const [upper, lower] = table.tHead ? table.tHead.rows : [];
  if (!lower) continue;
  const printed = [...table.tBodies], leaves = [...lower.cells], heads = [];
  for (const head of upper.cells) {
    if (head.scope === "colgroup") heads.push(...leaves.splice(0, head.colSpan));
    else heads.push(head);
  }
  const value = (body, column) => {
    const text = body.rows[0].cells[column].textContent.trim();
    const number = parseFloat(text);
    return Number.isNaN(number) ? text : number;
  };
  function sort(head, column) {
    const falling = head.ariaSort === "descending", rising = head.ariaSort === "ascending";
    for (const other of heads) other.ariaSort = null;
    head.ariaSort = rising ? null : falling ? "ascending" : "descending";
    const sign = falling ? 1 : -1;
    const order = (a, b) => {
      const [left, right] = [value(a, column), value(b, column)];
      // What was not measured stands below what was, whichever way.
      if (typeof left !== typeof right) return typeof left === "number" ? -1 : 1;
      return sign * (typeof left === "number" ? left - right : left.localeCompare(right));
    };
    table.append(...(rising ? printed : [...printed].sort(order)));
  }
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(head, column));
    head.append(button);
  });
}
