"""The parts of the page: what each draws, and what stays the same while the page is open.

A field that is None does not travel: the scripts find it absent. Histories are strings: see `encode`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from clip_tta_core.ui.wire.encode import Counts, DataUrl, Indices, Lines, Numbers
from clip_tta_core.ui.wire.form import MethodCard, Option, Section
from clip_tta_core.ui.wire.measures import Measure
from clip_tta_core.ui.wire.states import RunState

Settings = dict[str, Any]  # {field: value, methods: {method: {knob: value}}}
Purpose = Literal["pictures", "unknowns"]  # of an upload


@dataclass(frozen=True)
class Contender:
    """Whoever takes part in a run, as every chart draws it."""

    name: str
    title: str
    colour: str
    dash: str  # as in SVG's stroke-dasharray; "" is a solid line
    marker: str


# ---- what a run shows ----


@dataclass(frozen=True)
class Curves:
    """Every curve over the stream; the reader chooses which one to look at."""

    methods: tuple[Contender, ...]
    total: int  # batches planned
    labelled: bool
    unknowns: bool
    classes: int
    more: tuple[Measure, ...]  # what the methods of this run report of themselves
    curves: Mapping[str, Mapping[str, Numbers]]  # {measure: {method: one number a batch}}
    low: Mapping[str, Mapping[str, Numbers]]  # of some measures, where the true value may lie: from here
    high: Mapping[str, Mapping[str, Numbers]]  # to here, with 95 % confidence


@dataclass(frozen=True)
class CurvesProps:
    """What the curves can show."""

    options: tuple[Measure, ...]


@dataclass(frozen=True)
class Classes:
    """Predicted classes per batch and method beside the true ones, and how many are in use."""

    methods: tuple[Contender, ...]
    classes: tuple[str, ...]
    window: int  # batches that are added up
    labelled: bool
    counts: Mapping[str, Counts]
    truth: Counts
    effective: Mapping[str, Numbers]


@dataclass(frozen=True)
class Scores:
    """Scores of known and unknown pictures around the threshold."""

    methods: tuple[Contender, ...]
    window: int
    known: Mapping[str, Lines]  # a line of numbers a batch
    unknown: Mapping[str, Lines]
    threshold: Mapping[str, Numbers]
    auroc: Mapping[str, Numbers]
    fpr95: Mapping[str, Numbers]
    accepted: Mapping[str, Numbers]


@dataclass(frozen=True)
class Results:
    """The table: a row per method, a column per measure."""

    methods: tuple[Contender, ...]
    columns: tuple[Measure, ...]
    values: Mapping[str, Mapping[str, Numbers]]  # {measure: {method: one number a batch}}


@dataclass(frozen=True)
class Sentence:
    """What to say at every batch and of the whole run, which stream it is about, and what to know of it."""

    steps: Lines
    whole: str  # to be said once the run has ended
    stream: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Gallery:
    """One batch: its pictures on one sheet, their labels, and every method's predictions."""

    methods: tuple[Contender, ...]
    classes: tuple[str, ...]
    run: int  # another number is another run
    sprite: DataUrl  # "" where the pictures are no longer kept
    step: int  # 1 for the first batch
    total: int
    columns: int  # of the sheet
    labels: Indices  # -1 where there is none
    unknown: Indices  # 1 where the picture shows none of the classes
    names: tuple[str, ...]
    applied: tuple[str, ...]  # "fog 5"; "" when nothing was
    answers: Mapping[str, Indices]
    sure: Mapping[str, Indices]  # confidence in percent
    accepted: Mapping[str, Indices]  # 1 where the score is above the threshold
    work: str | None = None  # of a batch that is under way: the method at work
    after: str | None = None  # and how far it is, "3 of 10 steps"


