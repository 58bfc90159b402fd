"""The desk where visitors hand in their own pictures: read, counted again, taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clip_tta_core.clip.embedded import PHOTO
from clip_tta_core.records import RunConfig
from clip_tta_core.sources import class_lists, datasets, uploads
from clip_tta_core.ui.session import albums
from clip_tta_core.ui.session.albums import Reading
from clip_tta_core.ui.session.follow import BETWEEN
from clip_tta_core.ui.session.settings import Settings, defaults, split_names, to_config
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.wire.parts import Purpose, Upload

UNREADABLE = "The upload ended with an unexpected error; the server's log has the details."
# What a new upload changes of the settings, by its purpose.
WITH: dict[Purpose, Settings] = {
    "pictures": {
        "source": "upload",
        "corruption": "none",
        "schedule": "constant",  # others bring corruptions of their own
        "style": "none",
        "lesson": "",
    },
    "unknowns": {"unknown_source": "upload", "lesson": ""},
}
WITHOUT: dict[Purpose, tuple[str, str]] = {  # once it is removed
    "pictures": ("source", "rendered"),
    "unknowns": ("unknown_source", "none"),
}
OWN_FOLDER = f"dataset:{datasets.OWN}"  # the source
Answer = tuple[Upload, Settings | None]  # what the upload shows, and settings that change


class Desk:
    """Uploads, each for one purpose."""

    def __init__(self, site: Site) -> None:
        self.albums = site.albums

    def read(
        self, purpose: Purpose, paths: list[str], settings: Mapping[str, Any], session: str
    ) -> Iterator[Answer]:
        """Read an upload and say what came of it; take it as the source of known or of unknown pictures."""
        reading = Reading(self.albums, paths)
        self.albums.drop(session, purpose)
        reading.start()
        try:
            while not reading.ended.wait(BETWEEN):
                yield albums.reading_view(reading.share, reading.name), None
            upload = reading.upload
            if upload is None:
                yield Upload(reading.problem or UNREADABLE), None
                return
            if not len(upload):
                yield albums.view(upload, purpose), None
                return
            self.albums.keep(session, purpose, upload)
            news = dict(WITH[purpose])
            if purpose == "pictures" and not _typed(settings):
                news["class_names"] = class_lists.written(albums.own_classes(upload))
            names = _typed(settings, news)
            if purpose == "pictures" and albums.suits(names, _model(settings)):
                news["model"] = PHOTO.name
            shift = _shift(settings, news)
            yield albums.view(upload, purpose, names, _model(settings, news), shift), news
        except GeneratorExit:  # gone while it was read: nobody else would forget it
            self.albums.drop(session, purpose)
            raise
        finally:
            reading.abandon()

    def recount(self, settings: Mapping[str, Any], session: str) -> Upload:
        """How the visitor's pictures, or those of the data folder, fit the class list, which has changed."""
        if _is_own_folder(settings):
            return albums.folder_view(_typed(settings))
        upload = self.albums.get(session, "pictures")
        if upload is None:
            return Upload("")
        return albums.view(upload, "pictures", _typed(settings), _model(settings), _shift(settings))

    def choose_level(self, depth: Any, settings: Mapping[str, Any], session: str) -> Answer | None:
        """Take the folders of another level as classes; None where there are no pictures.

        A class list that names the folders of the level before becomes that of the new one. In the data
        folder every list does, for nothing else says there which level was chosen.
        """
        if _is_own_folder(settings):
            return _at_level(depth, settings)
        upload = self.albums.get(session, "pictures")
        if upload is None:
            return None
        chosen = uploads.at_level(upload, depth)
        self.albums.keep(session, "pictures", chosen)
        typed, news = set(_typed(settings)), None
        if typed <= set(albums.own_classes(upload)):
            news = {"class_names": class_lists.written(albums.own_classes(chosen)), "lesson": ""}
        shift = _shift(settings, news)
        return albums.view(chosen, "pictures", _typed(settings, news), _model(settings), shift), news

    def remove(self, purpose: Purpose, settings: Mapping[str, Any], session: str) -> Answer:
        """Forget an upload."""
        self.albums.drop(session, purpose)
        name, other = WITHOUT[purpose]
        chosen = isinstance(settings, Mapping) and settings.get(name) == "upload"
        return Upload(""), {name: other} if chosen else None


def _is_own_folder(settings: Any) -> bool:
    """Whether the pictures are those of the data folder."""
    return isinstance(settings, Mapping) and settings.get("source") == OWN_FOLDER


def _at_level(depth: Any, settings: Mapping[str, Any]) -> Answer:
    """The data folder with the folders of a level as its classes."""
    try:
        names = albums.own_classes(datasets.own_labels((), depth))
    except ValueError as problem:
        return Upload(str(problem)), None
    news = {"class_names": class_lists.written(names), "lesson": ""}
    return albums.folder_view(_typed(settings, news)), news


def _model(settings: Any, news: Settings | None = None) -> str:
    known = settings if isinstance(settings, Mapping) else {}
    return str({**defaults(), **known, **(news or {})}["model"])


def _shift(settings: Any, news: Settings | None = None) -> RunConfig | None:
    """What the settings do to the pictures; None where they are impossible, which Run will say."""
    known = settings if isinstance(settings, Mapping) else {}
    try:
        return to_config({**known, **(news or {}), "class_names": ""})
    except ValueError:
        return None


def _typed(settings: Any, news: Settings | None = None) -> tuple[str, ...]:
    """The class list of the settings with what is new; empty where it cannot be read, which Run will say."""
    known = settings if isinstance(settings, Mapping) else {}
    try:
        return split_names({**known, **(news or {})}.get("class_names", ""))
    except ValueError:
        return ()
