#!/usr/bin/env python3
"""Uses the page of `atrous serve` in headless Chromium as a person would, and looks whether it holds.

A photograph is dropped, the pointer moved, a pixel clicked, classes switched off, two networks compared, results
saved, and everything done again by the keyboard alone; axe-core looks for what people cannot use. Prints the
times from the drop to the first overlay and from the click to the receptive field. With --screenshots pictures
of the page in both colour schemes and on a phone go to a folder. Needs chromium and its driver.
"""

import argparse
import base64
import os
import shutil
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, ".."))
from peers import Report, common, environment  # noqa: E402
from service import atrous, photographs  # noqa: E402

PACKAGES = ["selenium", "axe-playwright-python", "pillow"]

# What a browser does with a file that is dropped on the page; the time begins with it.
DROP = """
const [data, name] = arguments;
const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
const transfer = new DataTransfer();
transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
window.began = performance.now();
document.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
"""
# Calls back with the milliseconds since the beginning once a canvas is painted.
PAINTED = """
const [id, done] = arguments;
function look() {
  const canvas = document.getElementById(id);
  const data = canvas.width > 1 ? canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data : [];
  if (data.some((value) => value > 0) && getComputedStyle(canvas).opacity > 0) done(performance.now() - window.began);
  else requestAnimationFrame(look);
}
look();
"""


def arguments(words=None):
    result = argparse.ArgumentParser(description=__doc__)
    common(result, "out/serving")
    result.add_argument("--screenshots", help="the folder that they go to")
    result.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    result.add_argument("--driver", default=shutil.which("chromedriver"))
    return result.parse_args(words)


class Page:
    """The page in a browser."""

    def __init__(self, options, port, downloads, width=1360, height=900):
        from selenium import webdriver

        choices = webdriver.ChromeOptions()
        choices.binary_location = options.chromium
        for choice in ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                       f"--window-size={width},{height}"]:
            choices.add_argument(choice)
        choices.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        choices.add_experimental_option(
            "prefs", {"profile.default_content_setting_values.automatic_downloads": 1})
        self.browser = webdriver.Chrome(
            options=choices, service=webdriver.ChromeService(options.driver))
        self.browser.set_script_timeout(60)
        self.browser.execute_cdp_cmd(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": downloads})
        self.home = f"http://127.0.0.1:{port}/"

    def open(self, dark=False, phone=False):
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        if phone:
            self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True})
        else:
            self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.browser.get(self.home)
        self.wait(lambda: self.js("return document.querySelectorAll('#network-a option').length > 0"))

    def js(self, code, *words):
        return self.browser.execute_script(code, *words)

    def find(self, selector):
        return self.browser.find_element("css selector", selector)

    def text(self, selector):
        return self.js("return document.querySelector(arguments[0]).innerText", selector)

    def wait(self, is_true, seconds=30):
        end = time.monotonic() + seconds
        while not is_true():
            if time.monotonic() > end:
                raise TimeoutError(f"the page does not get there: {self.text('body')[:500]}")
            time.sleep(0.02)

    def drop(self, file):
        data = base64.b64encode(open(file, "rb").read()).decode()
        self.js(DROP, data, os.path.basename(file))

    def painted(self, canvas):
        """The milliseconds until a canvas is painted."""
        return self.browser.execute_async_script(PAINTED, canvas)

    def click(self, x, y):
        """Clicks a place of the photograph, given in shares of its sides."""
        from selenium.webdriver.common.action_chains import ActionChains

        stage = self.find("#stage")
        self.js("arguments[0].scrollIntoView({block: 'center'})", stage)
        width, height = stage.size["width"], stage.size["height"]
        move = ActionChains(self.browser, duration=20).move_to_element_with_offset(
            stage, int((x - 0.5) * width), int((y - 0.5) * height))
        move.perform()
        under = self.text("#pixel")
        self.js("document.getElementById('stage').addEventListener('pointerdown', () => "
                "{ window.began = performance.now(); }, { once: true, capture: true })")
        ActionChains(self.browser, duration=20).click().perform()
        return under

    def keys(self, *names):
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        chain = ActionChains(self.browser, duration=10)
        for name in names:
            if name.startswith("SHIFT+"):
                chain.key_down(Keys.SHIFT).send_keys(getattr(Keys, name[6:])).key_up(Keys.SHIFT)
            else:
                chain.send_keys(getattr(Keys, name, name))
        chain.perform()

    def faults(self):
        """What axe-core finds, the serious ones."""
        import axe_playwright_python

        # The package brings axe-core itself, which needs nothing else of it.
        with open(os.path.join(os.path.dirname(axe_playwright_python.__file__), "axe.min.js")) as file:
            self.js(file.read())
        found = self.browser.execute_async_script(
            "const done = arguments[0]; axe.run().then((found) => done(found.violations))")
        return [f"{fault['impact']}: {fault['id']}, {fault['nodes'][0]['html'][:120]}" for fault in found
                if fault["impact"] in ("serious", "critical")], len(found)

    def shot(self, options, name):
        if options.screenshots:
            time.sleep(0.4)
            self.browser.save_screenshot(os.path.join(options.screenshots, f"{name}.png"))


