// What the pages do beyond plain HTML: `/` leads to the search field, the moving part is fetched again when the stream says
// so and every half minute (ages grow), times say themselves in the reader's own time zone. Without it every page still works.
(() => {
  "use strict";
  const HALF_MINUTE = 30000;

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const search = document.getElementById("search");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  });

  const tell = (live, isLive) => {
    const text = isLive ? live.dataset.live : live.dataset.away;
    live.classList.toggle("away", !isLive);
    live.hidden = false;
    // Only a change is announced; saying the same again would be noise.
    if (live.textContent !== text) live.textContent = text;
  };

  const inOwnZone = (root) => {
    const zone = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "long" });
    root.querySelectorAll("time[datetime][title]").forEach((time) => {
      const at = new Date(time.dateTime);
      if (isNaN(at) || time.title.includes("·")) return;
      time.title += ` · ${zone.format(at)}`;
    });
  };

  const tick = () => {
    if (!document.hidden) document.body.dispatchEvent(new CustomEvent("tick"));
  };

  const begin = () => {
    inOwnZone(document);
    const live = document.getElementById("live");
    if (!live) return;
    live.addEventListener("htmx:sse:after:connection", () => tell(live, true));
    live.addEventListener("htmx:sse:error", () => tell(live, false));
    live.addEventListener("htmx:sse:close", () => tell(live, false));
    document.body.addEventListener("htmx:after:swap", () => inOwnZone(document));
    setInterval(tick, HALF_MINUTE);
    document.addEventListener("visibilitychange", tick);
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
