// SPDX-License-Identifier: Apache-2.0
// Before the first paint, so that the page does not flash in the other colours.
(() => {
  try {
    const theme = localStorage.getItem("sluice-theme");
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  } catch {
    // A browser that keeps nothing follows the system.
  }
})();
