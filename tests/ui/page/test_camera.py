"""A burst of pictures from a camera is an upload like any other."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.ui.conftest import CHROMIUM, QUIET
from tests.ui.page.test_upload import wait_for_upload

pytestmark = pytest.mark.browser
# Chromium's own stand-in for a camera shows a clock, and nobody is asked whether it may be used.
STAND_IN = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture
def open_camera(chromium, url):
    """The page in a browser with a camera, or in one without, after Camera has been pressed."""
    browsers = []

    def open_page(*options: str):
        browser = chromium.browser_type.launch(executable_path=CHROMIUM, args=[*QUIET, *options])
        browsers.append(browser)
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("#ct-form .section", state="attached", timeout=60_000)
        page.locator("#ct-upload-pictures summary").first.click()
        page.locator("#ct-upload-pictures [data-do=camera]").click()
        return page

    yield open_page
    for browser in browsers:
        browser.close()


def test_a_burst_is_read_and_the_camera_is_closed(open_camera, site):
    page = open_camera(*STAND_IN)
    before = set(site.albums._kept)
    video = page.locator("#ct-upload-pictures video")
    expect(video).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Take 16 pictures").click()
    wait_for_upload(page, "16 pictures, none with a label.")
    expect(video).to_be_hidden()
    assert page.evaluate("document.querySelector('#ct-upload-pictures video').srcObject") is None
    (brought,) = set(site.albums._kept) - before
    pictures = site.albums._kept[brought].pictures
    assert pictures.names[0] == "camera 1.jpg" and len(pictures) == 16
    assert np.ptp(pictures.images.astype(int), axis=0).max() > 50, "the clock has gone on"
    assert page.locator("[data-field=source] select").input_value() == "upload"


def test_without_a_camera_the_page_says_so(open_camera):
    page = open_camera()
    wait_for_upload(page, "The camera could not be opened (")
    expect(page.locator("#ct-upload-pictures .camera")).to_be_hidden()