@dataclass(frozen=True)
class Steps:
    """The batch under way, optimization step by step, as far as it has been looked into."""

    methods: tuple[Contender, ...]  # in the order of their turns
    classes: tuple[str, ...]
    batch: int  # 1 for the first
    size: int  # pictures
    labelled: bool
    work: str  # the method at work, or the one that was done last
    planned: Mapping[str, int]  # {method: steps}, of those that have begun
    done: tuple[str, ...]
    taken: Mapping[str, Numbers]  # {method: after how many steps, one a look}
    measures: tuple[Measure, ...]  # what is told at every look
    values: Mapping[str, Mapping[str, Numbers]]  # {measure: {method: one number a look}}
    counts: Mapping[str, Counts]  # a line: how often each class is predicted now
    truth: Counts
    says: str  # what a step of the method at work is, or ""


@dataclass(frozen=True)
class ClassRow:
    """How probable a class is, to each method."""

    name: str
    really: bool
    probs: Mapping[str, float]


@dataclass(frozen=True)
class Pull:
    """To which captions a loss pulls a picture by its own gradient, and from which it pushes."""

    title: str
    to: tuple[tuple[str, float], ...]  # class and size, the strongest first
    away: tuple[tuple[str, float], ...]
    truth: int | None  # 1 where that raises the true class, -1 where it lowers it; None without a label


@dataclass(frozen=True)
class Neighbour:
    """A picture of a memory."""

    of: str  # the method that has it
    image: DataUrl
    label: str  # as which it was stored
    near: float  # cosine


@dataclass(frozen=True)
class Closer:
    """A picture of a batch, looked at closely."""

    batch: int
    index: int
    name: str
    applied: str
    really: str | None
    image: DataUrl
    methods: tuple[Contender, ...]
    under_way: str  # the method that is still at work, or ""
    rows: tuple[ClassRow, ...]
    pulls: tuple[Pull, ...]
    neighbours: tuple[Neighbour, ...]  # the nearest first


@dataclass(frozen=True)
class Status:
    """The status line and the timeline."""

    state: RunState
    done: int  # batches finished
    batch: int  # the one under way
    batches: int
    method: str
    step: int  # optimization steps finished on this batch
    steps: int
    doing: str  # while a model is made ready
    share: float  # of the whole run that is finished
    rate: float | None  # images per second
    left: float | None  # seconds
    device: str


@dataclass(frozen=True)
class Message:
    """One sentence when something cannot be done, or ""."""

    text: str
    run: bool | None = None  # whether a link has asked for the run to begin


# ---- around a run ----


@dataclass(frozen=True)
class TransportProps:
    """Which runs can be paused and stepped here."""

    controls: Mapping[str, bool]  # by model
    others: bool  # models that `controls` does not name


@dataclass(frozen=True)
class Looks:
    """What a lesson lets one look at: a curve, and in the gallery a contender and a filter."""

    curve: str  # a measure
    method: str  # the contender's label
    pictures: Literal["all", "changed", "gained", "lost"]


@dataclass(frozen=True)
class Change:
    """What to try next: settings that are not the lesson's."""

    says: str
    settings: Settings


@dataclass(frozen=True)
class Expense:
    """What a long run will cost, and settings that cost less."""

    says: str
    cheaper: tuple[Change, ...]


@dataclass(frozen=True)
class Question:
    """What to guess before one sees the numbers, and what they say."""

    asks: str
    answers: tuple[str, ...]
    right: int  # by the numbers of the recorded run
    says: str  # with these numbers
    why: str
    preset: str  # of the Why tab
    change: Change


@dataclass(frozen=True)
class Needs:
    """Pictures that a lesson runs on and that do not come with the page."""

    says: str  # whether they are here, and what Run does where they are not
    twin: str  # the lesson that shows the same on drawings; "" where the pictures are here
    instead: str  # its title


@dataclass(frozen=True)
class LessonCard:
    """One lesson, with a picture of its stream; only a recorded one can be shown at once and asks."""

    name: str
    title: str
    look_for: str
    protocol: str  # how the methods are set, and what changes under their authors' settings
    minutes: int  # that it takes in a course
    settings: Settings
    picture: DataUrl | None
    looks: Looks | None = None
    question: Question | None = None
    needs: Needs | None = None


@dataclass(frozen=True)
class LessonsProps:
    """The lessons, in the order of the course."""

    lessons: tuple[LessonCard, ...]


