// Sorts the table by the column whose head is pressed; pressing again turns the order.
for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), table = head.closest("table"), body = table.tBodies[0];
    const up = head.getAttribute("aria-sort") === "descending" || (!head.hasAttribute("aria-sort") && !head.cellIndex);
    const key = (row) => row.cells[head.cellIndex].dataset.value;
    const compare = (a, b) => (head.cellIndex ? key(a) - key(b) : key(a).localeCompare(key(b)));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    body.append(...[...body.rows].sort((a, b) => (up ? compare(a, b) : compare(b, a))));
  });
}
