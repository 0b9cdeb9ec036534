from magic_ui.ui.page import launch_options
from magic_ui.ui.theme import page_css, page_script
from magic_ui.ui.uploads import local_files_only


def test_three_endpoints_are_public_and_nothing_else(page):
    assert sorted(page.get_api_info()["named_endpoints"]) == ["/generate", "/plan", "/sweep"]
    assert not page.get_api_info()["unnamed_endpoints"]


def test_all_painting_waits_in_one_line_and_previews_in_another(page):
    lines = {fn.api_name: fn.concurrency_id for fn in page.fns.values() if fn.api_name in ("plan", "generate", "sweep")}
    assert lines["generate"] == lines["sweep"] == "painters"
    assert lines["plan"] == "planners"
    painters = [fn for fn in page.fns.values() if fn.concurrency_id == "painters"]
    assert len(painters) == 4 and all(fn.concurrency_limit == 1 for fn in painters)


def test_no_event_of_a_page_without_examples_fails(studio, tmp_path):
    from magic_ui.ui.page import build_page

    page = build_page(studio, examples_folder=tmp_path)
    assert page.get_config_file()["components"]


def test_results_are_sent_without_loss(page):
    kinds = ("image", "imageslider", "gallery", "imageeditor")
    formats = {
        component["props"]["elem_id"]: component["props"]["format"]
        for component in page.get_config_file()["components"]
        if component["type"] in kinds
    }
    assert formats.pop("live") == "jpeg"
    assert set(formats.values()) == {"png"}


def test_launching_shares_no_folder_and_bounds_uploads():
    options = launch_options()
    assert options["allowed_paths"] == [] and options["max_file_size"] == "20mb"
    assert "share" not in options


def test_the_look_comes_from_this_machine():
    assert "http" not in page_css() + page_script()


def test_every_component_refuses_addresses(page):
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    import gradio as gr
    import pytest

    local_files_only(page)
    files = [block for block in page.blocks.values() if isinstance(block, gr.File | gr.ImageEditor)]
    assert files
    # A thread of its own: this one may hold the loop of a browser that another test left open.
    with ThreadPoolExecutor(1) as pool:
        for block in files:
            with pytest.raises(gr.Error, match="not fetched"):
                pool.submit(asyncio.run, block.async_move_resource_to_block_cache("http://127.0.0.1:9/x.png")).result()