@dataclass(frozen=True)
class Copy:
    """A method that takes part once more: an entry of the form's `copies`."""

    label: str
    method: str
    settings: dict[str, Any]  # {knob: value}
    from_start: bool | None = None  # False: it begins with CLIP as it is, though the run has a start


@dataclass(frozen=True)
class FormProps:
    """What the form is built from."""

    sections: tuple[Section, ...]
    methods: tuple[MethodCard, ...]
    most: int  # methods in one run


@dataclass(frozen=True)
class KeptFile:
    """A file to keep."""

    name: str
    kind: str  # media type
    data: str  # base64
    id: int | None = None  # a new one for every press


@dataclass(frozen=True)
class Link:
    """A query string that restores the settings."""

    id: int
    query: str


@dataclass(frozen=True)
class Snippet:
    """A script that does what is set up, with {address} where the page's own belongs."""

    id: int
    code: str


@dataclass(frozen=True)
class Refused:
    """Why there is no file."""

    id: int
    problem: str


Exports = KeptFile | Link | Snippet | Refused


@dataclass(frozen=True)
class Offer:
    """A model that suits the visitor's pictures better than the chosen one."""

    said: str
    settings: Settings  # what taking it changes


@dataclass(frozen=True)
class Upload:
    """What came of an upload, or how far reading it is."""

    said: str
    share: float | None = None  # of what is being read; None once it is over
    kept: bool = False
    skipped: tuple[tuple[str, str], ...] = ()  # name, reason
    thumbnails: DataUrl | None = None
    shown: int = 0  # thumbnails
    counts: tuple[tuple[str, int], ...] = ()  # class, pictures of it
    notes: tuple[str, ...] = ()  # how the folders were read
    levels: tuple[tuple[int, str], ...] = ()  # of folders that can be the classes: depth, what is there
    level: int | None = None  # the depth that is taken
    folders: tuple[str, ...] = ()  # names that could be classes and are not
    seen: DataUrl | None = None  # the same pictures as the chosen model takes them, under the shift set
    sees: str = ""  # and how it does
    offer: Offer | None = None


@dataclass(frozen=True)
class UploadLimits:
    """What one upload may be."""

    said: str
    bytes: int
    entries: int
    archives: tuple[str, ...]  # endings of names


@dataclass(frozen=True)
class UploadProps:
    """What an upload is for."""

    purpose: Purpose
    limits: UploadLimits
    folder: str  # the source that is a folder on the server, whose classes are chosen in the same place


# ---- Compare ----


@dataclass(frozen=True)
class RankingRow:
    """Where one contender is."""

    name: str  # its label
    method: str
    done: int  # batches
    total: int
    numbers: Mapping[str, float | None]  # {measure: value}, None where it is undefined
    problem: str
    place: str  # "1", or "2–5" where the pictures tell no more; "" before the end of its turn


@dataclass(frozen=True)
class Ranking:
    """A comparison as far as it has come; what is None is as it was before."""

    state: RunState
    stream: str | None = None  # in words
    classes: int | None = None
    methods: tuple[str, ...] | None = None  # in the order of their turns
    finished: int | None = None  # turns
    share: float | None = None
    doing: str | None = None
    sentence: str | None = None
    rows: tuple[RankingRow, ...] | None = None  # the best first
    message: str | None = None


@dataclass(frozen=True)
class RankingProps:
    """What can be compared, and how."""

    methods: tuple[MethodCard, ...]
    most: int  # methods in one run of Play
    knobs: tuple[Option, ...]  # how each method is set
    columns: tuple[Measure, ...]


# ---- Benchmark ----


@dataclass(frozen=True)
class HeatRow:
    """One contender: an entry for every shift, then for their means."""

    title: str
    means: tuple[float | None, ...]  # accuracy over the seeds so far; None before the first
    spreads: tuple[float | None, ...]  # standard deviation over seeds; None with fewer than two
    seeds: tuple[int, ...]
    problems: tuple[str, ...]  # why a cell could not be measured, or ""
    reported: tuple[str, ...]  # what papers report, in percent, or ""


