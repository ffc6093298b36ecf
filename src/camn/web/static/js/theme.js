// Which theme it is: the chosen one, else the system's. Run before the page is painted, so that it does not flash.
{
  const system = matchMedia("(prefers-color-scheme: dark)");
  const resolve = () => {
    let chosen = null;
    try {
      chosen = localStorage.getItem("camn-theme");
    } catch {
      // no storage: the system's theme it is
    }
    if (chosen !== "light" && chosen !== "dark") chosen = system.matches ? "dark" : "light";
    document.documentElement.dataset.theme = chosen;
  };
  resolve();
  system.addEventListener("change", resolve);
}
