"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const options = {
    ast: true, // the policy allows no code that is made at run time
    actions: false,
    defaultStyle: false,
    renderer: "svg",
    logLevel: 1, // errors: an empty layer, as of no reports, is no reason to warn
    tooltip: { disableDefaultStyle: true },
  };

  function rowsOf(columns) {
    const names = Object.keys(columns);
    const count = names.length ? columns[names[0]].length : 0;
    return Array.from({ length: count }, (_, row) =>
      Object.fromEntries(names.map((name) => [name, columns[name][row]])));
  }

  async function draw(place, datasets) {
    const spec = data.specs[place.dataset.picture];
    const filled = datasets
      ? { ...spec, datasets: Object.fromEntries(Object.entries(datasets).map(([name, columns]) => [name, rowsOf(columns)])) }
      : spec;
    const shown = await vegaEmbed(place, filled, options);
    place.finalize?.();
    place.finalize = shown.finalize;
  }

  async function choose(choice, number) {
    const { columns, captions } = data.choices[choice.dataset.choice];
    choice.querySelector("figcaption").textContent = captions[number];
    await draw(choice.querySelector(".picture"), columns[number]);
  }

  function sortBy(heading) {
    const table = heading.closest("table");
    const body = table.tBodies[0];
    const place = heading.cellIndex;
    const down = heading.getAttribute("aria-sort") === "descending" ? 1 : -1;
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down < 0 ? "descending" : "ascending");
    const keyed = [...body.rows].map((row) => {
      const text = row.cells[place].dataset.value;
      const number = text === "" ? NaN : Number(text);
      return { row, text, number };
    });
    const numbers = keyed.every(({ text, number }) => text === "" || !Number.isNaN(number));
    keyed.sort((a, b) => {
      if ((a.text === "") !== (b.text === "")) return a.text === "" ? 1 : -1; // what is not known comes last
      return down * (numbers ? a.number - b.number : a.text.localeCompare(b.text));
    });
    body.append(...keyed.map(({ row }) => row));
  }

  for (const button of document.querySelectorAll("thead button")) {
    button.addEventListener("click", () => sortBy(button.closest("th")));
  }
  const root = document.documentElement;
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  for (const choice of document.querySelectorAll(".choice")) {
    choice.querySelector("select").addEventListener("change", (event) => choose(choice, event.target.value));
  }
  (async () => {
    // One after the other, so that the page can be read and scrolled meanwhile.
    for (const place of document.querySelectorAll(".picture")) {
      const choice = place.closest(".choice");
      await (choice ? choose(choice, 0) : draw(place));
      await new Promise((done) => setTimeout(done));
    }
    root.dataset.drawn = "yes";
  })();
})();
