(() => {
  const paintButton = () => document.querySelector("#paint-button");

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    const button = paintButton();
    if (!button || button.disabled) return;
    event.preventDefault();
    button.click();
  }, true);

  // The editor's own events miss the first stroke and upload on every move; the drawing is read when a stroke ends.
  document.addEventListener("pointerup", (event) => {
    if (!event.target.closest?.("#editor")) return;
    for (const delay of [150, 1500]) setTimeout(() => document.querySelector("#redraw")?.click(), delay);
  }, true);

  const preferred = () => {
    const asked = new URLSearchParams(location.search).get("lang");
    if (asked) return asked;
    try {
      const kept = localStorage.getItem("studio-language");
      if (kept) return kept;
    } catch { /* storage may be closed to this page */ }
    return navigator.language || "en";
  };

  window.studioPage = {
    firstLanguage: () => (preferred().toLowerCase().startsWith("zh") ? "zh" : "en"),
    keepLanguage: (language) => {
      document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
      try { localStorage.setItem("studio-language", language); } catch { /* as above */ }
    },
    showResult: () => {
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      const scroll = () => document.querySelector("#result")?.scrollIntoView({
        behavior: calm ? "auto" : "smooth", block: "start",
      });
      scroll();
      // The result grows once painting begins; only then is there room to scroll to its top.
      const began = Date.now();
      const watch = setInterval(() => {
        const painting = document.querySelector("#live-group")?.offsetParent;
        if (painting) setTimeout(scroll, 150);
        if (painting || Date.now() - began > 30000) clearInterval(watch);
      }, 100);
    },
    dice: () => Math.floor(Math.random() * 4294967296),
  };
})();
