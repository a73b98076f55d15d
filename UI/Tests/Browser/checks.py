"""What the page must do. The name of each check is a sentence about the page."""

import json
import os
import time

import chromium
from chromium import Failed
from place import MANY, SHOWN, check, detail, equal, sequences


def the_page_loads_and_the_token_leaves_the_address(place):
    page = place.page()
    equal(page.run("location.search"), "", "what is left of the address")
    equal(page.run("document.cookie"), "", "what scripts see of the cookie")
    names = page.run("Array.from(document.querySelectorAll('#namespaces .name'), (name) => name.textContent)")
    equal(names, ["audit", "hostile", "million", "orders", "sealed", "squeezed", "web"], "the logs")
    page.open(f"http://127.0.0.1:{place.server.port}/")
    page.wait("document.querySelector('table')", "the page without the token in the address")
    outside = [url for url in page.requests() if not url.startswith(f"http://127.0.0.1:{place.server.port}/")]
    equal([url for url in outside if url != "about:blank"], [], "requests to elsewhere")


def hostile_records_are_text_and_run_nothing(place):
    page = place.page("#/hostile/records")
    page.wait(SHOWN)
    count = len(sequences(page))
    equal(count, 12, "records")
    for number in range(count):
        for view in ("1", "2", "3"):
            page.run(f"document.querySelector('[data-sequence=\"{number}\"]').click()")
            page.key(view)
            page.wait("document.querySelector('.record pre')")
    page.key("1")

    def text(number):
        page.run(f"document.querySelector('[data-sequence=\"{number}\"]').click()")
        page.wait(f"document.querySelector('.record h2')?.textContent === 'Record {number}'")
        return detail(page)

    equal(text(0), "<img src=x onerror=\"document.title='owned'\">", "an image that would run")
    equal(text(1), "</script><script>document.title='owned'</script>", "a script")
    equal(text(2), "␀␇␈␛[31mred␛[0m␡", "control bytes")
    equal(text(3), "abcU+202Etxt.exeU+202CU+200FU+2066U+FEFF", "marks of direction")
    check("\ufffd" in text(9) and "<b>" in text(9), "bytes that are no UTF-8")
    page.key("2")
    check("12345678901234567890.50" in text(4), "a number with many digits in JSON keeps them")
    page.key("3")
    check("ff fe c3 28" in text(9), "the hex dump")
    page.key("1")
    inside = page.run("document.querySelectorAll('main :is(img, script, iframe, b, object, form[action])').length")
    equal(inside, 0, "elements that a record made")
    check("owned" not in page.run("document.title"), "a record ran")
    equal(page.run("fetch('/x').then(() => 1)"), 1, "the page lives")


def the_browser_itself_would_refuse_a_script_in_the_markup(place):
    page = place.page()
    refused = page.run("""(() => {
        try { document.body.innerHTML = "<img src=x onerror=alert(1)>"; return false; } catch { return true; }
    })()""")
    check(refused, "markup from a string is taken")
    page.browser.events = [event for event in page.browser.events if event.get("sessionId") != page.session]
    place.pages.remove(page)


def large_records_are_cut_and_can_be_saved(place):
    page = place.page("#/hostile/records?from=11")
    page.wait(SHOWN)
    page.key("j")
    page.key("Enter")
    page.wait("document.querySelector('.record .notice')?.textContent.includes('64 KiB of 3 MiB')", "how much is shown")
    link = page.run("document.querySelector('.record a[download]').href")
    size = page.run(f"fetch({json.dumps(link)}).then((answer) => answer.arrayBuffer()).then((bytes) => bytes.byteLength)")
    equal(size, 3 << 20, "bytes that are saved")


