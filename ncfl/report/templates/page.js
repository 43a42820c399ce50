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
