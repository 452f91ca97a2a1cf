"""Folders and CSV files on this machine."""

import pytest

from annotation.connectors import Entry, open_connector
from annotation.connectors.choice import checked
from ml.errors import InputError
from tests.annotation.ingest.conftest import picture, write_table


@pytest.fixture(autouse=True)
def root(settings, tmp_path):
    settings.SOURCE_FOLDERS = [str(tmp_path)]
    return tmp_path


def names(connector) -> list[str]:
    return [one.row.name if isinstance(one, Entry) else one.name for one in connector]


def test_a_folder_is_read_as_ingest_reads_it(root):
    for i in range(2):
        picture(i).save(root / f"{i}.jpg")
    write_table(root / "products.csv", [{"file": "0.jpg", "brand": "Acme", "title": "shoe"}])
    (entry,) = open_connector("folder", {"path": str(root)})
    assert (entry.row.brand, entry.row.title, entry.fetch) == ("Acme", "shoe", None)
    (root / "products.csv").unlink()
    assert names(open_connector("folder", {"path": str(root)})) == ["0.jpg", "1.jpg"]


def test_a_table_gives_what_it_says_and_names_the_lines_that_it_cannot_use(root):
    picture(1).save(root / "1.jpg")
    write_table(
        root / "table.csv",
        [
            {"file": "1.jpg", "title": "鞋", "price": "9.5", "category": "Footwear"},
            {"file": "2.jpg", "price": "cheap"},
            {"file": "../out.jpg"},
        ],
    )
    table = open_connector("csv", {"path": "table.csv"})
    entry, priced, outside = table
    assert entry.row.path == root / "1.jpg"
    assert (entry.row.title, float(entry.row.price), entry.row.category) == ("鞋", 9.5, "Footwear")
    assert "price" in priced.reason
    assert "leads out of the folder" in outside.reason
    assert names(table) == ["1.jpg", "2.jpg", "../out.jpg"]  # again, from its beginning


def test_a_table_that_is_missing_or_is_none_says_so(root):
    (root / "other.csv").write_text("name\nx\n")
    with pytest.raises(InputError, match="No such file"):
        list(open_connector("csv", {"path": "nowhere.csv"}))
    with pytest.raises(InputError, match="no column 'file'"):
        list(open_connector("csv", {"path": "other.csv"}))
    with pytest.raises(InputError, match="no such folder"):
        open_connector("folder", {"path": "nowhere"})


def test_nothing_outside_the_allowed_folders_is_read(root, settings):
    inside = root / "inside"
    inside.mkdir()
    settings.SOURCE_FOLDERS = [str(inside)]
    (inside / "link").symlink_to(root)
    for path in (str(root), "/etc", "..", str(inside / "link")):
        with pytest.raises(InputError, match="not in a folder that sources may read"):
            open_connector("folder", {"path": path})
    settings.SOURCE_FOLDERS = []
    with pytest.raises(InputError, match="nowhere"):
        open_connector("folder", {"path": str(inside)})


@pytest.mark.parametrize(
    ("connector", "told", "why"),
    [
        ("ftp", {}, "Choose one of the connectors"),
        ("folder", {}, "needs a path"),
        ("folder", {"path": "a", "url": "http://a.example"}, "takes no url"),
        ("http", {"url": "gopher://a.example"}, "not an http"),
        ("http", {"url": "http://me:word@a.example/"}, "password"),
        ("http", {"url": "http://a.example", "secret": "SECRET_KEY"}, "SOURCE_SECRET_"),
        ("http", {"url": "http://a.example/" + "x" * 500}, "longer than 500"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_opened(connector, told, why):
    with pytest.raises(InputError, match=why):
        checked(connector, told)


def test_a_secret_is_read_from_the_environment_by_its_name(monkeypatch):
    told = {"url": "http://a.example/list", "secret": "SOURCE_SECRET_SHOP"}
    with pytest.raises(InputError, match="SOURCE_SECRET_SHOP is not set"):
        open_connector("http", told)
    monkeypatch.setenv("SOURCE_SECRET_SHOP", "Bearer x")
    open_connector("http", told)
