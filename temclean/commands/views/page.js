"use strict";
document.documentElement.classList.add("js");  // before there is anything to lay out
addEventListener("DOMContentLoaded", () => {
  const root = document.documentElement, body = document.body;
  const articles = [...document.querySelectorAll("article")];
  const place = document.getElementById("place"), other = document.getElementById("close");
  const back = document.getElementById("back"), next = document.getElementById("next");
  let at = -1, share = 50;

  const slide = (value) => {
    share = Math.min(100, Math.max(0, value));
    root.style.setProperty("--at", share + "%");
    if (at >= 0) for (const each of articles[at].querySelectorAll("input")) each.value = share;
  };
  const close = (on) => {
    body.classList.toggle("close", on);
    other.textContent = on ? "All of it" : "The middle, pixel by pixel";
  };
  const follow = () => {
    const found = articles.findIndex((each) => "#" + each.id === location.hash);
    if (at >= 0) articles[at].classList.remove("shown");
    at = found < 0 && articles.length === 1 ? 0 : found;
    body.classList.toggle("one", at >= 0);
    if (at < 0) return;
    articles[at].classList.add("shown");
    place.textContent = `${at + 1} of ${articles.length}`;
    back.disabled = at === 0;
    next.disabled = at === articles.length - 1;
    other.hidden = !articles[at].querySelector(".middle");
    close(!other.hidden && body.classList.contains("close"));
    slide(share);
    scrollTo(0, 0);
  };
  const go = (to) => {
    if (to >= 0 && to < articles.length) { location.replace("#" + articles[to].id); follow(); }
  };
  const overview = () => {
    const from = at;
    location.replace("#");
    follow();
    if (from >= 0) document.querySelector(`#overview a[href="#${articles[from].id}"]`)?.focus();
  };

  for (const view of document.querySelectorAll(".view")) {
    const { width, height } = view.querySelector("img").attributes;
    view.style.width = `min(100%, 85vh * ${width.value / height.value})`;
  }
  addEventListener("hashchange", follow);
  document.addEventListener("input", (event) => { if (event.target.type === "range") slide(+event.target.value); });
  back.addEventListener("click", () => go(at - 1));
  next.addEventListener("click", () => go(at + 1));
  other.addEventListener("click", () => close(!body.classList.contains("close")));
  document.getElementById("all").addEventListener("click", overview);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || at < 0) return;
    const sliding = event.target.type === "range";
    const does = {
      ArrowLeft: () => go(at - 1), ArrowRight: () => go(at + 1), ",": () => slide(share - 5), ".": () => slide(share + 5),
      b: () => slide(share < 50 ? 100 : 0), m: () => { if (!other.hidden) other.click(); }, Escape: overview,
    }[event.key];
    if (!does || (sliding && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    if (sliding && event.key === "Escape") event.target.blur(); else does();
  });
  addEventListener("beforeprint", () => {
    for (const each of document.images) each.loading = "eager";
  });
  follow();
});