def expect(report, what, holds, found=""):
    if not holds:
        report.failed(what, str(found) or "does not hold")


def use(options, page, files, report, downloads):
    """Does everything once; rows of a table."""
    yield ["what", "time", "limit"]
    page.open()
    page.shot(options, "start")
    faults, count = page.faults()
    expect(report, "axe-core at the start", not faults, faults)
    times = []
    for file in files[:3]:
        page.drop(file)
        page.wait(lambda: page.js("return !document.getElementById('work').hidden"))
        times.append(page.painted("overlay-a"))
    expect(report, "first overlay", times[0] < 1000, f"{times[0]:.0f} ms")
    yield ["from the drop to the overlay, three photographs", ", ".join(f"{t:.0f} ms" for t in times), "1000 ms"]
    page.wait(lambda: "%" in page.text("#legend"))
    expect(report, "status line", "Segmented" in page.js("return document.getElementById('status').textContent"))
    page.shot(options, "classes")

    clicks = []
    for x, y in [(0.5, 0.62), (0.3, 0.4), (0.7, 0.7)]:
        page.js("document.querySelector('input[name=view][value=classes]').click()")
        under = page.click(x, y)
        expect(report, "probabilities under the pointer", "%" in under, under)
        page.js("document.getElementById('heat').getContext('2d').clearRect(0, 0, 1e4, 1e4)")
        clicks.append(page.painted("heat"))
        page.wait(lambda: page.js("return !document.getElementById('explanation').hidden"))
    expect(report, "receptive field", max(clicks) < 2000, clicks)
    yield ["from the click to the receptive field, three pixels", ", ".join(f"{t:.0f} ms" for t in clicks), "2000 ms"]
    expect(report, "star", page.js("return document.querySelectorAll('#marks circle').length") > 8)
    expect(report, "reading", "looks at about" in page.text("#reading"), page.text("#reading"))
    faults, more = page.faults()
    expect(report, "axe-core with a receptive field", not faults, faults)
    page.shot(options, "field")
    page.find("#similar-choice").click()
    page.wait(lambda: "cosine" in page.text("#reading"))
    page.shot(options, "similar")

    # Classes are switched off and on.
    page.js("document.querySelector('input[name=view][value=classes]').click()")
    painted = ("const c = document.getElementById('overlay-a'); return c.getContext('2d')"
               ".getImageData(0, 0, c.width, c.height).data.reduce((n, v, i) => n + (i % 4 === 3 && v > 0), 0)")
    whole = page.js(painted)
    page.find("#legend input").click()
    some = page.js(painted)
    page.find("#all").click()
    expect(report, "classes off and on", some < whole == page.js(painted), (whole, some))

    # By the keyboard alone.
    page.js("document.getElementById('stage').focus()")
    page.keys("ARROW_RIGHT", "SHIFT+ARROW_DOWN", "ARROW_LEFT")
    said = page.js("return document.getElementById('status').textContent")
    expect(report, "arrow keys", said.startswith("Pixel ") and "%" in said, said)
    page.keys("ENTER")
    page.wait(lambda: "looks at about" in page.js("return document.getElementById('status').textContent"))
    page.keys("ESCAPE")
    expect(report, "Escape", page.js("return document.querySelector('input[name=view]:checked').value") == "classes")

    # Two networks beside each other.
    page.js("const s = document.getElementById('network-b'); s.selectedIndex = 2;"
            "s.dispatchEvent(new Event('change'))")
    page.painted("overlay-b")
    page.js("const s = document.getElementById('split'); s.value = 30; s.dispatchEvent(new Event('input'))")
    expect(report, "divider", page.js("return document.getElementById('divider').style.left") == "30%")
    faults, last = page.faults()
    expect(report, "axe-core with two networks", not faults, faults)
    page.shot(options, "two")

    # Saved: a picture, labels and outlines.
    for button in ["save-picture", "save-labels", "save-polygons"]:
        page.find(f"#{button}").click()
    stem = os.path.splitext(os.path.basename(files[2]))[0]
    wanted = [f"{stem}_{ending}" for ending in ("overlay.png", "labels.png", "outlines.geojson")]
    page.wait(lambda: all(os.path.exists(os.path.join(downloads, name)) for name in wanted))
    for name in wanted:
        expect(report, name, os.path.getsize(os.path.join(downloads, name)) > 500)
    yield ["faults that axe-core finds, not serious", str(max(count, more, last)), ""]

    # What is no photograph, and a photograph afterwards.
    page.js("document.getElementById('network-b').selectedIndex = 0;"
            "document.getElementById('network-b').dispatchEvent(new Event('change'))")
    page.drop(os.path.abspath(__file__))
    page.wait(lambda: "415" in page.text("#problem"))
    page.drop(files[0])
    page.wait(lambda: not page.text("#problem"))
    page.painted("overlay-a")

    page.open(dark=True)
    page.shot(options, "start-dark")
    page.drop(files[0])
    page.painted("overlay-a")
    page.click(0.5, 0.62)
    page.wait(lambda: "looks at about" in page.text("#reading"))
    page.shot(options, "field-dark")
    faults, _ = page.faults()
    expect(report, "axe-core, dark", not faults, faults)
    page.open(phone=True)
    page.shot(options, "start-phone")
    page.drop(files[0])
    page.painted("overlay-a")
    page.js("scrollTo(0, 0)")
    page.shot(options, "classes-phone")
    expect(report, "phone", page.js("return document.documentElement.scrollWidth") <= 390,
           page.js("return document.documentElement.scrollWidth"))
    faults, _ = page.faults()
    expect(report, "axe-core on a phone", not faults, faults)
    words = [entry["message"] for entry in page.browser.get_log("browser")
             if entry["level"] == "SEVERE" and "415" not in entry["message"]]
    expect(report, "the browser's console", not words, words)


def main():
    options = arguments()
    # The browser is driven from an environment of its own, in which this script runs again.
    python = environment(options.folder, PACKAGES, options.python)
    if os.path.abspath(python) != os.path.abspath(sys.executable):
        os.execv(python, [python, os.path.abspath(__file__), *sys.argv[1:], "--python", python])
    files = photographs(options, 3, "480x360", python)
    downloads = os.path.abspath(os.path.join(options.folder, "downloads"))
    shutil.rmtree(downloads, ignore_errors=True)
    os.makedirs(downloads)
    if options.screenshots:
        os.makedirs(options.screenshots, exist_ok=True)
    report = Report()
    weights = os.path.join(HERE, "../../Weights/camvid.safetensors")
    with atrous(options, weights, weights) as service:
        page = Page(options, service.port, downloads)
        try:
            report.table(use(options, page, files, report, downloads))
        finally:
            page.browser.quit()
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
