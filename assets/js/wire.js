// Written by `python -m clip_tta_core.ui.wire`; edit clip_tta_core/ui/wire instead.

export const PARTS = [
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
  "board",
  "transport",
  "lessons",
  "form",
  "expense",
  "exports",
  "upload",
  "ranking",
  "standings",
  "heat",
  "subject",
  "corruptions",
  "inside",
  "why",
  "primer"
];

export const ON_THE_BOARD = [
  "curves",
  "classes",
  "scores",
  "results",
  "sentence",
  "gallery",
  "closer",
  "steps",
  "status",
  "message"
];

export const EVENTS = {
  "gallery": [
    "open",
    "look"
  ],
  "transport": [
    "run",
    "pause",
    "step",
    "stop",
    "reset"
  ],
  "lessons": [
    "choose"
  ],
  "exports": [
    "csv",
    "settings",
    "pictures",
    "json",
    "png",
    "svg",
    "link",
    "script",
    "open"
  ],
  "upload": [
    "read",
    "examples",
    "recount",
    "level",
    "clear"
  ],
  "ranking": [
    "start",
    "stop",
    "watch"
  ],
  "standings": [
    "csv",
    "png",
    "svg",
    "markdown",
    "latex",
    "link"
  ],
  "heat": [
    "start",
    "stop",
    "play"
  ],
  "corruptions": [
    "take"
  ],
  "inside": [
    "look",
    "fetch"
  ]
};

export const STATES = {
  "idle": {
    "word": "Ready",
    "busy": false,
    "under_way": false,
    "over": false
  },
  "recorded": {
    "word": "A recorded run",
    "busy": false,
    "under_way": false,
    "over": true
  },
  "waiting": {
    "word": "Starting",
    "busy": true,
    "under_way": false,
    "over": false
  },
  "loading": {
    "word": "Getting ready",
    "busy": true,
    "under_way": false,
    "over": false
  },
  "running": {
    "word": "Running",
    "busy": true,
    "under_way": true,
    "over": false
  },
  "paused": {
    "word": "Paused",
    "busy": true,
    "under_way": true,
    "over": false
  },
  "stopping": {
    "word": "Stopping",
    "busy": true,
    "under_way": false,
    "over": false
  },
  "stopped": {
    "word": "Stopped",
    "busy": false,
    "under_way": false,
    "over": true
  },
  "done": {
    "word": "Finished",
    "busy": false,
    "under_way": false,
    "over": true
  },
  "failed": {
    "word": "Stopped",
    "busy": false,
    "under_way": false,
    "over": true
  }
};

export const CLASS_LIST = {
  "separators": "\n  ,;，；﹐﹑﹔、､،؛፣፤|\t",
  "most": 1000,
  "longest": 200,
  "words": {
    "few": "at least two are needed to choose between, got 1",
    "repeated": "each must be listed once; remove the repetition of {names}",
    "empty": "every class needs a name; empty entries skipped: {count}",
    "many": "at most {most} can be compared, got {count}",
    "long": "a name may have {longest} characters at most; separate names by commas or lines",
    "strange": "words that this CLIP does not know: {names}; use others, or choose a larger CLIP"
  }
};
