"""The documentation's pictures of the page."""

import os

from place import SHOWN, detail


def make(place, folder):
    os.makedirs(folder, exist_ok=True)

    def shoot(name, where, ready, prepare=None, **options):
        page = place.page(where, **options)
        page.wait(ready)
        if prepare:
            prepare(page)
        page.wait("!document.getElementById('stats')?.textContent.endsWith('…')", "the rate of now")
        page.screenshot(os.path.join(folder, name))

    def choose(page):
        page.key("2")
        page.run("document.querySelectorAll('.row')[4].click()")
        detail(page)

    bars = "document.querySelectorAll('#chart-segments .bars rect').length && document.querySelectorAll('#chart-bytes .bars rect').length"
    shoot("page-records.png", "#/orders/records", SHOWN, choose, width=1180, height=640)
    shoot("page-records~dark.png", "#/orders/records", SHOWN, choose, width=1180, height=640, dark=True)
    shoot("page-charts.png", "#/web/charts", bars, width=1180, height=640)
    shoot("page-charts~dark.png", "#/web/charts", bars, width=1180, height=640, dark=True)
    shoot("page-telephone.png", "#/orders/records", SHOWN, width=390, height=760)
    for name, where in (("x-consumers", "#/orders/consumers"), ("x-health", "#/orders/health"), ("x-home", "#/"),
                        ("x-segments", "#/orders/segments"), ("x-live", "#/orders/live")):
        if "IMMUTA_ALL_SCREENSHOTS" in os.environ:
            shoot(f"{name}.png", where, "true", width=1280, height=720)