def among_a_million_records_each_is_at_hand(place):
    began = time.monotonic()
    page = place.page("#/million/records")
    page.wait(SHOWN)
    equal(sequences(page)[-1], MANY - 1, "the newest record")
    page.key("g")
    page.wait("document.querySelector('.row').dataset.sequence === '0'", "the first record")
    page.key("G")
    page.wait(f"document.querySelector('li:last-child > .row')?.dataset.sequence === '{MANY - 1}'", "the end")
    page.key("n")
    page.type("654,321")
    page.key("Enter")
    page.wait("document.querySelector('.record h2')?.textContent === 'Record 654,321'", "record 654,321")
    equal(detail(page), "record 654321", "its text")
    page.key("Escape")
    page.key("]")
    page.wait("document.querySelector('.row').dataset.sequence === '654421'", "the next page")
    page.key("[")
    page.wait("document.querySelector('.row').dataset.sequence === '654321'", "the page before")
    page.run("""(() => {
        const scrub = document.querySelector(".scrub input");
        scrub.value = 500000;
        scrub.dispatchEvent(new Event("change"));
    })()""")
    page.wait("document.querySelector('.row').dataset.sequence === '500000'", "the place of the slider")
    page.key("/")
    page.type("needle")
    page.key("Enter")
    page.wait("/1 record with “needle” among 1,000,000$/.test(document.querySelector('[role=status] .notice')?.textContent)",
              "the end of the search", 120)
    equal(sequences(page), [MANY * 3 // 4], "records that were found")
    check(page.run("document.querySelectorAll('*').length") < 3000, "the page holds too many elements")
    print(f"    a million records: {time.monotonic() - began:.1f} s, the server has used {place.server.memory() >> 20} MiB")
    check(place.server.memory() < 200 << 20, "the server's memory")


def the_live_view_shows_what_comes_and_goes_on_after_a_restart(place):
    page = place.page("#/audit/live")
    page.wait("document.getElementById('live-state')?.textContent === 'live'", "the live view")
    with place.writer("audit") as append:
        append("<i>a new record</i>")
        page.wait("document.querySelector('.row .preview')?.textContent === '<i>a new record</i>'", "the new record")
        first = sequences(page)[0]
        place.server.stop()
        page.wait("document.getElementById('live-state')?.textContent.includes('again')", "that the connection is lost")
        append("while the server was away")
        place.server.start()
        page.wait("document.querySelector('.row .preview').textContent === 'while the server was away'", "what came meanwhile")
        append("afterwards")
        page.wait("document.querySelector('.row .preview').textContent === 'afterwards'", "what came afterwards")
        equal(sequences(page), [first + 2, first + 1, first], "each record once")
        page.key("p")
        page.wait("document.getElementById('live-state')?.textContent.startsWith('paused')")
        append("while it was paused")
        page.key("p")
        page.wait("document.querySelector('.row .preview').textContent === 'while it was paused'", "what came in the pause")
    # Requests while there was no server are in its console, and are meant.
    place.pages.remove(page)


def keys_reach_everything(place):
    page = place.page("#/orders/records")
    page.wait(SHOWN)
    page.key("g")
    page.wait("document.querySelector('.row').dataset.sequence === '0'")
    page.key("j")
    page.key("ArrowDown")
    page.key("k")
    page.key("Enter")
    page.wait("document.querySelector('.record h2')?.textContent === 'Record 0'", "the record that has the focus")
    page.key("j")
    page.wait("document.querySelector('.record h2')?.textContent === 'Record 1'", "the next record")
    page.key("2")
    check('\n  "order": 10001,\n' in detail(page), "JSON on lines of its own")
    page.key("Escape")
    check(page.run("document.querySelector('.record').hidden"), "the record is closed")
    page.key("?")
    page.wait("document.querySelector('dialog[open] kbd')", "the keys")
    page.key("Escape")
    for key, what in (("l", "live"), ("c", "charts"), ("s", "segments"), ("o", "consumers"), ("h", "health"), ("r", "records")):
        page.key(key)
        page.wait(f"location.hash === '#/orders/{what}' && document.querySelector('.tabs [aria-current]').hash === location.hash", what)
    page.wait(SHOWN)
    page.key("n")
    page.type("r")
    equal(page.run("location.hash"), "#/orders/records", "a letter that is typed is no key")


def charts_consumers_and_segments_say_what_there_is(place):
    page = place.page("#/orders/charts")
    for chart in ("records", "bytes", "sizes", "segments"):
        page.wait(f"document.querySelectorAll('#chart-{chart} .bars rect').length > 1", chart)
    check("600;" in page.run("document.querySelector('#chart-records figcaption').textContent"), "how many records")
    labels = page.run("[...document.querySelectorAll('#chart-records svg > text[text-anchor=middle]')].map((text) => text.textContent)")
    check(len(labels) > 1 and len(set(labels)) == len(labels), f"labels repeat: {labels}")
    page.key("o")
    page.wait("document.querySelectorAll('tbody tr').length === 3", "consumers")
    rows = page.run("Array.from(document.querySelectorAll('tbody tr'), (row) => row.innerText.split('\\t').map((cell) => cell.trim()))")
    equal([row[:4] for row in rows], [["billing", "consumer", "572", "28"], ["invoices", "work queue", "0", "600"],
                                      ["mail", "consumer", "341", "259"]], "consumers and their lags")
    page.key("s")
    page.wait("document.querySelectorAll('tbody tr').length > 1 && document.querySelector('tbody code')", "segments")


def health_has_the_outcome_of_a_verification(place):
    page = place.page("#/orders/health")
    page.wait("document.querySelector('#verdict[data-state=none]')")
    page.key("v")
    page.wait("document.querySelector('#verdict[data-state=ok] .verdict')?.textContent === 'Sound'", "the outcome")
    check("600 records" in page.run("document.getElementById('verdict').textContent"), "how many records were checked")
    path = os.path.join(place.directory, "audit.log")
    with open(path, "r+b") as file:
        file.seek(60)
        byte = file.read(1)
        file.seek(60)
        file.write(bytes([byte[0] ^ 1]))
    page.open(f"http://127.0.0.1:{place.server.port}/#/audit/health")
    page.wait("document.querySelector('h1')?.textContent === 'audit' && document.querySelector('#verdict[data-state=none]')")
    page.click("#verify")
    page.wait("document.querySelector('#verdict[data-state=damaged] .verdict')?.textContent === 'Damaged'", "the damage")
    check("record 1" in page.run("document.getElementById('verdict').textContent"), "which record is damaged")
    page.key("r")
    page.wait("document.querySelector('.row .error')", "the damaged record in the list")
    with open(path, "r+b") as file:
        file.seek(60)
        file.write(byte)


def a_record_says_what_is_shown_of_it(place):
    page = place.page("#/sealed/records")
    page.wait(SHOWN)
    reason = "this program does not know the codec “example-cipher”"
    check(reason in page.run("document.querySelector('.notice').textContent"), "why the log is not decoded")
    check("nobody may read" not in page.run("document.body.innerText"), "payloads are as they are stored")

    def shown():
        page.click(".row")
        page.wait("document.querySelector('.record:not([hidden]) .shown')", "a record")
        return page.run("document.querySelector('.record .shown').textContent")

    equal(shown(), "as stored, not decoded", "what is shown of a record that nobody can decode")
    check(reason in page.run("document.querySelector('.record .notice').textContent"), "why the record is not decoded")
    page = place.page("#/squeezed/records")
    page.wait(SHOWN)
    equal(shown(), "decoded with deflate", "what is shown of a compressed record")
    check(detail(page).startswith("readable, number 0, again"), "what was appended")
    check(not page.run("document.querySelector('main .notice')"), "a note where all is well")
    page = place.page("#/audit/records")
    page.wait(SHOWN)
    equal(shown(), "as appended", "what is shown of a record without a codec")


def partitions_of_a_store_are_shown_as_logs_are(place):
    with place.store() as server:
        page = place.browser.page()
        page.open(f"{server.address}#/")
        page.wait("document.querySelectorAll('tbody tr').length === 4", "the partitions")
        equal(page.run("document.getElementById('store').textContent"), "A store of 4 partitions, routed by fnv1a-mod-n.", "the store")
        names = page.run("Array.from(document.querySelectorAll('tbody td:first-child'), (cell) => cell.textContent)")
        equal(names, [f"partition {number}" for number in range(4)], "their names")
        counts = page.run("Array.from(document.querySelectorAll('tbody td:nth-child(2)'), (cell) => Number(cell.textContent))")
        equal(sum(counts), 400, "their messages")
        number = max(range(4), key=lambda one: counts[one])
        page.run(f"document.querySelectorAll('tbody a')[{number}].click()")
        page.wait(SHOWN)
        equal(page.run("document.querySelector('h1').textContent"), f"partition {number}", "the title")
        equal(page.run("location.hash"), f"#/partition:{number}/records", "the address")
        page.click(".row")
        check(detail(page).startswith("message "), "a message")
        page.key("o")
        page.wait("document.querySelector('tbody b')?.textContent === 'mailer'", "its consumer")
        page.key("h")
        page.wait("document.querySelector('#verdict[data-state=none]')")
        page.key("v")
        page.wait("document.querySelector('#verdict[data-state=ok] .verdict')?.textContent === 'Sound'", "the outcome")
        equal(page.complaints(), [], "what the browser complains of")


def a_verification_shows_how_far_it_has_come(place):
    page = place.page("#/million/health")
    page.wait("document.querySelector('#verdict[data-state=none]')")
    page.run("""(() => {
        window.seen = [];
        const look = () => { if (document.querySelector("#verdict progress")) window.seen.push(document.getElementById("verdict").textContent); };
        new MutationObserver(look).observe(document.getElementById("verdict"), { childList: true, subtree: true });
    })()""")
    page.key("v")
    page.wait("document.querySelector('#verdict[data-state=ok] .verdict')?.textContent === 'Sound'", "the outcome", 120)
    check(page.run("window.seen.length") > 0, "no progress was shown")
    check(not page.run("document.querySelector('#verdict progress')"), "progress after the end")


def light_and_dark_are_both_readable(place):
    page = place.page("#/orders/records")
    page.wait(SHOWN)

    def contrast(selector):
        return page.run(f"""(() => {{
            const channels = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
            const light = (colour) => channels(colour)
                .map((value) => value / 255).map((value) => value <= .03928 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4)
                .reduce((sum, value, place) => sum + value * [.2126, .7152, .0722][place], 0);
            const element = document.querySelector({json.dumps(selector)});
            let behind = element;
            while (/rgba\\(0, 0, 0, 0\\)|transparent/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
            const [one, other] = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map(light);
            return (Math.max(one, other) + .05) / (Math.min(one, other) + .05);
        }})()""")

    behind = []
    for dark in (False, True):
        page.colours(dark)
        behind.append(page.run("getComputedStyle(document.body).backgroundColor"))
        for selector in (".row .preview", ".row .time", ".row .sequence", ".stats dt", ".tabs a", "nav .facts"):
            found = contrast(selector)
            check(found >= 4.5, f"{selector} has a contrast of {found:.1f} ({'dark' if dark else 'light'})")
    check(behind[0] != behind[1], "dark looks like light")
    page.colours(False)
    page.key("d")
    page.key("d")
    equal(page.run("getComputedStyle(document.body).backgroundColor"), behind[1], "dark by hand")
    page.key("d")


def on_a_telephone_nothing_is_wider_than_the_screen(place):
    page = place.page("#/", width=390, height=844)
    views = ["#/"] + [f"#/{log}/{view}" for log in ("orders", "hostile", "sealed")
                      for view in ("records", "live", "charts", "segments", "consumers", "health")]
    for view in views:
        page.run(f"location.hash = {json.dumps(view)}")
        time.sleep(0.3)
        page.wait("document.querySelector('main').childElementCount > 0")
        width = page.run("Math.max(document.documentElement.scrollWidth, document.querySelector('main').scrollWidth)")
        check(width <= 390, f"{view} is {width} wide")
    page.run("location.hash = '#/hostile/records'")
    page.wait(SHOWN)
    page.click(".row")
    page.wait("document.querySelector('.record:not([hidden])')")
    check(page.run("document.querySelector('.record').getBoundingClientRect().right") <= 390, "the record is too wide")
    page.click(".record [aria-label=Close]")
    check(page.run("document.querySelector('.record').hidden"), "the record cannot be closed")


def without_the_token_there_is_a_sentence(place):
    page = place.browser.page()
    context = place.browser.call("Target.createBrowserContext")["browserContextId"]
    target = place.browser.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
    session = place.browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    page = chromium.Page(place.browser, session)
    page.open(f"http://127.0.0.1:{place.server.port}/")
    page.wait("document.body?.innerText.includes('it has the token')", "the sentence")


TESTS = [
    the_page_loads_and_the_token_leaves_the_address, hostile_records_are_text_and_run_nothing,
    the_browser_itself_would_refuse_a_script_in_the_markup, large_records_are_cut_and_can_be_saved,
    among_a_million_records_each_is_at_hand, keys_reach_everything, charts_consumers_and_segments_say_what_there_is,
    health_has_the_outcome_of_a_verification, a_record_says_what_is_shown_of_it, partitions_of_a_store_are_shown_as_logs_are,
    a_verification_shows_how_far_it_has_come, light_and_dark_are_both_readable,
    on_a_telephone_nothing_is_wider_than_the_screen, without_the_token_there_is_a_sentence,
    the_live_view_shows_what_comes_and_goes_on_after_a_restart,
]


def run(place):
    """Runs all checks; returns how many failed."""
    failed = 0
    for test in TESTS:
        name = test.__name__.replace("_", " ")
        place.pages = []
        try:
            test(place)
            complaints = [text for page in place.pages for text in page.complaints() if "/x" not in text]
            check(not complaints, f"the browser complains: {complaints}")
            print(f"  passed: {name}", flush=True)
        except Failed as error:
            failed += 1
            print(f"  FAILED: {name}: {error}", flush=True)
        place.browser.close_pages()
    print(f"{len(TESTS) - failed} checks passed, {failed} failed")
    return failed
