"""Many visitors of the app at once: does each get an answer, and how much memory does it take?

    python tools/many_visitors.py [visitors=10]

Opens as many pages of the app in Chromium, lets all of them enlarge a sample photograph at the same moment, and prints how long
each one waited and what memory the server took with its kernels.
"""

import re
import sys
import time

import psutil
from app_server import chromium, running_app

PATIENCE = 1_200_000  # milliseconds
SAMPLE = "Honey bee on an aster"


def megabytes(server: psutil.Process) -> float:
    """Of the server and its kernels; what they share is counted once (PSS)."""
    total = 0
    for process in (server, *server.children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20


def main(visitors: int) -> None:
    with running_app() as (address, server), chromium() as browser:
        pages = [browser.new_context().new_page() for _ in range(visitors)]
        began = time.monotonic()
        for page in pages:
            page.set_default_timeout(PATIENCE)
            page.goto(address, wait_until="commit")  # so that all of them are prepared at once
        for page in pages:
            page.get_by_role("button", name=SAMPLE).wait_for()
        print(
            f"{visitors} visitors see the wizard after {time.monotonic() - began:.0f} s; {megabytes(server):.0f} MB",
            flush=True,
        )
        began = time.monotonic()
        peak = 0.0
        waiting = set(range(visitors))
        for page in pages:
            page.get_by_role("button", name=SAMPLE).click()
            page.get_by_role("button", name="Enlarge", exact=True).click()
        while waiting:
            peak = max(peak, megabytes(server))
            for number in sorted(waiting):
                sentence = pages[number].locator(".srlib-sentence").text_content() or ""
                if re.search("Done|Cancelled|could not be enlarged", sentence):
                    waiting.remove(number)
                    print(
                        f"visitor {number + 1}: {sentence} after {time.monotonic() - began:.0f} s",
                        flush=True,
                    )
            time.sleep(0.5)
        print(
            f"most memory of the server and {visitors} kernels: {peak:.0f} MB, {peak / visitors:.0f} MB for each visitor"
        )


if __name__ == "__main__":
    main(int(dict(argument.split("=") for argument in sys.argv[1:]).get("visitors", 10)))