@dataclass(frozen=True)
class Heat:
    """A table as far as it is measured; what is None is as it was before."""

    state: RunState
    table: str | None = None
    size: str | None = None
    columns: tuple[str, ...] | None = None
    shifts: int | None = None  # columns that are shifts; the others are means
    rows: tuple[HeatRow, ...] | None = None
    baseline: int | None = None  # the row that the others are compared with; -1 where there is none
    now: tuple[int, ...] | None = None  # row and column of the cell that is measured; empty for none
    done: int | None = None  # cells, each of one seed
    count: int | None = None
    doing: str | None = None
    advice: tuple[str, ...] | None = None  # which method when
    message: str | None = None


@dataclass(frozen=True)
class HeatTable:
    """A table that can be chosen."""

    name: str
    title: str
    needs: str  # what is not here; "" where it can be measured on the page


@dataclass(frozen=True)
class HeatProps:
    """What can be chosen."""

    tables: tuple[HeatTable, ...]
    sizes: tuple[Option, ...]
    table: str  # at first sight
    size: str
    methods: tuple[str, ...]  # families to look for
    shifts: tuple[str, ...]  # kinds


@dataclass(frozen=True)
class HeatCard:
    """All there is to know of one cell."""

    title: str
    lines: tuple[tuple[str, str], ...]  # what, and its value
    command: str  # makes the cell
    settings: Settings  # the same run in Play


# ---- Look inside ----


@dataclass(frozen=True)
class FeatureMap:
    """Features on the run's plane."""

    captions: tuple[tuple[float, float], ...]  # a place a class
    explained: float  # share of the variance that the plane shows
    start: Lines  # "x y x y", a place a picture: by the frozen model
    end: Lines  # by the contender


@dataclass(frozen=True)
class Confusion:
    """Which true class got which answer: a row a class, of those that occur most."""

    classes: tuple[int, ...]
    left_out: int  # pictures of other classes, or answered as one
    before: Counts  # by zero-shot CLIP
    after: Counts  # by the contender


@dataclass(frozen=True)
class Flips:
    """Pictures that an adaptation put right or wrong, over the whole run."""

    gained: int
    lost: int
    shown: Lines  # some of each: "batch picture truth before after", the batch counted from 1


@dataclass(frozen=True)
class Variance:
    """How far apart the classes lie that are answered, and whether that tells of accuracy."""

    variance: Mapping[str, Numbers]  # {label: one a batch}, of zero-shot CLIP and the contender
    accuracy: Numbers  # of the contender, each batch
    says: str


@dataclass(frozen=True)
class MemoryWall:
    """What a memory held when: the pictures that ever entered it."""

    stays: Lines  # "batch picture class confidence until truth": in percent; until 0 is still there


@dataclass(frozen=True)
class LayerDrift:
    """How far each trained layer's weights are from where they started."""

    layers: tuple[str, ...]
    drift: Lines  # a number a layer


@dataclass(frozen=True)
class InsideRun:
    """One contender of a run, batch by batch. Of a long run some batches are drawn, counts are of all."""

    methods: tuple[Contender, ...]
    method: str  # the one that is shown
    classes: tuple[str, ...]
    stream: str
    made: str  # when: tells one run from another
    done: int  # batches
    total: int
    batches: tuple[int, ...]  # that are drawn, 1 for the first; the lines are theirs
    labelled: bool
    labels: Lines  # a class a picture, -1 where there is none
    before: Lines  # answers of zero-shot CLIP
    after: Lines
    sure: Lines  # in percent
    flips: Flips
    confusion: Confusion | None  # without labels there is none
    features: FeatureMap | None  # these four only where the run was looked into, and of what there is
    variance: Variance | None
    memory: MemoryWall | None
    drift: LayerDrift | None


@dataclass(frozen=True)
class InsideSheet:
    """Pictures that were asked for, side by side; those that are no longer there are left out."""

    sprite: DataUrl
    columns: int
    tiles: Indices  # "batch picture batch picture"


@dataclass(frozen=True)
class Inside:
    """An answer: a run or pictures of it."""

    asked: int  # the number of the question
    run: InsideRun | None = None
    sheet: InsideSheet | None = None
    message: str | None = None


