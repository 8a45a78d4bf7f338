// Makes tables sortable and searchable. The page is complete without it.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const number = text => (text === "" || isNaN(text.replace(/,/g, ""))) ? null : parseFloat(text.replace(/,/g, ""));
  const compare = (a, b) => (number(a) !== null && number(b) !== null) ? number(a) - number(b) : a.localeCompare(b);
  const sort = (down, textOf) => {
    const rows = [...body.rows].map(row => [textOf(row), row]);
    rows.sort((a, b) => down * compare(a[0], b[0]));
    body.append(...rows.map(pair => pair[1]));
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      sort(down, row => row.cells[column].textContent.trim());
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down === 1 ? "ascending" : "descending");
    });
  });
  const label = document.createElement("label");
  label.className = "search";
  label.textContent = "Search ";
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "words that a row has to have";
  const count = document.createElement("output");
  label.append(field, " ", count);
  const parameters = new Set([...body.querySelectorAll("[data-name]")].map(one => one.dataset.name));
  if (parameters.size) {
    const chosen = document.createElement("select");
    chosen.append(new Option("", ""), ...[...parameters].map(name => new Option(name, name)));
    chosen.addEventListener("change", () => {
      const value = row => row.querySelector(`[data-name="${CSS.escape(chosen.value)}"]`)?.dataset.value ?? "";
      for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
      sort(1, value);
    });
    const by = document.createElement("label");
    by.append(" sorted by ", chosen);
    label.append(by);
  }
  table.closest(".wide").before(label);
  const texts = [...body.rows].map(row => [row, row.textContent.toLowerCase()]);
  const search = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [row, text] of texts) {
      row.hidden = !words.every(word => text.includes(word));
      shown += !row.hidden;
    }
    count.textContent = `${shown} of ${texts.length}`;
  };
  field.addEventListener("input", search);
  search();
}