# ---- Corruptions ----


@dataclass(frozen=True)
class Subject:
    """A visitor's own picture, by the key to ask for it; or what is wrong with it."""

    key: str | None = None
    title: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class SubjectStart:
    """The picture that is shown first."""

    object: str
    seed: int
    severity: int


@dataclass(frozen=True)
class SubjectProps:
    """What can be drawn."""

    objects: tuple[str, ...]
    severities: tuple[int, ...]
    start: SubjectStart


@dataclass(frozen=True)
class CorruptionTile:
    """One corruption, or the attack."""

    name: str
    title: str
    meaning: str
    extra: bool  # outside the fifteen whose mean papers report
    takes: tuple[Mapping[str, Any], ...]  # settings of Play that show it, by severity


@dataclass(frozen=True)
class CorruptionFamily:
    """Corruptions of one kind."""

    name: str
    title: str
    meaning: str
    corruptions: tuple[CorruptionTile, ...]


@dataclass(frozen=True)
class CorruptionsProps:
    """All of them."""

    families: tuple[CorruptionFamily, ...]


@dataclass(frozen=True)
class Term:
    """A word of the field, other ways of writing it, and what it means in a sentence or two."""

    word: str
    says: str
    also: tuple[str, ...]


@dataclass(frozen=True)
class PrimerProps:
    """The words that the page explains wherever they occur."""

    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Nothing:
    """No value, or nothing that stays."""


@dataclass(frozen=True)
class Board:
    """What the server tells: a view by the name of each part that shows one, and a number for each telling.

    The numbers only grow; a part is told again when its number has grown.
    """

    serials: Mapping[str, int]


# ---- the parts by name ----


@dataclass(frozen=True)
class Spec:
    """One part: the module assets/js/parts/<name>.js, the element .ct-<name>, its data and its events."""

    view: Any = Nothing  # what it draws
    props: type = Nothing  # what it is built with
    events: tuple[str, ...] = ()  # what its script triggers on the server
    serves: tuple[str, ...] = field(default=())  # functions that its script asks the server for


PARTS: dict[str, Spec] = {
    # told through the board
    "curves": Spec(Curves, CurvesProps),
    "classes": Spec(Classes),
    "scores": Spec(Scores | None),
    "results": Spec(Results),
    "sentence": Spec(Sentence),
    "gallery": Spec(Gallery | None, events=("open", "look")),
    "closer": Spec(Closer | None),
    "steps": Spec(Steps | None),
    "status": Spec(Status),
    "message": Spec(Message),
    # with a value of their own
    "board": Spec(Board),
    "transport": Spec(props=TransportProps, events=("run", "pause", "step", "stop", "reset")),
    "lessons": Spec(props=LessonsProps, events=("choose",)),
    "form": Spec(Settings, FormProps, serves=("preview", "costs", "expense", "names")),
    "expense": Spec(Expense | None),
    "exports": Spec(
        Exports, events=("csv", "settings", "pictures", "json", "png", "svg", "link", "script", "open")
    ),
    "upload": Spec(Upload, UploadProps, events=("read", "examples", "recount", "level", "clear")),
    "ranking": Spec(Ranking, RankingProps, events=("start", "stop", "watch"), serves=("describe",)),
    "standings": Spec(Exports, events=("csv", "png", "svg", "markdown", "latex", "link")),
    "heat": Spec(Heat, HeatProps, events=("start", "stop", "play"), serves=("look", "card", "keep")),
    "subject": Spec(Subject, SubjectProps, serves=("keep",)),
    "corruptions": Spec(props=CorruptionsProps, events=("take",), serves=("sheet", "ladder")),
    "inside": Spec(Inside, events=("look", "fetch")),
    "why": Spec(),
    "primer": Spec(props=PrimerProps),
}
ON_THE_BOARD = (
    *(
        "curves",
        "classes",
        "scores",
        "results",
        "sentence",
        "gallery",
        "closer",
        "steps",
        "status",
        "message",
    ),
)
